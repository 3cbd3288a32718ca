/** Several releases of one extension: one at a time, in the order of their submission. */
import type { PlatformError } from "@effect/platform/Error"
import * as FileSystem from "@effect/platform/FileSystem"
import type * as HttpClient from "@effect/platform/HttpClient"
import type * as Path from "@effect/platform/Path"
import * as SqlClient from "@effect/sql/SqlClient"
import * as LibsqlClient from "@effect/sql-libsql/LibsqlClient"
import { describe, expect, it } from "@effect/vitest"
import type { WorkflowEngine } from "@effect/workflow/WorkflowEngine"
import { Deferred, Effect, Layer, type Scope } from "effect"
import * as Fault from "../../src/testing/Fault.ts"
import { LocalElasticCloud } from "../../src/testing/LocalElasticCloud.ts"
import type { EngineStartError } from "../../src/workflow/EngineError.ts"
import * as EngineMemory from "../../src/workflow/EngineMemory.ts"
import * as EngineSqlite from "../../src/workflow/EngineSqlite.ts"
import * as ExtensionRelease from "../../src/workflow/ExtensionRelease.ts"
import { makeTurns } from "../../src/workflow/internal/database.ts"
import type { ReleasePolicy } from "../../src/workflow/ReleasePayload.ts"
import { puts, sha256 } from "../support/upload/world.ts"
import { begin, newRelease, place, runner, untilStatus } from "../support/workflow/releases.ts"

type Engine = Effect.Effect<
  Layer.Layer<WorkflowEngine, EngineStartError, FileSystem.FileSystem | Path.Path>,
  PlatformError,
  FileSystem.FileSystem | Scope.Scope
>

const onSqlite: Engine = Effect.flatMap(FileSystem.FileSystem, (fs) =>
  Effect.map(fs.makeTempDirectoryScoped({ prefix: "releases-" }), (folder) =>
    EngineSqlite.layer(`${folder}/releases.db`, { pollInterval: "100 millis" })
  )
)

const engines: Readonly<Record<string, Engine>> = {
  memory: Effect.succeed(EngineMemory.layer),
  SQLite: onSqlite
}

/** Holds the answer to the first `PUT` until it is let go, and then refuses it for a while. */
const heldUp = Effect.gen(function* () {
  const cloud = yield* LocalElasticCloud
  const [reached, go] = yield* Effect.all([Deferred.make<void>(), Deferred.make<void>()])
  yield* cloud.plan({
    method: "PUT",
    fault: [
      Fault.run("body", Effect.zipRight(Deferred.succeed(reached, undefined), Deferred.await(go))),
      Fault.answer({ status: 503 })
    ]
  })
  return { untilReached: Deferred.await(reached), letGo: Deferred.succeed(go, undefined) }
})

const release = (releaseId: string, policy: ReleasePolicy = "queue") => newRelease({ releaseId, policy })

const bodies = Effect.map(puts, (requests) => requests.map(({ bodySha256 }) => bodySha256))

for (const [name, engine] of Object.entries(engines)) {
  describe(`on ${name}`, () => {
    const test = (
      title: string,
      story: Effect.Effect<
        void,
        unknown,
        | WorkflowEngine
        | LocalElasticCloud
        | FileSystem.FileSystem
        | Path.Path
        | Scope.Scope
        | HttpClient.HttpClient
      >
    ) =>
      it.scopedLive(title, () =>
        Effect.gen(function* () {
          yield* Effect.provide(story, runner().pipe(Layer.provideMerge(yield* engine)))
        }).pipe(Effect.provide(place()))
      )

    test(
      "a later release does not pass an earlier one that fails once and waits",
      Effect.gen(function* () {
        const { letGo, untilReached } = yield* heldUp
        const [first, second] = yield* Effect.all([release("2.0.0"), release("2.0.1")])
        const earlier = yield* begin(first.payload)
        yield* untilReached
        const later = yield* begin(second.payload)
        yield* untilStatus(second.executionId, "Waiting")
        yield* letGo
        yield* earlier
        yield* later
        const [one, two] = [sha256(first.content), sha256(second.content)]
        expect(yield* bodies).toEqual([one, one, two])
      })
    )

    test(
      "one that supersedes takes the place of those that have not begun, and of no other",
      Effect.gen(function* () {
        const { letGo, untilReached } = yield* heldUp
        const [first, second, third] = yield* Effect.all([
          release("2.0.0"),
          release("2.0.1"),
          release("2.0.2", "supersede")
        ])
        const begun = yield* begin(first.payload)
        yield* untilReached
        const waiting = yield* begin(second.payload)
        yield* untilStatus(second.executionId, "Waiting")
        const superseding = yield* begin(third.payload)
        expect(yield* Effect.flip(waiting)).toMatchObject({
          _tag: "ReleaseSuperseded",
          by: third.executionId
        })
        yield* letGo
        yield* begun
        yield* superseding
        expect((yield* bodies).at(-1)).toBe(sha256(third.content))
        expect(yield* bodies).not.toContain(sha256(second.content))
      })
    )

    test(
      "one that does not wait ends, and names the one that is under way",
      Effect.gen(function* () {
        const { letGo, untilReached } = yield* heldUp
        const [first, second] = yield* Effect.all([release("2.0.0"), release("2.0.1", "fail")])
        const begun = yield* begin(first.payload)
        yield* untilReached
        expect(yield* Effect.flip(yield* begin(second.payload))).toMatchObject({
          _tag: "ReleaseBlocked",
          by: first.executionId
        })
        yield* letGo
        yield* begun
      })
    )

    test(
      "one that waits can be cancelled, and holds up nobody then",
      Effect.gen(function* () {
        const { letGo, untilReached } = yield* heldUp
        const [first, second, third] = yield* Effect.forEach(["2.0.0", "2.0.1", "2.0.2"], (id) => release(id))
        if (first === undefined || second === undefined || third === undefined) return
        const begun = yield* begin(first.payload)
        yield* untilReached
        const waiting = yield* begin(second.payload)
        yield* untilStatus(second.executionId, "Waiting")
        const last = yield* begin(third.payload)
        yield* ExtensionRelease.cancel(second.executionId)
        expect(yield* Effect.flip(waiting)).toMatchObject({ _tag: "ReleaseCancelled" })
        yield* letGo
        yield* begun
        yield* last
        expect(yield* bodies).not.toContain(sha256(second.content))
      })
    )
  })
}

describe("a turn", () => {
  it.scopedLive(
    "is remembered until the release has ended for good: read again, it comes to the same end",
    () =>
      Effect.gen(function* () {
        const fs = yield* FileSystem.FileSystem
        const file = `${yield* fs.makeTempDirectoryScoped({ prefix: "releases-" })}/releases.db`
        yield* Effect.scoped(Layer.build(EngineSqlite.layer(file)))
        yield* Effect.gen(function* () {
          const { ask, enter, leave, next } = makeTurns(yield* SqlClient.SqlClient)
          yield* enter("lane", "begun", "queue")
          expect(yield* ask("lane", "begun", "queue")).toEqual({ _tag: "Begun" })
          yield* enter("lane", "superseded", "queue")
          yield* enter("lane", "next", "supersede")
          yield* enter("lane", "blocked", "fail")
          expect(yield* ask("lane", "superseded", "queue")).toEqual({ _tag: "Superseded", by: "next" })
          expect(yield* ask("lane", "blocked", "fail")).toEqual({ _tag: "Behind", of: "begun" })
          yield* leave("superseded")
          yield* leave("blocked")
          yield* leave("begun")
          expect(yield* next("begun")).toEqual(["next"])
          expect(yield* ask("lane", "superseded", "queue")).toEqual({ _tag: "Superseded", by: "next" })
          expect(yield* ask("lane", "blocked", "fail")).toEqual({ _tag: "Behind", of: "begun" })
          expect(yield* ask("lane", "begun", "queue")).toEqual({ _tag: "Begun" })
          expect(yield* ask("lane", "next", "supersede")).toEqual({ _tag: "Begun" })
        }).pipe(Effect.provide(LibsqlClient.layer({ url: `file:${file}` })))
      }).pipe(Effect.provide(place()))
  )
})
