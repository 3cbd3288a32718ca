/**
 * The crash sweep: processes that upload 64 MiB are killed at random moments and started again until the upload is
 * done. Half of them hash the archive while they send it. `CRASH_KILLS` makes it longer, `CRASH_SEED` repeats one.
 */
import { join } from "node:path"
import * as FileSystem from "@effect/platform/FileSystem"
import * as NodeContext from "@effect/platform-node/NodeContext"
import { describe, expect, it } from "@effect/vitest"
import { Effect, Layer, Random } from "effect"
import * as LocalElasticCloud from "../../src/testing/LocalElasticCloud.ts"
import { runChild } from "../support/faults/crashes.ts"
import { ledger } from "../support/faults/ledger.ts"
import { bundleChild, type Runtime } from "../support/runtimes/child.ts"
import { fileWith, type Way, ways, zipOf } from "../support/upload/archives.ts"
import { held, seed, sha256 } from "../support/upload/world.ts"

const kills = Number(process.env["CRASH_KILLS"] ?? 60)
const randomSeed = process.env["CRASH_SEED"] ?? String(Date.now())
const size = 64 * 1024 * 1024
/** What one kill may cost in bytes that have to be sent again. */
const window = 1024 * 1024

interface Story {
  readonly kills: number
  readonly repeated: number
}

const program = Effect.gen(function* () {
  const fs = yield* FileSystem.FileSystem
  const cloud = yield* LocalElasticCloud.LocalElasticCloud
  const folder = yield* fs.makeTempDirectoryScoped({ prefix: "crashes-" })
  const bundle = yield* bundleChild(folder, "faults/crashChild.ts")
  const content = yield* zipOf(size)
  const archive = yield* fileWith(content)
  const contentSha256 = sha256(content)

  const options = (runtime: Runtime, extension: string, way: Way) => ({
    runtime,
    program: bundle,
    env: {
      // Of an archive that may be damaged, the digest comes first.
      EC_UPLOAD_ALLOW: way === "BeforeSending" ? "damaged-entry" : "",
      EC_API_KEY: "local-key",
      EC_ENDPOINT: cloud.url,
      EC_UPLOAD_JOURNAL: join(folder, `journal-${extension}`),
      EC_UPLOAD_BANDWIDTH: "48000000",
      EC_UPLOAD_RECONCILE_WINDOW: "200 millis",
      CRASH_EXTENSION: extension,
      CRASH_ARCHIVE: archive
    }
  })

  /**
   * Without leave to look for processes, Deno takes a lock over only after 30 seconds of silence. Here that is done by
   * hand, as an operator would who does not care to wait.
   */
  const removeLock = (journal: string) =>
    Effect.gen(function* () {
      for (const name of yield* Effect.orElseSucceed(fs.readDirectory(journal), () => [])) {
        if (name.endsWith(".lock")) yield* fs.remove(join(journal, name))
      }
    })

  const undisturbed = (runtime: Runtime) =>
    Effect.gen(function* () {
      const ending = yield* runChild(options(runtime, yield* seed(), "BeforeSending"), undefined)
      return ending._tag === "Done" ? ending.millis : yield* Effect.dieMessage(JSON.stringify(ending))
    })

  /** One upload from its first start to its end, killed at most so many times. */
  const story = (runtime: Runtime, way: Way, lifetime: number, mostKills: number) =>
    Effect.gen(function* () {
      yield* cloud.clearRequests
      const extension = yield* seed()
      // Half a lifetime, so that most processes die and yet each gets a little further.
      const horizon = Math.ceil(lifetime / 2)
      let killed = 0
      while (true) {
        const after = killed < mostKills ? yield* Random.nextIntBetween(0, horizon) : undefined
        const child = options(runtime, extension, way)
        const ending = yield* runChild(child, after)
        if (ending._tag === "Failed") return yield* Effect.dieMessage(ending.output)
        if (ending._tag === "Done") break
        killed++
        if (runtime === "deno") yield* removeLock(child.env.EC_UPLOAD_JOURNAL)
      }
      const { received, repeated, requests } = yield* ledger(content.length)
      const { sha256: stored } = yield* held(extension)
      expect(stored).toBe(contentSha256)
      expect(received, requests.join(", ")).toBeLessThanOrEqual(content.length + killed * window)
      return { kills: killed, repeated } satisfies Story
    })

  return (runtime: Runtime, total: number) =>
    Effect.gen(function* () {
      const lifetime = yield* undisturbed(runtime)
      const stories: Array<Story> = []
      for (const way of ways) {
        let left = Math.ceil(total / ways.length)
        while (left > 0) {
          // Only the first life of an upload is hashed while it is sent: the next one knows that something was begun.
          const mostKills = way === "WhileSending" ? Math.min(left, 3) : left
          const told = yield* story(runtime, way, lifetime, mostKills)
          stories.push(told)
          left -= told.kills
        }
      }
      const repeated = stories.reduce((sum, told) => sum + told.repeated, 0)
      console.log(
        `${runtime}: ${total} kills in ${stories.length} uploads of ${content.length} bytes: ` +
          `${repeated} bytes sent again in all (${Math.round(repeated / total)} a kill), seed ${randomSeed}`
      )
      return stories
    })
})

const World = LocalElasticCloud.layer({ resumable: {} }).pipe(
  Layer.provideMerge(NodeContext.layer),
  Layer.orDie
)

describe("a process killed at random moments", () => {
  const sweeps: ReadonlyArray<readonly [Runtime, number]> = [
    ["node", kills],
    ["bun", Math.ceil(kills / 10)],
    ["deno", Math.ceil(kills / 10)]
  ]
  it.scopedLive.each(sweeps)(
    "%s",
    ([runtime, total]) =>
      Effect.gen(function* () {
        const sweep = yield* program
        const stories = yield* sweep(runtime, total)
        expect(stories.reduce((sum, told) => sum + told.kills, 0)).toBeGreaterThanOrEqual(total)
      }).pipe(Effect.withRandom(Random.make(randomSeed)), Effect.provide(World)),
    { timeout: 10 * 60_000 }
  )
})
