/**
 * Releases in one file on one machine: they outlive their process, and need no server. For Node and Bun; on Deno the SQLite
 * client has no access to files, and the layer fails with `EngineUnavailable`.
 *
 * Needs the optional packages `@effect/cluster`, `@effect/rpc`, `@effect/sql`, `@effect/sql-libsql` and
 * `@libsql/client`.
 *
 * @since 0.1.0
 */
import * as ClusterWorkflowEngine from "@effect/cluster/ClusterWorkflowEngine"
import * as RunnerHealth from "@effect/cluster/RunnerHealth"
import * as RunnerStorage from "@effect/cluster/RunnerStorage"
import * as Runners from "@effect/cluster/Runners"
import * as Sharding from "@effect/cluster/Sharding"
import * as ShardingConfig from "@effect/cluster/ShardingConfig"
import * as SqlMessageStorage from "@effect/cluster/SqlMessageStorage"
import * as FileSystem from "@effect/platform/FileSystem"
import * as Path from "@effect/platform/Path"
import type { WorkflowEngine } from "@effect/workflow/WorkflowEngine"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { EngineLocked, EngineUnavailable } from "./EngineError.ts"
import { layerInsight } from "./internal/clusterInsight.ts"
import { unavailable } from "./internal/persistence.ts"
import { layerClient } from "./internal/sqliteClient.ts"
import { layerLock } from "./internal/sqliteLock.ts"

/**
 * How the file is watched.
 *
 * @since 0.1.0
 * @category models
 */
export interface SqliteEngineOptions {
  /** How long a durable wait may run over: the file is looked into this often. Default 1 second. */
  readonly pollInterval?: Duration.DurationInput | undefined
}

/** Not taken from the environment, where `HOST` and `PORT` usually mean something else. */
const config = ({ pollInterval = Duration.seconds(1) }: SqliteEngineOptions) =>
  ShardingConfig.layer({
    entityMessagePollInterval: pollInterval,
    // A transfer does not end by waiting for it: interrupted, it goes on where it was.
    entityTerminationTimeout: Duration.seconds(2),
    // Every message is stored with its shard: another number would not find those of earlier releases again.
    shardsPerGroup: 300
  })

/** Without a lock of the cluster's own, which would take half a minute to notice that its last runner is dead. */
const runner = (options: SqliteEngineOptions) =>
  Sharding.layer.pipe(
    Layer.provideMerge(Runners.layerNoop),
    Layer.provideMerge(SqlMessageStorage.layer),
    Layer.provide([RunnerStorage.layerMemory, RunnerHealth.layerNoop]),
    Layer.provide(config(options))
  )

const layerFolder = (folder: string) =>
  Layer.effectDiscard(
    Effect.flatMap(FileSystem.FileSystem, (fs) => fs.makeDirectory(folder, { recursive: true, mode: 0o700 }))
  )

/**
 * One process at a time may run releases on a file; a second one is refused with `EngineLocked`. The file and its folder
 * are made where they are missing. It holds payloads and results, beside it `<file>-lock` and `<file>-owner`.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerSqlite = (
  file: string,
  options: SqliteEngineOptions = {}
): Layer.Layer<WorkflowEngine, EngineLocked | EngineUnavailable, FileSystem.FileSystem | Path.Path> =>
  Layer.unwrapEffect(
    Effect.map(Path.Path, (path) => {
      const absolute = path.resolve(file)
      const resource = `the database "${file}"`
      return Layer.merge(ClusterWorkflowEngine.layer, layerInsight).pipe(
        Layer.provide(runner(options)),
        Layer.provide(layerClient(absolute, resource)),
        unavailable(resource),
        Layer.provide(layerLock(absolute, resource)),
        Layer.provide(unavailable(resource)(layerFolder(path.dirname(absolute))))
      )
    })
  )
