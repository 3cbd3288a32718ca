/**
 * Bringing an archive to an extension that exists, whichever way suits it: sent to the service itself, or staged in an object
 * store from which the service fetches it.
 *
 * Elastic Cloud takes up to 200 MB in one request, and such a request cannot be resumed. What is staged can be, by any
 * process on any machine, and the service fetches up to 8 GB.
 *
 * @since 0.1.0
 */
import type * as FileSystem from "@effect/platform/FileSystem"
import type * as HttpClient from "@effect/platform/HttpClient"
import type * as Path from "@effect/platform/Path"
import * as Config from "effect/Config"
import type * as ConfigError from "effect/ConfigError"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { identity } from "effect/Function"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Archive from "../archive/Archive.ts"
import type { ExpectedExtension } from "../archive/ArchiveInspection.ts"
import type { ExtensionsClient } from "../cloud/ExtensionsClient.ts"
import type { JournalRecord } from "../journal/JournalRecord.ts"
import type { UploadJournal } from "../journal/UploadJournal.ts"
import { shown } from "../outsideText.ts"
import { ObjectStore } from "../staging/ObjectStore.ts"
import * as S3ObjectStore from "../staging/S3ObjectStore.ts"
import { attribute, spanned } from "../telemetry.ts"
import type * as RetryPolicy from "../transfer/RetryPolicy.ts"
import * as UploadHttpClient from "../transfer/UploadHttpClient.ts"
import * as ExtensionUpload from "../upload/ExtensionUpload.ts"
import type { UploadReceipt } from "../upload/UploadReceipt.ts"
import * as UploadSettings from "../upload/UploadSettings.ts"
import { defaultTimeout } from "./internal/fetch.ts"
import * as Stage from "./internal/stage.ts"
import { type DeliveryError, StagingNotConfigured } from "./PublishError.ts"
import { observedBy, type PublishEvent } from "./PublishEvent.ts"
import { LocalPlan } from "./PublishPlan.ts"

/**
 * What to bring where. Upload options that are not given are those of `UploadSettings`; `staging` decides about the way.
 *
 * @since 0.1.0
 * @category models
 */
export interface DeliveryRequest<out R = never> extends DeliveryOptions {
  readonly extensionId: string
  readonly archive: Archive.Archive<R>
  /** Type and version that the archive must suit. By default those that the service tells of the extension. */
  readonly expected?: ExpectedExtension | undefined
}

/**
 * How to bring it.
 *
 * @since 0.1.0
 * @category models
 */
export interface DeliveryOptions extends UploadSettings.UploadOverrides {
  /** Whether to look at the link to a staged archive by the rules of the service before it is told of it. Default `true`. */
  readonly preflight?: boolean | undefined
  /** How long to wait for an archive that the service fetches, which is how long its link lives. Default 1 hour. */
  readonly downloadTimeout?: Duration.DurationInput | undefined
  /** Runs for every event, in order; the delivery waits for it. */
  readonly onEvent?: ((event: PublishEvent) => Effect.Effect<void>) | undefined
}

/**
 * Brings an archive to an extension that exists, and proves that it arrived.
 *
 * It is staged where `staging` says so: by default where it is larger than `directUploadLimitBytes` and there is an
 * `ObjectStore` in the context. Otherwise it is sent to the service, by `ExtensionUpload.upload`.
 *
 * A staged archive goes to the store in parts, of which those that are there already are kept. Then the service is told to
 * fetch it by a link that is made just before, watched until the extension holds it, and what it holds is proved. In the end
 * the link is taken out of the extension and the archive out of the store. What is interrupted goes on when it is run again,
 * on another machine as well. Whatever fails, what was staged stays for the next run.
 *
 * @example
 * ```ts
 * import { Archive, ArchiveDelivery } from "effect-elastic-extensions"
 * import { NodeContext } from "@effect/platform-node"
 * import { Effect } from "effect"
 *
 * const program = ArchiveDelivery.deliver({
 *   extensionId: "882519870",
 *   archive: Archive.file("dist/dictionaries-1.0.0.zip"),
 *   staging: "always"
 * }).pipe(Effect.provide(ArchiveDelivery.layerConfig), Effect.provide(NodeContext.layer))
 * ```
 *
 * @since 0.1.0
 * @category delivering
 */
export const deliver = <R = never>(
  request: DeliveryRequest<R>
): Effect.Effect<UploadReceipt, DeliveryError, R | ExtensionsClient | UploadJournal> =>
  Effect.gen(function* () {
    const { size } = yield* request.archive.stat
    const way = yield* Stage.chooseWay(size)
    if (way._tag === "Direct") return yield* ExtensionUpload.upload(uploadOf(request))
    return yield* Effect.provideService(Stage.run(stagingOf(request, Option.none())), ObjectStore, way.store)
  }).pipe(
    withOptions(request),
    spanned("ArchiveDelivery.deliver", {
      captureStackTrace: true,
      attributes: {
        [attribute.extensionId]: shown(request.extensionId),
        [attribute.archiveName]: shown(request.archive.name)
      }
    })
  )

/**
 * What `deliver` would do with this request, by the very decisions that it makes. Reads the archive, the journal, the server
 * and the store, and changes none of them.
 *
 * @since 0.1.0
 * @category delivering
 */
export const plan = <R = never>(
  request: DeliveryRequest<R>
): Effect.Effect<LocalPlan, DeliveryError, R | ExtensionsClient | UploadJournal> =>
  Effect.gen(function* () {
    const { size } = yield* request.archive.stat
    const way = yield* Stage.chooseWay(size)
    if (way._tag === "Direct") {
      const upload = yield* ExtensionUpload.plan(uploadOf(request))
      return LocalPlan.Upload({ upload })
    }
    const stage = yield* Effect.provideService(
      Stage.plan(stagingOf(request, Option.none())),
      ObjectStore,
      way.store
    )
    return LocalPlan.Stage({ location: way.store.location, stage })
  }).pipe(withOptions(request), spanned("ArchiveDelivery.plan", { captureStackTrace: true }))

/**
 * Finishes what an earlier process left unfinished, on the way that it had begun, with the very archive it was begun with.
 * `None` where nothing was left unfinished.
 *
 * @since 0.1.0
 * @category managing
 */
export const resume = (
  extensionId: string,
  options: DeliveryOptions = {}
): Effect.Effect<
  Option.Option<UploadReceipt>,
  DeliveryError,
  ExtensionsClient | UploadJournal | FileSystem.FileSystem
> =>
  Effect.gen(function* () {
    const staged = yield* stagedRecord(extensionId)
    if (Option.isNone(staged)) return yield* ExtensionUpload.resume(extensionId, uploadOptionsOf(options))
    const run = Stage.run(stagingOf(requestOf(staged.value, options), staged))
    return Option.some(yield* Effect.provideServiceEffect(run, ObjectStore, storeOf(staged.value)))
  }).pipe(withOptions(options), spanned("ArchiveDelivery.resume", { captureStackTrace: true }))

/**
 * What `resume` would do.
 *
 * @since 0.1.0
 * @category managing
 */
export const planResume = (
  extensionId: string,
  options: DeliveryOptions = {}
): Effect.Effect<
  Option.Option<LocalPlan>,
  DeliveryError,
  ExtensionsClient | UploadJournal | FileSystem.FileSystem
> =>
  Effect.gen(function* () {
    const staged = yield* stagedRecord(extensionId)
    if (Option.isNone(staged)) {
      const upload = yield* ExtensionUpload.planResume(extensionId, uploadOptionsOf(options))
      return Option.map(upload, (upload) => LocalPlan.Upload({ upload }))
    }
    const store = yield* storeOf(staged.value)
    const plan = Stage.plan(stagingOf(requestOf(staged.value, options), staged))
    const stage = yield* Effect.provideService(plan, ObjectStore, store)
    return Option.some(LocalPlan.Stage({ location: store.location, stage }))
  }).pipe(withOptions(options), spanned("ArchiveDelivery.planResume", { captureStackTrace: true }))

/**
 * Gives up what is unfinished for an extension: the server is told to forget what it has, the store drops the parts and the
 * archive, and the record is removed. Returns whether there was anything.
 *
 * @since 0.1.0
 * @category managing
 */
export const cancel = (
  extensionId: string
): Effect.Effect<boolean, DeliveryError, ExtensionsClient | UploadJournal> =>
  Effect.gen(function* () {
    const staged = yield* stagedRecord(extensionId)
    if (Option.isSome(staged)) yield* Stage.drop(staged.value)
    return yield* ExtensionUpload.cancel(extensionId)
  }).pipe(spanned("ArchiveDelivery.cancel", { captureStackTrace: true }))

/**
 * The object store that the environment describes, if `EC_UPLOAD_STAGE` is set, and else nothing.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerStore: Layer.Layer<never, ConfigError.ConfigError, HttpClient.HttpClient> =
  Layer.unwrapEffect(
    Effect.map(
      Config.option(S3ObjectStore.location),
      Option.match({
        onNone: (): Layer.Layer<never, ConfigError.ConfigError, HttpClient.HttpClient> => Layer.empty,
        onSome: () => S3ObjectStore.layerConfig
      })
    )
  )

/**
 * Everything that delivering and publishing need, configured from the environment: what uploads need, and the object store if
 * `EC_UPLOAD_STAGE` is set.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerConfig: Layer.Layer<
  ExtensionsClient | UploadJournal | RetryPolicy.RetryPolicy | UploadSettings.UploadSettings,
  ConfigError.ConfigError,
  FileSystem.FileSystem | Path.Path
> = Layer.merge(ExtensionUpload.layerConfigWithoutHttpClient, layerStore).pipe(
  Layer.provide(UploadHttpClient.layerConfig)
)

const withOptions = ({
  downloadTimeout: _downloadTimeout,
  onEvent,
  preflight: _preflight,
  ...rest
}: DeliveryOptions & Partial<DeliveryRequest<unknown>>) => {
  const { archive: _archive, expected: _expected, extensionId: _extensionId, ...options } = rest
  const observed = onEvent === undefined ? identity : observedBy({ onEvent })
  return <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    observed(UploadSettings.override(options)(self))
}

/** Options are in force, and whoever watches does, by then. */
const uploadOf = <R>({ archive, expected, extensionId }: DeliveryRequest<R>) => ({
  extensionId,
  archive,
  expected
})

const uploadOptionsOf = ({
  downloadTimeout: _downloadTimeout,
  onEvent: _onEvent,
  preflight: _preflight,
  ...options
}: DeliveryOptions) => options

const stagingOf = <R>(
  { archive, downloadTimeout, expected, extensionId, preflight = true }: DeliveryRequest<R>,
  begun: Option.Option<JournalRecord>
): Stage.Request<R> => ({
  extensionId,
  archive,
  expected: Option.fromNullable(expected),
  timeout: Duration.decode(downloadTimeout ?? defaultTimeout),
  preflight,
  begun
})

const requestOf = (
  { archive, extensionId }: JournalRecord,
  options: DeliveryOptions
): DeliveryRequest<FileSystem.FileSystem> => ({
  ...options,
  extensionId,
  archive: Archive.file(archive.path)
})

/** What the journal holds of an upload that was staged. Locked by another process is a failure. */
const stagedRecord = Effect.fnUntraced(function* (extensionId: string) {
  const { lockedBy, record } = yield* Stage.peek(yield* ExtensionUpload.decodeId(extensionId))
  if (Option.isSome(lockedBy)) return yield* lockedBy.value
  return Option.filter(record, ({ staging }) => staging !== undefined)
})

const storeOf = ({ staging }: JournalRecord) =>
  Effect.flatMap(
    Effect.serviceOption(ObjectStore),
    Option.match({
      onNone: () => new StagingNotConfigured(staging === undefined ? {} : { location: staging }),
      onSome: (store) => Effect.succeed(store)
    })
  )
