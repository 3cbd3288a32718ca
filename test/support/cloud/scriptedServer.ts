/** A real HTTP server that answers as it is told and writes down what it was asked. */
import * as NodeHttp from "node:http"
import type { AddressInfo } from "node:net"
import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as ElasticCloudConfig from "../../../src/cloud/ElasticCloudConfig.ts"
import * as ExtensionsClient from "../../../src/cloud/ExtensionsClient.ts"

export const apiKey = "c2VjcmV0LWlk+OnNlY3/JldC1rZXk="

export interface RecordedRequest {
  readonly method: string
  readonly url: string
  readonly headers: NodeHttp.IncomingHttpHeaders
  readonly body: string
}

export interface Answer {
  readonly status: number
  readonly headers?: NodeHttp.OutgoingHttpHeaders
  readonly body?: unknown
}

export type Script = Answer | ((response: NodeHttp.ServerResponse, request: RecordedRequest) => void)

const write = (response: NodeHttp.ServerResponse, answer: Answer) => {
  const text =
    typeof answer.body === "string" || answer.body === undefined ? answer.body : JSON.stringify(answer.body)
  response.writeHead(answer.status, {
    ...(text === undefined ? {} : { "content-type": "application/json" }),
    ...answer.headers
  })
  response.end(text)
}

export const scriptedServer = (script: Script) =>
  Effect.gen(function* () {
    const requests: Array<RecordedRequest> = []
    const server = NodeHttp.createServer((incoming, response) => {
      const chunks: Array<Buffer> = []
      incoming.on("data", (chunk: Buffer) => chunks.push(chunk))
      incoming.on("end", () => {
        const request = {
          method: incoming.method ?? "",
          url: incoming.url ?? "",
          headers: incoming.headers,
          body: Buffer.concat(chunks).toString("latin1")
        }
        requests.push(request)
        if (typeof script === "function") script(response, request)
        else write(response, script)
      })
    })
    yield* Effect.acquireRelease(
      Effect.async<void>((resume) => {
        server.listen(0, "127.0.0.1", () => resume(Effect.void))
      }),
      () =>
        Effect.async<void>((resume) => {
          server.close(() => resume(Effect.void))
          server.closeAllConnections()
        })
    )
    const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    return { origin, requests }
  })

export const clientFor = (origin: string, httpClient = FetchHttpClient.layer) =>
  ExtensionsClient.layer.pipe(
    Layer.provide(ElasticCloudConfig.layer({ apiKey, endpoint: origin })),
    Layer.provide(httpClient),
    Layer.orDie
  )

/** One call of the client against a server that follows the script, and what the server was asked. */
export const against = <A, E>(
  script: Script,
  use: (
    client: ExtensionsClient.ExtensionsClient["Type"],
    server: { readonly origin: string }
  ) => Effect.Effect<A, E>,
  httpClient = FetchHttpClient.layer
) =>
  Effect.gen(function* () {
    const server = yield* scriptedServer(script)
    const layer = clientFor(server.origin, httpClient)
    const exit = yield* Effect.flatMap(ExtensionsClient.ExtensionsClient, (client) =>
      use(client, server)
    ).pipe(Effect.provide(layer), Effect.either)
    return { exit, requests: server.requests, origin: server.origin }
  }).pipe(Effect.scoped)

export const extensionBody = {
  id: "882519870",
  name: "analysis-acme",
  url: "repo://882519870",
  version: "8.17.0",
  extension_type: "plugin",
  description: "An analyser",
  download_url: null,
  deployments: ["d1", "d2"],
  file_metadata: {
    last_modified_date: "2026-01-02T03:04:05.678Z",
    size: 1234,
    url: "https://store.example/secret-path/file.zip?X-Amz-Signature=topsecret"
  }
}

export const resourceHeaders = {
  "x-cloud-resource-version": "17",
  "x-cloud-resource-created": "2025-12-31T23:59:59.000Z",
  "x-cloud-resource-last-modified": "2026-01-02T03:04:05.678Z"
}
