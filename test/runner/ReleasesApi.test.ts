import { FetchHttpClient, OpenApi } from "@effect/platform"
import { describe, expect, it } from "@effect/vitest"
import { Effect, Option, Redacted } from "effect"
import * as ReleasesApi from "../../src/runner/ReleasesApi.ts"
import { AccessTokenRefused, ForeignRequest } from "../../src/runner/RunnerError.ts"
import { NothingToDecide, UnknownExecution } from "../../src/workflow/EngineError.ts"
import { get, post, serving, servingFrom, token, url } from "../support/runner/runner.ts"
import { fileWith, zipOf } from "../support/upload/archives.ts"
import { held, sha256 } from "../support/upload/world.ts"
import { engines } from "../support/workflow/engines.ts"
import { bundle, untilStatus } from "../support/workflow/releases.ts"

const api = "/api/v1/releases"

const enginesHere = Object.entries(engines).filter(([, { isHere }]) => isHere)

const client = (opens = token) =>
  Effect.flatMap(url, (address) => ReleasesApi.client({ url: address, token: Redacted.make(opens) })).pipe(
    Effect.provide(FetchHttpClient.layer)
  )

/** Submitted by way of the API, and held. */
const heldRelease = (request: Partial<ReleasesApi.ReleaseSubmission> = {}) =>
  Effect.gen(function* () {
    const { releases } = yield* client()
    const content = yield* zipOf(1000)
    const path = yield* fileWith(content)
    const { executionId } = yield* releases.submit({
      payload: {
        releaseId: "words-1",
        extension: bundle,
        archive: { _tag: "Path", path },
        holdForApproval: true,
        ...request
      }
    })
    yield* untilStatus(executionId, "Waiting")
    return { releases, executionId, content }
  })

describe("the client", () => {
  it.scopedLive.each(enginesHere)(
    "on %s submits, lists, shows and approves, and the release is done",
    ([, engine]) =>
      Effect.gen(function* () {
        const { content, executionId, releases } = yield* heldRelease()
        const page = yield* releases.list({ urlParams: { state: ["held"], extension: "words", limit: 10 } })
        expect(page).toMatchObject({
          releases: [{ executionId, releaseId: "words-1", state: "held", waitsFor: { _tag: "Approval" } }],
          next: null
        })
        const decision = { verdict: "approved", by: "ada", note: "looks good" }
        const path = { executionId }
        const decided = yield* releases.approve({ path, payload: { by: "ada", note: "looks good" } })
        expect(decided).toMatchObject({ isFirst: true, inForce: Option.some(decision) })
        yield* untilStatus(executionId, "Done")
        const { receipt, steps, summary } = yield* releases.show({ path })
        expect(summary).toMatchObject({ executionId, state: "done", decision })
        expect(steps.map(({ state, step }) => `${step} ${state}`)).toEqual([
          "inspect done",
          "digest done",
          "ensure done",
          "transfer done",
          "verify done",
          "request-approval done",
          "announce done"
        ])
        expect(receipt).toMatchObject({ executionId, decision })
        expect(yield* held(receipt?.extensionId ?? "")).toMatchObject({ sha256: sha256(content) })
        expect(yield* releases.list({ urlParams: { state: ["failed", "rejected"] } })).toEqual({
          releases: [],
          next: null
        })
      }).pipe(Effect.provide(servingFrom(engine)))
  )

  it.scopedLive("pages through a list", () =>
    Effect.gen(function* () {
      const { releases } = yield* client()
      const path = yield* fileWith(yield* zipOf(1000))
      for (const n of [1, 2, 3]) {
        const archive = { _tag: "Path" as const, path }
        yield* releases.submit({ payload: { releaseId: `words-${n}`, extension: bundle, archive } })
      }
      const first = yield* releases.list({ urlParams: { limit: 2 } })
      const after = first.next ?? ""
      const second = yield* releases.list({ urlParams: { limit: 2, after } })
      const names = [first, second].map((page) => page.releases.map(({ releaseId }) => releaseId))
      expect(names).toEqual([["words-3", "words-2"], ["words-1"]])
      expect(second.next).toBeNull()
    }).pipe(Effect.provide(serving()))
  )

  it.scopedLive("is told what a query that cannot be used should be, and not what it was", () =>
    Effect.gen(function* () {
      for (const [query, problem] of [
        ["limit=canary", "limit: Expected a whole number from 1 to 1000"],
        ["limit=1001", "limit: Expected a whole number from 1 to 1000"],
        [
          "submittedSinceMillis=canary",
          "submittedSinceMillis: Expected a time in milliseconds since the epoch"
        ],
        ["state=canary", "state.0: Expected "],
        ["after=canary", "after: Expected "]
      ] as const) {
        const { json, status, text } = yield* get(`${api}?${query}`)
        expect([status, Object(json)._tag], query).toEqual([400, "MalformedRequest"])
        expect(Object(json).message).toContain(problem)
        expect(text).not.toContain("canary")
      }
    }).pipe(Effect.provide(serving()))
  )

  it.scopedLive("submits the same release once, also with the digest in hand", () =>
    Effect.gen(function* () {
      const { releases } = yield* client()
      const content = yield* zipOf(1000)
      const archive = { _tag: "Path" as const, path: yield* fileWith(content) }
      const payload = { releaseId: "words-1", extension: bundle, archive }
      const one = yield* releases.submit({ payload })
      expect(yield* releases.submit({ payload })).toEqual(one)
      expect(yield* releases.submit({ payload: { ...payload, sha256: sha256(content) } })).toEqual(one)
      yield* untilStatus(one.executionId, "Done")
    }).pipe(Effect.provide(serving()))
  )

  it.scopedLive("gets the errors of the library, with their words", () =>
    Effect.gen(function* () {
      const executionId = "0123456789abcdef0123456789abcdef"
      const { releases } = yield* client()
      const path = { executionId }
      const payload = { by: "ada" }
      const unknown = new UnknownExecution({ executionId })
      expect(yield* Effect.flip(releases.show({ path }))).toEqual(unknown)
      expect(yield* Effect.flip(releases.approve({ path, payload }))).toEqual(unknown)
      expect(yield* Effect.flip(releases.reject({ path, payload }))).toEqual(unknown)
      expect(yield* Effect.flip(releases.cancel({ path }))).toEqual(unknown)
      expect(yield* Effect.flip(releases.retry({ path }))).toEqual(unknown)
      const refused = yield* Effect.flip(
        (yield* client("a-wrong-token-of-the-tests")).releases.show({ path })
      )
      expect(refused).toEqual(new AccessTokenRefused({ reason: "Wrong" }))
      const missing = yield* Effect.flip(
        releases.submit({
          payload: {
            releaseId: "words-1",
            extension: bundle,
            archive: { _tag: "Path", path: "/nowhere.zip" }
          }
        })
      )
      expect(missing).toMatchObject({ _tag: "ArchiveUnreadable", reason: "NotFound", path: "/nowhere.zip" })
    }).pipe(Effect.provide(serving()))
  )
})

describe("an attempt after the first", () => {
  it.scopedLive("is refused while the one before goes on, and is another release after it", () =>
    Effect.gen(function* () {
      const { executionId, releases } = yield* heldRelease()
      const path = { executionId }
      expect(yield* Effect.flip(releases.retry({ path }))).toMatchObject({ _tag: "ReleaseUnfinished" })
      yield* releases.reject({ path, payload: { by: "bob" } })
      yield* untilStatus(executionId, "Done")
      const next = yield* releases.retry({ path })
      expect(next.executionId).not.toBe(executionId)
      yield* untilStatus(next.executionId, "Waiting")
      yield* releases.cancel({ path: next })
      yield* untilStatus(next.executionId, "Done")
      const { summary } = yield* releases.show({ path: next })
      expect(summary).toMatchObject({ releaseId: "words-1", attempt: 2, state: "cancelled" })
    }).pipe(Effect.provide(serving()))
  )
})

describe("an error", () => {
  it.scopedLive("comes with its message and its remedy", () =>
    Effect.gen(function* () {
      const unknown = new UnknownExecution({ executionId: "nobody" })
      expect(yield* get(`${api}/nobody`)).toMatchObject({
        status: 404,
        json: {
          _tag: "UnknownExecution",
          executionId: "nobody",
          message: unknown.message,
          remedy: unknown.remedy
        }
      })
      const foreign = new ForeignRequest({ header: "Host" })
      expect(yield* get(api, { host: "evil.example" })).toMatchObject({
        status: 403,
        json: { _tag: "ForeignRequest", header: "Host", message: foreign.message, remedy: foreign.remedy }
      })
    }).pipe(Effect.provide(serving()))
  )
})

describe("a decision", () => {
  const approve = (executionId: string, body: unknown) => post(`${api}/${executionId}/approve`, body)
  const reject = (executionId: string, body: unknown) => post(`${api}/${executionId}/reject`, body)

  it.scopedLive("counts once: the second is told the first, and so is one that comes late", () =>
    Effect.gen(function* () {
      const { executionId } = yield* heldRelease()
      const inForce = { verdict: "approved", by: "ada", note: "fine" }
      expect(yield* approve(executionId, { by: "ada", note: "fine" })).toMatchObject({
        status: 200,
        json: { isFirst: true, inForce }
      })
      expect((yield* approve(executionId, { by: "ada" })).json).toMatchObject({ isFirst: false, inForce })
      expect((yield* reject(executionId, { by: "bob" })).json).toMatchObject({ isFirst: false, inForce })
      yield* untilStatus(executionId, "Done")
      expect((yield* reject(executionId, { by: "bob" })).json).toMatchObject({ isFirst: false, inForce })
    }).pipe(Effect.provide(serving()))
  )

  it.scopedLive("of two people at once is one, and both are told the same", () =>
    Effect.gen(function* () {
      const { executionId, releases } = yield* heldRelease()
      const answers = yield* Effect.all(
        [
          approve(executionId, { by: "ada" }),
          reject(executionId, { by: "bob" }),
          approve(executionId, { by: "eve" })
        ],
        { concurrency: "unbounded" }
      )
      const told = answers.map(({ json }) => Object(json))
      expect(told.filter(({ isFirst }) => isFirst)).toHaveLength(1)
      const inForce = told.map((one) => one.inForce).filter((one) => one !== null)
      expect(new Set(inForce.map(({ by, verdict }) => `${by} ${verdict}`)).size).toBe(1)
      yield* untilStatus(executionId, "Done")
      const { summary } = yield* releases.show({ path: { executionId } })
      expect(summary.decision).toMatchObject(inForce[0])
    }).pipe(Effect.provide(serving()))
  )

  it.scopedLive("about a release that ended without one is refused", () =>
    Effect.gen(function* () {
      const { releases } = yield* client()
      const archive = { _tag: "Path" as const, path: yield* fileWith(yield* zipOf(1000)) }
      const { executionId } = yield* releases.submit({
        payload: { releaseId: "words-1", extension: bundle, archive }
      })
      yield* untilStatus(executionId, "Done")
      const error = new NothingToDecide({ executionId })
      expect(yield* approve(executionId, { by: "ada" })).toMatchObject({
        status: 409,
        json: { _tag: "NothingToDecide", message: error.message }
      })
    }).pipe(Effect.provide(serving()))
  )

  it.scopedLive("is somebody's, by a name of one line, and its note is not endless", () =>
    Effect.gen(function* () {
      const { executionId } = yield* heldRelease()
      for (const body of [
        {},
        { by: "" },
        { by: "  " },
        { by: "ada\nbob" },
        { by: "ada\u2028bob" },
        { by: "a".repeat(201) },
        { by: 7 },
        { by: "ada", note: "n".repeat(4001) },
        [],
        "ada"
      ]) {
        expect(yield* approve(executionId, body), JSON.stringify(body).slice(0, 40)).toMatchObject({
          status: 400,
          json: { _tag: "MalformedRequest" }
        })
      }
      const canary = '"><img src=x onerror=alert(1)></script>'
      expect((yield* approve(executionId, { by: canary, note: canary })).json).toMatchObject({
        isFirst: true,
        inForce: { by: canary, note: canary }
      })
    }).pipe(Effect.provide(serving()))
  )
})

describe("the description", () => {
  it("names every route with its errors, and the token", () => {
    const { components, paths } = OpenApi.fromApi(ReleasesApi.ReleasesApi)
    const routes = Object.entries(paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(
        ([method, { responses }]) =>
          `${method.toUpperCase()} ${path} ${Object.keys(responses).sort().join(" ")}`
      )
    )
    expect(routes).toEqual([
      `GET ${api} 200 400 401 403 404 500 503`,
      `POST ${api} 202 400 401 403 404 408 413 422 500 503`,
      `GET ${api}/{executionId} 200 400 401 403 404 409 500 503`,
      `POST ${api}/{executionId}/approve 200 400 401 403 404 408 409 413 500 503`,
      `POST ${api}/{executionId}/reject 200 400 401 403 404 408 409 413 500 503`,
      `POST ${api}/{executionId}/cancel 202 400 401 403 404 408 413 500 503`,
      `POST ${api}/{executionId}/retry 202 400 401 403 404 408 409 413 500 503`
    ])
    expect(components.securitySchemes).toEqual({ token: { type: "http", scheme: "bearer" } })
  })

  it("can be read by other tools", () => {
    const spec = OpenApi.fromApi(ReleasesApi.ReleasesApi)
    const names = Object.keys(spec.components.schemas)
    expect(names.filter((name) => !/^[\w.-]+$/.test(name))).toEqual([])
    expect(names).not.toContain("HttpApiDecodeError")
    const references = [...JSON.stringify(spec).matchAll(/"#\/components\/schemas\/([^"]+)"/g)]
    expect(references.length).toBeGreaterThan(20)
    expect(references.map(([, name]) => name).filter((name) => !names.includes(name ?? ""))).toEqual([])
  })
})
