/**
 * What can go wrong while bytes cross, each with the phase it struck in.
 *
 * @since 0.1.0
 */
import type * as HttpClientError from "@effect/platform/HttpClientError"
import * as Schema from "effect/Schema"
import { formatDuration } from "./Quantity.ts"

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
  /** Host and port of the proxy that the connection goes through; never its user or password. */
  proxy: Schema.optionalWith(Schema.String, { exact: true }),
  phase: Phase,
  /** Bytes of the request body handed to the socket. */
  bytesSent: Schema.Number,
  /** Length of the whole request body in bytes; absent for a chunked body of unknown length. */
  bytesTotal: Schema.optionalWith(Schema.Number, { exact: true })
}

interface Exchange extends Schema.Struct.Type<typeof exchange> {}

const during: Record<Exclude<Phase, "sending">, string> = {
  resolving: "while resolving the name",
  connecting: "while connecting",
  securing: "during the TLS handshake",
  "awaiting-continue": "while waiting for 100 Continue",
  "awaiting-response": "while waiting for a response",
  receiving: "while reading the response"
}

const where = (error: Exchange): string => {
  if (error.phase !== "sending") return during[error.phase]
  const total = error.bytesTotal === undefined ? "" : ` of ${error.bytesTotal}`
  return `while sending, at byte ${error.bytesSent}${total}`
}

/** Until the tunnel is there, what fails is the proxy or the way to it. */
const isAtProxy = ({ phase, proxy }: Exchange): boolean =>
  proxy !== undefined && (phase === "resolving" || phase === "connecting")

const target = (error: Exchange): string => {
  if (error.proxy === undefined) return error.origin
  return isAtProxy(error)
    ? `the proxy ${error.proxy} (for ${error.origin})`
    : `${error.origin} through the proxy ${error.proxy}`
}

/** Deno names it: for https it may be another one than the network. */
const missingPermission = (detail: string): string => /--allow-[a-z]+/.exec(detail)?.[0] ?? "--allow-net"

const checkProxy =
  "Check HTTPS_PROXY, and that the proxy may connect to this host. NO_PROXY lists hosts to reach without it."

const checkNetwork = "If it happens again, check the network."

/** What a TLS library says, in several lines, when the other side answers in plain text. */
const plainAnswer = /wrong.version.number|InvalidContentType|packet length too long|http request/i

const singleLine = (text: string): string => text.replace(/\s+/g, " ").trim()

/**
 * The connection could not be made or was lost. `code` is the operating system's or TLS's own code (`ECONNRESET`,
 * `ENOTFOUND`, `DEPTH_ZERO_SELF_SIGNED_CERT` …) where there is one, `PROXY_` and a status where a proxy refused.
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
  /**
   * Certificates, invalid requests, missing permissions and a proxy's refusal do not pass by waiting; a lost line may.
   * A password that was refused (407) is never sent again: accounts are locked for less.
   */
  get isRetryable(): boolean {
    const code = this.code ?? ""
    if (/^(ERR_INVALID|ERR_UNESCAPED|NotCapable)/.test(code)) return false
    if (/^PROXY_(4\d\d|INVALID)$/.test(code)) return code === "PROXY_408" || code === "PROXY_429"
    return this.phase !== "securing" || code === "ECONNRESET"
  }

  get remedy(): string {
    if (this.code === "NotCapable") return `Run Deno with ${missingPermission(this.detail)}.`
    if (this.code === "PROXY_407") return "Check the user name and password in HTTPS_PROXY."
    if (isAtProxy(this)) return checkProxy
    if (this.isPlainAnswer)
      return "Use an http:// address if that port is meant to be plain, or another port."
    switch (this.phase) {
      case "resolving":
        return "Check the host name in the address, and that this machine can resolve names."
      case "connecting":
        return "Check the port, and that no firewall is in between. Behind a proxy, set HTTPS_PROXY."
      case "securing":
        return this.isRetryable
          ? checkNetwork
          : "For a private certificate authority, let NODE_EXTRA_CA_CERTS name its certificate."
      default:
        return this.isRetryable ? checkNetwork : "Correct the request."
    }
  }

  private get isPlainAnswer(): boolean {
    return this.phase === "securing" && plainAnswer.test(this.detail)
  }

  override get message(): string {
    const detail = this.isPlainAnswer ? "the server does not speak TLS on this port" : singleLine(this.detail)
    const code = this.code === undefined || detail.includes(this.code) ? "" : ` (${this.code})`
    return `The connection to ${target(this)} failed ${where(this)}: ${detail}${code}. ${this.remedy}`
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

  get remedy(): string {
    return isAtProxy(this) ? checkProxy : "Check the network and the endpoint."
  }

  override get message(): string {
    return `No connection to ${target(this)} within ${formatDuration(this.limitMillis)} (${where(this)}). ${this.remedy}`
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

  get remedy(): string {
    return this.phase === "awaiting-response"
      ? "The server has the whole request and may still act on it. If it needs longer, raise the response timeout."
      : "Check the network. If the line is that slow, raise the stall timeout."
  }

  override get message(): string {
    return `No data to or from ${target(this)} for ${formatDuration(this.limitMillis)} ${where(this)}. ${this.remedy}`
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
  readonly remedy = "Raise the deadline if the line is slow."

  override get message(): string {
    return `The exchange with ${target(this)} did not finish within its deadline of ${formatDuration(this.limitMillis)} (${where(this)}). ${this.remedy}`
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
  readonly remedy = "Check that nothing else writes to the file, and upload it again."

  override get message(): string {
    const what =
      this.reason === "Short"
        ? `The body ended after ${this.bytesSent} of the ${this.bytesTotal} bytes announced to ${this.origin}.`
        : `The body has more than the ${this.bytesTotal} bytes announced to ${this.origin}.`
    return `${what} ${this.remedy}`
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
  readonly remedy = "Uploads do not follow redirects: set the endpoint to the final address if you trust it."

  override get message(): string {
    const target = this.targetOrigin ?? "an unnamed place"
    return `${this.origin} redirected the request (${this.status}) to ${target}. ${this.remedy}`
  }
}

/**
 * The proxy that a request has to go through is not one that can be used. Nothing was sent. Neither the message nor any
 * field repeats the value: it can hold a password.
 *
 * @since 0.1.0
 * @category errors
 */
export class InvalidProxy extends Schema.TaggedError<InvalidProxy>(
  "effect-elastic-extensions/transfer/InvalidProxy"
)("InvalidProxy", {
  ...exchange,
  /** The environment variable that names the proxy; absent when code does. */
  variable: Schema.optionalWith(Schema.String, { exact: true }),
  problem: Schema.String
}) {
  readonly isRetryable = false
  readonly remedy =
    "Give an address such as http://proxy.example:3128, or name the host in NO_PROXY to reach it without a proxy."

  override get message(): string {
    return `${this.variable ?? "The proxy"} cannot be used: ${this.problem}. ${this.remedy}`
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
  RedirectRefused,
  InvalidProxy
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
