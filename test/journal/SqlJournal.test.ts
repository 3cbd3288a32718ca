import { readlinkSync } from "node:fs"
import { hostname } from "node:os"
import process from "node:process"
import * as SqlClient from "@effect/sql/SqlClient"
import * as LibsqlClient from "@effect/sql-libsql/LibsqlClient"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as TestClock from "effect/TestClock"
import { journalId } from "../../src/journal/JournalRecord.ts"
import * as SqlJournal from "../../src/journal/SqlJournal.ts"
import * as UploadJournal from "../../src/journal/UploadJournal.ts"
import { eventually, key, prepared } from "../support/journal/fixtures.ts"

const id = journalId(key)
const deadPid = 2 ** 22 + 1

const layer = SqlJournal.layer().pipe(Layer.provideMerge(LibsqlClient.layer({ url: ":memory:" })))

const ownerOf = (fields: object) =>
  JSON.stringify({ token: "cd".repeat(16), extensionId: key.extensionId, acquiredAtMillis: 0, ...fields })

/** A lock as another process wrote it, renewed so many seconds ago. */
const plant = (owner: string, ageSeconds: number, name: string = id) =>
  Effect.flatMap(
    SqlClient.SqlClient,
    (sql) =>
      sql`INSERT OR REPLACE INTO upload_journal_locks (id, token, owner, renewed_at)
        VALUES (${name}, ${"cd".repeat(16)}, ${owner}, ${Date.now() - ageSeconds * 1000})`
  )

const open = Effect.scoped(Effect.flatMap(UploadJournal.UploadJournal, (journal) => journal.open(key)))

const lockedBy = Effect.flatMap(UploadJournal.UploadJournal, (journal) =>
  Effect.map(journal.peek(key), (glimpse) => glimpse.lockedBy)
)

describe("SqlJournal.layer", () => {
  it.effect.runIf(process.platform === "linux")(
    "takes over from a process of this machine that is gone, at once",
    () =>
      Effect.gen(function* () {
        const pidNamespace = readlinkSync("/proc/self/ns/pid")
        yield* plant(ownerOf({ pid: deadPid, hostname: hostname(), pidNamespace }), 0)
        assert.deepStrictEqual(yield* lockedBy, Option.none())
        yield* open
      }).pipe(Effect.provide(layer))
  )

  it.effect("respects a process elsewhere until it has been silent for 15 seconds", () =>
    Effect.gen(function* () {
      const elsewhere = ownerOf({ pid: deadPid, hostname: "elsewhere" })
      // Whatever the machine does in between: a lock that was renewed in the future does not lapse meanwhile.
      yield* plant(elsewhere, -600)
      assert.include((yield* Effect.flip(open)).message, `process ${deadPid} on elsewhere`)
      assert.include(Option.getOrThrow(yield* lockedBy).message, `process ${deadPid} on elsewhere`)
      yield* plant(elsewhere, 15)
      assert.deepStrictEqual(yield* lockedBy, Option.none())
      yield* open
    }).pipe(Effect.provide(layer))
  )

  it.effect("renews its own lock five times in as long", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const journal = yield* UploadJournal.UploadJournal
      const renewedAt = Effect.map(
        sql<{ at: number }>`SELECT renewed_at AS at FROM upload_journal_locks`,
        ([row]) => row?.at
      )
      yield* journal.open(key)
      yield* sql`UPDATE upload_journal_locks SET renewed_at = 0`
      yield* TestClock.adjust("2999 millis")
      assert.strictEqual(yield* renewedAt, 0)
      yield* TestClock.adjust("1 millis")
      yield* eventually(Effect.map(renewedAt, (at) => at !== 0))
    }).pipe(Effect.scoped, Effect.provide(layer))
  )

  it.effect("lets nothing be written under a lock that somebody else has by now, and leaves theirs", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const journal = yield* UploadJournal.UploadJournal
      yield* Effect.scoped(
        Effect.gen(function* () {
          const session = yield* journal.open(key)
          yield* plant(ownerOf({ pid: 42, hostname: "elsewhere" }), 0)
          const error = yield* Effect.flip(session.save(yield* prepared()))
          assert.include(error.message, "process 42 on elsewhere")
        })
      )
      assert.lengthOf(yield* sql`SELECT id FROM upload_journal_locks`, 1)
      assert.deepStrictEqual((yield* journal.list).records, [])
    }).pipe(Effect.provide(layer))
  )

  it.effect("takes for uploads only what is named after one", () =>
    Effect.gen(function* () {
      yield* plant(ownerOf({ pid: 42, hostname: "elsewhere" }), 0, "another")
      const journal = yield* UploadJournal.UploadJournal
      assert.deepStrictEqual(yield* journal.list, { records: [], locks: [], corrupt: [] })
    }).pipe(Effect.provide(layer))
  )
})
