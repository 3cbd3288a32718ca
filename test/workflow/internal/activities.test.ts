/** Steps that are run where their workflow is at work leave what the cluster's engine would have left, and go on with what it left. */
import * as ClusterWorkflowEngine from "@effect/cluster/ClusterWorkflowEngine"
import * as RunnerHealth from "@effect/cluster/RunnerHealth"
import * as RunnerStorage from "@effect/cluster/RunnerStorage"
import * as Runners from "@effect/cluster/Runners"
import * as Sharding from "@effect/cluster/Sharding"
import * as ShardingConfig from "@effect/cluster/ShardingConfig"
import * as SqlMessageStorage from "@effect/cluster/SqlMessageStorage"
import * as FileSystem from "@effect/platform/FileSystem"
import * as NodeContext from "@effect/platform-node/NodeContext"
import * as SqlClient from "@effect/sql/SqlClient"
import * as LibsqlClient from "@effect/sql-libsql/LibsqlClient"
import * as PgClient from "@effect/sql-pg/PgClient"
import { describe, expect, it } from "@effect/vitest"
import * as Activity from "@effect/workflow/Activity"
import * as DurableDeferred from "@effect/workflow/DurableDeferred"
import * as Workflow from "@effect/workflow/Workflow"
import type { WorkflowEngine, WorkflowInstance } from "@effect/workflow/WorkflowEngine"
import { Array as Arr, Deferred, Effect, Exit, Layer, Record, Redacted, Schema, type Scope } from "effect"
import { layerEngine } from "../../../src/workflow/internal/activities.ts"
import { exclusively } from "../../../src/workflow/internal/database.ts"
import { layerHeldForLife, layerHeldUncertainly } from "../../../src/workflow/internal/shardLocks.ts"
import { layerLasting, layerLateSharding } from "../../../src/workflow/internal/storage.ts"
import { canPostgres, postgres } from "../../support/workflow/postgres.ts"

type Database = Layer.Layer<SqlClient.SqlClient>

const sqlite: Effect.Effect<Database, never, Scope.Scope> = Effect.gen(function* () {
  const fs = yield* FileSystem.FileSystem
  const folder = yield* fs.makeTempDirectoryScoped()
  return Layer.orDie(LibsqlClient.layer({ url: `file:${folder}/releases.db`, intMode: "bigint" }))
}).pipe(Effect.provide(NodeContext.layer), Effect.orDie)

const pg: typeof sqlite = Effect.map(postgres, ({ url }) =>
  Layer.orDie(PgClient.layer({ url: Redacted.make(url) }))
)

const databases = [
  ["SQLite", sqlite],
  ...((await Effect.runPromise(canPostgres)) ? [["PostgreSQL", pg] as const] : [])
] as const

const engines = { ofCluster: ClusterWorkflowEngine.layer, ours: layerEngine }

/** A runner that has all shards for as long as the scope of its work is open. */
const runner = (database: Database, engine: keyof typeof engines, held = layerHeldForLife) =>
  Layer.merge(engines[engine], layerLateSharding).pipe(
    Layer.provide([Sharding.layer, held]),
    Layer.provide(Runners.layerNoop),
    Layer.provideMerge(layerLasting(SqlMessageStorage.layer, { exclusively })),
    Layer.provide([RunnerStorage.layerMemory, RunnerHealth.layerNoop]),
    Layer.provide(
      ShardingConfig.layer({
        entityMessagePollInterval: 100,
        entityTerminationTimeout: 100,
        shardsPerGroup: 10
      })
    ),
    Layer.provideMerge(database)
  )

class Refused extends Schema.TaggedError<Refused>()("Refused", { why: Schema.String }) {}

const Steps = Workflow.make({
  name: "steps",
  payload: { id: Schema.String },
  success: Schema.String,
  error: Refused,
  idempotencyKey: ({ id }) => id
})

type Body = Effect.Effect<string, Refused, WorkflowEngine | WorkflowInstance>

/** The workflow, on a runner that is gone when this ends. */
const executed = (database: Database, engine: keyof typeof engines, body: Body) =>
  Effect.exit(Steps.execute({ id: "one" })).pipe(
    Effect.provide(
      Layer.provideMerge(
        Steps.toLayer(() => body),
        runner(database, engine)
      )
    ),
    Effect.scoped
  )

const text = (name: string, execute: Effect.Effect<string, Refused>) =>
  Activity.make({ name, success: Schema.String, error: Refused, execute })

const Count = Schema.Struct({ at: Schema.DateFromString, of: Schema.optional(Schema.Number) })

/** What the database keeps of steps, but for numbers, times and traces. */
const keptIn = (database: Database) =>
  Effect.flatMap(
    SqlClient.SqlClient,
    (sql) => sql<Readonly<Record<string, unknown>>>`
      SELECT m.message_id, m.shard_id, m.entity_type, m.entity_id, m.kind, m.tag, m.payload, m.headers, m.reply_id,
        m.deliver_at, m.processed, m.request_id = m.id AS is_request, m.last_reply_id = r.id AS is_last,
        r.kind AS reply_kind, r.payload AS reply, r.sequence, r.acked
      FROM cluster_messages m LEFT JOIN cluster_replies r ON r.request_id = m.id
      WHERE m.tag = 'activity' ORDER BY m.message_id`
  ).pipe(
    Effect.map(Arr.map(Record.map((value) => (typeof value === "bigint" ? Number(value) : value)))),
    Effect.provide(database)
  )

describe.each(databases)("on %s, a step", (_, makeDatabase) => {
  it.scopedLive("leaves the rows that the cluster's engine leaves, however it ends", () =>
    Effect.gen(function* () {
      const why = `it's "closed"`
      const body = Effect.gen(function* () {
        const counted = yield* Activity.make({
          name: "count",
          success: Count,
          execute: Effect.succeed({ at: new Date(7), of: undefined })
        })
        expect(counted).toEqual({ at: new Date(7), of: undefined })
        yield* Activity.make({ name: "nothing", execute: Effect.void })
        const refusal = yield* Effect.catchAll(text("refuse", new Refused({ why })), Effect.succeed)
        expect(refusal).toEqual(new Refused({ why }))
        const again = Effect.provideService(
          text("refuse", Effect.succeed("open")),
          Activity.CurrentAttempt,
          2
        )
        expect(yield* again).toBe("open")
        const defect = yield* Effect.exit(text("break", Effect.die("broken")))
        expect(Exit.isFailure(defect)).toBe(true)
        return why
      })
      const ours = yield* makeDatabase
      const theirs = yield* makeDatabase
      expect(yield* executed(ours, "ours", body)).toEqual(Exit.succeed(why))
      expect(yield* executed(theirs, "ofCluster", body)).toEqual(Exit.succeed(why))
      const kept = yield* keptIn(ours)
      expect(kept).toHaveLength(5)
      expect(kept).toEqual(yield* keptIn(theirs))
    })
  )

  it.scopedLive.each([
    { first: "ours", second: "ofCluster" },
    { first: "ofCluster", second: "ours" },
    { first: "ours", second: "ours" }
  ] as const)(
    "that has ended on a runner ($first) is not done again by the next one ($second), and one that has not is",
    ({ first, second }) =>
      Effect.gen(function* () {
        const database = yield* makeDatabase
        const done: Array<string> = []
        const hangs = yield* Deferred.make<void>()
        const doing = (name: string) =>
          Effect.sync(() => {
            done.push(name)
            return name
          })
        const upTo = (last: Effect.Effect<string>) =>
          Effect.zipWith(text("one", doing("one")), text("two", last), (one, two) => `${one} ${two}`)
        yield* Effect.raceFirst(
          executed(database, first, upTo(Effect.zipRight(Deferred.succeed(hangs, undefined), Effect.never))),
          Deferred.await(hangs)
        )
        expect(done).toEqual(["one"])
        expect(yield* executed(database, second, upTo(doing("two")))).toEqual(Exit.succeed("one two"))
        expect(done).toEqual(["one", "two"])
        expect(yield* keptIn(database)).toMatchObject([{ reply_kind: 0 }, { reply_kind: 0 }])
      })
  )

  it.scopedLive("has the end that was stored first, if another runner has taken over", () =>
    Effect.gen(function* () {
      const database = yield* makeDatabase
      const taken = (name: string, isDone: boolean, place: number) =>
        Effect.flatMap(SqlClient.SqlClient, (sql) => {
          const payload = JSON.stringify({ name, attempt: 1 })
          const exit = { _tag: "Success", value: "theirs" }
          const answer = JSON.stringify({ _tag: "Success", value: { _tag: "Complete", exit } })
          const message = sql`
            INSERT INTO cluster_messages (
              id, message_id, shard_id, entity_type, entity_id, kind, tag, payload, headers, processed, request_id
            )
            SELECT id + ${sql.literal(String(place))}, replace(message_id, '/run/', ${`/activity/${name}/1`}), shard_id, entity_type, entity_id, 0,
              'activity', ${payload}, '{}', ${sql.literal(String(isDone))}, id + ${sql.literal(String(place))}
            FROM cluster_messages WHERE tag = 'run'`
          const reply = sql`
            INSERT INTO cluster_replies (id, kind, request_id, payload)
            SELECT id + 1, 0, id, ${answer} FROM cluster_messages WHERE payload = ${payload}`
          return Effect.zipRight(
            message,
            Effect.when(reply, () => isDone)
          )
        }).pipe(Effect.provide(database), Effect.orDie)
      const times: Array<string> = []
      const step = (name: string, isDone: boolean) =>
        text(
          name,
          Effect.gen(function* () {
            times.push(name)
            if (times.filter((time) => time === name).length > 1) return "ours, the second time"
            // Far from the numbers that the runner itself gives out.
            yield* taken(name, isDone, 2000 + times.length)
            return "ours"
          })
        )
      const exit = yield* executed(
        database,
        "ours",
        Effect.zipWith(step("ended", true), step("given", false), (ended, given) => `${ended}, ${given}`)
      )
      expect(exit).toEqual(Exit.succeed("theirs, ours, the second time"))
      expect(times).toEqual(["ended", "given", "given"])
    })
  )

  it.scopedLive.each([
    { held: layerHeldForLife, what: "certain to have its shard", there: 0 },
    { held: layerHeldUncertainly, what: "not certain of it", there: 1 }
  ])("is stored before it is done, or only after that, as the runner is $what", ({ held, there }) =>
    Effect.gen(function* () {
      const database = yield* makeDatabase
      const counted: Array<number> = []
      const count = Effect.map(keptIn(database), ({ length }) => {
        counted.push(length)
        return "done"
      })
      const step = text("count", Effect.orDie(count))
      const exit = yield* Effect.exit(Steps.execute({ id: "one" })).pipe(
        Effect.provide(
          Layer.provideMerge(
            Steps.toLayer(() => step),
            runner(database, "ours", held)
          )
        ),
        Effect.scoped
      )
      expect(exit).toEqual(Exit.succeed("done"))
      expect(counted).toEqual([there])
      expect(yield* keptIn(database)).toMatchObject([{ reply_kind: 0 }])
    })
  )

  it.scopedLive("may wait for something, and is done anew when that is there", () =>
    Effect.gen(function* () {
      const database = yield* makeDatabase
      const signal = DurableDeferred.make("signal", { success: Schema.String })
      const times: Array<string> = []
      const waiting = Activity.make({
        name: "wait",
        success: Schema.String,
        execute: Effect.zipRight(
          Effect.sync(() => times.push("begun")),
          DurableDeferred.await(signal)
        )
      })
      const exit = yield* Effect.gen(function* () {
        const executionId = yield* Steps.execute({ id: "one" }, { discard: true })
        yield* Effect.repeat(Steps.poll(executionId), { until: (result) => result?._tag === "Suspended" })
        expect(yield* keptIn(database)).toEqual([])
        const token = DurableDeferred.tokenFromExecutionId(signal, { workflow: Steps, executionId })
        yield* DurableDeferred.succeed(signal, { token, value: "go" })
        return yield* Effect.exit(Steps.execute({ id: "one" }))
      }).pipe(
        Effect.provide(
          Layer.provideMerge(
            Steps.toLayer(() => waiting),
            runner(database, "ours")
          )
        ),
        Effect.scoped
      )
      expect(exit).toEqual(Exit.succeed("go"))
      expect(times).toEqual(["begun", "begun"])
    })
  )

  it.scopedLive("of a name that is too long for the database is done, and kept under another one", () =>
    Effect.gen(function* () {
      const database = yield* makeDatabase
      const name = "n".repeat(300)
      const exit = yield* executed(database, "ours", text(name, Effect.succeed("done")))
      expect(exit).toEqual(Exit.succeed("done"))
      expect(yield* keptIn(database)).toMatchObject([{ message_id: expect.stringMatching(/^[0-9a-f]{64}$/) }])
    })
  )
})
