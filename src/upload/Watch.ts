/**
 * Watching a server for something to appear, gently: the pauses grow, and those of many clients do not coincide.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import * as Monotonic from "../transfer/Monotonic.ts"

/**
 * Looks again and again until something is settled or the window has closed. The last pause ends with the window, so the
 * last look is never older than that. A look that has begun is never cut off.
 *
 * @since 0.1.0
 * @category watching
 */
export const watch = <A, E, R>(
  look: Effect.Effect<A, E, R>,
  options: {
    readonly isSettled: (seen: A) => boolean
    readonly window: Duration.DurationInput
    /** Pauses between the looks. Default `pauses`. */
    readonly schedule?: Schedule.Schedule<unknown> | undefined
  }
): Effect.Effect<A, E, R> =>
  Effect.gen(function* () {
    const elapsed = yield* Monotonic.stopwatch
    const windowMillis = Duration.toMillis(options.window)
    const left = Effect.map(elapsed, (millis) => windowMillis - millis)
    const withinWindow = (options.schedule ?? pauses).pipe(
      Schedule.delayedEffect((pause) =>
        Effect.map(left, (millis) => Duration.millis(Math.ceil(Math.min(Duration.toMillis(pause), millis))))
      ),
      Schedule.whileInputEffect(() => Effect.map(left, (millis) => millis > 0)),
      Schedule.zipRight(Schedule.identity<A>())
    )
    return yield* Effect.repeat(look, { schedule: withinWindow, until: options.isSettled })
  })

/**
 * From 1 second to 10, with jitter: no more than five looks in the first ten seconds.
 *
 * @since 0.1.0
 * @category schedules
 */
export const pauses: Schedule.Schedule<unknown> = Schedule.exponential("1 second").pipe(
  Schedule.union(Schedule.spaced("10 seconds")),
  Schedule.jittered
)
