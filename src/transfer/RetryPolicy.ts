/**
 * When a failed exchange is tried again, and how long to wait before it.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Config from "effect/Config"
import type * as ConfigError from "effect/ConfigError"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Random from "effect/Random"
import * as Ref from "effect/Ref"
import * as Schedule from "effect/Schedule"
import * as Decision from "effect/ScheduleDecision"
import * as Interval from "effect/ScheduleInterval"

/**
 * What the policy reads of an error. Every error of this library has this shape.
 *
 * @since 0.1.0
 * @category models
 */
export interface Retryable {
  readonly isRetryable: boolean
  /** The server's `Retry-After`, in milliseconds from now. */
  readonly retryAfterMillis?: number | undefined
  /** The attempt moved the upload forward before it failed: counting and backoff start over. */
  readonly madeProgress?: boolean | undefined
}

/**
 * One decision to try again.
 *
 * @since 0.1.0
 * @category models
 */
export interface Retry<out E> {
  readonly error: E
  /** 1 for the first retry; starts over after progress. */
  readonly retry: number
  readonly delayMillis: number
}

/**
 * How often, how soon and how long to try again.
 *
 * @since 0.1.0
 * @category models
 */
export interface RetryPolicyOptions {
  /** Upper bound of the first delay; it doubles with every retry. Default 500 ms. */
  readonly baseDelay?: Duration.DurationInput | undefined
  /** Upper bound of every delay but a `Retry-After`. Default 30 s. */
  readonly maxDelay?: Duration.DurationInput | undefined
  /** Retries without progress. Default 8. */
  readonly maxRetries?: number | undefined
  /** No retry begins later than this after the first attempt began. Default 24 hours: some lines are slow. */
  readonly deadline?: Duration.DurationInput | undefined
  /** Retries that all uploads of one policy may have in a row before a success pays some back. Default 100. */
  readonly budget?: number | undefined
}

/**
 * What decides after each failure.
 *
 * @since 0.1.0
 * @category models
 */
export interface RetryPolicyService {
  /**
   * Decides after each failure; its output tells the wait to come. Backoff state is per retried effect, whose first
   * attempt began at `startedAtMillis` (since the epoch).
   */
  readonly schedule: <E extends Retryable>(startedAtMillis: number) => Schedule.Schedule<Retry<E>, E>
  /** Called after a success, so that a policy with a budget can refill it. */
  readonly succeeded: Effect.Effect<void>
}

const stop = <E>(error: E, retries: number) =>
  [retries, { error, retry: retries, delayMillis: 0 }, Decision.done] as const

/**
 * Exponential backoff with full jitter (`random × min(cap, base × 2ⁿ)`), a cap, a deadline over all attempts, and a
 * retry budget shared by everything that runs under the same policy. A `Retry-After` is never undercut; one that
 * reaches past the deadline ends the retrying at once.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (options: RetryPolicyOptions = {}): Effect.Effect<RetryPolicyService> =>
  Effect.map(Ref.make(options.budget ?? defaultBudget), (tokens) => withBudget(options, tokens))

const defaultBudget = 100

const withBudget = (options: RetryPolicyOptions, tokens: Ref.Ref<number>): RetryPolicyService => {
  const capacity = options.budget ?? defaultBudget
  const baseMillis = Duration.toMillis(options.baseDelay ?? "500 millis")
  const maxMillis = Duration.toMillis(options.maxDelay ?? "30 seconds")
  const deadlineMillis = Duration.toMillis(options.deadline ?? "24 hours")
  const maxRetries = options.maxRetries ?? 8

  const takeToken = Ref.modify(tokens, (left) => (left > 0 ? [true, left - 1] : [false, left]))

  const delayOf = (error: Retryable, retries: number) =>
    Effect.map(Random.next, (random) =>
      Math.max(
        Math.round(random * Math.min(maxMillis, baseMillis * 2 ** retries)),
        error.retryAfterMillis ?? 0
      )
    )

  const schedule = <E extends Retryable>(startedAtMillis: number) =>
    Schedule.makeWithState(0, (now, error: E, previous) =>
      Effect.gen(function* () {
        const retries = error.madeProgress === true ? 0 : previous
        if (!error.isRetryable || retries >= maxRetries) return stop(error, retries)
        const delayMillis = yield* delayOf(error, retries)
        const pastDeadline = now + delayMillis - startedAtMillis > deadlineMillis
        if (pastDeadline || !(yield* takeToken)) return stop(error, retries)
        return [
          retries + 1,
          { error, retry: retries + 1, delayMillis },
          Decision.continueWith(Interval.after(now + delayMillis))
        ] as const
      })
    )

  return {
    schedule,
    succeeded: Ref.update(tokens, (left) => Math.min(capacity, left + 1))
  }
}

/**
 * The policy in force. It is a reference with a default, so nothing has to be provided; replace it with `layer`,
 * `layerConfig`, or any schedule of your own.
 *
 * @since 0.1.0
 * @category references
 */
export class RetryPolicy extends Context.Reference<RetryPolicy>()(
  "effect-elastic-extensions/transfer/RetryPolicy",
  { defaultValue: (): RetryPolicyService => withBudget({}, Ref.unsafeMake(defaultBudget)) }
) {}

/**
 * A policy with these options, in place of the default.
 *
 * @example
 * ```ts
 * import { Archive, ExtensionUpload, RetryPolicy } from "effect-elastic-extensions"
 * import { Effect } from "effect"
 *
 * // For a job that somebody waits for: rather an error in ten minutes than success in an hour.
 * const program = ExtensionUpload.upload({
 *   extensionId: "882519870",
 *   archive: Archive.file("dist/analysis-acme-2.1.0.zip")
 * }).pipe(Effect.provide(RetryPolicy.layer({ maxRetries: 5, deadline: "10 minutes" })))
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (options: RetryPolicyOptions = {}): Layer.Layer<RetryPolicy> =>
  Layer.effect(RetryPolicy, make(options))

/**
 * `EC_UPLOAD_RETRY_BASE_DELAY`, `EC_UPLOAD_RETRY_MAX_DELAY`, `EC_UPLOAD_RETRIES`, `EC_UPLOAD_RETRY_DEADLINE`.
 *
 * @since 0.1.0
 * @category config
 */
export const config: Config.Config<RetryPolicyOptions> = Config.all({
  baseDelay: Config.duration("EC_UPLOAD_RETRY_BASE_DELAY").pipe(
    Config.withDefault(Duration.millis(500)),
    Config.withDescription("Upper bound of the first delay before a retry; doubles with every retry.")
  ),
  maxDelay: Config.duration("EC_UPLOAD_RETRY_MAX_DELAY").pipe(
    Config.withDefault(Duration.seconds(30)),
    Config.withDescription("Upper bound of every delay; a Retry-After may be longer.")
  ),
  maxRetries: Config.integer("EC_UPLOAD_RETRIES").pipe(
    Config.validate({ message: "must be 0 or more", validation: (retries) => retries >= 0 }),
    Config.withDefault(8),
    Config.withDescription("Retries without progress before the upload fails. 0 switches retrying off.")
  ),
  deadline: Config.duration("EC_UPLOAD_RETRY_DEADLINE").pipe(
    Config.withDefault(Duration.hours(24)),
    Config.withDescription("No retry begins later than this after the first attempt.")
  )
})

/**
 * The policy that `config` describes.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerConfig: Layer.Layer<RetryPolicy, ConfigError.ConfigError> = Layer.effect(
  RetryPolicy,
  Effect.flatMap(config, make)
)

/**
 * Runs an effect under the policy in force. `onRetry` runs before each wait. Errors that are not retryable, and the
 * last one when the policy gives up, come out unchanged.
 *
 * @example
 * ```ts
 * import { ExtensionsClient, RetryPolicy } from "effect-elastic-extensions"
 * import { Console, Effect } from "effect"
 *
 * const list = Effect.flatMap(ExtensionsClient.ExtensionsClient, (client) => client.list).pipe(
 *   RetryPolicy.retry(({ delayMillis, error }) =>
 *     Console.error(`${error._tag}: trying again in ${delayMillis} ms`)
 *   )
 * )
 * ```
 *
 * @since 0.1.0
 * @category combinators
 */
export const retry =
  <E extends Retryable, R2 = never>(
    onRetry: (retry: Retry<E>) => Effect.Effect<void, never, R2> = () => Effect.void
  ) =>
  <A, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R | R2> =>
    Effect.gen(function* () {
      const policy = yield* RetryPolicy
      const schedule = policy.schedule<E>(yield* Clock.currentTimeMillis)
      return yield* self.pipe(
        Effect.retry(
          Schedule.onDecision(schedule, (retry, decision) =>
            Decision.isContinue(decision) ? onRetry(retry) : Effect.void
          )
        ),
        Effect.tap(policy.succeeded)
      )
    })
