import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"

/** What a failed acquisition took is given back at once, not when the caller's scope happens to close. */
export const releasedOnFailure = <A, E, R>(acquisition: Effect.Effect<A, E, R>) =>
  Effect.uninterruptibleMask((restore) =>
    Effect.gen(function* () {
      const outer = yield* Effect.scope
      const scope = yield* Scope.fork(outer, outer.strategy)
      return yield* restore(Scope.extend(acquisition, scope)).pipe(
        Effect.onError((cause) => Scope.close(scope, Exit.failCause(cause)))
      )
    })
  )
