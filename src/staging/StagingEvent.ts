/**
 * What happens while an archive is staged, as it happens. Nothing here renders; every event can be encoded as JSON.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as RetryPolicy from "../transfer/RetryPolicy.ts"

const Bytes = Schema.NonNegativeInt
const Count = Schema.NonNegativeInt

/** The archive is on its way to the store. @since 0.1.0 @category schemas */
export const StagingStarted = Schema.TaggedStruct("StagingStarted", {
  /** Such as `s3://bucket/prefix/<sha256>/<name>`. */
  location: Schema.String,
  total: Bytes,
  partBytes: Bytes,
  parts: Count
})

/**
 * An earlier run, or another machine, left an upload of this archive; this one goes on with it.
 *
 * @since 0.1.0
 * @category schemas
 */
export const StagingContinued = Schema.TaggedStruct("StagingContinued", {
  /** Parts of the right size that the store has. Whether they are kept is known when their bytes were read. */
  parts: Count,
  bytes: Bytes
})

/** A part that the store had already is the right one. @since 0.1.0 @category schemas */
export const PartKept = Schema.TaggedStruct("PartKept", { part: Schema.Positive, bytes: Bytes })

/** The store has taken a part. @since 0.1.0 @category schemas */
export const PartSent = Schema.TaggedStruct("PartSent", { part: Schema.Positive, bytes: Bytes })

/**
 * `bytes` of `total` are in the store or on their way. It is less than before when a part has to be sent again.
 *
 * @since 0.1.0
 * @category schemas
 */
export const StagingProgress = Schema.TaggedStruct("StagingProgress", { bytes: Bytes, total: Bytes })

/**
 * The store lost the upload, or parts of it; what is missing is sent again.
 *
 * @since 0.1.0
 * @category schemas
 */
export const StagingRestarted = Schema.TaggedStruct("StagingRestarted", { message: Schema.String })

/**
 * A request failed with something that may pass; the next one begins after the delay.
 *
 * @since 0.1.0
 * @category schemas
 */
export const StagingRetryScheduled = Schema.TaggedStruct("StagingRetryScheduled", {
  delayMillis: Schema.NonNegativeInt,
  /** `_tag` of the error. */
  reason: Schema.String,
  message: Schema.String
})

/** Something to know that does not stop the staging. @since 0.1.0 @category schemas */
export const StagingWarning = Schema.TaggedStruct("StagingWarning", {
  code: Schema.Literal("LeftoverKept"),
  message: Schema.String
})

/**
 * The whole archive is in the store. `wasThere` where it was before, so that nothing was sent.
 *
 * @since 0.1.0
 * @category schemas
 */
export const StagingCompleted = Schema.TaggedStruct("StagingCompleted", {
  location: Schema.String,
  wasThere: Schema.Boolean
})

/**
 * All events of a staging, as one schema.
 *
 * @since 0.1.0
 * @category schemas
 */
export const StagingEvent = Schema.Union(
  StagingStarted,
  StagingContinued,
  PartKept,
  PartSent,
  StagingProgress,
  StagingRestarted,
  StagingRetryScheduled,
  StagingWarning,
  StagingCompleted
)

/**
 * Something that happened while an archive was staged.
 *
 * @since 0.1.0
 * @category models
 */
export type StagingEvent = typeof StagingEvent.Type

/**
 * What to do with each event.
 *
 * @since 0.1.0
 * @category models
 */
export interface StagingObserver {
  /** Runs for every event, one after the other; the staging waits for it. */
  readonly onEvent: (event: StagingEvent) => Effect.Effect<void>
}

/**
 * Does nothing with any event.
 *
 * @since 0.1.0
 * @category constants
 */
export const nobody: StagingObserver = { onEvent: () => Effect.void }

/**
 * Whoever watches; by default nobody.
 *
 * @since 0.1.0
 * @category references
 */
export class StagingEvents extends Context.Reference<StagingEvents>()(
  "effect-elastic-extensions/staging/StagingEvents",
  { defaultValue: (): StagingObserver => nobody }
) {}

/**
 * Tells whoever watches.
 *
 * @since 0.1.0
 * @category events
 */
export const emit = (event: StagingEvent): Effect.Effect<void> =>
  Effect.flatMap(StagingEvents, ({ onEvent }) => onEvent(event))

/**
 * Tries again under the retry policy, and tells of each retry.
 *
 * @since 0.1.0
 * @category events
 */
export const retrying = <
  A,
  E extends RetryPolicy.Retryable & { readonly _tag: string; readonly message: string },
  R
>(
  self: Effect.Effect<A, E, R>
): Effect.Effect<A, E, R> =>
  RetryPolicy.retry<E>(({ delayMillis, error: { _tag: reason, message } }) =>
    emit({ _tag: "StagingRetryScheduled", delayMillis, reason, message })
  )(self)
