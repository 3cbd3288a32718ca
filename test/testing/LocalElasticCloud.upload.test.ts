import * as Fs from "node:fs/promises"
import * as Os from "node:os"
import * as Path from "node:path"
import { describe, expect, it } from "@effect/vitest"
import { Effect, Option } from "effect"
import { LocalElasticCloud } from "../../src/testing/LocalElasticCloud.ts"
import {
  type Answer,
  bigZip,
  codes,
  multipart,
  put,
  putMultipart,
  rawConnection,
  rawPutHead,
  seedBundle,
  sha256,
  withCloud,
  zip
} from "../support/testing/server.ts"

const stored = (id: string) =>
  Effect.flatMap(LocalElasticCloud, (cloud) => Effect.map(cloud.extension(id), Option.getOrThrow))

const isRefusedFile = (answer: Answer) => {
  expect([answer.status, codes(answer)]).toStrictEqual([400, ["extensions.request_execution_failed"]])
}

const isUntouched = (id: string) =>
  Effect.map(stored(id), ({ file, resourceVersion, uploads }) => {
    expect({ file, resourceVersion, uploads }).toStrictEqual({
      file: undefined,
      resourceVersion: 1,
      uploads: 0
    })
  })

const lastRequest = Effect.gen(function* () {
  const cloud = yield* LocalElasticCloud
  yield* cloud.settled
  const last = (yield* cloud.requests).at(-1)
  return last ?? (yield* Effect.dieMessage("nothing was recorded"))
})

/** Nothing of a refused or broken body stays on disk. */
const leavesNoFile = (dataDir: string) =>
  Effect.promise(() => Fs.readdir(`${dataDir}/incoming`)).pipe(
    Effect.tap((names) => expect(names).toStrictEqual([]))
  )

describe("a raw upload", () => {
  it.effect.each(["exact", "chunked"] as const)("with %s framing is stored and answered", (length) =>
    Effect.gen(function* () {
      const { id, lastModified } = yield* seedBundle
      const archive = yield* bigZip(3_000_000)
      const answer = yield* put(id, archive, { length })
      const extension = yield* stored(id)
      expect(answer.status).toBe(200)
      expect(answer.json()).toMatchObject({
        id,
        url: `repo://${id}`,
        file_metadata: {
          size: archive.length,
          last_modified_date: extension.lastModified,
          url: expect.stringMatching(
            /^http:\/\/127\.0\.0\.1:\d+\/files\/[0-9a-f]{32}\?signature=[0-9a-f]{64}$/
          )
        }
      })
      expect(answer.headers).toMatchObject({
        "x-cloud-resource-version": "2",
        "x-cloud-resource-last-modified": extension.lastModified
      })
      expect(extension.lastModified > lastModified).toBe(true)
      expect(extension).toMatchObject({ uploads: 1, resourceVersion: 2, file: { sha256: sha256(archive) } })
      const onDisk = yield* Effect.promise(() => Fs.readFile(extension.file?.path ?? ""))
      expect(onDisk.equals(archive)).toBe(true)
    }).pipe(withCloud())
  )

  it.effect("replaces the archive in place: same id and url, next version, old file gone", () =>
    Effect.gen(function* () {
      const { id } = yield* seedBundle
      yield* put(id, yield* zip({ a: "first" }))
      const before = yield* stored(id)
      const answer = yield* put(id, yield* zip({ a: "second" }))
      const after = yield* stored(id)
      expect(answer.json()).toMatchObject({ id, url: `repo://${id}` })
      expect(after.resourceVersion).toBe(before.resourceVersion + 1)
      expect(after.uploads).toBe(2)
      const old = yield* Effect.promise(() => Fs.stat(before.file?.path ?? "").catch(() => "gone"))
      expect(old).toBe("gone")
    }).pipe(withCloud())
  )

  it.effect("of anything but a ZIP is refused", () =>
    Effect.gen(function* () {
      const { id } = yield* seedBundle
      const archive = yield* zip({ a: "a" })
      for (const body of ["", "PK", "<html></html>", archive.subarray(0, archive.length - 1)]) {
        isRefusedFile(yield* put(id, body))
      }
      yield* isUntouched(id)
    }).pipe(withCloud())
  )

  it.effect.each(["application/octet-stream", "application/json", "multipart/form-data", ""])(
    "with the content type '%s' is refused",
    (contentType) =>
      Effect.gen(function* () {
        const { id } = yield* seedBundle
        const archive = yield* zip({ a: "a" })
        isRefusedFile(yield* put(id, archive, { headers: { "content-type": contentType } }))
        yield* isUntouched(id)
      }).pipe(withCloud())
  )

  it.effect.each(["exact", "chunked"] as const)("that is too long, %s, is 413", (length) =>
    Effect.gen(function* () {
      const { id } = yield* seedBundle
      const answer = yield* put(id, yield* bigZip(20_000), { length })
      expect([answer.status, codes(answer)]).toStrictEqual([413, ["root.request_too_large"]])
      yield* isUntouched(id)
    }).pipe(withCloud({ maxArchiveBytes: 10_000 }))
  )
})

describe("a multipart upload", () => {
  it.effect.each(["exact", "chunked"] as const)("with %s framing is stored without its wrapping", (length) =>
    Effect.gen(function* () {
      const { id } = yield* seedBundle
      const archive = yield* bigZip(1_000_000)
      const answer = yield* putMultipart(id, multipart("b-1", archive), "b-1", { length })
      expect(answer.json()).toMatchObject({ file_metadata: { size: archive.length } })
      expect((yield* stored(id)).file?.sha256).toBe(sha256(archive))
      expect((yield* lastRequest).contentFile).toStrictEqual({
        size: archive.length,
        sha256: sha256(archive),
        filename: "b.zip",
        contentType: "application/zip"
      })
    }).pipe(withCloud())
  )

  it.scopedLive("is found when its delimiters are split between packets", () =>
    Effect.gen(function* () {
      const { id } = yield* seedBundle
      const archive = yield* zip({ a: "a" })
      const body = multipart("xyz", archive)
      const connection = yield* rawConnection
      yield* connection.write(
        rawPutHead(id, {
          "Content-Type": "multipart/form-data; boundary=xyz",
          "Content-Length": body.length,
          Connection: "close"
        })
      )
      // In the middle of the opening delimiter, of the closing one, and between its last two dashes.
      const edges = [0, 3, body.length - 8, body.length - 3, body.length]
      for (const [index, start] of edges.slice(0, -1).entries()) {
        yield* connection.write(body.subarray(start, edges[index + 1]))
        yield* Effect.sleep("20 millis")
      }
      expect(yield* connection.untilClosed).toMatch(/^HTTP\/1\.1 200 /)
      expect((yield* stored(id)).file?.sha256).toBe(sha256(archive))
    }).pipe(withCloud())
  )

  it.effect(
    "without a part called file, with two, without an end, or with something else inside is refused",
    () =>
      Effect.gen(function* () {
        const { id } = yield* seedBundle
        const archive = yield* zip({ a: "a" })
        const good = multipart("xyz", archive)
        const twice = Buffer.concat([
          good.subarray(0, good.length - 4),
          Buffer.from("\r\n"),
          good.subarray(7)
        ])
        const bodies = [
          multipart("xyz", archive, { field: "archive" }),
          twice,
          good.subarray(0, good.length - 4),
          multipart("xyz", Buffer.from("no zip")),
          Buffer.from("--xyz--\r\n"),
          Buffer.from("no multipart at all")
        ]
        for (const body of bodies) isRefusedFile(yield* putMultipart(id, body, "xyz"))
        yield* isUntouched(id)
      }).pipe(withCloud())
  )
})

describe("a body that ends early", () => {
  const dataDir = Effect.acquireRelease(
    Effect.promise(() => Fs.mkdtemp(Path.join(Os.tmpdir(), "local-elastic-cloud-test-"))),
    (path) => Effect.promise(() => Fs.rm(path, { recursive: true }))
  )

  const truncated = (head: Readonly<Record<string, string | number>>, how: "end" | "destroy") =>
    Effect.gen(function* () {
      const folder = yield* dataDir
      yield* Effect.gen(function* () {
        const cloud = yield* LocalElasticCloud
        const { id } = yield* seedBundle
        const archive = yield* zip({ a: "a" })
        const chunk = `${archive.length.toString(16)}\r\n`
        const body = "Transfer-Encoding" in head ? Buffer.concat([Buffer.from(chunk), archive]) : archive
        const connection = yield* rawConnection
        // The whole archive arrives: only the framing says that more should have come.
        yield* connection.write(rawPutHead(id, head))
        yield* connection.write(body)
        yield* Effect.sleep("50 millis")
        yield* connection[how]
        if (how === "end") yield* connection.untilClosed
        yield* cloud.settled
        yield* isUntouched(id)
        const { bodyBytes, complete, status } = yield* lastRequest
        expect({ bodyBytes, complete, status }).toStrictEqual({
          bodyBytes: archive.length,
          complete: false,
          status: undefined
        })
        yield* leavesNoFile(folder)
      }).pipe(withCloud({ dataDir: folder }))
    })

  const raw = { "Content-Type": "application/zip" }

  it.scopedLive("is never applied: content length, connection reset", () =>
    truncated({ ...raw, "Content-Length": 100_000 }, "destroy")
  )
  it.scopedLive("is never applied: content length, half closed", () =>
    truncated({ ...raw, "Content-Length": 100_000 }, "end")
  )
  it.scopedLive("is never applied: chunked, connection reset", () =>
    truncated({ ...raw, "Transfer-Encoding": "chunked" }, "destroy")
  )
})

describe("Expect: 100-continue", () => {
  const accounts = [
    { apiKey: "local-key", owner: "local" },
    { apiKey: "other-key", owner: "other" }
  ]

  it.effect("is answered before the body of an upload that may be sent", () =>
    Effect.gen(function* () {
      const { id } = yield* seedBundle
      const archive = yield* bigZip(100_000)
      const answer = yield* put(id, archive, { expect: true })
      expect([answer.interim, answer.status]).toStrictEqual([[100], 200])
      expect((yield* lastRequest).bodyBytes).toBe(archive.length)
    }).pipe(withCloud())
  )

  it.effect.each<readonly [number, string, object]>([
    [401, "without a key", { key: "" }],
    [401, "for a stranger", { key: "other-key" }],
    [404, "for a missing extension", { path: "/api/v1/deployments/extensions/1" }],
    [404, "for an unknown path", { path: "/nowhere" }],
    [405, "for a wrong method", { method: "PATCH" }],
    [400, "for a wrong content type", { headers: { "content-type": "text/plain" } }],
    [413, "for a body that is too long", { headers: { "content-length": 1_000_001 } }]
  ])("costs no body byte when the answer is %d, %s", ([status, , options]) =>
    Effect.gen(function* () {
      const { id } = yield* seedBundle
      const answer = yield* put(id, yield* bigZip(500_000), { expect: true, ...options })
      expect([answer.interim, answer.status]).toStrictEqual([[], status])
      expect(answer.headers.connection).toBe("close")
      const { bodyBytes, complete } = yield* lastRequest
      expect([bodyBytes, complete]).toStrictEqual([0, false])
    }).pipe(withCloud({ accounts, maxArchiveBytes: 1_000_000 }))
  )

  it.effect("for anything else is 417", () =>
    Effect.gen(function* () {
      const { id } = yield* seedBundle
      const answer = yield* put(id, yield* zip({ a: "a" }), { headers: { expect: "a miracle" } })
      expect(answer.status).toBe(417)
      yield* isUntouched(id)
    }).pipe(withCloud())
  )

  it.effect(
    "a client that sends at once and is refused still reads its answer, and its bytes are counted",
    () =>
      Effect.gen(function* () {
        const { id } = yield* seedBundle
        const archive = yield* bigZip(3_000_000)
        const answer = yield* put(id, archive, { key: "wrong" })
        expect(answer.status).toBe(401)
        expect((yield* lastRequest).bodyBytes).toBeGreaterThan(0)
      }).pipe(withCloud())
  )
})
