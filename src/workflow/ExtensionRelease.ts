/**
 * The durable release of one archive: a workflow that outlives its process, and is the same in memory, on one machine and
 * in a cluster. Which of them is up to the engine: `EngineMemory`, `EngineSqlite` or `EnginePostgres`.
 *
 * @since 0.1.0
 */
import type * as FileSystem from "@effect/platform/FileSystem"
import type * as HttpClient from "@effect/platform/HttpClient"
import type * as Path from "@effect/platform/Path"
import * as DurableClock from "@effect/workflow/DurableClock"
import * as Workflow from "@effect/workflow/Workflow"
import { type WorkflowEngine, WorkflowInstance } from "@effect/workflow/WorkflowEngine"
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Config from "effect/Config"
import type * as ConfigError from "effect/ConfigError"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
import * as Option from "effect/Option"
import * as ParseResult from "effect/ParseResult"
import * as Schedule from "effect/Schedule"
import * as ExtensionsClient from "../cloud/ExtensionsClient.ts"
import * as UploadJournal from "../journal/UploadJournal.ts"
import { shown, shownLine } from "../outsideText.ts"
import * as ArchiveDelivery from "../publish/ArchiveDelivery.ts"
import { attribute, errorTypeOf, spanned } from "../telemetry.ts"
import * as RetryPolicy from "../transfer/RetryPolicy.ts"
import * as UploadHttpClient from "../transfer/UploadHttpClient.ts"
import * as UploadSettings from "../upload/UploadSettings.ts"
import { Announcement } from "./Announcement.ts"
import {
  type EngineMismatch,
  type EngineUnavailable,
  NothingToDecide,
  UnknownExecution,
  UnreadableRelease
} from "./EngineError.ts"
import {
  CurrentRelease,
  type EndOf,
  EngineInsight,
  isDatabaseFailure,
  noteWait,
  orUnavailable
} from "./internal/engine.ts"
import { endOf } from "./internal/records.ts"
import * as Signals from "./internal/signals.ts"
import { laneOf, laneOfId } from "./internal/turns.ts"
import * as Activities from "./ReleaseActivities.ts"
import {
  ReleaseBlocked,
  ReleaseCancelled,
  ReleaseError,
  ReleaseRejected,
  ReleaseSuperseded,
  UnsupportedPayload
} from "./ReleaseError.ts"
import * as ReleaseMetrics from "./ReleaseMetrics.ts"
import { currentVersion, ReleasePayload } from "./ReleasePayload.ts"
import { type Decision, ReleaseReceipt } from "./ReleaseReceipt.ts"
import { durably } from "./ReleaseRetry.ts"
import type { ReleaseTarget } from "./ReleaseTarget.ts"

/**
 * inspect → digest → ensure → transfer → verify → (hold for approval) → announce: see `ReleaseActivities` for the steps.
 *
 * What may pass by itself is waited for and tried again (see `ReleaseRetry`); anything else ends the release with one of
 * this library's own errors.
 *
 * @since 0.1.0
 * @category workflow
 */
export const workflow = Workflow.make({
  name: "ExtensionRelease",
  payload: ReleasePayload,
  success: ReleaseReceipt,
  error: ReleaseError,
  idempotencyKey,
  // How long somebody who waits for a suspended release may take to notice that it went on.
  suspendedRetrySchedule: Schedule.union(
    Schedule.exponential("200 millis", 1.5),
    Schedule.spaced("2 seconds")
  )
})

/**
 * Lets this process run releases. Every runner of a cluster needs it; whoever only submits and asks does not.
 *
 * `Announcement`, `PreparationSlots`, `ReleaseEvents`, `ReleaseRetry`, `RunnerDrain`, `TransferSlots`, `UploadSettings` and
 * `RetryPolicy` are taken from the context where they are provided to this layer.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<
  never,
  EngineMismatch | EngineUnavailable,
  | WorkflowEngine
  | ExtensionsClient.ExtensionsClient
  | UploadJournal.UploadJournal
  | FileSystem.FileSystem
  | HttpClient.HttpClient
> = Layer.suspend(() => Layer.merge(layerRelease, layerCare))

/**
 * The same, with everything an upload needs configured from the environment, and the object store if `EC_UPLOAD_STAGE` is
 * set.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerConfig: Layer.Layer<
  never,
  ConfigError.ConfigError | EngineMismatch | EngineUnavailable,
  WorkflowEngine | FileSystem.FileSystem | Path.Path
> = layer.pipe(
  Layer.provide(Layer.suspend(() => layerJournal)),
  // One by one: the journal of an upload by itself would ask for a folder.
  Layer.provide([
    ExtensionsClient.layerConfig,
    RetryPolicy.layerConfig,
    UploadSettings.layerConfig,
    ArchiveDelivery.layerStore
  ]),
  Layer.provide(UploadHttpClient.layerConfig)
)

/**
 * The journal of uploads in the engine's own database, which all its runners share; in the folder that `UploadJournal.folder`
 * tells if `EC_UPLOAD_JOURNAL` is set, or if the engine lives in memory.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerJournal: Layer.Layer<
  UploadJournal.UploadJournal,
  ConfigError.ConfigError,
  WorkflowEngine | FileSystem.FileSystem | Path.Path
> = Layer.unwrapEffect(
  Effect.gen(function* () {
    const { journal } = yield* EngineInsight
    const folder = yield* Config.option(Config.nonEmptyString("EC_UPLOAD_JOURNAL"))
    return Option.isSome(journal) && Option.isNone(folder)
      ? Layer.succeed(UploadJournal.UploadJournal, journal.value)
      : UploadJournal.layerConfig
  })
)

/**
 * With the journal of this layer. An engine hands what surrounds it to whatever it runs, before the layer's own; another journal
 * there, in a folder of this machine alone, would have two machines send at once.
 */
const layerRelease = Layer.unwrapEffect(
  Effect.map(UploadJournal.UploadJournal, (journal) =>
    workflow.toLayer((payload, executionId) =>
      Effect.provideService(release(payload, executionId), UploadJournal.UploadJournal, journal)
    )
  )
)

/** Checks that the releases of the engine are for the endpoint of this process, and looks after all of them. */
const layerCare = Layer.scopedDiscard(
  Effect.gen(function* () {
    const { claim, tend } = yield* EngineInsight
    const { baseUrl } = yield* ExtensionsClient.ExtensionsClient
    yield* claim(baseUrl)
    yield* tend(workflow, endOfExecution)
  })
)

/**
 * The id by which the engine knows a release: the same for the same target, content, release id and attempt.
 *
 * @since 0.1.0
 * @category running
 */
export const executionId = (payload: ReleasePayload): Effect.Effect<string> => workflow.executionId(payload)

/**
 * Runs a release and waits for its end. A release that has run, or is running, is not run twice: its result is waited for,
 * or given at once. To run one again that has failed, give it `ReleasePayload.nextAttempt`.
 *
 * Interrupting this stops the waiting, not the release.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import * as EngineMemory from "effect-elastic-extensions/workflow/EngineMemory"
 * import * as ExtensionRelease from "effect-elastic-extensions/workflow/ExtensionRelease"
 * import * as ReleasePayload from "effect-elastic-extensions/workflow/ReleasePayload"
 * import * as ReleaseTarget from "effect-elastic-extensions/workflow/ReleaseTarget"
 *
 * const program = ReleasePayload.prepare({
 *   releaseId: "analysis-acme-2.1.0",
 *   extension: ReleaseTarget.named({ name: "analysis-acme", type: "plugin", version: "8.17.0" }),
 *   archive: { _tag: "Path", path: "/builds/analysis-acme-2.1.0.zip" }
 * }).pipe(
 *   Effect.flatMap(ExtensionRelease.execute),
 *   Effect.provide(ExtensionRelease.layerConfig),
 *   Effect.provide(EngineMemory.layer)
 * )
 * ```
 *
 * @since 0.1.0
 * @category running
 */
export const execute = (
  payload: ReleasePayload
): Effect.Effect<ReleaseReceipt, ReleaseError | EngineUnavailable, WorkflowEngine> =>
  orUnavailable(Effect.zipRight(takePlace(payload), workflow.execute(payload)))

/**
 * Gives a release to the engine and returns its execution id.
 *
 * @since 0.1.0
 * @category running
 */
export const submit = (payload: ReleasePayload): Effect.Effect<string, EngineUnavailable, WorkflowEngine> =>
  orUnavailable(Effect.zipRight(takePlace(payload), workflow.execute(payload, { discard: true })))

/**
 * `Running` from being submitted on; `Waiting` while it is suspended, for its turn, for a decision, before a step is tried again,
 * or for a runner that can read it, which is what `obstacle` says then; `Done` with its receipt or error; `Unreadable` if it has
 * ended and this version cannot read how.
 *
 * @since 0.1.0
 * @category models
 */
export type ReleaseStatus =
  | { readonly _tag: "Running" }
  | { readonly _tag: "Waiting"; readonly obstacle: Option.Option<string> }
  | { readonly _tag: "Unreadable" }
  | { readonly _tag: "Done"; readonly exit: Exit.Exit<ReleaseReceipt, ReleaseError> }

/**
 * How a release is doing. Does not wait.
 *
 * @example
 * ```ts
 * import { Effect, Exit } from "effect"
 * import * as ExtensionRelease from "effect-elastic-extensions/workflow/ExtensionRelease"
 *
 * const describe = (executionId: string) =>
 *   Effect.map(ExtensionRelease.poll(executionId), (status) =>
 *     status._tag === "Done"
 *       ? Exit.match(status.exit, { onFailure: () => "failed", onSuccess: ({ proof }) => `done, proved by ${proof}` })
 *       : status._tag
 *   )
 * ```
 *
 * @since 0.1.0
 * @category running
 */
export const poll = (
  executionId: string
): Effect.Effect<ReleaseStatus, UnknownExecution | EngineUnavailable, WorkflowEngine> =>
  ofKnown(executionId, status(executionId))

/**
 * Takes up a release that is `Waiting` and should not be. It goes on waiting if what it waits for is not there.
 *
 * @since 0.1.0
 * @category operating
 */
export const resume = (
  executionId: string
): Effect.Effect<void, UnknownExecution | EngineUnavailable, WorkflowEngine> =>
  ofKnown(executionId, workflow.resume(executionId))

/**
 * Cancels a release, which then ends as `ReleaseCancelled`: at once where it waits, within seconds while bytes travel,
 * else before the next step that changes anything. What was sent is given up; an archive that was stored stays. Without
 * effect on a release that has ended.
 *
 * @since 0.1.0
 * @category operating
 */
export const cancel = (
  executionId: string
): Effect.Effect<void, UnknownExecution | EngineUnavailable, WorkflowEngine> =>
  ofKnown(executionId, Signals.cancel(workflow, executionId))

/**
 * What became of an approval or rejection. Only the first one counts.
 *
 * @since 0.1.0
 * @category models
 */
export interface DecisionReceipt {
  readonly isFirst: boolean
  /** The decision that counts; none while it is an earlier one that the release has not read yet. */
  readonly inForce: Option.Option<Decision>
}

/**
 * Who decides about a held release, and what they have to say.
 *
 * @since 0.1.0
 * @category models
 */
export interface DecisionBy {
  /** Who decides, as the receipt will say it. */
  readonly by: string
  readonly note?: string | undefined
}

/**
 * Lets a release go on that is held for approval, or will be.
 *
 * @since 0.1.0
 * @category operating
 */
export const approve = (
  executionId: string,
  decision: DecisionBy
): Effect.Effect<DecisionReceipt, UnknownExecution | NothingToDecide | EngineUnavailable, WorkflowEngine> =>
  ofKnown(executionId, decide(executionId, "approved", decision))

/**
 * Ends a release that is held for approval, as `ReleaseRejected`.
 *
 * @since 0.1.0
 * @category operating
 */
export const reject = (
  executionId: string,
  decision: DecisionBy
): Effect.Effect<DecisionReceipt, UnknownExecution | NothingToDecide | EngineUnavailable, WorkflowEngine> =>
  ofKnown(executionId, decide(executionId, "rejected", decision))

/** A release from its first step to its last. It is read from the start each time it is taken up; what was done stays done. */
const release = Effect.fnUntraced(
  function* (payload: ReleasePayload, executionId: string) {
    const { records } = yield* EngineInsight
    yield* Workflow.addFinalizer((exit) => leave(executionId, exit))
    yield* records.note(executionId, { _tag: "Begun", payload, atMillis: yield* Clock.currentTimeMillis })
    yield* requireSupported(payload)
    const { allow, archive, attempt, extension, releaseId, sha256 } = payload
    yield* durably(Activities.inspect({ archive, allow, expected: expectedBy(extension) }))
    yield* durably(Activities.digest({ archive, sha256 }))
    yield* takeTurn(laneOf(extension), payload)
    const { created, extensionId } = yield* durably(Activities.ensure({ extension })).pipe(
      Workflow.withCompensation(undo(payload))
    )
    yield* records.note(executionId, { _tag: "Found", extensionId })
    // Another release may know by its id what this one knows by its name.
    if (extension._tag === "Named") yield* takeTurn(laneOfId(extensionId), payload)
    const upload = yield* durably(Activities.transfer({ extensionId, archive, sha256, options: { allow } }))
    const proof = yield* durably(Activities.verify({ upload }))
    const stored = { executionId, releaseId, attempt, extensionId, created, upload, proof, decision: null }
    const receipt = payload.holdForApproval ? yield* hold(stored) : stored
    yield* durably(Activities.announce({ receipt }))
    yield* watch(receipt)
    return receipt
  },
  outlivingTheDatabase,
  leftToOthers,
  (self) =>
    Effect.zipRight(Effect.logInfo("The release is at work here."), self).pipe(
      Effect.tapBoth({
        onSuccess: (receipt) =>
          ended(Exit.succeed(receipt), `The release is done, proved by ${receipt.proof}.`),
        onFailure: (error) => ended(Exit.fail(error), `The release ends as ${error._tag}. ${error.message}`)
      })
    ),
  (self, { extension, releaseId }, executionId) => {
    const names = {
      [attribute.releaseId]: shown(releaseId),
      [attribute.releaseExecution]: executionId,
      [attribute.releaseExtension]: shown(
        extension._tag === "Id" ? extension.id : `${extension.type} ${extension.name}`
      )
    }
    return self.pipe(
      spanned("ExtensionRelease.release", { attributes: names }),
      Effect.annotateLogs(names),
      Effect.provideService(CurrentRelease, Option.some(releaseId))
    )
  }
)

/** Counts a release that has ended, tells the span around it, and leaves one line in the log. */
const ended = (exit: Exit.Exit<ReleaseReceipt, ReleaseError>, account: string) => {
  const { state } = endOf(exit, 0)
  const told = {
    [attribute.releaseOutcome]: state,
    ...Exit.match(exit, {
      onFailure: (cause) =>
        Option.match(errorTypeOf(cause), {
          onNone: () => ({}),
          onSome: (type) => ({ [attribute.errorType]: type })
        }),
      onSuccess: ({ extensionId, proof, upload }) => ({
        [attribute.extensionId]: extensionId,
        [attribute.uploadProof]: proof,
        [attribute.archiveSize]: upload.archive.size
      })
    })
  }
  const log = Exit.isSuccess(exit) ? Effect.logInfo : Effect.logWarning
  return Metric.increment(Metric.tagged(ReleaseMetrics.releases, "outcome", state)).pipe(
    Effect.zipRight(Effect.annotateCurrentSpan(told)),
    Effect.zipRight(Effect.annotateLogs(log(shownLine(account)), told))
  )
}

const watch = Effect.fnUntraced(function* (receipt: ReleaseReceipt) {
  const { watchFor } = yield* Announcement
  if (Duration.toMillis(watchFor) === 0) return
  const atMillis = (yield* Clock.currentTimeMillis) + Duration.toMillis(watchFor)
  yield* noteWait({ _tag: "SecondLook", atMillis })
  yield* DurableClock.sleep({ name: "ExtensionRelease/watch", duration: watchFor })
  yield* durably(Activities.watch({ receipt }))
})

/** What this runner does not know, another one may: the release waits for it, and says why. */
const requireSupported = Effect.fnUntraced(function* ({ version }: ReleasePayload) {
  if (version <= currentVersion) return
  const { isShared } = yield* EngineInsight
  const unsupported = new UnsupportedPayload({ version, newestKnown: currentVersion })
  return yield* isShared ? suspendBecause(yield* WorkflowInstance, unsupported) : unsupported
})

const suspendBecause = (instance: WorkflowInstance["Type"], why: Error) =>
  Effect.suspend(() => {
    instance.cause = Cause.die(why)
    return Effect.logWarning(why.message).pipe(
      Effect.zipRight(noteWait({ _tag: "Runner", why: why.message })),
      Effect.provideService(WorkflowInstance, instance),
      Effect.zipRight(Workflow.suspend(instance))
    )
  })

/** A stored result that this version cannot read was stored by another one, which can. */
function leftToOthers<A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R | WorkflowInstance> {
  return Effect.catchSomeDefect(self, (defect) =>
    ParseResult.isParseError(defect)
      ? Option.some(
          Effect.flatMap(WorkflowInstance, (instance) =>
            suspendBecause(instance, new UnreadableRelease({ executionId: instance.executionId }))
          )
        )
      : Option.none()
  )
}

/** Its place in the order of submission. One that the engine knows has had one, and may have ended. */
const takePlace = Effect.fnUntraced(function* (payload: ReleasePayload) {
  const { isKnown, records, turns } = yield* EngineInsight
  const id = yield* executionId(payload)
  if (yield* isKnown(workflow, id)) return
  yield* Effect.all(
    [
      records.enter(id, payload),
      Effect.when(
        turns.enter(laneOf(payload.extension), id, payload.policy),
        () => payload.version <= currentVersion
      )
    ],
    { concurrency: "unbounded", discard: true }
  )
})

/** Goes on when no other release of the extension is ahead. Until then the release is suspended, and costs nothing. */
const takeTurn = Effect.fnUntraced(function* (lane: string, { policy }: ReleasePayload) {
  const { turns } = yield* EngineInsight
  const instance = yield* WorkflowInstance
  const { executionId } = instance
  const turn = yield* turns.ask(lane, executionId, policy)
  switch (turn._tag) {
    case "Begun":
      return
    case "Superseded":
      return yield* new ReleaseSuperseded({ executionId, by: turn.by })
    case "Behind": {
      if (policy === "fail") return yield* new ReleaseBlocked({ executionId, by: turn.of })
      yield* Signals.stopIfCancelled
      yield* noteWait({ _tag: "Turn", of: turn.of })
      yield* Effect.logInfo(`Waits for its turn: release ${turn.of} of the same extension is ahead.`)
      return yield* Workflow.suspend(instance)
    }
  }
})

/** At the very end, when what had to be undone is undone. A runner that shuts down leaves the release its turn. */
const leave = (executionId: string, exit: Exit.Exit<unknown, unknown>) =>
  Exit.isFailure(exit) && Cause.isInterruptedOnly(exit.cause)
    ? Effect.void
    : Effect.flatMap(EngineInsight, ({ records, turns }) =>
        Clock.currentTimeMillis.pipe(
          Effect.flatMap((now) => records.note(executionId, endOf(exit, now))),
          Effect.zipRight(turns.leave(executionId)),
          Effect.zipRight(Effect.forkDaemon(wakeNext(executionId)))
        )
      ).pipe(
        Effect.sandbox,
        Effect.retry({ schedule: Schedule.spaced("1 second"), times: 30 }),
        Effect.catchAll((cause) => Effect.logWarning("The turn could not be passed on yet.", cause)),
        Effect.interruptible
      )

/** The care for all releases would come to it as well, a little later. */
const wakeNext = (executionId: string) =>
  Effect.flatMap(EngineInsight, ({ turns }) =>
    Effect.flatMap(turns.next(executionId), (next) => Effect.forEach(next, (id) => workflow.resume(id)))
  )

/** An extension that is named by its id alone tells only later what it is. */
const expectedBy = (extension: ReleaseTarget) => (extension._tag === "Named" ? extension : undefined)

const hold = Effect.fnUntraced(function* (receipt: ReleaseReceipt) {
  yield* durably(Activities.requestApproval({ receipt }))
  const decision = yield* Signals.awaitDecision(noteWait({ _tag: "Approval" }))
  const { records } = yield* EngineInsight
  yield* records.note(receipt.executionId, { _tag: "Decided", decision })
  if (decision.verdict === "approved") return { ...receipt, decision }
  const { executionId, extensionId } = receipt
  const { by, note } = decision
  return yield* new ReleaseRejected({ executionId, extensionId, by, ...(note === undefined ? {} : { note }) })
})

/** A runner that shuts down interrupts its releases, which go on elsewhere: nothing is undone then. */
const undo = ({ deleteUnfilledOnCancel }: ReleasePayload) =>
  Effect.fnUntraced(
    function* ({ created, extensionId }: Activities.EnsuredExtension, cause: Cause.Cause<unknown>) {
      if (Cause.isInterruptedOnly(cause)) return
      if (isCancelled(cause)) yield* Activities.abandonUpload(extensionId)
      if (created && deleteUnfilledOnCancel) yield* Activities.deleteUnfilled(extensionId)
    },
    // The engine runs this uninterruptible, and a request is done only when its own timers have been interrupted.
    Effect.interruptible
  )

const isCancelled = (cause: Cause.Cause<unknown>): boolean =>
  Option.exists(Cause.failureOption(cause), (error) => error instanceof ReleaseCancelled)

/** A database that cannot be reached for a while between two steps is no reason for a release to fail. */
function outlivingTheDatabase<A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> {
  return self.pipe(
    Effect.sandbox,
    Effect.retry({ schedule: Schedule.spaced("1 second"), while: isDatabaseFailure }),
    Effect.unsandbox
  )
}

/** What makes two releases the same one: target, content, name and attempt. A rebuilt archive is another release. */
function idempotencyKey({ attempt, extension, releaseId, sha256 }: ReleasePayload): string {
  const target = extension._tag === "Id" ? ["id", extension.id] : [extension.type, extension.name]
  return JSON.stringify([...target, sha256, releaseId, attempt])
}

const ofKnown = <A, E, R>(executionId: string, effect: Effect.Effect<A, E, R>) =>
  Effect.flatMap(EngineInsight, (insight) => insight.isKnown(workflow, executionId)).pipe(
    Effect.filterOrFail(
      (isKnown) => isKnown,
      () => new UnknownExecution({ executionId })
    ),
    Effect.zipRight(effect),
    orUnavailable
  )

/** One that this version cannot read has ended all the same. */
const endOfExecution = (executionId: string): ReturnType<EndOf> =>
  Effect.map(status(executionId), (known) => {
    switch (known._tag) {
      case "Done":
        return Option.some(known.exit)
      case "Unreadable":
        return Option.some(Exit.fail(new UnreadableRelease({ executionId })))
      default:
        return Option.none()
    }
  })

const status = (executionId: string): Effect.Effect<ReleaseStatus, never, WorkflowEngine> =>
  Effect.map(workflow.poll(executionId), (result) =>
    Option.match(Option.fromNullable(result), {
      onNone: (): ReleaseStatus => ({ _tag: "Running" }),
      onSome: (known): ReleaseStatus =>
        known._tag === "Suspended"
          ? { _tag: "Waiting", obstacle: Option.map(Option.fromNullable(known.cause), Cause.pretty) }
          : { _tag: "Done", exit: known.exit }
    })
  ).pipe(
    Effect.catchSomeDefect((defect) =>
      ParseResult.isParseError(defect)
        ? Option.some(Effect.succeed<ReleaseStatus>({ _tag: "Unreadable" }))
        : Option.none()
    )
  )

const decide = Effect.fnUntraced(function* (
  executionId: string,
  verdict: Decision["verdict"],
  { by, note }: DecisionBy
) {
  if (yield* Signals.isDecided(workflow, executionId)) {
    return { isFirst: false, inForce: yield* Signals.readDecision(workflow, executionId) }
  }
  if ((yield* status(executionId))._tag === "Done") return yield* new NothingToDecide({ executionId })
  const made = { verdict, by, ...(note === undefined ? {} : { note }) }
  const { decision, isFirst } = yield* Signals.submitDecision(workflow, executionId, made)
  return { isFirst, inForce: Option.some(decision) }
})
