/**
 * What can go wrong in the resumable-upload protocol itself.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"

/**
 * Resumption was required, but the server does not offer it. Nothing was sent.
 *
 * @since 0.1.0
 * @category errors
 */
export class ResumptionUnsupported extends Schema.TaggedError<ResumptionUnsupported>(
  "effect-elastic-extensions/transfer/ResumptionUnsupported"
)("ResumptionUnsupported", { origin: Schema.String }) {
  readonly isRetryable = false

  override get message(): string {
    return `${this.origin} does not offer resumable uploads. Use resumable "auto" to upload without them.`
  }
}

/**
 * The upload resource is gone: expired, cancelled, or its state was lost. What was sent to it does not count.
 *
 * @since 0.1.0
 * @category errors
 */
export class UploadResourceLost extends Schema.TaggedError<UploadResourceLost>(
  "effect-elastic-extensions/transfer/UploadResourceLost"
)("UploadResourceLost", {
  origin: Schema.String,
  /** Status that told so; absent when the resource had outlived its announced lifetime. */
  status: Schema.optionalWith(Schema.Number, { exact: true })
}) {
  readonly isRetryable = true

  override get message(): string {
    const why = this.status === undefined ? "its lifetime is over" : `it answered ${this.status}`
    return `The upload resource at ${this.origin} is gone (${why}). The upload has to start again.`
  }
}

/**
 * The archive does not fit the server's limits, or the limits contradict each other.
 *
 * @since 0.1.0
 * @category errors
 */
export class UploadLimitExceeded extends Schema.TaggedError<UploadLimitExceeded>(
  "effect-elastic-extensions/transfer/UploadLimitExceeded"
)("UploadLimitExceeded", {
  origin: Schema.String,
  limit: Schema.Literal("max-size", "max-append-size"),
  /** Bytes the server allows, and bytes needed. */
  allowedBytes: Schema.Number,
  neededBytes: Schema.Number
}) {
  readonly isRetryable = false

  override get message(): string {
    return this.limit === "max-size"
      ? `${this.origin} accepts at most ${this.allowedBytes} bytes; this upload has ${this.neededBytes}.`
      : `${this.origin} accepts at most ${this.allowedBytes} bytes per request but asks for at least ${this.neededBytes}: its limits contradict each other.`
  }
}

/**
 * The server broke a rule of the protocol that an upload cannot safely go on without.
 *
 * @since 0.1.0
 * @category errors
 */
export class UploadProtocolViolation extends Schema.TaggedError<UploadProtocolViolation>(
  "effect-elastic-extensions/transfer/UploadProtocolViolation"
)("UploadProtocolViolation", {
  origin: Schema.String,
  rule: Schema.Literal(
    "LocationChanged",
    "LocationMissing",
    "OffsetMissing",
    "OffsetBeyondLength",
    "LengthMismatch",
    "ForeignRedirect",
    "TooManyRedirects",
    "NoProgress"
  ),
  detail: Schema.String
}) {
  readonly isRetryable = false

  override get message(): string {
    return `${this.origin} broke the resumable-upload protocol (${this.rule}): ${this.detail}. The upload was cancelled; try again with resumable "never", and tell the server's operator.`
  }
}

/**
 * All errors of the resumable-upload protocol, as one schema.
 *
 * @since 0.1.0
 * @category schemas
 */
export const ResumableUploadError = Schema.Union(
  ResumptionUnsupported,
  UploadResourceLost,
  UploadLimitExceeded,
  UploadProtocolViolation
)

/**
 * Everything that resuming can add to the failures of a transfer.
 *
 * @since 0.1.0
 * @category errors
 */
export type ResumableUploadError = typeof ResumableUploadError.Type
