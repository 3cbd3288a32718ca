/**
 * Everything an upload can fail with.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"
import { ArchiveChanged, ArchiveUnreadable } from "../archive/ArchiveError.ts"
import { InvalidArchive } from "../archive/ArchiveInspection.ts"
import { ExtensionsError } from "../cloud/ExtensionsError.ts"
import { JournalError } from "../journal/JournalError.ts"
import type { JournalBaseline } from "../journal/JournalRecord.ts"
import { ResumableUploadError } from "../transfer/ResumableUploadError.ts"
import { TransferError } from "../transfer/TransferError.ts"

/** So many ids fit into a sentence. */
const shownDeployments = 10

/**
 * The deployments that use an extension, at least one, as part of a sentence.
 *
 * @since 0.1.0
 * @category formatting
 */
export const listedDeployments = (deployments: ReadonlyArray<string>): string => {
  const names = deployments.slice(0, shownDeployments).join(", ")
  const more = deployments.length - shownDeployments
  const noun = deployments.length === 1 ? "deployment" : `${deployments.length} deployments:`
  return `${noun} ${names}${more > 0 ? ` and ${more} more` : ""}`
}

/** What the server was last seen to hold, as far as it said. */
const Holder = Schema.Struct({
  resourceVersion: Schema.NullOr(Schema.String),
  lastModified: Schema.NullOr(Schema.DateTimeUtc),
  size: Schema.NullOr(Schema.NonNegativeInt)
})

const written = (holder: typeof Holder.Type): string => {
  const parts = [
    holder.resourceVersion === null ? undefined : `version ${holder.resourceVersion}`,
    holder.lastModified === null
      ? undefined
      : `modified ${new Date(holder.lastModified.epochMillis).toISOString()}`,
    holder.size === null ? undefined : `${holder.size} bytes`
  ].filter((part) => part !== undefined)
  return parts.length === 0 ? "no details known" : parts.join(", ")
}

/**
 * Someone else wrote to the extension while this upload was under way. Nothing of theirs was overwritten.
 *
 * @since 0.1.0
 * @category errors
 */
export class UploadConflict extends Schema.TaggedError<UploadConflict>(
  "effect-elastic-extensions/upload/UploadConflict"
)("UploadConflict", {
  extensionId: Schema.String,
  /** What was there when the upload began, and what is there now. */
  before: Holder,
  now: Holder
}) {
  readonly isRetryable = false

  get remedy(): string {
    return 'Look at their archive; to replace it with yours, upload again with onConflict "overwrite".'
  }

  override get message(): string {
    return `Extension ${this.extensionId} was written by someone else during this upload (now: ${written(this.now)}; before: ${written(this.before)}). Their archive was left alone. ${this.remedy}`
  }
}

/**
 * The conflict between what was there when an upload began, and what is there now.
 *
 * @since 0.1.0
 * @category constructors
 */
export const conflictBetween = (
  extensionId: string,
  before: JournalBaseline,
  now: JournalBaseline
): UploadConflict => new UploadConflict({ extensionId, before: holder(before), now: holder(now) })

const holder = (told: JournalBaseline): typeof Holder.Type => ({
  resourceVersion: told.resourceVersion ?? null,
  lastModified: told.lastModified ?? null,
  size: told.file?.size ?? null
})

/**
 * The upload may or may not have taken effect, and the server could not tell. The journal keeps what is known: running
 * the same upload again asks once more before it sends anything.
 *
 * @since 0.1.0
 * @category errors
 */
export class OutcomeUnknown extends Schema.TaggedError<OutcomeUnknown>(
  "effect-elastic-extensions/upload/OutcomeUnknown"
)("OutcomeUnknown", {
  extensionId: Schema.String,
  /** `_tag` and message of what ended the attempt, and of what kept the server from telling. */
  cause: Schema.String,
  detail: Schema.String
}) {
  readonly isRetryable = false

  get remedy(): string {
    return "Run the same upload again: it asks the server first; it resumes if the server can, and else sends the archive again."
  }

  override get message(): string {
    return `It is not known whether the upload to extension ${this.extensionId} took effect (${this.cause}), because ${this.detail}. ${this.remedy}`
  }
}

/** How an extension does not hold what was sent. */
const findings: Record<
  "Size" | "Hash" | "Unchanged" | "Incomplete",
  (found: { readonly expected: string; readonly actual: string }) => string
> = {
  Size: ({ actual, expected }) => `its size in bytes is ${actual}, expected ${expected}`,
  Hash: ({ actual, expected }) => `its SHA-256 is ${actual}, expected ${expected}`,
  Unchanged: ({ actual, expected }) =>
    `the service answered with success, but shows ${actual}, expected ${expected}`,
  Incomplete: ({ actual, expected }) => `the service answered with success after ${actual} of ${expected}`
}

/**
 * The service accepted the upload, but what it holds is not the archive that was sent.
 *
 * @since 0.1.0
 * @category errors
 */
export class VerificationFailed extends Schema.TaggedError<VerificationFailed>(
  "effect-elastic-extensions/upload/VerificationFailed"
)("VerificationFailed", {
  extensionId: Schema.String,
  reason: Schema.Literal("Size", "Hash", "Unchanged", "Incomplete"),
  expected: Schema.String,
  actual: Schema.String
}) {
  /** Other content stays what it is. A success that had no effect may have one the next time. */
  get isRetryable(): boolean {
    return this.reason === "Unchanged" || this.reason === "Incomplete"
  }

  get remedy(): string {
    return this.isRetryable
      ? "Run the same upload again. If it ends like this again, look for a proxy between here and the service that answers in its place."
      : "Do not use it; upload again."
  }

  override get message(): string {
    return `Extension ${this.extensionId} does not hold the archive that was sent: ${findings[this.reason](this)}. ${this.remedy}`
  }
}

/**
 * The archive is larger than Elastic Cloud accepts by any way.
 *
 * @since 0.1.0
 * @category errors
 */
export class ArchiveTooLarge extends Schema.TaggedError<ArchiveTooLarge>(
  "effect-elastic-extensions/upload/ArchiveTooLarge"
)("ArchiveTooLarge", { path: Schema.String, size: Schema.Number, limit: Schema.Number }) {
  readonly isRetryable = false

  get remedy(): string {
    return "Split it, or remove what is not needed."
  }

  override get message(): string {
    return `The archive "${this.path}" is ${this.size} bytes; Elastic Cloud accepts at most ${this.limit}. ${this.remedy}`
  }
}

/**
 * Deployments use the extension, and `protectInUse` asked not to replace its file then. Nothing was sent; what an earlier
 * run left to go on with is kept.
 *
 * @since 0.1.0
 * @category errors
 */
export class ExtensionProtected extends Schema.TaggedError<ExtensionProtected>(
  "effect-elastic-extensions/upload/ExtensionProtected"
)("ExtensionProtected", {
  extensionId: Schema.String,
  /** Ids of all deployments that the service named, at least one. */
  deployments: Schema.Array(Schema.String)
}) {
  readonly isRetryable = false

  get remedy(): string {
    return "Upload to another extension and move the deployments to that one, or leave out protectInUse to replace the file anyway."
  }

  override get message(): string {
    return `The file of extension ${this.extensionId} was not replaced, because the extension is used by ${listedDeployments(this.deployments)}. ${this.remedy}`
  }
}

/**
 * The id given is not an extension id. Nothing was sent.
 *
 * @since 0.1.0
 * @category errors
 */
export class InvalidExtensionId extends Schema.TaggedError<InvalidExtensionId>(
  "effect-elastic-extensions/upload/InvalidExtensionId"
)("InvalidExtensionId", { extensionId: Schema.String, detail: Schema.String }) {
  readonly isRetryable = false

  get remedy(): string {
    return "The list of extensions shows the ids."
  }

  override get message(): string {
    return `${JSON.stringify(this.extensionId)} cannot be uploaded to. ${this.detail} ${this.remedy}`
  }
}

/**
 * All errors of an upload, as one schema.
 *
 * @since 0.1.0
 * @category schemas
 */
export const UploadError = Schema.Union(
  ArchiveUnreadable,
  ArchiveChanged,
  ArchiveTooLarge,
  InvalidArchive,
  InvalidExtensionId,
  ExtensionProtected,
  UploadConflict,
  OutcomeUnknown,
  VerificationFailed,
  ExtensionsError,
  TransferError,
  ResumableUploadError,
  JournalError
)

/**
 * Everything an upload can fail with.
 *
 * @since 0.1.0
 * @category errors
 */
export type UploadError = typeof UploadError.Type

/**
 * Whether a failed request leaves open that it took effect. A body that did not reach its announced end cannot have been
 * applied. After the whole body everything is open that is not the service's own refusal: a lost answer, a gateway's 5xx,
 * an answer that makes no sense.
 *
 * @since 0.1.0
 * @category predicates
 */
export const isOutcomeOpen = (error: UploadError, wholeBodySent: boolean): boolean => {
  switch (error._tag) {
    case "ConnectionFailed":
    case "UploadStalled":
    case "DeadlineExceeded":
    case "ServiceUnavailable":
      return wholeBodySent
    case "InvalidResponse":
      return true
    case "UploadLimitExceeded":
    case "UploadProtocolViolation":
    case "UploadResourceLost":
      return error.outcomeOpen
    case "UnexpectedResponse":
      return error.status < 400
    default:
      return false
  }
}

/**
 * Whether a failed upload may be run again as it is, with what the journal remembers of it: after what may pass, after
 * what is not known, and after a refusal to begin. An upload that has begun is given up for nothing but what speaks of
 * itself: what a key, a proxy or a page in between refuse is no word about the upload. `hasBegun` says that its earlier
 * end is open, or that the server has kept some of it.
 *
 * @since 0.1.0
 * @category predicates
 */
export const keepsRecord = (error: UploadError, hasBegun: boolean): boolean =>
  error.isRetryable ||
  recordKeeping.has(error._tag) ||
  error._tag.startsWith("Journal") ||
  (hasBegun && !endings.has(error._tag))

const recordKeeping: ReadonlySet<UploadError["_tag"]> = new Set([
  "OutcomeUnknown",
  "DeadlineExceeded",
  "InvalidArchive",
  "ExtensionProtected"
])

const endings: ReadonlySet<UploadError["_tag"]> = new Set([
  "ArchiveChanged",
  "ArchiveTooLarge",
  "BodyLengthMismatch",
  "Conflict",
  "ExtensionInUse",
  "ExtensionNotFound",
  "InvalidRequest",
  "PayloadTooLarge",
  "RequestExecutionFailed",
  "ResumptionUnsupported",
  "UploadConflict",
  "UploadLimitExceeded",
  "UploadProtocolViolation",
  "VerificationFailed",
  "VersionConflict"
])
