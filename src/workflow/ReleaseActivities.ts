/**
 * The steps of a release one by one, and what undoes them, for workflows of your own.
 *
 * Each step is an `Activity`: the engine runs it, stores its result, and does not run it again once there is one. A process that
 * dies before the result is stored makes it run twice, which is safe: each looks before it acts. Put an activity
 * into `ReleaseRetry.durably` to have what is transient tried again.
 *
 * A workflow that uses one twice, for two extensions, gives each a `name` of its own.
 *
 * @since 0.1.0
 */
import * as Activity from "@effect/workflow/Activity"
import { WorkflowInstance } from "@effect/workflow/WorkflowEngine"
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { flow } from "effect/Function"
import * as LogLevel from "effect/LogLevel"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as ArchiveDigest from "../archive/ArchiveDigest.ts"
import { ArchiveChanged, ArchiveUnreadable } from "../archive/ArchiveError.ts"
import * as ArchiveInspection from "../archive/ArchiveInspection.ts"
import { type ArchiveLocator, toArchive } from "../archive/ArchiveLocator.ts"
import type { ProblemCode } from "../archive/ArchiveProblem.ts"
import type { Extension } from "../cloud/Extension.ts"
import { ExtensionId } from "../cloud/ExtensionId.ts"
import { ExtensionsClient } from "../cloud/ExtensionsClient.ts"
import { ExtensionsError } from "../cloud/ExtensionsError.ts"
import { JournalError } from "../journal/JournalError.ts"
import { journalId } from "../journal/JournalRecord.ts"
import { keepingDelivered, UploadJournal } from "../journal/UploadJournal.ts"
import { shown, shownLine } from "../outsideText.ts"
import * as ArchiveDelivery from "../publish/ArchiveDelivery.ts"
import * as ExtensionPublish from "../publish/ExtensionPublish.ts"
import { AmbiguousExtension, DeliveryError, NameTaken } from "../publish/PublishError.ts"
import type { PublishEvent } from "../publish/PublishEvent.ts"
import { attribute, errorTypeOf, spanned } from "../telemetry.ts"
import * as Monotonic from "../transfer/Monotonic.ts"
import * as RetryPolicy from "../transfer/RetryPolicy.ts"
import { TransferError } from "../transfer/TransferError.ts"
import * as ExtensionUpload from "../upload/ExtensionUpload.ts"
import * as StoredArchive from "../upload/StoredArchive.ts"
import { UploadConflict, UploadError, VerificationFailed } from "../upload/UploadError.ts"
import * as UploadMetrics from "../upload/UploadMetrics.ts"
import { Proof, UploadReceipt } from "../upload/UploadReceipt.ts"
import type { UploadOverrides } from "../upload/UploadSettings.ts"
import { type SlotObserver, withSlot } from "../upload/UploadSlots.ts"
import { Announcement } from "./Announcement.ts"
import { CurrentRelease, EngineInsight } from "./internal/engine.ts"
import { failureOf as describeFailure, listedWorkflow } from "./internal/records.ts"
import { stopIfCancelled, unlessCancelled } from "./internal/signals.ts"
import { bothOf } from "./internal/slots.ts"
import { PreparationSlots } from "./PreparationSlots.ts"
import { AnnouncementFailed, ReleaseCancelled } from "./ReleaseError.ts"
import { ReleaseEvents, type ReleaseStep } from "./ReleaseEvents.ts"
import * as ReleaseMetrics from "./ReleaseMetrics.ts"
import type { ReleaseReceipt } from "./ReleaseReceipt.ts"
import type { StepRecord } from "./ReleaseRecord.ts"
import type { ReleaseTarget } from "./ReleaseTarget.ts"
import { RunnerDrain } from "./RunnerDrain.ts"
import { TransferSlots } from "./TransferSlots.ts"

/** What the engine knows an activity by within one execution. Default `ExtensionRelease/<step>`. */
interface Named {
  readonly name?: string | undefined
}

/**
 * The extension that gets the archive, and whether this activity created it.
 *
 * @since 0.1.0
 * @category schemas
 */
export const EnsuredExtension = Schema.Struct({ extensionId: ExtensionId, created: Schema.Boolean })

/**
 * The extension that gets the archive.
 *
 * @since 0.1.0
 * @category models
 */
export type EnsuredExtension = typeof EnsuredExtension.Type

/**
 * What the steps come to. Made once: how a schema reads and writes is worked out when it is first used, and takes longer than most
 * of what it is used for.
 */
const results = {
  inspect: {
    success: ArchiveInspection.ArchiveInspection,
    error: Schema.Union(ArchiveUnreadable, ArchiveChanged, ArchiveInspection.InvalidArchive, ReleaseCancelled)
  },
  digest: {
    success: Schema.Struct({
      /** Bytes. */
      size: Schema.NonNegativeInt,
      sha256: ArchiveDigest.Sha256
    }),
    error: Schema.Union(ArchiveUnreadable, ArchiveChanged, ReleaseCancelled)
  },
  ensure: {
    success: EnsuredExtension,
    error: Schema.Union(UploadError, AmbiguousExtension, NameTaken, ReleaseCancelled)
  },
  transfer: { success: UploadReceipt, error: Schema.Union(DeliveryError, ReleaseCancelled) },
  verify: {
    success: Proof,
    error: Schema.Union(
      ExtensionsError,
      TransferError,
      UploadConflict,
      VerificationFailed,
      JournalError,
      ReleaseCancelled
    )
  },
  announce: { error: Schema.Union(AnnouncementFailed, ReleaseCancelled) },
  watch: { error: Schema.Union(ExtensionsError, TransferError, AnnouncementFailed, ReleaseCancelled) }
} as const

/**
 * Looks into the archive and refuses one that Elastic Cloud could not use, but for the errors in `allow`.
 *
 * @since 0.1.0
 * @category activities
 */
export const inspect = (
  input: Named & {
    readonly archive: ArchiveLocator
    /** What the archive is meant for, where that is known already. */
    readonly expected?: ArchiveInspection.ExpectedExtension | undefined
    readonly allow?: ReadonlyArray<ProblemCode> | undefined
  }
) =>
  Activity.make({
    name: input.name ?? "ExtensionRelease/inspect",
    ...results.inspect,
    execute: work(
      "inspect",
      ArchiveInspection.inspect(toArchive(input.archive), { expected: input.expected }).pipe(
        Effect.flatMap((inspection) => ArchiveInspection.check(inspection, { allow: input.allow }))
      ),
      ({ entryCount, size, type, warnings }) => ({
        type,
        size,
        entries: entryCount,
        warnings: warnings.length
      })
    )
  })

/**
 * Reads the whole archive and refuses one that is not the one the release was made for, with `ArchiveChanged`.
 *
 * @since 0.1.0
 * @category activities
 */
export const digest = (input: Named & { readonly archive: ArchiveLocator; readonly sha256: string }) =>
  Activity.make({
    name: input.name ?? "ExtensionRelease/digest",
    ...results.digest,
    execute: work(
      "digest",
      unlessCancelled(
        Effect.flatMap(ArchiveDigest.compute(toArchive(input.archive)), ({ sha256, stat }) =>
          sha256 === input.sha256 ? Effect.succeed({ size: stat.size, sha256 }) : notTheOne(input, sha256)
        )
      ),
      ({ sha256, size }) => ({ size, sha256 })
    )
  })

/**
 * Makes sure that the extension exists and, where it is named, that its version and description are those of the release.
 * An extension that was created and not yet filled is found again.
 *
 * @since 0.1.0
 * @category activities
 */
export const ensure = (input: Named & { readonly extension: ReleaseTarget }) =>
  Activity.make({
    name: input.name ?? "ExtensionRelease/ensure",
    ...results.ensure,
    execute: work("ensure", ensureTarget(input.extension), ({ created, extensionId }) => ({
      extensionId,
      created
    }))
  })

/**
 * Uploads the archive, if the extension does not hold it already. What an earlier run of this activity has sent is
 * continued where its journal of uploads can be read: in the engine's database, or in a folder that all runners share. Where `staging`
 * has it go by way of the object store in the context, the store remembers instead: any runner goes on with the parts.
 *
 * The journal remembers a delivery until `verify` has begun, which is after the engine has stored the result: if that is lost, the
 * archive is not sent again.
 *
 * @since 0.1.0
 * @category activities
 */
export const transfer = (
  input: Named & {
    readonly extensionId: ExtensionId
    readonly archive: ArchiveLocator
    readonly sha256: string
    /** What differs from `UploadSettings`. */
    readonly options?: UploadOverrides | undefined
  }
) =>
  Activity.make({
    name: input.name ?? "ExtensionRelease/transfer",
    ...results.transfer,
    execute: work(
      "transfer",
      Effect.flatMap(slotsOfOne, (slots) =>
        unlessCancelled(
          withSlot(slots, (observer) =>
            Effect.flatMap(RunnerDrain, (drain) => drain.step(send(input, observer)))
          )
        )
      ),
      ({ _tag, archive, attempts, bytesResumed, bytesSent, durationMillis, proof }) => ({
        outcome: _tag,
        proof,
        size: archive.size,
        bytesSent,
        bytesResumed,
        attempts,
        durationMillis
      })
    )
  })

/** For one transfer: a slot of this process, and where all runners share a number, one of those. */
const slotsOfOne = Effect.gen(function* () {
  const { sharedSlot } = yield* EngineInsight
  return bothOf(yield* TransferSlots, yield* sharedSlot)
})

/**
 * Looks at the extension once more: it still holds what was uploaded, or it is an `UploadConflict`. Downloads the archive
 * only where the extension's version has changed since.
 *
 * @since 0.1.0
 * @category activities
 */
export const verify = (input: Named & { readonly upload: UploadReceipt }) =>
  Activity.make({
    name: input.name ?? "ExtensionRelease/verify",
    ...results.verify,
    execute: work(
      "verify",
      unlessCancelled(
        Effect.zipRight(forgetDelivered(input.upload.extensionId), ExtensionUpload.verify(input.upload))
      ),
      (proof) => ({ proof })
    )
  })

const forgetDelivered = Effect.fnUntraced(function* (extensionId: ExtensionId) {
  const { baseUrl: origin } = yield* ExtensionsClient
  yield* (yield* UploadJournal).forgetDelivered(journalId({ origin, extensionId }))
})

/**
 * Calls `Announcement.approvalRequested`.
 *
 * @since 0.1.0
 * @category activities
 */
export const requestApproval = (input: Named & { readonly receipt: ReleaseReceipt }) =>
  announcing(input, "request-approval", "approvalRequested")

/**
 * Calls `Announcement.released`.
 *
 * @since 0.1.0
 * @category activities
 */
export const announce = (input: Named & { readonly receipt: ReleaseReceipt }) =>
  announcing(input, "announce", "released")

/**
 * Looks at the extension some time after the announcement, and calls `Announcement.contentChanged` if it holds something else.
 *
 * @since 0.1.0
 * @category activities
 */
export const watch = (input: Named & { readonly receipt: ReleaseReceipt }) =>
  Activity.make({
    name: input.name ?? "ExtensionRelease/watch",
    ...results.watch,
    execute: work(
      "watch",
      unlessCancelled(Effect.asVoid(ExtensionUpload.verify(input.receipt.upload))).pipe(
        Effect.catchTags({
          UploadConflict: () => callHook("contentChanged", input.receipt),
          VerificationFailed: () => callHook("contentChanged", input.receipt)
        })
      )
    )
  })

/**
 * Gives up an unfinished upload, here and on the server. What cannot be undone is logged: a release keeps the error that it
 * ended with.
 *
 * @since 0.1.0
 * @category compensation
 */
export const abandonUpload = (
  extensionId: ExtensionId
): Effect.Effect<void, never, ExtensionsClient | UploadJournal> =>
  ArchiveDelivery.cancel(extensionId).pipe(
    orLog(`The unfinished upload to extension ${extensionId} could not be given up`)
  )

/**
 * Deletes an extension that never got an archive. One that holds anything, or that somebody is uploading to, is left
 * alone. A failure is logged.
 *
 * @since 0.1.0
 * @category compensation
 */
export const deleteUnfilled: (
  extensionId: ExtensionId
) => Effect.Effect<void, never, ExtensionsClient | UploadJournal> = Effect.fnUntraced(
  function* (extensionId) {
    const client = yield* ExtensionsClient
    const journal = yield* (yield* UploadJournal).open({ origin: client.baseUrl, extensionId })
    const { extension } = yield* client.get(extensionId)
    if (mayHoldAnArchive(extension)) return
    yield* client.delete(extensionId)
    yield* journal.remove
  },
  Effect.scoped,
  Effect.catchTag("ExtensionNotFound", () => Effect.void),
  (self, extensionId) =>
    orLog(`Extension ${extensionId} was not deleted, though the release that made it has ended`)(self)
)

/** The work of a step. A cancellation becomes its stored result: the release comes to the same end when it is read again. */
const work = Effect.fnUntraced(function* <
  A,
  E extends { readonly _tag: string; readonly message: string },
  R
>(step: ReleaseStep, self: Effect.Effect<A, E, R>, facts: (result: A) => StepRecord["facts"] = () => null) {
  const { onEvent } = yield* ReleaseEvents
  const { executionId } = yield* WorkflowInstance
  const at = { executionId, step, attempt: yield* Activity.CurrentAttempt }
  yield* onEvent({ _tag: "StepStarted", ...at })
  const exit = yield* recorded(
    at,
    inItsTurn(step, measured(step)(changing.has(step) ? Effect.zipRight(stopIfCancelled, self) : self)),
    facts
  ).pipe(
    spanned(`ExtensionRelease.${step}`, {
      attributes: {
        [attribute.releaseExecution]: executionId,
        [attribute.releaseStep]: step,
        [attribute.releaseAttempt]: at.attempt,
        ...Option.match(yield* CurrentRelease, {
          onNone: () => ({}),
          onSome: (id) => ({ [attribute.releaseId]: shown(id) })
        })
      }
    }),
    Effect.exit
  )
  yield* onEvent({ _tag: "StepEnded", ...at, failure: failureOf(exit) })
  if (Exit.isFailure(exit) && !Cause.isInterruptedOnly(exit.cause)) {
    const said = Option.match(Cause.failureOption(exit.cause), {
      onNone: () => Cause.pretty(exit.cause),
      onSome: ({ message }) => message
    })
    yield* Effect.logWarning(shownLine(`Step ${step} failed, attempt ${at.attempt}: ${said}`)).pipe(
      Effect.annotateLogs({
        [attribute.releaseStep]: step,
        [attribute.releaseAttempt]: at.attempt,
        [attribute.errorType]: Option.getOrElse(errorTypeOf(exit.cause), () => "Defect")
      })
    )
  }
  return yield* exit
})

/** A transfer begins when it has its slot, and looks after that itself. */
const inItsTurn = Effect.fnUntraced(function* <A, E, R>(step: ReleaseStep, self: Effect.Effect<A, E, R>) {
  if (step === "transfer") return yield* self
  const drain = yield* RunnerDrain
  const slots = yield* PreparationSlots
  return yield* preparations.has(step) ? slots.withPermits(1)(drain.step(self)) : drain.step(self)
})

/** They must not begin once the release is cancelled. Others only look, and the next of these comes right after them. */
const changing: ReadonlySet<ReleaseStep> = new Set<ReleaseStep>([
  "ensure",
  "transfer",
  "request-approval",
  "announce",
  "watch"
])

const preparations: ReadonlySet<ReleaseStep> = new Set<ReleaseStep>(["inspect", "digest", "ensure"])

const measured =
  (step: ReleaseStep) =>
  <A, E, R>(self: Effect.Effect<A, E, R>) =>
    Effect.flatMap(Monotonic.stopwatch, (elapsed) =>
      self.pipe(
        UploadMetrics.counting(ReleaseMetrics.stepsInFlight),
        Effect.onExit((exit) =>
          Effect.flatMap(elapsed, (millis) => ReleaseMetrics.countStep(step, outcomeOf(exit), millis))
        )
      )
    )

const outcomeOf = (exit: Exit.Exit<unknown, unknown>): string => {
  if (Exit.isSuccess(exit)) return "done"
  return Cause.isInterruptedOnly(exit.cause) ? "interrupted" : "failed"
}

/** Also of a step that is cut off: what is done with its result above is not done then. */
const recorded = Effect.fnUntraced(function* <A, E, R>(
  {
    attempt,
    executionId,
    step
  }: { readonly executionId: string; readonly step: string; readonly attempt: number },
  self: Effect.Effect<A, E, R>,
  facts: (result: A) => StepRecord["facts"]
) {
  const { records } = yield* EngineInsight
  const { workflow } = yield* WorkflowInstance
  if (workflow.name !== listedWorkflow) return yield* self
  const started = {
    _tag: "Step",
    step,
    attempt,
    state: "running",
    startedAtMillis: yield* Clock.currentTimeMillis,
    endedAtMillis: null,
    failure: null,
    facts: null
  } as const
  yield* records.note(executionId, started)
  return yield* Effect.onExit(self, (exit) =>
    Effect.flatMap(Clock.currentTimeMillis, (endedAtMillis) =>
      records.note(executionId, {
        ...started,
        endedAtMillis,
        ...Exit.match(exit, {
          onSuccess: (result) => ({ state: "done" as const, facts: facts(result) }),
          onFailure: (cause) =>
            Cause.isInterruptedOnly(cause)
              ? { state: "interrupted" as const }
              : { state: "failed" as const, failure: describeFailure(cause) }
        })
      })
    )
  )
})

const failureOf = (exit: Exit.Exit<unknown, { readonly _tag: string }>): Option.Option<string> =>
  Option.map(
    Exit.causeOption(exit),
    flow(Cause.failureOption, Option.match({ onNone: () => "Defect", onSome: ({ _tag }) => _tag }))
  )

const ensureTarget = Effect.fnUntraced(function* (target: ReleaseTarget) {
  if (target._tag === "Id") {
    const { extension } = yield* StoredArchive.readExtension(target.id)
    return { extensionId: extension.id, created: false }
  }
  const { created, extension } = yield* ExtensionPublish.ensure(target)
  return { extensionId: extension.id, created }
})

const notTheOne = (
  { archive, sha256 }: { readonly archive: ArchiveLocator; readonly sha256: string },
  actual: string
) =>
  new ArchiveChanged({
    path: toArchive(archive).path,
    reason: "Modified",
    detail: `the release is of SHA-256 ${sha256}, the archive has ${actual}`
  })

/**
 * The archive may have been replaced since it was digested. The upload digests it again, before its last bytes leave, and
 * is stopped right there.
 */
const send = Effect.fnUntraced(function* (
  { archive, extensionId, options, sha256 }: Parameters<typeof transfer>[0],
  observer: SlotObserver
) {
  const { onEvent } = yield* ReleaseEvents
  const { executionId } = yield* WorkflowInstance
  const changed = yield* Deferred.make<never, ArchiveChanged>()
  const requireSame = (event: PublishEvent) =>
    event._tag === "DigestComputed" && event.sha256 !== sha256
      ? Effect.zipRight(Deferred.fail(changed, notTheOne({ archive, sha256 }, event.sha256)), Effect.never)
      : Effect.void
  return yield* ArchiveDelivery.deliver({
    ...options,
    extensionId,
    archive: toArchive(archive),
    onEvent: (event) =>
      Effect.all(
        [onEvent({ _tag: "Uploading", executionId, event }), requireSame(event), observer.onEvent(event)],
        {
          discard: true
        }
      )
  }).pipe(
    Effect.provideServiceEffect(UploadJournal, Effect.map(UploadJournal, keepingDelivered)),
    Effect.provideService(UploadMetrics.OutcomeLevel, LogLevel.Info),
    Effect.raceFirst(Deferred.await(changed))
  )
})

const announcing = (
  { name, receipt }: Named & { readonly receipt: ReleaseReceipt },
  step: "announce" | "request-approval",
  hook: Hook
) =>
  Activity.make({
    name: name ?? `ExtensionRelease/${step}`,
    ...results.announce,
    execute: work(step, callHook(hook, receipt, step))
  })

type Hook = "released" | "approvalRequested" | "contentChanged"

/** One that does not return is let go, whatever it does: it must not hold the release. */
const callHook = Effect.fnUntraced(function* (hook: Hook, receipt: ReleaseReceipt, key: string = hook) {
  const announcement = yield* Announcement
  const idempotencyKey = yield* Activity.idempotencyKey(key)
  const late = () =>
    new AnnouncementFailed({
      detail: `the hook did not return within ${Duration.format(announcement.limit)}`,
      isRetryable: true
    })
  return yield* announcement[hook]({ receipt, idempotencyKey }).pipe(
    Effect.disconnect,
    Effect.timeoutFail({ duration: announcement.limit, onTimeout: late }),
    unlessCancelled
  )
})

const orLog =
  (what: string) =>
  <A, R>(self: Effect.Effect<A, DeliveryError, R>): Effect.Effect<void, never, R> =>
    self.pipe(
      RetryPolicy.retry(),
      Effect.catchAll((error) => Effect.logWarning(shownLine(`${what}: ${error.message}`))),
      Effect.asVoid
    )

/** Any trace of an archive is reason enough to keep it. */
const mayHoldAnArchive = ({ downloadUrl, fileMetadata }: Extension): boolean =>
  Option.isSome(downloadUrl) ||
  Option.exists(
    fileMetadata,
    ({ lastModifiedDate, size, url }) =>
      Option.isSome(lastModifiedDate) || Option.isSome(size) || Option.isSome(url)
  )
