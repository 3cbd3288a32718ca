/**
 * The one span that each HTTP request gets, by OpenTelemetry's conventions for clients: method, server, status, and how often
 * it was made before.
 *
 * @since 0.1.0
 */
import * as HttpClient from "@effect/platform/HttpClient"
import type * as HttpClientError from "@effect/platform/HttpClientError"
import type * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import type { HttpClientResponse } from "@effect/platform/HttpClientResponse"
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import { attribute, serverOf } from "../telemetry.ts"
import { fromHttpClientError } from "./TransferError.ts"

/**
 * How many attempts at the same thing were made before the one under way; `RetryPolicy.retry` counts them.
 *
 * @since 0.1.0
 * @category references
 */
export class Resends extends Context.Reference<Resends>()("effect-elastic-extensions/transfer/Resends", {
  defaultValue: (): number => 0
}) {}

/**
 * How a span ends whose request did not do what it was to do. Whatever a tracer keeps or prints of it holds neither address
 * nor headers: the outcome itself, which may, cannot be seen from outside.
 */
class RequestEnded extends Data.TaggedError("RequestEnded")<{
  readonly type: string
  readonly message: string
}> {
  readonly #outcome: Effect.Effect<HttpClientResponse, HttpClientError.HttpClientError>

  constructor(
    type: string,
    message: string,
    outcome: Effect.Effect<HttpClientResponse, HttpClientError.HttpClientError>
  ) {
    super({ type, message })
    this.name = type
    this.#outcome = outcome
  }

  static readonly outcomeOf = (ended: RequestEnded) => ended.#outcome
}

const failed = (error: HttpClientError.HttpClientError): RequestEnded => {
  const { _tag, message } = fromHttpClientError(error)
  return new RequestEnded(_tag, message, Effect.fail(error))
}

const refused = (response: HttpClientResponse): RequestEnded => {
  const status = String(response.status)
  return new RequestEnded(status, `The server answered ${status}.`, Effect.succeed(response))
}

const spanOf = (request: HttpClientRequest.HttpClientRequest, resends: number) => ({
  kind: "client" as const,
  captureStackTrace: false,
  attributes: {
    [attribute.requestMethod]: request.method,
    ...(URL.canParse(request.url) ? serverOf(new URL(request.url)) : {}),
    ...(resends === 0 ? {} : { [attribute.resendCount]: resends })
  }
})

/**
 * A client whose requests have these spans, in place of those of the platform, which record whole addresses and headers. It
 * sends no trace headers, wherever the request goes: no server was asked whether it wants them, and a store would have to be
 * told in the signature. A span ends with the head of the answer.
 *
 * @since 0.1.0
 * @category combinators
 */
export const traced = (client: HttpClient.HttpClient): HttpClient.HttpClient =>
  client.pipe(
    HttpClient.withTracerDisabledWhen(() => true),
    HttpClient.withTracerPropagation(false),
    HttpClient.transform((answer, request) =>
      Effect.flatMap(Resends, (resends) =>
        answer.pipe(
          Effect.mapError(failed),
          Effect.tap(({ status }) => Effect.annotateCurrentSpan(attribute.responseStatus, status)),
          Effect.filterOrFail(({ status }) => status < 400, refused),
          Effect.tapError(({ type }) => Effect.annotateCurrentSpan(attribute.errorType, type)),
          Effect.withSpan(request.method, spanOf(request, resends)),
          Effect.catchAll(RequestEnded.outcomeOf)
        )
      )
    )
  )
