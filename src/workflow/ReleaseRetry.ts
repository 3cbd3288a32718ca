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
import { WorkflowEngine, type WorkflowInstance } from "@effect/workflow/WorkflowEngine"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Signals from "./internal/signals.ts"
import { isTransient, type ReleaseCancelled, type ReleaseError } from "./ReleaseError.ts"

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
export const durably = <A, E extends ReleaseError, R>(
  activity: Effect.Effect<A, E, R> & { readonly name: string }
): Effect.Effect<A, E | ReleaseCancelled, R | WorkflowEngine | WorkflowInstance> =>
  Effect.gen(function* () {
    const options = yield* ReleaseRetry
    const attempt = (
      number: number
    ): Effect.Effect<A, E | ReleaseCancelled, R | WorkflowEngine | WorkflowInstance> =>
      Effect.provideService(activity, Activity.CurrentAttempt, number).pipe(
        Effect.catchIf(
          (error) => isTransient(error) && number < options.maxAttempts,
          (error) =>
            pause(`${activity.name}/${number}`, delay(options, number, error)).pipe(
              Effect.zipRight(Effect.suspend(() => attempt(number + 1)))
            )
        )
      )
    return yield* attempt(1)
  })

/** No jitter: a release that is taken up again must come to the same waits. */
const delay = (options: ReleaseRetryOptions, attempt: number, error: ReleaseError): Duration.Duration => {
  const backoff = Duration.min(Duration.times(options.firstDelay, 2 ** (attempt - 1)), options.maxDelay)
  const asked = "retryAfterMillis" in error ? (error.retryAfterMillis ?? 0) : 0
  return Duration.max(backoff, Duration.millis(asked))
}

/**
 * Waiting is where a cancellation finds a release. It is looked for only as long as the wait is not over: what came after
 * the wait when the release first passed here must come after it again.
 */
const pause = (name: string, duration: Duration.Duration) =>
  Effect.gen(function* () {
    const engine = yield* WorkflowEngine
    const { deferred } = DurableClock.make({ name, duration })
    if ((yield* engine.deferredResult(deferred)) === undefined) yield* Signals.stopIfCancelled
    yield* DurableClock.sleep({ name, duration, inMemoryThreshold: Duration.zero })
  })
