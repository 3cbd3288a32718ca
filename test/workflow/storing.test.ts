/** A database that takes no results for a while, on the settings that ship: releases go on as soon as it takes them again. */
import { join } from "node:path"
import * as MessageStorage from "@effect/cluster/MessageStorage"
import * as Reply from "@effect/cluster/Reply"
import * as ShardingConfig from "@effect/cluster/ShardingConfig"
import * as Snowflake from "@effect/cluster/Snowflake"
import * as SqlMessageStorage from "@effect/cluster/SqlMessageStorage"
import * as Command from "@effect/platform/Command"
import * as FileSystem from "@effect/platform/FileSystem"
import * as SqlClient from "@effect/sql/SqlClient"
import * as PgClient from "@effect/sql-pg/PgClient"
import { describe, expect, it } from "@effect/vitest"
import { Context, Effect, Fiber, Layer, Redacted, Schedule, Schema } from "effect"
import * as EnginePostgres from "../../src/workflow/EnginePostgres.ts"
import * as EngineSqlite from "../../src/workflow/EngineSqlite.ts"
import * as ExtensionRelease from "../../src/workflow/ExtensionRelease.ts"
import { exclusively, saveEnd } from "../../src/workflow/internal/database.ts"
import { layerLasting } from "../../src/workflow/internal/storage.ts"
import { held, sha256 } from "../support/upload/world.ts"
import { detour } from "../support/workflow/gateway.ts"
import { logs } from "../support/workflow/logs.ts"
import { canPostgres, freePort, postgres, rows } from "../support/workflow/postgres.ts"
import { newRelease, place, record, runner } from "../support/workflow/releases.ts"

/** More often than the engine itself tries: it would have given up by then. */
const refusals = 7

const None = Schema.Struct({})
const Refused = Schema.Struct({ refused: Schema.NumberFromString })

/** Refuses the results of messages with this tag. A sequence counts, which no rollback takes back. */
const refusing = (url: string, tag: string) =>
  rows(
    url,
    None,
    `CREATE SEQUENCE refusals;
     CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
       IF (SELECT tag FROM cluster_messages WHERE id = NEW.request_id) = '${tag}' THEN
         PERFORM nextval('refusals');
         RAISE EXCEPTION 'refused';
       END IF;
       RETURN NEW;
     END $$;
     CREATE TRIGGER refuse BEFORE INSERT ON cluster_replies FOR EACH ROW EXECUTE FUNCTION refuse()`
  )

const untilRefused = (url: string) =>
  Effect.repeat(
    rows(
      url,
      Refused,
      "SELECT CASE WHEN is_called THEN last_value ELSE 0 END::text AS refused FROM refusals"
    ),
    { until: ([count]) => (count?.refused ?? 0) >= refusals }
  )

const allowing = (url: string) => rows(url, None, "DROP TRIGGER refuse ON cluster_replies")

const untilLogged = (seen: ReturnType<typeof logs>, text: string, times: number) =>
  Effect.iterate(0, {
    while: (count) => count < times,
    body: () =>
      Effect.as(Effect.sleep("20 millis"), seen.lines.filter((line) => line.text.includes(text)).length)
  })

const couldNotStore = "could not be stored"

const onPostgres = (url: string) =>
  Effect.map(freePort, (port) =>
    EnginePostgres.layer({ url: Redacted.make(url), runner: { host: "127.0.0.1", port } })
  )

/** One run that nobody has answered, and the messages of its database. */
const storedRun = (url: string) =>
  Effect.gen(function* () {
    const tables = layerLasting(SqlMessageStorage.layer, { exclusively, saveEnd }).pipe(
      Layer.provideMerge(PgClient.layer({ url: Redacted.make(url) })),
      Layer.provide(ShardingConfig.layer())
    )
    const context = yield* Layer.build(tables)
    const sql = Context.get(context, SqlClient.SqlClient)
    yield* sql`INSERT INTO cluster_messages (id, shard_id, entity_type, entity_id, kind, tag, request_id)
      VALUES (1, 'default:1', 'Workflow/release', 'one', 0, 'run', 1)`
    return { sql, messages: Context.get(context, MessageStorage.MessageStorage) }
  })

const Waiting = Schema.Struct({ count: Schema.NumberFromString })
const Message = Schema.Struct({ processed: Schema.Boolean, replies: Schema.NumberFromString })

/** Until a session waits for rows that another one has locked. */
const untilBlocked = (url: string) =>
  Effect.repeat(
    rows(url, Waiting, "SELECT count(*)::text FROM pg_stat_activity WHERE wait_event_type = 'Lock'"),
    { until: ([sessions]) => (sessions?.count ?? 0) > 0, schedule: Schedule.spaced("20 millis") }
  )

const endOfRun = Reply.ReplyWithContext.fromDefect({
  id: Snowflake.Snowflake("2"),
  requestId: Snowflake.Snowflake("1"),
  defect: "it's over"
})

const AnyRow = Schema.Record({ key: Schema.String, value: Schema.Unknown })

/** Everything that the engine keeps about the run. */
const keptOf = (url: string) =>
  rows(
    url,
    AnyRow,
    `SELECT to_jsonb(m) AS message, to_jsonb(r) - 'rowid' AS reply
     FROM cluster_messages m LEFT JOIN cluster_replies r ON r.request_id = m.request_id`
  )

describe.skipIf(!(await Effect.runPromise(canPostgres)))("a PostgreSQL", () => {
  it.scopedLive("keeps the end of a run as the cluster would have stored it", () =>
    Effect.gen(function* () {
      const { url } = yield* postgres
      const ours = yield* storedRun(url)
      yield* ours.messages.saveReply(endOfRun)
      const kept = yield* keptOf(url)
      expect(kept).toMatchObject([{ message: { processed: true }, reply: { id: 2, kind: 0 } }])
      yield* ours.sql`DELETE FROM cluster_replies`
      yield* ours.sql`UPDATE cluster_messages SET processed = FALSE, last_reply_id = NULL`
      const theirs = yield* Layer.build(
        SqlMessageStorage.layer.pipe(
          Layer.provide(PgClient.layer({ url: Redacted.make(url) })),
          Layer.provide(ShardingConfig.layer())
        )
      )
      yield* Context.get(theirs, MessageStorage.MessageStorage).saveReply(endOfRun)
      expect(kept).toEqual(yield* keptOf(url))
    })
  )

  it.scopedLive("in which somebody wakes a run while its end is stored keeps the end", () =>
    Effect.gen(function* () {
      const { url } = yield* postgres
      const { messages, sql } = yield* storedRun(url)
      const isWaking = yield* Effect.makeLatch()
      const storing = yield* Effect.fork(Effect.zipRight(isWaking.await, messages.saveReply(endOfRun)))
      yield* Effect.gen(function* () {
        // What `exclusively` and the cluster do to wake a run, held in its middle.
        yield* sql`SELECT 1 FROM cluster_messages WHERE request_id = 1 FOR UPDATE`
        yield* isWaking.open
        yield* untilBlocked(url)
        yield* sql`DELETE FROM cluster_replies WHERE request_id = 1 AND kind = 0`
        yield* sql`UPDATE cluster_messages SET processed = FALSE, last_reply_id = NULL WHERE request_id = 1`
      }).pipe(sql.withTransaction)
      yield* Fiber.join(storing)
      expect(yield* keptOf(url)).toMatchObject([{ message: { processed: true }, reply: { id: 2 } }])
    })
  )

  it.scopedLive("in which the end of a run is stored while somebody wakes the run keeps the end", () =>
    Effect.gen(function* () {
      const { url } = yield* postgres
      const { messages, sql } = yield* storedRun(url)
      const isStoring = yield* Effect.makeLatch()
      const waking = yield* Effect.fork(
        Effect.zipRight(isStoring.await, messages.clearReplies(Snowflake.Snowflake("1")))
      )
      yield* Effect.gen(function* () {
        // What the cluster does to store a result, held in its middle.
        yield* sql`UPDATE cluster_messages SET processed = TRUE, last_reply_id = 2 WHERE request_id = 1`
        yield* isStoring.open
        yield* untilBlocked(url)
        yield* sql`INSERT INTO cluster_replies (id, kind, request_id, payload)
          VALUES (2, 0, 1, ${JSON.stringify({ _tag: "Success", value: { _tag: "Complete" } })})`
      }).pipe(sql.withTransaction)
      yield* Fiber.join(waking)
      expect(
        yield* rows(
          url,
          Message,
          `SELECT processed, (SELECT count(*)::text FROM cluster_replies WHERE request_id = 1) AS replies
           FROM cluster_messages`
        )
      ).toEqual([{ processed: true, replies: 1 }])
    })
  )

  it.scopedLive.each(["activity", "run"])(
    "that refuses the result of every message '%s' for longer than the engine tries freezes no release",
    (tag) => {
      const seen = logs()
      const steps = record()
      return Effect.gen(function* () {
        const { url } = yield* postgres
        const engine = yield* onPostgres(url)
        const { content, executionId, payload } = yield* newRelease()
        yield* Effect.gen(function* () {
          yield* refusing(url, tag)
          yield* ExtensionRelease.submit(payload)
          yield* untilRefused(url)
          yield* allowing(url)
          const { extensionId } = yield* ExtensionRelease.execute(payload)
          expect(yield* held(extensionId)).toMatchObject({ sha256: sha256(content), uploads: 1 })
          expect(steps.released).toHaveLength(1)
        }).pipe(Effect.provide(runner(steps.layer).pipe(Layer.provideMerge(engine))))
        const warnings = seen.lines.filter(
          ({ level, text }) => level === "WARN" && text.includes(couldNotStore)
        )
        expect(warnings[0]?.annotations).toMatchObject({
          "elastic.release.execution": executionId,
          "elastic.release.message": tag
        })
      }).pipe(Effect.provide(place()), Effect.provide(seen.layer))
    }
  )

  it.scopedLive("behind a network that swallows the answer to a stored result freezes no release", () => {
    const seen = logs()
    const steps = record()
    return Effect.gen(function* () {
      const { url } = yield* postgres
      const network = yield* detour(url)
      const engine = yield* onPostgres(network.url)
      const { content, payload } = yield* newRelease()
      yield* Effect.gen(function* () {
        yield* network.partitionAfter("SET processed = TRUE, last_reply_id")
        yield* ExtensionRelease.submit(payload)
        yield* untilLogged(seen, couldNotStore, 1)
        yield* network.heal
        // Whoever asks may get a connection that broke meanwhile, is told so, and asks again.
        const { extensionId } = yield* Effect.retry(ExtensionRelease.execute(payload), {
          schedule: Schedule.spaced("200 millis"),
          while: ({ _tag }) => _tag === "EngineUnavailable"
        })
        expect(yield* held(extensionId)).toMatchObject({ sha256: sha256(content), uploads: 1 })
        expect(steps.released).toHaveLength(1)
      }).pipe(Effect.provide(runner(steps.layer).pipe(Layer.provideMerge(engine))))
    }).pipe(Effect.provide(place()), Effect.provide(seen.layer))
  })
})

/**
 * A statement of somebody else, who waits for the engine's transactions to end. In this process, waiting would hold up the
 * engine itself.
 */
const inAnotherProcess = (file: string) => (statement: string) =>
  Command.make(
    process.execPath,
    "--input-type=module",
    "-e",
    `import { createClient } from "@libsql/client"
     const [url, statement] = process.argv.slice(1)
     const client = createClient({ url })
     await client.execute("PRAGMA busy_timeout = 30000")
     await client.execute(statement)`,
    `file:${file}`,
    statement
  ).pipe(
    Command.exitCode,
    Effect.filterOrDieMessage((code) => code === 0, `the statement failed: ${statement}`),
    Effect.orDie
  )

describe("a database file", () => {
  it.scopedLive.each(["activity", "run"])(
    "that takes no result of a message '%s' for longer than the engine tries freezes no release",
    (tag) => {
      const seen = logs()
      return Effect.gen(function* () {
        const fs = yield* FileSystem.FileSystem
        const file = join(yield* fs.makeTempDirectoryScoped({ prefix: "releases-" }), "releases.db")
        const execute = inAnotherProcess(file)
        const { content, payload } = yield* newRelease()
        yield* Effect.gen(function* () {
          yield* execute(`CREATE TRIGGER refuse BEFORE INSERT ON cluster_replies
              WHEN (SELECT tag FROM cluster_messages WHERE id = NEW.request_id) = '${tag}'
              BEGIN SELECT RAISE(ROLLBACK, 'database or disk is full'); END`)
          yield* ExtensionRelease.submit(payload)
          yield* untilLogged(seen, couldNotStore, refusals)
          yield* execute("DROP TRIGGER refuse")
          const { extensionId } = yield* ExtensionRelease.execute(payload)
          expect(yield* held(extensionId)).toMatchObject({ sha256: sha256(content), uploads: 1 })
        }).pipe(Effect.provide(runner().pipe(Layer.provideMerge(EngineSqlite.layer(file)))))
      }).pipe(Effect.provide(place()), Effect.provide(seen.layer))
    }
  )
})
