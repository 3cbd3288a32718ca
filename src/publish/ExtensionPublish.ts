/**
 * Publishing an archive under a name: the extension is found or created, its metadata brought up to date, and its file
 * uploaded and verified.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Archive from "../archive/Archive.ts"
import type { ExtensionType } from "../cloud/Extension.ts"
import type { ExtensionsClient } from "../cloud/ExtensionsClient.ts"
import { UploadJournal } from "../journal/UploadJournal.ts"
import * as ExtensionUpload from "../upload/ExtensionUpload.ts"
import { download } from "./internal/download.ts"
import { findOrCreate } from "./internal/find.ts"
import { updateMetadata } from "./internal/metadata.ts"
import { prepare, type Setup, type Source, type Target, type UploadSource } from "./internal/setup.ts"
import type { PublishError } from "./PublishError.ts"
import type { PublishEvent } from "./PublishEvent.ts"
import { AlreadyPublished, Published, type PublishReceipt } from "./PublishReceipt.ts"

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
         * Where the service can fetch the same archive, over http or https and without credentials. Used only when the
         * archive is larger than `directUploadLimitBytes`.
         */
        readonly downloadUrl?: string | undefined
      }
    | { readonly archive?: undefined; readonly downloadUrl: string }
  )

/**
 * The extension as it is to be, apart from its archive.
 *
 * @since 0.1.0
 * @category models
 */
export interface PublishOptions extends ExtensionUpload.UploadOverrides {
  /** ASCII letters, digits, `_`, `.` and `-`. Together with the type it says which extension is meant. */
  readonly name: string
  readonly type: ExtensionType
  /** Of Elasticsearch: in full for a plugin, possibly a pattern such as `8.*` for a bundle. */
  readonly version: string
  /** Left as it is when not given. */
  readonly description?: string | undefined
  /** How long to wait for an archive that the service fetches itself. Default 1 hour. */
  readonly downloadTimeout?: Duration.DurationInput | undefined
  /** Runs for every event, in order; publishing waits for it. */
  readonly onEvent?: ((event: PublishEvent) => Effect.Effect<void>) | undefined
}

/**
 * Makes the extension of this name and type be as asked for, whether it exists or not, and proves that it is.
 *
 * Request and archive are checked before anything is sent. Then the extension is looked for among those of the key's
 * owner and created if there is none; a version or description that differs is updated; and the archive is uploaded, or
 * fetched by the service where it is too large for that. Only what differs is sent, so publishing the same again changes
 * nothing. It may be interrupted anywhere: the next run finds what this one has left, an extension without a file
 * included.
 *
 * With a `downloadUrl` and no archive there is nothing to compare with: the URL then stands for its content, so give each
 * build its own.
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
  Effect.scoped(
    Effect.gen(function* () {
      const { setup, source } = yield* prepare(request)
      yield* takeName(setup)
      const target = yield* findOrCreate(setup)
      const delivered = yield* deliver(target, source)
      return yield* makeReceipt(target, source.way, delivered)
    })
  ).pipe(
    Effect.withSpan("ExtensionPublish.publish", {
      attributes: { "elastic.extension.name": request.name, "elastic.extension.type": request.type }
    })
  )

/** The lock of an upload to an extension that has no id yet. No id holds a slash, so it is never that of another. */
const takeName = ({ client, wanted: { name, type } }: Setup) =>
  Effect.flatMap(UploadJournal, (journal) =>
    journal.open({ origin: client.baseUrl, extensionId: `${type}/${name}` })
  )

/** What of a receipt the delivery of the archive tells. */
type Delivered = Pick<PublishReceipt, "updated" | "proof" | "upload" | "download">

const deliver = <R>(target: Target, source: Source<R>) =>
  source.way === "upload" ? upload(target, source) : download(target, source)

/**
 * The metadata comes first. Cut off between the two, a plugin's new version with the old file can only harm a deployment
 * that somebody upgrades just then; the new file under the old version would reach running deployments of that version at
 * their next restart. The upload also refuses a plugin that is not of the extension's version.
 */
const upload = <R>(target: Target, { archive }: UploadSource<R>) =>
  Effect.gen(function* () {
    const { emit, extension, extensionId, overrides } = target
    const updated = yield* updateMetadata(target, extension)
    const receipt = yield* ExtensionUpload.upload({ ...overrides, extensionId, archive, onEvent: emit })
    return { updated, proof: receipt.proof, upload: receipt } satisfies Delivered
  })

const makeReceipt = (
  { created, extensionId, startedAtMillis, wanted: { name, type, version } }: Target,
  way: PublishReceipt["way"],
  delivered: Delivered
) =>
  Effect.map(Clock.currentTimeMillis, (now): PublishReceipt => {
    const { download, updated, upload } = delivered
    const isUnchanged =
      !created && updated.length === 0 && download === undefined && upload?._tag !== "Uploaded"
    const fields = { extensionId, name, type, version, created, way, durationMillis: now - startedAtMillis }
    return isUnchanged
      ? new AlreadyPublished({ ...fields, ...delivered })
      : new Published({ ...fields, ...delivered })
  })
