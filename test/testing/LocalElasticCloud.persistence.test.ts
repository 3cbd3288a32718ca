import * as Fs from "node:fs/promises"
import * as Os from "node:os"
import * as Path from "node:path"
import { describe, expect, it } from "@effect/vitest"
import { Effect, Either, Layer, Option } from "effect"
import * as Fault from "../../src/testing/Fault.ts"
import * as LocalElasticCloud from "../../src/testing/LocalElasticCloud.ts"
import { ask, bigZip, pathOf, put, seedBundle, sha256, withCloud, zip } from "../support/testing/server.ts"

const dataFolder = Effect.acquireRelease(
  Effect.promise(() => Fs.mkdtemp(Path.join(Os.tmpdir(), "local-elastic-cloud-test-"))),
  (path) => Effect.promise(() => Fs.rm(path, { recursive: true }))
)

const linkIn = (answer: { readonly json: () => unknown }): string => {
  const { file_metadata } = answer.json() as { readonly file_metadata: { readonly url: string } }
  const { pathname, search } = new URL(file_metadata.url)
  return `${pathname}${search}`
}

describe("a data folder", () => {
  it.scoped("lets a new stand-in carry on: extensions, versions, archives, links", () =>
    Effect.gen(function* () {
      const dataDir = yield* dataFolder
      const archive = yield* zip({ a: "a" })
      const before = yield* Effect.gen(function* () {
        const cloud = yield* LocalElasticCloud.LocalElasticCloud
        const { id } = yield* seedBundle
        const link = linkIn(yield* put(id, archive))
        return { link, extension: Option.getOrThrow(yield* cloud.extension(id)) }
      }).pipe(withCloud({ dataDir }))
      yield* Effect.gen(function* () {
        const cloud = yield* LocalElasticCloud.LocalElasticCloud
        const { id, lastModified } = before.extension
        expect(yield* cloud.extension(id)).toStrictEqual(Option.some(before.extension))
        expect((yield* ask({ path: before.link, key: "" })).status).toBe(200)
        yield* put(id, archive)
        const after = Option.getOrThrow(yield* cloud.extension(id))
        expect(after).toMatchObject({ resourceVersion: 3, uploads: 2, file: { sha256: sha256(archive) } })
        expect(after.lastModified > lastModified).toBe(true)
      }).pipe(withCloud({ dataDir }))
    })
  )

  it.scoped("is swept of what a dead process left, and of nothing else", () =>
    Effect.gen(function* () {
      const dataDir = yield* dataFolder
      const seeded = yield* Effect.gen(function* () {
        const cloud = yield* LocalElasticCloud.LocalElasticCloud
        return yield* cloud.seed({
          name: "a",
          extension_type: "bundle",
          version: "*",
          file: Buffer.from("x")
        })
      }).pipe(withCloud({ dataDir }))
      yield* Effect.promise(() => Fs.writeFile(Path.join(dataDir, "incoming", "half"), "half"))
      yield* Effect.promise(() => Fs.writeFile(Path.join(dataDir, "files", "orphan.zip"), "orphan"))
      yield* Effect.void.pipe(withCloud({ dataDir }))
      const left = yield* Effect.promise(() => Fs.readdir(dataDir, { recursive: true }))
      expect(left.sort()).toStrictEqual([
        "files",
        `files/${Path.basename(seeded.file?.path ?? "")}`,
        "incoming",
        "state.json",
        "uploads"
      ])
    })
  )

  it.scoped("with a state that cannot be read is refused and left as it is", () =>
    Effect.gen(function* () {
      const dataDir = yield* dataFolder
      const state = Path.join(dataDir, "state.json")
      yield* Effect.promise(() => Fs.writeFile(state, '{"format":2}'))
      const error = yield* Effect.flip(LocalElasticCloud.make({ dataDir }))
      expect(error.reason).toBe("StateUnreadable")
      expect(error.message).toContain("Move the file away to start afresh.")
      expect(yield* Effect.promise(() => Fs.readFile(state, "utf8"))).toBe('{"format":2}')
    })
  )

  it.scoped("of its own is deleted with the stand-in", () =>
    Effect.gen(function* () {
      const path = yield* Effect.gen(function* () {
        const cloud = yield* LocalElasticCloud.LocalElasticCloud
        const seed = { name: "a", extension_type: "bundle", version: "*", file: Buffer.from("x") } as const
        return (yield* cloud.seed(seed)).file?.path ?? ""
      }).pipe(withCloud())
      const folder = Path.dirname(Path.dirname(path))
      expect(yield* Effect.promise(() => Fs.stat(folder).catch(() => "gone"))).toBe("gone")
    })
  )
})

describe("restart", () => {
  it.live("drops connections, keeps the port and the state, and what was planned and recorded", () =>
    Effect.gen(function* () {
      const cloud = yield* LocalElasticCloud.LocalElasticCloud
      const { id } = yield* seedBundle
      yield* put(id, yield* zip({ a: "a" }))
      const before = yield* cloud.extension(id)
      yield* cloud.plan({ method: "PUT", fault: Fault.hang("body") })
      const upload = yield* Effect.fork(Effect.either(put(id, yield* bigZip(100_000))))
      yield* cloud.requests.pipe(
        Effect.delay("5 millis"),
        Effect.repeat({ until: (requests) => requests.length === 2 && requests[1]?.complete === true })
      )
      yield* cloud.restart
      expect(Either.isLeft(yield* upload)).toBe(true)
      expect(yield* cloud.extension(id)).toStrictEqual(before)
      expect((yield* ask({ path: pathOf(id) })).status).toBe(200)
      expect(yield* cloud.requests).toHaveLength(3)
    }).pipe(withCloud())
  )

  it.scoped("that is over leaves no connection and no port behind", () =>
    Effect.gen(function* () {
      const url = yield* Effect.gen(function* () {
        const cloud = yield* LocalElasticCloud.LocalElasticCloud
        yield* cloud.restart
        return cloud.url
      }).pipe(withCloud())
      const port = Number(new URL(url).port)
      const again = yield* Layer.build(LocalElasticCloud.layer({ port }))
      expect(again.unsafeMap.size).toBeGreaterThan(0)
    })
  )
})
