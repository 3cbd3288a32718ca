import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import { describe, expect, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import { ExtensionsClient } from "../../../src/cloud/ExtensionsClient.ts"
import { clientFor, scriptedServer } from "../../support/cloud/scriptedServer.ts"
import { recordingTracer, traceHeaders } from "../../support/upload/tracer.ts"

describe("download", () => {
  const download = (link: (origin: string) => string, script: Parameters<typeof scriptedServer>[0]) =>
    Effect.gen(function* () {
      const { origin, requests } = yield* scriptedServer(script)
      const result = yield* Effect.flatMap(ExtensionsClient, (client) =>
        client.download(Redacted.make(link(origin))).pipe(Stream.decodeText(), Stream.mkString)
      ).pipe(Effect.provide(clientFor(origin, NodeHttpClient.layer)), Effect.either)
      return { result, requests, origin }
    }).pipe(Effect.scoped)

  const secretLink = (origin: string) => `${origin}/secret-path/file.zip?X-Amz-Signature=topsecret`

  it.effect("is a plain GET without credentials, trace headers or content coding", () =>
    Effect.gen(function* () {
      const { result, requests } = yield* download(secretLink, { status: 200, body: "PK bytes" })
      expect(result).toEqual(Either.right("PK bytes"))
      expect(requests).toMatchObject([
        { method: "GET", url: "/secret-path/file.zip?X-Amz-Signature=topsecret" }
      ])
      expect(requests[0]?.headers).not.toHaveProperty("authorization")
      expect(requests[0]?.headers).not.toHaveProperty("traceparent")
      expect(requests[0]?.headers["accept-encoding"]).toBe("identity")
    })
  )

  it.effect("takes no trace and no key along to another origin", () =>
    Effect.gen(function* () {
      const api = yield* scriptedServer({ status: 200, body: { extensions: [] } })
      const store = yield* scriptedServer({ status: 200, body: "PK bytes" })
      const { spans, tracer } = recordingTracer()
      yield* Effect.flatMap(ExtensionsClient, (client) =>
        Effect.zipRight(
          client.list,
          Stream.runDrain(client.download(Redacted.make(secretLink(store.origin))))
        )
      ).pipe(
        Effect.withSpan("release"),
        Effect.provide(clientFor(api.origin, NodeHttpClient.layer)),
        Effect.withTracer(tracer)
      )
      expect(spans.map(({ name }) => name)).toContain("ExtensionsClient.download")
      expect([api, store].map(({ requests }) => requests.length)).toEqual([1, 1])
      for (const { requests } of [api, store]) {
        expect(requests.flatMap(({ headers }) => traceHeaders(headers))).toEqual([])
      }
      expect(store.requests[0]?.headers).not.toHaveProperty("authorization")
    }).pipe(Effect.scoped)
  )

  it.effect.each([400, 401, 403, 404, 410])("refused with %i is VerificationLinkRefused", (status) =>
    Effect.gen(function* () {
      const { result, origin } = yield* download(secretLink, { status, body: "<StringToSign>topsecret" })
      const error = Either.getOrThrow(Either.flip(result))
      expect(error).toMatchObject({ _tag: "VerificationLinkRefused", reason: "Refused", status, origin })
      expect(error.message).toContain("read the extension again for a new one")
      expect(JSON.stringify(error) + error.message + String(error)).not.toMatch(/secret-path|topsecret/)
    })
  )

  it.effect("over plain http is not asked for where the API is https", () =>
    Effect.gen(function* () {
      const { origin, requests } = yield* scriptedServer({ status: 200, body: "PK bytes" })
      const error = yield* Effect.flatMap(ExtensionsClient, (client) =>
        Effect.flip(Stream.runDrain(client.download(Redacted.make(secretLink(origin)))))
      ).pipe(Effect.provide(clientFor("https://api.example", NodeHttpClient.layer)))
      expect(error).toMatchObject({ _tag: "VerificationLinkRefused", reason: "Insecure", origin })
      expect(error.message).toContain("plain http")
      expect(String(error)).not.toMatch(/secret-path|topsecret/)
      expect(requests).toEqual([])
    }).pipe(Effect.scoped)
  )

  it.effect.each([
    [408, "RequestTimeout"],
    [429, "RateLimited"],
    [503, "ServiceUnavailable"],
    [302, "UnexpectedResponse"],
    [204, "UnexpectedResponse"],
    [206, "UnexpectedResponse"]
  ] as const)("answered with %i is %s", ([status, tag]) =>
    Effect.gen(function* () {
      const { result } = yield* download(secretLink, {
        status,
        headers: { location: "https://store.example/secret-path?sig=topsecret" },
        ...(status === 204 ? {} : { body: "topsecret" })
      })
      const error = Either.getOrThrow(Either.flip(result))
      expect(error).toMatchObject({ _tag: tag, operation: "download", status })
      expect(JSON.stringify(error) + error.message).not.toMatch(/secret-path|topsecret/)
    })
  )

  it.effect.each([
    "/secret-path/file.zip",
    "file:///etc/passwd",
    "ftp://h/secret-path",
    "secret-path",
    "",
    "data:,x"
  ])("of %j is refused without a request", (link) =>
    Effect.gen(function* () {
      const { result, requests } = yield* download(() => link, { status: 200, body: "x" })
      const error = Either.getOrThrow(Either.flip(result))
      expect(error).toMatchObject({ _tag: "VerificationLinkRefused", reason: "NotHttp" })
      expect(JSON.stringify(error) + error.message).not.toContain("secret-path")
      expect(requests).toEqual([])
    })
  )

  it.effect("of a link with credentials is refused without a request", () =>
    Effect.gen(function* () {
      const { result, requests } = yield* download((origin) => origin.replace("//", "//user:topsecret@"), {
        status: 200,
        body: "x"
      })
      expect(Either.getOrThrow(Either.flip(result))._tag).toBe("VerificationLinkRefused")
      expect(requests).toEqual([])
    })
  )

  it.effect("that breaks off is a TransferError without the link", () =>
    Effect.gen(function* () {
      const { result, origin } = yield* download(secretLink, (response) => {
        response.writeHead(200, { "content-length": "1000" })
        response.write("PK", () => response.destroy())
      })
      const error = Either.getOrThrow(Either.flip(result))
      expect(error).toMatchObject({ _tag: "ConnectionFailed", phase: "receiving", origin })
      expect(JSON.stringify(error) + error.message).not.toMatch(/secret-path|topsecret/)
    })
  )

  it.effect("gives its connection back when the stream is left early, and when it is refused", () =>
    Effect.gen(function* () {
      const closed = yield* Effect.all([Deferred.make<void>(), Deferred.make<void>()])
      const { origin } = yield* scriptedServer((response, request) => {
        const endless = request.url === "/endless"
        response.once("close", () => Deferred.unsafeDone(closed[endless ? 0 : 1], Effect.void))
        response.writeHead(endless ? 200 : 403)
        response.write("endless")
      })
      const client = yield* Effect.provide(ExtensionsClient, clientFor(origin, NodeHttpClient.layer))
      const first = yield* client
        .download(Redacted.make(`${origin}/endless`))
        .pipe(Stream.take(1), Stream.runCount)
      yield* Effect.flip(Stream.runDrain(client.download(Redacted.make(`${origin}/refused`))))
      yield* Effect.all(closed.map(Deferred.await))
      expect(first).toBe(1)
    }).pipe(Effect.scoped)
  )
})
