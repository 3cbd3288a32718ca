/**
 * Publishing an archive under a name: the extension is found or created, its metadata brought up to date, and its file
 * uploaded and verified.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { identity } from "effect/Function"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type * as Archive from "../archive/Archive.ts"
import { CreateExtensionRequest, type Extension, type ExtensionType } from "../cloud/Extension.ts"
import { ExtensionsClient } from "../cloud/ExtensionsClient.ts"
import { invalidRequest } from "../cloud/ExtensionsError.ts"
import { UploadJournal } from "../journal/UploadJournal.ts"
import { shown } from "../outsideText.ts"
import { attribute, spanned } from "../telemetry.ts"
import * as Monotonic from "../transfer/Monotonic.ts"
import * as LocalArchive from "../upload/LocalArchive.ts"
import * as StoredArchive from "../upload/StoredArchive.ts"
import type { UploadError } from "../upload/UploadError.ts"
import { retrying, UploadEvents } from "../upload/UploadEvent.ts"
import * as UploadSettings from "../upload/UploadSettings.ts"
import * as ArchiveDelivery from "./ArchiveDelivery.ts"
import * as Ensure from "./internal/ensure.ts"
import * as Fetch from "./internal/fetch.ts"
import * as Stage from "./internal/stage.ts"
import type { AmbiguousExtension, NameTaken, PublishError } from "./PublishError.ts"
import { observedBy, type PublishEvent } from "./PublishEvent.ts"
import { DeliveryPlan, type ExtensionPlan, type PublishPlan } from "./PublishPlan.ts"
import { AlreadyPublished, type MetadataField, Published, type PublishReceipt } from "./PublishReceipt.ts"

/**
 * What to publish: an archive, a URL to fetch it from, or both. Upload options that are not given are those of
 * `UploadSettings`.
 *
 * @since 0.1.0
 * @category models
 */
export type PublishRequest<R = never> = PublishOptions &
  (
    | {
        readonly archive: Archive.Archive<R>
        /**
         * Where the service can fetch the same archive. Used only when the archive is larger than
         * `directUploadLimitBytes`.
         */
        readonly downloadUrl?: string | undefined
      }
    | { readonly archive?: undefined; readonly downloadUrl: string }
  )

/**
 * How an extension is to be, apart from its archive.
 *
 * @since 0.1.0
 * @category models
 */
export interface Wanted {
  /** ASCII letters, digits, `_`, `.` and `-`. Together with the type it says which extension is meant. */
  readonly name: string
  readonly type: ExtensionType
  /** Of Elasticsearch: in full for a plugin, possibly a pattern such as `8.*` for a bundle. */
  readonly version: string
  /** Left as it is when not given. */
  readonly description?: string | undefined
}

/**
 * The extension, and how its archive gets there.
 *
 * @since 0.1.0
 * @category models
 */
export interface PublishOptions extends UploadSettings.UploadOverrides, Wanted {
  /** Whether to look at the download URL by the rules of the service before the service is told of it. Default `true`. */
  readonly preflight?: boolean | undefined
  /** How long to wait for an archive that the service fetches itself. Default 1 hour. */
  readonly downloadTimeout?: Duration.DurationInput | undefined
  /** Runs for every event, in order; publishing waits for it. */
  readonly onEvent?: ((event: PublishEvent) => Effect.Effect<void>) | undefined
}

/**
 * Creates or updates the extension with this name and type, uploads its archive, and proves that it arrived.
 *
 * Request and archive are checked before anything is sent. Then the extension is looked for among those of the key's
 * owner and created if there is none; a version or description that differs is updated; and the archive is uploaded, or
 * fetched by the service where it is too large for that. Only what differs is sent, so publishing the same again changes
 * nothing. It may be interrupted anywhere: the next run finds what this one has left, an extension without a file
 * included.
 *
 * A `downloadUrl` is an http or https address that the service reaches: it follows no redirect, and takes no credentials
 * but those in the URL itself. It is looked at first, so that one that cannot work is a `DownloadUrlUnusable`. A URL with a
 * query or a password may give access to the archive, so it does not stay in the extension: once the archive is proved to be
 * there, an update takes it away. A run that is cut off in between leaves that to the next.
 *
 * With a `downloadUrl` and no archive there is nothing to compare with: the URL then stands for its content, so give each
 * build its own. One that does not stay is fetched from by every run.
 *
 * One publishing per name and type runs at a time, as far as the `UploadJournal` reaches. Between machines that do not
 * share one, two extensions may be created at the same moment; that is found at once and is an `AmbiguousExtension`.
 *
 * @example
 * ```ts
 * import { Archive, ExtensionPublish } from "effect-elastic-extensions"
 *
 * const program = ExtensionPublish.publish({
 *   name: "analysis-acme",
 *   type: "plugin",
 *   version: "8.17.0",
 *   archive: Archive.file("dist/analysis-acme-2.1.0.zip")
 * })
 * ```
 *
 * @since 0.1.0
 * @category publishing
 */
export const publish = <R = never>(
  request: PublishRequest<R>
): Effect.Effect<PublishReceipt, PublishError, R | ExtensionsClient | UploadJournal> =>
  Effect.gen(function* () {
    const elapsed = yield* Monotonic.stopwatch
    yield* requireValid(request)
    const way = yield* chooseWay(request)
    yield* takeName(request)
    const found = yield* Ensure.findOrCreate(
      request,
      way._tag === "download" ? Fetch.check(way.source) : Effect.void
    )
    const delivered = yield* deliver(way, found, request)
    return makeReceipt(request, found, way, delivered, yield* elapsed)
  }).pipe(
    Effect.scoped,
    withOptions(request),
    spanned("ExtensionPublish.publish", {
      captureStackTrace: true,
      attributes: {
        [attribute.extensionName]: shown(request.name),
        [attribute.extensionType]: request.type
      }
    })
  )

/**
 * What `publish` would do with this request, by the very decisions that it makes. Reads the archive, the journal and the
 * server, and changes none of them. Fails where publishing would fail before it sends anything.
 *
 * @since 0.1.0
 * @category publishing
 */
export const plan = <R = never>(
  request: PublishRequest<R>
): Effect.Effect<PublishPlan, PublishError, R | ExtensionsClient | UploadJournal> =>
  Effect.gen(function* () {
    yield* requireValid(request)
    const way = yield* chooseWay(request)
    const extension = yield* retrying(Ensure.decideExtension(request))
    if (extension._tag === "Update")
      yield* Ensure.decideUpdate(extension.extension.id, Ensure.metadataOf(request))
    return { extension, delivery: yield* planDelivery(way, extension, request) }
  }).pipe(withOptions(request), spanned("ExtensionPublish.plan", { captureStackTrace: true }))

/**
 * An extension that is there, and how it came to be.
 *
 * @since 0.1.0
 * @category models
 */
export interface Ensured {
  /** As it was when it was found or created. */
  readonly extension: Extension
  readonly created: boolean
  /** What of its metadata was brought up to date. */
  readonly updated: ReadonlyArray<MetadataField>
}

/**
 * Everything that `ensure` can fail with.
 *
 * @since 0.1.0
 * @category errors
 */
export type EnsureError = UploadError | AmbiguousExtension | NameTaken

/**
 * Makes sure that there is one extension of this name and type, with this version and description. What publishing does
 * before it sends an archive: the first of two who would create the extension does, and the second finds it.
 *
 * @since 0.1.0
 * @category publishing
 */
export const ensure = (
  wanted: Wanted
): Effect.Effect<Ensured, EnsureError, ExtensionsClient | UploadJournal> =>
  Effect.gen(function* () {
    yield* retrying(takeName(wanted))
    const found = yield* Ensure.findOrCreate(wanted, Effect.void)
    const { fields: updated } = yield* Ensure.update(found.extension, Ensure.metadataOf(wanted))
    return { ...found, updated }
  }).pipe(Effect.scoped, spanned("ExtensionPublish.ensure", { captureStackTrace: true }))

const withOptions = <R>({
  archive: _archive,
  description: _description,
  downloadTimeout: _downloadTimeout,
  downloadUrl: _downloadUrl,
  name: _name,
  onEvent,
  preflight: _preflight,
  type: _type,
  version: _version,
  ...options
}: PublishRequest<R>) => {
  const observed = onEvent === undefined ? identity : observedBy({ onEvent })
  return <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    observed(UploadSettings.override(options)(self))
}

const encodeCreate = Schema.encode(CreateExtensionRequest, { errors: "all" })

/** By the rules of creating, which are those of updating too: which of the two it will be is not known yet. */
const requireValid = <R>({ downloadUrl, ...wanted }: PublishRequest<R>) =>
  Effect.mapError(
    encodeCreate({
      ...Ensure.createRequest(wanted),
      ...(downloadUrl === undefined ? {} : { downloadUrl })
    }),
    (error) => invalidRequest({ operation: "create" }, error)
  )

/** How the archive gets there. */
type Way<R> =
  | { readonly _tag: "upload"; readonly archive: Archive.Archive<R> }
  | { readonly _tag: "stage"; readonly archive: Archive.Archive<R>; readonly location: string }
  | { readonly _tag: "download"; readonly source: Fetch.Source }

/**
 * Uploading is preferred, since its bytes are known and its progress is seen. What is too large for that is fetched by the
 * service: from the URL that was given for it, or else from the store.
 */
const chooseWay = <R>(request: PublishRequest<R>) =>
  Effect.gen(function* () {
    const { archive, downloadUrl: url, preflight = true } = request
    const timeout = Duration.decode(request.downloadTimeout ?? Fetch.defaultTimeout)
    if (archive === undefined) {
      return {
        _tag: "download",
        source: { url: request.downloadUrl, timeout, preflight, archive: Option.none() }
      } satisfies Way<R>
    }
    const inspected = yield* requireSound(archive, request)
    const { size } = inspected.stat
    const { directUploadLimitBytes, staging } = yield* UploadSettings.UploadSettings
    if (url === undefined || staging === "always") {
      const way = yield* Stage.chooseWay(size)
      if (way._tag === "Staged") {
        return { _tag: "stage", archive, location: way.store.location } satisfies Way<R>
      }
    }
    return size > directUploadLimitBytes && url !== undefined
      ? ({
          _tag: "download",
          source: { url, timeout, preflight, archive: Option.some(inspected) }
        } satisfies Way<R>)
      : ({ _tag: "upload", archive } satisfies Way<R>)
  })

/** The upload looks again, and tells of it; but by then an extension was created or changed for the archive's sake. */
const requireSound = <R>(archive: Archive.Archive<R>, { type, version }: Wanted) =>
  LocalArchive.inspect(archive, { type, version }).pipe(
    Effect.tap(({ inspection }) => LocalArchive.requireUsable(inspection)),
    Effect.provideService(UploadEvents, { onEvent: () => Effect.void })
  )

/** The lock of an upload to an extension that has no id yet. No id holds a slash, so it is never that of another. */
const takeName = Effect.fnUntraced(function* ({ name, type }: Wanted) {
  const { baseUrl: origin } = yield* ExtensionsClient
  const journal = yield* UploadJournal
  yield* journal.open({ origin, extensionId: `${type}/${name}` })
})

/** What of a receipt the delivery of the archive tells. */
type Delivered = Pick<PublishReceipt, "updated" | "proof" | "upload" | "download">

const deliver = <R>(
  way: Way<R>,
  { created, extension }: Pick<Ensured, "created" | "extension">,
  request: PublishRequest<R>
) =>
  way._tag === "download"
    ? Fetch.fetch(extension.id, way.source, request, created)
    : sendOrStage(way, extension, request)

/**
 * The metadata comes first. Cut off between the two, a plugin's new version with the old file can only harm a deployment
 * that somebody upgrades just then; the new file under the old version would reach running deployments of that version at
 * their next restart. The upload also refuses a plugin that is not of the extension's version.
 */
const sendOrStage = <R>(way: LocalWay<R>, extension: Extension, request: PublishRequest<R>) =>
  Effect.gen(function* () {
    const { fields: updated } = yield* Ensure.update(extension, Ensure.metadataOf(request))
    const receipt = yield* ArchiveDelivery.deliver(deliveryRequest(way, extension, request))
    return { updated, proof: receipt.proof, upload: receipt } satisfies Delivered
  })

type LocalWay<R> = Exclude<Way<R>, { readonly _tag: "download" }>

/** The way is decided by then. */
const deliveryRequest = <R>(
  { _tag: way, archive }: LocalWay<R>,
  { id }: Extension,
  { downloadTimeout, preflight, type, version }: PublishRequest<R>
): ArchiveDelivery.DeliveryRequest<R> => ({
  extensionId: id,
  archive,
  expected: { type, version },
  staging: way === "stage" ? "always" : "never",
  downloadTimeout,
  preflight
})

const planDelivery = <R>(way: Way<R>, plan: ExtensionPlan, request: PublishRequest<R>) =>
  Effect.gen(function* () {
    if (way._tag !== "download") {
      if (plan._tag !== "Create") {
        const local = yield* ArchiveDelivery.plan(deliveryRequest(way, plan.extension, request))
        return local._tag === "Upload"
          ? DeliveryPlan.Upload({ upload: Option.some(local.upload) })
          : DeliveryPlan.Stage({ location: local.location, stage: Option.some(local.stage) })
      }
      return way._tag === "upload"
        ? DeliveryPlan.Upload({ upload: Option.none() })
        : DeliveryPlan.Stage({ location: way.location, stage: Option.none() })
    }
    if (plan._tag !== "Create") {
      const before = yield* StoredArchive.readExtension(plan.extension.id)
      const content = yield* Fetch.contentOf(way.source)
      const decided = yield* Fetch.decideFetch(before, content, way.source, request)
      if (decided._tag === "AlreadyFetched") return DeliveryPlan.AlreadyFetched({ proof: decided.proof })
    }
    yield* retrying(Fetch.check(way.source))
    return DeliveryPlan.Fetch({ origin: Fetch.originOf(way.source) })
  })

const makeReceipt = (
  { name, type, version }: Wanted,
  { created, extension }: Pick<Ensured, "created" | "extension">,
  { _tag: way }: Way<unknown>,
  delivered: Delivered,
  durationMillis: number
): PublishReceipt => {
  const { download, updated, upload } = delivered
  const isUnchanged =
    !created && updated.length === 0 && download === undefined && upload?._tag !== "Uploaded"
  const fields = {
    extensionId: extension.id,
    name,
    type,
    version,
    created,
    way,
    durationMillis,
    ...delivered
  }
  return isUnchanged ? new AlreadyPublished(fields) : new Published(fields)
}
