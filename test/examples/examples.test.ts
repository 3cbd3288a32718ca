/** The examples do what they say. */
import { join } from "node:path"
import * as FileSystem from "@effect/platform/FileSystem"
import * as NodeContext from "@effect/platform-node/NodeContext"
import { describe, expect, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import * as Fault from "../../src/testing/Fault.ts"
import * as LocalElasticCloud from "../../src/testing/LocalElasticCloud.ts"
import { run, start, stateFolder } from "../support/examples/run.ts"
import { fileWith, zipOf } from "../support/upload/archives.ts"
import { held, puts, sha256 } from "../support/upload/world.ts"

const Live = LocalElasticCloud.layer().pipe(Layer.provideMerge(NodeContext.layer), Layer.orDie)

/** Of the one extension there is. */
const onlyExtension = Effect.gen(function* () {
  const cloud = yield* LocalElasticCloud.LocalElasticCloud
  yield* cloud.settled
  const extensions = yield* cloud.extensions
  expect(extensions).toHaveLength(1)
  return { name: extensions[0]?.name, ...(yield* held(extensions[0]?.id ?? "")) }
})

describe("examples/release-pipeline.ts", () => {
  it.scopedLive("packs, publishes and announces a folder, and changes nothing the second time", () =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const state = yield* stateFolder
      const folder = join(state, "dictionaries")
      yield* fs.makeDirectory(join(folder, "hunspell/en_US"), { recursive: true })
      yield* fs.writeFileString(join(folder, "hunspell/en_US/en_US.dic"), "1\nword\n")
      const release = run(state, "release-pipeline.ts", folder, "--name", "words", "--es-version", "8.*")

      const first = yield* release
      expect([first.code, first.stderr]).toEqual([0, expect.stringContaining("Packed 1 files")])
      expect(JSON.parse(first.stdout)).toMatchObject({ _tag: "Published", name: "words", proof: "hash" })
      const again = yield* release
      expect(again.code).toBe(0)
      expect(JSON.parse(again.stdout)).toMatchObject({ _tag: "AlreadyPublished", name: "words" })
      expect(yield* onlyExtension).toMatchObject({ name: "words", uploads: 1 })
    }).pipe(Effect.provide(Live))
  )
})

describe("examples/dictionaries.ts", () => {
  it.scopedLive("publishes every archive of a folder", () =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const state = yield* stateFolder
      const content = yield* zipOf(1000)
      yield* fs.writeFile(join(state, "words.zip"), content)
      const { code, stdout } = yield* run(state, "dictionaries.ts", state)
      expect([code, stdout]).toEqual([0, expect.stringContaining("words.zip")])
      expect(yield* onlyExtension).toMatchObject({ name: "words", sha256: sha256(content), uploads: 1 })
    }).pipe(Effect.provide(Live))
  )
})

describe("examples/durable-release.ts", () => {
  it.scopedLive("resumes where it was killed, and gives the same receipt afterwards", () =>
    Effect.gen(function* () {
      const cloud = yield* LocalElasticCloud.LocalElasticCloud
      const state = yield* stateFolder
      const content = yield* zipOf(100_000)
      const archive = yield* fileWith(content)
      const release = [
        ...["durable-release.ts", archive, "--name", "words", "--release", "words-1"],
        ...["--state", join(state, "releases.db")]
      ] as const
      const sending = yield* Effect.makeLatch(false)
      yield* cloud.plan({ method: "PUT", fault: [Fault.run("body", sending.open), Fault.hang("body")] })
      const killed = yield* start(state, ...release)
      yield* sending.await
      yield* killed.kill
      yield* killed.ended

      const second = yield* run(state, ...release)
      expect([second.code, second.stderr]).toEqual([0, expect.stringContaining("released: ")])
      expect(second.stderr).toContain("transfer, attempt")
      expect(second.stderr).not.toContain("digest, attempt")
      const third = yield* run(state, ...release)
      expect([third.code, third.stdout]).toEqual([0, second.stdout])
      expect(third.stderr).not.toMatch(/attempt|released/)
      expect(yield* onlyExtension).toMatchObject({ name: "words", sha256: sha256(content), uploads: 1 })
      expect((yield* puts).at(-1)).toMatchObject({ bodyBytes: content.length, status: 200 })
    }).pipe(Effect.provide(Live))
  )
})
