/** Reads bodies without trusting their length: an answer can be endless, cut short or silent. */
import type { HttpClientError, ResponseError } from "@effect/platform/HttpClientError"
import type { HttpClientResponse } from "@effect/platform/HttpClientResponse"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"

/** Far above any documented answer: 10000 deployment ids of 32 digits are 350 KB. */
const maxAnswerBytes = 4 * 1024 * 1024
const maxErrorBytes = 64 * 1024
const maxErrorMillis = 5000

interface Collector {
  readonly add: (chunk: Uint8Array) => Effect.Effect<boolean>
  readonly isFull: () => boolean
  readonly text: () => string
}

const makeCollector = (limit: number): Collector => {
  const chunks: Array<Uint8Array> = []
  let size = 0
  return {
    add: (chunk) =>
      Effect.sync(() => {
        chunks.push(chunk)
        size += chunk.length
        return size <= limit
      }),
    isFull: () => size > limit,
    text: () => {
      const decoder = new TextDecoder()
      return chunks.map((chunk) => decoder.decode(chunk, { stream: true })).join("") + decoder.decode()
    }
  }
}

// Some clients fail on a body that is not there instead of streaming nothing.
const drain = (response: HttpClientResponse, collector: Collector): Effect.Effect<void, HttpClientError> =>
  Stream.runForEachWhile(response.stream, collector.add).pipe(
    Effect.catchTag("ResponseError", (error: ResponseError) =>
      error.reason === "EmptyBody" ? Effect.void : Effect.fail(error)
    )
  )

/** The whole body; `undefined` when it is larger than 4 MiB. */
export const readAnswer = (
  response: HttpClientResponse
): Effect.Effect<string | undefined, HttpClientError> =>
  Effect.suspend(() => {
    const collector = makeCollector(maxAnswerBytes)
    return Effect.map(drain(response, collector), () => (collector.isFull() ? undefined : collector.text()))
  })

/**
 * As much of an error body as comes: at most 64 KiB, within 5 s. The status has already told that the request failed, so
 * a body that breaks off, as it does when a server refuses an upload halfway, must not hide it.
 */
export const readErrorBody = (response: HttpClientResponse): Effect.Effect<string> =>
  Effect.suspend(() => {
    const collector = makeCollector(maxErrorBytes)
    return drain(response, collector).pipe(
      Effect.timeoutOption(maxErrorMillis),
      Effect.ignore,
      Effect.map(collector.text)
    )
  })
