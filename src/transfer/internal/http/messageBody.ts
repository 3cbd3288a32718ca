import type * as Http from "node:http"
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import type { ConnectionFailed, DeadlineExceeded, UploadStalled } from "../../TransferError.ts"
import { type Connection, connectionFailed } from "./connection.ts"
import { type Limits, withinSilence } from "./limits.ts"

/** What can end an answer before its time. @internal */
export type ReceivingError = ConnectionFailed | UploadStalled | DeadlineExceeded

/** A final response and what is needed to read it to its end. @internal */
export interface Answer {
  readonly connection: Connection
  readonly message: Http.IncomingMessage
  readonly remoteAddress: string | undefined
  readonly limits: Limits
  /** Milliseconds since the epoch, or `Infinity`. */
  readonly deadlineAt: number
}

/**
 * The body of a response, pulled: the socket is read no further than was asked for, and closed at the body's end.
 *
 * It listens for the end from the moment it is made, because an answer can be cut before anyone reads it.
 *
 * @internal
 */
export const make = (answer: Answer): Stream.Stream<Uint8Array, ReceivingError> => {
  const { connection, message } = answer
  let failure: Error | undefined
  let ended = false
  message.once("end", () => {
    ended = true
    connection.close()
  })
  message.on("error", (error) => {
    failure ??= error
  })
  message.once("close", () => {
    if (!message.complete) failure ??= new Error("the answer was cut short")
  })

  const limited = withinSilence(connection.progress, answer.limits, answer.deadlineAt)
  const read = (): Uint8Array | null => message.read()
  const pull: Effect.Effect<Chunk.Chunk<Uint8Array>, Option.Option<ReceivingError>> = Effect.suspend(() => {
    const bytes = read()
    if (bytes !== null) return Effect.succeed(Chunk.of(bytes))
    if (failure !== undefined) return Effect.fail(Option.some(connectionFailed(connection.progress, failure)))
    if (ended) return Effect.fail(Option.none())
    return Effect.zipRight(Effect.mapError(limited(arrival(message)), Option.some), pull)
  })
  return Stream.ensuring(Stream.repeatEffectChunkOption(pull), Effect.sync(connection.close))
}

const events = ["readable", "end", "error", "close"]

/** Waits until there is more to know about a message, good or bad. */
const arrival = (message: Http.IncomingMessage): Effect.Effect<void> =>
  Effect.async((resume) => {
    const settle = () => {
      forget()
      resume(Effect.void)
    }
    const forget = () => {
      for (const event of events) message.off(event, settle)
    }
    for (const event of events) message.on(event, settle)
    return Effect.sync(forget)
  })
