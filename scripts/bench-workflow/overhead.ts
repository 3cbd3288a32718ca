/** What an engine adds to one release: the same archive uploaded without one, and released by each of the three. */
import { join } from "node:path"
import * as Command from "@effect/platform/Command"
import * as FileSystem from "@effect/platform/FileSystem"
import type { WorkflowEngine } from "@effect/workflow/WorkflowEngine"
import * as Arr from "effect/Array"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import * as Archive from "../../src/archive/Archive.ts"
import * as ExtensionsClient from "../../src/cloud/ExtensionsClient.ts"
import * as UploadHttpClient from "../../src/transfer/UploadHttpClient.ts"
import * as ExtensionUpload from "../../src/upload/ExtensionUpload.ts"
import * as EngineMemory from "../../src/workflow/EngineMemory.ts"
import * as EnginePostgres from "../../src/workflow/EnginePostgres.ts"
import * as EngineSqlite from "../../src/workflow/EngineSqlite.ts"
import * as ExtensionRelease from "../../src/workflow/ExtensionRelease.ts"
import * as ReleasePayload from "../../src/workflow/ReleasePayload.ts"
import * as ReleaseTarget from "../../src/workflow/ReleaseTarget.ts"
import { fileWith, zipOf } from "../../test/support/upload/archives.ts"
import { durablePostgres, freePort } from "../../test/support/workflow/postgres.ts"
import { median } from "../bench/format.ts"
import { node } from "../support/node.ts"

const archiveBytes = 32 * 1024
/** Run before any is measured, so that all code is compiled and all tables are there. */
const warmUps = 40

const service = Effect.gen(function* () {
  const process = yield* Command.make(
    node,
    "--import",
    "tsx",
    join(import.meta.dirname, "serviceProcess.ts")
  ).pipe(Command.stdin("pipe"), Command.start)
  return yield* process.stdout.pipe(
    Stream.decodeText(),
    Stream.splitLines,
    Stream.runHead,
    Effect.flatten,
    Effect.orDie
  )
})

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

const newExtension = Effect.gen(function* () {
  const { create } = yield* ExtensionsClient.ExtensionsClient
  const { extension } = yield* create({ name: "dictionary", type: "bundle", version: "*" })
  return extension.id
})

const uploaded = Effect.gen(function* () {
  const extensionId = yield* newExtension
  const archive = Archive.file(yield* fileWith(yield* zipOf(archiveBytes)))
  return yield* millisOf(ExtensionUpload.upload({ extensionId, archive }))
})

const released = (index: number) =>
  Effect.gen(function* () {
    const payload = yield* ReleasePayload.prepare({
      releaseId: String(index),
      extension: ReleaseTarget.id(yield* newExtension),
      archive: { _tag: "Path", path: yield* fileWith(yield* zipOf(archiveBytes)) }
    })
    return yield* millisOf(ExtensionRelease.execute(payload))
  })

/** With what each has by itself: a journal in files without a database, else one in the engine's. */
export const overhead = (count: number) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const folder = yield* fs.makeTempDirectoryScoped({ prefix: "bench-workflow-" })
    const { url } = yield* durablePostgres
    const runner = { host: "127.0.0.1", port: yield* freePort }
    const variables = [
      ["EC_ENDPOINT", yield* service],
      ["EC_API_KEY", "local-key"]
    ] as const
    const configured = (...more: ReadonlyArray<readonly [name: string, value: string]>) =>
      Layer.setConfigProvider(ConfigProvider.fromMap(new Map([...variables, ...more])))
    const inFiles = configured(["EC_UPLOAD_JOURNAL", join(folder, "journal")])

    const releasedBy = <E, R>(
      engine: Layer.Layer<WorkflowEngine, E, R>,
      configuration: Layer.Layer<never> = configured()
    ) =>
      Effect.provide(
        medianOf(count, released),
        ExtensionRelease.layerConfig.pipe(
          Layer.provideMerge(Layer.mergeAll(engine, ExtensionsClient.layerConfig)),
          Layer.provideMerge(UploadHttpClient.layerConfig),
          Layer.provide(configuration)
        )
      )

    return [
      [
        "no engine: `ExtensionUpload.upload`",
        yield* Effect.provide(
          medianOf(count, () => uploaded),
          Layer.provide(ExtensionUpload.layerConfig, inFiles)
        )
      ],
      ["`EngineMemory.layer`", yield* releasedBy(EngineMemory.layer, inFiles)],
      ["`EngineSqlite.layer`", yield* releasedBy(EngineSqlite.layer(join(folder, "releases.db")))],
      [
        "`EnginePostgres.layer`, one runner",
        yield* releasedBy(EnginePostgres.layer({ url: Redacted.make(url), runner }))
      ]
    ] as const
  }).pipe(Effect.scoped)
