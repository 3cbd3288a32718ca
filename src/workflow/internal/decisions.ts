/** Approving and rejecting: the engine keeps the first decision, and whoever comes second is told. */
import * as DurableDeferred from "@effect/workflow/DurableDeferred"
import type * as Workflow from "@effect/workflow/Workflow"
import type { WorkflowEngine } from "@effect/workflow/WorkflowEngine"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import type { DecisionBy, DecisionReceipt } from "../ExtensionRelease.ts"
import type { Decision } from "../ReleaseReceipt.ts"
import { EngineInsight, resultOf } from "./insight.ts"
import { approval } from "./signals.ts"

const read = (workflow: Workflow.Any, executionId: string) =>
  Effect.flatMap(resultOf(workflow, executionId, approval), (exit) => exit ?? Effect.succeed(undefined))

/** The decision that somebody made earlier. @internal */
export const before = (
  workflow: Workflow.Any,
  executionId: string
): Effect.Effect<DecisionReceipt | undefined, never, WorkflowEngine> =>
  Effect.gen(function* () {
    const insight = yield* EngineInsight
    if (!(yield* insight.isSaid(workflow, executionId, approval))) return undefined
    return { isFirst: false, inForce: (yield* read(workflow, executionId))?.decision }
  })

/** A release reads its decision when it is held. Until then nobody else can know whether two were made at once. */
const patience = Schedule.intersect(Schedule.spaced("50 millis"), Schedule.recurs(20))

/** @internal */
export const make = (
  workflow: Workflow.Any,
  executionId: string,
  verdict: Decision["verdict"],
  { by, note }: DecisionBy
): Effect.Effect<DecisionReceipt, never, WorkflowEngine> =>
  Effect.gen(function* () {
    const id = crypto.randomUUID()
    const decision: Decision = {
      verdict,
      by,
      ...(note === undefined ? {} : { note }),
      decidedAtMillis: yield* Clock.currentTimeMillis
    }
    yield* DurableDeferred.succeed(approval, {
      token: DurableDeferred.tokenFromExecutionId(approval, { workflow, executionId }),
      value: { id, decision }
    })
    const first = yield* read(workflow, executionId).pipe(
      Effect.repeat({ schedule: patience, until: (found) => found !== undefined }),
      Effect.zipRight(read(workflow, executionId))
    )
    return first === undefined || first.id === id
      ? { isFirst: true, inForce: decision }
      : { isFirst: false, inForce: first.decision }
  })
