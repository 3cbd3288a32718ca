import { describe, expect, it } from "@effect/vitest"
import { Deferred, Effect, Fiber } from "effect"
import type { UploadEvent } from "../../src/upload/UploadEvent.ts"
import { withSlot } from "../../src/upload/UploadSlots.ts"

const verifying: UploadEvent = { _tag: "VerificationStarted" }
const retry = (attempt: number): UploadEvent => ({
  _tag: "RetryScheduled",
  attempt,
  retry: 1,
  delayMillis: 0,
  reason: "ConnectionFailed",
  message: "the line is down"
})

/** Whether the only permit is free. */
const isFree = (slots: Effect.Semaphore) =>
  Effect.map(slots.withPermitsIfAvailable(1)(Effect.void), ({ _tag }) => _tag)

describe("a slot", () => {
  it.effect("is held while an upload sends, and free while it verifies", () =>
    Effect.gen(function* () {
      const slots = yield* Effect.makeSemaphore(1)
      const seen: Array<string> = []
      const look = Effect.map(isFree(slots), (free) => void seen.push(free))
      yield* withSlot(slots, ({ onEvent }) =>
        Effect.all([look, onEvent(verifying), look, onEvent(retry(0)), look, onEvent(retry(1)), look])
      )
      yield* look
      expect(seen).toEqual(["None", "Some", "Some", "None", "Some"])
    })
  )

  it.effect("is given back once, however often an upload verifies, and whatever ends it", () =>
    Effect.gen(function* () {
      const slots = yield* Effect.makeSemaphore(1)
      yield* withSlot(slots, ({ onEvent }) => Effect.zipRight(onEvent(verifying), onEvent(verifying)))
      yield* Effect.ignore(withSlot(slots, () => Effect.fail("no")))
      const started = yield* Deferred.make<void>()
      const holder = yield* Effect.fork(
        withSlot(slots, () => Effect.zipRight(Deferred.succeed(started, undefined), Effect.never))
      )
      yield* Deferred.await(started)
      // One who waits for it can be interrupted, and takes nothing with him.
      const waiting = yield* Effect.fork(withSlot(slots, () => Effect.void))
      yield* Effect.yieldNow()
      yield* Fiber.interrupt(waiting)
      yield* Fiber.interrupt(holder)
      expect(yield* isFree(slots)).toBe("Some")
      expect(yield* Effect.map(slots.withPermitsIfAvailable(2)(Effect.void), ({ _tag }) => _tag)).toBe("None")
    })
  )
})
