/**
 * What keeps an unfinished upload from going on for now, and says nothing of it: a key that has expired, a page of another
 * server in between, a proxy. The upload waits, on both sides, and the next run goes on with it.
 */
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Fault from "../../src/testing/Fault.ts"
import { LocalElasticCloud } from "../../src/testing/LocalElasticCloud.ts"
import { resumable, scene, uploaded } from "../support/cli/unfinished.ts"
import { world } from "../support/cli/world.ts"
import { zipOf } from "../support/upload/archives.ts"
import { held, otherWriter, seed, sha256 } from "../support/upload/world.ts"

const html = { headers: { "content-type": "text/html" }, body: "<html>Please log in</html>" }

const methods = Effect.gen(function* () {
  const cloud = yield* LocalElasticCloud
  yield* cloud.settled
  return (yield* cloud.requests).map(({ method }) => method)
})

const rows: ReadonlyArray<readonly [what: string, rule: Fault.FaultRule, code: number]> = [
  ["HEAD is answered 401", { method: "HEAD", fault: Fault.answer({ status: 401 }) }, 3],
  ["HEAD is answered 403", { method: "HEAD", fault: Fault.answer({ status: 403 }) }, 3],
  ["PATCH is answered 401", { method: "PATCH", fault: Fault.answer({ status: 401 }) }, 3],
  ["PATCH is answered 403", { method: "PATCH", fault: Fault.answerEarly({ status: 403, close: true }) }, 3],
  ["GET is answered 401", { method: "GET", fault: Fault.answer({ status: 401 }) }, 3],
  ["GET is answered by a firewall", { method: "GET", fault: Fault.answer({ status: 403, ...html }) }, 3],
  ["GET is answered 449", { method: "GET", fault: Fault.answer({ status: 449 }) }, 3],
  ["GET is answered by a login page", { method: "GET", fault: Fault.answer({ status: 200, ...html }) }, 1],
  ["GET is answered by some 404 page", { method: "GET", fault: Fault.answer({ status: 404, ...html }) }, 1],
  ["GET is sent elsewhere", { method: "GET", fault: Fault.answer({ status: 302, ...html }) }, 1],
  ["HEAD is answered 423", { method: "HEAD", fault: Fault.retryAfter(423, 0) }, 2],
  ["HEAD is answered 429", { method: "HEAD", fault: Fault.answer({ status: 429 }) }, 2]
]

describe("an upload that a server has kept, where", () => {
  it.scopedLive.each(rows)("%s, waits, and goes on in the next run", ([, rule, code]) =>
    Effect.gen(function* () {
      const { breakOff, cli } = yield* scene
      const cloud = yield* LocalElasticCloud
      const id = yield* seed()
      const { archive, content } = yield* breakOff(id, 100_000)
      yield* cloud.clearRequests

      yield* cloud.plan({ ...rule, times: 9 })
      const stopped = yield* cli("upload", id, archive)
      expect(stopped.code, stopped.err).toBe(code)
      expect(yield* methods).not.toContain("DELETE")
      expect(yield* methods).not.toContain("PUT")
      expect(yield* cloud.uploads).toHaveLength(1)

      yield* cloud.clearPlan
      yield* cloud.clearRequests
      expect((yield* cli("resume", id)).code).toBe(0)
      expect(yield* methods).not.toContain("PUT")
      const [patch] = (yield* cloud.requests).filter(({ method }) => method === "PATCH")
      expect(Number(patch?.headers["upload-offset"])).toBeGreaterThan(0)
      expect(patch?.bodyBytes).toBeLessThan(content.length)
      expect(yield* held(id)).toMatchObject(uploaded(content))
    }).pipe(Effect.provide(resumable))
  )
})

describe("an upload whose end is open, where", () => {
  const refusals = rows.filter(([, { method }]) => method === "GET")

  it.scopedLive.each(refusals)("%s, still protects who wrote since", ([, rule]) =>
    Effect.gen(function* () {
      const { breakOff, cli } = yield* scene
      const cloud = yield* LocalElasticCloud
      const id = yield* seed()
      const { archive } = yield* breakOff(id, 100_000)
      const theirs = yield* zipOf(1000)

      yield* cloud.plan({ ...rule, times: 9 })
      expect((yield* cli("upload", id, archive)).code).toBeGreaterThan(0)
      yield* cloud.clearPlan
      yield* otherWriter(id, theirs)
      expect(yield* cli("upload", id, archive)).toMatchObject({ code: 6 })
      expect((yield* methods).filter((method) => method === "PUT")).toHaveLength(1)
      expect(yield* held(id)).toMatchObject({ sha256: sha256(theirs), uploads: 0 })
    }).pipe(Effect.provide(world()))
  )
})
