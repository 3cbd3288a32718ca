/** What the database of a cluster goes through, and the clocks of those who share it. */
import * as NodeContext from "@effect/platform-node/NodeContext"
import { describe, expect, it } from "@effect/vitest"
import { Effect, Either, Exit, Layer, Schema } from "effect"
import * as Fault from "../../src/testing/Fault.ts"
import * as LocalElasticCloud from "../../src/testing/LocalElasticCloud.ts"
import * as ExtensionRelease from "../../src/workflow/ExtensionRelease.ts"
import {
  allReleased,
  asker,
  makeCluster,
  submitAll,
  untilReady,
  untilShared
} from "../support/workflow/cluster.ts"
import * as Observed from "../support/workflow/observations.ts"
import { canOwnPostgres, canPostgres, ownPostgres, postgres, rows } from "../support/workflow/postgres.ts"
import { RunnerProgram } from "../support/workflow/runners.ts"

const archiveBytes = 96 * 1024

/** Makes every transfer take a second and a half. */
const slowServer = Effect.flatMap(LocalElasticCloud.LocalElasticCloud, (cloud) =>
  cloud.plan({ method: "PUT", times: 20, fault: Fault.readSlowly(64 * 1024) })
)

const Sessions = Schema.Struct({ count: Schema.NumberFromString })

/** Sessions that wait in the middle of a transaction for what to do next. */
const idleInTransaction = (url: string) =>
  Effect.map(
    rows(
      url,
      Sessions,
      "SELECT count(*)::text FROM pg_stat_activity WHERE state LIKE 'idle in transaction%'"
    ),
    ([sessions]) => sessions?.count
  )

const World = Layer.merge(LocalElasticCloud.layer({ resumable: {} }), RunnerProgram.layer).pipe(
  Layer.provideMerge(NodeContext.layer),
  Layer.orDie
)

describe.skipIf(!(await Effect.runPromise(canPostgres)))("a PostgreSQL", () => {
  it.scopedLive("that is new can be taken into use by several at once", () =>
    Effect.gen(function* () {
      const { url } = yield* postgres
      const client = Effect.scoped(Layer.build(asker(url)))
      const exits = yield* Effect.forEach(Array.from({ length: 8 }), () => Effect.exit(client), {
        concurrency: "unbounded"
      })
      expect(exits.filter(Exit.isFailure)).toEqual([])
    })
  )

  it.scopedLive("frees the rows that a runner locked which was cut off inside a transaction", () =>
    Effect.gen(function* () {
      const { url } = yield* postgres
      const { start, startRemote, wanted } = yield* makeCluster(archiveBytes)
      const steady = yield* start({ database: url })
      const { runner: remote, toDatabase, toRunner } = yield* startRemote(url)
      yield* untilShared(url, [steady, remote])
      yield* Effect.gen(function* () {
        const releases = yield* wanted(16, "locked")
        yield* toDatabase.partitionAfter("SET processed = TRUE, last_reply_id")
        yield* submitAll(releases)
        yield* Effect.repeat(idleInTransaction(url), { until: (count) => count === 1 })
        yield* toRunner.partition
        yield* allReleased(releases)
      }).pipe(Effect.provide(asker(url)))
    }).pipe(Effect.provide(World))
  )

  it.scopedLive("that only reads is refused by runners and submitters, and taken when it writes again", () =>
    Effect.gen(function* () {
      const { url } = yield* postgres
      const { start, wanted } = yield* makeCluster(archiveBytes)
      const [release] = yield* wanted(1, "read-only")
      if (release === undefined) return yield* Effect.dieMessage("no release")
      const submitted = Effect.provide(ExtensionRelease.submit(release.payload), asker(url))
      const letWrite = (mayWrite: boolean) =>
        rows(
          url,
          Schema.Struct({}),
          `SET TRANSACTION READ WRITE;
           ALTER DATABASE "${new URL(url).pathname.slice(1)}" SET default_transaction_read_only = ${mayWrite ? "off" : "on"}`
        )
      yield* letWrite(false)
      const runner = yield* start({ database: url })
      expect((yield* runner.ended).output).toContain("EngineUnavailable")
      expect(yield* Effect.flip(submitted)).toMatchObject({ _tag: "EngineUnavailable" })
      yield* letWrite(true)
      yield* untilReady([yield* start({ database: url })])
      yield* submitted
      yield* Effect.provide(allReleased([release]), asker(url))
    }).pipe(Effect.provide(World))
  )

  it.scopedLive("is cleared of old releases by a runner, and they are unknown then", () =>
    Effect.gen(function* () {
      const { url } = yield* postgres
      const { start, wanted } = yield* makeCluster(archiveBytes)
      const first = yield* start({ database: url })
      yield* untilReady([first])
      yield* Effect.gen(function* () {
        const releases = yield* wanted(3, "cleared")
        yield* submitAll(releases)
        yield* allReleased(releases)
        const [one] = releases
        if (one === undefined) return yield* Effect.dieMessage("no release")
        const executionId = yield* ExtensionRelease.executionId(one.payload)
        yield* first.kill
        yield* start({ database: url, retention: "1 milli" })
        const gone = Effect.either(ExtensionRelease.poll(executionId))
        const answer = yield* Effect.delay(gone, "100 millis").pipe(Effect.repeat({ until: Either.isLeft }))
        expect(answer).toMatchObject({ left: { _tag: "UnknownExecution" } })
      }).pipe(Effect.provide(asker(url)))
    }).pipe(Effect.provide(World))
  )

  const ahead = 60_000
  it.scopedLive.each([
    ["ahead of", ahead],
    ["behind", -ahead]
  ])(
    "has runners whose clocks are apart: one whose clock is a minute %s the other's is lost, and its releases end, once",
    ([, shift]) =>
      Effect.gen(function* () {
        const { url } = yield* postgres
        const { start, wanted } = yield* makeCluster(archiveBytes)
        const clock = `const now = Date.now; Date.now = () => now() + ${shift}`
        const odd = yield* start({ database: url, flags: ["--import", `data:text/javascript,${clock}`] })
        const even = yield* start({ database: url })
        yield* untilShared(url, [odd, even])
        yield* slowServer
        yield* Effect.gen(function* () {
          const releases = yield* wanted(16, "clocks")
          yield* submitAll(releases)
          yield* Observed.untilTransferring(odd, 1)
          yield* odd.kill
          yield* allReleased(releases)
          expect(Observed.repeatedSteps(yield* odd.reports, yield* even.reports)).toEqual([])
        }).pipe(Effect.provide(asker(url)))
      }).pipe(Effect.provide(World))
  )
})

describe.skipIf(!(await Effect.runPromise(canOwnPostgres)))("a PostgreSQL that is stopped", () => {
  it.scopedLive("in the middle of releases and started again: they end, once", () =>
    Effect.gen(function* () {
      const { start: startDatabase, stop, url } = yield* ownPostgres
      const { start, wanted } = yield* makeCluster(archiveBytes)
      const runner = yield* start({ database: url })
      yield* untilReady([runner])
      yield* slowServer
      const releases = yield* wanted(4, "stopped")
      yield* Effect.provide(submitAll(releases), asker(url))
      yield* Observed.untilTransferring(runner, 2)
      yield* stop
      yield* Effect.sleep("2 seconds")
      yield* startDatabase
      yield* Effect.gen(function* () {
        yield* Effect.forEach(releases, ({ payload }) => ExtensionRelease.execute(payload))
        yield* allReleased(releases)
      }).pipe(Effect.provide(asker(url)))
      const keys = Observed.announcedKeys(yield* runner.reports)
      expect(new Set(keys).size).toBe(releases.length)
    }).pipe(Effect.provide(World))
  )
})
