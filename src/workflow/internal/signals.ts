/** What is said to a release from outside while it runs, and how it listens. */
import * as DurableDeferred from "@effect/workflow/DurableDeferred"
import { type WorkflowEngine, WorkflowInstance } from "@effect/workflow/WorkflowEngine"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import { ReleaseCancelled } from "../ReleaseError.ts"
import { Decision } from "../ReleaseReceipt.ts"
import { EngineInsight } from "./insight.ts"

/** Whoever decided first. The id tells two decisions of the same person apart. @internal */
export const approval = DurableDeferred.make("ExtensionRelease/approval", {
  success: Schema.Struct({ id: Schema.String, decision: Decision })
})

/**
 * The engines' own interruption ends a release without an error to read, only where it is suspended, and looks to a
 * compensation just like the shutdown of a runner. A cancellation of our own is an error like any other.
 *
 * @internal
 */
export const cancellation = DurableDeferred.make("ExtensionRelease/cancellation")

/** @internal */
export const stopIfCancelled: Effect.Effect<void, ReleaseCancelled, WorkflowEngine | WorkflowInstance> =
  Effect.gen(function* () {
    const insight = yield* EngineInsight
    const { executionId, workflow } = yield* WorkflowInstance
    const isSaid = yield* insight.isSaid(workflow, executionId, cancellation)
    if (isSaid) return yield* new ReleaseCancelled({ executionId })
  })

const lookEvery = Schedule.spaced("2 seconds")

/** Runs an effect that may take long, and interrupts it when the release is cancelled. @internal */
export const unlessCancelled = <A, E, R>(self: Effect.Effect<A, E, R>) =>
  Effect.raceFirst(self, Effect.zipRight(Effect.repeat(stopIfCancelled, lookEvery), Effect.never))
