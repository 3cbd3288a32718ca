/**
 * What is kept of a release for people to look at: how it is doing, what it waits for, and what it went through.
 *
 * The engine decides by records of its own. These are written beside them, and never hold up, fail or repeat a step: a runner
 * that dies loses the last tenth of a second of what it had to tell. How a release has ended is put right from the engine's
 * record within a minute; a step whose end was lost stays `running`.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"
import { Decision } from "./ReleaseReceipt.ts"
import { ReleaseTarget } from "./ReleaseTarget.ts"

/**
 * Where a release is: `submitted` and not yet taken up, `running` on a runner, `waiting` (`waitsFor` says for what), `held` for
 * approval, or ended in one of five ways. `failed` is the one that somebody should look at.
 *
 * @since 0.1.0
 * @category schemas
 */
export const ReleaseState = Schema.Literal(
  "submitted",
  "running",
  "waiting",
  "held",
  "done",
  "failed",
  "rejected",
  "cancelled",
  "superseded"
)

/**
 * Where a release is.
 *
 * @since 0.1.0
 * @category models
 */
export type ReleaseState = typeof ReleaseState.Type

/**
 * The states that a release does not leave.
 *
 * @since 0.1.0
 * @category constants
 */
export const endedStates = ["done", "failed", "rejected", "cancelled", "superseded"] as const

/**
 * Whether a release has ended.
 *
 * @since 0.1.0
 * @category guards
 */
export const isEnded = (state: ReleaseState): boolean => endedStates.some((ended) => ended === state)

/**
 * What a release waits for: its turn behind another release (`of`, an execution id), an approval, the next attempt of a step, a
 * runner that can read it, or the second look some time after its announcement.
 *
 * @since 0.1.0
 * @category schemas
 */
export const WaitsFor = Schema.Union(
  Schema.TaggedStruct("Turn", { of: Schema.String }),
  Schema.TaggedStruct("Approval", {}),
  Schema.TaggedStruct("Retry", {
    step: Schema.String,
    /** The attempt to come. */
    attempt: Schema.Int,
    /** In milliseconds since the epoch. */
    atMillis: Schema.Int
  }),
  Schema.TaggedStruct("Runner", { why: Schema.String }),
  Schema.TaggedStruct("SecondLook", { atMillis: Schema.Int })
).annotations({ identifier: "WaitsFor" })

/**
 * What a release waits for.
 *
 * @since 0.1.0
 * @category models
 */
export type WaitsFor = typeof WaitsFor.Type

/**
 * How a step or a release failed, in words that every version can read. `message` ends with `remedy`.
 *
 * @since 0.1.0
 * @category schemas
 */
export const ReleaseFailure = Schema.Struct({
  /** The `_tag` of the error, or `Defect`. */
  tag: Schema.String,
  message: Schema.String,
  remedy: Schema.String
}).annotations({ identifier: "ReleaseFailure" })

/**
 * How a step or a release failed.
 *
 * @since 0.1.0
 * @category models
 */
export interface ReleaseFailure extends Schema.Schema.Type<typeof ReleaseFailure> {}

/**
 * One release, as a list shows it. Times are milliseconds since the epoch: `submittedAtMillis` by the clock of the database, the
 * others by that of the runner.
 *
 * @since 0.1.0
 * @category schemas
 */
export const ReleaseSummary = Schema.Struct({
  executionId: Schema.String,
  releaseId: Schema.String,
  attempt: Schema.Int,
  extension: ReleaseTarget,
  /** Null as long as an extension that is named has not been found or created. */
  extensionId: Schema.NullOr(Schema.String),
  /** Of the archive. */
  sha256: Schema.String,
  holdForApproval: Schema.Boolean,
  state: ReleaseState,
  /** Null unless the release waits or is held. */
  waitsFor: Schema.NullOr(WaitsFor),
  /** Null unless the release has ended without its receipt. */
  failure: Schema.NullOr(ReleaseFailure),
  /** What was decided, once the release knows it. */
  decision: Schema.NullOr(Decision),
  /** Who took the release up last. */
  runner: Schema.NullOr(Schema.String),
  submittedAtMillis: Schema.Int,
  updatedAtMillis: Schema.Int
}).annotations({ identifier: "ReleaseSummary" })

/**
 * One release, as a list shows it.
 *
 * @since 0.1.0
 * @category models
 */
export interface ReleaseSummary extends Schema.Schema.Type<typeof ReleaseSummary> {}

/**
 * The main facts of a step's result, by name. Sizes are bytes.
 *
 * @since 0.1.0
 * @category schemas
 */
export const StepFacts = Schema.Record({
  key: Schema.String,
  value: Schema.Union(Schema.String, Schema.Number, Schema.Boolean)
})

/**
 * One attempt of one step. A step that was cut off and taken up again, here or elsewhere, is the same attempt, and is told of as
 * it was the last time.
 *
 * @since 0.1.0
 * @category schemas
 */
export const StepRecord = Schema.Struct({
  step: Schema.String,
  /** Counts from 1. */
  attempt: Schema.Int,
  /** `interrupted` by a runner that stopped; another one takes the step up. */
  state: Schema.Literal("running", "done", "failed", "interrupted"),
  runner: Schema.String,
  startedAtMillis: Schema.Int,
  endedAtMillis: Schema.NullOr(Schema.Int),
  failure: Schema.NullOr(ReleaseFailure),
  /** Null unless it is done. */
  facts: Schema.NullOr(StepFacts)
}).annotations({ identifier: "StepRecord" })

/**
 * One attempt of one step.
 *
 * @since 0.1.0
 * @category models
 */
export interface StepRecord extends Schema.Schema.Type<typeof StepRecord> {}

const optional = <A, I>(schema: Schema.Schema<A, I>) => Schema.optionalWith(schema, { exact: true })

/**
 * Which releases to list.
 *
 * @since 0.1.0
 * @category schemas
 */
export const ReleaseFilter = Schema.Struct({
  /** In one of these states. Default: in any. */
  states: optional(Schema.NonEmptyArray(ReleaseState)),
  /** For the extension with this id or name. */
  extension: optional(Schema.String),
  /** Submitted before this time, in milliseconds since the epoch. */
  submittedBeforeMillis: optional(Schema.Int),
  /** Submitted at this time or later. */
  submittedSinceMillis: optional(Schema.Int),
  /** At most so many, 1 to 1000. Default 50. */
  limit: optional(Schema.Int.pipe(Schema.between(1, 1000))),
  /** `next` of the page before. */
  after: optional(Schema.String.pipe(Schema.pattern(/^\d{1,15}-[\w-]{1,64}$/)))
}).annotations({ identifier: "ReleaseFilter" })

/**
 * Which releases to list.
 *
 * @since 0.1.0
 * @category models
 */
export interface ReleaseFilter extends Schema.Schema.Type<typeof ReleaseFilter> {}
