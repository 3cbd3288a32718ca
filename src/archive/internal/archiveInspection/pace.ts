/** Long work in short turns: whoever shares the event loop gets his, and an interruption is heard. */
import { clearImmediate, setImmediate } from "node:timers"
import * as Effect from "effect/Effect"

const turnMillis = 8

/** A turn of the event loop. Effect's own yield stays within the microtasks, where no timer fires. */
const pause: Effect.Effect<void> = Effect.async((resume) => {
  const immediate = setImmediate(() => resume(Effect.void))
  return Effect.sync(() => clearImmediate(immediate))
})

/** Mutable: make one per run, inside an Effect. */
export class Pace {
  private since = performance.now()

  /** Whether the turn is over: `rest` before going on. */
  get isOver(): boolean {
    return performance.now() - this.since > turnMillis
  }

  readonly rest: Effect.Effect<void> = Effect.tap(pause, () => {
    this.since = performance.now()
  })
}
