/**
 * Releases in the memory of one process: for tests, and for scripts that wait for the end themselves. A release that is
 * run again after its process died starts over, and finds by its journal what was sent already.
 *
 * @since 0.1.0
 */
import { layerMemory as layerEngine, WorkflowEngine } from "@effect/workflow/WorkflowEngine"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { EngineInsight, isRead } from "./internal/engine.ts"

/**
 * An engine that lives and dies with this process.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<WorkflowEngine> = Layer.effectContext(
  Effect.map(WorkflowEngine, remembering)
).pipe(Layer.provide(layerEngine))

/** The engine, and the ids of what it was given. */
function remembering(engine: Context.Tag.Service<WorkflowEngine>) {
  const given = new Set<string>()
  const execute: typeof engine.execute = (workflow, options) => {
    given.add(options.executionId)
    return engine.execute(workflow, options)
  }
  return Context.make(WorkflowEngine, { ...engine, execute }).pipe(
    Context.add(EngineInsight, {
      isKnown: (_, executionId) => Effect.sync(() => given.has(executionId)),
      isGiven: isRead
    })
  )
}
