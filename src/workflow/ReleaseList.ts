/**
 * Which releases there are, how they are doing, and what each went through: for a shell, a page, or whoever has to decide.
 *
 * Asked of an engine, like everything about releases: any runner's, or a client's.
 *
 * @since 0.1.0
 */
import type { WorkflowEngine } from "@effect/workflow/WorkflowEngine"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import {
  AmbiguousRelease,
  type EngineUnavailable,
  ReleaseUnfinished,
  UnknownExecution
} from "./EngineError.ts"
import * as ExtensionRelease from "./ExtensionRelease.ts"
import { EngineInsight } from "./internal/engine.ts"
import { cursorOf, endOf } from "./internal/records.ts"
import { nextAttempt } from "./ReleasePayload.ts"
import { ReleaseReceipt } from "./ReleaseReceipt.ts"
import { isEnded, type ReleaseFilter, ReleaseSummary, StepRecord } from "./ReleaseRecord.ts"
import { ReleaseTarget } from "./ReleaseTarget.ts"

/**
 * Some releases, newest first. `next` is the `after` of the page that follows, and null on the last one.
 *
 * @since 0.1.0
 * @category schemas
 */
export const ReleasePage = Schema.Struct({
  releases: Schema.Array(ReleaseSummary),
  next: Schema.NullOr(Schema.String)
}).annotations({ identifier: "ReleasePage" })

/**
 * Some releases, newest first.
 *
 * @since 0.1.0
 * @category models
 */
export interface ReleasePage extends Schema.Schema.Type<typeof ReleasePage> {}

/**
 * One release with its steps, in the order in which they began. `receipt` is null unless it is done; how else it ended is its
 * summary's `failure`.
 *
 * @since 0.1.0
 * @category schemas
 */
export const ReleaseDetails = Schema.Struct({
  summary: ReleaseSummary,
  steps: Schema.Array(StepRecord),
  receipt: Schema.NullOr(ReleaseReceipt)
}).annotations({ identifier: "ReleaseDetails" })

/**
 * One release with its steps.
 *
 * @since 0.1.0
 * @category models
 */
export interface ReleaseDetails extends Schema.Schema.Type<typeof ReleaseDetails> {}

const defaultLimit = 50

/**
 * The releases that fit the filter, newest first, by the page.
 *
 * @since 0.1.0
 * @category operating
 */
export const list: (filter?: ReleaseFilter) => Effect.Effect<ReleasePage, EngineUnavailable, WorkflowEngine> =
  Effect.fn("ReleaseList.list")(function* (filter: ReleaseFilter = {}) {
    const { records } = yield* EngineInsight
    const limit = filter.limit ?? defaultLimit
    const some = yield* records.list(filter, limit + 1)
    const releases = some.slice(0, limit)
    const last = releases.at(-1)
    return { releases, next: some.length > limit && last !== undefined ? cursorOf(last) : null }
  })

/**
 * The release with this execution id, or the newest attempt with this release id.
 *
 * @since 0.1.0
 * @category operating
 */
export const find: (
  id: string
) => Effect.Effect<ReleaseSummary, AmbiguousRelease | EngineUnavailable | UnknownExecution, WorkflowEngine> =
  Effect.fn("ReleaseList.find")(function* (id) {
    const { records } = yield* EngineInsight
    const named = yield* records.named(id)
    const exact = named.find(({ executionId }) => executionId === id)
    const newest = exact ?? named[0]
    if (newest === undefined) return yield* new UnknownExecution({ executionId: id })
    const others = named.filter(
      ({ attempt, executionId }) => attempt === newest.attempt && executionId !== id
    )
    if (exact === undefined && others.length > 1) {
      return yield* new AmbiguousRelease({
        releaseId: id,
        executionIds: others.map(({ executionId }) => executionId)
      })
    }
    return newest
  })

/**
 * The release that `find` finds, with what it went through.
 *
 * @since 0.1.0
 * @category operating
 */
export const show: (
  id: string
) => Effect.Effect<ReleaseDetails, AmbiguousRelease | EngineUnavailable | UnknownExecution, WorkflowEngine> =
  Effect.fn("ReleaseList.show")(function* (id) {
    const { records } = yield* EngineInsight
    const summary = yield* find(id)
    const steps = yield* records.steps(summary.executionId)
    const ended = yield* endOfExecution(summary.executionId)
    if (Option.isNone(ended)) return { summary, steps, receipt: null }
    const receipt = Exit.getOrElse(ended.value, () => null)
    if (isEnded(summary.state)) return { summary, steps, receipt }
    const { failure, state } = endOf(ended.value, summary.updatedAtMillis)
    return { summary: { ...summary, state, failure, waitsFor: null }, steps, receipt }
  })

/**
 * Submits the next attempt of a release that has ended, after the newest one, and returns its execution id.
 *
 * @since 0.1.0
 * @category operating
 */
export const retry: (
  id: string
) => Effect.Effect<
  string,
  AmbiguousRelease | EngineUnavailable | ReleaseUnfinished | UnknownExecution,
  WorkflowEngine
> = Effect.fn("ReleaseList.retry")(function* (id) {
  const { records } = yield* EngineInsight
  const one = yield* find(id)
  const attempts = (yield* records.named(one.releaseId)).filter((other) => isSame(one, other))
  const newest = attempts.reduce((a, b) => (b.attempt > a.attempt ? b : a), one)
  const { summary } = yield* show(newest.executionId)
  if (!isEnded(summary.state)) return yield* new ReleaseUnfinished(summary)
  const payload = yield* Effect.flatten(records.payload(summary.executionId)).pipe(
    Effect.catchTag("NoSuchElementException", () => new UnknownExecution({ executionId: id }))
  )
  return yield* ExtensionRelease.submit(nextAttempt(payload))
})

const sameTarget = Schema.equivalence(ReleaseTarget)

/** Whether they differ by their attempt alone. */
const isSame = (one: ReleaseSummary, other: ReleaseSummary): boolean =>
  one.sha256 === other.sha256 && sameTarget(one.extension, other.extension)

/** As the engine has it. A release that is listed may be on its way to the engine still. */
const endOfExecution = (executionId: string) =>
  Effect.map(ExtensionRelease.poll(executionId), (status) =>
    status._tag === "Done" ? Option.some(status.exit) : Option.none()
  ).pipe(Effect.catchTag("UnknownExecution", () => Effect.succeedNone))
