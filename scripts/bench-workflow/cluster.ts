/** Releases a minute on so many runners, each a process, and what their database sees. */
import { type ChildProcess, spawn } from "node:child_process"
import { join, resolve } from "node:path"
import * as ShardingConfig from "@effect/cluster/ShardingConfig"
import * as FileSystem from "@effect/platform/FileSystem"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Schedule from "effect/Schedule"
import * as Fault from "../../src/testing/Fault.ts"
import * as LocalElasticCloud from "../../src/testing/LocalElasticCloud.ts"
import * as EnginePostgres from "../../src/workflow/EnginePostgres.ts"
import * as ExtensionRelease from "../../src/workflow/ExtensionRelease.ts"
import * as ReleasePayload from "../../src/workflow/ReleasePayload.ts"
import * as ReleaseTarget from "../../src/workflow/ReleaseTarget.ts"
import { zipOf } from "../../test/support/upload/archives.ts"
import { sha256 } from "../../test/support/upload/world.ts"
import { durablePostgres, freePort } from "../../test/support/workflow/postgres.ts"
import { node } from "../support/node.ts"
import { bundleProgram } from "../support/program.ts"
import { difference, ended, type Seen, seen, sharing } from "./database.ts"
import { databaseMillis, peakBytes, processorMillis } from "./processor.ts"

const archiveBytes = 32 * 1024

/** As one file, beside which the packages are found that cannot be in it. */
export const bundleRunner = Effect.gen(function* () {
  const fs = yield* FileSystem.FileSystem
  const folder = yield* fs.makeTempDirectoryScoped({ prefix: "bench-workflow-" })
  const outfile = join(folder, "runner.mjs")
  yield* fs.symlink(resolve("node_modules"), join(folder, "node_modules"))
  yield* Effect.promise(() =>
    bundleProgram(join(import.meta.dirname, "runnerProcess.ts"), outfile, { external: ["pg-native"] })
  )
  return outfile
})

export const startRunner = (program: string, database: string, journal: string) =>
  Effect.gen(function* () {
    const { url } = yield* LocalElasticCloud.LocalElasticCloud
    const port = yield* freePort
    return yield* Effect.acquireRelease(
      Effect.sync(() =>
        spawn(node, [program], {
          stdio: ["ignore", "ignore", "inherit"],
          env: {
            PATH: process.env["PATH"],
            EC_API_KEY: "local-key",
            EC_ENDPOINT: url,
            EC_UPLOAD_JOURNAL: journal,
            DATABASE_URL: database,
            RUNNER_PORT: String(port)
          }
        })
      ),
      (child: ChildProcess) =>
        Effect.async<void>((resume) => {
          if (child.exitCode !== null) return resume(Effect.void)
          child.once("close", () => resume(Effect.void))
          child.kill("SIGKILL")
        })
    )
  })

/** Releases of small archives, each to an extension of its own. */
export const payloads = (count: number, folder: string) =>
  Effect.forEach(Array.from({ length: count }).keys(), (index) =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const cloud = yield* LocalElasticCloud.LocalElasticCloud
      const content = yield* zipOf(archiveBytes)
      const path = join(folder, `${index}.zip`)
      yield* fs.writeFile(path, content)
      const { id } = yield* cloud.seed({ name: `${index}`, extension_type: "bundle", version: "*" })
      return yield* ReleasePayload.decode({
        releaseId: `${index}`,
        extension: ReleaseTarget.id(id),
        archive: { _tag: "Path", path },
        sha256: sha256(content)
      })
    })
  )

export interface ClusterRun {
  readonly runners: number
  readonly releases: number
  /** From the first submission to the last end. */
  readonly millis: number
  /** Computed by all runners, and by the database, in all releases together. */
  readonly runnerMillis: number
  readonly databaseMillis: number
  /** What the largest runner had in memory at most. */
  readonly peakBytes: number
  /** In all releases together. */
  readonly work: Seen
  /** In a second in which there is nothing to do, all runners together. */
  readonly idleCommits: number
}

/** With `slow`, the server reads each archive for that many seconds: then the line is what takes the time. */
export const clusterRun = (options: {
  readonly program: string
  readonly runners: number
  readonly releases: number
  readonly slow?: number
}) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const cloud = yield* LocalElasticCloud.LocalElasticCloud
    const folder = yield* fs.makeTempDirectoryScoped({ prefix: "bench-workflow-" })
    const { url } = yield* durablePostgres
    const client = EnginePostgres.layerClient({ url: Redacted.make(url) })
    // Makes the tables, of which the next questions are.
    yield* Effect.scoped(Layer.build(client))
    const wanted = yield* payloads(options.releases, folder)
    const runners = yield* Effect.replicateEffect(
      startRunner(options.program, url, join(folder, "journal")),
      options.runners
    )
    const pids = runners.map(({ pid = 0 }) => pid)
    yield* Effect.repeat(sharing(url, ShardingConfig.defaults.shardsPerGroup), {
      until: (sharers) => sharers === options.runners,
      schedule: Schedule.spaced("200 millis")
    })
    if (options.slow !== undefined) {
      const fault = Fault.readSlowly(archiveBytes / options.slow)
      yield* cloud.plan({ method: "PUT", times: options.releases, fault })
    }
    const quiet = yield* seen(url)
    const quietAt = performance.now()
    yield* Effect.sleep("20 seconds")
    const before = yield* seen(url)
    const idleMillis = performance.now() - quietAt
    const computed = Effect.map(databaseMillis(url), (inDatabase) => ({
      inDatabase,
      inRunners: pids.reduce((sum, pid) => sum + processorMillis(pid), 0)
    }))
    const computedBefore = yield* computed
    const startedAt = performance.now()
    yield* Effect.forEach(wanted, ExtensionRelease.submit, { concurrency: 16, discard: true }).pipe(
      Effect.provide(client)
    )
    yield* Effect.repeat(ended(url), {
      until: (count) => count === options.releases,
      schedule: Schedule.spaced("250 millis")
    })
    const millis = performance.now() - startedAt
    const { inDatabase, inRunners } = yield* computed
    const applied = (yield* cloud.extensions).filter(({ uploads }) => uploads === 1).length
    if (applied !== options.releases) {
      return yield* Effect.dieMessage(`${applied} of ${options.releases} archives arrived once`)
    }
    return {
      runners: options.runners,
      releases: options.releases,
      millis,
      runnerMillis: inRunners - computedBefore.inRunners,
      databaseMillis: inDatabase - computedBefore.inDatabase,
      peakBytes: Math.max(...pids.map(peakBytes)),
      work: difference(yield* seen(url), before),
      idleCommits: difference(before, quiet).commits / (idleMillis / 1000)
    } satisfies ClusterRun
  }).pipe(Effect.scoped, Effect.provide(LocalElasticCloud.layer()))
