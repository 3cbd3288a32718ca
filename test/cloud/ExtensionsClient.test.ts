import { readFileSync } from "node:fs"
import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import * as HttpBody from "@effect/platform/HttpBody"
import * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import { describe, expect, it } from "@effect/vitest"
import * as ConfigProvider from "effect/ConfigProvider"
import * as DateTime from "effect/DateTime"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import { updateRequest } from "../../src/cloud/Extension.ts"
import { ExtensionId } from "../../src/cloud/ExtensionId.ts"
import * as ExtensionsClient from "../../src/cloud/ExtensionsClient.ts"
import { download } from "../../src/cloud/internal/verificationLink.ts"
import { TransportCapabilities } from "../../src/transfer/Exchange.ts"
import {
  against,
  apiKey,
  clientFor,
  extensionBody,
  resourceHeaders,
  scriptedServer
} from "../support/cloud/scriptedServer.ts"

const id = ExtensionId.make("882519870")
const answer = (status: number) => ({ status, headers: resourceHeaders, body: extensionBody })
const bundle = { name: "dict-en", version: "*", type: "bundle" } as const

const zip = HttpBody.uint8Array(new TextEncoder().encode("PK\u0003\u0004"), "application/zip")

describe.each([
  ["FetchHttpClient", FetchHttpClient.layer],
  ["NodeHttpClient", NodeHttpClient.layer],
  ["NodeHttpClient over undici", NodeHttpClient.layerUndici]
])("ExtensionsClient over %s", (_, httpClient) => {
  it.effect("gets an extension with its resource headers", () =>
    Effect.gen(function* () {
      const { exit, requests } = yield* against(answer(200), (client) => client.get(id), httpClient)
      const { extension, resource } = Either.getOrThrow(exit)
      expect(extension).toMatchObject({ id, name: "analysis-acme", type: "plugin" })
      expect(resource.version).toEqual(Option.some("17"))
      expect(Option.map(resource.created, DateTime.formatIso)).toEqual(
        Option.some("2025-12-31T23:59:59.000Z")
      )
      expect(requests).toMatchObject([
        {
          method: "GET",
          url: "/api/v1/deployments/extensions/882519870",
          body: "",
          headers: { authorization: `ApiKey ${apiKey}`, accept: "application/json" }
        }
      ])
    })
  )

  it.effect("asks for deployments only when told to", () =>
    Effect.gen(function* () {
      const { requests } = yield* against(
        answer(200),
        (client) =>
          Effect.all([
            client.get(id, { includeDeployments: true }),
            client.get(id, { includeDeployments: false }),
            client.get(id, {})
          ]),
        httpClient
      )
      const path = "/api/v1/deployments/extensions/882519870"
      expect(requests.map(({ url }) => url)).toEqual([`${path}?include_deployments=true`, path, path])
    })
  )

  it.effect("lists", () =>
    Effect.gen(function* () {
      const { exit, requests } = yield* against(
        { status: 200, body: { extensions: [extensionBody, { ...extensionBody, id: "2", url: null }] } },
        (client) => client.list,
        httpClient
      )
      expect(Either.getOrThrow(exit).map((extension) => extension.id)).toEqual(["882519870", "2"])
      expect(requests).toMatchObject([{ method: "GET", url: "/api/v1/deployments/extensions" }])
    })
  )

  it.effect("creates with 201", () =>
    Effect.gen(function* () {
      const { exit, requests } = yield* against(answer(201), (client) => client.create(bundle), httpClient)
      expect(Either.getOrThrow(exit).extension.id).toBe(id)
      expect(requests).toMatchObject([
        {
          method: "POST",
          url: "/api/v1/deployments/extensions",
          headers: { "content-type": "application/json" }
        }
      ])
      expect(JSON.parse(requests[0]?.body ?? "")).toEqual({
        name: "dict-en",
        version: "*",
        extension_type: "bundle"
      })
    })
  )

  it.effect("updates, sending again what stays", () =>
    Effect.gen(function* () {
      const { exit, requests } = yield* against(
        (response, { method }) => {
          response.writeHead(200, { "content-type": "application/json", ...resourceHeaders })
          response.end(
            JSON.stringify({ ...extensionBody, ...(method === "POST" ? { version: "8.17.1" } : {}) })
          )
        },
        (client) =>
          Effect.flatMap(client.get(id), ({ extension }) =>
            client.update(id, updateRequest(extension, { version: "8.17.1" }))
          ),
        httpClient
      )
      expect(Either.isRight(exit)).toBe(true)
      expect(requests[1]).toMatchObject({ method: "POST", url: "/api/v1/deployments/extensions/882519870" })
      expect(JSON.parse(requests[1]?.body ?? "")).toEqual({
        name: "analysis-acme",
        version: "8.17.1",
        extension_type: "plugin",
        description: "An analyser"
      })
    })
  )

  it.effect("uploads with one PUT and the body as given", () =>
    Effect.gen(function* () {
      const { exit, requests } = yield* against(answer(200), (client) => client.upload(id, zip), httpClient)
      expect(Either.getOrThrow(exit).resource.version).toEqual(Option.some("17"))
      expect(requests).toMatchObject([
        {
          method: "PUT",
          url: "/api/v1/deployments/extensions/882519870",
          headers: {
            authorization: `ApiKey ${apiKey}`,
            "content-type": "application/zip",
            "content-length": "4"
          },
          body: "PK\u0003\u0004"
        }
      ])
    })
  )

  it.effect("deletes, whether the answer is an empty object or nothing", () =>
    Effect.gen(function* () {
      for (const [status, body] of [
        [200, {}],
        [200, undefined],
        [204, undefined]
      ] as const) {
        const { exit, requests } = yield* against(
          { status, headers: resourceHeaders, body },
          (client) => client.delete(id),
          httpClient
        )
        expect(Either.getOrThrow(exit).version).toEqual(Option.some("17"))
        expect(requests).toMatchObject([
          { method: "DELETE", url: "/api/v1/deployments/extensions/882519870" }
        ])
      }
    })
  )

  it.effect("sends no trace headers and names itself", () =>
    Effect.gen(function* () {
      const { requests } = yield* against(
        answer(200),
        (client) => Effect.withSpan(client.get(id), "caller"),
        httpClient
      )
      const headers = requests[0]?.headers ?? {}
      const { version } = JSON.parse(readFileSync("package.json", "utf8"))
      expect(headers["user-agent"]).toBe(`effect-elastic-extensions/${version}`)
      expect(Object.keys(headers)).not.toContain("traceparent")
      expect(Object.keys(headers)).not.toContain("b3")
    })
  )

  it.effect("fails with a TransferError when the answer breaks off", () =>
    Effect.gen(function* () {
      const { exit, origin } = yield* against(
        (response) => {
          response.writeHead(200, { "content-length": "1000" })
          response.write('{"id":', () => response.destroy())
        },
        (client) => client.get(id),
        httpClient
      )
      expect(Either.getOrThrow(Either.flip(exit))).toMatchObject({
        _tag: "ConnectionFailed",
        phase: "receiving",
        origin
      })
    })
  )

  it.effect("fails with a TransferError when nobody is there", () =>
    Effect.gen(function* () {
      const { origin } = yield* Effect.scoped(scriptedServer(answer(200)))
      const error = yield* Effect.flatMap(ExtensionsClient.ExtensionsClient, (client) => client.get(id)).pipe(
        Effect.provide(clientFor(origin, httpClient)),
        Effect.flip
      )
      expect(error).toMatchObject({ _tag: "ConnectionFailed", origin, isRetryable: true })
      expect(JSON.stringify(error) + error.message).not.toContain(apiKey)
    })
  )
})

describe("ExtensionsClient", () => {
  it.effect("takes another 2xx when everything is in it", () =>
    Effect.gen(function* () {
      const { exit } = yield* against(answer(200), (client) => client.create(bundle))
      expect(Either.getOrThrow(exit).extension.id).toBe(id)
      const { exit: accepted } = yield* against({ status: 202, body: { accepted: true } }, (client) =>
        client.upload(id, zip)
      )
      expect(Either.getOrThrow(Either.flip(accepted))).toMatchObject({
        _tag: "UnexpectedResponse",
        status: 202,
        body: '{"accepted":true}'
      })
    })
  )

  it.effect("sends no request that breaks a rule", () =>
    Effect.gen(function* () {
      const { exit, requests } = yield* against(answer(200), (client) =>
        Effect.all([
          Effect.flip(client.create({ ...bundle, name: "no spaces" })),
          Effect.flip(client.update(id, { ...bundle, type: "plugin" }))
        ])
      )
      const [creation, update] = Either.getOrThrow(exit)
      expect(creation).toMatchObject({ _tag: "InvalidRequest", operation: "create", isRetryable: false })
      expect(creation.message).toMatch(
        /^Creating the extension was not tried: name: Extension names hold ASCII/
      )
      expect(update).toMatchObject({
        _tag: "InvalidRequest",
        extensionId: id,
        problems: [{ path: "version" }]
      })
      expect(requests).toEqual([])
    })
  )

  it.effect("is configured by the environment", () =>
    Effect.gen(function* () {
      const { origin, requests } = yield* scriptedServer(answer(200))
      const layer = ExtensionsClient.layerConfig.pipe(Layer.provide(FetchHttpClient.layer))
      yield* Effect.flatMap(ExtensionsClient.ExtensionsClient, (client) => client.get(id)).pipe(
        Effect.provide(layer),
        Effect.withConfigProvider(
          ConfigProvider.fromMap(
            new Map([
              ["EC_API_KEY", "from-env"],
              ["EC_HOST", origin]
            ])
          )
        )
      )
      expect(requests).toMatchObject([{ headers: { authorization: "ApiKey from-env" } }])
    }).pipe(Effect.scoped)
  )

  it.effect("stops the request when interrupted", () =>
    Effect.gen(function* () {
      const asked = yield* Deferred.make<void>()
      const closed = yield* Deferred.make<void>()
      const { exit } = yield* against(
        (response) => {
          response.once("close", () => Deferred.unsafeDone(closed, Effect.void))
          Deferred.unsafeDone(asked, Effect.void)
        },
        (client) =>
          Effect.zipRight(Effect.raceFirst(client.get(id), Deferred.await(asked)), Deferred.await(closed)),
        NodeHttpClient.layer
      )
      expect(exit).toEqual(Either.right(undefined))
    })
  )
})

describe("uploadWith", () => {
  const capabilities = { interimResponses: true, expectContinue: false, connectAhead: () => Effect.void }

  it.effect("hands over the prepared request, a bare client and what the transport can do", () =>
    Effect.gen(function* () {
      const seen: Array<ExtensionsClient.UploadTransport> = []
      const { origin, requests } = yield* scriptedServer(answer(200))
      const layer = clientFor(origin).pipe(Layer.provide(Layer.succeed(TransportCapabilities, capabilities)))
      const { extension } = yield* Effect.flatMap(ExtensionsClient.ExtensionsClient, (client) =>
        client.uploadWith(id, (transport, request) =>
          Effect.gen(function* () {
            seen.push(transport)
            expect(request).toMatchObject({
              method: "PUT",
              url: `${origin}/api/v1/deployments/extensions/882519870`,
              body: { _tag: "Empty" }
            })
            yield* transport.client.execute(HttpClientRequest.head(`${origin}/uploads/1`))
            return yield* transport.client.execute(HttpClientRequest.setBody(request, zip))
          })
        )
      ).pipe(Effect.provide(layer))

      expect(extension.id).toBe(id)
      expect(seen).toMatchObject([{ origin, capabilities }])
      expect(requests.map(({ method, headers }) => [method, headers.authorization])).toEqual([
        ["HEAD", undefined],
        ["PUT", `ApiKey ${apiKey}`]
      ])
    }).pipe(Effect.scoped)
  )

  it.effect("reads the final response as upload does, and lets the caller's own errors through", () =>
    Effect.gen(function* () {
      const refused = yield* against(
        { status: 404, body: { errors: [{ code: "extensions.not_found", message: "no" }] } },
        (client) => client.uploadWith(id, ({ client }, request) => client.execute(request))
      )
      expect(Either.getOrThrow(Either.flip(refused.exit))).toMatchObject({
        _tag: "ExtensionNotFound",
        operation: "upload",
        extensionId: id
      })
      const own = yield* against(answer(200), (client) =>
        client.uploadWith(id, () => Effect.fail("mine" as const))
      )
      expect(own.exit).toEqual(Either.left("mine"))
      expect(own.requests).toEqual([])
    })
  )
})

describe("a link to a stored archive", () => {
  /** Whatever is asked for answers with these bytes: what is not to be asked for shows by its error. */
  const anywhere = HttpClient.make((request) =>
    Effect.succeed(HttpClientResponse.fromWeb(request, new Response("PK")))
  )

  it.effect.each([
    ["https://api.example", "https://store.example/a", "PK"],
    ["http://127.0.0.1:1234", "http://store.example/a", "PK"],
    ["http://127.0.0.1:1234", "https://store.example/a", "PK"],
    ["https://api.example", "http://store.example/a", "Insecure"],
    ["https://api.example", "https://user@store.example/a", "NotHttp"],
    ["https://api.example", "https://:password@store.example/a", "NotHttp"],
    ["https://api.example", "ftp://store.example/a", "NotHttp"],
    ["https://api.example", "/a", "NotHttp"]
  ] as const)("of %s to %s is %s", ([apiOrigin, link, outcome]) =>
    Effect.gen(function* () {
      const found = yield* download(anywhere, Redacted.make(link), apiOrigin).pipe(
        Stream.decodeText(),
        Stream.mkString,
        Effect.catchTag("VerificationLinkRefused", ({ reason }) => Effect.succeed(reason))
      )
      expect(found).toBe(outcome)
    })
  )
})
