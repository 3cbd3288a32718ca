/**
 * Trying a step again, hours later if need be, on whatever machine is there by then.
 *
 * A step has tried for some seconds or minutes itself (see `RetryPolicy`) before it fails at all. What comes here is
 * waited for durably: the release is suspended, costs nothing meanwhile, and its wait survives the process.
 *
 * @since 0.1.0
 */
import * as Activity from "@effect/workflow/Activity"
import * as DurableClock from "@effect/workflow/DurableClock"
import { WorkflowEngine } from "@effect/workflow/WorkflowEngine"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import * as Predicate from "effect/Predicate"
import { noteWait } from "./internal/engine.ts"
import { stopIfCancelled } from "./internal/signals.ts"
import { isTransient, type ReleaseError } from "./ReleaseError.ts"

/**
 * How soon a step is tried again, and how often.
 *
 * @since 0.1.0
 * @category models
 */
export interface ReleaseRetryOptions {
  /** Before the second attempt; doubles with every further one. Default 10 s. */
  readonly firstDelay: Duration.DurationInput
  /** Default 15 minutes. A `Retry-After` may be longer. */
  readonly maxDelay: Duration.DurationInput
  /** Attempts of one step, the first included. Default 24: more than 4 hours. */
  readonly maxAttempts: number
}

const defaults: ReleaseRetryOptions = { firstDelay: "10 seconds", maxDelay: "15 minutes", maxAttempts: 24 }

/**
 * The waits in force: a reference with defaults.
 *
 * @since 0.1.0
 * @category references
 */
export class ReleaseRetry extends Context.Reference<ReleaseRetry>()(
  "effect-elastic-extensions/workflow/ReleaseRetry",
  { defaultValue: () => defaults }
) {}

/**
 * The defaults, but for what is given.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (options: Partial<ReleaseRetryOptions>): Layer.Layer<ReleaseRetry> =>
  Layer.succeed(ReleaseRetry, { ...defaults, ...options })

/**
 * Runs an activity until it succeeds, fails for good, or has used up its attempts; its last error comes out unchanged.
 * Each attempt has a result of its own in the engine, so a release that is taken up elsewhere goes on with the attempt
 * it was at.
 *
 * @since 0.1.0
 * @category combinators
 */
export const durably = Effect.fnUntraced(function* <A, E extends ReleaseError, R>(
  activity: Effect.Effect<A, E, R> & { readonly name: string }
) {
  const options = yield* ReleaseRetry
  for (let attempt = 1; ; attempt++) {
    const result = yield* Effect.either(Effect.provideService(activity, Activity.CurrentAttempt, attempt))
    const isFinal = Either.isRight(result) || attempt >= options.maxAttempts || !isTransient(result.left)
    if (isFinal) return yield* result
    yield* pause(activity.name, attempt, delay(options, attempt, result.left))
  }
})

/** No jitter: a release that is taken up again must come to the same waits. */
const delay = (options: ReleaseRetryOptions, attempt: number, error: ReleaseError): Duration.Duration => {
  const backoff = Duration.min(Duration.times(options.firstDelay, 2 ** (attempt - 1)), options.maxDelay)
  const asked = "retryAfterMillis" in error ? (error.retryAfterMillis ?? 0) : 0
  return Duration.max(backoff, Duration.millis(asked))
}

/**
 * Waiting is where a cancellation finds a release. It looks for one only as long as the wait is not over: what came after
 * the wait when the release first passed here must come after it again.
 */
const pause = Effect.fnUntraced(function* (activity: string, attempt: number, duration: Duration.Duration) {
  const name = `${activity}/${attempt}`
  const engine = yield* WorkflowEngine
  const { deferred } = DurableClock.make({ name, duration })
  const isOver = Predicate.isNotUndefined(yield* engine.deferredResult(deferred))
  if (!isOver) {
    yield* stopIfCancelled
    const step = activity.replace(/^.*\//, "")
    yield* Effect.logInfo(`Waits ${Duration.format(duration)}, then tries step ${step} again.`)
    yield* noteWait({
      _tag: "Retry",
      step,
      attempt: attempt + 1,
      atMillis: (yield* Clock.currentTimeMillis) + Duration.toMillis(duration)
    })
  }
  yield* DurableClock.sleep({ name, duration, inMemoryThreshold: Duration.zero })
})
