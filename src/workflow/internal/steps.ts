/** A release from its first step to its last. It is read from the start each time it is taken up; what was done stays done. */
import * as DurableDeferred from "@effect/workflow/DurableDeferred"
import * as Workflow from "@effect/workflow/Workflow"
import { WorkflowInstance } from "@effect/workflow/WorkflowEngine"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"
import * as Compensation from "../Compensation.ts"
import * as Activities from "../ReleaseActivities.ts"
import { ReleaseCancelled, ReleaseRejected } from "../ReleaseError.ts"
import { type ReleasePayload, type ReleaseTarget, requireSupported } from "../ReleasePayload.ts"
import type { ReleaseReceipt } from "../ReleaseReceipt.ts"
import { durably } from "../ReleaseRetry.ts"
import { resultOf } from "./insight.ts"
import { isDatabaseFailure } from "./persistence.ts"
import * as Signals from "./signals.ts"

/** @internal */
export const steps = (payload: ReleasePayload, executionId: string) =>
  Effect.gen(function* () {
    yield* requireSupported(payload)
    const { allow, archive, attempt, extension, releaseId, sha256 } = payload
    yield* durably(Activities.inspect({ archive, allow, expected: expectedBy(extension) }))
    yield* durably(Activities.digest({ archive, sha256 }))
    const { created, extensionId } = yield* durably(Activities.ensure({ extension })).pipe(
      Workflow.withCompensation(undo(payload))
    )
    const upload = yield* durably(Activities.transfer({ extensionId, archive, sha256, options: { allow } }))
    const proof = yield* durably(Activities.verify({ upload }))
    const stored = { executionId, releaseId, attempt, extensionId, created, upload, proof, decision: null }
    const receipt = payload.holdForApproval ? yield* hold(stored) : stored
    yield* durably(Activities.announce({ receipt }))
    return receipt
  }).pipe(
    outlivingTheDatabase,
    Effect.annotateLogs({ "release.id": payload.releaseId, "release.execution": executionId })
  )

/** An extension that is named by its id alone tells only later what it is. */
const expectedBy = (extension: ReleaseTarget) => (extension._tag === "Id" ? undefined : extension)

const hold = (receipt: ReleaseReceipt) =>
  Effect.gen(function* () {
    const { executionId, extensionId } = receipt
    yield* durably(Activities.requestApproval({ receipt }))
    const { workflow } = yield* WorkflowInstance
    const isDecided = (yield* resultOf(workflow, executionId, Signals.approval)) !== undefined
    if (!isDecided) yield* Signals.stopIfCancelled
    const { decision } = yield* DurableDeferred.await(Signals.approval)
    if (decision.verdict === "approved") return { ...receipt, decision }
    const { by, note } = decision
    return yield* new ReleaseRejected({
      executionId,
      extensionId,
      by,
      ...(note === undefined ? {} : { note })
    })
  })

/** A runner that shuts down interrupts its releases, which go on elsewhere: nothing is undone then. */
const undo =
  ({ deleteUnfilledOnCancel }: ReleasePayload) =>
  ({ created, extensionId }: Activities.EnsuredExtension, cause: Cause.Cause<unknown>) =>
    Effect.gen(function* () {
      if (Cause.isInterruptedOnly(cause)) return
      if (isCancelled(cause)) yield* Compensation.abandonUpload(extensionId)
      if (created && deleteUnfilledOnCancel) yield* Compensation.deleteUnfilled(extensionId)
      // The engine runs this uninterruptible, and a request is done only when its own timers have been interrupted.
    }).pipe(Effect.interruptible)

const isCancelled = (cause: Cause.Cause<unknown>): boolean =>
  Option.exists(Cause.failureOption(cause), (error) => error instanceof ReleaseCancelled)

/** A database that cannot be reached for a while between two steps is no reason for a release to fail. */
const outlivingTheDatabase = <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  self.pipe(
    Effect.sandbox,
    Effect.retry({ schedule: Schedule.spaced("1 second"), while: isDatabaseFailure }),
    Effect.unsandbox
  )
