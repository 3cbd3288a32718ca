/**
 * Locks of shards: which of them are certain to be ours, and how they are let go together.
 *
 * When a runner joins, the others let go half of their shards and more. The cluster does so one by one, on the connection that keeps
 * the locks alive as well: behind a database that takes a second for a statement, the locks expire meanwhile, and the shards are
 * handed round for ever.
 */
import { PersistenceError } from "@effect/cluster/ClusterError"
import type { RunnerAddress } from "@effect/cluster/RunnerAddress"
import * as RunnerStorage from "@effect/cluster/RunnerStorage"
import type { ShardId } from "@effect/cluster/ShardId"
import * as SqlClient from "@effect/sql/SqlClient"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import * as Monotonic from "../../transfer/Monotonic.ts"
import { answerLimit } from "./storing.ts"

interface Release {
  readonly address: RunnerAddress
  readonly shardId: ShardId
  readonly done: Deferred.Deferred<void, PersistenceError>
}

const make = Effect.gen(function* () {
  const inner = yield* RunnerStorage.RunnerStorage
  const sql = (yield* SqlClient.SqlClient).withoutTransforms()
  const waiting = yield* Queue.unbounded<Release>()

  const letGo = ({ host, port }: RunnerAddress, releases: ReadonlyArray<Release>) =>
    sql`DELETE FROM cluster_locks WHERE address = ${`${host}:${port}`}
      AND ${sql.in(
        "shard_id",
        releases.map(({ shardId }) => shardId.toString())
      )}`.pipe(
      Effect.asVoid,
      // The cluster asks again.
      Effect.disconnect,
      Effect.timeout(answerLimit),
      Effect.mapError((cause) => new PersistenceError({ cause }))
    )

  // A runner has one address only.
  const together = Effect.gen(function* () {
    const first = yield* Queue.take(waiting)
    // Those that are let go at once come one right after the other.
    yield* Effect.sleep("20 millis")
    const releases = [first, ...(yield* Queue.takeAll(waiting))]
    const exit = yield* Effect.exit(letGo(first.address, releases))
    yield* Effect.forEach(releases, ({ done }) => Deferred.done(done, exit), { discard: true })
  })
  yield* Effect.forkScoped(Effect.forever(together))

  return RunnerStorage.RunnerStorage.of({
    ...inner,
    release: Effect.fnUntraced(function* (address, shardId) {
      const done = yield* Deferred.make<void, PersistenceError>()
      yield* Queue.offer(waiting, { address, shardId, done })
      yield* Deferred.await(done)
    })
  })
})

/** The storage given, whose locks are rows. */
export const layerTogether = <E, R>(
  storage: Layer.Layer<RunnerStorage.RunnerStorage, E, R>
): Layer.Layer<RunnerStorage.RunnerStorage, E, R | SqlClient.SqlClient> =>
  Layer.provide(Layer.scoped(RunnerStorage.RunnerStorage, make), storage)

/**
 * Which shards nobody else can have at this moment, as far as this process knows. One that was frozen does not know of any, until it
 * has heard of its locks again.
 */
export class HeldShards extends Context.Tag("effect-elastic-extensions/workflow/HeldShards")<
  HeldShards,
  { readonly isHeld: (shardId: ShardId) => Effect.Effect<boolean> }
>() {}

/** Where no other process can take a shard as long as this one lives. */
export const layerHeldForLife: Layer.Layer<HeldShards> = Layer.succeed(HeldShards, {
  isHeld: () => Effect.succeed(true)
})

/** Where a lock can be lost without a word, such as one that belongs to a connection. */
export const layerHeldUncertainly: Layer.Layer<HeldShards> = Layer.succeed(HeldShards, {
  isHeld: () => Effect.succeed(false)
})

const makeNoting = (lease: Duration.Duration) =>
  Effect.gen(function* () {
    const inner = yield* RunnerStorage.RunnerStorage
    /** When a lock was last asked for that turned out to be ours, on the monotonic clock. */
    const confirmedAt = new Map<string, number>()

    const noting = <E>(locks: Effect.Effect<Array<ShardId>, E>) =>
      Effect.flatMap(Monotonic.now, (askedAt) =>
        Effect.tap(locks, (ours) =>
          Effect.sync(() => {
            for (const shardId of ours) confirmedAt.set(shardId.toString(), askedAt)
          })
        )
      )

    const storage = RunnerStorage.RunnerStorage.of({
      ...inner,
      acquire: (address, shardIds) => noting(inner.acquire(address, shardIds)),
      refresh: (address, shardIds) => noting(inner.refresh(address, shardIds)),
      release: (address, shardId) =>
        Effect.suspend(() => {
          confirmedAt.delete(shardId.toString())
          return inner.release(address, shardId)
        }),
      releaseAll: (address) =>
        Effect.suspend(() => {
          confirmedAt.clear()
          return inner.releaseAll(address)
        })
    })
    const held = HeldShards.of({
      isHeld: (shardId) =>
        Effect.map(Monotonic.now, (now) => {
          const at = confirmedAt.get(shardId.toString())
          return at !== undefined && now - at < Duration.toMillis(lease)
        })
    })
    return Context.make(RunnerStorage.RunnerStorage, storage).pipe(Context.add(HeldShards, held))
  })

/** The storage given, whose locks are rows that nobody else takes before the lease is over. */
export const layerNoting = <E, R>(
  storage: Layer.Layer<RunnerStorage.RunnerStorage, E, R>,
  lease: Duration.Duration
): Layer.Layer<RunnerStorage.RunnerStorage | HeldShards, E, R> =>
  Layer.provide(Layer.effectContext(makeNoting(lease)), storage)
