/** The download of a stored archive by its temporary link, which is a secret of its own and needs no other. */
import * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import type { HttpClientResponse } from "@effect/platform/HttpClientResponse"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import { scrubAddresses } from "../../scrub.ts"
import { fromHttpClientError, type TransferError } from "../../transfer/TransferError.ts"
import { type ExtensionsError, VerificationLinkRefused } from "../ExtensionsError.ts"
import { type Call, statusError } from "./answer.ts"

const call: Call = { operation: "download", scrub: scrubAddresses }

const parseLink = (
  link: Redacted.Redacted<string>,
  apiOrigin: string
): Either.Either<URL, VerificationLinkRefused> => {
  const text = Redacted.value(link)
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.username !== "" || url.password !== "") {
    return Either.left(new VerificationLinkRefused({ reason: "NotHttp" }))
  }
  // Bytes that anybody on the line can change prove nothing.
  return apiOrigin.startsWith("https:") && url.protocol === "http:"
    ? Either.left(new VerificationLinkRefused({ reason: "Insecure", origin: url.origin }))
    : Either.right(url)
}

const isRefusal = (status: number): boolean =>
  status >= 400 && status < 500 && status !== 408 && status !== 429

// Stores answer a refused link with details of its signature: their bodies are not kept.
const contentOf = (
  response: HttpClientResponse,
  origin: string
): Effect.Effect<Stream.Stream<Uint8Array, TransferError>, ExtensionsError> => {
  const { status } = response
  if (status === 200) return Effect.succeed(Stream.mapError(response.stream, fromHttpClientError))
  return isRefusal(status)
    ? Effect.fail(new VerificationLinkRefused({ reason: "Refused", origin, status }))
    : Effect.flip(statusError(call, response, ""))
}

/** `client` adds no credentials. */
export const download = (
  client: HttpClient.HttpClient,
  link: Redacted.Redacted<string>,
  apiOrigin: string
): Stream.Stream<Uint8Array, ExtensionsError | TransferError> =>
  Stream.unwrapScoped(
    Effect.gen(function* () {
      const url = yield* parseLink(link, apiOrigin)
      // A hash is taken of these bytes: no content coding may come between.
      const request = HttpClientRequest.get(url).pipe(
        HttpClientRequest.setHeader("accept-encoding", "identity")
      )
      const response = yield* HttpClient.withScope(client)
        .execute(request)
        .pipe(Effect.mapError(fromHttpClientError))
      return yield* contentOf(response, url.origin)
    })
  ).pipe(Stream.withSpan("ExtensionsClient.download", { captureStackTrace: false }))
