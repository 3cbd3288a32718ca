/** What is said to a release from outside while it runs: that it is cancelled, approved or rejected. */
import * as DurableDeferred from "@effect/workflow/DurableDeferred"
import type * as Workflow from "@effect/workflow/Workflow"
import { type WorkflowEngine, WorkflowInstance } from "@effect/workflow/WorkflowEngine"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import { ReleaseCancelled } from "../ReleaseError.ts"
import { Decision } from "../ReleaseReceipt.ts"
import { EngineInsight, read } from "./engine.ts"

/**
 * The engines' own interruption ends a release without an error to read, only where it is suspended, and looks to a
 * compensation just like the shutdown of a runner. A cancellation of our own is an error like any other.
 */
const cancellation = DurableDeferred.make("ExtensionRelease/cancellation")

export const cancel = (workflow: Workflow.Any, executionId: string) =>
  DurableDeferred.succeed(cancellation, {
    token: DurableDeferred.tokenFromExecutionId(cancellation, { workflow, executionId }),
    value: undefined
  })

/** Asked by a release about itself. */
export const stopIfCancelled: Effect.Effect<void, ReleaseCancelled, WorkflowEngine | WorkflowInstance> =
  Effect.gen(function* () {
    const insight = yield* EngineInsight
    const { executionId, workflow } = yield* WorkflowInstance
    const isCancelled = yield* insight.isGiven(workflow, executionId, cancellation)
    if (isCancelled) return yield* new ReleaseCancelled({ executionId })
  })

/** Runs what may take long in a step, and interrupts it within seconds when the release is cancelled. */
export const unlessCancelled = <A, E, R>(self: Effect.Effect<A, E, R>) =>
  Effect.raceFirst(
    self,
    Effect.zipRight(Effect.schedule(stopIfCancelled, Schedule.spaced("2 seconds")), Effect.never)
  )

/** The id tells two decisions of the same person apart. */
const Approval = Schema.Struct({ id: Schema.String, decision: Decision })

/** Whatever was decided first: the engine keeps no other. */
const approval = DurableDeferred.make("ExtensionRelease/approval", { success: Approval })

/**
 * The decision about the release that asks, which is suspended until there is one. It looks for a cancellation first, but
 * only while nothing was decided: what it did after a decision must be done again when the release is read again.
 */
export const awaitDecision = Effect.fnUntraced(function* <R>(onUndecided: Effect.Effect<void, never, R>) {
  const { executionId, workflow } = yield* WorkflowInstance
  if (Option.isNone(yield* read(workflow, executionId, approval))) {
    yield* stopIfCancelled
    yield* onUndecided
  }
  const { decision } = yield* DurableDeferred.await(approval)
  return decision
})

/** Whether somebody has decided, even if the release has not read it yet. */
export const isDecided = (workflow: Workflow.Any, executionId: string) =>
  Effect.flatMap(EngineInsight, (insight) => insight.isGiven(workflow, executionId, approval))

/** What was decided, once the release has read it. */
export const readDecision = (workflow: Workflow.Any, executionId: string) =>
  Effect.map(
    read(workflow, executionId, approval),
    Option.map(({ decision }) => decision)
  )

/** Gives a decision, and returns the one that counts: of two made at once the engine keeps the first. */
export const submitDecision = Effect.fnUntraced(function* (
  workflow: Workflow.Any,
  executionId: string,
  made: Omit<Decision, "decidedAtMillis">
) {
  const id = crypto.randomUUID()
  const decision: Decision = { ...made, decidedAtMillis: yield* Clock.currentTimeMillis }
  yield* DurableDeferred.succeed(approval, {
    token: DurableDeferred.tokenFromExecutionId(approval, { workflow, executionId }),
    value: { id, decision }
  })
  const first = yield* Effect.repeat(read(workflow, executionId, approval), untilRead)
  return Option.match(first, {
    onNone: () => ({ isFirst: true, decision }),
    onSome: (counts) => ({ isFirst: counts.id === id, decision: counts.decision })
  })
})

/** A release reads its decision when it is held. Until then nobody else can know whether two were made at once. */
const untilRead = Schedule.recurUntil<Option.Option<typeof Approval.Type>>(Option.isSome).pipe(
  Schedule.zipLeft(Schedule.spaced("50 millis")),
  Schedule.zipLeft(Schedule.recurs(20))
)
