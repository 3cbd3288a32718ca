/** The bar, its figures and its manners, on a clock and a terminal that the test controls. */
import { describe, expect, it } from "@effect/vitest"
import { ConfigProvider, Effect, Layer, Scope, TestClock } from "effect"
import * as fc from "effect/FastCheck"
import * as Output from "../../../src/cli/internal/output.ts"
import * as Progress from "../../../src/cli/internal/progress.ts"
import { makeReport } from "../../../src/cli/internal/reporter.ts"
import { withoutAnsi } from "../../../src/cli/internal/shown.ts"
import { Stdio } from "../../../src/cli/internal/terminal.ts"
import type { PublishEvent } from "../../../src/publish/PublishEvent.ts"
import { memorySink } from "../../support/cli/sink.ts"

const total = 100_000_000

const sending = (offset: number): PublishEvent => ({ _tag: "SendingStarted", offset, total })
const written = (offset: number): PublishEvent => ({ _tag: "BytesWritten", offset, total })
const acknowledged = (offset: number): PublishEvent => ({ _tag: "BytesAcknowledged", offset, total })
const retry: PublishEvent = {
  _tag: "RetryScheduled",
  attempt: 1,
  retry: 3,
  delayMillis: 4000,
  reason: "ConnectionFailed",
  message: "The connection broke."
}

/** What is known after these events, each at its time in milliseconds. */
const known = (...events: ReadonlyArray<readonly [at: number, event: PublishEvent]>): Progress.Progress =>
  events.reduce((progress, [at, event]) => Progress.advance(progress, event, at), {
    ...Progress.nothingYet,
    retries: 8
  })

describe("the line", () => {
  it("shows the part, the rate and the time left", () => {
    const progress = known([0, sending(0)], [1000, written(10_000_000)], [2000, written(20_000_000)])
    expect(Progress.render(progress, 2000, 80)).toBe(
      "sending  [████··············]   20 %   20.0 of 100.0 MB   10.0 MB/s  0:08 left"
    )
  })

  it("tells what the server keeps from what it was only sent", () => {
    const progress = known([0, sending(0)], [100, acknowledged(50_000_000)], [200, written(75_000_000)])
    expect(Progress.render(progress, 200, 80)).toBe(
      "sending  [█████████▒▒▒▒▒·····]   75 %  kept 50 %   75.0 of 100.0 MB".replace("▒▒▒▒▒·····", "▒▒▒▒▒····")
    )
  })

  it("counts the rate from where an attempt goes on, not from the start", () => {
    const progress = known([0, sending(90_000_000)], [1000, written(91_000_000)])
    expect(Progress.rateOf(progress, 1000)).toBe(1_000_000)
  })

  it("lets the rate fall while nothing moves", () => {
    const progress = known([0, sending(0)], [1000, written(10_000_000)])
    expect(Progress.rateOf(progress, 10_000)).toBe(1_000_000)
  })

  it("counts down to the next retry, and numbers it", () => {
    const waiting = known([0, sending(0)], [1000, written(5_000_000)], [2000, retry])
    expect(Progress.render(waiting, 3000, 80)).toBe("waiting: retry 3 of 8 in 0:03")
    const again = Progress.advance(
      Progress.advance(waiting, { _tag: "AttemptStarted", attempt: 2, total }, 6000),
      sending(0),
      6000
    )
    expect(Progress.render(again, 6000, 80)).toContain("try 2")
  })

  it("says what is waited for where no bytes tell it", () => {
    const verified = known([0, sending(0)], [5000, { _tag: "Verified", proof: "hash" }])
    expect(Progress.render(verified, 5900, 80)).toBe("")
    expect(Progress.render(verified, 9000, 80)).toBe("⠋ finishing  0:04")
    const inspected: PublishEvent = {
      _tag: "ArchiveInspected",
      type: "bundle",
      entryCount: 2,
      compressedBytes: 10,
      uncompressedBytes: 20,
      errors: 0,
      warnings: 0
    }
    expect(Progress.render(known(), 1100, 80)).toBe("⠙ reading the archive  0:01")
    expect(Progress.render(known([100, inspected]), 3300, 80)).toBe(
      "⠹ asking the service for the extension  0:03"
    )
    const asking = known([0, sending(0)], [100, { _tag: "VerificationStarted" }])
    expect(Progress.render(asking, 2100, 80)).toBe("⠋ asking what the service has stored  0:02")
  })

  it("is empty when nothing is under way", () => {
    expect(Progress.render(Progress.nothingYet, 0, 80)).toBe("")
    expect(Progress.render(known([0, sending(0)], [1, { _tag: "Verified", proof: "hash" }]), 1, 80)).toBe("")
  })

  const steps = fc.array(
    fc.record({
      after: fc.integer({ min: 0, max: 100_000 }),
      kind: fc.constantFrom("written", "acknowledged", "sending", "retry"),
      bytes: fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER })
    })
  )

  it.prop(
    "fits every terminal, whatever happens",
    [steps, fc.integer({ min: 1, max: 300 })],
    ([events, columns]) => {
      const whole = Math.max(1, ...events.map(({ bytes }) => bytes))
      let now = 0
      let progress = Progress.nothingYet
      for (const { after, bytes, kind } of events) {
        now += after
        const step = { offset: bytes, total: whole }
        const event: PublishEvent =
          kind === "written"
            ? { _tag: "BytesWritten", ...step }
            : kind === "acknowledged"
              ? { _tag: "BytesAcknowledged", ...step }
              : kind === "sending"
                ? { _tag: "SendingStarted", ...step }
                : retry
        progress = Progress.advance(progress, event, now)
        const line = Progress.render(progress, now, columns)
        expect(line.length).toBeLessThanOrEqual(Math.min(columns, 80))
        expect(line).not.toMatch(/NaN|Infinity|undefined|-\d/)
      }
    }
  )
})

/** A report on a terminal whose width may change, and what it has written so far. */
const onTerminal = (columns: () => number = () => 80) =>
  Effect.gen(function* () {
    const err = memorySink(columns)
    const stdio = Layer.succeed(Stdio, { out: memorySink().sink, err: err.sink })
    const scope = yield* Scope.make()
    const report = yield* makeReport.pipe(
      Scope.extend(scope),
      Effect.provide(Layer.provideMerge(Output.layer({ json: false, quiet: false }), stdio)),
      // Whatever job these tests run in, nobody's terminal is a pipeline's.
      Effect.withConfigProvider(ConfigProvider.fromMap(new Map()))
    )
    return { ...err, report, scope }
  })

describe("on a terminal", () => {
  it.scoped("draws at most ten times a second, however many events come", () =>
    Effect.gen(function* () {
      const { report, written: writes } = yield* onTerminal()
      yield* report(sending(0))
      for (let i = 1; i <= 200; i++) {
        for (let k = 1; k <= 20; k++) yield* report(written(i * 20_000 + k))
        yield* TestClock.adjust("10 millis")
      }
      expect(writes.length).toBeGreaterThan(15)
      expect(writes.length).toBeLessThanOrEqual(21)
    })
  )

  it.scoped("leaves nothing of the bar behind", () =>
    Effect.gen(function* () {
      const { report, scope, written: writes } = yield* onTerminal()
      yield* report(sending(0))
      yield* TestClock.adjust("200 millis")
      yield* Scope.close(scope, yield* Effect.exit(Effect.void))
      expect(writes.at(-1)).toBe("\r\u001b[2K")
      const before = writes.length
      yield* TestClock.adjust("1 seconds")
      expect(writes.length).toBe(before)
    })
  )

  it.scoped("keeps a failed attempt in sight, above the bar", () =>
    Effect.gen(function* () {
      const { report, text } = yield* onTerminal()
      yield* report(sending(0))
      yield* TestClock.adjust("100 millis")
      yield* report(retry)
      yield* TestClock.adjust("100 millis")
      const shown = withoutAnsi(text())
      expect(shown).toContain("! The connection broke. Trying again in 4.0 s (retry 3 of 8).\n")
      expect(shown.endsWith("waiting: retry 3 of 8 in 0:04")).toBe(true)
    })
  )

  it.scoped("follows the terminal when it is made narrower, and clears the rows of the wider line", () =>
    Effect.gen(function* () {
      let columns = 80
      const { report, written: writes } = yield* onTerminal(() => columns)
      yield* report(sending(0))
      yield* TestClock.adjust("100 millis")
      const wide = withoutAnsi(writes.at(-1) ?? "").length
      columns = 30
      yield* report(written(1_000_000))
      yield* TestClock.adjust("100 millis")
      const narrow = writes.at(-1) ?? ""
      expect(wide).toBeGreaterThan(30)
      expect(narrow.split("\u001b[1A").length - 1).toBe(Math.ceil(wide / 30) - 1)
      expect(narrow.split("\u001b[2K").at(-1)?.length).toBeLessThan(30)
    })
  )
})

const elsewhere = (options: { readonly json: boolean; readonly quiet: boolean }) =>
  Effect.gen(function* () {
    const out = memorySink()
    const err = memorySink()
    const stdio = Layer.succeed(Stdio, { out: out.sink, err: err.sink })
    const report = yield* makeReport.pipe(Effect.provide(Layer.provideMerge(Output.layer(options), stdio)))
    return { out, err, report }
  })

describe("without a terminal", () => {
  it.scoped("is one line every tenth of the whole", () =>
    Effect.gen(function* () {
      const { err, out, report } = yield* elsewhere({ json: false, quiet: false })
      yield* report(sending(0))
      for (let i = 0; i <= 1000; i++) yield* report(written((i * total) / 1000))
      expect(err.text().split("\n").slice(0, 2)).toEqual([
        "sent 10 % (10.0 MB of 100.0 MB)",
        "sent 20 % (20.0 MB of 100.0 MB)"
      ])
      expect(err.written).toHaveLength(10)
      expect(out.written).toEqual([])
    })
  )

  const heartbeats = Effect.gen(function* () {
    const { err, report } = yield* elsewhere({ json: false, quiet: false })
    const linesAfter = (event: PublishEvent, ...then: ReadonlyArray<PublishEvent>) =>
      Effect.gen(function* () {
        yield* Effect.forEach([event, ...then], report)
        const before = err.written.length
        yield* TestClock.adjust("95 seconds")
        return err.written.slice(before)
      })
    return linesAfter
  })

  it.scoped("is a line every half minute, also where nothing happens", () =>
    Effect.gen(function* () {
      const linesAfter = yield* heartbeats
      // The rate falls while nothing moves.
      expect(yield* linesAfter(sending(0), written(1_000_000))).toEqual(
        ["33.3", "16.7", "11.1"].map((rate) => `sending: 1 % (1.0 of 100.0 MB), ${rate} kB/s\n`)
      )
      expect(yield* linesAfter(written(total))).toEqual(
        Array(3).fill("all is sent: waiting for the server's answer\n")
      )
      expect(yield* linesAfter({ _tag: "VerificationProgress", bytes: 0, total })).toEqual(
        Array(3).fill("verifying: 0 % (0.0 of 100.0 MB), 0 B/s\n")
      )
      expect(yield* linesAfter({ ...retry, delayMillis: 95_000 })).toEqual([
        "waiting: retry 3 of 8 in 1:05\n",
        "waiting: retry 3 of 8 in 0:35\n",
        "waiting: retry 3 of 8 in 0:05\n"
      ])
      expect(yield* linesAfter({ _tag: "Verified", proof: "hash" })).toEqual(
        Array(3).fill("still at work: finishing\n")
      )
    })
  )

  it.scoped("is no line more where there is one anyway", () =>
    Effect.gen(function* () {
      const { err, report } = yield* elsewhere({ json: false, quiet: false })
      yield* report(sending(0))
      for (let tenth = 1; tenth <= 10; tenth++) {
        yield* TestClock.adjust("29 seconds")
        yield* report(written((tenth * total) / 10))
      }
      expect(err.written).toHaveLength(10)
    })
  )

  it.scoped("as JSON, is at most ten steps of a kind a second, and always the last", () =>
    Effect.gen(function* () {
      const { err, out, report } = yield* elsewhere({ json: true, quiet: false })
      for (let i = 1; i <= 1000; i++) {
        yield* report(written((i * total) / 1000))
        if (i % 10 === 0) yield* TestClock.adjust("10 millis")
      }
      const steps = out.written.map((line) => JSON.parse(line))
      expect(steps.length).toBeLessThanOrEqual(11)
      expect(steps.length).toBeGreaterThan(8)
      expect(steps.at(-1)).toMatchObject({ _tag: "BytesWritten", offset: total, total })
      expect(err.written).toEqual([])
    })
  )

  it.scoped("is silent when asked to be", () =>
    Effect.gen(function* () {
      for (const json of [true, false]) {
        const { err, out, report } = yield* elsewhere({ json, quiet: true })
        yield* report(retry)
        yield* report(written(total))
        expect([...out.written, ...err.written]).toEqual([])
      }
    })
  )
})
