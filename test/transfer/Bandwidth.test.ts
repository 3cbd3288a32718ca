import { describe, expect, it } from "@effect/vitest"
import { type Duration, Effect, Fiber, TestClock } from "effect"
import * as Bandwidth from "../../src/transfer/Bandwidth.ts"
import { settableClock } from "../support/transfer/clocks.ts"

/** Takes bytes as a writer does: what is granted, until all is. */
const spend = (bytes: number): Effect.Effect<number, never, Bandwidth.Bandwidth> =>
  Effect.gen(function* () {
    const bandwidth = yield* Bandwidth.Bandwidth
    const started = yield* Effect.clockWith((clock) => clock.currentTimeMillis)
    let left = bytes
    while (left > 0) left -= yield* bandwidth.reserve(left)
    return (yield* Effect.clockWith((clock) => clock.currentTimeMillis)) - started
  })

const within = <A>(effect: Effect.Effect<A, never, Bandwidth.Bandwidth>, time: Duration.DurationInput) =>
  Effect.gen(function* () {
    const fiber = yield* Effect.fork(effect)
    yield* TestClock.adjust(time)
    return yield* Fiber.join(fiber)
  })

describe("Bandwidth", () => {
  it.effect("costs no time where there is no limit", () =>
    Effect.gen(function* () {
      expect(yield* spend(10 ** 12)).toBe(0)
      expect(yield* Effect.flatMap(Bandwidth.Bandwidth, (bandwidth) => bandwidth.limit)).toBe(
        Number.POSITIVE_INFINITY
      )
    }).pipe(Effect.provide(Bandwidth.layer()))
  )

  it.effect("lets its rate through and no more", () =>
    Effect.gen(function* () {
      const millis = yield* within(spend(50_000), "1 minute")
      expect(millis).toBeGreaterThanOrEqual(4_900)
      expect(millis).toBeLessThan(5_100)
    }).pipe(Effect.provide(Bandwidth.layer(10_000)))
  )

  it.effect("is shared by all who use it", () =>
    Effect.gen(function* () {
      const both = Effect.all([spend(10_000), spend(10_000)], { concurrency: 2 })
      const times = yield* within(both, "1 minute")
      expect(Math.max(...times)).toBeGreaterThanOrEqual(1_900)
      expect(Math.min(...times)).toBeGreaterThan(1_500)
    }).pipe(Effect.provide(Bandwidth.layer(10_000)))
  )

  it.effect("can be changed, and applies to those who wait", () =>
    Effect.gen(function* () {
      const bandwidth = yield* Bandwidth.Bandwidth
      const waiting = yield* Effect.fork(spend(1_000))
      yield* TestClock.adjust("1 second")
      expect(yield* Fiber.poll(waiting)).toMatchObject({ _tag: "None" })
      yield* bandwidth.setLimit(Number.POSITIVE_INFINITY)
      yield* TestClock.adjust("1 second")
      expect(yield* Fiber.join(waiting)).toBeLessThanOrEqual(2_000)
    }).pipe(Effect.provide(Bandwidth.layer(1)))
  )

  it.effect("does not save up what was not used", () =>
    Effect.gen(function* () {
      yield* TestClock.adjust("1 hour")
      expect(yield* within(spend(10_000), "1 minute")).toBeGreaterThanOrEqual(800)
    }).pipe(Effect.provide(Bandwidth.layer(10_000)))
  )

  it.live.each([{ jump: -3_600_000 }, { jump: 3_600_000 }])(
    "neither stands still nor rushes when the wall clock is set by $jump ms",
    ({ jump }) =>
      Effect.gen(function* () {
        const time = settableClock()
        const startedAt = performance.now()
        yield* Effect.gen(function* () {
          const bandwidth = yield* Bandwidth.Bandwidth
          let left = 10_000
          while (left > 0) {
            left -= yield* bandwidth.reserve(left)
            time.jump(jump)
          }
        }).pipe(Effect.provide(Bandwidth.layer(20_000)), Effect.withClock(time.clock))
        const took = performance.now() - startedAt
        expect(took).toBeGreaterThan(300)
        expect(took).toBeLessThan(60_000)
      })
  )
})
