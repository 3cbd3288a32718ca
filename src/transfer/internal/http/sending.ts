/** A request's body, and how it is sent: at the speed of the line, and exactly as long as announced. */
import type * as HttpBody from "@effect/platform/HttpBody"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import * as ByteStream from "../../../byteStream.ts"
import type { Bandwidth } from "../../Bandwidth.ts"
import type { ExchangeOptions } from "../../Exchange.ts"
import { BodyLengthMismatch } from "../../TransferError.ts"
import type { Connection } from "./connection.ts"
import type { Interim } from "./interim.ts"

/**
 * Any `HttpBody` in one of the two shapes the sending loop knows. A length that is not known means
 * `Transfer-Encoding: chunked`.
 */
export interface RequestBody {
  readonly length: number | undefined
  readonly contentType: string | undefined
  readonly content: Content
}

type Content =
  | { readonly _tag: "Bytes"; readonly bytes: Uint8Array }
  | { readonly _tag: "Chunks"; readonly chunks: Stream.Stream<Uint8Array, unknown> }

export const fromHttpBody = (body: HttpBody.HttpBody): Effect.Effect<RequestBody, string> => {
  switch (body._tag) {
    case "Empty":
      return Effect.succeed(fromBytes(new Uint8Array(0), undefined))
    case "Uint8Array":
      return Effect.succeed(fromBytes(body.body, body.contentType))
    case "Raw":
      return fromRaw(body)
    case "Stream":
      return Effect.succeed({
        length: body.contentLength,
        contentType: body.contentType,
        content: { _tag: "Chunks", chunks: body.stream }
      })
    case "FormData":
      return fromFormData(body.formData)
  }
}

const fromBytes = (bytes: Uint8Array, contentType: string | undefined): RequestBody => ({
  length: bytes.byteLength,
  contentType,
  content: { _tag: "Bytes", bytes }
})

const fromRaw = (raw: HttpBody.Raw): Effect.Effect<RequestBody, string> => {
  if (typeof raw.body === "string") {
    return Effect.succeed(fromBytes(new TextEncoder().encode(raw.body), raw.contentType))
  }
  return raw.body instanceof Uint8Array
    ? Effect.succeed(fromBytes(raw.body, raw.contentType))
    : Effect.fail("a raw body has to be a string or a Uint8Array")
}

/** The platform's own encoder chooses the boundary; it tells no length. */
const fromFormData = (formData: FormData): Effect.Effect<RequestBody, string> =>
  Effect.sync(() => {
    const encoded = new Response(formData)
    // Read before the body is: Bun no longer tells it afterwards.
    const contentType = encoded.headers.get("content-type") ?? undefined
    const chunks = Option.match(Option.fromNullable(encoded.body), {
      onNone: () => Stream.empty,
      onSome: (body) =>
        Stream.fromReadableStream(
          () => body,
          (cause) => cause
        )
    })
    return {
      length: undefined,
      contentType,
      content: { _tag: "Chunks", chunks }
    }
  })

/**
 * What is written at once, in bytes. A large write costs nothing beside the copy into the kernel; small ones let a slow line
 * show movement long before anyone calls it stalled. So slices grow while the line takes them quickly. They grow with what
 * was sent as well, because the first megabytes only fill the kernel's own buffer and say nothing about the line.
 */
const smallestSlice = 64 * 1024
const largestSlice = 2 * 1024 * 1024
const quickMillis = 1000

/** Only a line far above the usual takes so much in so short a time; it gets the largest slices, which cost the least. */
const usualSlice = 1024 * 1024
const instantMillis = 100

const nextSlice = (slice: number, millis: number, bytesSent: number): number => {
  if (millis > quickMillis) return smallestSlice
  if (slice * 8 > bytesSent || (slice >= usualSlice && millis > instantMillis)) return slice
  return Math.min(largestSlice, slice * 2)
}

/**
 * Writes handed to the socket and not yet taken by the operating system. While it takes one, the other is there for the line,
 * and whoever makes the chunks goes on with the next.
 */
const maxInFlight = 2

/** The body's own stream failed; its error travels unchanged. */
export class BodyFailed {
  readonly _tag = "BodyFailed"
  readonly cause: unknown

  constructor(cause: unknown) {
    this.cause = cause
  }
}

export interface Sending {
  readonly connection: Connection
  readonly body: RequestBody
  readonly interim: Interim
  readonly bandwidth: typeof Bandwidth.Service
  readonly options: Pick<ExchangeOptions, "beforeLast" | "onWritten">
}

/**
 * Waits until the server asks for the body, or for a while: a server that does not know `Expect` says nothing.
 *
 * `node:http` sends the head of such a request by itself. Flushing it as well would be an empty write, and over TLS Deno never
 * gets past one.
 */
export const awaitContinue = (
  connection: Connection,
  patience: Duration.DurationInput
): Effect.Effect<void> =>
  Effect.suspend(() => {
    connection.progress.enter("awaiting-continue")
    return Effect.asVoid(Effect.timeoutOption(connection.goAhead, patience))
  })

/** Sends the whole body, exactly as long as announced, and ends the request. */
export const sendBody = (sending: Sending): Effect.Effect<void, BodyFailed | BodyLengthMismatch> =>
  Effect.suspend(() => {
    const { content } = sending.body
    const { progress, request } = sending.connection
    const writer = makeWriter(sending)
    progress.enter("sending")
    return Effect.flatMap(
      content._tag === "Bytes"
        ? writer.write(content.bytes, sending.options.beforeLast)
        : sendChunks(content.chunks, sending, writer.write),
      () => {
        request.end()
        return Effect.map(writer.flushed, () => progress.enter("awaiting-response"))
      }
    )
  })

/**
 * The chunk that would complete the announced length is held until the stream has ended. So a stream that runs on is found
 * out while the body is still incomplete on the wire, and the server cannot take it for whole.
 */
const sendChunks = (
  chunks: Stream.Stream<Uint8Array, unknown>,
  { body, connection: { progress }, options: { beforeLast } }: Sending,
  write: ReturnType<typeof makeWriter>["write"]
): Effect.Effect<void, BodyFailed | BodyLengthMismatch> => {
  const mismatch = (reason: "Short" | "Long") =>
    Effect.fail(new BodyLengthMismatch({ ...progress.snapshot, reason }))
  let last: Uint8Array | undefined

  const accept = (chunk: Uint8Array) => {
    if (chunk.byteLength === 0) return Effect.void
    if (last !== undefined) return mismatch("Long")
    const end = progress.bytesSent + chunk.byteLength
    if (body.length === undefined || end < body.length) return write(chunk)
    if (end > body.length) return mismatch("Long")
    last = chunk
    return Effect.void
  }

  const finish = Effect.suspend(() => {
    if (last !== undefined) return write(last, beforeLast)
    return body.length === undefined || progress.bytesSent === body.length ? Effect.void : mismatch("Short")
  })

  const failed = (cause: unknown) => new BodyFailed(cause)
  return Effect.zipRight(ByteStream.forEach(ByteStream.mapError(chunks, failed), accept), finish)
}

/**
 * Writes at the speed of the line. A write whose callback reports an error is not told to anyone here: the connection
 * reports it, unless an answer was on its way.
 *
 * A slice goes out without a step of the fiber unless there is something to wait for: large bodies have thousands of them.
 */
const makeWriter = ({ bandwidth, connection, interim, options: { onWritten } }: Sending) => {
  const { progress, request } = connection
  const room = Effect.unsafeMakeLatch(true)
  const empty = Effect.unsafeMakeLatch(true)
  let inFlight = 0
  let slice = smallestSlice

  const taken = (error?: Error | null) => {
    if (error) return
    slice = nextSlice(slice, progress.now() - progress.movedAt, progress.bytesSent)
    progress.moved()
    inFlight -= 1
    room.unsafeOpen()
    if (inFlight === 0) empty.unsafeOpen()
  }

  const writeSlice = (bytes: Uint8Array) => {
    progress.bytesSent += bytes.byteLength
    inFlight += 1
    empty.unsafeClose()
    if (inFlight === maxInFlight) room.unsafeClose()
    request.write(bytes, taken)
  }

  /** What comes before the end waits for the line, and for its share of the bandwidth: nothing waits after it. */
  const write = (chunk: Uint8Array, beforeEnd?: Effect.Effect<void>): Effect.Effect<void> => {
    let offset = 0
    const rest = (): Effect.Effect<void> => {
      if (offset === chunk.byteLength) return Effect.void
      return inFlight < maxInFlight ? reserved() : Effect.flatMap(room.await, reserved)
    }
    const reserved = () =>
      Effect.flatMap(bandwidth.reserve(Math.min(slice, chunk.byteLength - offset)), (granted) => {
        if (beforeEnd !== undefined && offset + granted === chunk.byteLength) {
          const before = Effect.zipRight(Effect.zipRight(empty.await, interim.settled), beforeEnd)
          return Effect.flatMap(before, () => send(granted))
        }
        return interim.isSettled() ? send(granted) : Effect.flatMap(interim.settled, () => send(granted))
      })
    const send = (granted: number) => {
      writeSlice(chunk.subarray(offset, offset + granted))
      offset += granted
      return onWritten === undefined ? rest() : Effect.flatMap(onWritten(progress.bytesSent), rest)
    }
    return Effect.suspend(rest)
  }

  return { write, flushed: empty.await }
}
