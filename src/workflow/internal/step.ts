/** What every step of a release has in common: it can be watched, and it does not begin once the release is cancelled. */
import * as Activity from "@effect/workflow/Activity"
import type { WorkflowEngine } from "@effect/workflow/WorkflowEngine"
import { WorkflowInstance } from "@effect/workflow/WorkflowEngine"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import type { ReleaseCancelled } from "../ReleaseError.ts"
import { ReleaseEvents, type ReleaseStep } from "../ReleaseEvents.ts"
import { stopIfCancelled } from "./signals.ts"

/** The work of a step. A cancellation becomes its stored result: the release comes to the same end when it is read again. @internal */
export const work = <A, E extends { readonly _tag: string }, R>(
  step: ReleaseStep,
  self: Effect.Effect<A, E, R>
): Effect.Effect<A, E | ReleaseCancelled, R | WorkflowEngine | WorkflowInstance> =>
  Effect.gen(function* () {
    const { onEvent } = yield* ReleaseEvents
    const { executionId } = yield* WorkflowInstance
    const at = { executionId, step, attempt: yield* Activity.CurrentAttempt }
    yield* onEvent({ _tag: "StepStarted", ...at })
    const exit = yield* Effect.exit(Effect.zipRight(stopIfCancelled, self))
    yield* onEvent({ _tag: "StepEnded", ...at, failure: tagOf(exit) })
    return yield* exit
  })

const tagOf = (exit: Exit.Exit<unknown, { readonly _tag: string }>): string | undefined =>
  Exit.match(exit, {
    onSuccess: () => undefined,
    onFailure: (cause) =>
      Option.match(Cause.failureOption(cause), { onNone: () => "Defect", onSome: ({ _tag }) => _tag })
  })
