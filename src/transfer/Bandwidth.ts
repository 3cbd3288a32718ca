/**
 * How fast request bodies may leave, shared by every upload of one client and changeable while they run.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Monotonic from "./Monotonic.ts"

/**
 * Grants bytes in turn. The limit is for the sum of all uploads that use it.
 *
 * @since 0.1.0
 * @category services
 */
export class Bandwidth extends Context.Tag("effect-elastic-extensions/transfer/Bandwidth")<
  Bandwidth,
  {
    /** The limit in bytes per second; `Infinity` where there is none. */
    readonly limit: Effect.Effect<number>
    /** Sets the limit in bytes per second, at least 1; uploads under way follow with their next slice. `Infinity` lifts it. */
    readonly setLimit: (bytesPerSecond: number) => Effect.Effect<void>
    /** Waits until something may be sent and says how many of the wanted bytes that is: at least one. */
    readonly reserve: (wanted: number) => Effect.Effect<number>
  }
>() {}

/** A grant lasts this long: short enough for a smooth flow and a quick change of the limit, long enough to cost nothing. */
const sliceMillis = 100

/**
 * A limit in bytes per second, shared by all that reserve from it; `Infinity` is none.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = Effect.fnUntraced(function* (bytesPerSecond: number) {
  const clock = yield* Effect.clock
  let limit = bytesPerSecond
  /** When the last grant will be used up. Whoever asks next waits for that, so that all get their turn in order. */
  let freeAt = Monotonic.unsafeNow(clock)

  const reserve = (wanted: number): Effect.Effect<number> => {
    const granted = Math.min(wanted, Math.max(1, Math.floor((limit * sliceMillis) / 1000)))
    const now = Monotonic.unsafeNow(clock)
    const start = Math.max(freeAt, now - sliceMillis)
    freeAt = start + (granted * 1000) / limit
    return Effect.as(Effect.sleep(Duration.millis(Math.max(0, start - now))), granted)
  }

  return Bandwidth.of({
    limit: Effect.sync(() => limit),
    setLimit: (next) =>
      Effect.sync(() => {
        limit = next
        freeAt = Monotonic.unsafeNow(clock)
      }),
    reserve: (wanted) =>
      Effect.suspend(() => (limit === Number.POSITIVE_INFINITY ? Effect.succeed(wanted) : reserve(wanted)))
  })
})

/**
 * A limit of so many bytes per second to begin with; none unless given.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (bytesPerSecond: number = Number.POSITIVE_INFINITY): Layer.Layer<Bandwidth> =>
  Layer.effect(Bandwidth, make(bytesPerSecond))
