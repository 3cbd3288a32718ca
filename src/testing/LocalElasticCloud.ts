/**
 * A stand-in for the extensions API of Elastic Cloud: a real HTTP server with the six published operations, as strict
 * as the service, that remembers every request and fails on demand.
 *
 * It shares nothing with the client it tests, and keeps real time even under a `TestClock`: it stands for another
 * machine.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import * as ScopedRef from "effect/ScopedRef"
import type { FaultRule } from "./Fault.ts"
import * as Disk from "./internal/disk.ts"
import { Activity, layerActivity } from "./internal/exchange.ts"
import * as Faults from "./internal/faults.ts"
import { handle } from "./internal/handler.ts"
import * as Recorder from "./internal/recorder.ts"
import * as Draft from "./internal/resumable/draft.ts"
import * as Uploads from "./internal/resumable/uploads.ts"
import * as Server from "./internal/server.ts"
import { Background, Settings } from "./internal/settings.ts"
import * as Store from "./internal/store.ts"
import type { LocalElasticCloudError } from "./LocalElasticCloudError.ts"
import type { RecordedRequest } from "./RecordedRequest.ts"
import type { ResumableOptions, StoredUpload } from "./ResumableUploads.ts"
import type { SeedExtension, StoredExtension } from "./StoredExtension.ts"

/**
 * Where the stand-in listens, whom it knows, and what it can do.
 *
 * @since 0.1.0
 * @category models
 */
export interface LocalElasticCloudOptions {
  /** Default 0: any free port. */
  readonly port?: number | undefined
  /** Default `127.0.0.1`. */
  readonly hostname?: string | undefined
  /** Where state and archives are kept. Default: a temporary folder, deleted with the scope. One process at a time. */
  readonly dataDir?: string | undefined
  /**
   * Who may ask. A key without an owner stands for a session without a user id. Default: the key `local-key` of the
   * owner `local`.
   */
  readonly accounts?:
    | ReadonlyArray<{ readonly apiKey: string; readonly owner: string | undefined }>
    | undefined
  /** Serves https with this key and certificate, in PEM form. Default: plain http. */
  readonly tls?: { readonly key: string | Buffer; readonly cert: string | Buffer } | undefined
  /** Whether `file_metadata.url` holds a temporary link; if not, it is null. Default true. */
  readonly verificationLinks?: boolean | undefined
  /**
   * How long, in milliseconds, a request with a `download_url` may take before a gateway answers 504 in the service's
   * place; the download goes on. Default: as long as it takes.
   */
  readonly downloadPatience?: number | undefined
  /**
   * How long, in milliseconds, the server of a `download_url` may be silent before the download has failed. Default: as long
   * as it likes.
   */
  readonly downloadTimeout?: number | undefined
  /** The longest upload body that is accepted, in bytes; more is 413. Default 8 GB, the documented limit. */
  readonly maxArchiveBytes?: number | undefined
  /**
   * Serves resumable uploads. Default: not, as the service itself: fields that ask for them are ignored, and `OPTIONS`
   * says nothing of them.
   */
  readonly resumable?: ResumableOptions | undefined
}

/**
 * The handles of a running stand-in: what it received, what it holds, and what is to go wrong.
 *
 * @since 0.1.0
 * @category models
 */
export interface LocalElasticCloudService {
  /** The origin, without a slash at its end. The API is under `/api/v1`. */
  readonly url: string
  /** What points a client at the stand-in: `EC_ENDPOINT`, and in `EC_API_KEY` the first key that has an owner. */
  readonly variables: Readonly<Record<"EC_ENDPOINT" | "EC_API_KEY", string>>
  /** Every request so far in order of arrival, unfinished ones with what was received of them. */
  readonly requests: Effect.Effect<ReadonlyArray<RecordedRequest>>
  /** Forgets the requests so far. */
  readonly clearRequests: Effect.Effect<void>
  /** Adds a rule. Rules are used up in the order they were planned; a request uses the first that matches it. */
  readonly plan: (rule: FaultRule) => Effect.Effect<void>
  /** Drops the rules that were not used up. */
  readonly clearPlan: Effect.Effect<void>
  /** The extension as it is in the store now. */
  readonly extension: (id: string) => Effect.Effect<Option.Option<StoredExtension>>
  /** All extensions, of whichever owner. */
  readonly extensions: Effect.Effect<ReadonlyArray<StoredExtension>>
  /** Puts an extension into the store, or changes one that is there, without a request. */
  readonly seed: (extension: SeedExtension) => Effect.Effect<StoredExtension>
  /** The upload resources, complete and expired ones as well. */
  readonly uploads: Effect.Effect<ReadonlyArray<StoredUpload>>
  /**
   * Loses an upload, named by its token or address: 404 from then on. As a request to it would, this and the next end a
   * transfer that is under way.
   */
  readonly forgetUpload: (upload: string) => Effect.Effect<void>
  /**
   * Loses the bytes behind an offset, or fills up to it with zeros. Changes nothing if there is no such upload or it is
   * complete.
   */
  readonly setUploadOffset: (upload: string, offset: number) => Effect.Effect<void>
  /** What a crash and a new start look like: all connections drop, nothing unfinished survives, same port. */
  readonly restart: Effect.Effect<void>
  /** Waits until no request is being handled and no restart is under way. A request that a fault hangs does not count. */
  readonly settled: Effect.Effect<void>
}

const DEFAULT_ACCOUNT = { apiKey: "local-key", owner: "local" }
const DEFAULT_HOSTNAME = "127.0.0.1"
const DEFAULT_MAX_ARCHIVE_BYTES = 8_000_000_000

/** Another machine's clock: the seeds, restarts and requests of a test keep real time whatever the test's clock says. */
const onRealTime = Effect.withClock(Clock.make())

/**
 * Starts the stand-in; it stops with the scope.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (
  options: LocalElasticCloudOptions = {}
): Effect.Effect<LocalElasticCloudService, LocalElasticCloudError, Scope.Scope> =>
  Layer.build(parts(options)).pipe(
    Effect.flatMap((context) => Effect.provide(start(options), context)),
    onRealTime
  )

/** Everything that survives a restart. */
const parts = (options: LocalElasticCloudOptions) => {
  const { resumable } = options
  return Layer.mergeAll(
    Recorder.layer,
    Faults.layer,
    layerActivity,
    Draft.layer(resumable),
    Layer.succeed(Settings, {
      accounts: options.accounts ?? [DEFAULT_ACCOUNT],
      verificationLinks: options.verificationLinks ?? true,
      maxArchiveBytes: options.maxArchiveBytes ?? DEFAULT_MAX_ARCHIVE_BYTES,
      downloadPatience: Option.fromNullable(options.downloadPatience),
      downloadTimeout: Option.fromNullable(options.downloadTimeout),
      origin: originOf(options)
    }),
    Layer.merge(
      Store.layer,
      Uploads.layer({
        maxAgeSeconds: resumable?.limits?.maxAgeSeconds,
        keepCompletedMillis: resumable?.keepCompletedMillis
      })
    ).pipe(Layer.provideMerge(Disk.layer(options.dataDir)))
  )
}

type Parts = Layer.Layer.Success<ReturnType<typeof parts>>

const originOf =
  ({ hostname = DEFAULT_HOSTNAME, tls }: LocalElasticCloudOptions) =>
  (port: number | undefined): string =>
    `${tls === undefined ? "http" : "https"}://${hostname.includes(":") ? `[${hostname}]` : hostname}:${port}`

const start = Effect.fnUntraced(function* (options: LocalElasticCloudOptions) {
  const { accounts, origin } = yield* Settings
  const recorder = yield* Recorder.Recorder
  const faults = yield* Faults.FaultPlan
  const activity = yield* Activity
  const store = yield* Store.Store
  const uploads = yield* Uploads.Uploads
  const context = yield* Effect.context<Parts>()
  const onThis = <A>(effect: Effect.Effect<A, never, Parts>) => onRealTime(Effect.provide(effect, context))

  const serveAt = (port: number) =>
    Effect.flatMap(Effect.scope, (scope) =>
      Server.serve({ port, hostname: options.hostname ?? DEFAULT_HOSTNAME, tls: options.tls }, (incoming) =>
        Effect.provideService(handle(incoming), Background, scope)
      )
    )
  const scope = yield* Effect.scope
  const server = yield* ScopedRef.fromAcquire(serveAt(options.port ?? 0))
  const port = yield* ScopedRef.get(server)
  const url = origin(port)
  const { apiKey, owner = DEFAULT_ACCOUNT.owner } =
    accounts.find((account) => account.owner !== undefined) ?? accounts[0] ?? DEFAULT_ACCOUNT

  return {
    url,
    variables: { EC_ENDPOINT: url, EC_API_KEY: apiKey },
    requests: Effect.sync(recorder.requests),
    clearRequests: Effect.sync(recorder.clear),
    plan: faults.add,
    clearPlan: faults.clear,
    extension: (id) =>
      Effect.map(onThis(Store.shown), (all) =>
        Option.fromNullable(all.find((extension) => extension.id === id))
      ),
    extensions: onThis(Store.shown),
    seed: (extension) => onThis(Store.seed(owner, extension)),
    uploads: onThis(Uploads.stored(url)),
    forgetUpload: (upload) => onThis(Uploads.forget(upload)),
    setUploadOffset: (upload, offset) => onThis(Uploads.setOffset(upload, offset)),
    // In a fiber of its own: a fault may ask for the restart, from within a request that the restart ends.
    restart: Effect.acquireUseRelease(
      activity.enter,
      () =>
        ScopedRef.set(server, Effect.zipRight(Effect.zipRight(store.reload, uploads.reload), serveAt(port))),
      (leave) => leave
    ).pipe(Effect.orDie, onThis, Effect.forkIn(scope), Effect.flatMap(Fiber.join)),
    settled: activity.settled
  } satisfies LocalElasticCloudService
})

/**
 * A running stand-in.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import * as Fault from "effect-elastic-extensions/testing/Fault"
 * import * as LocalElasticCloud from "effect-elastic-extensions/testing/LocalElasticCloud"
 *
 * const program = Effect.gen(function* () {
 *   const cloud = yield* LocalElasticCloud.LocalElasticCloud
 *   const extension = yield* cloud.seed({ name: "dictionary", extension_type: "bundle", version: "*" })
 *   yield* cloud.plan({ method: "PUT", fault: Fault.cut({ afterBodyBytes: 1000 }) })
 *   // ... upload to `${cloud.url}/api/v1` with the key "local-key" ...
 *   return yield* cloud.extension(extension.id)
 * }).pipe(Effect.provide(LocalElasticCloud.layer()))
 * ```
 *
 * @since 0.1.0
 * @category tags
 */
export class LocalElasticCloud extends Context.Tag("effect-elastic-extensions/testing/LocalElasticCloud")<
  LocalElasticCloud,
  LocalElasticCloudService
>() {}

/**
 * A stand-in of its own wherever the layer is built. It stops, and its files go, with the layer's scope.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (
  options?: LocalElasticCloudOptions
): Layer.Layer<LocalElasticCloud, LocalElasticCloudError> => Layer.scoped(LocalElasticCloud, make(options))

/**
 * Points the variables that programs read at the running stand-in, over the ambient `ConfigProvider`.
 *
 * `EC_ENDPOINT` and `EC_API_KEY` are the stand-in's. `EC_UPLOAD_JOURNAL` is a temporary folder, so that a test neither
 * finds nor leaves an unfinished upload. `EC_UPLOAD_RECONCILE_WINDOW` and `EC_UPLOAD_RETRY_BASE_DELAY` are milliseconds:
 * the stand-in applies nothing of an upload whose connection has ended, so there is nothing to wait for.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerConfigProvider: Layer.Layer<never, LocalElasticCloudError, LocalElasticCloud> =
  Layer.suspend(() => configProvider({}))

/**
 * A stand-in of its own with every variable pointing at it: all that a test of an application needs.
 *
 * `variables` are set too, and go before those of `layerConfigProvider`.
 *
 * @example
 * ```ts
 * import { NodeContext } from "@effect/platform-node"
 * import { Effect, Layer } from "effect"
 * import { Archive, ExtensionUpload, LocalElasticCloud } from "effect-elastic-extensions"
 *
 * const Test = ExtensionUpload.layerConfig.pipe(
 *   Layer.provideMerge(Layer.merge(LocalElasticCloud.layerTest(), NodeContext.layer))
 * )
 *
 * const program = Effect.gen(function* () {
 *   const cloud = yield* LocalElasticCloud.LocalElasticCloud
 *   const { id } = yield* cloud.seed({ name: "words", extension_type: "bundle", version: "*" })
 *   return yield* ExtensionUpload.upload({ extensionId: id, archive: Archive.file("dist/words.zip") })
 * }).pipe(Effect.provide(Test))
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layerTest = ({
  variables = {},
  ...options
}: LocalElasticCloudOptions & {
  readonly variables?: Readonly<Record<string, string>> | undefined
} = {}): Layer.Layer<LocalElasticCloud, LocalElasticCloudError> =>
  Layer.provideMerge(configProvider(variables), layer(options))

const configProvider = (variables: Readonly<Record<string, string>>) =>
  Layer.unwrapScoped(
    Effect.gen(function* () {
      const cloud = yield* LocalElasticCloud
      const ambient = yield* Effect.configProviderWith(Effect.succeed)
      const ours = {
        ...cloud.variables,
        EC_UPLOAD_JOURNAL: yield* Disk.temporaryFolder("local-elastic-cloud-journal-"),
        EC_UPLOAD_RECONCILE_WINDOW: "100 millis",
        EC_UPLOAD_RETRY_BASE_DELAY: "20 millis",
        ...variables
      }
      return Layer.setConfigProvider(
        ConfigProvider.orElse(ConfigProvider.fromMap(new Map(Object.entries(ours))), () => ambient)
      )
    })
  )
