/** Runners on one PostgreSQL, archives for them all to reach, and somebody who asks them for releases. */
import { join } from "node:path"
import * as FileSystem from "@effect/platform/FileSystem"
import { expect } from "@effect/vitest"
import { Effect, Layer, Option, Redacted, Schedule, Schema } from "effect"
import { LocalElasticCloud } from "../../../src/testing/LocalElasticCloud.ts"
import * as UploadHttpClient from "../../../src/transfer/UploadHttpClient.ts"
import * as EnginePostgres from "../../../src/workflow/EnginePostgres.ts"
import * as ExtensionRelease from "../../../src/workflow/ExtensionRelease.ts"
import * as ReleasePayload from "../../../src/workflow/ReleasePayload.ts"
import * as ReleaseTarget from "../../../src/workflow/ReleaseTarget.ts"
import { zipOf } from "../upload/archives.ts"
import { sha256 } from "../upload/world.ts"
import { archiveServer } from "./archiveServer.ts"
import { detour, gateway } from "./gateway.ts"
import { freePort, rows } from "./postgres.ts"
import { type RunnerProcess, startRunner } from "./runners.ts"
import { sharding } from "./sharding.ts"

/** A release that was asked for, and the content it should put in place. */
export interface Wanted {
  readonly payload: ReleasePayload.ReleasePayload
  readonly contentSha256: string
}

/** Every third archive by its URL, the others in a common folder. */
const makeWanted = (folder: string, bytes: number) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const cloud = yield* LocalElasticCloud
    const server = yield* archiveServer
    return (count: number, series: string): Effect.Effect<ReadonlyArray<Wanted>> =>
      Effect.forEach(Array.from({ length: count }).keys(), (index) =>
        Effect.gen(function* () {
          const content = yield* zipOf(bytes)
          const name = `${series}-${index}.zip`
          yield* fs.writeFile(join(folder, name), content)
          const { id } = yield* cloud.seed({ name, extension_type: "bundle", version: "*" })
          const payload = yield* ReleasePayload.decode({
            releaseId: name,
            extension: ReleaseTarget.id(id),
            archive:
              index % 3 === 0
                ? { _tag: "Url", url: server.serve(name, content) }
                : { _tag: "Path", path: join(folder, name) },
            sha256: sha256(content)
          })
          return { payload, contentSha256: sha256(content) }
        }).pipe(Effect.orDie)
      )
  })

export interface RunnerPlace {
  readonly database: string
  /** Where the others find it; default: where it listens. */
  readonly port?: number
  readonly listen?: number
  /** How long ended releases can be asked about; default: as shipped. */
  readonly retention?: string
  /** Besides those that every runner has. */
  readonly env?: Readonly<Record<string, string>>
  /** Of node. */
  readonly flags?: ReadonlyArray<string>
}

/** `archiveBytes` is about the size of each archive. */
export const makeCluster = (archiveBytes: number) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const cloud = yield* LocalElasticCloud
    const folder = yield* fs.makeTempDirectoryScoped({ prefix: "cluster-" })
    const wanted = yield* makeWanted(folder, archiveBytes)
    const start = (place: RunnerPlace) =>
      Effect.gen(function* () {
        const listen = place.listen ?? (yield* freePort)
        return yield* startRunner(
          {
            EC_API_KEY: "local-key",
            EC_ENDPOINT: cloud.url,
            EC_UPLOAD_RECONCILE_WINDOW: "1 second",
            RELEASE_DATABASE: place.database,
            ...(place.retention !== undefined && { RELEASE_RETENTION: place.retention }),
            RELEASE_PORT: String(place.port ?? listen),
            RELEASE_LISTEN: String(listen),
            ...place.env
          },
          place.flags
        )
      })
    /** Behind gateways, to the database and from the others. */
    const startRemote = (database: string) =>
      Effect.gen(function* () {
        const listen = yield* freePort
        const toDatabase = yield* detour(database)
        const toRunner = yield* gateway(listen)
        const runner = yield* start({ database: toDatabase.url, port: toRunner.port, listen })
        return { runner, toDatabase, toRunner }
      })
    return { start, startRemote, wanted }
  })

const Locks = Schema.Struct({ shards: Schema.NumberFromString })

/** Until these runners have an equal part of the shards each. */
export const untilShared = (url: string, runners: ReadonlyArray<RunnerProcess>) =>
  Effect.zipRight(untilReady(runners), untilEqual(url, runners.length))

export const untilReady = (runners: ReadonlyArray<RunnerProcess>) =>
  Effect.forEach(runners, (runner) => runner.saw(({ _tag }) => _tag === "Ready"))

const untilEqual = (url: string, runners: number) =>
  Effect.repeat(rows(url, Locks, "SELECT count(*)::text AS shards FROM cluster_locks GROUP BY address"), {
    until: (locks) =>
      locks.length === runners && locks.every(({ shards }) => shards === sharding.shardsPerGroup / runners),
    schedule: Schedule.spaced("100 millis")
  })

export const submitAll = (wanted: ReadonlyArray<Wanted>) =>
  Effect.forEach(wanted, ({ payload }) => ExtensionRelease.submit(payload), { concurrency: 10 })

/** Asks the database, not the runners: one that is cut off keeps `execute` waiting for up to twenty seconds. */
export const receiptOf = ({ payload }: Wanted) =>
  Effect.flatMap(ExtensionRelease.executionId(payload), ExtensionRelease.poll).pipe(
    Effect.delay("100 millis"),
    Effect.repeat({ until: isDone }),
    Effect.flatMap(({ exit }) => exit)
  )

const isDone = (
  status: ExtensionRelease.ReleaseStatus
): status is Extract<ExtensionRelease.ReleaseStatus, { _tag: "Done" }> => status._tag === "Done"

/** Waits for all: their receipts, and what the server holds, are of the content that was asked for, put there once. */
export const allReleased = (wanted: ReadonlyArray<Wanted>) =>
  Effect.gen(function* () {
    const cloud = yield* LocalElasticCloud
    const receipts = yield* Effect.forEach(wanted, receiptOf, { concurrency: 10 })
    const contents = wanted.map(({ contentSha256 }) => contentSha256)
    expect(receipts.map(({ upload }) => upload.archive.sha256)).toEqual(contents)
    const held = yield* Effect.forEach(receipts, ({ extensionId }) => cloud.extension(extensionId))
    expect(held.map(Option.map(({ file, uploads }) => ({ sha256: file?.sha256, uploads })))).toEqual(
      contents.map((sha256) => Option.some({ sha256, uploads: 1 }))
    )
  })

/** Who asks: submits, polls and waits, but runs nothing. */
export const asker = (url: string) =>
  Layer.mergeAll(EnginePostgres.layerClient({ url: Redacted.make(url), sharding }), UploadHttpClient.layer())
