/**
 * Locks of shards, let go together.
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
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
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
