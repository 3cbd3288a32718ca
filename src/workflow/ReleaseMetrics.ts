/**
 * What releases count and measure in the process that runs them, beside what their uploads do (see `UploadMetrics`). The metrics
 * are Effect's own. Labels have few values: steps, and how steps and releases end.
 *
 * @since 0.1.0
 */
import type { WorkflowEngine } from "@effect/workflow/WorkflowEngine"
import * as Clock from "effect/Clock"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
import * as MetricBoundaries from "effect/MetricBoundaries"
import * as Schedule from "effect/Schedule"
import * as UploadMetrics from "../upload/UploadMetrics.ts"
import type { EngineUnavailable } from "./EngineError.ts"
import { EngineInsight } from "./internal/engine.ts"
import { cursorOf } from "./internal/records.ts"
import { endedStates, type ReleaseSummary } from "./ReleaseRecord.ts"

/**
 * Releases that have ended in this process, by `outcome`: `done`, `failed`, `rejected`, `cancelled` or `superseded`.
 *
 * @since 0.1.0
 * @category metrics
 */
export const releases: Metric.Metric.Counter<number> = Metric.counter("elastic_extensions_releases_total", {
  description: "Releases that have ended in this process, by how they ended.",
  incremental: true
})

/**
 * Attempts of steps that have ended in this process, by `step` and `outcome`: `done`, `failed` or `interrupted`.
 *
 * @since 0.1.0
 * @category metrics
 */
export const steps: Metric.Metric.Counter<number> = Metric.counter("elastic_extensions_release_steps_total", {
  description: "Attempts of steps of releases that have ended in this process, by how they ended.",
  incremental: true
})

/**
 * Seconds that attempts of steps took, by `step`.
 *
 * @since 0.1.0
 * @category metrics
 */
export const stepDuration: Metric.Metric.Histogram<number> = Metric.histogram(
  "elastic_extensions_release_step_duration_seconds",
  MetricBoundaries.fromIterable([0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 3600]),
  "Time that attempts of steps of releases took."
).pipe(Metric.tagged("unit", "s"))

/**
 * Steps that this process is at. A release that waits is at none.
 *
 * @since 0.1.0
 * @category metrics
 */
export const stepsInFlight: Metric.Metric.Gauge<number> = Metric.gauge(
  "elastic_extensions_release_steps_in_flight",
  { description: "Steps of releases that this process is at." }
)

/**
 * Releases that are held for approval, of all runners of the engine.
 *
 * @since 0.1.0
 * @category metrics
 */
export const approvalsWaiting: Metric.Metric.Gauge<number> = Metric.gauge(
  "elastic_extensions_release_approvals_waiting",
  { description: "Releases that are held for approval, of all runners of the engine." }
)

/**
 * For how many seconds the one that was held first has been waiting; 0 where none is.
 *
 * @since 0.1.0
 * @category metrics
 */
export const oldestApprovalAge: Metric.Metric.Gauge<number> = Metric.gauge(
  "elastic_extensions_release_oldest_approval_age_seconds",
  {
    description: "Time since the first of the releases that are held for approval was held; 0 where none is."
  }
).pipe(Metric.tagged("unit", "s"))

/**
 * Counts an attempt of a step that has ended, after so many milliseconds.
 *
 * @since 0.1.0
 * @category observing
 */
export const countStep = (step: string, outcome: string, millis: number): Effect.Effect<void> =>
  Effect.zipRight(
    Metric.update(Metric.tagged(stepDuration, "step", step), millis / 1000),
    Metric.increment(Metric.tagged(Metric.tagged(steps, "step", step), "outcome", outcome))
  )

/**
 * Makes the metrics exist before anything has happened, those of uploads included.
 *
 * @since 0.1.0
 * @category observing
 */
export const initialize: Effect.Effect<void> = Effect.suspend(() =>
  Effect.all(
    [
      UploadMetrics.initialize,
      ...endedStates.map((outcome) => Metric.incrementBy(Metric.tagged(releases, "outcome", outcome), 0)),
      ...[stepsInFlight, approvalsWaiting, oldestApprovalAge].map((gauge) => Metric.incrementBy(gauge, 0))
    ],
    { discard: true }
  )
)

/**
 * Sets `approvalsWaiting` and `oldestApprovalAge` by the engine's list of releases.
 *
 * @since 0.1.0
 * @category observing
 */
export const measureApprovals: Effect.Effect<void, EngineUnavailable, WorkflowEngine> = Effect.gen(
  function* () {
    const held = yield* heldAfter()
    const now = yield* Clock.currentTimeMillis
    const oldest = Math.min(now, ...held.map(({ updatedAtMillis }) => updatedAtMillis))
    yield* Metric.set(approvalsWaiting, held.length)
    yield* Metric.set(oldestApprovalAge, (now - oldest) / 1000)
  }
)

const pageSize = 500

const heldAfter = (last?: ReleaseSummary): Effect.Effect<ReadonlyArray<ReleaseSummary>, EngineUnavailable> =>
  Effect.gen(function* () {
    const { records } = yield* EngineInsight
    const filter = { states: ["held"], ...(last === undefined ? {} : { after: cursorOf(last) }) } as const
    const page = yield* records.list(filter, pageSize)
    const end = page.at(-1)
    return page.length < pageSize || end === undefined ? page : [...page, ...(yield* heldAfter(end))]
  })

/**
 * For a runner: makes the metrics exist, and measures the approvals again and again as long as it runs. A list that cannot be
 * read leaves them as they were.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (
  every: Duration.DurationInput = "15 seconds"
): Layer.Layer<never, never, WorkflowEngine> =>
  Layer.scopedDiscard(
    Effect.zipRight(
      initialize,
      measureApprovals.pipe(
        Effect.catchAll(({ message }) => Effect.logDebug(`The approvals could not be counted: ${message}`)),
        Effect.repeat(Schedule.spaced(every)),
        Effect.forkScoped
      )
    )
  )
