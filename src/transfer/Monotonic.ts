/**
 * Time that only moves forward. The wall clock says when something happened; how long it took, and whether a limit has
 * passed, is read here, because a wall clock can be set while an upload runs.
 *
 * @since 0.1.0
 */
import type * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"

/**
 * Milliseconds since a moment that means nothing by itself: only the difference of two readings does.
 *
 * Node, Bun and Deno read these nanoseconds from `process.hrtime`, which no change of the system's time moves. A
 * `TestClock` moves them with its own time.
 *
 * @since 0.1.0
 * @category unsafe
 */
export const unsafeNow = (clock: Clock.Clock): number => Number(clock.unsafeCurrentTimeNanos()) / 1_000_000

/**
 * Milliseconds since a moment that means nothing by itself: only the difference of two readings does.
 *
 * @since 0.1.0
 * @category constructors
 */
export const now: Effect.Effect<number> = Effect.clockWith((clock) => Effect.sync(() => unsafeNow(clock)))

/**
 * Whole milliseconds since an earlier reading of `now`; never negative.
 *
 * @since 0.1.0
 * @category measuring
 */
export const elapsedMillis = (since: number): Effect.Effect<number> =>
  Effect.map(now, (until) => Math.max(0, Math.round(until - since)))

/**
 * Starts a stopwatch. The effect inside reads it, as often as needed: whole milliseconds since it was started.
 *
 * @example
 * ```ts
 * import { Monotonic } from "effect-elastic-extensions"
 * import { Console, Effect } from "effect"
 *
 * const program = Effect.gen(function* () {
 *   const elapsed = yield* Monotonic.stopwatch
 *   yield* Effect.sleep("2 seconds")
 *   yield* Console.log(`It took ${yield* elapsed} ms`)
 * })
 * ```
 *
 * @since 0.1.0
 * @category measuring
 */
export const stopwatch: Effect.Effect<Effect.Effect<number>> = Effect.map(now, elapsedMillis)
