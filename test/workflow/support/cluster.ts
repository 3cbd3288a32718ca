/** Runners on one PostgreSQL, archives for them all to reach, and somebody who asks them for releases. */
import { join } from "node:path"
import * as FileSystem from "@effect/platform/FileSystem"
import { Effect, Layer, Redacted } from "effect"
import { LocalElasticCloud } from "../../../src/testing/LocalElasticCloud.ts"
import * as UploadHttpClient from "../../../src/transfer/UploadHttpClient.ts"
import { layerPostgresClient } from "../../../src/workflow/EnginePostgres.ts"
import * as ReleasePayload from "../../../src/workflow/ReleasePayload.ts"
import { zipOf } from "../../upload/support/archives.ts"
import { sha256 } from "../../upload/support/world.ts"
import { archiveServer } from "./archiveServer.ts"
import { freePort } from "./postgres.ts"
import { startRunner } from "./runners.ts"
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
            extension: { _tag: "Id", id },
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
            EC_UPLOAD_JOURNAL: join(folder, "journal"),
            RELEASE_DATABASE: place.database,
            RELEASE_PORT: String(place.port ?? listen),
            RELEASE_LISTEN: String(listen)
          },
          place.flags
        )
      })
    return { cloud, start, wanted }
  })

/** Who asks: submits, polls and waits, but runs nothing. */
export const asker = (url: string) =>
  Layer.mergeAll(layerPostgresClient({ url: Redacted.make(url), sharding }), UploadHttpClient.layer())
