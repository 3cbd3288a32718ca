import { describe, expect, it } from "@effect/vitest"
import { Effect, Layer, Logger, Option } from "effect"
import * as Fault from "../../src/testing/Fault.ts"
import { LocalElasticCloud } from "../../src/testing/LocalElasticCloud.ts"
import * as Prometheus from "../../src/transfer/Prometheus.ts"
import * as ExtensionRelease from "../../src/workflow/ExtensionRelease.ts"
import * as ReleaseMetrics from "../../src/workflow/ReleaseMetrics.ts"
import { parse } from "../support/transfer/exposition.ts"
import { recordingTracer } from "../support/upload/tracer.ts"
import { begin, inMemory, newRelease, untilStatus } from "../support/workflow/releases.ts"

/** The value of a series now; 0 before it is there. */
const figure = (name: string, labels: Readonly<Record<string, string>> = {}) =>
  Effect.map(
    Prometheus.text,
    (text) =>
      parse(text).series.find(
        (series) =>
          series.name === name && Object.entries(labels).every(([key, value]) => series.labels[key] === value)
      )?.value ?? 0
  )

/** By how much a series grows meanwhile. */
const growth = <A, E, R>(of: Parameters<typeof figure>, during: Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    const before = yield* figure(...of)
    yield* during
    return (yield* figure(...of)) - before
  })

describe("a release", () => {
  it.scopedLive("is counted by its end and each step by its own, and both are spans with its name", () => {
    const { spans, tracer } = recordingTracer()
    return Effect.gen(function* () {
      const { executionId, payload } = yield* newRelease()
      const done = growth(
        ["elastic_extensions_releases_total", { outcome: "done" }],
        ExtensionRelease.execute(payload)
      )
      const transfers = growth(
        ["elastic_extensions_release_steps_total", { step: "transfer", outcome: "done" }],
        Effect.map(done, (by) => expect(by).toBe(1))
      )
      expect(yield* transfers).toBe(1)
      expect(
        yield* figure("elastic_extensions_release_step_duration_seconds_count", { step: "verify" })
      ).toBeGreaterThan(0)
      expect(yield* figure("elastic_extensions_release_steps_in_flight")).toBe(0)

      const named = (name: string) => spans.find((span) => span.name === name)
      const release = named("ExtensionRelease.release")
      expect(release && Object.fromEntries(release.attributes)).toMatchObject({
        "elastic.release.id": "words-1",
        "elastic.release.execution": executionId,
        "elastic.release.outcome": "done",
        "elastic.upload.proof": "hash"
      })
      expect(Object.fromEntries(named("ExtensionRelease.transfer")?.attributes ?? [])).toMatchObject({
        "elastic.release.id": "words-1",
        "elastic.release.execution": executionId,
        "elastic.release.step": "transfer",
        "elastic.release.attempt": 1
      })
      // An upload's span is below that of its step.
      const parent = Option.flatMap(named("ArchiveDelivery.deliver")?.parent ?? Option.none(), (span) =>
        span._tag === "Span" ? Option.some(span.name) : Option.none()
      )
      expect(parent).toEqual(Option.some("ExtensionRelease.transfer"))
    }).pipe(Effect.provide(inMemory(Layer.setTracer(tracer))), Effect.withTracer(tracer))
  })

  it.scopedLive("that fails is counted so, with each attempt of its step, and leaves one line", () => {
    const lines: Array<Readonly<Record<string, unknown>>> = []
    const logger = Logger.make(({ annotations, message }) => {
      lines.push({ message: String(message), ...Object.fromEntries(annotations) })
    })
    return Effect.gen(function* () {
      const cloud = yield* LocalElasticCloud
      yield* cloud.plan({ method: "PUT", times: 99, fault: Fault.refuse(503, "busy", "no\n::add-mask::y") })
      const { payload } = yield* newRelease()
      const failed = yield* growth(
        ["elastic_extensions_release_steps_total", { step: "transfer", outcome: "failed" }],
        growth(
          ["elastic_extensions_releases_total", { outcome: "failed" }],
          Effect.flip(ExtensionRelease.execute(payload))
        ).pipe(Effect.map((by) => expect(by).toBe(1)))
      )
      expect(failed).toBe(3)
      const [end, ...others] = lines.filter((line) => "elastic.release.outcome" in line)
      expect(others).toEqual([])
      expect(end).toMatchObject({
        "elastic.release.outcome": "failed",
        "error.type": "ServiceUnavailable",
        "elastic.release.id": "words-1"
      })
      for (const { message } of lines) expect(message).not.toMatch(/\n/)
    }).pipe(Effect.provide(inMemory()), Effect.provide(Logger.replace(Logger.defaultLogger, logger)))
  })
})

describe("approvals", () => {
  it.scopedLive("are measured by the engine's list, from when they began to wait", () =>
    Effect.gen(function* () {
      yield* ReleaseMetrics.measureApprovals
      expect(yield* figure("elastic_extensions_release_approvals_waiting")).toBe(0)
      expect(yield* figure("elastic_extensions_release_oldest_approval_age_seconds")).toBe(0)
      const { executionId, payload } = yield* newRelease({ holdForApproval: true })
      const ending = yield* begin(payload)
      yield* untilStatus(executionId, "Waiting")
      yield* ReleaseMetrics.measureApprovals
      expect(yield* figure("elastic_extensions_release_approvals_waiting")).toBe(1)
      expect(yield* figure("elastic_extensions_release_oldest_approval_age_seconds")).toBeGreaterThanOrEqual(
        0
      )
      yield* ExtensionRelease.approve(executionId, { by: "ada" })
      yield* ending
      yield* ReleaseMetrics.measureApprovals
      expect(yield* figure("elastic_extensions_release_approvals_waiting")).toBe(0)
    }).pipe(Effect.provide(inMemory()))
  )
})
