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
import * as Deferred from "effect/Deferred"
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
 * How a span ends whose request did not do what it was to do. Tracers keep and print what a span ends with: error and answer
 * themselves, which hold addresses and headers, go past it.
 */
class RequestEnded extends Data.TaggedError("RequestEnded")<{
  readonly type: string
  readonly message: string
}> {
  override readonly name = this.type
}

const failed = (error: HttpClientError.HttpClientError): RequestEnded => {
  const { _tag: type, message } = fromHttpClientError(error)
  return new RequestEnded({ type, message })
}

const refused = ({ status }: HttpClientResponse): RequestEnded =>
  new RequestEnded({ type: String(status), message: `The server answered ${status}.` })

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
      Effect.gen(function* () {
        const resends = yield* Resends
        const end = yield* Deferred.make<HttpClientResponse, HttpClientError.HttpClientError>()
        yield* answer.pipe(
          Effect.tapBoth({
            onSuccess: (response) => Deferred.succeed(end, response),
            onFailure: (error) => Deferred.fail(end, error)
          }),
          Effect.mapError(failed),
          Effect.tap(({ status }) => Effect.annotateCurrentSpan(attribute.responseStatus, status)),
          Effect.filterOrFail(({ status }) => status < 400, refused),
          Effect.tapError(({ type }) => Effect.annotateCurrentSpan(attribute.errorType, type)),
          Effect.asVoid,
          Effect.withSpan(request.method, spanOf(request, resends)),
          Effect.ignore
        )
        return yield* Deferred.await(end)
      })
    )
  )
