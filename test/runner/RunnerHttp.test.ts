import { NodeContext } from "@effect/platform-node"
import { describe, expect, it } from "@effect/vitest"
import { ConfigProvider, Effect, Exit, Fiber, Layer, Redacted, Scope, TestClock, Tracer } from "effect"
import * as RunnerHttp from "../../src/runner/RunnerHttp.ts"
import * as EngineMemory from "../../src/workflow/EngineMemory.ts"
import { address, bearer, call, get, post, serving, token } from "../support/runner/runner.ts"
import { fileWith } from "../support/upload/archives.ts"
import { logs } from "../support/workflow/logs.ts"
import { place } from "../support/workflow/releases.ts"

const releases = "/api/v1/releases"

/** Whoever asks, and what they are told: the status, and the `_tag` of the error. */
const verdict = <E, R>(asked: Effect.Effect<{ readonly status: number; readonly json: unknown }, E, R>) =>
  Effect.map(asked, ({ json, status }) => [status, Object(json)._tag ?? "served"])

describe("the access token", () => {
  it.scopedLive("opens the API in the header, whatever the case of its scheme, and nowhere else", () =>
    Effect.gen(function* () {
      const asking = (headers: Record<string, string>, path = releases) => verdict(get(path, headers))
      expect(yield* asking(bearer)).toEqual([200, "served"])
      expect(yield* asking({ authorization: `bearer ${token}` })).toEqual([200, "served"])
      expect(yield* asking({})).toEqual([401, "AccessTokenRefused"])
      expect(yield* asking({ authorization: `Bearer ${token}x` })).toEqual([401, "AccessTokenRefused"])
      expect(yield* asking({ authorization: "Bearer" })).toEqual([401, "AccessTokenRefused"])
      expect(yield* asking({ authorization: "Bearer é" })).toEqual([401, "AccessTokenRefused"])
      expect(yield* asking({ cookie: `token=${token}` })).toEqual([401, "AccessTokenRefused"])
      const { headers } = yield* get(releases, {})
      expect(headers).toMatchObject({ "www-authenticate": "Bearer" })
    }).pipe(Effect.provide(serving()), Effect.provide(logs().layer))
  )

  it.scopedLive("is refused in an address, also the right one in the right header, and never logged", () => {
    const { layer, lines } = logs()
    return Effect.gen(function* () {
      const addresses = [
        `${releases}?token=${token}`,
        `${releases}?access_token=wrong`,
        `${releases}?extension=${encodeURIComponent(token)}`,
        `${releases}/${token}`,
        `/?token=${token}`,
        `/nowhere/${token}`,
        `/healthz?access_token=${token}`
      ]
      for (const path of addresses) {
        expect(yield* verdict(get(path, bearer)), path).toEqual([400, "AccessTokenInUrl"])
      }
      const { text } = yield* get(`${releases}?token=${token}`, {})
      expect(text).not.toContain(token)
      expect(JSON.stringify(lines)).not.toContain(token)
    }).pipe(Effect.provide(serving()), Effect.provide(layer))
  })

  it.scopedLive("appears in no trace, in the address or in the header", () => {
    const told: Array<unknown> = []
    const tracer = Tracer.make({
      context: (run) => run(),
      span: (name, parent, context, links, startTime, kind) => ({
        _tag: "Span",
        name,
        parent,
        context,
        links,
        kind,
        spanId: "1",
        traceId: "1",
        sampled: true,
        status: { _tag: "Started", startTime },
        attributes: new Map(),
        attribute: (key, value) => void told.push([name, key, value]),
        event: () => {},
        addLinks: () => {},
        end: () => {}
      })
    })
    return Effect.gen(function* () {
      yield* get(`${releases}?limit=7`)
      yield* get(`${releases}?token=${token}`)
      yield* get(`${releases}/${token}`)
      expect(JSON.stringify(told)).toContain("limit=7")
      expect(JSON.stringify(told)).not.toContain(token)
    }).pipe(Effect.provide(serving()), Effect.provide(Layer.setTracer(tracer)))
  })

  it.scopedLive("is not needed on this machine where there is none, which the log says", () => {
    const { layer, lines } = logs()
    return Effect.gen(function* () {
      expect(yield* verdict(get(releases, {}))).toEqual([200, "served"])
      expect(yield* verdict(get(releases, { authorization: "Bearer whatever" }))).toEqual([200, "served"])
      expect(lines.filter(({ level }) => level === "WARN").map(({ text }) => text)).toEqual([
        expect.stringContaining("has no access token")
      ])
    }).pipe(Effect.provide(serving({ api: {} })), Effect.provide(layer))
  })

  it.effect("is needed to listen elsewhere, and must not be short", () =>
    Effect.gen(function* () {
      const starting = (options: RunnerHttp.RunnerHttpOptions) =>
        Effect.flip(Layer.build(serving({ port: 0, ...options })))
      for (const host of ["0.0.0.0", "::", "192.0.2.1", "runner.example"]) {
        expect(yield* starting({ host, api: {} })).toMatchObject({
          _tag: "AccessTokenRequired",
          host,
          reason: "Missing"
        })
      }
      const api = { token: Redacted.make("too-short") }
      const error = yield* starting({ api })
      expect(error).toMatchObject({ _tag: "AccessTokenRequired", reason: "TooShort" })
      expect(error.message).not.toContain("too-short")
    }).pipe(Effect.scoped)
  )
})

describe("a request of somebody else's", () => {
  it.scopedLive("under a name that leads here is refused on this machine, page and probes included", () =>
    Effect.gen(function* () {
      const { port } = yield* address
      for (const path of ["/", "/page.js", "/healthz", releases]) {
        const asking = (host: string) => verdict(get(path, { ...bearer, host }))
        expect(yield* asking(`evil.example:${port}`)).toEqual([403, "ForeignRequest"])
        expect(yield* asking("localhost.evil.example")).toEqual([403, "ForeignRequest"])
        expect(yield* asking("127.0.0.1.evil.example")).toEqual([403, "ForeignRequest"])
        for (const own of [`localhost:${port}`, `127.0.0.1:${port}`, `[::1]:${port}`, "LOCALHOST:9"]) {
          expect(yield* asking(own), own).toEqual([200, "served"])
        }
      }
    }).pipe(Effect.provide(serving()))
  )

  it.scopedLive("may come by the names that the runner was told", () =>
    Effect.gen(function* () {
      expect(yield* verdict(get("/", { host: "releases.example" }))).toEqual([200, "served"])
      expect(yield* verdict(get("/", { host: "other.example" }))).toEqual([403, "ForeignRequest"])
      const proxied = { ...bearer, host: "releases.example", origin: "https://releases.example" }
      const asking = (headers: Record<string, string>) =>
        verdict(post(`${releases}/unknown/cancel`, {}, { ...proxied, ...headers }))
      expect(yield* asking({})).toEqual([404, "UnknownExecution"])
      const { port } = yield* address
      expect(yield* asking({ host: `127.0.0.1:${port}` })).toEqual([404, "UnknownExecution"])
      expect(yield* asking({ origin: "https://other.example" })).toEqual([403, "ForeignRequest"])
      expect(yield* asking({ origin: "null" })).toEqual([403, "ForeignRequest"])
    }).pipe(Effect.provide(serving({ api: { names: ["Releases.example"] } })))
  )

  it.scopedLive("by a page of another site changes nothing, with or without the token", () =>
    Effect.gen(function* () {
      const { port } = yield* address
      const asking = (headers: Record<string, string>) =>
        verdict(post(`${releases}/unknown/cancel`, {}, { ...bearer, ...headers }))
      expect(yield* asking({ origin: "https://evil.example" })).toEqual([403, "ForeignRequest"])
      expect(yield* asking({ origin: "null" })).toEqual([403, "ForeignRequest"])
      expect(yield* asking({ origin: `http://127.0.0.1:${port + 1}` })).toEqual([403, "ForeignRequest"])
      expect(yield* asking({ "sec-fetch-site": "cross-site" })).toEqual([403, "ForeignRequest"])
      expect(yield* asking({ "sec-fetch-site": "same-site" })).toEqual([403, "ForeignRequest"])
      const own = { origin: `http://127.0.0.1:${port}`, "sec-fetch-site": "same-origin" }
      expect(yield* asking(own)).toEqual([404, "UnknownExecution"])
    }).pipe(Effect.provide(serving()))
  )

  it.scopedLive("is not told that it may read an answer or send what it likes", () =>
    Effect.gen(function* () {
      const asked = {
        origin: "https://evil.example",
        "access-control-request-method": "POST",
        "access-control-request-headers": "content-type"
      }
      const { headers, status } = yield* call({ method: "OPTIONS", path: releases, headers: asked })
      expect(status).toBe(404)
      expect(Object.keys(headers).filter((name) => name.startsWith("access-control"))).toEqual([])
    }).pipe(Effect.provide(serving()))
  )
})

describe("a body", () => {
  const chunk = new Uint8Array(64 * 1024).fill(32)
  const megabytes = (count: number) => Array.from({ length: count * 16 }, () => chunk)
  const json = { ...bearer, "content-type": "application/json" }

  it.scopedLive("of 100 MB is refused as soon as it is announced, and the next request served", () =>
    Effect.gen(function* () {
      const headers = { ...json, "content-length": String(100 * 1024 * 1024) }
      const answer = yield* call({ method: "POST", path: releases, headers, body: megabytes(100) })
      expect(answer).toMatchObject({ status: 413, json: { _tag: "BodyTooLarge", limit: 65_536 } })
      expect(answer.sent).toBeLessThan(20 * 1024 * 1024)
      expect(yield* verdict(get(releases))).toEqual([200, "served"])
    }).pipe(Effect.provide(serving()))
  )

  it.scopedLive("of 100 MB whose length nobody told is refused, and is not kept meanwhile", () =>
    Effect.gen(function* () {
      const before = process.memoryUsage().arrayBuffers
      const answer = yield* call({ method: "POST", path: releases, headers: json, body: megabytes(100) })
      expect(answer).toMatchObject({ status: 413, json: { _tag: "BodyTooLarge" } })
      expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(32 * 1024 * 1024)
    }).pipe(Effect.provide(serving()))
  )

  it.scopedLive("is not looked at without the token", () =>
    Effect.gen(function* () {
      const headers = { "content-type": "application/json" }
      const answer = yield* call({ method: "POST", path: releases, headers, body: megabytes(100) })
      expect(answer).toMatchObject({ status: 401, json: { _tag: "AccessTokenRefused", reason: "Missing" } })
    }).pipe(Effect.provide(serving()))
  )

  it.scoped("that does not come to its end is given up after 15 seconds", () =>
    Effect.gen(function* () {
      const headers = { ...json, "content-length": "100" }
      const begun = yield* Effect.fork(call({ method: "POST", path: releases, headers, body: ["{"] }))
      const passing = TestClock.adjust("5 seconds").pipe(
        Effect.zipRight(Effect.promise(() => new Promise((resume) => setTimeout(resume, 20)))),
        Effect.forever
      )
      const answer = yield* Effect.raceFirst(Fiber.join(begun), passing)
      expect(answer).toMatchObject({ status: 408, json: { _tag: "BodyTooSlow", limitMillis: 15_000 } })
    }).pipe(Effect.provide(serving()))
  )

  it.scopedLive("that is no JSON, or not said to be, is refused by field and never repeated", () =>
    Effect.gen(function* () {
      const sending = (type: string, body: string) =>
        call({
          method: "POST",
          path: releases,
          headers: { ...bearer, "content-type": type },
          body: [body]
        })
      for (const [type, body] of [
        ["application/json", "{ no json"],
        ["application/json", ""],
        ["text/plain", "{}"],
        ["application/x-www-form-urlencoded", "by=ada"],
        ["multipart/form-data; boundary=x", "--x--"]
      ] as const) {
        expect(yield* verdict(sending(type, body)), type).toEqual([400, "MalformedRequest"])
      }
      const wrong = yield* post(releases, {
        releaseId: "",
        extension: { _tag: "Named", name: "words", type: "bundle", version: "*" },
        archive: { _tag: "Url", url: "https://ada:canary-password@example.com/words.zip" },
        policy: "canary-policy"
      })
      expect(wrong).toMatchObject({ status: 400, json: { _tag: "MalformedRequest" } })
      expect(wrong.text).not.toContain("canary")
      expect(Object(wrong.json).message).toMatch(/^The request cannot be used: releaseId: /)
      expect(Object(wrong.json).message).toContain(Object(wrong.json).remedy)
    }).pipe(Effect.provide(serving()))
  )
})

describe("what is served", () => {
  it.scopedLive("says itself that nothing else may be run, framed, guessed or kept", () =>
    Effect.gen(function* () {
      const policy =
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
        "frame-ancestors 'none'; base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
      for (const path of ["/", "/page.js", "/page.css", "/page.svg", releases, "/nowhere", "/healthz"]) {
        const { headers } = yield* get(path)
        expect(headers, path).toMatchObject({
          "content-security-policy": policy,
          "x-content-type-options": "nosniff",
          "referrer-policy": "no-referrer",
          "cache-control": "no-store",
          "cross-origin-resource-policy": "same-origin"
        })
        expect(headers["set-cookie"]).toBeUndefined()
      }
      const { text } = yield* get("/", {})
      expect(text).not.toMatch(/<script(?![^>]* src=)|<style|style=| on\w+=|javascript:/i)
    }).pipe(Effect.provide(serving()))
  )

  it.scopedLive("is the page with its parts, and a description of the API, without the token", () =>
    Effect.gen(function* () {
      for (const [path, type] of [
        ["/", "text/html; charset=utf-8"],
        ["/page.js", "text/javascript; charset=utf-8"],
        ["/page.css", "text/css; charset=utf-8"],
        ["/page.svg", "image/svg+xml"],
        ["/openapi.json", "application/json"]
      ] as const) {
        const { headers, status } = yield* get(path, {})
        expect([status, headers["content-type"]], path).toEqual([200, type])
      }
    }).pipe(Effect.provide(serving()))
  )

  it.scopedLive("is only its health where nobody asked for more, and that on any address", () =>
    Effect.gen(function* () {
      expect(yield* get("/healthz", {})).toMatchObject({ status: 200, text: "alive\n" })
      expect(yield* get("/readyz", {})).toMatchObject({ status: 200, text: "ready\n" })
      for (const path of ["/", "/openapi.json", "/metrics", releases]) {
        expect(yield* verdict(get(path)), path).toEqual([404, "NothingHere"])
      }
    }).pipe(Effect.provide(serving({ host: "0.0.0.0", api: undefined })))
  )

  it.scopedLive("tells why the runner is not ready, and its metrics", () =>
    Effect.gen(function* () {
      expect(yield* get("/readyz", {})).toMatchObject({ status: 503, text: "the database is away\n" })
      expect(yield* get("/metrics", {})).toMatchObject({
        text: "releases_total 1\n",
        headers: { "content-type": "text/plain; version=0.0.4; charset=utf-8" }
      })
    }).pipe(
      Effect.provide(
        serving({
          obstacle: Effect.succeedSome("the database is away"),
          metrics: Effect.succeed("releases_total 1\n")
        })
      )
    )
  )

  it.scopedLive("is a typed answer for a mistake of the runner's own, which is in its log alone", () => {
    const { layer, lines } = logs()
    return Effect.gen(function* () {
      const { json, status, text } = yield* get("/metrics", {})
      expect([status, Object(json)._tag]).toEqual([500, "RunnerFault"])
      expect(text).not.toContain("canary")
      expect(lines.filter(({ level }) => level === "ERROR").map(({ text }) => text)).toEqual([
        expect.stringContaining("canary")
      ])
    }).pipe(Effect.provide(serving({ metrics: Effect.dieMessage("canary") })), Effect.provide(layer))
  })
})

describe("the environment", () => {
  const reading = (variables: Readonly<Record<string, string>>) =>
    RunnerHttp.apiOptions.pipe(
      Effect.withConfigProvider(ConfigProvider.fromMap(new Map(Object.entries(variables)))),
      Effect.provide(NodeContext.layer)
    )

  it.scoped("gives the token, as it is or in a file, and further names", () =>
    Effect.gen(function* () {
      expect(yield* reading({})).toEqual({ token: undefined, names: [] })
      expect(
        yield* reading({ EC_RUNNER_TOKEN: ` ${token} `, EC_RUNNER_NAMES: "a.example, b.example," })
      ).toEqual({
        token: Redacted.make(token),
        names: ["a.example", "b.example"]
      })
      const file = yield* fileWith(new TextEncoder().encode(`${token}\n`))
      expect(yield* reading({ EC_RUNNER_TOKEN_FILE: file })).toMatchObject({ token: Redacted.make(token) })
    }).pipe(Effect.provide(NodeContext.layer))
  )

  it.scoped("is refused where it does not say which token is meant, or has none in its file", () =>
    Effect.gen(function* () {
      const empty = yield* fileWith(new TextEncoder().encode(" \n"))
      for (const [variables, problem] of [
        [{ EC_RUNNER_TOKEN_FILE: empty }, "its file is empty"],
        [{ EC_RUNNER_TOKEN_FILE: `${empty}-gone` }, "its file cannot be read"],
        [{ EC_RUNNER_TOKEN_FILE: empty, EC_RUNNER_TOKEN: token }, "cannot be set beside EC_RUNNER_TOKEN"]
      ] as const) {
        const error = yield* Effect.flip(reading(variables))
        expect(String(error)).toContain(problem)
        expect(String(error)).toContain("EC_RUNNER_TOKEN_FILE")
        expect(String(error)).not.toContain(token)
      }
    }).pipe(Effect.provide(NodeContext.layer))
  )

  it.scopedLive("says where to listen, and that it needs a token there", () => {
    const starting = (variables: Readonly<Record<string, string>>) =>
      Layer.build(
        RunnerHttp.layerConfig().pipe(
          Layer.provide(Layer.merge(EngineMemory.layer, place())),
          Layer.provide(Layer.setConfigProvider(ConfigProvider.fromMap(new Map(Object.entries(variables)))))
        )
      )
    return Effect.gen(function* () {
      const variables = { EC_RUNNER_LISTEN: "127.0.0.1:0", EC_RUNNER_TOKEN: token }
      const answer = yield* Effect.provide(verdict(get(releases)), yield* starting(variables))
      expect(answer).toEqual([200, "served"])
      const error = yield* Effect.flip(starting({ EC_RUNNER_LISTEN: "0.0.0.0:0" }))
      expect(error).toMatchObject({ _tag: "AccessTokenRequired", host: "0.0.0.0" })
    })
  })
})

describe("the server", () => {
  it.scopedLive("ends with its scope, though somebody has not sent the whole request", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const runner = yield* Scope.extend(Layer.build(serving()), scope)
      const headers = { ...bearer, "content-type": "application/json", "content-length": "100" }
      const hanging = call({ method: "POST", path: releases, headers, body: ["{"] })
      const cut = yield* Effect.fork(Effect.provide(Effect.flip(hanging), runner))
      // Served on another connection, so the first one is there.
      yield* Effect.provide(get(releases), runner)
      yield* Scope.close(scope, Exit.void)
      expect(String(yield* Fiber.join(cut))).toMatch(/ECONNRESET|ECONNREFUSED|socket hang up/)
    })
  )

  it.scopedLive("says which address it cannot listen on", () =>
    Effect.gen(function* () {
      const { port } = yield* address
      const error = yield* Effect.flip(Layer.build(Layer.fresh(serving({ port }))))
      expect(error).toMatchObject({ _tag: "ListenFailed", host: "127.0.0.1", port, detail: "EADDRINUSE" })
    }).pipe(Effect.provide(serving()))
  )
})
