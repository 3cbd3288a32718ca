/**
 * What happens while an extension is published: the events of its upload, and the steps around it.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"
import { ExtensionId } from "../cloud/ExtensionId.ts"
import { UploadEvent } from "../upload/UploadEvent.ts"
import { MetadataField } from "./PublishReceipt.ts"

/** An extension of this name and type exists. @since 0.1.0 @category schemas */
export const ExtensionFound = Schema.TaggedStruct("ExtensionFound", { extensionId: ExtensionId })

/** There was none; it exists now, without a file. @since 0.1.0 @category schemas */
export const ExtensionCreated = Schema.TaggedStruct("ExtensionCreated", { extensionId: ExtensionId })

/** These fields of the extension were brought up to date. @since 0.1.0 @category schemas */
export const MetadataUpdated = Schema.TaggedStruct("MetadataUpdated", {
  extensionId: ExtensionId,
  fields: Schema.Array(MetadataField)
})

/** The service is being told to fetch the archive itself. @since 0.1.0 @category schemas */
export const DownloadStarted = Schema.TaggedStruct("DownloadStarted", {
  extensionId: ExtensionId,
  /** Scheme, host and port of the download URL; the rest of it may carry a signature. */
  origin: Schema.String
})

/** The service was asked whether the archive has arrived. @since 0.1.0 @category schemas */
export const DownloadPolled = Schema.TaggedStruct("DownloadPolled", {
  extensionId: ExtensionId,
  /** Since the service was told to fetch. */
  elapsedMillis: Schema.NonNegativeInt,
  hasArrived: Schema.Boolean
})

/**
 * All events of a publishing, as one schema.
 *
 * @since 0.1.0
 * @category schemas
 */
export const PublishEvent = Schema.Union(
  UploadEvent,
  ExtensionFound,
  ExtensionCreated,
  MetadataUpdated,
  DownloadStarted,
  DownloadPolled
)

/**
 * Something that happened while an extension was published.
 *
 * @since 0.1.0
 * @category models
 */
export type PublishEvent = typeof PublishEvent.Type
