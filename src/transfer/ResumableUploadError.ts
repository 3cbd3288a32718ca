/**
 * What can go wrong in the resumable-upload protocol itself.
 *
 * Each error says with `outcomeOpen` whether the server may hold the whole upload, and may have applied it, all the same:
 * then the target has to be asked before anything is sent again or given up.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"

const optional = <A, I, R>(schema: Schema.Schema<A, I, R>) => Schema.optionalWith(schema, { exact: true })

const outcomeOpen = Schema.optionalWith(Schema.Boolean, { default: () => false })

/**
 * Resumption was required, and the server does not offer it or something before it refuses its requests. Nothing was
 * applied.
 *
 * @since 0.1.0
 * @category errors
 */
export class ResumptionUnsupported extends Schema.TaggedError<ResumptionUnsupported>(
  "effect-elastic-extensions/transfer/ResumptionUnsupported"
)("ResumptionUnsupported", {
  origin: Schema.String,
  /** The status that refused an append; absent when resumption was not offered in the first place. */
  status: optional(Schema.Number)
}) {
  readonly isRetryable = false
  readonly outcomeOpen = false

  get remedy(): string {
    return 'Set resumable to "auto" to upload without resumption where it is not offered.'
  }

  override get message(): string {
    return this.status === undefined
      ? `${this.origin} does not offer resumable uploads. ${this.remedy}`
      : `${this.origin}, or a proxy before it, refuses the requests that continue an upload (${this.status}). ${this.remedy}`
  }
}

/**
 * The upload resource is of no more use. Whether the upload took effect before is not known.
 *
 * @since 0.1.0
 * @category errors
 */
export class UploadResourceLost extends Schema.TaggedError<UploadResourceLost>(
  "effect-elastic-extensions/transfer/UploadResourceLost"
)("UploadResourceLost", {
  origin: Schema.String,
  /**
   * `Expired`: its announced lifetime is over. `Gone`: it was cancelled, or its state was lost. `Refused`: it cannot be
   * asked for its offset. `Unanswered`: it is complete, and the final answer is not given again. `Unusable`: its address
   * may not be used for this upload.
   */
  reason: Schema.Literal("Expired", "Gone", "Refused", "Unanswered", "Unusable"),
  /** The status that told so, where there is one. */
  status: optional(Schema.Number)
}) {
  readonly isRetryable = true
  readonly outcomeOpen = true

  get remedy(): string {
    return "Upload again: what the target holds is checked first, and the archive is sent only if it is not there."
  }

  override get message(): string {
    const status = this.status === undefined ? "" : ` (${this.status})`
    return `${lostBecause[this.reason](this.origin)}${status}. ${this.remedy}`
  }
}

const lostBecause: Readonly<Record<UploadResourceLost["reason"], (origin: string) => string>> = {
  Expired: (origin) => `The unfinished upload at ${origin} has expired`,
  Gone: (origin) => `${origin} no longer knows the unfinished upload`,
  Refused: (origin) => `${origin} refuses to tell how far the unfinished upload has come`,
  Unanswered: (origin) => `${origin} has received the whole upload, but does not say whether it was applied`,
  Unusable: (origin) => `The address of the unfinished upload is not one of an upload to ${origin}`
}

/**
 * The upload resource is locked by another request, usually by one whose connection broke and has not timed out yet.
 *
 * @since 0.1.0
 * @category errors
 */
export class UploadResourceBusy extends Schema.TaggedError<UploadResourceBusy>(
  "effect-elastic-extensions/transfer/UploadResourceBusy"
)("UploadResourceBusy", {
  origin: Schema.String,
  status: Schema.Number,
  /** The server's `Retry-After`, in milliseconds from its answer. */
  retryAfterMillis: optional(Schema.Number)
}) {
  readonly isRetryable = true
  /** The upload resource is kept, and knows. */
  readonly outcomeOpen = false

  get remedy(): string {
    return "Run the same upload again in a few minutes: it continues where the server has got to."
  }

  override get message(): string {
    return `The unfinished upload at ${this.origin} is still locked by an earlier request (${this.status}). ${this.remedy}`
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
  neededBytes: Schema.Number,
  outcomeOpen
}) {
  readonly isRetryable = false

  get remedy(): string {
    return this.limit === "max-size"
      ? 'Make the archive smaller, or set resumable to "never" if the server takes larger archives in one request.'
      : 'Set resumable to "never", and tell the server\'s operator.'
  }

  override get message(): string {
    return this.limit === "max-size"
      ? `${this.origin} accepts at most ${this.allowedBytes} bytes; this upload has ${this.neededBytes}. ${this.remedy}`
      : `${this.origin} accepts at most ${this.allowedBytes} bytes per request but asks for at least ${this.neededBytes}: its limits contradict each other. ${this.remedy}`
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
  detail: Schema.String,
  outcomeOpen
}) {
  readonly isRetryable = false

  get remedy(): string {
    return 'Try again with resumable "never", and tell the server\'s operator.'
  }

  override get message(): string {
    return `${this.origin} broke the resumable-upload protocol (${this.rule}): ${this.detail}. ${this.remedy}`
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
  UploadResourceBusy,
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
