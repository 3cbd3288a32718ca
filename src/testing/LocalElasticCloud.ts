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
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import * as ScopedRef from "effect/ScopedRef"
import type { FaultRule } from "./Fault.ts"
import * as Activity from "./internal/activity.ts"
import * as Disk from "./internal/disk.ts"
import type { Exchange } from "./internal/exchange.ts"
import * as FaultPlan from "./internal/faultPlan.ts"
import * as Handler from "./internal/handler.ts"
import * as Recorder from "./internal/recorder.ts"
import * as ResumableService from "./internal/resumableService.ts"
import * as Server from "./internal/server.ts"
import * as Store from "./internal/store.ts"
import * as Stored from "./internal/stored.ts"
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

const DEFAULT_OWNER = "local"
const DEFAULT_ACCOUNTS = [{ apiKey: "local-key", owner: DEFAULT_OWNER }]
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
  Effect.gen(function* () {
    const disk = yield* Disk.open(options.dataDir)
    const store = yield* Store.make(disk)
    const recorder = Recorder.make()
    const faults = yield* FaultPlan.make
    const activity = yield* Activity.make
    const resumable =
      options.resumable === undefined ? undefined : yield* ResumableService.make(disk, options.resumable)
    const knobs = resumable === undefined ? ResumableService.noKnobs : ResumableService.knobs(resumable)
    const reload = Effect.zipRight(store.reload, resumable?.uploads.reload ?? Effect.void)
    const accounts = options.accounts ?? DEFAULT_ACCOUNTS
    const patienceMillis = options.downloadPatience
    const hostname = options.hostname ?? "127.0.0.1"
    const scheme = options.tls === undefined ? "http" : "https"
    const originAt = (port: number | undefined) =>
      `${scheme}://${hostname.includes(":") ? `[${hostname}]` : hostname}:${port}`
    const deskWith = (background: Scope.Scope): Handler.Desk => ({
      cloud: {
        store,
        disk,
        accounts,
        verificationLinks: options.verificationLinks ?? true,
        maxArchiveBytes: options.maxArchiveBytes ?? DEFAULT_MAX_ARCHIVE_BYTES,
        gateway: patienceMillis === undefined ? undefined : { patienceMillis, background },
        resumable,
        origin: (exchange: Exchange) => originAt(exchange.request.socket.localPort)
      },
      recorder,
      faults,
      activity
    })
    const serveAt = (port: number) =>
      Effect.flatMap(Effect.scope, (background) => {
        const desk = deskWith(background)
        return Server.serve({ port, hostname, tls: options.tls }, (incoming) =>
          Handler.handle(desk, incoming)
        )
      })
    const scope = yield* Effect.scope
    const server = yield* ScopedRef.fromAcquire(serveAt(options.port ?? 0))
    const port = yield* ScopedRef.get(server)
    const owner = accounts.find((account) => account.owner !== undefined)?.owner ?? DEFAULT_OWNER

    return {
      url: originAt(port),
      requests: Effect.sync(recorder.requests),
      clearRequests: Effect.sync(recorder.clear),
      plan: faults.add,
      clearPlan: faults.clear,
      extension: (id) =>
        Effect.map(
          store.find(id),
          Option.map((record) => Stored.read(disk, record))
        ),
      extensions: Effect.map(store.all, (records) => records.map((record) => Stored.read(disk, record))),
      seed: (extension) => onRealTime(Stored.seed(store, disk, owner, extension)),
      uploads: onRealTime(knobs.uploads(originAt(port))),
      forgetUpload: (upload) => onRealTime(knobs.forgetUpload(upload)),
      setUploadOffset: (upload, offset) => onRealTime(knobs.setUploadOffset(upload, offset)),
      // In a fiber of its own: a fault may ask for the restart, from within a request that the restart ends.
      restart: Effect.acquireUseRelease(
        activity.enter,
        () => ScopedRef.set(server, Effect.zipRight(reload, serveAt(port))),
        (leave) => leave
      ).pipe(Effect.orDie, onRealTime, Effect.forkIn(scope), Effect.flatMap(Fiber.join)),
      settled: activity.settled
    } satisfies LocalElasticCloudService
  }).pipe(onRealTime)

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
