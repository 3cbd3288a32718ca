/**
 * What the iterations of the draft disagree on: 6 is draft -05, 7 is -06 to -08, 8 is -09 to -11, 9 is -12, 10 is -13.
 */
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { LocalElasticCloud } from "../../src/testing/LocalElasticCloud.ts"
import {
  append as appendIn8,
  begin as beginIn8,
  cancel,
  create,
  locationOf,
  problemOf,
  stored,
  withResumable
} from "../support/testing/resumable.ts"
import { ask, bigZip, pathOf, seedBundle, sha256 } from "../support/testing/server.ts"

const versions = [6, 7, 8, 9, 10] as const
const later = [7, 8, 9, 10] as const

/** The same requests in another version. */
const speaking = (version: number) => {
  const headers = { "upload-draft-interop-version": version }
  return {
    headers,
    begin: (id: string, body: Uint8Array | string = "", options = {}) =>
      beginIn8(id, body, { version, ...options }),
    append: (
      path: string,
      offset: number,
      body: Uint8Array | string,
      options: Parameters<typeof appendIn8>[3] = {}
    ) => appendIn8(path, offset, body, { ...options, headers: { ...headers, ...options.headers } })
  }
}

describe("every version", () => {
  it.effect.each(versions)("%i uploads in parts", (version) =>
    Effect.gen(function* () {
      const { append, begin, headers } = speaking(version)
      const { id } = yield* seedBundle
      const archive = yield* bigZip(30_000)
      const path = yield* begin(id, archive.subarray(0, 10_000), { uploadLength: archive.length })
      const middle = yield* append(path, 10_000, archive.subarray(10_000, 20_000), { complete: false })
      expect([middle.status, middle.headers["upload-complete"]]).toStrictEqual([
        version === 6 ? 201 : 204,
        "?0"
      ])
      const head = yield* ask({ method: "HEAD", path, headers })
      expect(head.headers).toMatchObject({
        "upload-offset": "20000",
        "upload-complete": "?0",
        "upload-length": String(archive.length),
        "cache-control": "no-store"
      })
      const last = yield* append(path, 20_000, archive.subarray(20_000))
      expect([last.status, last.headers["upload-complete"]]).toStrictEqual([200, "?1"])
      expect((yield* stored(id)).file?.sha256).toBe(sha256(archive))
    }).pipe(withResumable())
  )

  it.effect.each(versions)("%i is announced under its own number, and no other is", (version) =>
    Effect.gen(function* () {
      const { id } = yield* seedBundle
      const numbers = yield* Effect.forEach([5, ...versions, 11], (asked) =>
        Effect.map(create(id, "", { complete: false, version: asked }), ({ information }) =>
          information.map(({ headers }) => headers["upload-draft-interop-version"])
        )
      )
      expect(numbers.flat()).toStrictEqual([String(version)])
    }).pipe(withResumable({ interopVersions: [version] }))
  )

  it.effect.each(versions)("%i refuses the wrong offset with 409, and says the right one", (version) =>
    Effect.gen(function* () {
      const { append, begin } = speaking(version)
      const { id } = yield* seedBundle
      const path = yield* begin(id, "12345")
      const answer = yield* append(path, 3, "45")
      expect(answer.status).toBe(409)
      expect(answer.headers).toMatchObject({ "upload-offset": "5", "upload-complete": "?0" })
    }).pipe(withResumable())
  )

  it.effect.each(versions)("%i names all limits where one was the reason to refuse", (version) =>
    Effect.gen(function* () {
      const { append, begin } = speaking(version)
      const { id } = yield* seedBundle
      const all =
        `max-size=1000, min-size=1, max-append-size=100, min-append-size=10, ` +
        `${version === 6 ? "expires" : "max-age"}=`
      const tooLarge = yield* create(id, "", { complete: false, version, uploadLength: 1001 })
      const path = yield* begin(id, "", { uploadLength: 1000 })
      const tooMuch = yield* append(path, 0, Buffer.alloc(101), { complete: false })
      const tooLittle = yield* append(path, 0, "1", { complete: false })
      expect([tooLarge, tooMuch, tooLittle].map(({ status }) => status)).toStrictEqual([413, 413, 400])
      for (const { headers } of [tooLarge, tooMuch, tooLittle]) {
        expect(headers["upload-complete"]).toBe("?0")
        expect(headers["upload-limit"]).toContain(all)
      }
    }).pipe(
      withResumable({
        limits: { maxSize: 1000, minSize: 1, maxAppendSize: 100, minAppendSize: 10, maxAgeSeconds: 3600 }
      })
    )
  )

  it.effect("names as limit of the size what the extension takes, when that is what was exceeded", () =>
    Effect.gen(function* () {
      const { append, begin } = speaking(9)
      const { id } = yield* seedBundle
      const path = yield* begin(id)
      const answer = yield* append(path, 0, Buffer.alloc(101), { complete: false })
      expect([answer.status, answer.headers["upload-limit"]]).toStrictEqual([413, "max-size=100"])
    }).pipe(withResumable({}, { maxArchiveBytes: 100 }))
  )
})

describe("OPTIONS", () => {
  it.effect.each([
    [6, undefined],
    [7, undefined],
    [8, "application/partial-upload"],
    [9, undefined],
    [10, undefined]
  ] as const)("in %i tells the limits, and as media type of an append %s", ([version, acceptPatch]) =>
    Effect.gen(function* () {
      const { headers } = speaking(version)
      const { id } = yield* seedBundle
      const answer = yield* ask({ method: "OPTIONS", path: pathOf(id), headers })
      expect(answer.headers["upload-limit"]).toBe("min-size=0")
      expect(answer.headers["accept-patch"]).toBe(acceptPatch)
    }).pipe(withResumable())
  )
})

describe("the final answer", () => {
  it.effect("of 6 tells the offset of the whole, and when it ends the creation, the address", () =>
    Effect.gen(function* () {
      const { append, begin } = speaking(6)
      const { id } = yield* seedBundle
      const archive = yield* bigZip(20_000)
      const creation = yield* create(id, archive, { version: 6 })
      expect([creation.status, creation.headers["upload-offset"]]).toStrictEqual([
        200,
        String(archive.length)
      ])
      expect(creation.headers.location).toBe(creation.information[0]?.headers["location"])
      const path = yield* begin(id, archive.subarray(0, 10_000))
      const last = yield* append(path, 10_000, archive.subarray(10_000))
      expect([last.status, last.headers["upload-offset"]]).toStrictEqual([200, String(archive.length)])
    }).pipe(withResumable())
  )

  it.effect("of 6 tells it of a refusal by the extension, too", () =>
    Effect.gen(function* () {
      const { id } = yield* seedBundle
      const answer = yield* create(id, "no archive", { version: 6 })
      expect(answer.status).toBe(400)
      expect(answer.headers).toMatchObject({ "upload-offset": "10", "upload-complete": "?1" })
      expect(locationOf(answer)).toMatch(/^\/uploads\//)
    }).pipe(withResumable())
  )

  it.effect.each(later)("of %i is the extension's alone", (version) =>
    Effect.gen(function* () {
      const { id } = yield* seedBundle
      const answer = yield* create(id, yield* bigZip(1000), { version })
      expect([answer.status, answer.headers["upload-complete"]]).toStrictEqual([200, "?1"])
      expect(answer.headers).not.toHaveProperty("upload-offset")
      expect(answer.headers).not.toHaveProperty("location")
    }).pipe(withResumable())
  )
})

describe("a completed upload", () => {
  it.effect.each([
    [6, 400],
    [7, 400],
    [8, 200],
    [9, 200],
    [10, 200]
  ] as const)("that is appended nothing in %i answers %i", ([version, status]) =>
    Effect.gen(function* () {
      const { append, begin } = speaking(version)
      const { id } = yield* seedBundle
      const archive = yield* bigZip(1000)
      const path = yield* begin(id, archive)
      expect((yield* append(path, archive.length, "")).status).toBe(200)
      const again = yield* append(path, archive.length, "")
      expect(again.status).toBe(status)
      if (status === 400) {
        expect(problemOf(again)).toMatchObject({
          type: "https://iana.org/assignments/http-problem-types#completed-upload"
        })
      }
      expect((yield* stored(id)).uploads).toBe(1)
    }).pipe(withResumable())
  )
})

describe("content beyond the length", () => {
  it.effect("is cut off in 6, and the upload goes on", () =>
    Effect.gen(function* () {
      const { append, begin, headers } = speaking(6)
      const { id } = yield* seedBundle
      const archive = yield* bigZip(1000)
      const path = yield* begin(id, "", { uploadLength: archive.length })
      const excess = Buffer.concat([archive, Buffer.from("and more")])
      const refused = yield* append(path, 0, excess, { complete: false, length: "chunked" })
      expect([refused.status, refused.headers["upload-offset"]]).toStrictEqual([400, String(archive.length)])
      const head = yield* ask({ method: "HEAD", path, headers })
      expect(head.headers["upload-offset"]).toBe(String(archive.length))
      expect((yield* append(path, archive.length, "")).status).toBe(200)
      expect((yield* stored(id)).file?.sha256).toBe(sha256(archive))
    }).pipe(withResumable())
  )

  it.effect.each(later)("ends the upload in %i", (version) =>
    Effect.gen(function* () {
      const { append, begin, headers } = speaking(version)
      const { id } = yield* seedBundle
      const path = yield* begin(id, "", { uploadLength: 5 })
      const refused = yield* append(path, 0, "123456", { complete: false, length: "chunked" })
      expect(refused.status).toBe(400)
      expect((yield* ask({ method: "HEAD", path, headers })).status).toBe(404)
    }).pipe(withResumable())
  )
})

describe("fields where they have no meaning", () => {
  it.effect.each([
    [6, 400],
    [7, 204],
    [8, 204],
    [9, 204],
    [10, 204]
  ] as const)("on HEAD and DELETE are answered in %i with %i", ([version, status]) =>
    Effect.gen(function* () {
      const { begin, headers } = speaking(version)
      const cloud = yield* LocalElasticCloud
      const { id } = yield* seedBundle
      const path = yield* begin(id)
      const fields = [{ "upload-offset": 0 }, { "upload-complete": "?0" }]
      for (const field of [...fields, { "upload-length": 5 }]) {
        const answer = yield* ask({ method: "HEAD", path, headers: { ...headers, ...field } })
        expect(answer.status).toBe(status)
      }
      for (const field of fields) {
        const path = yield* begin(id)
        expect((yield* cancel(path, { headers: { ...headers, ...field } })).status).toBe(status)
      }
      expect(yield* cloud.uploads).toHaveLength(status === 400 ? 3 : 1)
    }).pipe(withResumable())
  )
})

describe("an answer to a request that failed", () => {
  it.effect("tells in 6 where the upload stands, whatever was wrong", () =>
    Effect.gen(function* () {
      const { append, begin } = speaking(6)
      const { id } = yield* seedBundle
      const path = yield* begin(id, "12345")
      const failures = [
        yield* append(path, 5, "6", { headers: { "content-type": "application/octet-stream" } }),
        yield* append(path, 5, "6", { headers: { "upload-complete": "maybe" } }),
        yield* append(path, 5, "6", { uploadLength: 3 })
      ]
      expect(failures.map(({ headers, status }) => [status, headers["upload-offset"]])).toStrictEqual([
        [415, "5"],
        [400, "5"],
        [400, "5"]
      ])
    }).pipe(withResumable())
  )
})
