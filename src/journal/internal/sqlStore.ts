/**
 * Records and locks as rows. A lock is a lease that is taken and renewed by comparing and setting in one statement, by the
 * clock of the database: whoever holds one knows so for certain, on however many machines.
 */
import * as SqlClient from "@effect/sql/SqlClient"
import type { SqlError } from "@effect/sql/SqlError"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import { type JournalLocked, type JournalOperation, JournalUnavailable } from "../JournalError.ts"
import { JournalId } from "../JournalRecord.ts"
import { isGone, JournalOwner, makeOwner, toLocked } from "./owner.ts"
import { checkHeldBy, type JournalStore } from "./store.ts"

const location = "the database"

const OwnerJson = Schema.parseJson(JournalOwner)
const decodeOwner = Schema.decodeOption(OwnerJson)
const encodeOwner = Schema.encodeSync(OwnerJson)

const isJournalId = Schema.is(JournalId)

const failed =
  (operation: JournalOperation) =>
  <A, R>(effect: Effect.Effect<A, SqlError, R>) =>
    Effect.mapError(
      effect,
      ({ cause, message }) =>
        new JournalUnavailable({
          location,
          operation,
          reason: "Failed",
          detail: Predicate.hasProperty(cause, "message") ? String(cause.message) : message
        })
    )

/** A holder that has not renewed its lease for so long is taken for dead. It renews five times as often. */
export const makeSqlStore = Effect.fnUntraced(function* (lease: Duration.Duration) {
  const sql = (yield* SqlClient.SqlClient).withoutTransforms()
  const records = sql("upload_journal")
  const locks = sql("upload_journal_locks")
  const heartbeat = Duration.times(lease, 1 / 5)

  yield* sql`CREATE TABLE IF NOT EXISTS ${records} (name VARCHAR(100) PRIMARY KEY, content TEXT NOT NULL)`
  yield* sql`CREATE TABLE IF NOT EXISTS ${locks} (
    id VARCHAR(32) PRIMARY KEY, token VARCHAR(32) NOT NULL, owner TEXT NOT NULL, renewed_at BIGINT NOT NULL
  )`

  /** Milliseconds by the clock of the database, also within a transaction that began earlier. */
  const now = sql.literal(
    sql.onDialectOrElse({
      pg: () => "CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT)",
      orElse: () => "CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)"
    })
  )
  const expired = sql`renewed_at <= ${now} - ${sql.literal(String(Math.round(Duration.toMillis(lease))))}`

  const holder = (id: JournalId) =>
    Effect.map(
      sql<{
        token: string
        owner: string
      }>`SELECT token, owner FROM ${locks} WHERE id = ${id} AND NOT (${expired})`,
      ([row]) =>
        Option.map(
          Option.flatMap(Option.fromNullable(row), ({ owner }) => decodeOwner(owner)),
          (owner) => ({ owner, token: owner.token, locked: toLocked(id, owner) })
        )
    )

  const living = (id: JournalId) =>
    Effect.flatMap(
      holder(id),
      Effect.transposeMapOption(({ locked, owner }) =>
        Effect.map(isGone(owner), (gone) => (gone ? Option.none() : Option.some(locked)))
      )
    ).pipe(Effect.map(Option.flatten))

  const release = (id: JournalId, token: string) =>
    sql`DELETE FROM ${locks} WHERE id = ${id} AND token = ${token}`

  const take = (id: JournalId, owner: JournalOwner) =>
    Effect.map(
      sql`INSERT INTO ${locks} (id, token, owner, renewed_at)
        VALUES (${id}, ${owner.token}, ${encodeOwner(owner)}, ${now})
        ON CONFLICT (id) DO UPDATE SET token = excluded.token, owner = excluded.owner, renewed_at = excluded.renewed_at
        WHERE upload_journal_locks.renewed_at <= excluded.renewed_at - ${sql.literal(String(Math.round(Duration.toMillis(lease))))}
        RETURNING id`,
      ({ length }) => length > 0
    )

  const acquire = (id: JournalId, owner: JournalOwner): Effect.Effect<void, JournalLocked | SqlError> =>
    Effect.gen(function* () {
      if (yield* take(id, owner)) return
      const other = yield* holder(id)
      if (Option.isSome(other)) {
        if (!(yield* isGone(other.value.owner))) return yield* other.value.locked
        yield* release(id, other.value.token)
      }
      yield* Effect.suspend(() => acquire(id, owner))
    })

  /** In one statement with the question whether it is still ours: nobody can come in between. */
  const renew = (id: JournalId, token: string) =>
    Effect.map(
      sql`UPDATE ${locks} SET renewed_at = ${now} WHERE id = ${id} AND token = ${token} RETURNING id`,
      ({ length }) => length > 0
    )

  /** Likewise in one statement with that question. */
  const writeHeld = (id: JournalId, token: string, content: string) =>
    Effect.map(
      sql`INSERT INTO ${records} (name, content)
        SELECT ${id}, ${content} FROM ${locks} WHERE id = ${id} AND token = ${token}
        ON CONFLICT (name) DO UPDATE SET content = excluded.content RETURNING name`,
      ({ length }) => length > 0
    )

  const lock: JournalStore["lock"] = Effect.fnUntraced(
    function* (id, extensionId) {
      const owner = yield* makeOwner(extensionId)
      yield* Effect.acquireRelease(acquire(id, owner), () => Effect.ignore(release(id, owner.token)))
      yield* renew(id, owner.token).pipe(
        Effect.disconnect,
        Effect.timeout(heartbeat),
        Effect.ignore,
        Effect.schedule(Schedule.spaced(heartbeat)),
        Effect.interruptible,
        Effect.forkScoped
      )
      const lost = checkHeldBy(owner.token, location, failed("lock")(holder(id)))
      const check = Effect.flatMap(failed("lock")(renew(id, owner.token)), (isOurs) =>
        isOurs ? Effect.void : lost
      )
      const write = (text: string) =>
        Effect.flatMap(failed("write")(writeHeld(id, owner.token, text)), (isOurs) =>
          isOurs ? Effect.void : lost
        )
      return { check, confirm: check, write }
    },
    Effect.uninterruptible,
    Effect.catchTag("SqlError", (error) => failed("lock")(Effect.fail(error)))
  )

  const names = failed("list")(
    Effect.map(sql<{ name: string }>`SELECT name FROM ${records} ORDER BY name`, (rows) =>
      rows.map(({ name }) => name)
    )
  )

  const store: JournalStore = {
    lock,
    lockedBy: (id) => failed("lock")(living(id)),
    lockable: failed("list")(
      Effect.map(sql<{ id: string }>`SELECT id FROM ${locks} ORDER BY id`, (rows) =>
        rows.map(({ id }) => id).filter(isJournalId)
      )
    ),
    names,
    read: (name) =>
      failed("read")(
        Effect.map(sql<{ content: string }>`SELECT content FROM ${records} WHERE name = ${name}`, ([row]) =>
          Option.map(Option.fromNullable(row), ({ content }) => content)
        )
      ),
    write: (name, content) =>
      sql`INSERT INTO ${records} (name, content) VALUES (${name}, ${content})
        ON CONFLICT (name) DO UPDATE SET content = excluded.content`.pipe(failed("write"), Effect.asVoid),
    move: (from, to) =>
      sql`UPDATE ${records} SET name = ${to} WHERE name = ${from}`.pipe(failed("write"), Effect.asVoid),
    remove: (name) => sql`DELETE FROM ${records} WHERE name = ${name}`.pipe(failed("remove"), Effect.asVoid),
    removeExactly: (id, text) =>
      sql`DELETE FROM ${records} WHERE name = ${id} AND content = ${text}`.pipe(
        failed("remove"),
        Effect.asVoid
      ),
    locate: (name) => `table upload_journal, name '${name}'`
  }
  return store
})
