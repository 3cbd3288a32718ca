import { createServer, type IncomingMessage } from "node:http"
import type { AddressInfo } from "node:net"
import * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import { describe, expect, it } from "@effect/vitest"
import { Effect, Exit } from "effect"
import * as HttpSpan from "../../src/transfer/HttpSpan.ts"
import * as RetryPolicy from "../../src/transfer/RetryPolicy.ts"
import { fromHttpClientError } from "../../src/transfer/TransferError.ts"
import * as UploadHttpClient from "../../src/transfer/UploadHttpClient.ts"
import { recordingTracer } from "../support/upload/tracer.ts"

/** Answers with the status that the path asks for; keeps what it got. */
const server = Effect.acquireRelease(
  Effect.async<{ readonly url: string; readonly got: Array<IncomingMessage>; readonly close: () => void }>(
    (resume) => {
      const got: Array<IncomingMessage> = []
      const server = createServer((request, response) => {
        got.push(request)
        response.writeHead(Number(/\d+/.exec(request.url ?? "")?.[0] ?? 200), { location: "/secret" })
        response.end("a body")
      })
      server.listen(0, "127.0.0.1", () => {
        const { port } = server.address() as AddressInfo
        resume(Effect.succeed({ url: `http://127.0.0.1:${port}`, got, close: () => server.close() }))
      })
    }
  ),
  ({ close }) => Effect.sync(close)
)

const client = Effect.map(HttpClient.HttpClient, HttpSpan.traced)

describe("the span of a request", () => {
  it.scopedLive(
    "tells method, server and status; neither path, query nor header; and sends no trace along",
    () => {
      const { spans, tracer } = recordingTracer()
      return Effect.gen(function* () {
        const { got, url } = yield* server
        const request = HttpClientRequest.get(`${url}/secret/204?token=secret`).pipe(
          HttpClientRequest.setHeader("authorization", "secret")
        )
        const { status } = yield* Effect.flatMap(client, (client) => client.execute(request))
        expect(status).toBe(204)
        expect(spans.map(({ kind, name }) => [kind, name])).toEqual([
          ["internal", "caller"],
          ["client", "GET"]
        ])
        expect(Object.fromEntries(spans[1]?.attributes ?? [])).toEqual({
          "http.request.method": "GET",
          "http.response.status_code": 204,
          "server.address": "127.0.0.1",
          "server.port": Number(new URL(url).port)
        })
        expect(spans[1]?.status).toMatchObject({ _tag: "Ended", exit: Exit.void })
        expect(Object.keys(got[0]?.headers ?? {}).filter((name) => /trace|b3|baggage/.test(name))).toEqual([])
      }).pipe(Effect.withSpan("caller"), Effect.withTracer(tracer), Effect.provide(UploadHttpClient.layer()))
    }
  )

  it.scopedLive("fails with the status of an answer that refuses, which is handed on all the same", () => {
    const { spans, tracer } = recordingTracer()
    return Effect.gen(function* () {
      const { url } = yield* server
      const response = yield* Effect.flatMap(client, (client) => client.get(`${url}/404`))
      expect([response.status, yield* response.text]).toEqual([404, "a body"])
      const [span] = spans
      expect(span?.attributes.get("error.type")).toBe("404")
      expect(span?.status._tag === "Ended" && Exit.isFailure(span.status.exit)).toBe(true)
    }).pipe(Effect.withTracer(tracer), Effect.provide(UploadHttpClient.layer()))
  })

  it.scopedLive(
    "fails with the name of the error where there is no answer, and the error is the client's own",
    () => {
      const { spans, tracer } = recordingTracer()
      return Effect.gen(function* () {
        const error = yield* Effect.flip(
          Effect.flatMap(client, (client) => client.get("http://127.0.0.1:9/?secret"))
        )
        expect(error._tag).toBe("RequestError")
        expect(spans[0]?.attributes.get("error.type")).toBe("ConnectionFailed")
      }).pipe(Effect.withTracer(tracer), Effect.provide(UploadHttpClient.layer()))
    }
  )

  it.scopedLive("counts the attempts that came before", () => {
    const { spans, tracer } = recordingTracer()
    return Effect.gen(function* () {
      const { url } = yield* server
      const asking = Effect.flatMap(client, (client) => client.get(`${url}/503`)).pipe(
        Effect.mapError(fromHttpClientError),
        Effect.flatMap(() => Effect.fail({ isRetryable: true }))
      )
      yield* Effect.flip(RetryPolicy.retry()(asking))
      expect(spans.map(({ attributes }) => attributes.get("http.request.resend_count"))).toEqual([
        undefined,
        1,
        2
      ])
    }).pipe(
      Effect.withTracer(tracer),
      Effect.provide([RetryPolicy.layer({ baseDelay: "1 millis", maxRetries: 2 }), UploadHttpClient.layer()])
    )
  })
})
