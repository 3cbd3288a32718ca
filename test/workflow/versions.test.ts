/** Databases and payloads of other versions than the runner's: what it cannot read, it leaves to one that can. */
import { readFileSync } from "node:fs"
import * as FileSystem from "@effect/platform/FileSystem"
import { describe, expect, it } from "@effect/vitest"
import { type Client, createClient } from "@libsql/client"
import { Effect, Either, Layer, Option } from "effect"
import * as EngineSqlite from "../../src/workflow/EngineSqlite.ts"
import * as ExtensionRelease from "../../src/workflow/ExtensionRelease.ts"
import { laneOf } from "../../src/workflow/internal/turns.ts"
import * as ReleaseTarget from "../../src/workflow/ReleaseTarget.ts"
import { newRelease, place, record, runner, untilStatus } from "../support/workflow/releases.ts"

/** A database with a release that is done and one that is held, as the first version of this library left it. */
const first = readFileSync("test/support/workflow/releases-1.sql", "utf8")
const doneId = "f5934cf01f335219678a25d193cbfc35"
const heldId = "611dd4cfd1a2ca3cb77c59dafe6d9c1b"
const heldTarget = ReleaseTarget.named({ name: "held", type: "bundle", version: "*" })

const databaseFile = Effect.flatMap(FileSystem.FileSystem, (fs) =>
  Effect.map(fs.makeTempDirectoryScoped({ prefix: "releases-" }), (folder) => `${folder}/releases.db`)
)

const inFile = <A>(file: string, use: (client: Client) => Promise<A>) =>
  Effect.acquireUseRelease(
    Effect.sync(() => createClient({ url: `file:${file}` })),
    (client) => Effect.promise(() => use(client)),
    (client) => Effect.sync(() => client.close())
  )

const another = (releaseId: string) =>
  newRelease({
    releaseId,
    extension: ReleaseTarget.named({ name: releaseId, type: "bundle", version: "*" })
  })

/** What a release waits for that no decision, turn or time brings about. */
const obstacleOf = (executionId: string) =>
  Effect.map(untilStatus(executionId, "Waiting"), (status) =>
    status._tag === "Waiting" ? Option.getOrElse(status.obstacle, () => "") : ""
  )

describe("a database of the first version", () => {
  it.scopedLive("is taken over: what was done is known, and what was held is approved", () => {
    const seen = record()
    return Effect.gen(function* () {
      const file = yield* databaseFile
      yield* inFile(file, (client) => client.executeMultiple(first))
      yield* Effect.gen(function* () {
        expect(yield* ExtensionRelease.poll(doneId)).toMatchObject({
          _tag: "Done",
          exit: { _tag: "Success" }
        })
        expect((yield* ExtensionRelease.poll(heldId))._tag).toBe("Waiting")
        yield* ExtensionRelease.approve(heldId, { by: "ada" })
        yield* untilStatus(heldId, "Done")
        expect(seen.released.map(({ receipt }) => receipt.decision?.by)).toEqual(["ada"])
        expect(seen.steps()).toEqual(["announce 1"])
      }).pipe(Effect.provide(runner(seen.layer).pipe(Layer.provideMerge(EngineSqlite.layer(file)))))
    }).pipe(Effect.provide(place()))
  })
})

describe("a database that a newer version has written to", () => {
  it.scopedLive(
    "is read as far as it is known: fields, columns and migrations of later are left alone",
    () => {
      const seen = record()
      return Effect.gen(function* () {
        const file = yield* databaseFile
        const on = Effect.provide(runner(seen.layer).pipe(Layer.provideMerge(EngineSqlite.layer(file))))
        yield* inFile(file, (client) => client.executeMultiple(first))
        yield* ExtensionRelease.poll(heldId).pipe(on)
        yield* inFile(file, (client) =>
          client.executeMultiple(`
          ALTER TABLE release_turns ADD COLUMN region TEXT DEFAULT 'home';
          ALTER TABLE upload_journal ADD COLUMN region TEXT DEFAULT 'home';
          INSERT INTO cluster_migrations (migration_id, name) VALUES (99, 'later');
          UPDATE cluster_messages SET payload = replace(payload, '"version":1', '"version":1,"region":"home"');
          UPDATE cluster_replies SET payload = replace(payload, '"created":', '"region":"home","created":')`)
        )
        yield* Effect.gen(function* () {
          expect(yield* ExtensionRelease.poll(doneId)).toMatchObject({ exit: { _tag: "Success" } })
          yield* ExtensionRelease.approve(heldId, { by: "ada" })
          yield* untilStatus(heldId, "Done")
          expect(seen.steps()).toEqual(["announce 1"])
          yield* ExtensionRelease.execute((yield* another("other")).payload)
        }).pipe(on)
      }).pipe(Effect.provide(place()))
    }
  )
})

describe("a release that this runner cannot read", () => {
  /** Of the held release, which is to be read again. */
  const changed = (file: string, from: string, to: string) =>
    inFile(file, (client) =>
      client.batch([
        {
          sql: `DELETE FROM cluster_replies WHERE request_id IN
            (SELECT id FROM cluster_messages WHERE entity_id = ? AND tag = 'run')`,
          args: [heldId]
        },
        {
          sql: `UPDATE cluster_messages SET processed = FALSE, last_read = NULL, payload = replace(payload, ?, ?)
            WHERE entity_id = ? AND tag = 'run'`,
          args: [from, to, heldId]
        }
      ])
    )

  const spoilt: Readonly<Record<string, readonly [from: string, to: string, obstacle: string]>> = {
    "of a newer version": ['"version":1', '"version":2', "payload version 2"],
    "with a target of a kind it does not know": ['"_tag":"Named"', '"_tag":"Labelled"', "cannot be read"]
  }
  for (const [name, [good, bad, obstacle]] of Object.entries(spoilt)) {
    it.scopedLive(`${name} waits and says why, while others go on, and is run when it can be read`, () =>
      Effect.gen(function* () {
        const file = yield* databaseFile
        yield* inFile(file, (client) => client.executeMultiple(first))
        yield* changed(file, good, bad)
        yield* Effect.gen(function* () {
          expect(yield* obstacleOf(heldId)).toContain(obstacle)
          yield* ExtensionRelease.execute((yield* another("other")).payload)
          yield* changed(file, bad, good)
          yield* ExtensionRelease.approve(heldId, { by: "ada" })
          yield* untilStatus(heldId, "Done")
        }).pipe(Effect.provide(runner().pipe(Layer.provideMerge(EngineSqlite.layer(file)))))
      }).pipe(Effect.provide(place()))
    )
  }

  it.scopedLive(
    "is not taken for one that has ended: it is kept whatever its age, keeps its turn, and is read again",
    () =>
      Effect.gen(function* () {
        const file = yield* databaseFile
        const [good, bad] = ['"version":1', '"version":2'] as const
        const on = (options: EngineSqlite.SqliteEngineOptions) =>
          Effect.provide(runner().pipe(Layer.provideMerge(EngineSqlite.layer(file, options))))
        yield* inFile(file, (client) => client.executeMultiple(first))
        yield* changed(file, good, bad)
        yield* obstacleOf(heldId).pipe(on({}))
        yield* inFile(file, (client) =>
          client.execute({
            sql: "INSERT INTO release_turns (lane, execution_id, place, state, entered_at) VALUES (?, ?, 1, 'waiting', 0)",
            args: [laneOf(heldTarget), heldId]
          })
        )
        const later = yield* newRelease({ releaseId: "later", extension: heldTarget })
        yield* Effect.gen(function* () {
          const gone = Effect.either(ExtensionRelease.poll(doneId))
          yield* Effect.delay(gone, "50 millis").pipe(Effect.repeat({ until: Either.isLeft }))
          yield* ExtensionRelease.submit(later.payload)
          yield* untilStatus(later.executionId, "Waiting")
          expect(yield* obstacleOf(heldId)).toContain("payload version 2")
        }).pipe(on({ retention: "1 milli" }))
        yield* inFile(file, (client) =>
          client.execute({
            sql: "UPDATE cluster_messages SET payload = replace(payload, ?, ?)",
            args: [bad, good]
          })
        )
        yield* Effect.gen(function* () {
          const obstacle = Effect.delay(obstacleOf(heldId), "50 millis")
          yield* Effect.repeat(obstacle, { until: (text) => text === "" })
          yield* ExtensionRelease.approve(heldId, { by: "ada" })
          yield* untilStatus(heldId, "Done")
          yield* ExtensionRelease.execute(later.payload)
        }).pipe(on({}))
      }).pipe(Effect.provide(place()))
  )

  it.scopedLive("because of a step's result waits and says so, while others go on", () =>
    Effect.gen(function* () {
      const file = yield* databaseFile
      yield* inFile(file, (client) => client.executeMultiple(first))
      yield* inFile(file, (client) =>
        client.execute({
          sql: `UPDATE cluster_replies SET payload = replace(payload, '"created":', '"made":')
            WHERE request_id IN (SELECT request_id FROM cluster_messages WHERE entity_id = ? AND tag = 'activity')`,
          args: [heldId]
        })
      )
      yield* Effect.gen(function* () {
        yield* ExtensionRelease.approve(heldId, { by: "ada" })
        const why = Effect.delay(obstacleOf(heldId), "20 millis")
        yield* Effect.repeat(why, { until: (text) => text.includes("cannot be read") })
        yield* ExtensionRelease.execute((yield* another("other")).payload)
      }).pipe(Effect.provide(runner().pipe(Layer.provideMerge(EngineSqlite.layer(file)))))
    }).pipe(Effect.provide(place()))
  )
})
