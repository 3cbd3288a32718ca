import * as Crypto from "node:crypto"
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { LocalElasticCloud } from "../../src/testing/LocalElasticCloud.ts"
import {
  append,
  begin,
  create,
  offsetOf,
  problemOf,
  stored,
  withResumable
} from "../support/testing/resumable.ts"
import { bigZip, codes, seedBundle } from "../support/testing/server.ts"

const digest = (algorithm: "sha-256" | "sha-512", bytes: Uint8Array | string): string =>
  `${algorithm}=:${Crypto.createHash(algorithm.replace("-", "")).update(bytes).digest("base64")}:`

const WRONG = digest("sha-256", "something else")

describe("Content-Digest", () => {
  it.effect.each([
    ["that is right", digest("sha-256", "5678"), true],
    ["in another algorithm", digest("sha-512", "5678"), true],
    ["in an algorithm unknown here", "md5=:AAAA:", true],
    ["that cannot be read", "sha-256", true],
    ["that is wrong", WRONG, false],
    ["of which one is wrong", `${digest("sha-256", "5678")}, ${digest("sha-512", "x")}`, false]
  ] as const)("%s", ([, value, isKept]) =>
    Effect.gen(function* () {
      const { id } = yield* seedBundle
      const path = yield* begin(id, "1234")
      const answer = yield* append(path, 4, "5678", { complete: false, headers: { "content-digest": value } })
      expect([answer.status, answer.headers["upload-complete"]]).toStrictEqual([isKept ? 204 : 400, "?0"])
      expect(answer.headers["upload-offset"]).toBe(isKept ? "8" : "4")
      if (!isKept)
        expect(problemOf(answer)).toHaveProperty("detail", expect.stringContaining("Content-Digest"))
      expect(yield* offsetOf(path)).toBe(isKept ? 8 : 4)
      expect((yield* append(path, isKept ? 8 : 4, "x", { complete: false })).status).toBe(204)
    }).pipe(withResumable())
  )

  it.effect("that is wrong at creation leaves an empty upload, which nothing was promised of", () =>
    Effect.gen(function* () {
      const { id } = yield* seedBundle
      const archive = yield* bigZip(500_000)
      const answer = yield* create(id, archive, { headers: { "content-digest": WRONG } })
      expect([answer.status, answer.headers["upload-complete"]]).toStrictEqual([400, "?0"])
      expect(answer.information).toHaveLength(1)
      const cloud = yield* LocalElasticCloud
      expect(yield* cloud.uploads).toMatchObject([{ offset: 0, complete: false }])
      expect((yield* stored(id)).uploads).toBe(0)
    }).pipe(withResumable({ progressEveryBytes: 100_000 }))
  )
})

describe("Repr-Digest", () => {
  it.effect.each([
    [true, 200],
    [false, 400]
  ] as const)("that is right (%s) decides on the whole, however it came", ([isRight, status]) =>
    Effect.gen(function* () {
      const { id } = yield* seedBundle
      const archive = yield* bigZip(10_000)
      const value = isRight ? digest("sha-256", archive) : WRONG
      const path = yield* begin(id, archive.subarray(0, 5000), { headers: { "repr-digest": value } })
      const answer = yield* append(path, 5000, archive.subarray(5000))
      expect([answer.status, answer.headers["upload-complete"]]).toStrictEqual([status, "?1"])
      if (!isRight) expect(codes(answer)).toStrictEqual(["extensions.request_execution_failed"])
      expect((yield* stored(id)).uploads).toBe(isRight ? 1 : 0)
      expect((yield* append(path, archive.length, "")).status).toBe(status)
    }).pipe(withResumable())
  )
})
