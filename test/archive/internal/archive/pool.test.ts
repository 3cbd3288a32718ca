import { describe, expect, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Scope } from "effect"
import { makePool } from "../../../../src/archive/internal/archive/pool.ts"

const options = { leastBytes: 10, promisedBytes: 100, lentBytes: 200 }

describe("a pool of buffers", () => {
  it.scoped("lends all that is left to the only reading, in even shares", () =>
    Effect.gen(function* () {
      const { next } = yield* makePool(options).ring({ buffers: 4, bufferBytes: 1000 })
      const sizes = [next(1000), next(1000), next(1000), next(1000)].map(({ length }) => length)
      expect(sizes).toEqual([60, 60, 60, 60])
    })
  )

  it.scoped("hands out no more than is of use", () =>
    Effect.gen(function* () {
      const { next } = yield* makePool(options).ring({ buffers: 2, bufferBytes: 30 })
      expect(next(1000)).toHaveLength(30)
      expect(next(7)).toHaveLength(7)
      // Its turn again: what is there is large enough.
      expect(next(5)).toHaveLength(30)
    })
  )

  it.scoped("uses the buffers of one reading in turn", () =>
    Effect.gen(function* () {
      const { next } = yield* makePool(options).ring({ buffers: 3, bufferBytes: 20 })
      const [a, b, c, again] = [next(20), next(20), next(20), next(20)]
      expect(new Set([a.buffer, b.buffer, c.buffer]).size).toBe(3)
      expect(again.buffer).toBe(a.buffer)
    })
  )

  it.effect("never holds more than its ceiling, and shrinks the buffers of whoever was there first", () =>
    Effect.gen(function* () {
      const { ring } = makePool(options)
      const scope = yield* Scope.make()
      const rings = yield* Effect.replicateEffect(
        Scope.extend(ring({ buffers: 2, bufferBytes: 500 }), scope),
        5
      )
      const held = new Map<number, number>()
      for (let turn = 0; turn < 6; turn++) {
        for (const [index, { next }] of rings.entries()) held.set(index * 2 + (turn % 2), next(1000).length)
        const all = [...held.values()].reduce((sum, bytes) => sum + bytes, 0)
        expect(all).toBeLessThanOrEqual(300)
      }
      for (const bytes of held.values()) expect(bytes).toBeGreaterThanOrEqual(10)
      yield* Scope.close(scope, Exit.void)
      const { next } = yield* Effect.scoped(ring({ buffers: 1, bufferBytes: 1000 }))
      expect(next(1000)).toHaveLength(210)
    })
  )

  it.effect("lets a reading wait that it has nothing for, and forgets one that is interrupted", () =>
    Effect.gen(function* () {
      const { ring } = makePool(options)
      const first = yield* Scope.make()
      yield* Scope.extend(ring({ buffers: 10, bufferBytes: 10 }), first)
      const inVain = yield* Effect.fork(Effect.scoped(ring({ buffers: 2, bufferBytes: 10 })))
      const waiting = yield* Effect.fork(Effect.scoped(ring({ buffers: 10, bufferBytes: 10 })))
      yield* Effect.yieldNow()
      yield* Fiber.interrupt(inVain)
      expect(waiting.unsafePoll()).toBeNull()
      yield* Scope.close(first, Exit.void)
      expect((yield* Fiber.join(waiting)).next(10)).toHaveLength(10)
    })
  )

  it.scoped("gives a reading that asks for more than there ever is all that there is", () =>
    Effect.gen(function* () {
      const { next } = yield* makePool(options).ring({ buffers: 1000, bufferBytes: 50 })
      expect(next(50).length).toBeGreaterThanOrEqual(10)
    })
  )
})
