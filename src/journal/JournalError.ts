/**
 * What can go wrong with the journal of uploads.
 *
 * @since 0.1.0
 */
import type { PlatformError } from "@effect/platform/Error"
import * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"
import { Millis, optional } from "./internal/schema.ts"
import { JournalId } from "./JournalRecord.ts"

/**
 * Somebody else is uploading to the extension. `pid` and `hostname` tell who, as far as the runtime lets a process know;
 * `sinceMillis` is when they began, in milliseconds since the epoch.
 *
 * @since 0.1.0
 * @category errors
 */
export class JournalLocked extends Schema.TaggedError<JournalLocked>(
  "effect-elastic-extensions/journal/JournalLocked"
)("JournalLocked", {
  id: JournalId,
  extensionId: optional(Schema.String),
  pid: optional(Schema.Int),
  hostname: optional(Schema.String),
  sinceMillis: Millis
}) {
  readonly isRetryable = true

  get remedy(): string {
    return "Wait for it to finish or stop it, then run again; a process that died is noticed within 30 seconds."
  }

  override get message(): string {
    const what = this.extensionId === undefined ? `Upload ${this.id}` : `Extension "${this.extensionId}"`
    const who = this.pid === undefined ? "another process" : `process ${this.pid}`
    const where = this.hostname === undefined ? "" : ` on ${this.hostname}`
    const since = new Date(this.sinceMillis).toISOString()
    return `${what} is in use by ${who}${where} since ${since}. ${this.remedy}`
  }
}

/**
 * A record cannot be understood. It is kept: `keptAt` is the file or key that holds it. Opening the same upload again
 * starts afresh.
 *
 * `detail` names the fields that were refused, never what they hold.
 *
 * @since 0.1.0
 * @category errors
 */
export class JournalCorrupt extends Schema.TaggedError<JournalCorrupt>(
  "effect-elastic-extensions/journal/JournalCorrupt"
)("JournalCorrupt", {
  id: JournalId,
  keptAt: Schema.String,
  reason: Schema.Literal("InvalidJson", "InvalidRecord", "NewerVersion", "SetAside"),
  detail: Schema.String
}) {
  readonly isRetryable = false

  get remedy(): string {
    return this.reason === "NewerVersion"
      ? "Run the newer release again to resume it, or run the upload again to start from the beginning."
      : "Check what the extension holds, then run the upload again: it starts from the beginning."
  }

  override get message(): string {
    return `The journal record of upload ${this.id} cannot be used (${this.detail}). It is kept at "${this.keptAt}". ${this.remedy}`
  }
}

/**
 * What the journal was doing when it failed.
 *
 * @since 0.1.0
 * @category models
 */
export const JournalOperation = Schema.Literal("read", "write", "lock", "list", "remove")

/**
 * What the journal was doing.
 *
 * @since 0.1.0
 * @category models
 */
export type JournalOperation = typeof JournalOperation.Type

const UnavailableReason = Schema.Literal(
  "PermissionDenied",
  "ReadOnly",
  "DiskFull",
  "NotAFolder",
  "NotAFile",
  "NotPrivate",
  "LockLost",
  "Failed"
)

const remedies: Record<typeof UnavailableReason.Type, string> = {
  PermissionDenied: "Let this user write there, or set EC_UPLOAD_JOURNAL to a folder that may be written.",
  ReadOnly: "Set EC_UPLOAD_JOURNAL to a folder on a file system that may be written.",
  DiskFull: "Free some space, or set EC_UPLOAD_JOURNAL to a folder on another disk.",
  NotAFolder: "Set EC_UPLOAD_JOURNAL to the path of a folder.",
  NotAFile: "Remove it, or set EC_UPLOAD_JOURNAL to a folder that only the journal uses.",
  NotPrivate:
    "Who can write there can tell this program what to send where. Take their right away (chmod -R go-w), own it, or set EC_UPLOAD_JOURNAL to a folder that only the journal uses.",
  LockLost:
    "Its lock was removed while in use. Make sure no other process uploads to this extension, then run again.",
  Failed: "Run again; if it persists, use another folder or store."
}

const denoRemedy = "Run Deno with --allow-read and --allow-write for this folder."

/**
 * The journal's folder or store cannot be used. The record that was there before is still whole.
 *
 * `location` is the folder, or a name for a store that is not a file system; `detail` is what the system said.
 *
 * @since 0.1.0
 * @category errors
 */
export class JournalUnavailable extends Schema.TaggedError<JournalUnavailable>(
  "effect-elastic-extensions/journal/JournalUnavailable"
)("JournalUnavailable", {
  location: Schema.String,
  operation: JournalOperation,
  reason: UnavailableReason,
  detail: Schema.String
}) {
  /** Full disks and missing permissions do not pass by waiting. */
  get isRetryable(): boolean {
    return this.reason === "Failed"
  }

  get remedy(): string {
    return /--allow-(?:read|write)/.test(this.detail) ? denoRemedy : remedies[this.reason]
  }

  override get message(): string {
    return `The upload journal in "${this.location}" failed to ${this.operation}: ${this.detail}. ${this.remedy}`
  }
}

/**
 * What a failure of the file system or store means for the journal at `location`.
 *
 * @since 0.1.0
 * @category constructors
 */
export const unavailable =
  (location: string, operation: JournalOperation) =>
  (error: PlatformError): JournalUnavailable =>
    new JournalUnavailable({
      location,
      operation,
      reason: reasonOf(error),
      detail: error.description ?? error.message
    })

/**
 * All errors of the journal, as one schema.
 *
 * @since 0.1.0
 * @category schemas
 */
export const JournalError = Schema.Union(JournalLocked, JournalCorrupt, JournalUnavailable)

/**
 * Everything the journal can fail with.
 *
 * @since 0.1.0
 * @category errors
 */
export type JournalError = typeof JournalError.Type

const reasonOf = (error: PlatformError): JournalUnavailable["reason"] => {
  const { cause } = error
  if (Predicate.hasProperty(cause, "name") && cause.name === "NotCapable") return "PermissionDenied"
  switch (Predicate.hasProperty(cause, "code") ? cause.code : undefined) {
    case "EACCES":
    case "EPERM":
      return "PermissionDenied"
    case "EROFS":
      return "ReadOnly"
    case "ENOSPC":
    case "EDQUOT":
      return "DiskFull"
    case "ENOTDIR":
    case "EEXIST":
      return "NotAFolder"
    default:
      if (error._tag !== "SystemError") return "Failed"
      if (error.reason === "PermissionDenied") return "NotPrivate"
      return error.reason === "BadResource" ? "NotAFile" : "Failed"
  }
}
