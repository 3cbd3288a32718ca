/**
 * Everything a release can fail with. The engine stores a failure as it stores a success, so all of them are schemas.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"
import { AmbiguousExtension, DeliveryError, NameTaken } from "../publish/PublishError.ts"

/**
 * What was given is not the payload of a release.
 *
 * @since 0.1.0
 * @category errors
 */
export class InvalidPayload extends Schema.TaggedError<InvalidPayload>(
  "effect-elastic-extensions/workflow/InvalidPayload"
)("InvalidPayload", {
  /** Paths of the fields that are missing or refused. What they hold stays out. */
  fields: Schema.Array(Schema.String)
}) {
  readonly isRetryable = false

  get remedy(): string {
    return "Correct these fields; ReleasePayload.prepare makes a payload from an archive."
  }

  override get message(): string {
    return `This is not the payload of a release: missing or invalid are ${this.fields.join(", ")}. ${this.remedy}`
  }
}

/**
 * The release was made by a newer version of this library than the runner's. With a database, the release waits for a newer
 * runner; in memory it ends so.
 *
 * @since 0.1.0
 * @category errors
 */
export class UnsupportedPayload extends Schema.TaggedError<UnsupportedPayload>(
  "effect-elastic-extensions/workflow/UnsupportedPayload"
)("UnsupportedPayload", { version: Schema.Int, newestKnown: Schema.Int }) {
  readonly isRetryable = false

  get remedy(): string {
    return "Update the runners, then release again with the next attempt."
  }

  override get message(): string {
    return `The release has payload version ${this.version}; this runner knows versions up to ${this.newestKnown}. ${this.remedy}`
  }
}

/**
 * Somebody cancelled the release. What was sent of its archive is given up.
 *
 * @since 0.1.0
 * @category errors
 */
export class ReleaseCancelled extends Schema.TaggedError<ReleaseCancelled>(
  "effect-elastic-extensions/workflow/ReleaseCancelled"
)("ReleaseCancelled", { executionId: Schema.String }) {
  readonly isRetryable = false

  get remedy(): string {
    return "To release after all, run it with the next attempt."
  }

  override get message(): string {
    return `Release ${this.executionId} was cancelled. ${this.remedy}`
  }
}

/**
 * A newer release of the same extension was to take the place of those that had not begun.
 *
 * @since 0.1.0
 * @category errors
 */
export class ReleaseSuperseded extends Schema.TaggedError<ReleaseSuperseded>(
  "effect-elastic-extensions/workflow/ReleaseSuperseded"
)("ReleaseSuperseded", {
  executionId: Schema.String,
  /** Execution id of the newer release. */
  by: Schema.String
}) {
  readonly isRetryable = false

  get remedy(): string {
    return "Nothing was sent. If it is wanted after all, run it with the next attempt."
  }

  override get message(): string {
    return `Release ${this.executionId} was superseded by ${this.by} before it began to send. ${this.remedy}`
  }
}

/**
 * Another release of the same extension is under way, and this one was not to wait for it.
 *
 * @since 0.1.0
 * @category errors
 */
export class ReleaseBlocked extends Schema.TaggedError<ReleaseBlocked>(
  "effect-elastic-extensions/workflow/ReleaseBlocked"
)("ReleaseBlocked", {
  executionId: Schema.String,
  /** Execution id of the release that is under way. */
  by: Schema.String
}) {
  readonly isRetryable = false

  get remedy(): string {
    return "Wait for that release to end and run this one with the next attempt, or give it the policy queue."
  }

  override get message(): string {
    return `Release ${this.executionId} found release ${this.by} of the same extension under way. ${this.remedy}`
  }
}

/**
 * The archive is in place, and somebody rejected it: it was not announced.
 *
 * @since 0.1.0
 * @category errors
 */
export class ReleaseRejected extends Schema.TaggedError<ReleaseRejected>(
  "effect-elastic-extensions/workflow/ReleaseRejected"
)("ReleaseRejected", {
  executionId: Schema.String,
  extensionId: Schema.String,
  by: Schema.String,
  note: Schema.optionalWith(Schema.String, { exact: true })
}) {
  readonly isRetryable = false

  get remedy(): string {
    return "Release the archive that should be there instead."
  }

  override get message(): string {
    const note = this.note === undefined ? "" : `: ${this.note}`
    return `Release ${this.executionId} was rejected by ${this.by}${note}. Extension ${this.extensionId} holds its archive and nobody was told. ${this.remedy}`
  }
}

/**
 * A hook of `Announcement` failed.
 *
 * @since 0.1.0
 * @category errors
 */
export class AnnouncementFailed extends Schema.TaggedError<AnnouncementFailed>(
  "effect-elastic-extensions/workflow/AnnouncementFailed"
)("AnnouncementFailed", {
  /** What to tell whoever looks after the release. It is stored: leave secrets out. */
  detail: Schema.String,
  /** Whether calling the hook again may help. */
  isRetryable: Schema.Boolean
}) {
  get remedy(): string {
    return "Tell those concerned, or run the release with the next attempt: nothing is sent again but the announcement."
  }

  override get message(): string {
    return `The archive is in place, but it could not be announced: ${this.detail}. ${this.remedy}`
  }
}

/**
 * All errors of a release, as one schema.
 *
 * @since 0.1.0
 * @category schemas
 */
export const ReleaseError = Schema.Union(
  DeliveryError,
  AmbiguousExtension,
  NameTaken,
  UnsupportedPayload,
  ReleaseCancelled,
  ReleaseSuperseded,
  ReleaseBlocked,
  ReleaseRejected,
  AnnouncementFailed
)

/**
 * Everything a release can end with instead of its receipt.
 *
 * @since 0.1.0
 * @category errors
 */
export type ReleaseError = typeof ReleaseError.Type

/**
 * Whether a step that failed so is worth another try later. Beyond what may pass by itself, that is whatever the journal
 * of uploads makes safe to run again, and sources that may come back.
 *
 * @since 0.1.0
 * @category guards
 */
export const isTransient = (error: ReleaseError): boolean => {
  switch (error._tag) {
    case "OutcomeUnknown":
    case "DeadlineExceeded":
    case "JournalCorrupt":
      return true
    case "ArchiveUnreadable":
      return error.reason === "ReadFailed"
    // Somebody has taken over and may be done: who runs again finds out what came of it.
    case "JournalUnavailable":
      return error.isRetryable || error.reason === "LockLost"
    default:
      return error.isRetryable
  }
}
