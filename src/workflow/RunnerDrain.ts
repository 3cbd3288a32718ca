/**
 * Stopping a runner without cutting off what is nearly done: the steps that have begun may end, and no further one begins. Whatever
 * is left when the runner shuts down goes on in another one, or in the next process.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import * as SubscriptionRef from "effect/SubscriptionRef"

/**
 * What steps pass, and what stops them.
 *
 * @since 0.1.0
 * @category models
 */
export interface RunnerDrainService {
  /** Runs the work of a step. While the runner drains, it waits to be cut off instead. */
  readonly step: <A, E, R>(work: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  readonly isDraining: Effect.Effect<boolean>
  /** Lets no further step begin, waits for those that have begun for as long as the limit, and returns how many are left. */
  readonly drain: (limit: Duration.DurationInput) => Effect.Effect<number>
}

interface State {
  readonly isDraining: boolean
  /** Steps that have begun and not ended. */
  readonly begun: number
}

/**
 * One for all the steps of a process.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make: Effect.Effect<RunnerDrainService> = Effect.gen(function* () {
  const state = yield* SubscriptionRef.make<State>({ isDraining: false, begun: 0 })
  const begin = SubscriptionRef.modify(state, (now) =>
    now.isDraining ? [false, now] : [true, { ...now, begun: now.begun + 1 }]
  )
  const end = SubscriptionRef.update(state, (now) => ({ ...now, begun: now.begun - 1 }))
  const allEnded = state.changes.pipe(
    Stream.filter(({ begun }) => begun === 0),
    Stream.runHead
  )
  return {
    step: (work) =>
      Effect.acquireUseRelease(
        begin,
        (hasBegun) => (hasBegun ? work : Effect.never),
        (hasBegun) => (hasBegun ? end : Effect.void)
      ),
    isDraining: Effect.map(SubscriptionRef.get(state), ({ isDraining }) => isDraining),
    drain: (limit) =>
      SubscriptionRef.update(state, (now) => ({ ...now, isDraining: true })).pipe(
        Effect.zipRight(Effect.timeoutOption(allEnded, limit)),
        Effect.zipRight(SubscriptionRef.get(state)),
        Effect.map(({ begun }) => begun)
      )
  }
})

/**
 * What the steps of this process pass: a reference, by default to what never stops them.
 *
 * @since 0.1.0
 * @category references
 */
export class RunnerDrain extends Context.Reference<RunnerDrain>()(
  "effect-elastic-extensions/workflow/RunnerDrain",
  {
    defaultValue: (): RunnerDrainService => ({
      step: (work) => work,
      isDraining: Effect.succeed(false),
      drain: () => Effect.succeed(0)
    })
  }
) {}
