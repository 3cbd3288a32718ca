/** Which requests go out on which connection, as the server sees it. */
import * as HttpBody from "@effect/platform/HttpBody"
import * as HttpClient from "@effect/platform/HttpClient"
import type * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import { describe, expect, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { TransportCapabilities } from "../../src/transfer/Exchange.ts"
import { fromHttpClientError } from "../../src/transfer/TransferError.ts"
import * as UploadHttpClient from "../../src/transfer/UploadHttpClient.ts"
import { authority } from "../support/transfer/authority.ts"
import { countingServer, endings } from "../support/transfer/counting.ts"
import { proxyTo } from "../support/transfer/proxy.ts"
import { eventually } from "../support/transfer/wire.ts"

const mebibyte = 1024 * 1024
const zip = "application/zip"
const text = (response: HttpClientResponse.HttpClientResponse) => response.text
const get = (url: string) => Effect.flatMap(HttpClient.get(url), text)
const put = (url: string, bytes = 1000) =>
  Effect.flatMap(HttpClient.put(url, { body: HttpBody.uint8Array(new Uint8Array(bytes), zip) }), text)
const connectAhead = (url: string) =>
  Effect.flatMap(TransportCapabilities, (capabilities) => capabilities.connectAhead(url))

/** An answer that nobody reads frees its connection in a turn of the event loop. */
const turn = Effect.promise(() => new Promise((resolve) => setTimeout(resolve, 10)))

const client = (options: UploadHttpClient.UploadHttpClientOptions = {}) =>
  Effect.provide(UploadHttpClient.layer(options))

describe("reads that follow each other", () => {
  it.scopedLive("share a connection", () =>
    Effect.gen(function* () {
      const server = yield* countingServer()
      yield* get(`${server.url}/1`)
      yield* Effect.zipRight(HttpClient.head(`${server.url}/2`), turn)
      yield* get(`${server.url}/3`)
      yield* put(`${server.url}/4`)
      yield* get(`${server.url}/5`)
      expect(server.requests()).toEqual([["GET /1", "HEAD /2", "GET /3", "GET /5"], ["PUT /4"]])
      expect(server.connections.map(({ headers }) => headers[0]?.connection)).toEqual(["keep-alive", "close"])
    }).pipe(client())
  )

  it.scopedLive("share a connection whether anyone reads the answers or not", () =>
    Effect.gen(function* () {
      const server = yield* countingServer()
      for (let n = 0; n < 3; n++)
        expect((yield* Effect.zipLeft(HttpClient.get(server.url), turn)).status).toBe(200)
      expect(server.requests()).toEqual([["GET /", "GET /", "GET /"]])
    }).pipe(client())
  )

  it.scopedLive("share one over TLS, and one through a proxy", () =>
    Effect.gen(function* () {
      const { ca, server: tls } = yield* authority
      const server = yield* countingServer({ tls })
      yield* Effect.zipRight(get(server.url), get(server.url)).pipe(client({ ca: [ca] }))
      const proxy = yield* proxyTo(server)
      const url = "https://upload.test/"
      yield* Effect.zipRight(get(url), get(url)).pipe(client({ ca: [ca], proxy: proxy.url }))
      expect(server.requests()).toEqual([
        ["GET /", "GET /"],
        ["GET /", "GET /"]
      ])
      expect(proxy.tunnels).toHaveLength(1)
    })
  )

  it.scopedLive("have one each while they are under way", () =>
    Effect.gen(function* () {
      const server = yield* countingServer()
      const three = Effect.all([get(server.url), get(server.url), get(server.url)], { concurrency: 3 })
      yield* three
      yield* three
      expect(server.requests()).toHaveLength(3)
    }).pipe(client())
  )

  it.scopedLive("do not share one with another origin, client or user of a proxy", () =>
    Effect.gen(function* () {
      const server = yield* countingServer()
      const proxy = yield* proxyTo(server)
      yield* Effect.zipRight(get("http://a.test/1"), get("http://b.test/2")).pipe(
        client({ proxy: proxy.url })
      )
      yield* get("http://a.test/3").pipe(client({ proxy: proxy.url.replace("//", "//ann:secret@") }))
      yield* get("http://a.test/4").pipe(client({ proxy: proxy.url.replace("//", "//bob:secret@") }))
      expect(server.requests()).toEqual([["GET /1"], ["GET /2"], ["GET /3"], ["GET /4"]])
      expect(new Set(proxy.tunnels.map(({ authorization }) => authorization)).size).toBe(3)
    })
  )

  it.scopedLive("are made again at once where the server closes the connection instead of answering", () =>
    Effect.gen(function* () {
      const server = yield* countingServer({
        onRequest: (request, _, nth) => {
          if (nth === 1) return "answer"
          request.socket.destroy()
          return "handled"
        }
      })
      for (let n = 1; n <= 3; n++) expect(yield* get(`${server.url}/${n}`)).toBe("stored")
      expect(server.requests()).toEqual([["GET /1", "GET /2"], ["GET /2", "GET /3"], ["GET /3"]])
    }).pipe(client())
  )

  it.scopedLive("are made once on a fresh connection, and then fail", () =>
    Effect.gen(function* () {
      const server = yield* countingServer({
        onRequest: (request) => {
          if (request.url === "/1") return "answer"
          request.socket.destroy()
          return "handled"
        }
      })
      yield* get(`${server.url}/1`)
      const error = fromHttpClientError(yield* Effect.flip(get(`${server.url}/2`)))
      expect(error).toMatchObject({ _tag: "ConnectionFailed", phase: "awaiting-response" })
      expect(server.requests()).toEqual([["GET /1", "GET /2"], ["GET /2"]])
    }).pipe(client())
  )

  it.scopedLive("are made again where a kept connection has gone silent", () =>
    Effect.gen(function* () {
      const server = yield* countingServer({ onRequest: (_, __, nth) => (nth === 1 ? "answer" : "handled") })
      yield* get(`${server.url}/1`)
      expect(yield* get(`${server.url}/2`)).toBe("stored")
      expect(server.requests()).toEqual([["GET /1", "GET /2"], ["GET /2"]])
      yield* eventually(() => server.connections[0]?.socket.destroyed === true)
    }).pipe(client({ connectTimeout: "1 second" }))
  )

  it.scopedLive("do not use a connection on which the server spoke unasked", () =>
    Effect.gen(function* () {
      const server = yield* countingServer()
      yield* get(`${server.url}/1`)
      const first = server.connections[0]?.socket
      first?.write("HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\n\r\n")
      yield* eventually(() => first?.destroyed === true)
      expect(yield* get(`${server.url}/2`)).toBe("stored")
      expect(server.requests()).toEqual([["GET /1"], ["GET /2"]])
    }).pipe(client())
  )

  it.scopedLive("leave nothing open when the client is done", () =>
    Effect.gen(function* () {
      const server = yield* countingServer()
      yield* Effect.all([get(server.url), get(server.url)], { concurrency: 2 }).pipe(client())
      yield* eventually(() => server.connections.every(({ socket }) => socket.destroyed))
      expect(server.connections).toHaveLength(2)
    })
  )

  it.scopedLive("give up their connection when interrupted, and disturb no other", () =>
    Effect.gen(function* () {
      const server = yield* countingServer({
        onRequest: (request) => (request.url === "/never" ? "handled" : "answer")
      })
      yield* get(`${server.url}/1`)
      const waiting = yield* Effect.fork(get(`${server.url}/never`))
      yield* eventually(() => server.requests()[0]?.length === 2)
      yield* get(`${server.url}/2`)
      yield* Fiber.interrupt(waiting)
      yield* eventually(() => server.connections[0]?.socket.destroyed === true)
      yield* get(`${server.url}/3`)
      expect(server.requests()).toEqual([
        ["GET /1", "GET /never"],
        ["GET /2", "GET /3"]
      ])
    }).pipe(client())
  )
})

describe("a connection opened ahead", () => {
  const isConnected = (server: { readonly connections: ReadonlyArray<unknown> }, count: number) =>
    eventually(() => server.connections.length === count)

  it.scopedLive("carries the first request with content, and no read", () =>
    Effect.gen(function* () {
      const server = yield* countingServer()
      yield* connectAhead(`${server.url}/any`)
      yield* isConnected(server, 1)
      yield* get(`${server.url}/1`)
      yield* put(`${server.url}/2?x=1`)
      yield* put(`${server.url}/3`)
      expect(server.requests()).toEqual([["PUT /2?x=1"], ["GET /1"], ["PUT /3"]])
      expect(server.connections[0]?.headers[0]).toMatchObject({
        host: new URL(server.url).host,
        connection: "close",
        "content-length": "1000",
        "content-type": zip
      })
    }).pipe(client())
  )

  it.scopedLive("is opened after that of a read that begins at the same time", () =>
    Effect.gen(function* () {
      const server = yield* countingServer()
      yield* connectAhead(server.url)
      yield* get(`${server.url}/1`)
      yield* isConnected(server, 2)
      yield* put(`${server.url}/2`)
      expect(server.requests()).toEqual([["GET /1"], ["PUT /2"]])
    }).pipe(client())
  )

  it.scopedLive("waits for 100 Continue like any other, over TLS and through a proxy", () =>
    Effect.gen(function* () {
      const { ca, server: tls } = yield* authority
      const server = yield* countingServer({ tls })
      const upload = (url: string) =>
        Effect.gen(function* () {
          const before = server.connections.length
          yield* connectAhead(url)
          yield* isConnected(server, before + 1)
          yield* HttpClient.patch(`${url}/x`, {
            body: HttpBody.uint8Array(new Uint8Array(2 * mebibyte), zip)
          })
        })
      yield* upload(server.url).pipe(client({ ca: [ca], continueTimeout: "1 hour" }))
      const proxy = yield* proxyTo(server)
      yield* upload("https://upload.test").pipe(
        client({ ca: [ca], continueTimeout: "1 hour", proxy: proxy.url })
      )
      expect(server.requests()).toEqual([["PATCH /x"], ["PATCH /x"]])
      expect(server.connections.map(({ headers }) => headers[0]?.expect)).toEqual([
        "100-continue",
        "100-continue"
      ])
      expect(proxy.tunnels).toHaveLength(1)
    })
  )

  it.scopedLive("is closed with its scope if nothing was sent", () =>
    Effect.gen(function* () {
      const server = yield* countingServer()
      yield* Effect.scoped(Effect.zipRight(connectAhead(server.url), isConnected(server, 1)))
      yield* eventually(() => server.connections[0]?.socket.destroyed === true)
      yield* put(`${server.url}/1`)
      expect(server.requests()).toEqual([["PUT /1"]])
      expect(server.connections).toHaveLength(2)
    }).pipe(client())
  )

  it.scopedLive.each(Object.entries(endings))("that the server has done with is not used: %s", ([, end]) =>
    Effect.gen(function* () {
      const server = yield* countingServer()
      yield* connectAhead(server.url)
      yield* isConnected(server, 1)
      const first = server.connections[0]?.socket
      if (first !== undefined) yield* Effect.promise(() => end(first))
      expect(yield* put(`${server.url}/1`)).toBe("stored")
      expect(server.requests()).toEqual([["PUT /1"]])
      expect(server.connections).toHaveLength(2)
      yield* eventually(() => first?.destroyed === true)
    }).pipe(client())
  )

  it.scopedLive("that cannot be had leaves the error to the request", () =>
    Effect.gen(function* () {
      const gone = yield* Effect.scoped(countingServer())
      yield* connectAhead(gone.url)
      const error = fromHttpClientError(yield* Effect.flip(put(gone.url)))
      expect(error).toMatchObject({ _tag: "ConnectionFailed", code: "ECONNREFUSED", bytesSent: 0 })
      yield* connectAhead("no address")
    }).pipe(client())
  )

  it.scopedLive("is sent on once, whatever becomes of the request", () =>
    Effect.gen(function* () {
      const server = yield* countingServer({
        onRequest: (request) => {
          request.resume().on("end", () => request.socket.destroy())
          return "handled"
        }
      })
      yield* connectAhead(server.url)
      yield* isConnected(server, 1)
      const error = fromHttpClientError(yield* Effect.flip(put(`${server.url}/1`)))
      expect(error).toMatchObject({
        _tag: "ConnectionFailed",
        phase: "awaiting-response",
        method: "PUT",
        bytesSent: 1000,
        bytesTotal: 1000
      })
      expect(server.requests()).toEqual([["PUT /1"]])
      expect(server.connections).toHaveLength(1)
    }).pipe(client())
  )
})

/**
 * Deno keeps TLS sessions to itself. Bun resumes them, but as a server says of none that it was resumed; what its client does
 * is in the table of the transport.
 */
const isResumed = !("deno" in process.versions || "bun" in process.versions)

describe("TLS sessions", () => {
  it.scopedLive.each(["TLSv1.2", "TLSv1.3"] as const)("are resumed: %s", (version) =>
    Effect.gen(function* () {
      const { ca, server: keys } = yield* authority
      const server = yield* countingServer({ tls: { ...keys, minVersion: version, maxVersion: version } })
      yield* Effect.forEach([1, 2], () => put(server.url)).pipe(client({ ca: [ca] }))
      expect(server.connections.map(({ resumed }) => resumed)).toEqual([false, isResumed])
    })
  )

  it.scopedLive.each(["TLSv1.2", "TLSv1.3"] as const)(
    "never carry over a name that the certificate does not have: %s",
    (version) =>
      Effect.gen(function* () {
        const { ca, server: keys } = yield* authority
        const server = yield* countingServer({ tls: { ...keys, minVersion: version, maxVersion: version } })
        const proxy = yield* proxyTo(server)
        const errors = yield* Effect.forEach([1, 2, 3], () => Effect.flip(put("https://other.test/"))).pipe(
          client({ ca: [ca], proxy: proxy.url })
        )
        for (const error of errors) {
          expect(fromHttpClientError(error)).toMatchObject({ phase: "securing", bytesSent: 0 })
        }
        expect(server.requests()).toEqual([])
      })
  )
})

describe("Expect: 100-continue", () => {
  /** Answers reads after a while. */
  const server = (millis: number) =>
    countingServer({
      onRequest: (request, response) => {
        if (request.method !== "GET") return "answer"
        setTimeout(() => response.end("read"), millis)
        return "handled"
      }
    })

  it.scopedLive("is not waited for where a read took long and the body is small", () =>
    Effect.gen(function* () {
      const { connections, url } = yield* server(300)
      yield* get(url)
      yield* put(url, 2 * mebibyte)
      expect(connections.map(({ headers }) => headers[0]?.expect)).toEqual([undefined, undefined])
    }).pipe(client())
  )

  it.scopedLive("is waited for where nothing is known, or the body takes much longer than a read", () =>
    Effect.gen(function* () {
      const { connections, url } = yield* server(20)
      yield* put(url, 2 * mebibyte)
      yield* get(url)
      // So large that even a read on a busy machine takes less than what asking first may cost.
      yield* put(url, 128 * mebibyte)
      expect(connections.map(({ headers }) => headers[0]?.expect)).toEqual([
        "100-continue",
        undefined,
        "100-continue"
      ])
    }).pipe(client())
  )
})

describe("an upload that is given up", () => {
  it.scopedLive("while it connects ends at once, however far it has come", () =>
    Effect.gen(function* () {
      const server = yield* countingServer()
      for (let turns = 0; turns < 40; turns++) {
        const fiber = yield* Effect.fork(put(server.url))
        yield* Effect.repeatN(Effect.yieldNow(), turns)
        yield* Fiber.interrupt(fiber)
      }
    }).pipe(client({ connectTimeout: "1 day" }))
  )
})
