import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Fault from "../../src/testing/Fault.ts"
import { LocalElasticCloud } from "../../src/testing/LocalElasticCloud.ts"
import {
  append,
  begin,
  cancel,
  create,
  offsetOf,
  problemOf,
  retrieve,
  stored,
  withResumable
} from "../support/testing/resumable.ts"
import { ask, bigZip, codes, pathOf, seedBundle, sha256 } from "../support/testing/server.ts"

const PROBLEMS = "https://iana.org/assignments/http-problem-types"

describe("offset retrieval", () => {
  it.effect.each([
    ["HEAD", 5, undefined],
    ["HEAD", 5, 9],
    ["GET", 0, undefined]
  ] as const)("by %s of %i bytes, of %s announced", ([method, bytes, uploadLength]) =>
    Effect.gen(function* () {
      const { id } = yield* seedBundle
      const length = uploadLength === undefined ? {} : { uploadLength }
      const path = yield* begin(id, Buffer.alloc(bytes), length)
      const answer = yield* retrieve(path, { method })
      expect([answer.status, answer.text]).toStrictEqual([204, ""])
      expect(answer.headers).toMatchObject({
        "upload-offset": String(bytes),
        "upload-complete": "?0",
        "upload-limit": "min-size=0",
        "cache-control": "no-store"
      })
      expect(answer.headers["upload-length"]).toBe(uploadLength?.toString())
    }).pipe(withResumable())
  )

  it.effect("of a complete upload says so", () =>
    Effect.gen(function* () {
      const { id } = yield* seedBundle
      const archive = yield* bigZip(1000)
      const path = yield* begin(id, archive)
      yield* append(path, archive.length, "")
      expect((yield* retrieve(path)).headers).toMatchObject({
        "upload-offset": String(archive.length),
        "upload-length": String(archive.length),
        "upload-complete": "?1"
      })
    }).pipe(withResumable())
  )
})

describe("append", () => {
  it.effect.each(["exact", "chunked"] as const)("in parts, framed %s, makes one archive", (length) =>
    Effect.gen(function* () {
      const { id } = yield* seedBundle
      const archive = yield* bigZip(100_000)
      const path = yield* begin(id, archive.subarray(0, 10))
      const part = yield* append(path, 10, archive.subarray(10, 50_000), { length, complete: false })
      expect([part.status, part.text]).toStrictEqual([204, ""])
      expect(part.headers).toMatchObject({ "upload-complete": "?0", "upload-offset": "50000" })
      const answer = yield* append(path, 50_000, archive.subarray(50_000), { length })
      expect([answer.status, answer.headers["upload-complete"]]).toStrictEqual([200, "?1"])
      expect(answer.json()).toMatchObject({ id, file_metadata: { size: archive.length } })
      expect(yield* stored(id)).toMatchObject({ uploads: 1, file: { sha256: sha256(archive) } })
    }).pipe(withResumable())
  )

  it.effect("of nothing completes what is whole, and only because it is asked to", () =>
    Effect.gen(function* () {
      const { id } = yield* seedBundle
      const archive = yield* bigZip(1000)
      const path = yield* begin(id, archive, { uploadLength: archive.length })
      expect((yield* append(path, archive.length, "", { complete: false })).status).toBe(204)
      expect((yield* stored(id)).uploads).toBe(0)
      expect((yield* append(path, archive.length, "")).status).toBe(200)
      expect((yield* stored(id)).uploads).toBe(1)
    }).pipe(withResumable())
  )

  it.effect("is told its progress, without the address", () =>
    Effect.gen(function* () {
      const { id } = yield* seedBundle
      const archive = yield* bigZip(1_000_000)
      const answer = yield* append(yield* begin(id), 0, archive)
      expect(answer.interim.length).toBeGreaterThanOrEqual(3)
      for (const { headers } of answer.information) {
        expect(Object.keys(headers)).toStrictEqual(["upload-draft-interop-version", "upload-offset"])
      }
    }).pipe(withResumable({ progressEveryBytes: 200_000 }))
  )

  it.effect("waits with 100 until it is sure", () =>
    Effect.gen(function* () {
      const { id } = yield* seedBundle
      const path = yield* begin(id)
      const refused = yield* append(path, 5, "12345", { expect: true })
      expect([refused.status, refused.interim]).toStrictEqual([409, []])
      const taken = yield* append(path, 0, "12345", { expect: true, complete: false })
      expect([taken.status, taken.interim]).toStrictEqual([204, [100]])
      const cloud = yield* LocalElasticCloud
      expect((yield* cloud.requests).map(({ bodyBytes }) => bodyBytes)).toStrictEqual([0, 0, 5])
    }).pipe(withResumable())
  )

  it.effect("that ends in an answer of the extension keeps it for good", () =>
    Effect.gen(function* () {
      const { id } = yield* seedBundle
      const path = yield* begin(id, "not ")
      const answer = yield* append(path, 4, "a ZIP")
      expect([answer.status, codes(answer)]).toStrictEqual([400, ["extensions.request_execution_failed"]])
      expect(answer.headers["upload-complete"]).toBe("?1")
      expect((yield* retrieve(path)).headers["upload-complete"]).toBe("?1")
      expect((yield* append(path, 9, "")).text).toBe(answer.text)
    }).pipe(withResumable())
  )

  it.effect("to an extension that is gone by then is refused by it", () =>
    Effect.gen(function* () {
      const { id } = yield* seedBundle
      const archive = yield* bigZip(1000)
      const path = yield* begin(id, archive)
      yield* ask({ method: "DELETE", path: pathOf(id) })
      const answer = yield* append(path, archive.length, "")
      expect([answer.status, codes(answer)]).toStrictEqual([404, ["extensions.not_found"]])
      expect(answer.headers["upload-complete"]).toBe("?1")
    }).pipe(withResumable())
  )
})

describe("an append is refused, and changes nothing,", () => {
  it.effect.each([
    ["of another media type", { "content-type": "application/zip" }, 415, undefined],
    ["without an offset", { "upload-offset": "" }, 400, undefined],
    ["with an offset that is a Decimal", { "upload-offset": "4.0" }, 400, undefined],
    ["with a negative offset", { "upload-offset": "-4" }, 400, undefined],
    ["without Upload-Complete", { "upload-complete": "" }, 400, undefined],
    ["with Upload-Complete of another type", { "upload-complete": "true" }, 400, undefined],
    ["at an offset behind", { "upload-offset": "3" }, 409, "mismatching-upload-offset"],
    ["at an offset ahead", { "upload-offset": "5" }, 409, "mismatching-upload-offset"],
    ["of another length than before", { "upload-length": "21" }, 400, "inconsistent-upload-length"],
    ["that completes too early", { "upload-complete": "?1" }, 400, "inconsistent-upload-length"]
  ] as const)("%s", ([, headers, status, type]) =>
    Effect.gen(function* () {
      const { id } = yield* seedBundle
      const path = yield* begin(id, "1234", { uploadLength: 20 })
      const answer = yield* append(path, 4, "5678", { complete: false, headers })
      expect([answer.status, answer.headers["upload-complete"]]).toStrictEqual([status, "?0"])
      const problem = problemOf(answer)
      if (type === undefined) expect(problem).not.toHaveProperty("type")
      else expect(problem).toHaveProperty("type", `${PROBLEMS}#${type}`)
      expect((yield* retrieve(path)).headers).toMatchObject({ "upload-offset": "4", "upload-length": "20" })
    }).pipe(withResumable())
  )

  it.effect("with both offsets, if they differ", () =>
    Effect.gen(function* () {
      const { id } = yield* seedBundle
      const answer = yield* append(yield* begin(id, "1234"), 7, "")
      expect(answer.headers["upload-offset"]).toBe("4")
      expect(problemOf(answer)).toMatchObject({ "expected-offset": 4, "provided-offset": 7 })
    }).pipe(withResumable())
  )

  it.effect("with a length that is already exceeded", () =>
    Effect.gen(function* () {
      const { id } = yield* seedBundle
      const path = yield* begin(id, "1234")
      const answer = yield* append(path, 4, "", { complete: false, uploadLength: 3 })
      expect(answer.status).toBe(400)
      expect(problemOf(answer)).toHaveProperty("type", `${PROBLEMS}#inconsistent-upload-length`)
      expect((yield* retrieve(path)).headers).not.toHaveProperty("upload-length")
    }).pipe(withResumable())
  )

  it.effect("if its content of unknown length ends too early to complete the upload", () =>
    Effect.gen(function* () {
      const { id } = yield* seedBundle
      const path = yield* begin(id, "", { uploadLength: 20 })
      const answer = yield* append(path, 0, "1234", { length: "chunked" })
      expect(problemOf(answer)).toHaveProperty("type", `${PROBLEMS}#inconsistent-upload-length`)
      expect(answer.status).toBe(400)
      // What was received is a part of the representation all the same.
      expect((yield* retrieve(path)).headers).toMatchObject({
        "upload-offset": "4",
        "upload-complete": "?0"
      })
    }).pipe(withResumable())
  )
})

it.effect("a creation with two lengths is refused", () =>
  Effect.gen(function* () {
    const { id } = yield* seedBundle
    const answer = yield* create(id, "1234", { uploadLength: 5 })
    expect([answer.status, answer.headers["upload-complete"]]).toStrictEqual([400, "?0"])
    expect(problemOf(answer)).toHaveProperty("type", `${PROBLEMS}#inconsistent-upload-length`)
    const cloud = yield* LocalElasticCloud
    expect(yield* cloud.uploads).toStrictEqual([])
  }).pipe(withResumable())
)

describe("content beyond the length makes an upload invalid", () => {
  it.effect.each(["exact", "chunked"] as const)("in an append framed %s", (length) =>
    Effect.gen(function* () {
      const { id } = yield* seedBundle
      const path = yield* begin(id, "1234", { uploadLength: 6 })
      const answer = yield* append(path, 4, "567", { length, complete: false })
      expect(answer.status).toBe(400)
      expect(problemOf(answer)).toHaveProperty("type", `${PROBLEMS}#inconsistent-upload-length`)
      expect((yield* retrieve(path)).status).toBe(404)
    }).pipe(withResumable())
  )

  it.effect("at its creation", () =>
    Effect.gen(function* () {
      const { id } = yield* seedBundle
      const answer = yield* create(id, "1234567", { uploadLength: 6, complete: false })
      expect(answer.status).toBe(400)
      const location = answer.information[0]?.headers["location"] ?? ""
      expect((yield* retrieve(location)).status).toBe(404)
    }).pipe(withResumable())
  )
})

describe("a complete upload", () => {
  const completed = Effect.gen(function* () {
    const { id } = yield* seedBundle
    const archive = yield* bigZip(1000)
    const path = yield* begin(id, archive)
    const answer = yield* append(path, archive.length, "")
    return { id, path, answer, length: archive.length }
  })

  it.effect("gives its answer again, and does nothing again", () =>
    Effect.gen(function* () {
      const { answer, id, length, path } = yield* completed
      const again = yield* append(path, length, "")
      expect([again.status, again.text]).toStrictEqual([200, answer.text])
      expect(again.headers).toMatchObject({ "upload-complete": "?1", "x-cloud-resource-version": "2" })
      expect((yield* stored(id)).uploads).toBe(1)
    }).pipe(withResumable())
  )

  it.effect.each([
    ["more bytes", 0, "x", true, 400],
    ["nothing, and says there is more to come", 0, "", false, 400],
    ["at another offset", -1, "", true, 409]
  ] as const)("takes no append of %s", ([, distance, body, complete, status]) =>
    Effect.gen(function* () {
      const { id, length, path } = yield* completed
      const answer = yield* append(path, length + distance, body, { complete })
      expect([answer.status, answer.headers["upload-complete"]]).toStrictEqual([status, "?0"])
      expect((yield* stored(id)).uploads).toBe(1)
    }).pipe(withResumable())
  )

  it.effect("gives its answer once if told so", () =>
    Effect.gen(function* () {
      const { length, path } = yield* completed
      const again = yield* append(path, length, "")
      expect([again.status, again.headers["upload-complete"]]).toStrictEqual([400, "?0"])
      expect((yield* retrieve(path)).headers["upload-complete"]).toBe("?1")
    }).pipe(withResumable({ replayFinalAnswer: false }))
  )

  it.effect("can be gone at once", () =>
    Effect.gen(function* () {
      const { path } = yield* completed
      expect((yield* retrieve(path)).status).toBe(404)
    }).pipe(withResumable({ keepCompletedMillis: 0 }))
  )

  it.live("whose answer was lost gives it to who asks again", () =>
    Effect.gen(function* () {
      const cloud = yield* LocalElasticCloud
      const { id } = yield* seedBundle
      const archive = yield* bigZip(100_000)
      yield* cloud.plan({ method: "PUT", fault: Fault.cut("applied") })
      yield* Effect.flip(create(id, archive))
      const path = new URL((yield* cloud.uploads)[0]?.url ?? "").pathname
      expect(yield* offsetOf(path)).toBe(archive.length)
      expect((yield* append(path, archive.length, "")).json()).toMatchObject({ id })
      expect((yield* stored(id)).uploads).toBe(1)
    }).pipe(withResumable())
  )
})

describe("cancellation", () => {
  it.effect("forgets an upload", () =>
    Effect.gen(function* () {
      const { id } = yield* seedBundle
      const path = yield* begin(id, "1234")
      expect((yield* cancel(path)).status).toBe(204)
      const cloud = yield* LocalElasticCloud
      expect(yield* cloud.uploads).toStrictEqual([])
      expect((yield* retrieve(path)).status).toBe(404)
      expect((yield* append(path, 4, "5")).status).toBe(404)
      expect((yield* cancel(path)).status).toBe(404)
    }).pipe(withResumable())
  )
})

describe("an upload is nobody's business but its owner's:", () => {
  const accounts = [
    { apiKey: "local-key", owner: "local" },
    { apiKey: "other-key", owner: "other" },
    { apiKey: "no-user", owner: undefined }
  ]
  it.effect.each([
    ["no key", "", 401],
    ["an unknown key", "wrong", 401],
    ["the key of another", "other-key", 404],
    ["a key without a user", "no-user", 404]
  ] as const)("%s", ([, key, status]) =>
    Effect.gen(function* () {
      const { id } = yield* seedBundle
      const path = yield* begin(id, "1234")
      expect((yield* retrieve(path, { key })).status).toBe(status)
      expect((yield* append(path, 4, "5", { key })).status).toBe(status)
      expect((yield* cancel(path, { key })).status).toBe(status)
      expect(yield* offsetOf(path)).toBe(4)
    }).pipe(withResumable({}, { accounts }))
  )

  it.effect("there is nothing to be done with it but what the draft says", () =>
    Effect.gen(function* () {
      const { id } = yield* seedBundle
      const path = yield* begin(id)
      const answer = yield* ask({ method: "POST", path })
      expect([answer.status, answer.headers.allow]).toStrictEqual([405, "HEAD, GET, PATCH, DELETE"])
    }).pipe(withResumable())
  )
})
