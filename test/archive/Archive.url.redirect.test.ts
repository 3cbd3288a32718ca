import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Schedule from "effect/Schedule"
import * as Tracer from "effect/Tracer"
import * as Archive from "../../src/archive/Archive.ts"
import * as UploadHttpClient from "../../src/transfer/UploadHttpClient.ts"
import { rangeServer } from "../support/archive/rangeServer.ts"
import { held, options, readAll } from "../support/archive/urls.ts"

describe("where a redirect may lead", () => {
  const redirecting = (location: string) =>
    HttpClient.make((request) =>
      Effect.succeed(
        HttpClientResponse.fromWeb(request, new Response(null, { status: 302, headers: { location } }))
      )
    )

  for (const [location, words] of [
    ["http://builds.example/a.zip", "redirected from https to http"],
    ["ftp://builds.example/a.zip", "redirected, and its address is not an http or https URL"],
    ["https://user:hush@builds.example/a.zip", "redirected, and its address contains credentials"],
    ["/a.zip?again", "redirected without end"],
    ["http://[", "redirected, and its address is not an http or https URL"]
  ] as const) {
    it.effect(`not to ${location}`, () =>
      Effect.gen(function* () {
        const archive = Archive.url("https://builds.example/a.zip")
        const error = yield* Effect.flip(archive.stat)
        assert.include(error.message, words)
        assert.notInclude(error.message, "hush")
      }).pipe(Effect.provideService(HttpClient.HttpClient, redirecting(location)))
    )
  }

  it.scopedLive("with the caller's own settings for fetch", () =>
    Effect.gen(function* () {
      const server = yield* rangeServer(held)
      yield* Archive.url(server.url, options).stat.pipe(
        Effect.provideService(FetchHttpClient.RequestInit, { headers: { "x-mine": "kept" } })
      )
      assert.strictEqual(server.state.requests[0]?.headers["x-mine"], "kept")
    }).pipe(Effect.provide(FetchHttpClient.layer))
  )
})

describe("secrets", () => {
  const strict = Layer.effect(
    HttpClient.HttpClient,
    Effect.map(HttpClient.HttpClient, HttpClient.filterStatusOk)
  )

  it.scopedLive("are in no span and in no foreign header", () =>
    Effect.gen(function* () {
      const spans: Array<Tracer.Span> = []
      const native = yield* Effect.tracer
      const recording = Tracer.make({
        span: (...args) => {
          const span = native.span(...args)
          spans.push(span)
          return span
        },
        context: (run) => run()
      })
      const server = yield* rangeServer(held)
      const archive = Archive.url(`${server.url}?signature=hush+%7E#part`, {
        ...options,
        headers: { authorization: Redacted.make("Bearer hush") }
      })
      yield* readAll(archive).pipe(Effect.withSpan("caller"), Effect.withTracer(recording))
      assert.deepStrictEqual(
        spans.map(({ name }) => name),
        ["caller", "Archive.url.request", "Archive.url.request", "Archive.url.request"]
      )
      for (const span of spans) assert.notInclude(JSON.stringify([...span.attributes]), "hush")
      for (const { headers, url } of server.state.requests) {
        assert.strictEqual(url, "/builds/acme.zip?signature=hush+%7E")
        assert.strictEqual(headers.authorization, "Bearer hush")
        assert.isUndefined(headers["traceparent"])
        assert.isUndefined(headers["b3"])
      }
    }).pipe(Effect.provide(UploadHttpClient.layer()))
  )

  it.effect("are in no error, even where fetch quotes what it cannot send", () =>
    Effect.gen(function* () {
      const archive = Archive.url("http://127.0.0.1:1/a.zip?hush", {
        retry: Schedule.recurs(0),
        headers: { authorization: Redacted.make("hush\nhush ") }
      })
      const error = yield* Effect.flip(archive.stat)
      assert.include(error.message, "<redacted>")
      assert.notInclude(error.message, "hush")
    }).pipe(Effect.provide(FetchHttpClient.layer))
  )

  it.scopedLive("stay hidden by a client that takes every other status for a failure", () =>
    Effect.gen(function* () {
      const server = yield* rangeServer(held, (serve) => serve({ status: 404 }))
      const error = yield* Effect.flip(Archive.url(`${server.url}?signature=hush`, options).stat)
      assert.strictEqual(error.reason, "NotFound")
      assert.notInclude(error.message, "hush")
    }).pipe(Effect.provide(Layer.provide(strict, FetchHttpClient.layer)))
  )
})
