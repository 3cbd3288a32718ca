import * as HttpBody from "@effect/platform/HttpBody"
import * as HttpClient from "@effect/platform/HttpClient"
import { afterEach, describe, expect, it, vi } from "@effect/vitest"
import { Effect, Stream } from "effect"
import { fromHttpClientError } from "../../src/transfer/TransferError.ts"
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
