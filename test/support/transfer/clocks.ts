import { Clock, Effect } from "effect"

/** A wall clock that can be set, over a real clock whose monotonic side runs on. */
export interface SettableClock {
  readonly clock: Clock.Clock
  /** Moves the wall clock, as a person, NTP or a resumed virtual machine does. */
  readonly jump: (millis: number) => void
}

export const settableClock = (): SettableClock => {
  const real = Clock.make()
  let offset = 0
  const wall = () => real.unsafeCurrentTimeMillis() + offset
  return {
    clock: {
      [Clock.ClockTypeId]: Clock.ClockTypeId,
      unsafeCurrentTimeMillis: wall,
      currentTimeMillis: Effect.sync(wall),
      unsafeCurrentTimeNanos: () => real.unsafeCurrentTimeNanos(),
      currentTimeNanos: real.currentTimeNanos,
      sleep: (duration) => real.sleep(duration)
    },
    jump: (millis) => {
      offset += millis
    }
  }
}
