/**
 * Everything that can go wrong with a call to the extensions API once an answer, or no need for one, is there. What goes
 * wrong on the way is a `TransferError`.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"
import {
  ExtensionInUse,
  ExtensionNotFound,
  IdAlreadyExists,
  NoUserId,
  RequestExecutionFailed,
  Unauthorised,
  VersionConflict
} from "./DocumentedError.ts"
import * as internal from "./internal/errorContext.ts"
import {
  AuthenticationFailed,
  Conflict,
  ElevatedPermissionsRequired,
  Forbidden,
  PayloadTooLarge,
  RateLimited,
  RequestTimeout,
  ServiceUnavailable,
  UnexpectedResponse
} from "./UndocumentedError.ts"

export * from "./DocumentedError.ts"
export * from "./UndocumentedError.ts"

/**
 * The operations an error can come from: the six of the API, and the download of a verification link.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Operation = internal.Operation

/**
 * The operation an error comes from.
 *
 * @since 0.1.0
 * @category models
 */
export type Operation = typeof Operation.Type

/**
 * A success status with an answer that does not say what it should: empty, not JSON, cut short, or of another shape.
 * The request itself may well have been carried out.
 *
 * @since 0.1.0
 * @category errors
 */
export class InvalidResponse extends Schema.TaggedError<InvalidResponse>(
  "effect-elastic-extensions/cloud/InvalidResponse"
)("InvalidResponse", {
  ...internal.answerFields,
  reason: Schema.Literal("Empty", "NotJson", "TooLarge", "WrongShape"),
  /** What was refused and where, for instance at `body.file_metadata.size`. */
  problems: Schema.Array(internal.Problem)
}) {
  readonly isRetryable = false

  override get message(): string {
    const what = {
      Empty: "the answer has no body",
      NotJson: "the answer is not JSON",
      TooLarge: "the answer is larger than any answer of this API",
      WrongShape: "the answer is not what the API describes"
    }[this.reason]
    const details = this.problems.length === 0 ? "" : `: ${internal.listProblems(this.problems)}`
    const remedy =
      this.operation === "list" || this.operation === "get"
        ? "Check that EC_ENDPOINT names the Elastic Cloud API and that no proxy answers in its place."
        : "It may have taken effect all the same: read the extension before doing it again."
    return internal.describe(this, `${what}${details}`, remedy)
  }
}

/**
 * The request breaks a documented rule. Nothing was sent.
 *
 * @since 0.1.0
 * @category errors
 */
export class InvalidRequest extends Schema.TaggedError<InvalidRequest>(
  "effect-elastic-extensions/cloud/InvalidRequest"
)("InvalidRequest", { ...internal.callFields, problems: Schema.Array(internal.Problem) }) {
  readonly isRetryable = false

  override get message(): string {
    return `${internal.attempt(this)} was not tried: ${internal.listProblems(this.problems)}.`
  }
}

/**
 * The temporary link to a stored archive cannot be used: `NotHttp` when it is no complete http or https address,
 * `Refused` when its server refuses it, usually because it has expired. The link itself is a secret and stays out.
 *
 * @since 0.1.0
 * @category errors
 */
export class VerificationLinkRefused extends Schema.TaggedError<VerificationLinkRefused>(
  "effect-elastic-extensions/cloud/VerificationLinkRefused"
)("VerificationLinkRefused", {
  reason: Schema.Literal("NotHttp", "Refused"),
  /** Scheme, host and port of the link. */
  origin: Schema.optionalWith(Schema.String, { exact: true }),
  status: Schema.optionalWith(Schema.Number, { exact: true })
}) {
  readonly isRetryable = false

  override get message(): string {
    return this.reason === "NotHttp"
      ? "The link to the stored archive is not a complete http or https address. The archive can only be verified by its size."
      : `${this.origin ?? "The server"} refused the link to the stored archive (status ${this.status}). Links expire: read the extension again for a new one.`
  }
}

/**
 * All errors of the API, as one schema.
 *
 * @since 0.1.0
 * @category schemas
 */
export const ExtensionsError = Schema.Union(
  RequestExecutionFailed,
  Unauthorised,
  NoUserId,
  ExtensionNotFound,
  VersionConflict,
  IdAlreadyExists,
  ExtensionInUse,
  AuthenticationFailed,
  Forbidden,
  RequestTimeout,
  Conflict,
  PayloadTooLarge,
  RateLimited,
  ElevatedPermissionsRequired,
  ServiceUnavailable,
  UnexpectedResponse,
  InvalidResponse,
  InvalidRequest,
  VerificationLinkRefused
)

/**
 * Everything a call to the API can fail with once it was answered.
 *
 * @since 0.1.0
 * @category errors
 */
export type ExtensionsError = typeof ExtensionsError.Type
