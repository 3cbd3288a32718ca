/**
 * The durable release of one archive: a workflow that outlives its process, and is the same in memory, on one machine and
 * in a cluster. Which of them is up to the engine: `EngineMemory`, `EngineSqlite` or `EnginePostgres`.
 *
 * @since 0.1.0
 */
import type * as FileSystem from "@effect/platform/FileSystem"
import type * as HttpClient from "@effect/platform/HttpClient"
import type * as Path from "@effect/platform/Path"
import * as DurableDeferred from "@effect/workflow/DurableDeferred"
import * as Workflow from "@effect/workflow/Workflow"
import type { WorkflowEngine } from "@effect/workflow/WorkflowEngine"
import type * as ConfigError from "effect/ConfigError"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import type { ExtensionsClient } from "../cloud/ExtensionsClient.ts"
import type { UploadJournal } from "../journal/UploadJournal.ts"
import * as UploadHttpClient from "../transfer/UploadHttpClient.ts"
import * as ExtensionUpload from "../upload/ExtensionUpload.ts"
import { type EngineUnavailable, NothingToDecide, UnknownExecution } from "./EngineError.ts"
import * as Decisions from "./internal/decisions.ts"
import { EngineInsight } from "./internal/insight.ts"
import { orUnavailable } from "./internal/persistence.ts"
import { cancellation } from "./internal/signals.ts"
import { steps } from "./internal/steps.ts"
import { ReleaseError } from "./ReleaseError.ts"
import { idempotencyKey, ReleasePayload } from "./ReleasePayload.ts"
import { type Decision, ReleaseReceipt } from "./ReleaseReceipt.ts"

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
 * `Announcement`, `ReleaseEvents`, `ReleaseRetry`, `TransferSlots`, `UploadSettings` and `RetryPolicy` are taken from the
 * context where they are provided to this layer.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<
  never,
  never,
  WorkflowEngine | ExtensionsClient | UploadJournal | FileSystem.FileSystem | HttpClient.HttpClient
> = workflow.toLayer(steps)

/**
 * The same, with everything an upload needs configured from the environment.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerConfig: Layer.Layer<
  never,
  ConfigError.ConfigError,
  WorkflowEngine | FileSystem.FileSystem | Path.Path
> = layer.pipe(
  Layer.provide(ExtensionUpload.layerConfigWithoutHttpClient),
  Layer.provide(UploadHttpClient.layerConfig)
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
 * import { layerMemory } from "effect-elastic-extensions/workflow/EngineMemory"
 * import * as ExtensionRelease from "effect-elastic-extensions/workflow/ExtensionRelease"
 * import * as ReleasePayload from "effect-elastic-extensions/workflow/ReleasePayload"
 *
 * const program = ReleasePayload.prepare({
 *   releaseId: "analysis-acme-2.1.0",
 *   extension: { _tag: "Named", name: "analysis-acme", type: "plugin", version: "8.17.0" },
 *   archive: { _tag: "Path", path: "/builds/analysis-acme-2.1.0.zip" }
 * }).pipe(
 *   Effect.flatMap(ExtensionRelease.execute),
 *   Effect.provide(ExtensionRelease.layerConfig),
 *   Effect.provide(layerMemory)
 * )
 * ```
 *
 * @since 0.1.0
 * @category running
 */
export const execute = (
  payload: ReleasePayload
): Effect.Effect<ReleaseReceipt, ReleaseError | EngineUnavailable, WorkflowEngine> =>
  orUnavailable(workflow.execute(payload))

/**
 * Gives a release to the engine and returns its execution id.
 *
 * @since 0.1.0
 * @category running
 */
export const submit = (payload: ReleasePayload): Effect.Effect<string, EngineUnavailable, WorkflowEngine> =>
  orUnavailable(workflow.execute(payload, { discard: true }))

/**
 * `Running` from being submitted on; `Waiting` while it is suspended, for a decision or before a step is tried again;
 * `Done` with its receipt or error.
 *
 * @since 0.1.0
 * @category models
 */
export type ReleaseStatus =
  | { readonly _tag: "Running" }
  | { readonly _tag: "Waiting" }
  | { readonly _tag: "Done"; readonly exit: Exit.Exit<ReleaseReceipt, ReleaseError> }

const ofKnown = <A, E, R>(executionId: string, effect: Effect.Effect<A, E, R>) =>
  Effect.flatMap(EngineInsight, (insight) => insight.isKnown(workflow, executionId)).pipe(
    Effect.filterOrFail(
      (isKnown) => isKnown,
      () => new UnknownExecution({ executionId })
    ),
    Effect.zipRight(effect),
    orUnavailable
  )

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
  ofKnown(executionId, Effect.map(workflow.poll(executionId), toStatus))

const toStatus = (result: Workflow.Result<ReleaseReceipt, ReleaseError> | undefined): ReleaseStatus => {
  if (result === undefined) return { _tag: "Running" }
  return result._tag === "Suspended" ? { _tag: "Waiting" } : { _tag: "Done", exit: result.exit }
}

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
 * else before its next step. What was sent is given up; an archive that was stored stays. Without effect on a release that
 * has ended.
 *
 * @since 0.1.0
 * @category operating
 */
export const interrupt = (
  executionId: string
): Effect.Effect<void, UnknownExecution | EngineUnavailable, WorkflowEngine> =>
  ofKnown(
    executionId,
    DurableDeferred.succeed(cancellation, {
      token: DurableDeferred.tokenFromExecutionId(cancellation, { workflow, executionId }),
      value: undefined
    })
  )

/**
 * What became of an approval or rejection. Only the first one counts.
 *
 * @since 0.1.0
 * @category models
 */
export interface DecisionReceipt {
  readonly isFirst: boolean
  /** The decision that counts; `undefined` if it is another one that the release has not read yet. */
  readonly inForce: Decision | undefined
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

type Decide = (
  executionId: string,
  decision: DecisionBy
) => Effect.Effect<DecisionReceipt, UnknownExecution | NothingToDecide | EngineUnavailable, WorkflowEngine>

const decide =
  (verdict: Decision["verdict"]): Decide =>
  (executionId, decision) =>
    ofKnown(
      executionId,
      Effect.gen(function* () {
        const told = yield* Decisions.before(workflow, executionId)
        if (told !== undefined) return told
        if (toStatus(yield* workflow.poll(executionId))._tag === "Done") {
          return yield* new NothingToDecide({ executionId })
        }
        return yield* Decisions.make(workflow, executionId, verdict, decision)
      })
    )

/**
 * Lets a release go on that is held for approval, or will be.
 *
 * @since 0.1.0
 * @category operating
 */
export const approve: Decide = decide("approved")

/**
 * Ends a release that is held for approval, as `ReleaseRejected`.
 *
 * @since 0.1.0
 * @category operating
 */
export const reject: Decide = decide("rejected")
