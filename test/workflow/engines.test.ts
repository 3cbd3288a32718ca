import { existsSync, readdirSync, readlinkSync } from "node:fs"
import { join } from "node:path"
import { PersistenceError } from "@effect/cluster/ClusterError"
import * as FileSystem from "@effect/platform/FileSystem"
import { describe, expect, it } from "@effect/vitest"
import { WorkflowEngine } from "@effect/workflow/WorkflowEngine"
import { createClient } from "@libsql/client"
import { Deferred, Effect, Either, Exit, Fiber, Layer, Option, Redacted } from "effect"
import * as Fault from "../../src/testing/Fault.ts"
import { LocalElasticCloud } from "../../src/testing/LocalElasticCloud.ts"
import * as EngineMemory from "../../src/workflow/EngineMemory.ts"
import * as EnginePostgres from "../../src/workflow/EnginePostgres.ts"
import * as EngineSqlite from "../../src/workflow/EngineSqlite.ts"
import * as ExtensionRelease from "../../src/workflow/ExtensionRelease.ts"
import * as ReleaseTarget from "../../src/workflow/ReleaseTarget.ts"
import { apiKey, held, journaled, puts, sha256 } from "../support/upload/world.ts"
import { databaseFile, engines, onSqlite } from "../support/workflow/engines.ts"
import { freePort } from "../support/workflow/postgres.ts"
import { begin, newRelease, place, record, runner, untilStatus } from "../support/workflow/releases.ts"

/** Reads nothing more of a `PUT` after so many bytes; `untilReached` waits until it has come so far. */
const hangAfter = (afterBodyBytes: number) =>
  Effect.gen(function* () {
    const cloud = yield* LocalElasticCloud
    const reached = yield* Deferred.make<void>()
    yield* cloud.plan({
      method: "PUT",
      fault: [
        Fault.run({ afterBodyBytes }, Effect.asVoid(Deferred.succeed(reached, undefined))),
        Fault.hang({ afterBodyBytes })
      ]
    })
    return { untilReached: Deferred.await(reached) }
  })

for (const [name, engine] of Object.entries(engines)) {
  describe.runIf(engine.isHere)(`on ${name}`, () => {
    it.scopedLive("a release is retried, held, approved and told of, and gives its result again", () => {
      const seen = record()
      return Effect.gen(function* () {
        const cloud = yield* LocalElasticCloud
        yield* cloud.plan({ method: "PUT", fault: Fault.answer({ status: 503 }) })
        const { content, executionId, payload } = yield* newRelease({ holdForApproval: true })
        const release = Effect.gen(function* () {
          expect(yield* ExtensionRelease.submit(payload)).toBe(executionId)
          const outcome = yield* begin(payload)
          yield* Effect.iterate(0, {
            while: (asked) => asked === 0,
            body: () => Effect.as(Effect.sleep("20 millis"), seen.requested.length)
          })
          yield* untilStatus(executionId, "Waiting")
          const first = yield* ExtensionRelease.approve(executionId, { by: "ada" })
          expect(first).toMatchObject({ isFirst: true, inForce: { value: { by: "ada" } } })
          const second = yield* ExtensionRelease.approve(executionId, { by: "bob" })
          expect(second.isFirst).toBe(false)
          const receipt = yield* outcome
          expect(receipt).toMatchObject({ executionId, proof: "hash", decision: { by: "ada" } })
          expect(yield* ExtensionRelease.execute(payload)).toEqual(receipt)
          expect(yield* ExtensionRelease.poll(executionId)).toEqual({
            _tag: "Done",
            exit: Exit.succeed(receipt)
          })
          return receipt
        })
        const { extensionId } = yield* release.pipe(
          Effect.provide(runner(seen.layer).pipe(Layer.provideMerge(yield* engine.layer)))
        )
        expect(yield* held(extensionId)).toMatchObject({ sha256: sha256(content), uploads: 1 })
        expect(seen.steps()).toEqual([
          "inspect 1",
          "digest 1",
          "ensure 1",
          "transfer 1 ServiceUnavailable",
          "transfer 2",
          "verify 1",
          "request-approval 1",
          "announce 1"
        ])
        expect([seen.requested, seen.released].map(({ length }) => length)).toEqual([1, 1])
      }).pipe(Effect.provide(place()))
    })

    it.scopedLive("a release is cancelled in the middle of its transfer, and what it created is gone", () =>
      Effect.gen(function* () {
        const cloud = yield* LocalElasticCloud
        const { executionId, payload } = yield* newRelease({ deleteUnfilledOnCancel: true }, 300_000)
        const { untilReached } = yield* hangAfter(100_000)
        yield* Effect.gen(function* () {
          const outcome = yield* begin(payload)
          yield* untilReached
          yield* ExtensionRelease.cancel(executionId)
          expect(yield* Effect.flip(outcome)).toMatchObject({ _tag: "ReleaseCancelled", executionId })
        }).pipe(Effect.provide(runner().pipe(Layer.provideMerge(yield* engine.layer))))
        expect(yield* cloud.extensions).toEqual([])
        expect(yield* journaled).toEqual([])
      }).pipe(Effect.provide(place()))
    )

    it.scopedLive("an execution id that was never given out is refused", () =>
      Effect.gen(function* () {
        const ids = ["0123456789abcdef0123456789abcdef", "", "nonsense"]
        const layer = runner().pipe(Layer.provideMerge(yield* engine.layer))
        const errors = yield* Effect.forEach(ids, (id) => Effect.flip(ExtensionRelease.poll(id))).pipe(
          Effect.provide(layer)
        )
        expect(errors.map(({ _tag }) => _tag)).toEqual(ids.map(() => "UnknownExecution"))
      }).pipe(Effect.provide(place()))
    )
  })
}

describe("a database file", () => {
  it.scopedLive("has one runner at a time: the second is told who the first is, until it has gone", () =>
    Effect.gen(function* () {
      const file = yield* databaseFile
      const second = Effect.scoped(Layer.build(EngineSqlite.layer(file)))
      const before = Date.now()
      const error = yield* Effect.flip(second).pipe(Effect.provide(EngineSqlite.layer(file)))
      expect(error).toMatchObject({ _tag: "EngineLocked", file, pid: process.pid })
      expect(error.message).toContain(`process ${process.pid}`)
      if (error._tag === "EngineLocked") expect(error.sinceMillis).toBeGreaterThanOrEqual(before)
      yield* second
    }).pipe(Effect.provide(place()))
  )

  it.scopedLive("and its folder are made where they are missing, for their owner alone", () =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const file = yield* databaseFile
      yield* Effect.scoped(Layer.build(EngineSqlite.layer(file)))
      const folder = yield* fs.stat(file.replace("/releases.db", ""))
      expect(folder.mode & 0o077).toBe(0)
    }).pipe(Effect.provide(place()))
  )

  const useless = {
    "is no database": (file: string) =>
      Effect.flatMap(FileSystem.FileSystem, (fs) => fs.writeFileString(file, "no database ".repeat(100))),
    "is a folder": (file: string) => Effect.flatMap(FileSystem.FileSystem, (fs) => fs.makeDirectory(file))
  }
  for (const [name, spoil] of Object.entries(useless)) {
    it.scopedLive(`that ${name} is a typed error that names it`, () =>
      Effect.gen(function* () {
        const fs = yield* FileSystem.FileSystem
        const file = `${yield* fs.makeTempDirectoryScoped()}/releases.db`
        yield* spoil(file)
        const error = yield* Effect.flip(Effect.scoped(Layer.build(EngineSqlite.layer(file))))
        expect(error._tag).toBe("EngineUnavailable")
        expect(error.message).toContain(file)
      }).pipe(Effect.provide(place()))
    )
  }

  it.scopedLive(
    "lets the next process go on with what a runner left when it shut down, and undoes nothing",
    () =>
      Effect.gen(function* () {
        const cloud = yield* LocalElasticCloud
        const engine = yield* onSqlite
        const first = record()
        const second = record()
        const { content, executionId, payload } = yield* newRelease({ deleteUnfilledOnCancel: true }, 300_000)
        const { untilReached } = yield* hangAfter(100_000)
        yield* Effect.zipRight(ExtensionRelease.submit(payload), untilReached).pipe(
          Effect.provide(runner(first.layer).pipe(Layer.provideMerge(engine)))
        )
        expect(first.steps()).toEqual(["inspect 1", "digest 1", "ensure 1"])
        expect(yield* journaled).toEqual(["Sending"])
        expect(yield* cloud.extensions).toMatchObject([{ name: "words", uploads: 0 }])

        const { created, extensionId } = yield* ExtensionRelease.execute(payload).pipe(
          Effect.provide(runner(second.layer).pipe(Layer.provideMerge(engine)))
        )
        expect(created).toBe(true)
        expect(second.steps()).toEqual(["transfer 1", "verify 1", "announce 1"])
        expect(yield* held(extensionId)).toMatchObject({ sha256: sha256(content), uploads: 1 })
        const status = yield* ExtensionRelease.poll(executionId).pipe(Effect.provide(engine))
        expect(status).toMatchObject({ _tag: "Done", exit: { _tag: "Success" } })
      }).pipe(Effect.provide(place()))
  )

  it.scopedLive.each(["symlink", "link"] as const)(
    "has one runner at a time, also under another name by a %s",
    (kind) =>
      Effect.gen(function* () {
        const fs = yield* FileSystem.FileSystem
        const file = yield* databaseFile
        yield* Effect.scoped(Layer.build(EngineSqlite.layer(file)))
        const other = `${yield* fs.makeTempDirectoryScoped()}/other.db`
        yield* fs[kind](file, other)
        const second = Effect.scoped(Layer.build(EngineSqlite.layer(other)))
        const error = yield* Effect.flip(second).pipe(Effect.provide(EngineSqlite.layer(file)))
        expect(error).toMatchObject({ _tag: "EngineLocked", file: other })
        yield* second
      }).pipe(Effect.provide(place()))
  )

  it.scopedLive("belongs to one namespace and endpoint from its first use on", () =>
    Effect.gen(function* () {
      const file = yield* databaseFile
      const releases = runner().pipe(Layer.provide(EngineSqlite.layer(file)))
      yield* Effect.scoped(Layer.build(releases))
      const staging = EngineSqlite.layer(file, { namespace: "staging" })
      expect(yield* Effect.flip(Effect.scoped(Layer.build(staging)))).toMatchObject({
        _tag: "EngineMismatch",
        what: "namespace",
        found: "default"
      })
      const elsewhere = Effect.provide(
        Effect.flip(Effect.scoped(Layer.build(Layer.fresh(releases)))),
        place()
      )
      expect(yield* elsewhere).toMatchObject({ _tag: "EngineMismatch", what: "endpoint" })
    }).pipe(Effect.provide(place()))
  )

  it.scopedLive("forgets releases that ended long ago, and none that is held", () =>
    Effect.gen(function* () {
      const file = yield* databaseFile
      const [ended, held] = [
        yield* newRelease(),
        yield* newRelease({
          releaseId: "held",
          extension: ReleaseTarget.named({ name: "held", type: "bundle", version: "*" }),
          holdForApproval: true
        })
      ]
      yield* Effect.gen(function* () {
        yield* ExtensionRelease.execute(ended.payload)
        yield* ExtensionRelease.submit(held.payload)
        yield* untilStatus(held.executionId, "Waiting")
      }).pipe(Effect.provide(runner().pipe(Layer.provideMerge(EngineSqlite.layer(file)))))
      yield* Effect.gen(function* () {
        const gone = Effect.either(ExtensionRelease.poll(ended.executionId))
        yield* Effect.delay(gone, "50 millis").pipe(Effect.repeat({ until: Either.isLeft }))
        yield* ExtensionRelease.approve(held.executionId, { by: "ada" })
        const receipt = yield* ExtensionRelease.execute(held.payload)
        expect(receipt.decision).toMatchObject({ by: "ada" })
      }).pipe(
        Effect.provide(runner().pipe(Layer.provideMerge(EngineSqlite.layer(file, { retention: "1 milli" }))))
      )
    }).pipe(Effect.provide(place()))
  )

  const others = {
    "writes to it": ["BEGIN IMMEDIATE"],
    "reads from it": ["BEGIN", "SELECT count(*) FROM cluster_messages"]
  }
  for (const [name, statements] of Object.entries(others)) {
    it.scopedLive(`is waited for while somebody else ${name}`, () =>
      Effect.gen(function* () {
        const file = yield* databaseFile
        yield* Effect.gen(function* () {
          const { payload } = yield* newRelease()
          const other = yield* Effect.acquireRelease(
            Effect.sync(() => createClient({ url: `file:${file}` })),
            (client) => Effect.sync(() => client.close())
          )
          for (const statement of statements) yield* Effect.promise(() => other.execute(statement))
          const released = yield* Effect.fork(
            Effect.zipRight(ExtensionRelease.submit(payload), ExtensionRelease.execute(payload))
          )
          yield* Effect.sleep("1 second")
          expect(Option.isNone(yield* Fiber.poll(released))).toBe(true)
          yield* Effect.promise(() => other.execute("ROLLBACK"))
          expect(yield* Fiber.join(released)).toMatchObject({ proof: "hash" })
        }).pipe(Effect.provide(runner().pipe(Layer.provideMerge(EngineSqlite.layer(file)))))
      }).pipe(Effect.provide(place()))
    )
  }

  const linux = process.platform === "linux"
  it.scopedLive.runIf(linux)("is opened no more often for many releases than for one", () =>
    Effect.gen(function* () {
      const file = yield* databaseFile
      const opened = Effect.sync(() =>
        readdirSync("/proc/self/fd").filter((fd) => {
          const link = join("/proc/self/fd", fd)
          return existsSync(link) && readlinkSync(link).startsWith(file)
        })
      )
      yield* Effect.gen(function* () {
        const before = (yield* opened).length
        expect(before).toBeGreaterThan(0)
        for (const releaseId of ["a", "b", "c"]) {
          yield* ExtensionRelease.execute((yield* newRelease({ releaseId })).payload)
        }
        expect((yield* opened).length).toBe(before)
      }).pipe(Effect.provide(runner().pipe(Layer.provideMerge(EngineSqlite.layer(file)))))
    }).pipe(Effect.provide(place()))
  )

  it.scopedLive("holds neither the API key nor a link to the archive", () =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const cloud = yield* LocalElasticCloud
      const file = yield* databaseFile
      const { payload } = yield* newRelease()
      const engine = runner().pipe(
        Layer.provideMerge(EngineSqlite.layer(file, { pollInterval: "100 millis" }))
      )
      yield* cloud.plan({ method: "PUT", fault: Fault.refuse(500, "internal") })
      const { releaseId } = yield* ExtensionRelease.execute(payload).pipe(Effect.provide(engine))
      const stored = Buffer.from(yield* fs.readFile(file)).toString("latin1")
      expect(stored).toContain(releaseId)
      expect(stored).not.toContain(apiKey)
      expect(stored).not.toContain("/files/")
      expect(yield* puts).toHaveLength(2)
    }).pipe(Effect.provide(place()))
  )
})

describe("a database that is away for a moment", () => {
  const away = new PersistenceError({ cause: new Error("Connection terminated") })

  /** The engine in memory over a database that fails the first time it is asked to run this step, or polled. */
  const failingAt = (activity: string) =>
    Layer.effect(
      WorkflowEngine,
      Effect.map(WorkflowEngine, (engine) => {
        let failures = 0
        const activityExecute: typeof engine.activityExecute = (step, attempt) =>
          step.name === activity && failures++ === 0
            ? Effect.die(away)
            : engine.activityExecute(step, attempt)
        return { ...engine, activityExecute, poll: () => Effect.die(away) }
      })
    ).pipe(Layer.provide(EngineMemory.layer))

  it.scopedLive("fails no release: the step is run when it is back", () => {
    const seen = record()
    return Effect.gen(function* () {
      const { payload } = yield* newRelease()
      const { proof } = yield* ExtensionRelease.execute(payload).pipe(
        Effect.provide(runner(seen.layer).pipe(Layer.provideMerge(failingAt("ExtensionRelease/verify"))))
      )
      expect(proof).toBe("hash")
      expect(seen.steps()).toEqual([
        "inspect 1",
        "digest 1",
        "ensure 1",
        "transfer 1",
        "verify 1",
        "announce 1"
      ])
    }).pipe(Effect.provide(place()))
  })

  it.scopedLive("is a typed error to who asks", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(ExtensionRelease.poll("0123456789abcdef0123456789abcdef"))
      expect(error).toMatchObject({ _tag: "EngineUnavailable", detail: "Connection terminated" })
    }).pipe(Effect.provide(failingAt("none")))
  )
})

describe("a PostgreSQL that cannot be reached", () => {
  const runnerAt = { host: "127.0.0.1", port: 1 }
  const clients = {
    "a runner": (url: Redacted.Redacted<string>) => EnginePostgres.layer({ url, runner: runnerAt }),
    "a client": (url: Redacted.Redacted<string>) => EnginePostgres.layerClient({ url })
  }
  for (const [name, layer] of Object.entries(clients)) {
    it.scopedLive(`is a typed error to ${name}, without its password`, () =>
      Effect.gen(function* () {
        const port = yield* freePort
        const url = Redacted.make(`postgresql://ada:hunter2@127.0.0.1:${port}/releases`)
        const error = yield* Effect.flip(Effect.scoped(Layer.build(layer(url))))
        expect(error).toMatchObject({ _tag: "EngineUnavailable", isRetryable: true })
        expect(error.message).toContain(`127.0.0.1:${port}/releases`)
        expect(error.message).toContain("ECONNREFUSED")
        expect(error.message).not.toMatch(/hunter2|ada/)
      })
    )
  }

  it.scopedLive("for want of an address that is one says so", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(
        Effect.scoped(Layer.build(EnginePostgres.layerClient({ url: Redacted.make("hunter2") })))
      )
      expect(error.message).toContain("is not a URL")
      expect(error.message).not.toContain("hunter2")
    })
  )
})
