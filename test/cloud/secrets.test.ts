import type { IncomingHttpHeaders } from "node:http"
import * as Headers from "@effect/platform/Headers"
import * as HttpBody from "@effect/platform/HttpBody"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Inspectable from "effect/Inspectable"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import * as Tracer from "effect/Tracer"
import { ExtensionId } from "../../src/cloud/ExtensionId.ts"
import { ExtensionsClient } from "../../src/cloud/ExtensionsClient.ts"
import { apiKey, clientFor, extensionBody, scriptedServer } from "../support/cloud/scriptedServer.ts"

const id = ExtensionId.make("882519870")

/** Everything that a tracer is told, whoever tells it. */
const recordingTracer = (records: Array<unknown>) =>
  Tracer.make({
    span: (name, parent, context, links, startTime, kind) => {
      const attributes = new Map<string, unknown>()
      records.push(name, attributes)
      return {
        _tag: "Span",
        name,
        spanId: "0000000000000001",
        traceId: "00000000000000000000000000000001",
        parent,
        context,
        links,
        sampled: true,
        kind,
        status: { _tag: "Started", startTime },
        attributes,
        attribute: (key, value) => attributes.set(key, value),
        event: (name, _, attributes) => records.push(name, attributes),
        addLinks: () => {},
        end: (_, exit) => records.push(exit)
      }
    },
    context: (f) => f()
  })

const print = (records: ReadonlyArray<unknown>): string =>
  records
    .map((record) =>
      record instanceof Map
        ? JSON.stringify([...record])
        : `${String(record)} ${Inspectable.toStringUnknown(record)}`
    )
    .join("\n")

const isTraceHeader = (name: string): boolean => /^(traceparent|tracestate|b3|x-b3-.*|baggage)$/.test(name)

describe("spans and logs", () => {
  it.effect("say what happened and hold no secret", () =>
    Effect.gen(function* () {
      const records: Array<unknown> = []
      const logs: Array<unknown> = []
      const sent: Array<IncomingHttpHeaders> = []
      const { origin } = yield* scriptedServer((response, request) => {
        sent.push(request.headers)
        const status = request.url.includes("secret-path") ? 403 : request.method === "DELETE" ? 500 : 200
        response.writeHead(status, { location: `${origin}/secret-path/1?token=topsecret` })
        response.end(JSON.stringify({ ...extensionBody, name: request.method === "POST" ? [apiKey] : "a" }))
      })
      const logger = Logger.make(({ message, cause, annotations, spans }) => {
        logs.push(message, cause, annotations, spans)
      })
      const link = Redacted.make(`${origin}/secret-path/file.zip?X-Amz-Signature=topsecret`)

      yield* Effect.gen(function* () {
        const client = yield* ExtensionsClient
        yield* client.get(id)
        yield* client.upload(id, HttpBody.text("zip"))
        yield* client.uploadWith(id, (transport, request) =>
          Effect.zipRight(
            transport.client.execute(HttpClientRequest.head(`${origin}/secret-path/1?token=topsecret`)),
            transport.client.execute(request)
          )
        )
        yield* Effect.flip(client.delete(id)).pipe(Effect.tap((error) => Effect.logError("failed", error)))
        yield* Effect.flip(client.create({ name: "a", version: "*", type: "bundle" }))
        yield* client.download(link).pipe(
          Stream.runDrain,
          Effect.tapErrorCause((cause) => Effect.logError("refused", cause)),
          Effect.flip
        )
      }).pipe(
        Effect.provide(clientFor(origin, NodeHttpClient.layer)),
        Effect.withTracer(recordingTracer(records)),
        // Even where an application has switched the redaction of header names off.
        Effect.locally(Headers.currentRedactedNames, []),
        Effect.provide(
          Layer.merge(Logger.replace(Logger.defaultLogger, logger), Logger.minimumLogLevel(LogLevel.All))
        )
      )

      const names = records.filter((record) => typeof record === "string")
      expect(names).toEqual([
        ...["ExtensionsClient.get", "GET"],
        ...["ExtensionsClient.upload", "PUT"],
        ...["ExtensionsClient.upload", "HEAD", "PUT"],
        ...["ExtensionsClient.delete", "DELETE"],
        ...["ExtensionsClient.create", "POST"],
        ...["ExtensionsClient.download", "GET"]
      ])
      const [operation, request] = records.filter((record) => record instanceof Map)
      expect(operation).toEqual(new Map([["elastic.extension.id", id]]))
      expect(request).toEqual(
        new Map<string, unknown>([
          ["http.request.method", "GET"],
          ["server.address", "127.0.0.1"],
          ["server.port", Number(new URL(origin).port)],
          ["http.response.status_code", 200]
        ])
      )
      // What is created has no id yet.
      const created = records[records.indexOf("ExtensionsClient.create") + 1]
      expect(created instanceof Map && !created.has("elastic.extension.id")).toBe(true)
      expect(sent.flatMap((headers) => Object.keys(headers)).filter(isTraceHeader)).toEqual([])
      const printed = print([...records, ...logs])
      expect(printed).toContain("VerificationLinkRefused")
      expect(printed).not.toContain(apiKey)
      expect(printed).not.toMatch(/secret-path|topsecret/)
    }).pipe(Effect.scoped)
  )
})
