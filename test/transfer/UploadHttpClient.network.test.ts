import { spawn } from "node:child_process"
import Dns from "node:dns"
import * as Net from "node:net"
import * as HttpBody from "@effect/platform/HttpBody"
import * as HttpClient from "@effect/platform/HttpClient"
import { afterEach, describe, expect, it, vi } from "@effect/vitest"
import { Effect, Stream } from "effect"
import { node } from "../../scripts/support/node.ts"
import * as RetryPolicy from "../../src/transfer/RetryPolicy.ts"
import { fromHttpClientError, type TransferError } from "../../src/transfer/TransferError.ts"
import * as UploadHttpClient from "../../src/transfer/UploadHttpClient.ts"
import { authority } from "../support/transfer/authority.ts"
import { proxyTo } from "../support/transfer/proxy.ts"
import { eventually, serve, whenWhole } from "../support/transfer/wire.ts"

const mebibyte = 1024 * 1024
const zip = "application/zip"
const body = (mebibytes: number) =>
  HttpBody.stream(
    Stream.map(Stream.range(1, mebibytes), (n) => new Uint8Array(mebibyte).fill(n)),
    zip,
    mebibytes * mebibyte
  )
const put = (url: string, mebibytes: number, options: UploadHttpClient.UploadHttpClientOptions) =>
  HttpClient.put(url, { body: body(mebibytes) }).pipe(
    Effect.provide(UploadHttpClient.layer({ continueTimeout: "10 millis", ...options }))
  )
const failure = (url: string, options: UploadHttpClient.UploadHttpClientOptions) =>
  put(url, 1, options).pipe(Effect.flip, Effect.map(fromHttpClientError))

const ok = whenWhole(({ answer }) => answer(200, "stored"))

afterEach(() => {
  vi.unstubAllEnvs()
  vi.restoreAllMocks()
})

describe("TLS", () => {
  it.scopedLive("trusts an authority given as an option", () =>
    Effect.gen(function* () {
      const { ca, server: keys } = yield* authority
      const server = yield* serve(ok, keys)
      const response = yield* put(server.url, 20, { ca: [ca] })
      expect(yield* response.text).toBe("stored")
      expect(server.connections[0]?.bodyBytes).toBe(20 * mebibyte)
    })
  )

  it.scopedLive("an unknown authority is ConnectionFailed while securing, and not retryable", () =>
    Effect.gen(function* () {
      const { server: keys } = yield* authority
      const server = yield* serve(ok, keys)
      const error = yield* failure(server.url, {})
      expect(error).toMatchObject({ _tag: "ConnectionFailed", phase: "securing", isRetryable: false })
      expect(error.bytesSent).toBe(0)
    })
  )

  it.scopedLive("a certificate for another name is refused", () =>
    Effect.gen(function* () {
      const { ca, server: keys } = yield* authority
      const server = yield* serve(ok, keys)
      const proxy = yield* proxyTo(server)
      const error = yield* failure("https://other.test/", { ca: [ca], proxy: proxy.url })
      expect(error).toMatchObject({ _tag: "ConnectionFailed", phase: "securing" })
    })
  )

  it.scopedLive("an early answer is read though the server closes with the body unread", () =>
    Effect.gen(function* () {
      const { ca, server: keys } = yield* authority
      const server = yield* serve(
        {
          onBody: ({ answer, received, socket }) => {
            if (received.bodyBytes < 300_000) return
            socket.pause()
            socket.removeAllListeners("data")
            answer(413, "too large")
            setImmediate(() => socket.destroy())
          }
        },
        keys
      )
      for (let run = 0; run < 10; run++) {
        const response = yield* put(server.url, 50, { ca: [ca], expectThreshold: Number.POSITIVE_INFINITY })
        expect(response.status).toBe(413)
      }
    })
  )
})

/**
 * A port whose system drops the first attempts to connect: its program is stopped and its queue is full. The next attempt,
 * a second later, succeeds, once `wake` has run.
 */
const slowToAccept = Effect.gen(function* () {
  const program = `
    const server = require("node:http").createServer((request, response) => {
      request.resume().on("end", () => response.end("stored"))
    })
    server.listen({ port: 0, host: "127.0.0.1", backlog: 1 }, () => process.send(server.address().port))
  `
  const child = yield* Effect.acquireRelease(
    Effect.sync(() => spawn(node, ["-e", program], { stdio: ["ignore", "ignore", "ignore", "ipc"] })),
    (child) => Effect.sync(() => child.kill("SIGKILL"))
  )
  const port = yield* Effect.async<number>((resume) => {
    child.once("message", (message) => resume(Effect.succeed(Number(message))))
  })
  child.kill("SIGSTOP")
  const waiting = yield* Effect.acquireRelease(
    Effect.sync((): Array<Net.Socket> => []),
    (sockets) =>
      Effect.sync(() => {
        for (const socket of sockets) socket.destroy()
      })
  )
  const isQueued = Effect.async<boolean>((resume) => {
    const socket = Net.connect(port, "127.0.0.1", () => resume(Effect.succeed(true)))
    socket.on("error", () => {})
    waiting.push(socket)
  }).pipe(Effect.timeoutTo({ duration: "300 millis", onTimeout: () => false, onSuccess: () => true }))
  yield* Effect.repeat(isQueued, { while: (queued) => queued })
  return { port, wake: Effect.sync(() => child.kill("SIGCONT")) }
})

/** Only Node gives up an address after 250 ms, and only there can the resolver be replaced. */
const isNode = process.versions.bun === undefined && process.versions["deno"] === undefined

describe("a host with several addresses", () => {
  it.scopedLive.skipIf(!isNode || process.platform !== "linux")(
    "is reached though the first is slow and the second is out of reach",
    () =>
      Effect.gen(function* () {
        const { port, wake } = yield* slowToAccept
        const addresses = [
          { address: "127.0.0.1", family: 4 },
          { address: "127.0.0.2", family: 4 }
        ]
        const asked: Array<string> = []
        vi.spyOn(Dns, "lookup").mockImplementation(((
          name: string,
          _: unknown,
          done: (error: null, found: unknown) => void
        ) => {
          asked.push(name)
          setImmediate(() => done(null, addresses))
        }) as never)
        yield* Effect.fork(Effect.delay(wake, "400 millis"))
        const response = yield* put(`http://slow.test:${port}/`, 1, {
          connectTimeout: "30 seconds",
          proxy: false
        })
        expect(yield* response.text).toBe("stored")
        expect(asked).toEqual(["slow.test"])
      })
  )
})

describe("an address that nobody resolves", () => {
  it.scopedLive.skipIf(process.platform !== "linux")("is connected to, and said to be, from the start", () =>
    Effect.gen(function* () {
      const { port } = yield* slowToAccept
      for (const [host, phase] of [
        ["127.0.0.1", "connecting"],
        ["[::ffff:127.0.0.1]", "connecting"]
      ] as const) {
        const error = yield* failure(`http://${host}:${port}/`, {
          connectTimeout: "100 millis",
          proxy: false
        })
        expect(error).toMatchObject({ _tag: "ConnectTimeout", phase })
      }
    })
  )
})

/** Answers whatever it is sent in plain HTTP. */
const portWithoutTls = Effect.acquireRelease(
  Effect.async<Net.Server>((resume) => {
    const listening = Net.createServer((socket) => {
      socket.on("error", () => {})
      socket.once("data", () => socket.end("HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n"))
    }).listen(0, "127.0.0.1", () => resume(Effect.succeed(listening)))
  }),
  (listening) => Effect.sync(() => listening.close())
).pipe(Effect.map((listening) => (listening.address() as Net.AddressInfo).port))

describe("TLS to a port that is plain", () => {
  it.scopedLive("is explained in one line, and not tried again", () =>
    Effect.gen(function* () {
      const port = yield* portWithoutTls
      const error = yield* failure(`https://127.0.0.1:${port}`, {})
      expect(error).toMatchObject({ _tag: "ConnectionFailed", phase: "securing", isRetryable: false })
      expect(error.message).toContain("the server does not speak TLS on this port")
      expect(error.message).toContain("Use an http:// address")
      expect(error.message).not.toContain("\n")
    })
  )
})

describe("proxies", () => {
  it.scopedLive("tunnel to TLS servers, with the proxy's own credentials", () =>
    Effect.gen(function* () {
      const { ca, server: keys } = yield* authority
      const server = yield* serve(ok, keys)
      const proxy = yield* proxyTo(server)
      const url = proxy.url.replace("//", "//user:pass@")
      const response = yield* put("https://upload.test/x", 5, { ca: [ca], proxy: url })
      expect(response.status).toBe(200)
      expect(proxy.tunnels).toEqual([
        { target: "upload.test:443", authorization: `Basic ${Buffer.from("user:pass").toString("base64")}` }
      ])
      expect(server.connections[0]?.bodyBytes).toBe(5 * mebibyte)
      expect(server.connections[0]?.header("proxy-authorization")).toBeUndefined()
    })
  )

  it.scopedLive("are taken from the environment, except for NO_PROXY and loopback", () =>
    Effect.gen(function* () {
      const { ca, server: keys } = yield* authority
      const secure = yield* serve(ok, keys)
      const proxy = yield* proxyTo(secure)
      vi.stubEnv("HTTPS_PROXY", proxy.url)
      vi.stubEnv("HTTP_PROXY", proxy.url)
      vi.stubEnv("NO_PROXY", "direct.invalid")
      expect((yield* put("https://upload.test/", 1, { ca: [ca] })).status).toBe(200)
      expect((yield* put(secure.url, 1, { ca: [ca] })).status).toBe(200)
      expect(yield* failure("http://direct.invalid/", {})).toMatchObject({ phase: "resolving" })
      expect(yield* failure("https://upload.test/", { ca: [ca], proxy: false })).toMatchObject({
        phase: "resolving"
      })
      expect(proxy.tunnels.map(({ target }) => target)).toEqual(["upload.test:443"])
    })
  )

  it.scopedLive("carry plain HTTP as well", () =>
    Effect.gen(function* () {
      const server = yield* serve(ok)
      const proxy = yield* proxyTo(server)
      expect((yield* put("http://upload.test:8080/", 2, { proxy: proxy.url })).status).toBe(200)
      expect(proxy.tunnels[0]?.target).toBe("upload.test:8080")
    })
  )

  it.scopedLive("that refuse are told apart from the server, and never by their credentials", () =>
    Effect.gen(function* () {
      const proxy = yield* proxyTo({ port: 9, refuse: 407 })
      const error = yield* failure("https://upload.test/", {
        proxy: proxy.url.replace("//", "//user:secret@")
      })
      expect(error).toMatchObject({
        _tag: "ConnectionFailed",
        phase: "connecting",
        code: "PROXY_407",
        bytesSent: 0
      })
      expect(JSON.stringify(error) + error.message).not.toContain("secret")
    })
  )

  it.scopedLive("that want another password are not asked again: accounts are locked for less", () =>
    Effect.gen(function* () {
      const proxy = yield* proxyTo({ port: 9, refuse: 407 })
      const error = yield* put("https://upload.test/", 1, { proxy: proxy.url }).pipe(
        Effect.mapError(fromHttpClientError),
        RetryPolicy.retry<TransferError>(),
        Effect.provide(RetryPolicy.layer({ baseDelay: "1 millis" })),
        Effect.flip
      )
      expect(error.isRetryable).toBe(false)
      expect(error.message).toMatch(/refused the tunnel with status 407.* Check the user name and password/)
      expect(proxy.tunnels).toHaveLength(1)
    })
  )

  it.scopedLive("that are overloaded are", () =>
    Effect.gen(function* () {
      const proxy = yield* proxyTo({ port: 9, refuse: 503 })
      const error = yield* failure("https://upload.test/", { proxy: proxy.url })
      expect(error).toMatchObject({ code: "PROXY_503", isRetryable: true })
    })
  )

  it.scopedLive("are named where they fail, by host and port", () =>
    Effect.gen(function* () {
      const port = yield* portWithoutTls
      const proxy = yield* proxyTo({ port })
      const gone = yield* Effect.scoped(proxyTo({ port }))
      const address = (url: string) => new URL(url).host
      const withPassword = (url: string) => url.replace("//", "//user:hunter2@")

      const absent = yield* failure("https://upload.test/", { proxy: withPassword(gone.url) })
      expect(absent).toMatchObject({ _tag: "ConnectionFailed", phase: "connecting", code: "ECONNREFUSED" })
      expect(absent.message).toContain(
        `The connection to the proxy ${address(gone.url)} (for https://upload.test) failed while connecting`
      )
      expect(absent.message).toContain("Check HTTPS_PROXY")

      // The server behind it speaks no TLS: the proxy has done its part.
      const behind = yield* failure("https://upload.test/", { proxy: withPassword(proxy.url) })
      expect(behind).toMatchObject({ phase: "securing", proxy: address(proxy.url) })
      expect(behind.message).toContain(`https://upload.test through the proxy ${address(proxy.url)}`)
      expect(JSON.stringify([absent, behind])).not.toContain("hunter2")
    })
  )

  it.scopedLive("that speak something else are told apart", () =>
    Effect.gen(function* () {
      const socks = yield* serve({ onHead: ({ socket }) => socket.end("\u0005\u0000\r\n\r\n") })
      const error = yield* failure("https://upload.test/", { proxy: socks.url })
      expect(error).toMatchObject({ code: "PROXY_INVALID", isRetryable: false })
      expect(error.message).toContain("its answer is not HTTP")
    })
  )

  it.scopedLive("that cannot be used are named before anything is sent", () =>
    Effect.gen(function* () {
      const server = yield* serve(ok)
      vi.stubEnv("http_proxy", "")
      vi.stubEnv("HTTP_PROXY", "http://user:hunter2%zz@127.0.0.1:1")
      vi.stubEnv("no_proxy", "")
      vi.stubEnv("NO_PROXY", "")
      const error = yield* failure("http://upload.test/", {})
      expect(error).toMatchObject({ _tag: "InvalidProxy", variable: "HTTP_PROXY", bytesSent: 0 })
      expect(JSON.stringify(error) + error.message).not.toContain("hunter2")
      expect((yield* put(server.url, 1, {})).status).toBe(200)
    })
  )

  it.scopedLive("that are silent run into the connect limit, and are let go", () =>
    Effect.gen(function* () {
      const proxy = yield* proxyTo({ port: 9, silent: true })
      const error = yield* failure("https://upload.test/", { proxy: proxy.url, connectTimeout: "200 millis" })
      expect(error).toMatchObject({ _tag: "ConnectTimeout", phase: "connecting" })
      yield* eventually(() => proxy.sockets.size === 0)
      expect(proxy.tunnels).toHaveLength(1)
    })
  )
})
