/**
 * Everything that can go wrong with a call to the extensions API once an answer, or no need for one, is there. What goes
 * wrong on the way is a `TransferError`.
 *
 * First one error for each code that the API documents (the code decides, whatever status it comes with), then what
 * answers instead of them: gateways, firewalls, rate limits and outages, sorted by what a caller can do about each.
 *
 * @since 0.1.0
 */
import * as ParseResult from "effect/ParseResult"
import * as Schema from "effect/Schema"
import { formatDuration } from "../transfer/Quantity.ts"
import { ApiError } from "./Extension.ts"
import { ExtensionId } from "./ExtensionId.ts"

/**
 * The operations an error can come from: the six of the API, and the download of a verification link.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Operation = Schema.Literal("list", "get", "create", "update", "upload", "delete", "download")

/**
 * The operation an error comes from.
 *
 * @since 0.1.0
 * @category models
 */
export type Operation = typeof Operation.Type

/**
 * Where a value did not fit: a path such as `body.file_metadata.size`, and what was expected there.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Problem = Schema.Struct({ path: Schema.String, message: Schema.String })

/**
 * Where a value did not fit.
 *
 * @since 0.1.0
 * @category models
 */
export type Problem = typeof Problem.Type

const callFields = {
  operation: Operation,
  /** Absent for operations that are not about one existing extension. */
  extensionId: Schema.optionalWith(ExtensionId, { exact: true })
}

const answerFields = {
  ...callFields,
  status: Schema.Number,
  /** Response headers that let the service's support find the request, and its rate limits. */
  requestContext: Schema.Record({ key: Schema.String, value: Schema.String }),
  /** What the service itself listed. */
  errors: Schema.Array(ApiError),
  /** The service's `Retry-After`, in milliseconds from the moment the answer was read. */
  retryAfterMillis: Schema.optionalWith(Schema.Number, { exact: true })
}

const undocumentedFields = {
  ...answerFields,
  /** At most the first 4 KiB of the body, without secrets. */
  body: Schema.String
}

type CallContext = Schema.Struct.Type<typeof callFields>
type AnswerContext = Schema.Struct.Type<typeof answerFields>

const attempts: Record<Operation, string> = {
  list: "Listing the extensions",
  get: "Reading the extension",
  create: "Creating the extension",
  update: "Updating the extension",
  upload: "Uploading to the extension",
  delete: "Deleting the extension",
  download: "Downloading the stored archive"
}

// Quoted as JSON: what a server or a caller wrote must not move the reader's cursor.
const quote = (text: string) => JSON.stringify(text)

const attempt = (call: CallContext): string =>
  call.extensionId === undefined
    ? attempts[call.operation]
    : `${attempts[call.operation]} ${quote(call.extensionId)}`

const said = (errors: ReadonlyArray<ApiError>): string =>
  errors.length === 0
    ? ""
    : ` The service says: ${errors.map((error) => `${quote(error.message)} (${error.code})`).join(", ")}.`

const describe = (answer: AnswerContext & { readonly remedy: string }, what: string): string =>
  `${attempt(answer)} failed: ${what} (status ${answer.status}).${said(answer.errors)} ${answer.remedy}`

const waitHint = ({ retryAfterMillis }: AnswerContext): string => {
  if (retryAfterMillis === undefined) return "Try again later."
  return retryAfterMillis === 0 ? "Try again." : `Try again in ${formatDuration(retryAfterMillis)}.`
}

const listProblems = (problems: ReadonlyArray<Problem>): string =>
  problems.map(({ path, message }) => (path === "" ? message : `${path}: ${message}`)).join("; ")

const checkEndpoint =
  "Check that EC_ENDPOINT names the Elastic Cloud API and that no proxy answers in its place."

/**
 * `extensions.request_execution_failed` (400): the file could not be accepted, or not be fetched from its download URL.
 *
 * @since 0.1.0
 * @category errors
 */
export class RequestExecutionFailed extends Schema.TaggedError<RequestExecutionFailed>(
  "effect-elastic-extensions/cloud/RequestExecutionFailed"
)("RequestExecutionFailed", answerFields) {
  readonly isRetryable = false

  get remedy(): string {
    return this.operation === "upload"
      ? "Check that it is an intact ZIP file that holds one plugin or one bundle."
      : "Check that the address can be reached from the internet, needs no credentials but those in it, does not redirect, and serves a ZIP file."
  }

  override get message(): string {
    return describe(
      this,
      this.operation === "upload"
        ? "the file was not accepted"
        : "the archive could not be fetched from the download URL"
    )
  }
}

/**
 * `extensions.unauthorised` (401): the extension belongs to someone else.
 *
 * @since 0.1.0
 * @category errors
 */
export class Unauthorised extends Schema.TaggedError<Unauthorised>(
  "effect-elastic-extensions/cloud/Unauthorised"
)("Unauthorised", answerFields) {
  readonly isRetryable = false
  readonly remedy = "Check the extension's id, or use an API key of the user who created it."

  override get message(): string {
    return describe(this, "the extension does not belong to the owner of this API key")
  }
}

/**
 * `extensions.no_user_id` (401, but 404 when creating): the API key is tied to no user.
 *
 * @since 0.1.0
 * @category errors
 */
export class NoUserId extends Schema.TaggedError<NoUserId>("effect-elastic-extensions/cloud/NoUserId")(
  "NoUserId",
  answerFields
) {
  readonly isRetryable = false
  readonly remedy = "Use an API key that a user created in the Elastic Cloud console."

  override get message(): string {
    return describe(this, "the session behind this API key has no user id")
  }
}

/**
 * `extensions.not_found` (404): there is no such extension.
 *
 * @since 0.1.0
 * @category errors
 */
export class ExtensionNotFound extends Schema.TaggedError<ExtensionNotFound>(
  "effect-elastic-extensions/cloud/ExtensionNotFound"
)("ExtensionNotFound", answerFields) {
  readonly isRetryable = false
  readonly remedy =
    "Check its id against the list of extensions, and that the endpoint is the right region; or create it first."

  override get message(): string {
    return describe(this, "there is no such extension")
  }
}

/**
 * `extensions.version_conflict` (409): the extension changed since it was read.
 *
 * @since 0.1.0
 * @category errors
 */
export class VersionConflict extends Schema.TaggedError<VersionConflict>(
  "effect-elastic-extensions/cloud/VersionConflict"
)("VersionConflict", answerFields) {
  /** Sending the same again could undo what someone else just did. */
  readonly isRetryable = false
  readonly remedy = "Read it again and decide whether your change still applies."

  override get message(): string {
    return describe(this, "someone else changed the extension in the meantime")
  }
}

/**
 * `extensions.id_already_exists` (409): the id that the service generated is taken.
 *
 * @since 0.1.0
 * @category errors
 */
export class IdAlreadyExists extends Schema.TaggedError<IdAlreadyExists>(
  "effect-elastic-extensions/cloud/IdAlreadyExists"
)("IdAlreadyExists", answerFields) {
  /** The documentation itself says "Please try again": nothing was created, and the next id is another one. */
  readonly isRetryable = true
  readonly remedy = "Try again."

  override get message(): string {
    return describe(this, "the id that the service generated is already taken")
  }
}

/**
 * `extensions.extension_in_use` (400): deployments still refer to the extension.
 *
 * @since 0.1.0
 * @category errors
 */
export class ExtensionInUse extends Schema.TaggedError<ExtensionInUse>(
  "effect-elastic-extensions/cloud/ExtensionInUse"
)("ExtensionInUse", answerFields) {
  readonly isRetryable = false
  readonly remedy = "Remove it from their plans first; reading it with its deployments tells which they are."

  override get message(): string {
    return describe(this, "deployments still use the extension")
  }
}

/**
 * 401 without one of the codes that the extensions API documents: the API key itself was not accepted.
 *
 * @since 0.1.0
 * @category errors
 */
export class AuthenticationFailed extends Schema.TaggedError<AuthenticationFailed>(
  "effect-elastic-extensions/cloud/AuthenticationFailed"
)("AuthenticationFailed", undocumentedFields) {
  readonly isRetryable = false
  readonly remedy = "Check that EC_API_KEY is complete, not expired or revoked, and belongs to this endpoint."

  override get message(): string {
    return describe(this, "the API key was not accepted")
  }
}

/**
 * 403. `reason` is `Firewall` when the answer is an HTML page, which the API itself never sends.
 *
 * @since 0.1.0
 * @category errors
 */
export class Forbidden extends Schema.TaggedError<Forbidden>("effect-elastic-extensions/cloud/Forbidden")(
  "Forbidden",
  {
    ...undocumentedFields,
    reason: Schema.Literal("Firewall", "Refused"),
    /** How the archive was sent, where one was. */
    contentType: Schema.optionalWith(Schema.Literal("raw", "multipart"), { exact: true })
  }
) {
  readonly isRetryable = false

  get remedy(): string {
    if (this.reason === "Refused") return "Use a key with the rights to manage extensions."
    return this.contentType === "multipart"
      ? "In some regions it refuses multipart bodies: send the archive raw (application/zip, the default)."
      : "Check that the firewall allows this machine's address and an upload of this size and type."
  }

  override get message(): string {
    return describe(
      this,
      this.reason === "Firewall"
        ? "a firewall in front of the API answered with an HTML page"
        : "the API key does not allow it"
    )
  }
}

/**
 * 408: the service gave up waiting for the request.
 *
 * @since 0.1.0
 * @category errors
 */
export class RequestTimeout extends Schema.TaggedError<RequestTimeout>(
  "effect-elastic-extensions/cloud/RequestTimeout"
)("RequestTimeout", undocumentedFields) {
  readonly isRetryable = true

  get remedy(): string {
    return waitHint(this)
  }

  override get message(): string {
    return describe(this, "the service gave up waiting for the request")
  }
}

/**
 * 409 without a documented code.
 *
 * @since 0.1.0
 * @category errors
 */
export class Conflict extends Schema.TaggedError<Conflict>("effect-elastic-extensions/cloud/Conflict")(
  "Conflict",
  undocumentedFields
) {
  readonly isRetryable = false
  readonly remedy = "Read the extension again and decide whether your change still applies."

  override get message(): string {
    return describe(this, "it conflicts with the present state of the extension")
  }
}

/**
 * 413: the archive is larger than the service, or a gateway before it, takes.
 *
 * @since 0.1.0
 * @category errors
 */
export class PayloadTooLarge extends Schema.TaggedError<PayloadTooLarge>(
  "effect-elastic-extensions/cloud/PayloadTooLarge"
)("PayloadTooLarge", undocumentedFields) {
  readonly isRetryable = false
  readonly remedy = "Make the archive smaller, or host it and give the extension a download URL."

  override get message(): string {
    return describe(this, "the body is larger than the service takes")
  }
}

/**
 * 429: too many requests.
 *
 * @since 0.1.0
 * @category errors
 */
export class RateLimited extends Schema.TaggedError<RateLimited>(
  "effect-elastic-extensions/cloud/RateLimited"
)("RateLimited", undocumentedFields) {
  readonly isRetryable = true

  get remedy(): string {
    return waitHint(this)
  }

  override get message(): string {
    return describe(this, "too many requests")
  }
}

/**
 * 449: Elastic Cloud wants the user to confirm who they are before it does this.
 *
 * @since 0.1.0
 * @category errors
 */
export class ElevatedPermissionsRequired extends Schema.TaggedError<ElevatedPermissionsRequired>(
  "effect-elastic-extensions/cloud/ElevatedPermissionsRequired"
)("ElevatedPermissionsRequired", undocumentedFields) {
  readonly isRetryable = false
  readonly remedy = "Use an API key with administrative rights, or do it once in the Elastic Cloud console."

  override get message(): string {
    return describe(this, "it needs elevated permissions")
  }
}

/**
 * Any 5xx: the service, or a gateway before it, is not able to answer now.
 *
 * @since 0.1.0
 * @category errors
 */
export class ServiceUnavailable extends Schema.TaggedError<ServiceUnavailable>(
  "effect-elastic-extensions/cloud/ServiceUnavailable"
)("ServiceUnavailable", undocumentedFields) {
  /** The others (501, 505, 511 …) do not pass by waiting. */
  get isRetryable(): boolean {
    return [500, 502, 503, 504].includes(this.status)
  }

  get remedy(): string {
    return this.isRetryable ? waitHint(this) : "Check the endpoint and any proxy before it."
  }

  override get message(): string {
    return describe(this, "the service is not able to answer")
  }
}

/**
 * A status that nobody described for this operation.
 *
 * @since 0.1.0
 * @category errors
 */
export class UnexpectedResponse extends Schema.TaggedError<UnexpectedResponse>(
  "effect-elastic-extensions/cloud/UnexpectedResponse"
)("UnexpectedResponse", {
  ...undocumentedFields,
  /** The response headers, without secrets. */
  headers: Schema.Record({ key: Schema.String, value: Schema.String })
}) {
  readonly isRetryable = false

  get remedy(): string {
    if (this.status === 404) return "There is no extensions API at this address: check EC_ENDPOINT."
    if (this.errors.length > 0) return "Its message says what to change."
    return this.status >= 300 && this.status < 400
      ? "Redirects are not followed: set EC_ENDPOINT to the final address if you trust it."
      : checkEndpoint
  }

  override get message(): string {
    return describe(this, "the answer was not one this operation can give")
  }
}

/**
 * A success status with an answer that does not say what it should: empty, not JSON, cut short, of another shape, about
 * another extension, or not showing the change that was asked for. The request itself may well have been carried out.
 *
 * @since 0.1.0
 * @category errors
 */
export class InvalidResponse extends Schema.TaggedError<InvalidResponse>(
  "effect-elastic-extensions/cloud/InvalidResponse"
)("InvalidResponse", {
  ...answerFields,
  reason: Schema.Literal(
    "Empty",
    "NotJson",
    "TooLarge",
    "TooSlow",
    "WrongShape",
    "OtherExtension",
    "NotApplied"
  ),
  /** What was refused and where, for instance at `body.file_metadata.size`. */
  problems: Schema.Array(Problem)
}) {
  readonly isRetryable = false

  get remedy(): string {
    return this.operation === "list" || this.operation === "get"
      ? checkEndpoint
      : "It may have taken effect all the same: read the extension before doing it again."
  }

  override get message(): string {
    const what = {
      Empty: "the answer has no body",
      NotJson: "the answer is not JSON",
      TooLarge: "the answer is larger than any answer of this API",
      TooSlow: "the answer did not end within a minute",
      WrongShape: "the answer is not what the API describes",
      OtherExtension: "the answer is about another extension",
      NotApplied: "the answer does not show the change"
    }[this.reason]
    return describe(this, this.problems.length === 0 ? what : `${what}: ${listProblems(this.problems)}`)
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
)("InvalidRequest", { ...callFields, problems: Schema.Array(Problem) }) {
  readonly isRetryable = false
  readonly remedy = "Correct the request."

  override get message(): string {
    return `${attempt(this)} was not tried: ${listProblems(this.problems)}. ${this.remedy}`
  }
}

/**
 * What a schema refused of a request.
 *
 * @since 0.1.0
 * @category constructors
 */
export const invalidRequest = (
  call: { readonly operation: Operation; readonly extensionId?: ExtensionId },
  error: ParseResult.ParseError,
  scrub: (text: string) => string = (text) => text
): InvalidRequest =>
  new InvalidRequest({
    operation: call.operation,
    ...(call.extensionId === undefined ? {} : { extensionId: call.extensionId }),
    problems: problemsOf(error, scrub)
  })

const maxProblems = 20
const maxMessageLength = 300

const cut = (text: string): string =>
  text.length <= maxMessageLength ? text : `${text.slice(0, maxMessageLength)}…`

/**
 * What a schema refused, in a form that may be shown: at most 20 problems, each cut to 300 characters after `scrub` has
 * taken the secrets out.
 *
 * @since 0.1.0
 * @category constructors
 */
export const problemsOf = (
  error: ParseResult.ParseError,
  scrub: (text: string) => string
): ReadonlyArray<Problem> =>
  ParseResult.ArrayFormatter.formatErrorSync(error)
    // "or null" is how absence is allowed, not something a reader could have sent instead.
    .filter(({ message }) => !message.startsWith("Expected null, actual"))
    .slice(0, maxProblems)
    .map(({ path, message }) => ({ path: path.map(String).join("."), message: cut(scrub(message)) }))

/**
 * The temporary link to a stored archive cannot be used: `NotHttp` when it is no complete http or https address,
 * `Insecure` when it is plain http though the API is https, `Refused` when its server refuses it, usually because it has expired. The link itself is a secret and stays out.
 *
 * @since 0.1.0
 * @category errors
 */
export class VerificationLinkRefused extends Schema.TaggedError<VerificationLinkRefused>(
  "effect-elastic-extensions/cloud/VerificationLinkRefused"
)("VerificationLinkRefused", {
  reason: Schema.Literal("NotHttp", "Insecure", "Refused"),
  /** Scheme, host and port of the link. */
  origin: Schema.optionalWith(Schema.String, { exact: true }),
  status: Schema.optionalWith(Schema.Number, { exact: true })
}) {
  readonly isRetryable = false

  get remedy(): string {
    return this.reason === "Refused"
      ? "Links expire: read the extension again for a new one."
      : "The archive can only be verified by its size."
  }

  override get message(): string {
    const server = this.origin ?? "The server"
    const what = {
      NotHttp: "The link to the stored archive is not a complete http or https address.",
      Insecure: `The link to the stored archive leads to ${server} over plain http, where anybody could change it.`,
      Refused: `${server} refused the link to the stored archive (status ${this.status}).`
    }[this.reason]
    return `${what} ${this.remedy}`
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
