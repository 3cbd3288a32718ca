/**
 * Answers as text, read without trusting how long they say they are, or how fast they come.
 *
 * @since 0.1.0
 */
import type { HttpClientError, ResponseError } from "@effect/platform/HttpClientError"
import type { HttpClientResponse } from "@effect/platform/HttpClientResponse"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as ByteStream from "../byteStream.ts"

/**
 * What came of a body, and whether that is all of it.
 *
 * @since 0.1.0
 * @category models
 */
export interface Collected {
  /** As far as it was read. */
  readonly text: string
  /** `Whole`, or why the rest was not read. */
  readonly end: "Whole" | "TooLarge" | "TooSlow"
}

/**
 * How much of a body is read.
 *
 * @since 0.1.0
 * @category models
 */
export interface CollectOptions {
  /** In bytes. */
  readonly maxBytes: number
  /** For all of it, in milliseconds. Default: any time, as long as the transport sees it move. */
  readonly maxMillis?: number | undefined
}

interface Reading {
  text: string
  isWhole: boolean
}

const into = (
  reading: Reading,
  response: HttpClientResponse,
  maxBytes: number
): Effect.Effect<void, HttpClientError> =>
  Effect.suspend(() => {
    const decoder = new TextDecoder()
    let size = 0
    return ByteStream.runWhile(response.stream, (chunk) => {
      size += chunk.length
      reading.text += decoder.decode(chunk, { stream: true })
      reading.isWhole = size <= maxBytes
      return reading.isWhole
    }).pipe(
      // Some clients fail on a body that is not there instead of streaming nothing.
      Effect.catchTag("ResponseError", (error: ResponseError) =>
        error.reason === "EmptyBody" ? Effect.void : Effect.fail(error)
      ),
      Effect.zipRight(
        Effect.sync(() => {
          reading.text += decoder.decode()
        })
      )
    )
  })

/** A short answer that says how long it is need not be read piece by piece. What is coded may unfold to any length. */
const isWithin = ({ headers }: HttpClientResponse, maxBytes: number): boolean =>
  headers["content-encoding"] === undefined &&
  headers["content-length"] !== undefined &&
  Number(headers["content-length"]) <= Math.min(maxBytes, maxShortBytes)

const maxShortBytes = 64 * 1024

/**
 * Reads a body as text, and no more of it than is allowed.
 *
 * @since 0.1.0
 * @category reading
 */
export const collect = Effect.fnUntraced(function* (
  response: HttpClientResponse,
  { maxBytes, maxMillis = Number.POSITIVE_INFINITY }: CollectOptions
): Effect.fn.Return<Collected, HttpClientError> {
  const reading: Reading = { text: "", isWhole: true }
  const whole = isWithin(response, maxBytes)
    ? Effect.map(response.text, (text) => {
        reading.text = text
      })
    : into(reading, response, maxBytes)
  const inTime =
    maxMillis === Number.POSITIVE_INFINITY ? Effect.asSome(whole) : Effect.timeoutOption(whole, maxMillis)
  if (Option.isNone(yield* inTime)) return { text: reading.text, end: "TooSlow" }
  return { text: reading.text, end: reading.isWhole ? "Whole" : "TooLarge" }
})

const maxErrorBytes = 64 * 1024
const maxErrorMillis = 5000

/**
 * As much of an error body as comes: at most 64 KiB, within 5 s. The status has already told that the request failed, so
 * a body that breaks off, as it does when a server refuses an upload halfway, must not hide it.
 *
 * @since 0.1.0
 * @category reading
 */
export const collectError = (response: HttpClientResponse): Effect.Effect<string> =>
  Effect.suspend(() => {
    const reading: Reading = { text: "", isWhole: true }
    return into(reading, response, maxErrorBytes).pipe(
      Effect.timeoutOption(maxErrorMillis),
      Effect.ignore,
      Effect.map(() => reading.text)
    )
  })
