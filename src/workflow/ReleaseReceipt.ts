/**
 * What is known when a release is done.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"
import { ExtensionId } from "../cloud/ExtensionId.ts"
import { Proof, UploadReceipt } from "../upload/UploadReceipt.ts"

/**
 * What somebody decided about a release that was held.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Decision = Schema.Struct({
  verdict: Schema.Literal("approved", "rejected"),
  by: Schema.NonEmptyString,
  note: Schema.optionalWith(Schema.String, { exact: true }),
  /** In milliseconds since the epoch, by the clock of whoever decided. */
  decidedAtMillis: Schema.NonNegativeInt
})

/**
 * What somebody decided about a held release.
 *
 * @since 0.1.0
 * @category models
 */
export interface Decision extends Schema.Schema.Type<typeof Decision> {}

/**
 * What is stored as the result of a release that succeeded.
 *
 * @since 0.1.0
 * @category schemas
 */
export const ReleaseReceipt = Schema.Struct({
  executionId: Schema.String,
  releaseId: Schema.String,
  attempt: Schema.Int,
  extensionId: ExtensionId,
  /** Whether the release created the extension. */
  created: Schema.Boolean,
  upload: UploadReceipt,
  /** How well the content is known to be in place, when it was last looked at. */
  proof: Proof,
  /** Null where nobody had to decide, or has yet. */
  decision: Schema.NullOr(Decision)
}).annotations({ identifier: "ReleaseReceipt" })

/**
 * What is known when a release is done.
 *
 * @since 0.1.0
 * @category models
 */
export interface ReleaseReceipt extends Schema.Schema.Type<typeof ReleaseReceipt> {}
