import { describe, expect, it } from "@effect/vitest"
import { Deferred, Effect, Fiber } from "effect"
import * as Fault from "../../../src/testing/Fault.ts"
import { LocalElasticCloud } from "../../../src/testing/LocalElasticCloud.ts"
import { collector } from "../../support/cli/collector.ts"
import { objects, run, spawned } from "../../support/cli/program.ts"
import { place, world } from "../../support/cli/world.ts"
import { seed } from "../../support/upload/world.ts"

const host = (url: string) => ({
  "server.address": "127.0.0.1",
  "server.port": Number(new URL(url).port)
})

describe("an export by OTLP", () => {
  it.scopedLive(
    "tells an upload as one story: operations, attempts and requests, its figures, and its end",
    () =>
      Effect.gen(function* () {
        const { url } = yield* LocalElasticCloud
        const { archive, content, env } = yield* place()
        const id = yield* seed()
        const to = yield* collector()
        const ran = yield* run(["upload", id, archive], {
          env: {
            ...env,
            OTEL_EXPORTER_OTLP_ENDPOINT: `${to.url}/`,
            OTEL_EXPORTER_OTLP_HEADERS: "authorization=Bearer%20topsecret, x-team = a",
            OTEL_SERVICE_NAME: "releases",
            OTEL_RESOURCE_ATTRIBUTES: "deployment.environment.name=test%20bed,service.name=other,nonsense"
          }
        })
        expect(ran).toMatchObject({ code: 0 })
        expect(ran.err).not.toContain("warning")

        const spans = to.spans()
        const named = (name: string) => spans.filter((span) => span.name === name)
        const [root] = named("elastic-extensions upload")
        expect(root?.resource).toMatchObject({
          "service.name": "releases",
          "deployment.environment.name": "test bed",
          "service.instance.id": expect.stringMatching(/^[0-9a-f-]{36}$/)
        })
        expect(new Set(spans.map(({ traceId }) => traceId)).size).toBe(1)
        expect(spans.filter(({ parentSpanId }) => parentSpanId === undefined)).toEqual([root])
        const parents = new Map(
          spans.map(({ name, parentSpanId, spanId }) => [spanId, { name, parentSpanId }])
        )
        const pathOf = (spanId: string | undefined): ReadonlyArray<string> => {
          const span = spanId === undefined ? undefined : parents.get(spanId)
          return span === undefined ? [] : [...pathOf(span.parentSpanId), span.name]
        }
        const [put] = named("PUT")
        expect(pathOf(put?.spanId)).toEqual([
          "elastic-extensions upload",
          "ArchiveDelivery.deliver",
          "ExtensionUpload.upload",
          "ExtensionUpload.attempt",
          "ExtensionsClient.upload",
          "PUT"
        ])
        expect(put).toMatchObject({ kind: 3, status: { code: 1 } })
        expect(put?.attributes).toEqual({
          "http.request.method": "PUT",
          "http.response.status_code": 200,
          ...host(url)
        })
        expect(named("ExtensionUpload.attempt")[0]?.attributes).toEqual({
          "elastic.upload.attempt": 1,
          "elastic.upload.bytes_sent": content.length,
          "elastic.upload.bytes_resumed": 0
        })
        expect(named("ExtensionUpload.upload")[0]?.attributes).toMatchObject({
          "elastic.extension.id": id,
          "elastic.archive.size": content.length,
          "elastic.upload.outcome": "uploaded",
          "elastic.upload.proof": "hash",
          "elastic.upload.attempts": 1,
          "elastic.upload.bytes_sent": content.length,
          "elastic.upload.bytes_resumed": 0
        })
        for (const phase of ["decide", "verify"]) expect(named(`ExtensionUpload.${phase}`)).toHaveLength(1)

        const metrics = new Map(to.metrics().map((metric) => [metric.name, metric]))
        expect(metrics.get("elastic_extensions_upload_sent_bytes_total")).toMatchObject({ unit: "By" })
        expect(metrics.get("elastic_extensions_upload_duration_seconds")).toMatchObject({ unit: "s" })
        // Whatever else this process has uploaded for other tests is counted beside it.
        expect(
          metrics.get("elastic_extensions_uploads_total")?.points.map(({ attributes }) => attributes)
        ).toContainEqual(expect.objectContaining({ outcome: "uploaded", proof: "hash" }))
        for (const { points } of metrics.values())
          for (const { attributes } of points) expect(attributes).not.toHaveProperty("unit")

        expect(to.logs()).toMatchObject([
          {
            severityText: "INFO",
            body: { stringValue: "The upload is done, proved by hash." },
            traceId: root?.traceId,
            attributes: {
              "elastic.extension.id": id,
              "elastic.upload.outcome": "uploaded",
              "elastic.upload.proof": "hash",
              "elastic.archive.size": content.length
            }
          }
        ])
        for (const { headers } of to.received) {
          expect(headers).toMatchObject({
            authorization: "Bearer topsecret",
            "x-team": "a",
            "content-type": "application/json"
          })
          expect(Object.keys(headers)).not.toContain("traceparent")
        }
        const asked = yield* Effect.flatMap(LocalElasticCloud, (cloud) => cloud.requests)
        expect(asked.map(({ method }) => method)).toEqual(expect.arrayContaining(["GET", "PUT"]))
        expect(asked.some(({ path }) => path.startsWith("/files/"))).toBe(true)
        const headers = new Set(asked.flatMap(({ headers }) => Object.keys(headers)))
        expect([...headers].filter((name) => /^(traceparent|tracestate|baggage|b3|x-b3)/.test(name))).toEqual(
          []
        )

        const bodies = to.received.map(({ body }) => body).join("\n")
        for (const secret of ["topsecret", "local-key", "signature=", "/files/"])
          expect(bodies).not.toContain(secret)
      }).pipe(Effect.provide(world()))
  )

  it.scopedLive("tells a failure as an error with its name, and how often a request was made again", () =>
    Effect.gen(function* () {
      const cloud = yield* LocalElasticCloud
      const { archive, env } = yield* place()
      const id = yield* seed()
      yield* cloud.plan({ method: "PUT", times: 99, fault: Fault.answer({ status: 503 }) })
      const to = yield* collector()
      const ran = yield* run(["upload", id, archive], {
        env: { ...env, EC_UPLOAD_RETRIES: "2", OTEL_EXPORTER_OTLP_ENDPOINT: to.url }
      })
      expect(ran.code).toBe(2)
      const spans = to.spans()
      const puts = spans.filter(({ name }) => name === "PUT")
      expect(puts.map(({ attributes }) => attributes["http.request.resend_count"])).toEqual([undefined, 1, 2])
      for (const { attributes, events, status } of puts) {
        expect(status.code).toBe(2)
        expect(attributes).toMatchObject({ "error.type": "503", "http.response.status_code": 503 })
        expect(events).toMatchObject([{ name: "exception", attributes: { "exception.type": "503" } }])
      }
      const upload = spans.find(({ name }) => name === "ExtensionUpload.upload")
      expect(upload).toMatchObject({
        status: { code: 2 },
        attributes: {
          "error.type": "ServiceUnavailable",
          "elastic.upload.outcome": "failed",
          "elastic.upload.attempts": 3
        }
      })
      for (const { attributes } of spans) {
        expect(attributes).not.toHaveProperty(["status.interrupted"])
        expect(attributes).not.toHaveProperty(["span.label"])
      }
      expect(to.logs()).toMatchObject([
        {
          severityText: "WARN",
          attributes: { "error.type": "ServiceUnavailable", "elastic.upload.attempts": 3 }
        }
      ])
    }).pipe(Effect.provide(world()))
  )

  it.scopedLive("tells an interruption as neither success nor failure", () =>
    Effect.gen(function* () {
      const cloud = yield* LocalElasticCloud
      const { archive, env } = yield* place()
      const id = yield* seed()
      const isSent = yield* Deferred.make<void>()
      yield* cloud.plan({
        method: "PUT",
        fault: Fault.run("applied", Effect.zipRight(Deferred.succeed(isSent, undefined), Effect.never))
      })
      const to = yield* collector()
      const running = yield* Effect.fork(
        run(["upload", id, archive], { env: { ...env, OTEL_EXPORTER_OTLP_ENDPOINT: to.url } })
      )
      yield* Effect.zipRight(Deferred.await(isSent), Fiber.interrupt(running))
      const upload = to.spans().find(({ name }) => name === "ExtensionUpload.upload")
      expect(upload?.status).toEqual({ code: 0 })
      expect(upload?.attributes).toMatchObject({
        "status.interrupted": true,
        "elastic.upload.outcome": "interrupted"
      })
      expect(upload?.attributes).not.toHaveProperty(["error.type"])
    }).pipe(Effect.provide(world()))
  )
})

describe("a collector that does not take it", () => {
  const warning = /^warning: telemetry was not delivered: .*$/gm

  it.scopedLive.each([
    ["refuses", () => collector(() => 401), /answered 401/],
    ["is not there", () => Effect.succeed({ url: "http://127.0.0.1:9" }), /127\.0\.0\.1:9/],
    ["never answers", () => collector(() => "silence"), /2 seconds|No data/]
  ] as const)("and %s costs two seconds at most and one line, and not the exit code", ([, make, what]) =>
    Effect.gen(function* () {
      const { env } = yield* place()
      const { url } = yield* make()
      const began = performance.now()
      const ran = yield* run(["list"], { env: { ...env, OTEL_EXPORTER_OTLP_ENDPOINT: url } })
      expect(performance.now() - began).toBeLessThan(20_000)
      expect(ran.code).toBe(0)
      const said = ran.err.replaceAll(/\n\s+/g, " ").match(warning)
      expect(said).toHaveLength(1)
      expect(said?.[0]).toMatch(what)
      const failed = yield* run(["show", "nobody"], { env: { ...env, OTEL_EXPORTER_OTLP_ENDPOINT: url } })
      expect(failed.code).toBe(4)
    }).pipe(Effect.provide(world()))
  )

  it.scopedLive("is nobody's where the address is none, and nothing is said where it is switched off", () =>
    Effect.gen(function* () {
      const { env } = yield* place()
      const none = yield* run(["list"], { env: { ...env, OTEL_EXPORTER_OTLP_ENDPOINT: "collector" } })
      expect(none.code).toBe(0)
      expect(none.err.replaceAll(/\n\s+/g, " ")).toContain(
        "OTEL_EXPORTER_OTLP_ENDPOINT is not an http or https address"
      )
      const to = yield* collector()
      const off = yield* run(["list"], {
        env: { ...env, OTEL_EXPORTER_OTLP_ENDPOINT: to.url, OTEL_SDK_DISABLED: "true" }
      })
      expect(off).toMatchObject({ code: 0, err: "" })
      expect(to.received).toEqual([])
    }).pipe(Effect.provide(world()))
  )
})

describe("the log", () => {
  it.scopedLive("stays out of what a process writes", () =>
    Effect.gen(function* () {
      const { archive, env } = yield* place()
      const id = yield* seed()
      const to = yield* collector()
      const ran = yield* spawned(["upload", id, archive, "--json"], {
        env: { ...env, OTEL_EXPORTER_OTLP_ENDPOINT: to.url }
      })
      expect(ran).toMatchObject({ code: 0, err: "" })
      expect(objects(ran).at(-1)).toMatchObject({ _tag: "Uploaded" })
      expect(to.logs()).toHaveLength(1)
      expect(to.spans().length).toBeGreaterThan(5)
      expect(to.metrics().length).toBeGreaterThan(3)
    }).pipe(Effect.provide(world()))
  )
})
