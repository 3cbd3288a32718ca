/**
 * What this library keeps beside the engine's own tables: whose releases these are, whose turn it is, and who runs them.
 */
import { PersistenceError } from "@effect/cluster/ClusterError"
import * as Sharding from "@effect/cluster/Sharding"
import { constEpochMillis, type Snowflake } from "@effect/cluster/Snowflake"
import * as SqlClient from "@effect/sql/SqlClient"
import type { SqlError } from "@effect/sql/SqlError"
import type * as Workflow from "@effect/workflow/Workflow"
import { WorkflowEngine } from "@effect/workflow/WorkflowEngine"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"
import { AddressInUse, EngineMismatch, type EngineUnavailable, UnreadableRelease } from "../EngineError.ts"
import type { ReleasePolicy } from "../ReleasePayload.ts"
import { endedStates } from "../ReleaseRecord.ts"
import { type EndOf, toUnavailable } from "./engine.ts"
import { endOf, type Records } from "./records.ts"
import { makeSlotTable } from "./slots.ts"
import { makeRecordTables } from "./sqlRecords.ts"
import type { Exclusively, SaveEnd } from "./storage.ts"
import type { Turn, Turns } from "./turns.ts"

const makeTables = Effect.fnUntraced(function* (sql: SqlClient.SqlClient) {
  yield* sql`CREATE TABLE IF NOT EXISTS release_database (
    name VARCHAR(20) PRIMARY KEY, content TEXT NOT NULL
  )`
  yield* sql`CREATE TABLE IF NOT EXISTS release_turns (
    lane VARCHAR(64) NOT NULL, execution_id VARCHAR(32) NOT NULL, place BIGINT NOT NULL,
    state VARCHAR(10) NOT NULL, superseded_by VARCHAR(32), entered_at BIGINT NOT NULL,
    PRIMARY KEY (lane, execution_id)
  )`
  // What makes it one at a time is this index, whatever statements come to it at once.
  yield* sql`CREATE UNIQUE INDEX IF NOT EXISTS release_turns_begun ON release_turns (lane) WHERE state = 'begun'`
  yield* sql`CREATE INDEX IF NOT EXISTS release_turns_waiting ON release_turns (lane, place) WHERE state = 'waiting'`
  yield* sql`CREATE INDEX IF NOT EXISTS release_turns_execution ON release_turns (execution_id)`
  yield* sql`CREATE TABLE IF NOT EXISTS release_runners (
    address VARCHAR(255) PRIMARY KEY, token VARCHAR(36) NOT NULL, renewed_at BIGINT NOT NULL
  )`
  yield* sql`CREATE INDEX IF NOT EXISTS release_messages_entity ON cluster_messages (entity_id)`
  // A runner reads what is new for each of its shards: a look for every shard, or one through these few.
  yield* sql`CREATE INDEX IF NOT EXISTS release_messages_new ON cluster_messages (id)
    WHERE processed = ${falseOf(sql)}`
  yield* sql`CREATE INDEX IF NOT EXISTS release_replies_unread ON cluster_replies (request_id)
    WHERE kind = 0 AND ${suspensionsOf(sql).because}`
  yield* makeSlotTable(sql)
  yield* makeRecordTables(sql)
})

/** Engines let a failing database surface as a defect, and so do we: a release outlives it. */
const orDie = <A, R>(effect: Effect.Effect<A, SqlError, R>): Effect.Effect<A, never, R> =>
  Effect.orDie(PersistenceError.refail(effect))

/** An expression for milliseconds by the clock of the database. */
export const millisNow = (sql: SqlClient.SqlClient): string =>
  sql.onDialectOrElse({
    pg: () => "CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT)",
    orElse: () => "CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)"
  })

const falseOf = (sql: SqlClient.SqlClient) =>
  sql.literal(sql.onDialectOrElse({ pg: () => "FALSE", orElse: () => "0" }))

/** Milliseconds by the clock of the database. */
export const nowOf = (sql: SqlClient.SqlClient) => sql.literal(millisNow(sql))

const beginningWith = (column: string, text: string) => `substr(${column}, 1, ${text.length}) = '${text}'`

/**
 * How the end of a run begins as it is stored, if the run is suspended. The engine puts the reason, where there is one, before
 * the tag.
 */
const suspensionsOf = (sql: SqlClient.SqlClient, column = "payload") => {
  const because = beginningWith(column, '{"_tag":"Success","value":{"cause":')
  const plainly = beginningWith(column, '{"_tag":"Success","value":{"_tag":"Suspended"')
  return {
    /** For a reason: the runner could not read it. */
    because: sql.literal(because),
    /** For whatever reason, or for none. */
    any: sql.literal(`(${plainly} OR ${because})`)
  }
}

/** Whoever stores a reply updates the row of its request first: while that is locked, nobody does. */
export const exclusively: Effect.Effect<Exclusively, never, SqlClient.SqlClient> = Effect.map(
  SqlClient.SqlClient,
  (sql) => (requestId) => (effect) =>
    locking(sql, requestId).pipe(
      Effect.zipRight(effect),
      sql.withTransaction,
      Effect.catchTag("SqlError", (cause) => new PersistenceError({ cause }))
    )
)

const locking = (sql: SqlClient.SqlClient, requestId: Snowflake) =>
  sql.onDialectOrElse({
    pg: () =>
      Effect.asVoid(
        sql`SELECT 1 FROM cluster_messages WHERE request_id = ${String(requestId)} FOR UPDATE`.unprepared
      ),
    // There is one connection, and a transaction has it alone.
    orElse: () => Effect.void
  })

/**
 * As the cluster does it, in one statement where that takes four: each step of a release waits for it. The row of the request
 * comes first here as well, because the insertion has to ask for it, whatever the answer.
 */
export const saveEnd: Effect.Effect<SaveEnd, never, SqlClient.SqlClient> = Effect.map(
  SqlClient.SqlClient,
  (sql) =>
    ({ exit, id, requestId }) =>
      sql`WITH request AS (
          UPDATE cluster_messages SET processed = TRUE, last_reply_id = ${id} WHERE request_id = ${requestId} RETURNING 1
        )
        INSERT INTO cluster_replies (id, kind, request_id, payload)
        SELECT CAST(${id} AS BIGINT), 0, CAST(${requestId} AS BIGINT), ${JSON.stringify(exit)}
        WHERE (SELECT count(*) FROM request) >= 0`.pipe(
        Effect.asVoid,
        Effect.withTracerEnabled(false),
        PersistenceError.refail
      )
)

/** In order of submission, one at a time in each lane. */
export const makeTurns = (sql: SqlClient.SqlClient): Turns => {
  const now = nowOf(sql)

  const supersede = (lane: string, executionId: string) => sql`
    UPDATE release_turns SET state = 'superseded', superseded_by = ${executionId}
    WHERE lane = ${lane} AND state = 'waiting' AND place < (
      SELECT place FROM release_turns WHERE lane = ${lane} AND execution_id = ${executionId}
    )`

  const begin = (lane: string, executionId: string) =>
    // A statement that comes to the index second fails, and its release is behind.
    Effect.orElseSucceed(
      sql`UPDATE release_turns SET state = 'begun'
        WHERE lane = ${lane} AND execution_id = ${executionId} AND state = 'waiting' AND NOT EXISTS (
          SELECT 1 FROM release_turns other
          WHERE other.lane = ${lane} AND (
            other.state = 'begun' OR (
              other.state = 'waiting' AND (
                other.place < release_turns.place OR
                (other.place = release_turns.place AND other.execution_id < ${executionId})
              )
            )
          )
        ) RETURNING state`,
      () => []
    )

  const look = Effect.fnUntraced(function* (lane: string, executionId: string) {
    const [own] = yield* sql<{ state: string; superseded_by: string | null }>`
      SELECT state, superseded_by FROM release_turns WHERE lane = ${lane} AND execution_id = ${executionId}`
    if (own?.state === "superseded") return { _tag: "Superseded", by: own.superseded_by ?? "" } satisfies Turn
    if (own?.state === "begun" || own?.state === "left") return { _tag: "Begun" } satisfies Turn
    if (own?.state === "gone") return { _tag: "Behind", of: own.superseded_by ?? "" } satisfies Turn
    const [ahead] = yield* sql<{ execution_id: string }>`
      SELECT execution_id FROM release_turns
      WHERE lane = ${lane} AND execution_id <> ${executionId} AND state IN ('begun', 'waiting')
      ORDER BY CASE state WHEN 'begun' THEN 0 ELSE 1 END, place, execution_id LIMIT 1`
    return { _tag: "Behind", of: ahead?.execution_id ?? "" } satisfies Turn
  })

  const behind = (executionId: string) => sql<{ execution_id: string }>`
    SELECT t.execution_id FROM release_turns own
    JOIN release_turns t ON t.lane = own.lane AND t.state = 'waiting'
    WHERE own.execution_id = ${executionId} AND NOT EXISTS (
      SELECT 1 FROM release_turns other
      WHERE other.lane = t.lane AND other.state = 'waiting' AND other.place < t.place
    )`

  const enter = (lane: string, executionId: string, policy: ReleasePolicy) =>
    sql`INSERT INTO release_turns (lane, execution_id, place, state, entered_at)
      SELECT ${lane}, ${executionId}, COALESCE(MAX(place), 0) + 1, 'waiting', ${now}
      FROM release_turns WHERE lane = ${lane}
      ON CONFLICT (lane, execution_id) DO NOTHING`.pipe(
      Effect.zipRight(Effect.when(supersede(lane, executionId), () => policy === "supersede"))
    )

  const begun = (rows: ReadonlyArray<unknown>) => rows.length > 0

  return {
    enter: (lane, executionId, policy) => orDie(enter(lane, executionId, policy)),
    // Most have a place since they were submitted, and nobody ahead.
    ask: (lane, executionId, policy) =>
      Effect.gen(function* () {
        if (begun(yield* begin(lane, executionId))) return { _tag: "Begun" } satisfies Turn
        yield* enter(lane, executionId, policy)
        if (begun(yield* begin(lane, executionId))) return { _tag: "Begun" } satisfies Turn
        return yield* look(lane, executionId)
      }).pipe(orDie),
    // A release whose end is lost before it is stored is read again, and has to come to the same end: what was superseded
    // stays so, and what left without its turn has had none.
    leave: (executionId) =>
      sql`UPDATE release_turns SET
        state = CASE state WHEN 'waiting' THEN 'gone' ELSE 'left' END,
        superseded_by = (
          SELECT other.execution_id FROM release_turns other
          WHERE other.lane = release_turns.lane AND other.state = 'begun' AND release_turns.state = 'waiting'
        )
        WHERE execution_id = ${executionId} AND state IN ('waiting', 'begun')`.pipe(Effect.asVoid, orDie),
    next: (executionId) =>
      orDie(Effect.map(behind(executionId), (rows) => rows.map(({ execution_id }) => execution_id)))
  }
}

/** Which of the database's releases somebody has to look after. */
const makeChores = (sql: SqlClient.SqlClient, workflow: Workflow.Any) => {
  const prefix = `Workflow/${workflow.name}`
  const now = nowOf(sql)
  const suspended = suspensionsOf(sql, "r.payload")
  const message = sql`cluster_messages m ON m.message_id = ${`${prefix}/`} || t.execution_id || '/run/'`

  /** Those that wait though their turn has come, or never will. */
  const woken = sql<{ execution_id: string }>`
    SELECT t.execution_id FROM release_turns t
    JOIN ${message}
    JOIN cluster_replies r ON r.request_id = m.id AND r.kind = 0 AND ${suspended.any}
    WHERE t.state = 'superseded' OR (t.state = 'waiting' AND NOT EXISTS (
      SELECT 1 FROM release_turns other WHERE other.lane = t.lane AND (
        other.state = 'begun' OR (
          other.state = 'waiting' AND (
            other.place < t.place OR (other.place = t.place AND other.execution_id < t.execution_id)
          )
        )
      )
    )) LIMIT 100`

  /** Those that a runner could not read: another one may, after an update. */
  const unread = sql<{ entity_id: string }>`
    SELECT m.entity_id FROM cluster_replies r
    JOIN cluster_messages m ON m.id = r.request_id AND m.tag = 'run' AND m.entity_type = ${prefix}
    WHERE r.kind = 0 AND ${suspended.because} LIMIT 1000`

  /** Of releases that have ended in whatever way, and of such as were announced a minute ago and never given to the engine. */
  const clearTurns = sql`DELETE FROM release_turns WHERE execution_id IN (
      SELECT t.execution_id FROM release_turns t
      LEFT JOIN ${message}
      LEFT JOIN cluster_replies r ON r.request_id = m.id AND r.kind = 0
      WHERE (m.id IS NULL AND t.entered_at < ${now} - 60000) OR NOT ${suspended.any}
    )`

  const ended = (beforeMillis: number) => sql<{ entity_id: string }>`
    SELECT m.entity_id FROM cluster_replies r
    JOIN cluster_messages m ON m.id = r.request_id AND m.tag = 'run' AND m.entity_type = ${prefix}
    WHERE r.id < ${sql.literal(String(BigInt(Math.max(0, beforeMillis - constEpochMillis)) << 22n))}
      AND r.kind = 0 AND NOT ${suspended.any}
    ORDER BY r.id LIMIT 100`

  /** A hundred at most, and how many it were. Not ended is what is held or waits: it stays, whatever its age. */
  const clearEnded = Effect.fnUntraced(function* (beforeMillis: number) {
    const old = yield* ended(beforeMillis)
    if (old.length === 0) return 0
    const ids = sql.in(old.map(({ entity_id }) => entity_id))
    yield* sql`DELETE FROM cluster_replies WHERE request_id IN (
      SELECT request_id FROM cluster_messages WHERE entity_id IN ${ids})`
    yield* sql`DELETE FROM cluster_messages WHERE entity_id IN ${ids}`
    yield* sql`DELETE FROM release_steps WHERE execution_id IN ${ids}`
    yield* sql`DELETE FROM release_list WHERE execution_id IN ${ids}`
    return old.length
  }, sql.withTransaction)

  const isOld = (millis: number) => sql.literal(`l.updated_at < ${millisNow(sql)} - ${millis}`)
  const listed = sql`release_list l
    JOIN cluster_messages m ON m.message_id = ${`${prefix}/`} || l.execution_id || '/run/'
    JOIN cluster_replies r ON r.request_id = m.id AND r.kind = 0`

  /** Those that have ended, of which nobody could tell the list. */
  const unsettled = sql<{ execution_id: string }>`
    SELECT l.execution_id FROM ${listed}
    WHERE l.state NOT IN ${sql.in(endedStates)} AND ${isOld(5000)} AND NOT ${suspended.any} LIMIT 100`

  /** Those that wait, of which nobody could tell the list, and those that were announced and never given to the engine. */
  const correctList = Effect.zipRight(
    sql`UPDATE release_list SET state = 'waiting', waits_for = NULL, wait_key = NULL WHERE execution_id IN (
        SELECT l.execution_id FROM ${listed}
        WHERE l.state IN ('submitted', 'running') AND ${isOld(30_000)} AND ${suspended.any}
      )`,
    sql`DELETE FROM release_list WHERE execution_id IN (
        SELECT l.execution_id FROM release_list l
        LEFT JOIN cluster_messages m ON m.message_id = ${`${prefix}/`} || l.execution_id || '/run/'
        WHERE l.state = 'submitted' AND ${isOld(60_000)} AND m.id IS NULL
      )`
  )

  return { woken, unread, unsettled, correctList, clearTurns, clearEnded }
}

export interface Care {
  readonly records: Records
  /** How long ended releases can be asked about. */
  readonly retention: Duration.DurationInput
}

const turnsEvery = "2 seconds"
const unreadEvery = "30 seconds"
const listEvery = "30 seconds"
const retentionEvery = "1 minute"
const batchesAPass = 100
const passLimit = "30 seconds"

/** What one runner does for all, as long as the scope is open. */
export const tend = ({ records, retention }: Care) =>
  Effect.fnUntraced(function* (sql: SqlClient.SqlClient, workflow: Workflow.Any, ended: EndOf) {
    const sharding = yield* Sharding.Sharding
    const engine = yield* WorkflowEngine
    const chores = makeChores(sql, workflow)

    const wake = Effect.zipRight(
      chores.clearTurns,
      Effect.flatMap(chores.woken, (woken) =>
        Effect.forEach(woken, ({ execution_id }) => engine.resume(workflow, execution_id))
      )
    )
    const readAgain = Effect.flatMap(chores.unread, (unread) =>
      Effect.forEach(unread, ({ entity_id: executionId }) =>
        Effect.gen(function* () {
          const atMillis = yield* Clock.currentTimeMillis
          const why = new UnreadableRelease({ executionId }).message
          yield* records.note(executionId, { _tag: "Waits", waitsFor: { _tag: "Runner", why }, atMillis })
          yield* engine.resume(workflow, executionId)
        })
      )
    )
    const settle = Effect.fnUntraced(function* (executionId: string) {
      const exit = yield* Effect.provideService(ended(executionId), WorkflowEngine, engine)
      if (Option.isSome(exit))
        yield* records.note(executionId, endOf(exit.value, yield* Clock.currentTimeMillis))
    })
    const correct = Effect.flatMap(chores.unsettled, (unsettled) =>
      Effect.forEach(unsettled, ({ execution_id }) => settle(execution_id))
    ).pipe(Effect.zipRight(chores.correctList))
    const clear = Effect.gen(function* () {
      const before = (yield* Clock.currentTimeMillis) - Duration.toMillis(retention)
      let cleared = 0
      for (let batches = 0; batches < batchesAPass; batches++) {
        const batch = yield* chores.clearEnded(before)
        cleared += batch
        if (batch === 0) break
        yield* Effect.sleep("100 millis")
      }
      if (cleared > 0) yield* Effect.logInfo(`Deleted ${cleared} releases that ended long ago.`)
    })
    // A connection that was cut off may not say so for a long time: what waits for it is left to itself.
    const always = <E>(what: string, work: Effect.Effect<unknown, E>, every: Duration.DurationInput) =>
      Effect.disconnect(work).pipe(
        Effect.timeout(passLimit),
        Effect.catchAllCause((cause) => Effect.logWarning(`${what} failed, and is tried again.`, cause)),
        Effect.repeat(Schedule.spaced(every))
      )
    yield* sharding.registerSingleton(
      `${workflow.name}/care`,
      Effect.all(
        [
          always("Looking whose turn it is", wake, turnsEvery),
          always("Looking at what could not be read", readAgain, unreadEvery),
          always("Putting the list of releases right", correct, listEvery),
          Duration.isFinite(Duration.decode(retention))
            ? always("Deleting old releases", clear, retentionEvery)
            : Effect.void
        ],
        { concurrency: "unbounded", discard: true }
      )
    )
  })

/** Writes down what a database is for, or fails if it is for something else. Writing shows that it can be written to. */
export const claim = Effect.fnUntraced(function* (
  sql: SqlClient.SqlClient,
  resource: string,
  what: "endpoint" | "namespace",
  given: string
): Effect.fn.Return<void, EngineMismatch | EngineUnavailable> {
  const [row] = yield* sql<{ content: string }>`
    INSERT INTO release_database (name, content) VALUES (${what}, ${given})
    ON CONFLICT (name) DO UPDATE SET content = release_database.content
    RETURNING content`.pipe(Effect.mapError(toUnavailable(resource)))
  if (row !== undefined && row.content !== given) {
    return yield* new EngineMismatch({ resource, what, given, found: row.content })
  }
})

/** Makes the tables, and checks whose they are. */
export const layerTables = (resource: string, namespace: string) =>
  Layer.effectDiscard(
    Effect.gen(function* () {
      const sql = (yield* SqlClient.SqlClient).withoutTransforms()
      yield* Effect.mapError(makeTables(sql), toUnavailable(resource))
      yield* claim(sql, resource, "namespace", namespace)
    })
  )

/**
 * Keeps an address for one runner, by a row that it renews. That of a runner that died is free when it has not been renewed
 * for the time of a lease, which a new one at the same address waits for.
 */
export const layerAddress = (resource: string, address: string, lease: Duration.Duration) =>
  Layer.scopedDiscard(
    Effect.gen(function* () {
      const sql = (yield* SqlClient.SqlClient).withoutTransforms()
      const token = crypto.randomUUID()
      const now = nowOf(sql)
      const limit = sql.literal(String(Math.round(Duration.toMillis(lease))))
      const take = sql<{ token: string }>`
        INSERT INTO release_runners (address, token, renewed_at) VALUES (${address}, ${token}, ${now})
        ON CONFLICT (address) DO UPDATE SET token = excluded.token, renewed_at = excluded.renewed_at
        WHERE release_runners.renewed_at <= excluded.renewed_at - ${limit}
        RETURNING token`
      const holder = Effect.map(
        sql<{ token: string }>`SELECT token FROM release_runners WHERE address = ${address}`,
        ([row]) => Option.fromNullable(row?.token)
      )
      const first = yield* Effect.mapError(holder, toUnavailable(resource))
      const taken = Effect.mapError(take, toUnavailable(resource)).pipe(
        Effect.filterOrFail(
          ({ length }) => length > 0,
          () => new AddressInUse({ address, resource })
        )
      )
      // Whoever holds it may have died: it is waited for as long as the dead would hold it, and not a moment more.
      const wait = Option.isSome(first) ? Duration.sum(lease, "1 second") : Duration.zero
      yield* Effect.acquireRelease(
        Effect.retry(taken, {
          schedule: Schedule.spaced("500 millis").pipe(Schedule.upTo(wait)),
          while: ({ _tag }) => _tag === "AddressInUse"
        }),
        () => Effect.ignore(sql`DELETE FROM release_runners WHERE address = ${address} AND token = ${token}`)
      )
      yield* sql`UPDATE release_runners SET renewed_at = ${now} WHERE address = ${address} AND token = ${token}`.pipe(
        Effect.ignore,
        Effect.repeat(Schedule.spaced(Duration.times(lease, 1 / 5))),
        Effect.forkScoped
      )
    })
  )
