/** How what happens to a release is kept for people to look at, and how it is asked for. */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import { EngineUnavailable } from "../EngineError.ts"
import type { ReleasePayload } from "../ReleasePayload.ts"
import type { Decision } from "../ReleaseReceipt.ts"
import {
  isEnded,
  type ReleaseFailure,
  type ReleaseFilter,
  type ReleaseState,
  type ReleaseSummary,
  type StepRecord,
  type WaitsFor
} from "../ReleaseRecord.ts"

/** The workflow whose executions are listed. Steps are also used in workflows of other people. */
export const listedWorkflow = "ExtensionRelease"

interface Ending {
  readonly _tag: "Ended"
  readonly state: ReleaseState
  readonly failure: ReleaseFailure | null
  readonly atMillis: number
}

/** An attempt of a step has begun, or ended. */
type StepChange = { readonly _tag: "Step" } & Omit<StepRecord, "runner">

/** What happened to a release. Times are by the clock of this process, in milliseconds since the epoch. */
export type Change =
  | { readonly _tag: "Begun"; readonly payload: ReleasePayload; readonly atMillis: number }
  | { readonly _tag: "Waits"; readonly waitsFor: WaitsFor; readonly atMillis: number }
  | Ending
  | { readonly _tag: "Found"; readonly extensionId: string }
  | { readonly _tag: "Decided"; readonly decision: Decision }
  | StepChange

export interface Records {
  /** A release that is about to be given to the engine. One that is listed stays as it is. */
  readonly enter: (executionId: string, payload: ReleasePayload) => Effect.Effect<void>
  /** Does not wait until it is written, and never fails. */
  readonly note: (executionId: string, change: Change) => Effect.Effect<void>
  /** Newest first. */
  readonly list: (
    filter: ReleaseFilter,
    limit: number
  ) => Effect.Effect<ReadonlyArray<ReleaseSummary>, EngineUnavailable>
  /** By execution id or release id, newest first. */
  readonly named: (id: string) => Effect.Effect<ReadonlyArray<ReleaseSummary>, EngineUnavailable>
  /** What the release was asked for, as it is listed. */
  readonly payload: (executionId: string) => Effect.Effect<Option.Option<ReleasePayload>, EngineUnavailable>
  /** In the order in which they began. */
  readonly steps: (executionId: string) => Effect.Effect<ReadonlyArray<StepRecord>, EngineUnavailable>
}

const keepsNone = new EngineUnavailable({
  resource: "the list of its releases",
  detail: "this engine keeps none"
})

/** What an engine from elsewhere has: it keeps nothing, and says so. */
export const noRecords: Records = {
  enter: () => Effect.void,
  note: () => Effect.void,
  list: () => keepsNone,
  named: () => keepsNone,
  payload: () => keepsNone,
  steps: () => keepsNone
}

/** The same wait, come to once more by a release that is read again, is not another one: it ends when it was to end. */
export const waitKey = (waitsFor: WaitsFor): string => {
  switch (waitsFor._tag) {
    case "Retry":
      return `${waitsFor._tag}/${waitsFor.step}/${waitsFor.attempt}`
    case "Turn":
      return `${waitsFor._tag}/${waitsFor.of}`
    default:
      return waitsFor._tag
  }
}

export const stateOfWait = ({ _tag }: WaitsFor): ReleaseState => (_tag === "Approval" ? "held" : "waiting")

export const failureOf = (cause: Cause.Cause<unknown>): ReleaseFailure =>
  Option.match(Cause.failureOption(cause), {
    onNone: () => ({ tag: "Defect", message: Cause.pretty(cause), remedy: "" }),
    onSome: (error) => ({
      tag: textOf(error, "_tag"),
      message: textOf(error, "message"),
      remedy: textOf(error, "remedy")
    })
  })

const textOf = (error: unknown, key: string): string =>
  Predicate.hasProperty(error, key) && Predicate.isString(error[key]) ? error[key] : ""

const endings: Readonly<Record<string, ReleaseState>> = {
  ReleaseRejected: "rejected",
  ReleaseCancelled: "cancelled",
  ReleaseSuperseded: "superseded"
}

/** How a release has ended. */
export const endOf = (exit: Exit.Exit<unknown, unknown>, atMillis: number): Ending => {
  if (Exit.isSuccess(exit)) return { _tag: "Ended", state: "done", failure: null, atMillis }
  // By the engine's own interruption, which leaves no error to read.
  if (Cause.isInterruptedOnly(exit.cause)) {
    return { _tag: "Ended", state: "cancelled", failure: null, atMillis }
  }
  const failure = failureOf(exit.cause)
  return { _tag: "Ended", state: endings[failure.tag] ?? "failed", failure, atMillis }
}

/** Where a page goes on. */
export const cursorOf = ({ executionId, submittedAtMillis }: ReleaseSummary): string =>
  `${submittedAtMillis}-${executionId}`

export const readCursor = (cursor: string) => {
  const dash = cursor.indexOf("-")
  return { submittedAtMillis: Number(cursor.slice(0, dash)), executionId: cursor.slice(dash + 1) }
}

export const summaryOf = (
  executionId: string,
  payload: ReleasePayload,
  submittedAtMillis: number
): ReleaseSummary => ({
  executionId,
  releaseId: payload.releaseId,
  attempt: payload.attempt,
  extension: payload.extension,
  extensionId: payload.extension._tag === "Id" ? payload.extension.id : null,
  sha256: payload.sha256,
  holdForApproval: payload.holdForApproval,
  state: "submitted",
  waitsFor: null,
  failure: null,
  decision: null,
  runner: null,
  submittedAtMillis,
  updatedAtMillis: submittedAtMillis
})

/** In the memory of one process. */
export const memoryRecords = (runner: string): Records => {
  const releases = new Map<string, ReleaseSummary>()
  const payloads = new Map<string, ReleasePayload>()
  const history = new Map<string, ReadonlyArray<StepRecord>>()

  const enter = (executionId: string, payload: ReleasePayload, atMillis: number) => {
    if (releases.has(executionId)) return
    releases.set(executionId, summaryOf(executionId, payload, atMillis))
    payloads.set(executionId, payload)
  }
  const update = (executionId: string, change: (before: ReleaseSummary) => Partial<ReleaseSummary>) =>
    Option.map(Option.fromNullable(releases.get(executionId)), (before) =>
      releases.set(executionId, { ...before, ...change(before) })
    )
  const run = (executionId: string, updatedAtMillis: number) =>
    update(executionId, ({ state }) =>
      isEnded(state) ? {} : { state: "running", waitsFor: null, runner, updatedAtMillis }
    )

  const learn = (executionId: string, change: Exclude<Change, { readonly _tag: "Step" }>) => {
    switch (change._tag) {
      case "Begun":
        enter(executionId, change.payload, change.atMillis)
        return run(executionId, change.atMillis)
      case "Waits": {
        const { atMillis: updatedAtMillis, waitsFor } = change
        return update(executionId, () => ({ state: stateOfWait(waitsFor), waitsFor, updatedAtMillis }))
      }
      case "Ended": {
        const { atMillis: updatedAtMillis, failure, state } = change
        return update(executionId, () => ({ state, failure, waitsFor: null, updatedAtMillis }))
      }
      case "Found":
        return update(executionId, () => ({ extensionId: change.extensionId }))
      case "Decided":
        return update(executionId, () => ({ decision: change.decision }))
    }
  }

  const learnStep = (executionId: string, { _tag: _, ...step }: StepChange) => {
    if (step.state === "running") run(executionId, step.startedAtMillis)
    const others = (history.get(executionId) ?? []).filter(
      (other) => other.step !== step.step || other.attempt !== step.attempt
    )
    history.set(executionId, [...others, { ...step, runner }])
  }

  const newestFirst = () =>
    // Of those submitted in the same millisecond, the last one comes first.
    [...releases.values()].reverse().sort((a, b) => b.submittedAtMillis - a.submittedAtMillis)

  return {
    enter: (executionId, payload) =>
      Effect.map(Clock.currentTimeMillis, (now) => enter(executionId, payload, now)),
    note: (executionId, change) =>
      Effect.sync(() =>
        change._tag === "Step" ? learnStep(executionId, change) : learn(executionId, change)
      ),
    list: (filter, limit) =>
      Effect.sync(() => {
        const all = newestFirst()
        const after = filter.after === undefined ? undefined : readCursor(filter.after).executionId
        const from = after === undefined ? 0 : all.findIndex((one) => one.executionId === after) + 1
        return all
          .slice(from)
          .filter((release) => matches(filter, release))
          .slice(0, limit)
      }),
    named: (id) =>
      Effect.sync(() =>
        newestFirst().filter(({ executionId, releaseId }) => executionId === id || releaseId === id)
      ),
    payload: (executionId) => Effect.sync(() => Option.fromNullable(payloads.get(executionId))),
    steps: (executionId) => Effect.sync(() => history.get(executionId) ?? [])
  }
}

const matches = (
  { extension, states, submittedBeforeMillis, submittedSinceMillis }: ReleaseFilter,
  release: ReleaseSummary
): boolean =>
  (states === undefined || states.includes(release.state)) &&
  (extension === undefined || release.extensionId === extension || nameOf(release) === extension) &&
  (submittedBeforeMillis === undefined || release.submittedAtMillis < submittedBeforeMillis) &&
  (submittedSinceMillis === undefined || release.submittedAtMillis >= submittedSinceMillis)

const nameOf = ({ extension }: ReleaseSummary) => (extension._tag === "Named" ? extension.name : undefined)
