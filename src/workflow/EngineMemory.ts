/**
 * Releases in the memory of one process: for tests, and for scripts that wait for the end themselves. A release that is
 * run again after its process died starts over, and finds by its journal what was sent already.
 *
 * @since 0.1.0
 */

import type * as Workflow from "@effect/workflow/Workflow"
import { layerMemory as layerEngine, WorkflowEngine } from "@effect/workflow/WorkflowEngine"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"
import { EngineInsight, isRead, noDatabase } from "./internal/engine.ts"
import { memoryRecords } from "./internal/records.ts"
import { memoryTurns } from "./internal/turns.ts"

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
  const given = new Map<string, Workflow.Any>()
  // Whoever is next may not be suspended yet when the one before has left: that takes a moment.
  const wake = (executionId: string) =>
    Option.match(Option.fromNullable(given.get(executionId)), {
      onNone: () => Effect.void,
      onSome: (workflow) =>
        engine
          .resume(workflow, executionId)
          .pipe(Effect.repeat(Schedule.addDelay(Schedule.recurs(5), () => "50 millis")), Effect.forkDaemon)
    })
  const execute: typeof engine.execute = (workflow, options) => {
    given.set(options.executionId, workflow)
    return engine.execute(workflow, options)
  }
  return Context.make(WorkflowEngine, { ...engine, execute }).pipe(
    Context.add(EngineInsight, {
      isKnown: (_, executionId) => Effect.sync(() => given.has(executionId)),
      isGiven: isRead,
      ...noDatabase,
      turns: memoryTurns(wake),
      records: memoryRecords("this process")
    })
  )
}
