import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { LocalElasticCloud } from "../../src/testing/LocalElasticCloud.ts"
import {
  append,
  begin,
  create,
  problemOf,
  retrieve,
  stored,
  withResumable
} from "../support/testing/resumable.ts"
import { type Answer, bigZip, seedBundle } from "../support/testing/server.ts"

const LIMITS = { maxSize: 1000, minSize: 10, maxAppendSize: 100, minAppendSize: 5 }
const ANNOUNCED = "max-size=1000, min-size=10, max-append-size=100, min-append-size=5"

const isRefused = (answer: Answer, status: number) => {
  expect([answer.status, answer.headers["upload-complete"]]).toStrictEqual([status, "?0"])
  expect(answer.headers["upload-limit"]).toBe(ANNOUNCED)
  expect(problemOf(answer)).toHaveProperty("detail", expect.stringMatching(/(larger|smaller) than \d+ bytes/))
}

describe("limits", () => {
  it.effect("are told wherever an upload is spoken of", () =>
    Effect.gen(function* () {
      const { id } = yield* seedBundle
      const created = yield* create(id, "12345", { complete: false, uploadLength: 20 })
      const path = created.headers.location ?? ""
      const appended = yield* append(path, 5, "12345", { complete: false })
      const told = [
        created.information[0]?.headers["upload-limit"],
        ...[created, appended, yield* retrieve(path)].map(({ headers }) => headers["upload-limit"])
      ]
      expect(told).toStrictEqual(Array(4).fill(ANNOUNCED))
    }).pipe(withResumable({ limits: LIMITS }))
  )

  describe("refuse a creation before its content is read,", () => {
    it.effect.each([
      ["max-size: by its length", 50, { complete: false, uploadLength: 1001 }, 413],
      ["max-append-size: of the whole", 101, { complete: true }, 413],
      ["max-append-size: of a part", 101, { complete: false, uploadLength: 500 }, 413],
      ["min-size: by its length", 9, { complete: false, uploadLength: 9 }, 400],
      ["min-size: by a length unknown", 50, { complete: false }, 400],
      ["min-append-size: of a part", 4, { complete: false, uploadLength: 500 }, 400]
    ] as const)("%s", ([, bytes, options, status]) =>
      Effect.gen(function* () {
        const { id } = yield* seedBundle
        const answer = yield* create(id, Buffer.alloc(bytes), { expect: true, ...options })
        isRefused(answer, status)
        expect(answer.interim).toStrictEqual([])
        const cloud = yield* LocalElasticCloud
        expect(yield* cloud.uploads).toStrictEqual([])
        expect((yield* cloud.requests)[0]?.bodyBytes).toBe(0)
      }).pipe(withResumable({ limits: LIMITS }))
    )
  })

  describe("refuse an append before its content is read,", () => {
    it.effect.each([
      ["max-append-size", 101, false, 413],
      ["min-append-size", 4, false, 400],
      ["min-append-size of nothing", 0, false, 400]
    ] as const)("%s", ([, bytes, complete, status]) =>
      Effect.gen(function* () {
        const { id } = yield* seedBundle
        const path = yield* begin(id, "", { uploadLength: 200 })
        isRefused(yield* append(path, 0, Buffer.alloc(bytes), { expect: true, complete }), status)
        expect((yield* retrieve(path)).headers["upload-offset"]).toBe("0")
      }).pipe(withResumable({ limits: LIMITS }))
    )
  })

  it.effect("let a creation be empty and the last append be small", () =>
    Effect.gen(function* () {
      const { id } = yield* seedBundle
      const path = yield* begin(id, "", { uploadLength: 12 })
      expect((yield* append(path, 0, "123456789", { complete: false })).status).toBe(204)
      const last = yield* append(path, 9, "012")
      expect([last.status, last.headers["upload-complete"]]).toStrictEqual([400, "?1"])
    }).pipe(withResumable({ limits: LIMITS }))
  )

  it.effect("leave what is too small to be resumed an ordinary upload", () =>
    Effect.gen(function* () {
      const { id } = yield* seedBundle
      const answer = yield* create(id, yield* bigZip(100))
      expect([answer.status, answer.interim]).toStrictEqual([200, []])
      expect((yield* stored(id)).uploads).toBe(1)
      const cloud = yield* LocalElasticCloud
      expect(yield* cloud.uploads).toStrictEqual([])
    }).pipe(withResumable({ limits: { minSize: 10_000 } }))
  )

  describe("are kept by content of unknown length as well:", () => {
    it.effect("max-append-size refuses the rest", () =>
      Effect.gen(function* () {
        const { id } = yield* seedBundle
        const path = yield* begin(id, "", { uploadLength: 200 })
        isRefused(yield* append(path, 0, Buffer.alloc(101), { length: "chunked", complete: false }), 413)
        expect((yield* retrieve(path)).status).toBe(204)
      }).pipe(withResumable({ limits: LIMITS }))
    )

    it.effect.each([
      ["max-size", { limits: { maxSize: 100 } }, {}],
      ["what the service takes", {}, { maxArchiveBytes: 100 }]
    ] as const)("%s makes the upload invalid", ([, resumable, options]) =>
      Effect.gen(function* () {
        const { id } = yield* seedBundle
        const path = yield* begin(id, Buffer.alloc(60))
        const answer = yield* append(path, 60, Buffer.alloc(41), { length: "chunked", complete: false })
        expect([answer.status, answer.headers["upload-complete"]]).toStrictEqual([413, "?0"])
        expect((yield* retrieve(path)).status).toBe(404)
      }).pipe(withResumable(resumable, options))
    )
  })
})

describe("max-age", () => {
  it.live("counts down, and puts an end to an upload", () =>
    Effect.gen(function* () {
      const { id } = yield* seedBundle
      const path = yield* begin(id, "1234")
      expect((yield* retrieve(path)).headers["upload-limit"]).toMatch(/^max-age=[01]$/)
      yield* Effect.sleep("1100 millis")
      expect((yield* retrieve(path)).status).toBe(404)
      expect((yield* append(path, 4, "5")).status).toBe(404)
      const cloud = yield* LocalElasticCloud
      expect(yield* cloud.uploads).toMatchObject([{ offset: 4, expired: true }])
    }).pipe(withResumable({ limits: { maxAgeSeconds: 1 } }))
  )
})
