import * as Fs from "node:fs"
import { Readable } from "node:stream"
import { pipeline } from "node:stream/promises"
import * as Effect from "effect/Effect"
import * as Exchange from "./exchange.ts"
import { ConnectionGone } from "./exchange.ts"
import type { Reply, ReplyBody } from "./reply.ts"
import * as RequestBody from "./requestBody.ts"

/** How long a refused client may take to notice, in milliseconds, before its unread bytes cost it the answer. */
const LINGER_MILLIS = 1000

const sizeOf = (body: ReplyBody): number => (body._tag === "File" ? body.size : body.bytes.length)

/** These statuses have no body and must not speak of one. */
const isBodyless = (status: number): boolean => status === 204 || status === 304

const sendHead = (
  exchange: Exchange.Exchange,
  { body, headers, status }: Reply,
  isLast: boolean
): Effect.Effect<void, ConnectionGone> =>
  Effect.suspend(() => {
    if (exchange.request.socket.destroyed) return Effect.fail(new ConnectionGone())
    exchange.entry.answered(status)
    exchange.response.writeHead(status, {
      ...(isBodyless(status) ? {} : { "content-length": String(sizeOf(body)) }),
      ...(isLast ? { connection: "close" } : {}),
      ...headers
    })
    exchange.response.flushHeaders()
    return Effect.void
  })

const firstBytes = (body: ReplyBody, bytes: number): Readable =>
  body._tag === "File"
    ? Fs.createReadStream(body.path, { end: bytes - 1 })
    : Readable.from([body.bytes.subarray(0, bytes)])

const sendBody = (
  exchange: Exchange.Exchange,
  body: ReplyBody,
  bytes: number
): Effect.Effect<void, ConnectionGone> =>
  bytes === 0
    ? Effect.void
    : Effect.tryPromise({
        try: (signal) => pipeline(firstBytes(body, bytes), exchange.response, { end: false, signal }),
        catch: () => new ConnectionGone()
      })

const sendWhole = (
  exchange: Exchange.Exchange,
  reply: Reply,
  isLast: boolean
): Effect.Effect<void, ConnectionGone> =>
  Effect.zipRight(sendHead(exchange, reply, isLast), sendBody(exchange, reply.body, sizeOf(reply.body)))

const end = (exchange: Exchange.Exchange): Effect.Effect<void> =>
  Effect.sync(() => {
    exchange.response.end()
  })

/**
 * Answers. If the body was not read to its end, the connection closes, but only after the client had a moment to stop
 * sending: closing on unread bytes would take the answer back.
 *
 * @internal
 */
export const send = (exchange: Exchange.Exchange, reply: Reply): Effect.Effect<void, ConnectionGone> =>
  Effect.gen(function* () {
    const isUnread = !exchange.entry.isComplete()
    yield* sendWhole(exchange, reply, isUnread)
    if (isUnread) yield* Effect.timeoutOption(RequestBody.linger(exchange), LINGER_MILLIS)
    yield* end(exchange)
  })

/**
 * Answers and reads nothing: either closes at once, or leaves the connection as it is.
 *
 * @internal
 */
export const sendUnread = (
  exchange: Exchange.Exchange,
  reply: Reply,
  close: boolean
): Effect.Effect<void, ConnectionGone> =>
  Effect.zipRight(
    sendWhole(exchange, reply, close),
    close ? Effect.sync(() => exchange.request.socket.destroySoon()) : Exchange.hold(exchange)
  )

/**
 * Begins to answer, and closes the connection when `bytes` bytes of the body are sent.
 *
 * @internal
 */
export const sendPart = (
  exchange: Exchange.Exchange,
  reply: Reply,
  bytes = Math.floor(sizeOf(reply.body) / 2)
): Effect.Effect<void, ConnectionGone> =>
  Effect.gen(function* () {
    yield* sendHead(exchange, reply, false)
    yield* sendBody(exchange, reply.body, Math.min(bytes, sizeOf(reply.body)))
    exchange.request.socket.destroySoon()
  })
