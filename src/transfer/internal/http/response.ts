/** The answer to one request, read no faster than it is asked for. */
import type { EventEmitter } from "node:events"
import type * as Http from "node:http"
import type { Readable } from "node:stream"
import * as Zlib from "node:zlib"
import * as Cookies from "@effect/platform/Cookies"
import * as Headers from "@effect/platform/Headers"
import * as HttpClientError from "@effect/platform/HttpClientError"
import type * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import * as HttpIncomingMessage from "@effect/platform/HttpIncomingMessage"
import * as UrlParams from "@effect/platform/UrlParams"
import * as Effect from "effect/Effect"
import * as Inspectable from "effect/Inspectable"
import * as Option from "effect/Option"
import type * as Stream from "effect/Stream"
import * as ByteStream from "../../../byteStream.ts"
import type { ConnectionFailed, DeadlineExceeded, UploadStalled } from "../../TransferError.ts"
import { type Connection, connectionFailed } from "./connection.ts"
import { type Limits, silenceOf } from "./limits.ts"

/** What can end an answer before its time. */
type ReceivingError = ConnectionFailed | UploadStalled | DeadlineExceeded

/** A final response and what is needed to read it to its end. */
export interface FinalResponse {
  readonly connection: Connection
  readonly message: Http.IncomingMessage
  readonly remoteAddress: string | undefined
  readonly limits: Limits
  /** A moment on the monotonic clock, or `Infinity`. */
  readonly deadlineAt: number
}

/**
 * A response and its connection. What it holds on to does not hold on to it: when nobody can read it any more, the
 * platform's registry closes the connection.
 */
export class Response extends Inspectable.Class implements HttpClientResponse.HttpClientResponse {
  readonly [HttpIncomingMessage.TypeId]: HttpIncomingMessage.TypeId = HttpIncomingMessage.TypeId
  readonly [HttpClientResponse.TypeId]: HttpClientResponse.TypeId = HttpClientResponse.TypeId
  readonly request: HttpClientRequest.HttpClientRequest
  readonly status: number
  readonly headers: Headers.Headers
  readonly remoteAddress: Option.Option<string>
  readonly #message: Http.IncomingMessage
  readonly #body: Stream.Stream<Uint8Array, ReceivingError>
  #bytes: Effect.Effect<Uint8Array<ArrayBuffer>, HttpClientError.ResponseError> | undefined

  constructor(request: HttpClientRequest.HttpClientRequest, answer: FinalResponse) {
    super()
    this.request = request
    this.#message = answer.message
    this.status = answer.message.statusCode ?? 0
    this.headers = Headers.fromInput(answer.message.headers)
    this.remoteAddress = Option.fromNullable(answer.remoteAddress)
    this.#body = makeBody(answer)
  }

  get cookies(): Cookies.Cookies {
    return Cookies.fromSetCookie(this.#message.headers["set-cookie"] ?? [])
  }

  get stream(): Stream.Stream<Uint8Array, HttpClientError.ResponseError> {
    return ByteStream.mapError(this.#body, (cause) => this.#unreadable(cause, cause.message))
  }

  get arrayBuffer(): Effect.Effect<ArrayBuffer, HttpClientError.ResponseError> {
    return Effect.map(this.#read, (bytes) => bytes.buffer)
  }

  get text(): Effect.Effect<string, HttpClientError.ResponseError> {
    return Effect.map(this.#read, (bytes) => new TextDecoder().decode(bytes))
  }

  get json(): Effect.Effect<unknown, HttpClientError.ResponseError> {
    return Effect.tryMap(this.text, {
      try: (text): unknown => (text === "" ? null : JSON.parse(text)),
      catch: (cause) => this.#unreadable(cause, "the body is not JSON")
    })
  }

  get urlParamsBody(): Effect.Effect<UrlParams.UrlParams, HttpClientError.ResponseError> {
    return Effect.map(this.text, (text) => UrlParams.fromInput(new URLSearchParams(text)))
  }

  get formData(): Effect.Effect<FormData, HttpClientError.ResponseError> {
    const contentType = this.headers["content-type"] ?? ""
    return Effect.flatMap(this.#read, (bytes) =>
      Effect.tryPromise({
        try: () => new globalThis.Response(bytes, { headers: { "content-type": contentType } }).formData(),
        catch: (cause) => this.#unreadable(cause, "the body is not form data")
      })
    )
  }

  toJSON(): unknown {
    return {
      _id: "@effect/platform/HttpClientResponse",
      request: this.request.toJSON(),
      status: this.status,
      headers: Inspectable.redact(this.headers),
      remoteAddress: this.remoteAddress.toJSON()
    }
  }

  /** Once, whoever asks how often. */
  get #read(): Effect.Effect<Uint8Array<ArrayBuffer>, HttpClientError.ResponseError> {
    return Effect.flatMap(Effect.cached(this.#collect()), (bytes) => {
      this.#bytes ??= bytes
      return this.#bytes
    })
  }

  #collect(): Effect.Effect<Uint8Array<ArrayBuffer>, HttpClientError.ResponseError> {
    return Effect.gen(this, function* () {
      const limit = Option.map(yield* HttpIncomingMessage.MaxBodySize, Number)
      const parts: Array<Uint8Array> = []
      let size = 0
      yield* ByteStream.forEach(this.stream, (part) => {
        parts.push(part)
        size += part.byteLength
        return Option.exists(limit, (most) => size > most)
          ? Effect.fail(this.#unreadable(undefined, "the body is larger than allowed"))
          : Effect.void
      })
      return join(parts, size)
    })
  }

  #unreadable(cause: unknown, description: string): HttpClientError.ResponseError {
    return new HttpClientError.ResponseError({
      request: this.request,
      response: this,
      reason: "Decode",
      cause,
      description
    })
  }
}

const join = (parts: ReadonlyArray<Uint8Array>, size: number): Uint8Array<ArrayBuffer> => {
  const joined = new Uint8Array(size)
  let offset = 0
  for (const part of parts) {
    joined.set(part, offset)
    offset += part.byteLength
  }
  return joined
}

/**
 * The body of a response, pulled: the socket is read no further than was asked for, and done with at the body's end. What is
 * there whole is taken at once, so that it keeps no connection from serving others.
 *
 * It listens for the end from the moment it is made, because an answer can be cut before anyone reads it.
 */
const makeBody = (answer: FinalResponse): Stream.Stream<Uint8Array, ReceivingError> => {
  const { connection, message } = answer
  const source = decoded(message, connection.request.method)
  let failure: Error | undefined
  let ended = false
  source.once("end", () => {
    ended = true
  })
  // A decoder may still be busy when the connection serves somebody else.
  message.once("end", () => connection.finish())
  const failed = (error: Error) => {
    failure ??= error
  }
  message.on("error", failed)
  if (source !== message) {
    source.on("error", (error) => failed(new Error(`its content coding is broken (${error.message})`)))
  }
  message.once("close", () => {
    if (!message.complete) failed(new Error("the answer was cut short"))
  })

  let whole: Uint8Array | null = message.complete && source === message ? message.read() : null
  const read = (): Uint8Array | null => {
    const bytes: Uint8Array | null = whole ?? source.read()
    whole = null
    return bytes
  }
  const pull: ByteStream.Pull<ReceivingError> = Effect.suspend(() => {
    const bytes = read()
    if (bytes !== null) return Effect.succeed(bytes)
    if (failure !== undefined) return Effect.fail(Option.some(connectionFailed(connection.progress, failure)))
    const isOver = source === message && message.complete && message.readableLength === 0
    if (ended || (isOver && !connection.isShared)) return Effect.fail(Option.none())
    // The end of a whole answer is told a turn later: until then the connection does not serve others.
    const more = news(message, source)
    return Effect.zipRight(more, pull)
  })
  const close = Effect.sync(() => {
    connection.close()
    if (source !== message) source.destroy()
  })
  const bytes = ByteStream.make<ReceivingError, never>(
    Effect.as(
      Effect.addFinalizer(() => close),
      pull
    )
  )
  return ByteStream.timeoutFail(bytes, silenceOf(connection.progress, answer.limits, answer.deadlineAt))
}

/**
 * Requests ask for no content coding, and some gateways apply one all the same. What is decoded is pulled too, so that a
 * small answer that unfolds into a large one takes no more memory than its reader allows.
 */
const decoded = (message: Http.IncomingMessage, method: string): Readable => {
  const coding = message.headers["content-encoding"]?.trim().toLowerCase() ?? ""
  const decoder =
    method === "HEAD" || message.headers["content-length"] === "0" ? undefined : decoders[coding]
  return decoder === undefined ? message : message.pipe(decoder())
}

const decoders: Readonly<Record<string, () => Readable & NodeJS.WritableStream>> = {
  gzip: Zlib.createGunzip,
  "x-gzip": Zlib.createGunzip,
  deflate: Zlib.createInflate,
  br: Zlib.createBrotliDecompress
}

const events = ["readable", "end", "error", "close"]

/** Waits until there is more to know about a body, good or bad. */
const news = (...sources: ReadonlyArray<EventEmitter>): Effect.Effect<void> =>
  Effect.async((resume) => {
    const settle = () => {
      forget()
      resume(Effect.void)
    }
    const forget = () => {
      for (const source of sources) for (const event of events) source.off(event, settle)
    }
    for (const source of sources) for (const event of events) source.on(event, settle)
    return Effect.sync(forget)
  })
