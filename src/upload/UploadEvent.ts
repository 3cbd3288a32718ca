/**
 * What happens during an upload, as it happens. Nothing here renders; every event can be encoded as JSON.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { ProblemCode } from "../archive/ArchiveProblem.ts"
import { ArchiveType } from "../archive/ArchiveType.ts"
import * as RetryPolicy from "../transfer/RetryPolicy.ts"
import { Proof, UploadReceipt } from "./UploadReceipt.ts"

/** Offsets and totals count bytes of what is sent: the archive, or the multipart form around it. */
const Bytes = Schema.NonNegativeInt

/** The archive's directory was read; nothing was sent yet. @since 0.1.0 @category schemas */
export const ArchiveInspected = Schema.TaggedStruct("ArchiveInspected", {
  type: ArchiveType,
  /** The version of Elasticsearch that a plugin was built for. */
  elasticsearchVersion: Schema.optionalWith(Schema.String, { exact: true }),
  /** Folders included. */
  entryCount: Schema.NonNegativeInt,
  /** Sums over the entries, in bytes, as the archive itself claims: one that lies may claim any number. */
  compressedBytes: Schema.Number,
  uncompressedBytes: Schema.Number,
  /** How many problems were found; those that do not stop the upload follow as `Warning`s. */
  errors: Schema.NonNegativeInt,
  warnings: Schema.NonNegativeInt
})

/** The archive is being hashed: `bytes` of `total` are done. @since 0.1.0 @category schemas */
export const DigestProgress = Schema.TaggedStruct("DigestProgress", { bytes: Bytes, total: Bytes })

/** The archive's SHA-256 is known. @since 0.1.0 @category schemas */
export const DigestComputed = Schema.TaggedStruct("DigestComputed", { sha256: Schema.String, size: Bytes })

/** An earlier run left an upload of the same archive; this one goes on with it. @since 0.1.0 @category schemas */
export const UploadContinued = Schema.TaggedStruct("UploadContinued", { acknowledged: Bytes, total: Bytes })

/** An earlier run left an upload of another archive; it was given up. @since 0.1.0 @category schemas */
export const StaleUploadDiscarded = Schema.TaggedStruct("StaleUploadDiscarded", { name: Schema.String })

/** An attempt to send the archive begins, or one to go on with it. @since 0.1.0 @category schemas */
export const AttemptStarted = Schema.TaggedStruct("AttemptStarted", {
  /** 1 for the first. */
  attempt: Schema.Positive,
  total: Bytes
})

/** A request with content begins at `offset`. @since 0.1.0 @category schemas */
export const SendingStarted = Schema.TaggedStruct("SendingStarted", { offset: Bytes, total: Bytes })

/** Bytes up to `offset` were handed to the transport; the server may have seen less. @since 0.1.0 @category schemas */
export const BytesWritten = Schema.TaggedStruct("BytesWritten", { offset: Bytes, total: Bytes })

/** The server has kept the bytes up to `offset`. @since 0.1.0 @category schemas */
export const BytesAcknowledged = Schema.TaggedStruct("BytesAcknowledged", { offset: Bytes, total: Bytes })

/** The server can resume this upload from now on. @since 0.1.0 @category schemas */
export const ResumptionOffered = Schema.TaggedStruct("ResumptionOffered", {})

/**
 * An attempt failed with something that may pass; the next one begins after the delay.
 *
 * @since 0.1.0
 * @category schemas
 */
export const RetryScheduled = Schema.TaggedStruct("RetryScheduled", {
  /** Attempt that failed. */
  attempt: Schema.NonNegativeInt,
  delayMillis: Schema.NonNegativeInt,
  /** `_tag` of the error. */
  reason: Schema.String,
  message: Schema.String
})

/** The end of an attempt left open whether it took effect; the server is being asked. @since 0.1.0 @category schemas */
export const ReconciliationStarted = Schema.TaggedStruct("ReconciliationStarted", {
  reason: Schema.String,
  message: Schema.String
})

/** What the server was found to hold after an attempt with an open end. @since 0.1.0 @category schemas */
export const Reconciled = Schema.TaggedStruct("Reconciled", {
  outcome: Schema.Literal("NotApplied", "Applied", "Conflict", "Unknown")
})

/** The archive on the server is being fetched and hashed. @since 0.1.0 @category schemas */
export const VerificationProgress = Schema.TaggedStruct("VerificationProgress", {
  bytes: Bytes,
  total: Bytes
})

/** The server holds the archive, and this is how that is known. @since 0.1.0 @category schemas */
export const Verified = Schema.TaggedStruct("Verified", { proof: Proof })

/** Something to know that does not stop the upload. @since 0.1.0 @category schemas */
export const Warning = Schema.TaggedStruct("Warning", {
  code: Schema.Literal(
    "ArchiveProblem",
    "InUse",
    "WeakerProof",
    "OverwritingConflict",
    "ResumptionIgnored",
    "DownloadUrlKept",
    "StagedArchiveKept"
  ),
  /** Of an `ArchiveProblem`, which one: a warning, or an error that was allowed by this name. */
  problem: Schema.optionalWith(ProblemCode, { exact: true }),
  message: Schema.String
})

/** The last event of every upload that succeeds. @since 0.1.0 @category schemas */
export const Completed = Schema.TaggedStruct("Completed", { receipt: UploadReceipt })

/**
 * All events of an upload, as one schema.
 *
 * @since 0.1.0
 * @category schemas
 */
export const UploadEvent = Schema.Union(
  ArchiveInspected,
  DigestProgress,
  DigestComputed,
  UploadContinued,
  StaleUploadDiscarded,
  AttemptStarted,
  SendingStarted,
  BytesWritten,
  BytesAcknowledged,
  ResumptionOffered,
  RetryScheduled,
  ReconciliationStarted,
  Reconciled,
  VerificationProgress,
  Verified,
  Warning,
  Completed
)

/**
 * Something that happened during an upload.
 *
 * @since 0.1.0
 * @category models
 */
export type UploadEvent = typeof UploadEvent.Type

/**
 * What to do with each event of an upload.
 *
 * @since 0.1.0
 * @category models
 */
export interface UploadObserver {
  /** Runs for every event, in order; the upload waits for it. */
  readonly onEvent: (event: UploadEvent) => Effect.Effect<void>
}

/**
 * Whoever watches; by default nobody. The `onEvent` of a request takes its place for that upload.
 *
 * @since 0.1.0
 * @category references
 */
export class UploadEvents extends Context.Reference<UploadEvents>()(
  "effect-elastic-extensions/upload/UploadEvents",
  { defaultValue: (): UploadObserver => ({ onEvent: () => Effect.void }) }
) {}

/**
 * Tells whoever watches.
 *
 * @since 0.1.0
 * @category events
 */
export const emit = (event: UploadEvent): Effect.Effect<void> =>
  Effect.flatMap(UploadEvents, ({ onEvent }) => onEvent(event))

/**
 * Tries again under the retry policy, and tells of each retry. For what only reads: it counts as no attempt.
 *
 * @since 0.1.0
 * @category events
 */
export const retrying = <
  A,
  E extends RetryPolicy.Retryable & { readonly _tag: string; readonly message: string },
  R
>(
  self: Effect.Effect<A, E, R>
): Effect.Effect<A, E, R> =>
  RetryPolicy.retry<E>(({ delayMillis, error: { _tag: reason, message } }) =>
    emit({ _tag: "RetryScheduled", attempt: 0, delayMillis, reason, message })
  )(self)
