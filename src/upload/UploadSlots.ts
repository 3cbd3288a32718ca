/**
 * Many uploads, of which some send and others verify.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"
import * as Ref from "effect/Ref"
import * as UploadMetrics from "./UploadMetrics.ts"

/**
 * Follows an upload by its events, and by those of whatever it is a part of.
 *
 * @since 0.1.0
 * @category models
 */
export interface SlotObserver {
  /** Takes the permit before another attempt, and gives it back when verifying begins. */
  readonly onEvent: (event: { readonly _tag: string; readonly attempt?: number }) => Effect.Effect<void>
}

/**
 * Runs an upload that holds one permit as long as it may send, and none while it verifies: then the next one can send. For
 * a further attempt the permit is taken again, before the server is asked what it holds.
 *
 * @example
 * ```ts
 * import { Archive, ExtensionUpload, UploadSlots } from "effect-elastic-extensions"
 * import { Effect } from "effect"
 *
 * // Any number of uploads, of which two send at a time.
 * const program = Effect.gen(function* () {
 *   const slots = yield* Effect.makeSemaphore(2)
 *   const archive = Archive.file("dist/words.zip")
 *   return yield* Effect.forEach(
 *     ["882519870", "882519871", "882519872"],
 *     (extensionId) =>
 *       UploadSlots.withSlot(slots, ({ onEvent }) => ExtensionUpload.upload({ extensionId, archive, onEvent })),
 *     { concurrency: "unbounded" }
 *   )
 * })
 * ```
 *
 * @since 0.1.0
 * @category combinators
 */
export const withSlot = <A, E, R>(
  slots: Pick<Effect.Semaphore, "release" | "take">,
  upload: (observer: SlotObserver) => Effect.Effect<A, E, R>
): Effect.Effect<A, E, R> =>
  Effect.acquireUseRelease(
    makeSlot(slots),
    ({ give, take }) =>
      Effect.zipRight(
        take,
        upload({
          onEvent: ({ _tag, attempt = 0 }) => {
            if (_tag === "VerificationStarted") return give
            // Attempt 0 is a question that is asked again.
            return _tag === "RetryScheduled" && attempt > 0 ? take : Effect.void
          }
        })
      ),
    ({ give }) => give
  )

const makeSlot = (slots: Pick<Effect.Semaphore, "release" | "take">) =>
  Effect.map(Ref.make(false), (isHeld) => ({
    take: Effect.uninterruptibleMask((restore) =>
      UploadMetrics.counting(UploadMetrics.slotsWaiting)(restore(slots.take(1))).pipe(
        Effect.zipRight(Ref.set(isHeld, true)),
        Effect.zipRight(Metric.incrementBy(UploadMetrics.slotsUsed, 1)),
        Effect.unlessEffect(Ref.get(isHeld)),
        Effect.asVoid
      )
    ),
    give: Effect.zipRight(slots.release(1), Metric.incrementBy(UploadMetrics.slotsUsed, -1)).pipe(
      Effect.whenEffect(Ref.getAndSet(isHeld, false)),
      Effect.asVoid
    )
  }))
