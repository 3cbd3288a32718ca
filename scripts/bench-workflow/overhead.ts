/** What an engine adds to one release: the same archive uploaded without one, and released by each of the three. */
import { join } from "node:path"
import * as FileSystem from "@effect/platform/FileSystem"
import type { WorkflowEngine } from "@effect/workflow/WorkflowEngine"
import * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Archive from "../../src/archive/Archive.ts"
import * as ExtensionUpload from "../../src/upload/ExtensionUpload.ts"
import * as EngineMemory from "../../src/workflow/EngineMemory.ts"
import * as EnginePostgres from "../../src/workflow/EnginePostgres.ts"
import * as EngineSqlite from "../../src/workflow/EngineSqlite.ts"
import * as ExtensionRelease from "../../src/workflow/ExtensionRelease.ts"
import * as ReleasePayload from "../../src/workflow/ReleasePayload.ts"
import * as ReleaseTarget from "../../src/workflow/ReleaseTarget.ts"
import { fileWith, zipOf } from "../../test/support/upload/archives.ts"
import { seed } from "../../test/support/upload/world.ts"
import { freePort, postgres } from "../../test/support/workflow/postgres.ts"
import { place } from "../../test/support/workflow/releases.ts"
import { median } from "../bench/format.ts"

const archiveBytes = 32 * 1024
/** Run before any is measured, so that all code is compiled and all tables are there. */
const warmUps = 5

const millisOf = <E, R>(effect: Effect.Effect<unknown, E, R>) =>
  Effect.gen(function* () {
    const startedAt = performance.now()
    yield* effect
    return performance.now() - startedAt
  })

/** One after the other; the median in milliseconds. */
const medianOf = <E, R>(count: number, once: (index: number) => Effect.Effect<number, E, R>) =>
  Effect.forEach(Array.from({ length: warmUps + count }).keys(), once).pipe(
    Effect.map((all) => Arr.drop(all, warmUps)),
    Effect.filterOrDieMessage(Arr.isNonEmptyArray, "nothing was measured"),
    Effect.map(median)
  )

const uploaded = Effect.gen(function* () {
  const extensionId = yield* seed()
  const archive = Archive.file(yield* fileWith(yield* zipOf(archiveBytes)))
  return yield* millisOf(ExtensionUpload.upload({ extensionId, archive }))
})

const released = (index: number) =>
  Effect.gen(function* () {
    const payload = yield* ReleasePayload.prepare({
      releaseId: String(index),
      extension: ReleaseTarget.id(yield* seed()),
      archive: { _tag: "Path", path: yield* fileWith(yield* zipOf(archiveBytes)) }
    })
    return yield* millisOf(ExtensionRelease.execute(payload))
  })

const on = <E, R>(engine: Layer.Layer<WorkflowEngine, E, R>) =>
  ExtensionRelease.layer.pipe(Layer.provideMerge(engine), Layer.provideMerge(place()))

export const overhead = (count: number) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const folder = yield* fs.makeTempDirectoryScoped({ prefix: "bench-workflow-" })
    const { url } = yield* postgres
    const runner = { host: "127.0.0.1", port: yield* freePort }
    return [
      [
        "no engine: `ExtensionUpload.upload`",
        yield* Effect.provide(
          medianOf(count, () => uploaded),
          place()
        )
      ],
      ["`EngineMemory.layer`", yield* Effect.provide(medianOf(count, released), on(EngineMemory.layer))],
      [
        "`EngineSqlite.layer`",
        yield* Effect.provide(medianOf(count, released), on(EngineSqlite.layer(join(folder, "releases.db"))))
      ],
      [
        "`EnginePostgres.layer`, one runner",
        yield* Effect.provide(
          medianOf(count, released),
          on(EnginePostgres.layer({ url: Redacted.make(url), runner }))
        )
      ]
    ] as const
  }).pipe(Effect.scoped)
