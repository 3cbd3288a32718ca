import type * as Http from "node:http"
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
import * as Stream from "effect/Stream"
import { type Answer, make as makeBody, type ReceivingError } from "./messageBody.ts"

/**
 * A response on a connection of its own. What it holds on to does not hold on to it: when nobody can read it any more,
 * the platform's registry closes the connection.
 *
 * @internal
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
  readonly #bytes: Effect.Effect<Uint8Array<ArrayBuffer>, HttpClientError.ResponseError>

  constructor(request: HttpClientRequest.HttpClientRequest, answer: Answer) {
    super()
    this.request = request
    this.#message = answer.message
    this.status = answer.message.statusCode ?? 0
    this.headers = Headers.fromInput(answer.message.headers)
    this.remoteAddress = Option.fromNullable(answer.remoteAddress)
    this.#body = makeBody(answer)
    this.#bytes = Effect.runSync(Effect.cached(this.#collect()))
  }

  get cookies(): Cookies.Cookies {
    return Cookies.fromSetCookie(this.#message.headers["set-cookie"] ?? [])
  }

  get stream(): Stream.Stream<Uint8Array, HttpClientError.ResponseError> {
    return Stream.mapError(this.#body, (cause) => this.#unreadable(cause, cause.message))
  }

  get arrayBuffer(): Effect.Effect<ArrayBuffer, HttpClientError.ResponseError> {
    return Effect.map(this.#bytes, (bytes) => bytes.buffer)
  }

  get text(): Effect.Effect<string, HttpClientError.ResponseError> {
    return Effect.map(this.#bytes, (bytes) => new TextDecoder().decode(bytes))
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
    return Effect.flatMap(this.#bytes, (bytes) =>
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

  #collect(): Effect.Effect<Uint8Array<ArrayBuffer>, HttpClientError.ResponseError> {
    return Effect.gen(this, function* () {
      const limit = Option.map(yield* HttpIncomingMessage.MaxBodySize, Number)
      const parts: Array<Uint8Array> = []
      let size = 0
      yield* Stream.runForEach(this.stream, (part) => {
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
