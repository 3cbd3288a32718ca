import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { ConnectTimeout, DeadlineExceeded, UploadStalled } from "../../TransferError.ts"
import type { Connection } from "./connection.ts"
import type { Progress } from "./progress.ts"

/** What one exchange may take, in milliseconds; `Infinity` where it may take any time. @internal */
export interface Limits {
  readonly connect: number
  readonly continue: number
  readonly stall: number
  readonly response: number
  readonly deadline: number
}

/** @internal */
export const connectWithin = (connection: Connection, limit: number): Effect.Effect<void, ConnectTimeout> =>
  Effect.timeoutFail(connection.ready, {
    duration: Duration.millis(limit),
    onTimeout: () => new ConnectTimeout({ ...connection.progress.snapshot, limitMillis: limit })
  })

const stalled = (progress: Progress, limitMillis: number): UploadStalled =>
  new UploadStalled({ ...progress.snapshot, limitMillis })

const deadlineExceeded = (progress: Progress, limitMillis: number): DeadlineExceeded =>
  new DeadlineExceeded({ ...progress.snapshot, limitMillis })

/** A server may think about a whole upload for longer than a line may be silent. Earlier phases have limits of their own. */
const silenceAllowed = (progress: Progress, limits: Limits): number => {
  if (progress.phase === "sending") return limits.stall
  return progress.phase === "awaiting-response" ? limits.response : Number.POSITIVE_INFINITY
}

/**
 * Fails when nothing has moved for as long as the phase allows. It sleeps until that could first be the case and looks
 * again, so a transfer that moves pays nothing for it. It never sleeps past the end of the shortest limit, because the phase
 * may change meanwhile.
 *
 * @internal
 */
export const watchStall = (progress: Progress, limits: Limits): Effect.Effect<never, UploadStalled> =>
  Effect.suspend(() => {
    const limit = silenceAllowed(progress, limits)
    const left = progress.movedAt + limit - progress.now()
    if (left <= 0) return Effect.fail(stalled(progress, limit))
    return Effect.zipRight(
      Effect.sleep(Duration.millis(Math.min(left, limits.stall, limits.response))),
      watchStall(progress, limits)
    )
  })

/** @internal */
export const withinDeadline =
  (progress: () => Progress, limit: number) =>
  <A, E, R>(exchange: Effect.Effect<A, E, R>): Effect.Effect<A, E | DeadlineExceeded, R> =>
    limit === Number.POSITIVE_INFINITY
      ? exchange
      : Effect.timeoutFail(exchange, {
          duration: Duration.millis(limit),
          onTimeout: () => deadlineExceeded(progress(), limit)
        })

/**
 * For reading an answer, which may go on after the exchange was handed over: each wait for more may take as long as a
 * stall, and no longer than what is left until the deadline.
 *
 * @internal
 */
export const withinSilence =
  (progress: Progress, limits: Limits, deadlineAt: number) =>
  <A, E, R>(wait: Effect.Effect<A, E, R>): Effect.Effect<A, E | UploadStalled | DeadlineExceeded, R> =>
    Effect.suspend(() => {
      const left = Math.max(0, deadlineAt - progress.now())
      const patience = Math.min(limits.stall, left)
      if (patience === Number.POSITIVE_INFINITY) return wait
      return Effect.timeoutFail(wait, {
        duration: Duration.millis(patience),
        onTimeout: () =>
          left <= limits.stall ? deadlineExceeded(progress, limits.deadline) : stalled(progress, limits.stall)
      })
    })
