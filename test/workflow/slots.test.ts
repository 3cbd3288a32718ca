import * as NodeContext from "@effect/platform-node/NodeContext"
import * as SqlClient from "@effect/sql/SqlClient"
import * as LibsqlClient from "@effect/sql-libsql/LibsqlClient"
import { describe, expect, it } from "@effect/vitest"
import { Duration, Effect, Fiber, Layer, Schedule } from "effect"
import { millisNow } from "../../src/workflow/internal/database.ts"
import { makeSharedSlot, makeSlotTable } from "../../src/workflow/internal/slots.ts"
import { databaseFile } from "../support/workflow/engines.ts"

const database = Layer.unwrapScoped(
  Effect.map(databaseFile, (file) =>
    LibsqlClient.layer({ url: `file:${file.replace("/state/releases.db", "/slots.db")}` })
  )
).pipe(Layer.provide(NodeContext.layer))

const shared = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  yield* makeSlotTable(sql)
  const slot = makeSharedSlot(sql, { atOnce: 2, lease: Duration.seconds(1), now: millisNow(sql) })
  const waiting = sql`SELECT token FROM release_slots WHERE slot IS NULL`
  return {
    sql,
    slot,
    untilWaiting: (count: number) =>
      Effect.repeat(waiting, {
        until: ({ length }) => length === count,
        schedule: Schedule.spaced("5 millis")
      })
  }
})

describe("the slots of all runners", () => {
  it.scopedLive("are given in the order in which they were asked for, and never more than there are", () =>
    Effect.gen(function* () {
      const { slot, untilWaiting } = yield* shared
      const taken: Array<string> = []
      const [a, b, c, d] = yield* Effect.all([slot, slot, slot, slot])
      const taking = (name: string, { take }: typeof a) =>
        Effect.fork(Effect.tap(take, () => Effect.sync(() => void taken.push(name))))
      yield* Fiber.join(yield* taking("a", a))
      yield* Fiber.join(yield* taking("b", b))
      const third = yield* taking("c", c)
      yield* untilWaiting(1)
      const fourth = yield* taking("d", d)
      yield* untilWaiting(2)
      expect(taken).toEqual(["a", "b"])
      yield* a.release
      yield* Fiber.join(third)
      expect(taken).toEqual(["a", "b", "c"])
      yield* c.release
      yield* Fiber.join(fourth)
      yield* Effect.all([b.release, d.release])
    }).pipe(Effect.provide(database))
  )

  it.scopedLive("are free again when nobody renews them, and kept as long as somebody does", () =>
    Effect.gen(function* () {
      const { slot, sql, untilWaiting } = yield* shared
      const [kept, next] = yield* Effect.all([slot, slot])
      yield* kept.take
      yield* sql`INSERT INTO release_slots (token, place, slot, renewed_at)
        VALUES ('dead', 1, 2, ${sql.literal(millisNow(sql))}), ('dead, too', 1, NULL, ${sql.literal(millisNow(sql))})`
      yield* next.take
      const rows = yield* sql`SELECT token, slot FROM release_slots ORDER BY slot`
      expect(rows.map(({ slot }) => slot)).toEqual([1, 2])
      yield* untilWaiting(0)
      yield* Effect.all([kept.release, next.release])
      expect(yield* sql`SELECT token FROM release_slots`).toEqual([])
    }).pipe(Effect.provide(database))
  )

  it.scopedLive("are not kept waiting by somebody who no longer waits", () =>
    Effect.gen(function* () {
      const { slot, untilWaiting } = yield* shared
      const [a, b, gone, next] = yield* Effect.all([slot, slot, slot, slot])
      yield* Effect.all([a.take, b.take])
      const leaving = yield* Effect.fork(gone.take)
      yield* untilWaiting(1)
      yield* Fiber.interrupt(leaving)
      yield* untilWaiting(0)
      yield* a.release
      yield* next.take
      yield* Effect.all([b.release, next.release])
    }).pipe(Effect.provide(database))
  )
})
