/**
 * What is known after publishing, and how well.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"
import { ExtensionType } from "../cloud/Extension.ts"
import { ExtensionId } from "../cloud/ExtensionId.ts"
import { Proof, UploadReceipt } from "../upload/UploadReceipt.ts"

const optional = <A, I>(schema: Schema.Schema<A, I>) => Schema.optionalWith(schema, { exact: true })

/**
 * What publishing may change about an extension besides its file.
 *
 * @since 0.1.0
 * @category schemas
 */
export const MetadataField = Schema.Literal("version", "description", "downloadUrl")

/**
 * A field of an extension that publishing may change.
 *
 * @since 0.1.0
 * @category models
 */
export type MetadataField = typeof MetadataField.Type

/**
 * How the archive got there when the service fetched it itself.
 *
 * @since 0.1.0
 * @category schemas
 */
export const DownloadReceipt = Schema.Struct({
  /** Whether the service answered the request to fetch; if not, the archive was waited for. */
  answered: Schema.Boolean,
  /** How often the extension was read before the archive was there. */
  polls: Schema.NonNegativeInt,
  /** Size of the stored archive in bytes; null where the service does not tell. */
  size: Schema.NullOr(Schema.NonNegativeInt)
})

/**
 * How the archive got there when the service fetched it itself.
 *
 * @since 0.1.0
 * @category models
 */
export type DownloadReceipt = typeof DownloadReceipt.Type

const fields = {
  extensionId: ExtensionId,
  name: Schema.String,
  type: ExtensionType,
  version: Schema.String,
  /** Whether this run created the extension. */
  created: Schema.Boolean,
  /** What of its metadata this run changed. */
  updated: Schema.Array(MetadataField),
  /** Whether the archive was sent to the service, or fetched by it: from the object store or from the download URL. */
  way: Schema.Literal("upload", "stage", "download"),
  /** As in an upload's receipt. Without a local archive to compare with it is never more than `response`. */
  proof: Proof,
  /** The upload's own receipt, when it was sent or staged. */
  upload: optional(UploadReceipt),
  /** When that was the way, and there was something to fetch. */
  download: optional(DownloadReceipt),
  durationMillis: Schema.NonNegativeInt
}

/**
 * The extension is as it was asked for, and something had to be done for it.
 *
 * @since 0.1.0
 * @category schemas
 */
export class Published extends Schema.TaggedClass<Published>("effect-elastic-extensions/publish/Published")(
  "Published",
  fields
) {}

/**
 * The extension was as it was asked for already, metadata and archive; nothing was changed.
 *
 * @since 0.1.0
 * @category schemas
 */
export class AlreadyPublished extends Schema.TaggedClass<AlreadyPublished>(
  "effect-elastic-extensions/publish/AlreadyPublished"
)("AlreadyPublished", fields) {}

/**
 * The two ways a publishing can succeed, as one schema.
 *
 * @since 0.1.0
 * @category schemas
 */
export const PublishReceipt = Schema.Union(Published, AlreadyPublished)

/**
 * What is known after publishing.
 *
 * @since 0.1.0
 * @category models
 */
export type PublishReceipt = typeof PublishReceipt.Type
