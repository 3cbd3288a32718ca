/**
 * What `LocalElasticCloud` can be told to do wrong: the line, the server, or another writer in between.
 *
 * A rule names the requests it is for and one or more faults; a request uses up the first rule that matches it.
 *
 * @since 0.1.0
 */
import * as Zlib from "node:zlib"
import type * as Effect from "effect/Effect"
import { extensionJson, resourceHeaders } from "./internal/view.ts"
import type { StoredExtension } from "./StoredExtension.ts"

/**
 * A point in the life of one request, in this order:
 *
 * - `"arrival"`: the head was read, nothing else was done; no `100 Continue` was sent.
 * - `{ afterBodyBytes: n }`: exactly `n` bytes of the body were read (fewer when the body ends before).
 * - `"body"`: the whole body was read, nothing was applied.
 * - `"applied"`: the request was carried out or refused, nothing was answered.
 *
 * @since 0.1.0
 * @category models
 */
export type Moment = "arrival" | "body" | "applied" | { readonly afterBodyBytes: number }

/**
 * How a connection ends: `"close"` destroys the socket (the system sends a reset if bytes are waiting unread),
 * `"reset"` always sends a TCP reset, `"end"` sends a FIN and reads nothing more.
 *
 * @since 0.1.0
 * @category models
 */
export type CutKind = "close" | "reset" | "end"

/**
 * A (1xx) response before the final one, written as it stands.
 *
 * @since 0.1.0
 * @category models
 */
export interface InterimResponse {
  readonly status: number
  readonly reason?: string | undefined
  readonly headers?: Readonly<Record<string, string>> | undefined
}

/**
 * An answer given in place of the service's own. `content-length` is added unless the headers name one.
 *
 * @since 0.1.0
 * @category models
 */
export interface ForcedAnswer {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>> | undefined
  readonly body?: string | Uint8Array | undefined
}

/**
 * The service's own answer, before a fault alters it. Names of headers are lower case.
 *
 * @since 0.1.0
 * @category models
 */
export interface GivenAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: Uint8Array
}

/**
 * One thing that goes wrong. Make them with the constructors below.
 *
 * @since 0.1.0
 * @category models
 */
export type Fault =
  | { readonly _tag: "Cut"; readonly at: Moment; readonly how: CutKind }
  | { readonly _tag: "Hang"; readonly at: Moment }
  | { readonly _tag: "Delay"; readonly at: Moment; readonly millis: number }
  | { readonly _tag: "Run"; readonly at: Moment; readonly effect: Effect.Effect<void> }
  | { readonly _tag: "Interim"; readonly at: Moment; readonly responses: ReadonlyArray<InterimResponse> }
  | ({ readonly _tag: "Answer" } & ForcedAnswer)
  | ({ readonly _tag: "AnswerEarly"; readonly close: boolean } & ForcedAnswer)
  | {
      readonly _tag: "AlterAnswer"
      /** Makes the answer that is sent of the one that would have been. */
      readonly alter: (answer: GivenAnswer) => ForcedAnswer
    }
  | { readonly _tag: "CutAnswer"; readonly bytes: number | undefined }
  | { readonly _tag: "Duplicate"; readonly afterMillis: number }
  | { readonly _tag: "ReadSlowly"; readonly bytesPerSecond: number }
  | { readonly _tag: "HeadFirst" }
  | { readonly _tag: "IgnoreExpect" }
  | { readonly _tag: "ExpectationFailed" }

/**
 * The faults that strike at a moment, as opposed to those that change how a whole request is treated.
 *
 * @since 0.1.0
 * @category models
 */
export type MomentaryFault = Extract<Fault, { readonly at: Moment }>

/**
 * Which requests a fault is for. Without `method` or `path`, any; without `times`, one.
 *
 * @since 0.1.0
 * @category models
 */
export interface FaultRule {
  readonly method?: string | undefined
  /** Part of the path and query, or an expression that finds it. */
  readonly path?: string | RegExp | undefined
  /** How many matching requests are affected. Default 1. */
  readonly times?: number | undefined
  /** One fault, or several that strike the same request. */
  readonly fault: Fault | ReadonlyArray<Fault>
}

/**
 * The connection ends at a moment: `cut("arrival")` before the body is read, `cut({ afterBodyBytes: n })` in its
 * middle, `cut("applied")` when the archive is stored and the answer is lost, `cut("arrival", "end")` for a server that
 * closes without reading.
 *
 * @since 0.1.0
 * @category constructors
 */
export const cut = (at: Moment, how: CutKind = "close"): Fault => ({ _tag: "Cut", at, how })

/**
 * Nothing happens any more from a moment on, and the connection stays open: no byte is read, none is answered.
 *
 * @since 0.1.0
 * @category constructors
 */
export const hang = (at: Moment): Fault => ({ _tag: "Hang", at })

/**
 * A pause in milliseconds, by default between carrying the request out and answering it.
 *
 * @since 0.1.0
 * @category constructors
 */
export const delay = (millis: number, at: Moment = "applied"): Fault => ({ _tag: "Delay", at, millis })

/**
 * Runs an effect at a moment, and goes on when it is done: another writer in between, a restart, a latch for the test.
 *
 * @since 0.1.0
 * @category constructors
 */
export const run = (at: Moment, effect: Effect.Effect<void>): Fault => ({ _tag: "Run", at, effect })

/**
 * Interim (1xx) responses at a moment, in order.
 *
 * @since 0.1.0
 * @category constructors
 */
export const interim = (at: Moment, ...responses: ReadonlyArray<InterimResponse>): Fault => ({
  _tag: "Interim",
  at,
  responses
})

/**
 * Reads the whole body, applies nothing, and gives this answer.
 *
 * @since 0.1.0
 * @category constructors
 */
export const answer = (reply: ForcedAnswer): Fault => ({ _tag: "Answer", ...reply })

/**
 * Reads the whole body, applies nothing, and refuses as the service would: a code in the body and in
 * `x-cloud-error-codes`.
 *
 * @since 0.1.0
 * @category constructors
 */
export const refuse = (status: number, code: string, message: string = code): Fault =>
  answer({
    status,
    headers: { "content-type": "application/json", "x-cloud-error-codes": code },
    body: JSON.stringify({ errors: [{ code, message }] })
  })

/**
 * Answers without reading the body. With `close` the connection is closed at once, unread bytes or not, which can
 * cost the client the answer; without, it stays open and unread.
 *
 * @since 0.1.0
 * @category constructors
 */
export const answerEarly = (reply: ForcedAnswer & { readonly close: boolean }): Fault => ({
  _tag: "AnswerEarly",
  ...reply
})

/**
 * A refusal that passes: reads the whole body, applies nothing, and answers with `Retry-After`, in seconds or as a date.
 * `423 Locked` of an upload that somebody else seems to hold, `429 Too Many Requests`, `503 Service Unavailable`.
 *
 * @since 0.1.0
 * @category constructors
 */
export const retryAfter = (status: number, after: number | Date): Fault =>
  answer({
    status,
    headers: { "retry-after": typeof after === "number" ? String(after) : after.toUTCString() }
  })

/**
 * Claims success where nothing was applied: answers 200 with an extension as it was before, either after the whole body
 * was read or, with `early`, without reading it.
 *
 * @since 0.1.0
 * @category constructors
 */
export const falseSuccess = (
  extension: StoredExtension,
  { close = false, early = false }: { readonly early?: boolean; readonly close?: boolean } = {}
): Fault => {
  const reply = {
    status: 200,
    headers: { "content-type": "application/json", ...resourceHeaders(extension) },
    body: JSON.stringify(extensionJson(extension, { link: null }))
  }
  return early ? answerEarly({ ...reply, close }) : answer(reply)
}

/**
 * Carries the request out and changes the service's own answer on its way back.
 *
 * @since 0.1.0
 * @category constructors
 */
export const alterAnswer = (alter: (answer: GivenAnswer) => ForcedAnswer): Fault => ({
  _tag: "AlterAnswer",
  alter
})

/**
 * Takes headers out of the answer, as some proxies do: `dropHeaders("upload-complete")`.
 *
 * @since 0.1.0
 * @category constructors
 */
export const dropHeaders = (...names: ReadonlyArray<string>): Fault => {
  const dropped = new Set(names.map((name) => name.toLowerCase()))
  return alterAnswer(({ headers, ...rest }) => ({
    ...rest,
    headers: Object.fromEntries(Object.entries(headers).filter(([name]) => !dropped.has(name)))
  }))
}

/**
 * Makes the answer speak of another extension: the service's own answer, with this id in its body.
 *
 * @since 0.1.0
 * @category constructors
 */
export const mistakenIdentity = (id: string): Fault =>
  alterAnswer(({ body, ...rest }) => {
    const extension: object = JSON.parse(Buffer.from(body).toString("utf8"))
    return { ...rest, body: JSON.stringify({ ...extension, id }) }
  })

/**
 * Sends the answer compressed, whether or not the client asked for that.
 *
 * @since 0.1.0
 * @category constructors
 */
export const gzipAnswer: Fault = alterAnswer(({ body, headers, status }) => ({
  status,
  headers: { ...headers, "content-encoding": "gzip" },
  body: Zlib.gzipSync(body)
}))

/**
 * Delivers the request twice, as a gateway that tries again does: what it asks for is applied once more, by default
 * before the first delivery is answered, else so many milliseconds after it was applied.
 *
 * @since 0.1.0
 * @category constructors
 */
export const duplicate = (afterMillis = 0): Fault => ({ _tag: "Duplicate", afterMillis })

/**
 * Cuts the connection when `bytes` bytes of the answer's body were sent, by default half of them. `content-length`
 * still promises the whole.
 *
 * @since 0.1.0
 * @category constructors
 */
export const cutAnswer = (bytes?: number): Fault => ({ _tag: "CutAnswer", bytes })

/**
 * Reads the body at no more than this rate, in bytes per second.
 *
 * @since 0.1.0
 * @category constructors
 */
export const readSlowly = (bytesPerSecond: number): Fault => ({ _tag: "ReadSlowly", bytesPerSecond })

/**
 * Asks for a `download_url` with HEAD before it fetches, and refuses to fetch where that does not succeed: a link that was
 * signed for GET alone is refused.
 *
 * @since 0.1.0
 * @category constructors
 */
export const headFirst: Fault = { _tag: "HeadFirst" }

/**
 * Never sends `100 Continue`, and waits for the body all the same.
 *
 * @since 0.1.0
 * @category constructors
 */
export const ignoreExpect: Fault = { _tag: "IgnoreExpect" }

/**
 * Answers `417 Expectation Failed` to a request that carries `Expect`, and lets any other pass.
 *
 * @since 0.1.0
 * @category constructors
 */
export const expectationFailed: Fault = { _tag: "ExpectationFailed" }
