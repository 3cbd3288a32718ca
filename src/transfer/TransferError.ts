/**
 * What can go wrong while bytes cross, each with the phase it struck in.
 *
 * @since 0.1.0
 */
import type * as HttpClientError from "@effect/platform/HttpClientError"
import * as Schema from "effect/Schema"

/**
 * Where in one HTTP exchange something happened.
 *
 * @since 0.1.0
 * @category models
 */
export const Phase = Schema.Literal(
  "resolving",
  "connecting",
  "securing",
  "awaiting-continue",
  "sending",
  "awaiting-response",
  "receiving"
)

/**
 * How far an exchange had got.
 *
 * @since 0.1.0
 * @category models
 */
export type Phase = typeof Phase.Type

/** Common to every transfer error: which exchange, how far it got. Paths and queries may be secret and stay out. */
const exchange = {
  method: Schema.String,
  /** Scheme, host and port; never a path or query, which can carry a temporary capability. */
  origin: Schema.String,
  phase: Phase,
  /** Bytes of the request body handed to the socket. */
  bytesSent: Schema.Number,
  /** Length of the whole request body in bytes; absent for a chunked body of unknown length. */
  bytesTotal: Schema.optionalWith(Schema.Number, { exact: true })
}

const where = (error: {
  readonly phase: Phase
  readonly bytesSent: number
  readonly bytesTotal?: number
}): string => {
  if (error.phase !== "sending") return `while ${error.phase.replace("-", " ")}`
  const total = error.bytesTotal === undefined ? "" : ` of ${error.bytesTotal}`
  return `while sending, at byte ${error.bytesSent}${total}`
}

/**
 * The connection could not be made or was lost. `code` is the operating system's or TLS's own code (`ECONNRESET`,
 * `ENOTFOUND`, `DEPTH_ZERO_SELF_SIGNED_CERT` …) where there is one.
 *
 * @since 0.1.0
 * @category errors
 */
export class ConnectionFailed extends Schema.TaggedError<ConnectionFailed>(
  "effect-elastic-extensions/transfer/ConnectionFailed"
)("ConnectionFailed", {
  ...exchange,
  code: Schema.optionalWith(Schema.String, { exact: true }),
  detail: Schema.String
}) {
  /** Certificates, invalid requests and missing permissions do not heal by waiting; a lost line may. */
  get isRetryable(): boolean {
    if (this.code !== undefined && /^(ERR_INVALID|ERR_UNESCAPED|NotCapable)/.test(this.code)) return false
    return this.phase !== "securing" || this.code === "ECONNRESET"
  }

  override get message(): string {
    const code = this.code === undefined || this.detail.includes(this.code) ? "" : ` (${this.code})`
    return `The connection to ${this.origin} failed ${where(this)}: ${this.detail}${code}.`
  }
}

/**
 * No connection was ready within the connect limit.
 *
 * @since 0.1.0
 * @category errors
 */
export class ConnectTimeout extends Schema.TaggedError<ConnectTimeout>(
  "effect-elastic-extensions/transfer/ConnectTimeout"
)("ConnectTimeout", { ...exchange, limitMillis: Schema.Number }) {
  readonly isRetryable = true

  override get message(): string {
    return `No connection to ${this.origin} within ${this.limitMillis} ms (${where(this)}). Check the network and the endpoint.`
  }
}

/**
 * No byte moved in either direction for the stall limit.
 *
 * @since 0.1.0
 * @category errors
 */
export class UploadStalled extends Schema.TaggedError<UploadStalled>(
  "effect-elastic-extensions/transfer/UploadStalled"
)("UploadStalled", { ...exchange, limitMillis: Schema.Number }) {
  readonly isRetryable = true

  override get message(): string {
    return `Nothing moved to or from ${this.origin} for ${this.limitMillis} ms ${where(this)}.`
  }
}

/**
 * The exchange as a whole took longer than its total limit.
 *
 * @since 0.1.0
 * @category errors
 */
export class DeadlineExceeded extends Schema.TaggedError<DeadlineExceeded>(
  "effect-elastic-extensions/transfer/DeadlineExceeded"
)("DeadlineExceeded", { ...exchange, limitMillis: Schema.Number }) {
  readonly isRetryable = false

  override get message(): string {
    return `The exchange with ${this.origin} was not done within its deadline of ${this.limitMillis} ms (${where(this)}). Raise the deadline if the line is slow.`
  }
}

/**
 * The body stream was shorter or longer than the `Content-Length` that was announced. The connection was closed before
 * the server could take the body for whole.
 *
 * @since 0.1.0
 * @category errors
 */
export class BodyLengthMismatch extends Schema.TaggedError<BodyLengthMismatch>(
  "effect-elastic-extensions/transfer/BodyLengthMismatch"
)("BodyLengthMismatch", { ...exchange, reason: Schema.Literal("Short", "Long") }) {
  readonly isRetryable = false

  override get message(): string {
    return this.reason === "Short"
      ? `The body ended after ${this.bytesSent} of the ${this.bytesTotal} bytes announced to ${this.origin}.`
      : `The body ran past the ${this.bytesTotal} bytes announced to ${this.origin}.`
  }
}

/**
 * The server answered an upload with a redirect. Redirects are not followed for uploads: the API key and the archive
 * would go somewhere nobody asked for.
 *
 * @since 0.1.0
 * @category errors
 */
export class RedirectRefused extends Schema.TaggedError<RedirectRefused>(
  "effect-elastic-extensions/transfer/RedirectRefused"
)("RedirectRefused", {
  ...exchange,
  status: Schema.Number,
  /** Origin of the `Location`; absent where it is missing or not a URL. */
  targetOrigin: Schema.optionalWith(Schema.String, { exact: true })
}) {
  readonly isRetryable = false

  override get message(): string {
    const target = this.targetOrigin === undefined ? "an unnamed place" : this.targetOrigin
    return `${this.origin} redirected the request (${this.status}) to ${target}. Uploads do not follow redirects: set the endpoint to the final address if you trust it.`
  }
}

/**
 * All errors of the transport, as one schema.
 *
 * @since 0.1.0
 * @category schemas
 */
export const TransferError = Schema.Union(
  ConnectionFailed,
  ConnectTimeout,
  UploadStalled,
  DeadlineExceeded,
  BodyLengthMismatch,
  RedirectRefused
)

/**
 * Everything that can go wrong between this machine and the server.
 *
 * @since 0.1.0
 * @category errors
 */
export type TransferError = typeof TransferError.Type

const isTransferError = Schema.is(TransferError)

const phaseOfCode = (code: string): Phase | undefined => {
  if (code === "ENOTFOUND" || code === "EAI_AGAIN") return "resolving"
  if (code === "ECONNREFUSED" || code === "EHOSTUNREACH" || code === "ENETUNREACH") return "connecting"
  return /CERT|_TLS_|^ERR_SSL/.test(code) ? "securing" : undefined
}

/** The first system or TLS code in a chain of causes: their messages may quote the URL, their codes cannot. */
const codeOf = (cause: unknown, depth = 0): string | undefined => {
  if (typeof cause !== "object" || cause === null || depth > 5) return undefined
  if ("code" in cause && typeof cause.code === "string" && /^[A-Z][A-Z0-9_]+$/.test(cause.code))
    return cause.code
  return "cause" in cause ? codeOf(cause.cause, depth + 1) : undefined
}

const originOf = (url: string): string => (URL.canParse(url) ? new URL(url).origin : "an invalid URL")

/**
 * What went wrong, from the error channel of any `HttpClient`.
 *
 * An error of this library's own transport is found in `cause` and returned as it is. Anything else becomes a
 * `ConnectionFailed` with the best phase that can be known, and nothing of the URL but its origin. Where the body stream
 * itself failed, `cause` is the stream's own error: look there first.
 *
 * @since 0.1.0
 * @category constructors
 */
export const fromHttpClientError = (error: HttpClientError.HttpClientError): TransferError => {
  if (isTransferError(error.cause)) return error.cause
  const { body, method, url } = error.request
  const code = codeOf(error.cause)
  const phase = error._tag === "ResponseError" ? "receiving" : "sending"
  return new ConnectionFailed({
    method,
    origin: originOf(url),
    phase: (code === undefined ? undefined : phaseOfCode(code)) ?? phase,
    bytesSent: 0,
    ...(body.contentLength === undefined ? {} : { bytesTotal: body.contentLength }),
    ...(code === undefined ? {} : { code }),
    detail: foreignDetail(error)
  })
}

const foreignDetail = (error: HttpClientError.HttpClientError): string => {
  switch (error.reason) {
    case "Transport":
      return "the HTTP client could not complete the exchange"
    case "Encode":
      return "the request body could not be sent"
    case "InvalidUrl":
      return "the URL is not valid"
    case "StatusCode":
      return `the answer had status ${error.response.status}`
    case "Decode":
      return "the answer could not be read to its end"
    case "EmptyBody":
      return "the answer had no body"
  }
}
