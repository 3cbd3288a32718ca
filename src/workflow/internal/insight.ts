/** What an engine knows and its own interface does not tell. */
import type * as DurableDeferred from "@effect/workflow/DurableDeferred"
import type * as Workflow from "@effect/workflow/Workflow"
import { WorkflowEngine, WorkflowInstance } from "@effect/workflow/WorkflowEngine"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Schema from "effect/Schema"

/** Any deferred of ours. None of them fails. */
type Signal = DurableDeferred.DurableDeferred<Schema.Schema.AnyNoContext, typeof Schema.Never>

/** @internal */
export interface Insight {
  /** Whether the engine was ever given this execution. */
  readonly isKnown: (workflow: Workflow.Any, executionId: string) => Effect.Effect<boolean>
  /** Whether a deferred was completed, even if its workflow has not been told yet. */
  readonly isSaid: (
    workflow: Workflow.Any,
    executionId: string,
    deferred: Signal
  ) => Effect.Effect<boolean, never, WorkflowEngine>
}

/** The result of a deferred, from outside its workflow too. @internal */
export const resultOf = <A extends Schema.Schema.Any, E extends Schema.Schema.All>(
  workflow: Workflow.Any,
  executionId: string,
  deferred: DurableDeferred.DurableDeferred<A, E>
) =>
  Effect.flatMap(WorkflowEngine, (engine) => engine.deferredResult(deferred)).pipe(
    Effect.provideService(WorkflowInstance, WorkflowInstance.initial(workflow, executionId))
  )

/** Where a result can be read as soon as it was given. @internal */
export const isResultThere: Insight["isSaid"] = (workflow, executionId, deferred) =>
  Effect.map(resultOf(workflow, executionId, deferred), (result) => result !== undefined)

/** An engine from elsewhere is taken to know whatever it is asked for. @internal */
export class EngineInsight extends Context.Reference<EngineInsight>()(
  "effect-elastic-extensions/workflow/EngineInsight",
  { defaultValue: (): Insight => ({ isKnown: () => Effect.succeed(true), isSaid: isResultThere }) }
) {}
