/** A shard counts as ours only as long as nobody else can have taken it. */
import * as RunnerAddress from "@effect/cluster/RunnerAddress"
import * as RunnerStorage from "@effect/cluster/RunnerStorage"
import * as ShardId from "@effect/cluster/ShardId"
import { describe, expect, it } from "@effect/vitest"
import { Duration, Effect, Fiber, Layer, TestClock } from "effect"
import { HeldShards, layerNoting } from "../../../src/workflow/internal/shardLocks.ts"

const address = RunnerAddress.make("127.0.0.1", 1)
const [one, two] = [ShardId.make("default", 1), ShardId.make("default", 2)]

/** A store of locks that grants what is asked for, but for the shards of others, and takes so long to answer. */
const storage = (others: Set<ShardId.ShardId>, delay: Duration.DurationInput) => {
  const grant = (_: unknown, shards: Iterable<ShardId.ShardId>) =>
    Effect.delay(
      Effect.sync(() => [...shards].filter((shard) => !others.has(shard))),
      delay
    )
  return Layer.succeed(RunnerStorage.RunnerStorage, {
    ...RunnerStorage.makeMemory.pipe(Effect.runSync),
    acquire: grant,
    refresh: grant,
    release: () => Effect.void
  })
}

/** Runs until it is done, however long that takes by the clock of the test. */
const inTime = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    const fiber = yield* Effect.fork(effect)
    yield* TestClock.adjust("2 seconds")
    return yield* Fiber.join(fiber)
  })

describe("a shard", () => {
  it.effect("is held from the moment at which its lock was asked for, for as long as the lease", () => {
    const others = new Set<ShardId.ShardId>()
    return Effect.gen(function* () {
      const { acquire, refresh, release, releaseAll } = yield* RunnerStorage.RunnerStorage
      const held = yield* HeldShards
      const areHeld = Effect.all([held.isHeld(one), held.isHeld(two)])
      expect(yield* areHeld).toEqual([false, false])

      // The answer takes two seconds: the lease began before.
      yield* inTime(acquire(address, [one, two]))
      expect(yield* areHeld).toEqual([true, true])
      yield* TestClock.adjust("12999 millis")
      expect(yield* areHeld).toEqual([true, true])
      yield* TestClock.adjust("1 millis")
      expect(yield* areHeld).toEqual([false, false])

      // Frozen for so long that another runner took one of them.
      others.add(two)
      yield* inTime(refresh(address, [one, two]))
      expect(yield* areHeld).toEqual([true, false])
      yield* release(address, one)
      expect(yield* areHeld).toEqual([false, false])

      yield* inTime(acquire(address, [one]))
      expect(yield* areHeld).toEqual([true, false])
      yield* releaseAll(address)
      expect(yield* areHeld).toEqual([false, false])
    }).pipe(Effect.provide(layerNoting(storage(others, "2 seconds"), Duration.seconds(15))))
  })
})
