/**
 * When a failed exchange is tried again, and how long to wait before it.
 *
 * @since 0.1.0
 */
import type * as Headers from "@effect/platform/Headers"
import * as Clock from "effect/Clock"
import * as Config from "effect/Config"
import type * as ConfigError from "effect/ConfigError"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
import * as Option from "effect/Option"
import * as Ref from "effect/Ref"
import * as Schedule from "effect/Schedule"
import * as Decision from "effect/ScheduleDecision"
import { Resends } from "./HttpSpan.ts"
import * as Monotonic from "./Monotonic.ts"
import * as Variable from "./Variable.ts"

/**
 * What the policy reads of an error. Every error of this library has this shape.
 *
 * @since 0.1.0
 * @category models
 */
export interface Retryable {
  /** Names the reason in `retries`. */
  readonly _tag?: string | undefined
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
export interface RetryPolicyOptions extends RetryLimits {
  /** Upper bound of the first delay; it doubles with every retry. Default 500 ms. */
  readonly baseDelay?: Duration.DurationInput | undefined
  /** Upper bound of every delay but a `Retry-After`. Default 30 s. */
  readonly maxDelay?: Duration.DurationInput | undefined
  /** Retries without progress. Default 8. */
  readonly maxRetries?: number | undefined
}

/**
 * What ends retrying whatever the schedule says.
 *
 * @since 0.1.0
 * @category models
 */
export interface RetryLimits {
  /** No retry begins later than this after the first attempt began. Default 24 hours: some lines are slow. */
  readonly deadline?: Duration.DurationInput | undefined
  /** Retries that all uploads of one policy may have in a row before a success pays some back. Default 100. */
  readonly budget?: number | undefined
}

/** With which the environment's variables, options in code and no policy at all begin. */
const defaults = {
  baseDelay: Duration.millis(500),
  maxDelay: Duration.seconds(30),
  maxRetries: 8,
  deadline: Duration.hours(24),
  budget: 100
}

/**
 * What decides after each failure.
 *
 * @since 0.1.0
 * @category models
 */
export interface RetryPolicyService {
  /**
   * Decides after each failure; its output tells the wait to come. Its state belongs to one retried effect, and `elapsed`
   * tells the milliseconds since that effect's first attempt began.
   */
  readonly schedule: <E extends Retryable>(elapsed: Effect.Effect<number>) => Schedule.Schedule<Retry<E>, E>
  /** Called after a success, so that a policy with a budget can refill it. */
  readonly succeeded: Effect.Effect<void>
}

/** `random × min(maxDelay, baseDelay × 2ⁿ)`, so that many clients that failed together do not come back together. */
const backoff = (options: RetryPolicyOptions): Schedule.Schedule<unknown> =>
  Schedule.exponential(options.baseDelay ?? defaults.baseDelay).pipe(
    Schedule.union(Schedule.spaced(options.maxDelay ?? defaults.maxDelay)),
    Schedule.jitteredWith({ min: 0, max: 1 }),
    Schedule.intersect(Schedule.recurs(options.maxRetries ?? defaults.maxRetries))
  )

/**
 * What holds under every schedule: only retryable errors are retried, progress makes the schedule start over, and a
 * `Retry-After` is never undercut.
 */
const obliging = <E extends Retryable>(
  schedule: Schedule.Schedule<unknown, E>
): Schedule.Schedule<Retry<E>, E> =>
  Schedule.delays(schedule).pipe(
    Schedule.intersect(Schedule.forever),
    Schedule.intersect(Schedule.identity<E>()),
    Schedule.resetWhen(([, error]) => error.madeProgress === true),
    Schedule.map(([[delay, retries], error]) => ({
      error,
      retry: retries + 1,
      delayMillis: Math.max(Math.round(Duration.toMillis(delay)), error.retryAfterMillis ?? 0)
    })),
    Schedule.modifyDelay(({ delayMillis }) => Duration.millis(delayMillis)),
    Schedule.whileInput((error: E) => error.isRetryable)
  )

const withTokens = (
  schedule: Schedule.Schedule<unknown, Retryable>,
  limits: RetryLimits,
  tokens: Ref.Ref<number>
): RetryPolicyService => {
  const deadlineMillis = Duration.toMillis(limits.deadline ?? defaults.deadline)
  const takeToken = Ref.modify(tokens, (left) => (left > 0 ? [true, left - 1] : [false, left]))
  return {
    // Not `Schedule.upTo`, which reads the wall clock.
    schedule: <E extends Retryable>(elapsed: Effect.Effect<number>) =>
      Schedule.checkEffect(obliging<E>(schedule), (_, { delayMillis }) =>
        Effect.flatMap(elapsed, (millis) =>
          millis + delayMillis > deadlineMillis ? Effect.succeed(false) : takeToken
        )
      ),
    succeeded: Ref.update(tokens, (left) => Math.min(limits.budget ?? defaults.budget, left + 1))
  }
}

/**
 * Exponential backoff with full jitter (`random × min(cap, base × 2ⁿ)`), a cap, a deadline over all attempts, and a
 * retry budget shared by everything that runs under the same policy. A `Retry-After` is never undercut; one that
 * reaches past the deadline ends the retrying at once.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (options: RetryPolicyOptions = {}): Effect.Effect<RetryPolicyService> =>
  fromSchedule(backoff(options), options)

/**
 * A policy whose delays and whose number of retries are those of any `Schedule`. What the schedule does not decide stays:
 * errors that are not retryable are not retried, progress makes the schedule start over, a `Retry-After` is never
 * undercut, and `limits` end the retrying.
 *
 * @since 0.1.0
 * @category constructors
 */
export const fromSchedule = <R>(
  schedule: Schedule.Schedule<unknown, Retryable, R>,
  limits: RetryLimits = {}
): Effect.Effect<RetryPolicyService, never, R> =>
  Effect.zipWith(Effect.context<R>(), Ref.make(limits.budget ?? defaults.budget), (context, tokens) =>
    withTokens(Schedule.provideContext(schedule, context), limits, tokens)
  )

/**
 * The policy in force. It is a reference with a default, so nothing has to be provided; replace it with `layer`,
 * `layerConfig`, or `layerSchedule`.
 *
 * @since 0.1.0
 * @category references
 */
export class RetryPolicy extends Context.Reference<RetryPolicy>()(
  "effect-elastic-extensions/transfer/RetryPolicy",
  { defaultValue: (): RetryPolicyService => withTokens(backoff({}), {}, Ref.unsafeMake(defaults.budget)) }
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
 * The policy that `fromSchedule` makes of a schedule.
 *
 * @example
 * ```ts
 * import { RetryPolicy } from "effect-elastic-extensions"
 * import { Schedule } from "effect"
 *
 * // Every ten seconds, ten times.
 * const Patient = RetryPolicy.layerSchedule(
 *   Schedule.intersect(Schedule.spaced("10 seconds"), Schedule.recurs(10))
 * )
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layerSchedule = <R = never>(
  schedule: Schedule.Schedule<unknown, Retryable, R>,
  limits: RetryLimits = {}
): Layer.Layer<RetryPolicy, never, R> => Layer.effect(RetryPolicy, fromSchedule(schedule, limits))

/**
 * `EC_UPLOAD_RETRY_BASE_DELAY`, `EC_UPLOAD_RETRY_MAX_DELAY`, `EC_UPLOAD_RETRIES`, `EC_UPLOAD_RETRY_DEADLINE`.
 *
 * @since 0.1.0
 * @category config
 */
export const config: Config.Config<RetryPolicyOptions> = Config.all({
  baseDelay: Variable.duration("EC_UPLOAD_RETRY_BASE_DELAY", { example: "500ms", max: "1 hour" }).pipe(
    Config.withDefault(defaults.baseDelay),
    Config.withDescription("Upper bound of the first delay before a retry; doubles with every retry.")
  ),
  maxDelay: Variable.duration("EC_UPLOAD_RETRY_MAX_DELAY", { example: "30s", max: "1 day" }).pipe(
    Config.withDefault(defaults.maxDelay),
    Config.withDescription("Upper bound of every delay; a Retry-After may be longer.")
  ),
  maxRetries: Variable.count("EC_UPLOAD_RETRIES", { max: 1000 }).pipe(
    Config.withDefault(defaults.maxRetries),
    Config.withDescription("Retries without progress before the upload fails. 0 switches retrying off.")
  ),
  deadline: Variable.duration("EC_UPLOAD_RETRY_DEADLINE", { example: "2h" }).pipe(
    Config.withDefault(defaults.deadline),
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
 * Decisions to try again, by `reason`: the `_tag` of the error.
 *
 * @since 0.1.0
 * @category metrics
 */
export const retries: Metric.Metric.Counter<number> = Metric.counter("elastic_extensions_retries_total", {
  description: "Decisions to try again, by the error that was the reason.",
  incremental: true
})

const countRetry = ({ _tag: reason = "Other" }: Retryable) =>
  Metric.increment(Metric.tagged(retries, "reason", reason))

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
      const schedule = policy.schedule<E>(yield* Monotonic.stopwatch)
      const attempts = yield* Ref.make(0)
      return yield* Ref.getAndUpdate(attempts, (before) => before + 1).pipe(
        Effect.flatMap((before) => Effect.provideService(self, Resends, before)),
        Effect.retry(
          Schedule.onDecision(schedule, (retry, decision) =>
            Decision.isContinue(decision)
              ? Effect.zipRight(countRetry(retry.error), onRetry(retry))
              : Effect.void
          )
        ),
        Effect.tap(policy.succeeded)
      )
    })

/**
 * What a `Retry-After` asks for (RFC 9110, 10.2.3), in milliseconds from now; zero for a date that has passed, nothing
 * where there is none or it is of neither form. A date is read against the answer's own `Date`: the two clocks need not
 * agree.
 *
 * @since 0.1.0
 * @category headers
 */
export const retryAfterMillis = (headers: Headers.Headers): Effect.Effect<Option.Option<number>> =>
  Effect.map(Clock.currentTimeMillis, (now) => {
    const text = headers["retry-after"]?.trim() ?? ""
    if (/^\d{1,10}$/.test(text)) return Option.some(Number(text) * 1000)
    const from = Option.getOrElse(parseHttpDate(headers["date"]?.trim() ?? ""), () => now)
    return Option.map(parseHttpDate(text), (until) => Math.max(0, until - from))
  })

const imfOrRfc850 =
  /^(?:[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4}|[A-Z][a-z]+day, \d{2}-[A-Z][a-z]{2}-\d{2}) \d{2}:\d{2}:\d{2} GMT$/
const asctime = /^[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d{2}:\d{2}:\d{2} \d{4}$/

const parseHttpDate = (text: string): Option.Option<number> => {
  const date = imfOrRfc850.test(text) ? text : asctime.test(text) ? `${text} GMT` : ""
  return Option.filter(Option.some(Date.parse(date)), (millis) => !Number.isNaN(millis))
}
