import { describe, expect, it } from "@effect/vitest"
import { Effect, TestClock } from "effect"
import * as Monotonic from "../../src/transfer/Monotonic.ts"
import { settableClock } from "../support/transfer/clocks.ts"

const hour = 3_600_000

describe("Monotonic", () => {
  it.effect("is driven by the clock of tests", () =>
    Effect.gen(function* () {
      const elapsed = yield* Monotonic.stopwatch
      expect(yield* elapsed).toBe(0)
      yield* TestClock.adjust("90 seconds")
      expect(yield* elapsed).toBe(90_000)
      yield* TestClock.adjust("1 millis")
      expect(yield* elapsed).toBe(90_001)
    })
  )

  for (const jump of [-hour, hour]) {
    it.live(`does not notice a wall clock that is set by ${jump / hour} h`, () =>
      Effect.gen(function* () {
        const time = settableClock()
        const elapsed = yield* Monotonic.stopwatch.pipe(Effect.withClock(time.clock))
        time.jump(jump)
        const took = yield* elapsed.pipe(Effect.withClock(time.clock))
        expect(took).toBeGreaterThanOrEqual(0)
        expect(took).toBeLessThan(hour / 2)
      })
    )
  }

  it.live("is whole, and never negative", () =>
    Effect.gen(function* () {
      const future = (yield* Monotonic.now) + hour
      expect(yield* Monotonic.elapsedMillis(future)).toBe(0)
      const elapsed = yield* Monotonic.stopwatch
      yield* Effect.sleep("3 millis")
      expect(Number.isInteger(yield* elapsed)).toBe(true)
    })
  )
})
