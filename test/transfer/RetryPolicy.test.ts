import { describe, expect, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import * as FastCheck from "effect/FastCheck"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Random from "effect/Random"
import * as Schedule from "effect/Schedule"
import * as TestClock from "effect/TestClock"
import * as RetryPolicy from "../../src/transfer/RetryPolicy.ts"
import { settableClock } from "../support/transfer/clocks.ts"

class Failed extends Data.TaggedError("Failed")<
  RetryPolicy.Retryable & { readonly attempt: number; readonly takesMillis?: number }
> {}

type Outcome = Omit<RetryPolicy.Retryable, "isRetryable"> & {
  readonly isRetryable?: boolean
  /** How long the attempt runs before it fails. */
  readonly takesMillis?: number
}

const forever: ReadonlyArray<Outcome> = Array.from({ length: 200 }, () => ({}))
const times = (count: number, outcome: Outcome = {}): ReadonlyArray<Outcome> =>
  Array.from({ length: count }, () => outcome)

/** Runs attempts that fail as told, then succeed, and lets a virtual week pass. */
const runAttempts = (failures: ReadonlyArray<Outcome>) =>
  Effect.gen(function* () {
    const begun: Array<number> = []
    const retries: Array<RetryPolicy.Retry<Failed>> = []
    const attempt = Effect.gen(function* () {
      const index = begun.length
      begun.push(yield* Clock.currentTimeMillis)
      const failure = failures[index]
      if (failure === undefined) return index
      yield* Effect.sleep(Duration.millis(failure.takesMillis ?? 0))
      return yield* new Failed({ isRetryable: true, ...failure, attempt: index })
    })
    const fiber = yield* attempt.pipe(
      RetryPolicy.retry<Failed>((retry) => Effect.sync(() => retries.push(retry))),
      Effect.fork
    )
    yield* TestClock.adjust("7 days")
    const exit = yield* Fiber.await(fiber)
    return { begun, retries, exit, delays: retries.map(({ delayMillis }) => delayMillis) }
  })

const withPolicy = (options: RetryPolicy.RetryPolicyOptions) => Effect.provide(RetryPolicy.layer(options))
const withRandom = (...values: readonly [number, ...Array<number>]) =>
  Effect.withRandom(Random.fixed([...values]))

const seconds = { baseDelay: "1 seconds", maxDelay: "30 seconds", deadline: "7 days" } as const

describe("the wait before a retry", () => {
  it.effect.each([
    { random: 1, delays: [1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000] },
    { random: 0.5, delays: [500, 1000, 2000, 4000, 8000, 15_000, 15_000, 15_000] },
    { random: 0, delays: [0, 0, 0, 0, 0, 0, 0, 0] }
  ])("doubles up to the cap and is jittered in full, here by $random", ({ random, delays }) =>
    Effect.gen(function* () {
      const run = yield* runAttempts(forever)
      expect(run.delays).toEqual(delays)
      expect(run.begun.slice(1).map((at, index) => at - (run.begun[index] ?? 0))).toEqual(delays)
      expect(run.retries.map(({ retry }) => retry)).toEqual([1, 2, 3, 4, 5, 6, 7, 8])
    }).pipe(withPolicy(seconds), withRandom(random))
  )

  it.effect.prop(
    "never exceeds min(cap, base × 2ⁿ), nor undercuts Retry-After",
    {
      base: FastCheck.integer({ min: 1, max: 5000 }),
      cap: FastCheck.integer({ min: 1, max: 60_000 }),
      randoms: FastCheck.array(FastCheck.double({ min: 0, max: 1, noNaN: true }), {
        minLength: 1,
        maxLength: 8
      }),
      retryAfter: FastCheck.array(FastCheck.option(FastCheck.integer({ min: 0, max: 200_000 })), {
        maxLength: 8
      })
    },
    ({ base, cap, randoms, retryAfter }) => {
      const [first = 1, ...rest] = randoms
      const failures = retryAfter.map((millis) => ({ retryAfterMillis: millis ?? undefined }))
      return Effect.gen(function* () {
        const run = yield* runAttempts(failures)
        expect(run.exit).toEqual(Exit.succeed(failures.length))
        run.delays.forEach((delay, n) => {
          const ceiling = Math.min(cap, base * 2 ** n)
          const asked = retryAfter[n] ?? 0
          expect(delay).toBeGreaterThanOrEqual(asked)
          expect(delay).toBeLessThanOrEqual(Math.max(asked, ceiling))
          expect((run.begun[n + 1] ?? 0) - (run.begun[n] ?? 0)).toBe(delay)
        })
      }).pipe(withPolicy({ baseDelay: base, maxDelay: cap, deadline: "7 days" }), withRandom(first, ...rest))
    },
    { fastCheck: { numRuns: 50 } }
  )

  it.effect("is the longer of backoff and Retry-After, even past the cap", () =>
    Effect.gen(function* () {
      const run = yield* runAttempts([{ retryAfterMillis: 90_000 }, { retryAfterMillis: 10 }])
      expect(run.delays).toEqual([90_000, 2000])
    }).pipe(withPolicy(seconds), withRandom(1))
  )
})

describe("the end of retrying", () => {
  const lastAttempt = (exit: Exit.Exit<number, Failed>) =>
    Exit.match(exit, {
      onSuccess: () => undefined,
      onFailure: (cause) => cause._tag === "Fail" && cause.error
    })

  it.effect.each([{ maxRetries: 0 }, { maxRetries: 1 }, { maxRetries: 5 }])(
    "comes after $maxRetries retries, with the last error unchanged",
    ({ maxRetries }) =>
      Effect.gen(function* () {
        const run = yield* runAttempts(forever)
        expect(run.begun).toHaveLength(maxRetries + 1)
        expect(lastAttempt(run.exit)).toMatchObject({ _tag: "Failed", attempt: maxRetries })
      }).pipe(withPolicy({ ...seconds, maxRetries }), withRandom(1))
  )

  it.effect("comes at once for an error that is not retryable", () =>
    Effect.gen(function* () {
      const run = yield* runAttempts([{}, { isRetryable: false }])
      expect(run.begun).toHaveLength(2)
      expect(lastAttempt(run.exit)).toMatchObject({ isRetryable: false, attempt: 1 })
    }).pipe(withPolicy(seconds), withRandom(1))
  )

  it.effect("comes at once when Retry-After reaches past the deadline", () =>
    Effect.gen(function* () {
      const run = yield* runAttempts([{ retryAfterMillis: 60_001 }])
      expect(run.begun).toEqual([0])
      expect(run.retries).toEqual([])
      expect(lastAttempt(run.exit)).toMatchObject({ attempt: 0 })
    }).pipe(withPolicy({ deadline: "1 minutes" }), withRandom(1))
  )

  it.effect("does not come before the deadline itself", () =>
    Effect.gen(function* () {
      const run = yield* runAttempts([{ retryAfterMillis: 60_000 }])
      expect(run.begun).toEqual([0, 60_000])
      expect(run.exit).toEqual(Exit.succeed(1))
    }).pipe(withPolicy({ deadline: "1 minutes" }), withRandom(1))
  )

  it.effect.each([
    { name: "with every attempt", failures: times(9, { takesMillis: 20_000 }), begun: [0, 21_000, 43_000] },
    { name: "from the first attempt's beginning", failures: times(2, { takesMillis: 61_000 }), begun: [0] },
    {
      name: "whatever progress was made",
      failures: times(9, { takesMillis: 20_000, madeProgress: true }),
      begun: [0, 21_000, 42_000]
    }
  ])("counts the deadline $name", ({ failures, begun }) =>
    Effect.gen(function* () {
      const run = yield* runAttempts(failures)
      expect(run.begun).toEqual(begun)
      expect(Exit.isFailure(run.exit)).toBe(true)
    }).pipe(withPolicy({ ...seconds, deadline: "1 minutes" }), withRandom(1))
  )

  it.effect("starts over, and so does the backoff, when an attempt made progress", () =>
    Effect.gen(function* () {
      const run = yield* runAttempts([{}, {}, { madeProgress: true }, {}, {}, {}])
      expect(run.delays).toEqual([1000, 2000, 1000, 2000])
      expect(run.retries.map(({ retry }) => retry)).toEqual([1, 2, 1, 2])
      expect(lastAttempt(run.exit)).toMatchObject({ attempt: 4 })
    }).pipe(withPolicy({ ...seconds, maxRetries: 2 }), withRandom(1))
  )

  it.effect("passes an interruption and a defect through", () =>
    Effect.gen(function* () {
      const exits = yield* Effect.forEach(
        [Effect.interrupt, Effect.die("a defect")],
        (effect: Effect.Effect<never, Failed>) => Effect.exit(RetryPolicy.retry<Failed>()(effect))
      )
      expect(exits.map(Exit.isInterrupted)).toEqual([true, false])
      expect(exits[1]).toEqual(Exit.die("a defect"))
    }).pipe(withPolicy(seconds))
  )
})

describe("the budget", () => {
  const options = { ...seconds, budget: 3 }

  it.effect("is shared by everything under one policy, and spent", () =>
    Effect.gen(function* () {
      const first = yield* runAttempts(forever)
      const second = yield* runAttempts(forever)
      expect([first.begun.length, second.begun.length]).toEqual([4, 1])
    }).pipe(withPolicy(options), withRandom(0))
  )

  it.effect("is refilled by one with each success, never above what it was", () =>
    Effect.gen(function* () {
      yield* runAttempts(forever)
      yield* runAttempts([])
      expect((yield* runAttempts(forever)).begun).toHaveLength(2)
      for (let success = 0; success < 10; success++) yield* runAttempts([])
      expect((yield* runAttempts(forever)).begun).toHaveLength(4)
    }).pipe(withPolicy(options), withRandom(0))
  )

  it.effect("is not touched by an error nobody would retry", () =>
    Effect.gen(function* () {
      yield* Effect.forEach(times(5), () => runAttempts([{ isRetryable: false }]))
      expect((yield* runAttempts(forever)).begun).toHaveLength(4)
    }).pipe(withPolicy(options), withRandom(0))
  )

  it.effect("belongs to the policy, not to the module", () =>
    Effect.gen(function* () {
      const fresh = runAttempts(forever).pipe(Effect.provide(Layer.fresh(RetryPolicy.layer(options))))
      const runs = [yield* fresh, yield* fresh]
      expect(runs.map(({ begun }) => begun.length)).toEqual([4, 4])
    }).pipe(withRandom(0))
  )
})

describe("the policy in force", () => {
  it.effect("has defaults: 500 ms, doubling, 8 retries", () =>
    Effect.gen(function* () {
      const run = yield* runAttempts(forever)
      expect(run.delays).toEqual([500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000])
    }).pipe(withRandom(1))
  )

  it.effect("can be a service of one's own", () =>
    Effect.gen(function* () {
      let successes = 0
      const policy: RetryPolicy.RetryPolicyService = {
        schedule: <E extends RetryPolicy.Retryable>() =>
          Schedule.identity<E>().pipe(
            Schedule.addDelay(() => "7 seconds"),
            Schedule.map((error) => ({ error, retry: 42, delayMillis: 7000 }))
          ),
        succeeded: Effect.sync(() => {
          successes += 1
        })
      }
      const run = yield* runAttempts(times(3)).pipe(Effect.provideService(RetryPolicy.RetryPolicy, policy))
      expect(run.begun).toEqual([0, 7000, 14_000, 21_000])
      expect(run.retries[0]).toMatchObject({ retry: 42, delayMillis: 7000, error: { attempt: 0 } })
      expect(successes).toBe(1)
    })
  )
})

describe("a schedule of one's own", () => {
  const everySecond = Schedule.spaced("1 second")

  it.effect("decides the delays and when to end", () =>
    Effect.gen(function* () {
      const run = yield* runAttempts(forever)
      expect(run.delays).toEqual([1000, 1000, 1000])
      expect(run.retries.map(({ retry }) => retry)).toEqual([1, 2, 3])
      expect(Exit.isFailure(run.exit)).toBe(true)
    }).pipe(Effect.provide(RetryPolicy.layerSchedule(Schedule.intersect(everySecond, Schedule.recurs(3)))))
  )

  it.effect("may know errors, and is asked about no other than retryable ones", () =>
    Effect.gen(function* () {
      const asked: Array<boolean> = []
      const curious = Schedule.tapInput(everySecond, ({ isRetryable }: RetryPolicy.Retryable) =>
        Effect.sync(() => asked.push(isRetryable))
      )
      const run = yield* runAttempts([{}, { isRetryable: false }, {}]).pipe(
        Effect.provide(RetryPolicy.layerSchedule(curious))
      )
      expect(run.begun).toEqual([0, 1000])
      expect(run.exit).toMatchObject({ cause: { error: { attempt: 1 } } })
    })
  )

  it.effect("undercuts no Retry-After, and starts over after progress", () =>
    Effect.gen(function* () {
      const run = yield* runAttempts([{}, { retryAfterMillis: 9000 }, { madeProgress: true }, {}, {}])
      expect(run.delays).toEqual([1000, 9000, 1000, 2000, 4000])
      expect(run.retries.map(({ retry }) => retry)).toEqual([1, 2, 1, 2, 3])
    }).pipe(Effect.provide(RetryPolicy.layerSchedule(Schedule.exponential("1 second"))))
  )

  it.effect("has a deadline and a budget as well", () =>
    Effect.gen(function* () {
      const hurried = RetryPolicy.layerSchedule(everySecond, { deadline: "3 seconds" })
      expect((yield* runAttempts(forever).pipe(Effect.provide(hurried))).begun).toEqual([0, 1000, 2000, 3000])
      const thrifty = RetryPolicy.layerSchedule(everySecond, { budget: 2 })
      const both = Effect.all([runAttempts(forever), runAttempts(forever)])
      const [first, second] = yield* both.pipe(Effect.provide(thrifty))
      expect([first.begun.length, second.begun.length]).toEqual([3, 1])
    })
  )

  it.effect("may need services", () =>
    Effect.gen(function* () {
      class Patience extends Context.Tag("test/Patience")<Patience, number>() {}
      const patient = Schedule.addDelayEffect(Schedule.recurs(2), () =>
        Effect.map(Patience, Duration.seconds)
      )
      const policy = Layer.provide(RetryPolicy.layerSchedule(patient), Layer.succeed(Patience, 7))
      const run = yield* runAttempts(forever).pipe(Effect.provide(policy))
      expect(run.delays).toEqual([7000, 7000])
    })
  )
})

describe("a wall clock that is set while it waits", () => {
  const hour = 3_600_000
  it.live.each([{ jump: -hour }, { jump: hour }])("by $jump ms changes no deadline and no wait", ({ jump }) =>
    Effect.gen(function* () {
      const time = settableClock()
      const begun: Array<number> = []
      const attempt = Effect.gen(function* () {
        begun.push(performance.now())
        yield* Effect.sleep("20 millis")
        time.jump(jump)
        return yield* new Failed({ isRetryable: true, attempt: begun.length })
      })
      const exit = yield* attempt.pipe(
        RetryPolicy.retry<Failed>(),
        Effect.provide(RetryPolicy.layerSchedule(Schedule.spaced("50 millis"), { deadline: "400 millis" })),
        Effect.withClock(time.clock),
        Effect.exit
      )
      expect(Exit.isFailure(exit)).toBe(true)
      const took = (begun.at(-1) ?? 0) - (begun[0] ?? 0)
      expect(begun.length).toBeGreaterThan(1)
      // A wait may end late on a busy machine, but by no hour.
      expect(took).toBeLessThan(10_000)
    })
  )
})

describe("layerConfig", () => {
  const withVariables = (variables: Record<string, string>) =>
    Effect.provide(
      RetryPolicy.layerConfig.pipe(
        Layer.provide(Layer.setConfigProvider(ConfigProvider.fromMap(new Map(Object.entries(variables)))))
      )
    )

  it.effect("reads the environment's names", () =>
    Effect.gen(function* () {
      const run = yield* runAttempts(forever)
      expect(run.delays).toEqual([2000, 3000, 3000])
    }).pipe(
      withVariables({
        EC_UPLOAD_RETRY_BASE_DELAY: "2 seconds",
        EC_UPLOAD_RETRY_MAX_DELAY: "3 seconds",
        EC_UPLOAD_RETRIES: "3",
        EC_UPLOAD_RETRY_DEADLINE: "1 hour"
      }),
      withRandom(1)
    )
  )

  it.effect("reads the deadline", () =>
    Effect.gen(function* () {
      const run = yield* runAttempts(forever)
      expect(run.delays).toEqual([500, 1000, 2000])
    }).pipe(withVariables({ EC_UPLOAD_RETRY_DEADLINE: "4 seconds" }), withRandom(1))
  )

  it.effect("has the same defaults as no layer at all", () =>
    Effect.gen(function* () {
      const run = yield* runAttempts(forever)
      expect(run.delays).toEqual([500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000])
    }).pipe(withVariables({}), withRandom(1))
  )

  it.effect.each([
    ["EC_UPLOAD_RETRIES", "-1"],
    ["EC_UPLOAD_RETRIES", "2.5"],
    ["EC_UPLOAD_RETRIES", "often"],
    ["EC_UPLOAD_RETRY_BASE_DELAY", "soon"],
    ["EC_UPLOAD_RETRIES", "1001"],
    ["EC_UPLOAD_RETRY_MAX_DELAY", "30"],
    ["EC_UPLOAD_RETRY_BASE_DELAY", "0s"],
    ["EC_UPLOAD_RETRY_DEADLINE", "1 fortnight"]
  ] as const)("refuses %s=%s by name", ([name, value]) =>
    Effect.gen(function* () {
      const result = yield* Effect.either(Effect.void.pipe(withVariables({ [name]: value })))
      expect(String(Either.getOrThrow(Either.flip(result)))).toContain(name)
    })
  )
})
