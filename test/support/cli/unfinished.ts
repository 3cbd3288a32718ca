/** Uploads that a line which broke has left unfinished, and the command line that finds them. */
import * as FileSystem from "@effect/platform/FileSystem"
import { expect } from "@effect/vitest"
import { Effect } from "effect"
import * as UploadJournal from "../../../src/journal/UploadJournal.ts"
import * as Fault from "../../../src/testing/Fault.ts"
import * as LocalElasticCloud from "../../../src/testing/LocalElasticCloud.ts"
import { fileWith, zipOf } from "../upload/archives.ts"
import { sha256 } from "../upload/world.ts"
import { run } from "./program.ts"
import { world } from "./world.ts"

/** A server that acknowledges often, so that it is known where a broken upload stands. */
export const resumable = world({ resumable: { progressEveryBytes: 10_000 } })

export const scene = Effect.gen(function* () {
  const fs = yield* FileSystem.FileSystem
  const { url } = yield* LocalElasticCloud.LocalElasticCloud
  const journal = yield* fs.makeTempDirectoryScoped({ prefix: "journal-" })
  const env = {
    EC_API_KEY: "local-key",
    EC_ENDPOINT: url,
    EC_UPLOAD_JOURNAL: journal,
    EC_UPLOAD_RETRIES: "0",
    EC_UPLOAD_RETRY_BASE_DELAY: "5 millis",
    EC_UPLOAD_RECONCILE_WINDOW: "60 millis",
    EC_UPLOAD_CONTINUE_TIMEOUT: "200 millis"
  }
  const cli = (...args: ReadonlyArray<string>) => run(args, { env })

  /** Leaves an upload unfinished, as a line that breaks does to somebody who does not retry. */
  const breakOff = (id: string, bytes: number, ...options: ReadonlyArray<string>) =>
    Effect.gen(function* () {
      const cloud = yield* LocalElasticCloud.LocalElasticCloud
      const content = yield* zipOf(bytes)
      const archive = yield* fileWith(content)
      yield* cloud.plan({ method: "PUT", fault: Fault.cut({ afterBodyBytes: bytes / 2 }, "reset") })
      expect(yield* cli("upload", id, archive, ...options)).toMatchObject({ code: 2, out: "" })
      return { archive, content }
    })

  /** Is at work on an upload, as another process would be, until the test is over. */
  const hold = (id: string) =>
    UploadJournal.UploadJournal.pipe(
      Effect.flatMap((service) => service.open({ origin: `${url}/api/v1`, extensionId: id })),
      Effect.provide(UploadJournal.layerFileSystem(journal))
    )

  return { breakOff, cli, env, hold, journal, url }
})

export const uploaded = (content: Uint8Array) => ({ sha256: sha256(content), uploads: 1 })
