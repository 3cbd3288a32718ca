import * as Fs from "node:fs/promises"
import * as Os from "node:os"
import * as Path from "node:path"
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { LocalElasticCloud } from "../../src/testing/LocalElasticCloud.ts"
import {
  append,
  begin,
  creationUnderWay,
  offsetOf,
  problemOf,
  retrieve,
  stored,
  withResumable
} from "../support/testing/resumable.ts"
import { bigZip, multipart, seedBundle, sha256 } from "../support/testing/server.ts"

const dataFolder = Effect.acquireRelease(
  Effect.promise(() => Fs.mkdtemp(Path.join(Os.tmpdir(), "local-elastic-cloud-test-"))),
  (path) => Effect.promise(() => Fs.rm(path, { recursive: true }))
)

describe("a restart", () => {
  it.scopedLive("ends transfers and keeps what they brought", () =>
    Effect.gen(function* () {
      const cloud = yield* LocalElasticCloud
      const { id } = yield* seedBundle
      const archive = yield* bigZip(1_000_000)
      const { connection, path } = yield* creationUnderWay(id, archive, 123_456)
      yield* cloud.restart
      yield* connection.untilClosed
      expect((yield* retrieve(path)).headers).toMatchObject({
        "upload-offset": "123456",
        "upload-length": String(archive.length)
      })
      expect((yield* append(path, 123_456, archive.subarray(123_456))).status).toBe(200)
      expect(yield* stored(id)).toMatchObject({ uploads: 1, file: { sha256: sha256(archive) } })
    }).pipe(withResumable())
  )
})

describe("a data folder", () => {
  it.scoped("lets a new stand-in carry on with all that makes an upload", () =>
    Effect.gen(function* () {
      const dataDir = yield* dataFolder
      const archive = yield* bigZip(10_000)
      const body = multipart("b", archive)
      const { complete, half, id } = yield* Effect.gen(function* () {
        const extension = yield* seedBundle
        const headers = { "content-type": "multipart/form-data; boundary=b" }
        const finished = yield* begin(extension.id, archive)
        yield* append(finished, archive.length, "")
        return {
          id: extension.id,
          complete: finished,
          half: yield* begin(extension.id, body.subarray(0, 100), { headers, uploadLength: body.length })
        }
      }).pipe(withResumable({}, { dataDir }))
      yield* Effect.gen(function* () {
        const again = yield* append(complete, archive.length, "")
        expect([again.status, again.headers["x-cloud-resource-version"]]).toStrictEqual([200, "2"])
        expect((yield* retrieve(half)).headers).toMatchObject({
          "upload-offset": "100",
          "upload-length": String(body.length)
        })
        expect((yield* append(half, 100, body.subarray(100))).status).toBe(200)
        expect(yield* stored(id)).toMatchObject({ uploads: 2, file: { sha256: sha256(archive) } })
      }).pipe(withResumable({}, { dataDir }))
    })
  )

  it.scoped("is swept of what is no upload, and of content that is no longer needed", () =>
    Effect.gen(function* () {
      const dataDir = yield* dataFolder
      const folder = Path.join(dataDir, "uploads")
      const { kept, lost } = yield* Effect.gen(function* () {
        const { id } = yield* seedBundle
        const archive = yield* bigZip(1000)
        const complete = yield* begin(id, archive)
        yield* append(complete, archive.length, "")
        return { kept: complete, lost: yield* begin(id, "1234") }
      }).pipe(withResumable({}, { dataDir }))
      const token = Path.basename(kept)
      yield* Effect.promise(async () => {
        await Fs.rm(Path.join(folder, `${Path.basename(lost)}.part`))
        for (const name of ["a.part", "b.json", `${token}.json.x`, `${token}.part`]) {
          await Fs.writeFile(Path.join(folder, name), "{}")
        }
      })
      yield* Effect.gen(function* () {
        expect((yield* retrieve(lost)).status).toBe(404)
        expect((yield* retrieve(kept)).status).toBe(204)
      }).pipe(withResumable({}, { dataDir }))
      expect(yield* Effect.promise(() => Fs.readdir(folder))).toStrictEqual([`${token}.json`])
    })
  )
})

it.scoped("content that disappears takes its upload with it", () =>
  Effect.gen(function* () {
    const dataDir = yield* dataFolder
    yield* Effect.gen(function* () {
      const { id } = yield* seedBundle
      const path = yield* begin(id, "1234")
      yield* Effect.promise(() => Fs.rm(Path.join(dataDir, "uploads", `${Path.basename(path)}.part`)))
      expect((yield* retrieve(path)).status).toBe(404)
    }).pipe(withResumable({}, { dataDir }))
  })
)

describe("a server that fails its clients", () => {
  it.scopedLive("forgets an upload, whatever is being sent to it", () =>
    Effect.gen(function* () {
      const cloud = yield* LocalElasticCloud
      const { id } = yield* seedBundle
      const { connection, path } = yield* creationUnderWay(id, yield* bigZip(10_000), 5)
      yield* cloud.forgetUpload(`${cloud.url}${path}`)
      yield* connection.untilClosed
      expect((yield* retrieve(path)).status).toBe(404)
      expect(yield* cloud.uploads).toStrictEqual([])
    }).pipe(withResumable())
  )

  it.effect.each([
    ["loses bytes", 2],
    ["has more than it was sent", 7]
  ] as const)("%s", ([, offset]) =>
    Effect.gen(function* () {
      const cloud = yield* LocalElasticCloud
      const { id } = yield* seedBundle
      const path = yield* begin(id, "1234")
      yield* cloud.setUploadOffset(path, offset)
      expect(yield* offsetOf(path)).toBe(offset)
      const answer = yield* append(path, 4, "5", { complete: false })
      expect(problemOf(answer)).toMatchObject({ "expected-offset": offset })
      expect((yield* append(path, offset, "5", { complete: false })).status).toBe(204)
    }).pipe(withResumable())
  )

  it.effect("cannot move what is complete, or not there", () =>
    Effect.gen(function* () {
      const cloud = yield* LocalElasticCloud
      const { id } = yield* seedBundle
      const path = yield* begin(id, "1234")
      yield* append(path, 4, "")
      yield* cloud.setUploadOffset(path, 1)
      yield* cloud.setUploadOffset("unknown", 1)
      expect(yield* offsetOf(path)).toBe(4)
    }).pipe(withResumable())
  )
})
