/** What an engine knows and does that its own interface does not tell. */
import type * as DurableDeferred from "@effect/workflow/DurableDeferred"
import type * as Workflow from "@effect/workflow/Workflow"
import { WorkflowEngine, WorkflowInstance } from "@effect/workflow/WorkflowEngine"
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import type * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import type { UploadJournal } from "../../journal/UploadJournal.ts"
import { type EngineMismatch, EngineUnavailable } from "../EngineError.ts"
import type { WaitsFor } from "../ReleaseRecord.ts"
import { listedWorkflow, noRecords, type Records } from "./records.ts"
import { noSharedSlot, type SharedSlot } from "./slots.ts"
import { noTurns, type Turns } from "./turns.ts"

/** A deferred that never fails, as all of ours. */
type Signal<S extends Schema.Schema.AnyNoContext> = DurableDeferred.DurableDeferred<S, typeof Schema.Never>

/** How an execution has ended, if it has. */
export type EndOf = (
  executionId: string
) => Effect.Effect<Option.Option<Exit.Exit<unknown, unknown>>, never, WorkflowEngine>

export interface Insight {
  /** Whether other processes may run its releases, now or later. */
  readonly isShared: boolean
  /** The journal of uploads in the engine's own database. None where it has none. */
  readonly journal: Option.Option<Context.Tag.Service<UploadJournal>>
  readonly turns: Turns
  /** What a transfer needs besides a slot of its process. */
  readonly sharedSlot: Effect.Effect<SharedSlot>
  /** What people are shown. */
  readonly records: Records
  /** Makes sure that the releases of this engine are for this endpoint. */
  readonly claim: (endpoint: string) => Effect.Effect<void, EngineMismatch | EngineUnavailable>
  /** What has to be done for all releases, by one runner, as long as the scope is open. */
  readonly tend: (
    workflow: Workflow.Any,
    ended: EndOf
  ) => Effect.Effect<void, never, WorkflowEngine | Scope.Scope>
  /** Whether the engine was ever given this execution. */
  readonly isKnown: (workflow: Workflow.Any, executionId: string) => Effect.Effect<boolean>
  /** Whether a signal was given, even if the workflow has not been told yet. */
  readonly isGiven: (
    workflow: Workflow.Any,
    executionId: string,
    signal: Signal<Schema.Schema.AnyNoContext>
  ) => Effect.Effect<boolean, never, WorkflowEngine>
}

/** What a workflow has been told by a signal, asked from outside of it too. */
export const read = <S extends Schema.Schema.AnyNoContext>(
  workflow: Workflow.Any,
  executionId: string,
  signal: Signal<S>
): Effect.Effect<Option.Option<S["Type"]>, never, WorkflowEngine> =>
  Effect.flatMap(WorkflowEngine, (engine) => engine.deferredResult(signal)).pipe(
    Effect.flatMap((exit) => Effect.transposeOption(Option.fromNullable(exit))),
    Effect.provideService(WorkflowInstance, WorkflowInstance.initial(workflow, executionId))
  )

/** Where a workflow has been told as soon as the signal was given. */
export const isRead: Insight["isGiven"] = (workflow, executionId, signal) =>
  Effect.map(read(workflow, executionId, signal), Option.isSome)

/** What an engine without a database of its own has instead. */
export const noDatabase: Pick<Insight, "claim" | "isShared" | "journal" | "sharedSlot" | "tend"> = {
  isShared: false,
  sharedSlot: Effect.succeed(noSharedSlot),
  journal: Option.none(),
  claim: () => Effect.void,
  tend: () => Effect.void
}

/** An engine from elsewhere is taken to know whatever it is asked for. */
export class EngineInsight extends Context.Reference<EngineInsight>()(
  "effect-elastic-extensions/workflow/EngineInsight",
  {
    defaultValue: (): Insight => ({
      ...noDatabase,
      isKnown: () => Effect.succeed(true),
      isGiven: isRead,
      turns: noTurns,
      records: noRecords
    })
  }
) {}

/** For people, by the release that waits. */
export const noteWait = Effect.fnUntraced(function* (waitsFor: WaitsFor) {
  const { records } = yield* EngineInsight
  const { executionId, workflow } = yield* WorkflowInstance
  if (workflow.name !== listedWorkflow) return
  yield* records.note(executionId, { _tag: "Waits", waitsFor, atMillis: yield* Clock.currentTimeMillis })
})

/** The name of the release that a step is of, where it is one of ours. */
export class CurrentRelease extends Context.Reference<CurrentRelease>()(
  "effect-elastic-extensions/workflow/CurrentRelease",
  { defaultValue: (): Option.Option<string> => Option.none() }
) {}

// By its tag: the module it comes from belongs to a package that an engine in memory does without.
const isPersistenceError = Predicate.isTagged("PersistenceError")

/** Engines let a failing database surface as a defect, since it is no part of a workflow's own errors. */
export const isDatabaseFailure = (cause: Cause.Cause<unknown>): boolean =>
  Option.exists(Cause.dieOption(cause), isPersistenceError)

export const orUnavailable = <A, E, R>(
  self: Effect.Effect<A, E, R>
): Effect.Effect<A, E | EngineUnavailable, R> =>
  Effect.catchSomeDefect(self, (defect) =>
    isPersistenceError(defect)
      ? Option.some(Effect.fail(toUnavailable("its database")(defect)))
      : Option.none()
  )

/** Whatever a layer fails with, as an error that names what it failed on: engines start with defects, too. */
export const layerOrUnavailable =
  (resource: string) =>
  <A, E, R>(self: Layer.Layer<A, E, R>): Layer.Layer<A, EngineUnavailable, R> =>
    Layer.catchAllCause(self, (cause) => Layer.fail(toUnavailable(resource)(Cause.squash(cause))))

export const toUnavailable =
  (resource: string) =>
  (error: unknown): EngineUnavailable =>
    new EngineUnavailable({ resource, detail: detailOf(error) })

/** What the innermost cause says: those around it repeat it, or quote statements. */
const detailOf = (error: unknown): string => {
  if (Predicate.hasProperty(error, "cause") && Predicate.isRecord(error.cause)) return detailOf(error.cause)
  const said = [textOf(error, "message"), textOf(error, "code")].find((text) => text !== "")
  return said?.replace(/\.$/, "") ?? "it gives no reason"
}

/** An error of several attempts, one for each address of a host, has a code but no message. */
const textOf = (error: unknown, key: "message" | "code"): string =>
  Predicate.hasProperty(error, key) && typeof error[key] === "string" ? error[key] : ""
