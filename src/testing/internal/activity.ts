import * as Effect from "effect/Effect"
import * as HashSet from "effect/HashSet"
import * as Ref from "effect/Ref"
import * as Stream from "effect/Stream"
import * as SubscriptionRef from "effect/SubscriptionRef"

/**
 * What is going on: requests being handled, restarts.
 *
 * @internal
 */
export interface Activity {
  /** Counts one more; the effect it returns takes that one back, and may run any number of times. */
  readonly enter: Effect.Effect<Effect.Effect<void>>
  readonly settled: Effect.Effect<void>
}

/** @internal */
export const make: Effect.Effect<Activity> = Effect.gen(function* () {
  const active = yield* SubscriptionRef.make(HashSet.empty<number>())
  const entries = yield* Ref.make(0)
  return {
    enter: Effect.gen(function* () {
      const entry = yield* Ref.getAndUpdate(entries, (count) => count + 1)
      yield* Ref.update(active, HashSet.add(entry))
      return Ref.update(active, HashSet.remove(entry))
    }),
    settled: active.changes.pipe(
      Stream.filter((going) => HashSet.size(going) === 0),
      Stream.runHead,
      Effect.asVoid
    )
  }
})
