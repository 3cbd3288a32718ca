/**
 * What is known after an upload, and how well.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"
import { ExtensionId } from "../cloud/ExtensionId.ts"

/**
 * How the content on the server is known to be ours: its bytes were fetched and hashed (`hash`), its size was read back
 * (`size`), or the service said 200 and nothing more could be learnt (`response`).
 *
 * @since 0.1.0
 * @category schemas
 */
export const Proof = Schema.Literal("hash", "size", "response")

/**
 * How well the content on the server is known to be ours.
 *
 * @since 0.1.0
 * @category models
 */
export type Proof = typeof Proof.Type

/**
 * How an archive was staged for the service to fetch it.
 *
 * @since 0.1.0
 * @category schemas
 */
export const StagedReceipt = Schema.Struct({
  /** Where it was, such as `s3://bucket/prefix/<sha256>/<name>`. */
  location: Schema.String,
  /** Whether it is there still, because that was asked for or it could not be removed. */
  isKept: Schema.Boolean,
  /** Whether the service answered the request to fetch; if not, the archive was waited for. */
  answered: Schema.Boolean,
  /** How often the extension was read before the archive was there. */
  polls: Schema.NonNegativeInt
})

/**
 * How an archive was staged.
 *
 * @since 0.1.0
 * @category models
 */
export type StagedReceipt = typeof StagedReceipt.Type

const fields = {
  extensionId: ExtensionId,
  archive: Schema.Struct({
    name: Schema.String,
    /** Bytes. */
    size: Schema.NonNegativeInt,
    /** 64 lowercase hexadecimal digits. */
    sha256: Schema.String
  }),
  proof: Proof,
  /** Uploads begun or continued in this run; 0 when nothing had to be sent. */
  attempts: Schema.NonNegativeInt,
  /** Body bytes handed to the transport in this run, over all attempts: to the store, where the archive was staged. */
  bytesSent: Schema.NonNegativeInt,
  /** Bytes that were on the server, or in the store, already when the last attempt went on, and so were not sent again. */
  bytesResumed: Schema.NonNegativeInt,
  /** Only where the archive went by way of an object store. */
  staged: Schema.optionalWith(StagedReceipt, { exact: true }),
  /** `x-cloud-resource-version` before and after; null where the service, or a proxy, did not say. */
  resourceVersion: Schema.Struct({
    before: Schema.NullOr(Schema.String),
    after: Schema.NullOr(Schema.String)
  }),
  lastModified: Schema.NullOr(Schema.DateTimeUtc),
  durationMillis: Schema.NonNegativeInt
}

/**
 * The archive was sent and is what the extension now holds.
 *
 * @since 0.1.0
 * @category schemas
 */
export class Uploaded extends Schema.TaggedClass<Uploaded>("effect-elastic-extensions/upload/Uploaded")(
  "Uploaded",
  fields
) {}

/**
 * The extension held this very archive already; nothing was sent.
 *
 * @since 0.1.0
 * @category schemas
 */
export class AlreadyCurrent extends Schema.TaggedClass<AlreadyCurrent>(
  "effect-elastic-extensions/upload/AlreadyCurrent"
)("AlreadyCurrent", fields) {}

/**
 * The two ways an upload can succeed, as one schema.
 *
 * @since 0.1.0
 * @category schemas
 */
export const UploadReceipt = Schema.Union(Uploaded, AlreadyCurrent)

/**
 * What is known after an upload.
 *
 * @since 0.1.0
 * @category models
 */
export type UploadReceipt = typeof UploadReceipt.Type
