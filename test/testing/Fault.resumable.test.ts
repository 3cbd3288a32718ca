/** Faults on their way to an upload resource: what a plain client gets, and what becomes of the upload. */
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Fault from "../../src/testing/Fault.ts"
import { LocalElasticCloud } from "../../src/testing/LocalElasticCloud.ts"
import { append, begin, offsetOf, retrieve, stored, withResumable } from "../support/testing/resumable.ts"
import { bigZip, seedBundle, sha256 } from "../support/testing/server.ts"

/** An upload of which half is there. */
const halfway = Effect.gen(function* () {
  const { id } = yield* seedBundle
  const archive = yield* bigZip(20_000)
  const path = yield* begin(id, archive.subarray(0, 10_000))
  const rest = archive.subarray(10_000)
  return { id, archive, path, rest }
})

const refusals = [
  ["locked", 423, Fault.retryAfter(423, 1)],
  ["too many requests", 429, Fault.retryAfter(429, 1)],
  ["an expired key", 401, Fault.refuse(401, "root.unauthenticated")],
  ["a firewall", 403, Fault.answer({ status: 403, body: "<html></html>" })]
] as const

const ofProxies = [
  ["a method it does not know", 405, Fault.answer({ status: 405, headers: { allow: "GET, PUT" } })],
  ["a media type it does not know", 415, Fault.answer({ status: 415 })],
  ["nothing implemented", 501, Fault.answer({ status: 501 })]
] as const

describe("an upload outlives the refusal", () => {
  it.live.each(refusals)("of HEAD: %s", ([, status, fault]) =>
    Effect.gen(function* () {
      const cloud = yield* LocalElasticCloud
      const { path } = yield* halfway
      yield* cloud.plan({ method: "HEAD", path: "/uploads/", fault })
      const refused = yield* retrieve(path)
      expect(refused.status).toBe(status)
      expect(refused.headers).not.toHaveProperty("upload-offset")
      expect(yield* offsetOf(path)).toBe(10_000)
    }).pipe(withResumable())
  )

  it.live.each([...refusals, ...ofProxies])("of PATCH: %s", ([, status, fault]) =>
    Effect.gen(function* () {
      const cloud = yield* LocalElasticCloud
      const { archive, id, path, rest } = yield* halfway
      yield* cloud.plan({ method: "PATCH", fault })
      const refused = yield* append(path, 10_000, rest)
      expect(refused.status).toBe(status)
      expect(refused.headers).not.toHaveProperty("upload-complete")
      expect(yield* offsetOf(path)).toBe(10_000)
      expect((yield* append(path, 10_000, rest)).status).toBe(200)
      expect((yield* stored(id)).file?.sha256).toBe(sha256(archive))
    }).pipe(withResumable())
  )
})

describe("the append that completes an upload", () => {
  it.live("is answered without Upload-Complete, and was applied", () =>
    Effect.gen(function* () {
      const cloud = yield* LocalElasticCloud
      const { archive, id, path, rest } = yield* halfway
      yield* cloud.plan({ method: "PATCH", fault: Fault.dropHeaders("upload-complete") })
      const answer = yield* append(path, 10_000, rest)
      expect([answer.status, answer.json()]).toMatchObject([200, { id }])
      expect(answer.headers).not.toHaveProperty("upload-complete")
      expect((yield* stored(id)).file?.sha256).toBe(sha256(archive))
      expect((yield* retrieve(path)).headers["upload-complete"]).toBe("?1")
    }).pipe(withResumable())
  )

  it.live("is claimed to have succeeded, and was not even kept", () =>
    Effect.gen(function* () {
      const cloud = yield* LocalElasticCloud
      const { id, path, rest } = yield* halfway
      yield* cloud.plan({ method: "PATCH", fault: Fault.falseSuccess(yield* stored(id)) })
      expect((yield* append(path, 10_000, rest)).status).toBe(200)
      expect((yield* stored(id)).uploads).toBe(0)
      expect(yield* offsetOf(path)).toBe(10_000)
    }).pipe(withResumable())
  )

  it.live("is delivered twice to the extension", () =>
    Effect.gen(function* () {
      const cloud = yield* LocalElasticCloud
      const { archive, id, path, rest } = yield* halfway
      yield* cloud.plan({ method: "PATCH", fault: Fault.duplicate() })
      const answer = yield* append(path, 10_000, rest)
      expect([answer.status, answer.headers["upload-complete"]]).toStrictEqual([200, "?1"])
      expect(yield* stored(id)).toMatchObject({ uploads: 2, file: { sha256: sha256(archive) } })
    }).pipe(withResumable())
  )

  it.live("is never answered, though it was applied", () =>
    Effect.gen(function* () {
      const cloud = yield* LocalElasticCloud
      const { id, path, rest } = yield* halfway
      yield* cloud.plan({ method: "PATCH", fault: Fault.hang("applied") })
      const answer = yield* Effect.timeoutOption(append(path, 10_000, rest), "1 second")
      expect(answer._tag).toBe("None")
      expect((yield* stored(id)).uploads).toBe(1)
    }).pipe(withResumable())
  )
})
