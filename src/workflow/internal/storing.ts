/** Storing what must not be lost, in a database that may be away, slow or full for a while. */
import type { MalformedMessage, PersistenceError } from "@effect/cluster/ClusterError"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Schedule from "effect/Schedule"
import { attribute } from "../../telemetry.ts"

export type Storing<A = void> = Effect.Effect<A, PersistenceError | MalformedMessage>

class Unanswered extends Data.TaggedError("Unanswered") {}

type StoringError = PersistenceError | MalformedMessage | Unanswered

/** A statement that is not answered within this time is taken for lost, and made again. */
export const answerLimit = "10 seconds"

const notStored = "A result could not be stored. It is kept, and tried again."

const firstWait = "200 millis"

export const soon = Schedule.exponential(firstWait).pipe(Schedule.union(Schedule.spaced("1 second")))

export interface ResultOf {
  readonly executionId: string
  /** What kind of message it answers. */
  readonly tag: string
  /** Whether this runner still has the release. */
  readonly isOurs: Effect.Effect<boolean>
}

/**
 * Tries until the result is stored, or this runner has lost the shard and the next one will come to the result itself; then it is
 * interrupted. In a fiber of its own: whoever answers cannot be interrupted, and a statement that hangs has to be.
 */
export const untilStored = <A>({ executionId, isOurs, tag }: ResultOf, store: Storing<A>): Storing<A> => {
  const attempt = Effect.disconnect(store).pipe(
    Effect.timeoutFail({ duration: answerLimit, onTimeout: (): StoringError => new Unanswered() })
  )
  const isWorthwhile = (error: StoringError) =>
    error._tag === "MalformedMessage" ? Effect.succeed(false) : isOurs
  const tryAgain = attempt.pipe(
    Effect.tapError((error) => Effect.logDebug(notStored, error)),
    Effect.retry({ schedule: soon, while: isWorthwhile }),
    Effect.delay(firstWait),
    Effect.zipLeft(Effect.logInfo("The result is stored now."))
  )
  const storing = Effect.catchAll(attempt, (error) =>
    Effect.logWarning(notStored, error).pipe(
      Effect.zipRight(isWorthwhile(error)),
      Effect.flatMap((worthwhile) => (worthwhile ? tryAgain : Effect.fail(error))),
      Effect.annotateLogs({
        [attribute.releaseExecution]: executionId,
        [attribute.releaseMessage]: tag
      }),
      Effect.catchTags({ PersistenceError: () => Effect.interrupt, Unanswered: () => Effect.interrupt })
    )
  )
  return Effect.flatMap(Effect.forkDaemon(Effect.interruptible(storing)), Fiber.join)
}
