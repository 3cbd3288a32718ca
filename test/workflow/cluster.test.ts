/** Three runners on one PostgreSQL share sixty releases; one is killed, one is cut off, and nothing is lost or done twice. */
import * as NodeContext from "@effect/platform-node/NodeContext"
import { describe, expect, it } from "@effect/vitest"
import { Effect, Layer, Schema } from "effect"
import * as Fault from "../../src/testing/Fault.ts"
import * as LocalElasticCloud from "../../src/testing/LocalElasticCloud.ts"
import { allReleased, asker, makeCluster, submitAll, untilShared } from "../support/workflow/cluster.ts"
import * as Observed from "../support/workflow/observations.ts"
import { canPostgres, postgres, rows } from "../support/workflow/postgres.ts"
import { RunnerProgram } from "../support/workflow/runners.ts"

const total = 60
const archiveBytes = 96 * 1024
/** Of the server for each upload, in bytes: so slow that a transfer takes a second and a half. */
const bytesPerSecond = 64 * 1024
/** Of a third of the releases, how many a runner has to have begun; which are whose is a matter of hashes. */
const fairShare = 5
/**
 * How long the work of a lost runner may lie: its locks expire after 3 seconds, the others notice, and look for messages.
 * Much less than the ten minutes after which a message is read again that nobody made readable, also on a busy machine.
 */
const takeoverMillis = 60_000

const Ends = Schema.Struct({ ends: Schema.NumberFromString })

/** How often the engine stored an end, for each release. */
const storedEnds = (url: string) =>
  rows(
    url,
    Ends,
    `SELECT count(r.id)::text AS ends FROM cluster_messages m
     LEFT JOIN cluster_replies r ON r.request_id = m.request_id AND r.kind = 0
     WHERE m.tag = 'run' AND m.entity_type = 'Workflow/ExtensionRelease' GROUP BY m.request_id`
  )

/** The third of them remote. */
const threeRunners = Effect.gen(function* () {
  const { url } = yield* postgres
  const { start, startRemote, wanted } = yield* makeCluster(archiveBytes)
  const [steady, doomed, remote] = yield* Effect.all([
    start({ database: url }),
    start({ database: url }),
    startRemote(url)
  ])
  yield* untilShared(url, [steady, doomed, remote.runner])
  return {
    ...{ url, wanted, steady, doomed, remote: remote.runner },
    partition: Effect.all([remote.toDatabase.partition, remote.toRunner.partition]),
    heal: Effect.all([remote.toDatabase.heal, remote.toRunner.heal])
  }
})

const World = Layer.merge(LocalElasticCloud.layer({ resumable: {} }), RunnerProgram.layer).pipe(
  Layer.provideMerge(NodeContext.layer),
  Layer.orDie
)

describe.skipIf(!(await Effect.runPromise(canPostgres)))("three runners on one PostgreSQL", () => {
  it.scopedLive(
    "end sixty releases exactly once, though one is killed and one is cut off in mid-transfer",
    () =>
      Effect.gen(function* () {
        const { doomed, heal, partition, remote, steady, url, wanted } = yield* threeRunners
        const cloud = yield* LocalElasticCloud.LocalElasticCloud
        yield* cloud.plan({ method: "PUT", times: total, fault: Fault.readSlowly(bytesPerSecond) })

        yield* Effect.gen(function* () {
          const first = yield* wanted(total, "first")
          yield* submitAll(first)
          yield* Effect.all([Observed.untilTransferring(doomed, 3), Observed.untilTransferring(remote, 3)])
          yield* Effect.all([doomed.kill, partition])
          const lostAt = performance.now()

          yield* allReleased(first)
          expect((yield* storedEnds(url)).map(({ ends }) => ends)).toEqual(first.map(() => 1))
          const [survivor, killed, cutOff] = yield* Effect.all([
            steady.reports,
            doomed.reports,
            remote.reports
          ])
          for (const reports of [survivor, killed, cutOff]) {
            expect(Observed.executionsOf(Observed.started(reports)).size).toBeGreaterThanOrEqual(fairShare)
          }
          for (const lost of [killed, cutOff]) {
            expect(Observed.repeatedSteps(lost, survivor)).toEqual([])
            expect(Math.max(...Observed.takeovers(lost, survivor, lostAt))).toBeLessThan(takeoverMillis)
          }
          const keys = Observed.announcedKeys(survivor)
          expect(keys).toHaveLength(new Set(keys).size)
          expect(new Set([survivor, killed, cutOff].flatMap(Observed.announcedKeys)).size).toBe(total)

          yield* heal
          yield* untilShared(url, [steady, remote])
          const backAt = performance.now()
          const second = yield* wanted(total / 3, "second")
          yield* submitAll(second)
          yield* allReleased(second)
          for (const runner of [steady, remote]) {
            const since = Observed.started(yield* runner.reports).filter(({ at }) => at > backAt)
            expect(Observed.executionsOf(since).size).toBeGreaterThanOrEqual(2)
          }
        }).pipe(Effect.provide(asker(url)))
      }).pipe(Effect.provide(World))
  )
})
