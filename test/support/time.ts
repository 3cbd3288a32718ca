/** Tests whose time is set by the test, of what also waits for sockets. */
import { Clock, type Duration, Effect, Fiber, TestClock } from "effect"

/** A moment in which whatever waits for a socket comes to its turn. */
export const moment: Effect.Effect<void> = Effect.sleep("5 millis").pipe(Effect.withClock(Clock.make()))

/** Lets the clock run on until a fiber is done: only the fiber knows when it began to wait. */
export const whileTimePasses = <A, E>(step: Duration.DurationInput, fiber: Fiber.Fiber<A, E>) =>
  TestClock.adjust(step).pipe(Effect.zipRight(moment), Effect.forever, Effect.raceFirst(Fiber.join(fiber)))
