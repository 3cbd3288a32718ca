/** The engines there are to test on, each with a database of its own. */
import type { PlatformError } from "@effect/platform/Error"
import * as FileSystem from "@effect/platform/FileSystem"
import type * as Path from "@effect/platform/Path"
import type { WorkflowEngine } from "@effect/workflow/WorkflowEngine"
import { Effect, type Layer, Redacted, type Scope } from "effect"
import type { EngineStartError } from "../../../src/workflow/EngineError.ts"
import * as EngineMemory from "../../../src/workflow/EngineMemory.ts"
import * as EnginePostgres from "../../../src/workflow/EnginePostgres.ts"
import * as EngineSqlite from "../../../src/workflow/EngineSqlite.ts"
import { canPostgres, freePort, postgres } from "./postgres.ts"
import { sharding } from "./sharding.ts"

/** A file that is not there yet, in a folder of its own. */
export const databaseFile = Effect.flatMap(FileSystem.FileSystem, (fs) =>
  Effect.map(fs.makeTempDirectoryScoped({ prefix: "releases-" }), (folder) => `${folder}/state/releases.db`)
)

export const onSqlite = Effect.map(databaseFile, (file) =>
  EngineSqlite.layer(file, { pollInterval: "100 millis" })
)

const onPostgres = Effect.gen(function* () {
  const { url } = yield* postgres
  const port = yield* freePort
  return EnginePostgres.layer({ url: Redacted.make(url), runner: { host: "127.0.0.1", port }, sharding })
})

const hasPostgres = await Effect.runPromise(canPostgres)

export interface Engine {
  readonly layer: Effect.Effect<
    Layer.Layer<WorkflowEngine, EngineStartError, FileSystem.FileSystem | Path.Path>,
    PlatformError,
    FileSystem.FileSystem | Scope.Scope
  >
  readonly isHere: boolean
}

export const engines: Readonly<Record<string, Engine>> = {
  memory: { layer: Effect.succeed(EngineMemory.layer), isHere: true },
  SQLite: { layer: onSqlite, isHere: true },
  PostgreSQL: { layer: onPostgres, isHere: hasPostgres }
}
