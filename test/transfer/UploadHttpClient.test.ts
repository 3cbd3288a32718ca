import { createHash } from "node:crypto"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import * as HttpBody from "@effect/platform/HttpBody"
import * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import { describe, expect, it } from "@effect/vitest"
import { Chunk, Effect, Exit, Option, Scope, Stream } from "effect"
import * as Bandwidth from "../../src/transfer/Bandwidth.ts"
import { Exchange } from "../../src/transfer/Exchange.ts"
import { fromHttpClientError } from "../../src/transfer/TransferError.ts"
import * as UploadHttpClient from "../../src/transfer/UploadHttpClient.ts"
import { eventually, serve, whenWhole } from "../support/transfer/wire.ts"

const mebibyte = 1024 * 1024
const put = (url: string, body: HttpBody.HttpBody) =>
  HttpClient.execute(HttpClientRequest.put(url, { body })).pipe(
    Effect.provide(UploadHttpClient.layer({ continueTimeout: "10 millis" }))
  )

const chunksOf = (count: number, size: number): Stream.Stream<Uint8Array> =>
  Stream.map(Stream.range(1, count), (n) => new Uint8Array(size).fill(n))

const zip = "application/zip"
const ok = whenWhole(({ answer }) => answer(200, '{"ok":true}', { "content-type": "application/json" }))

describe("UploadHttpClient", () => {
  describe("bodies", () => {
    it.scopedLive("streams a body with its exact Content-Length", () =>
      Effect.gen(function* () {
        const server = yield* serve(ok)
        const response = yield* put(server.url, HttpBody.stream(chunksOf(20, 300_000), zip, 6_000_000))
        expect(yield* response.json).toEqual({ ok: true })
        const [received] = server.connections
        expect(received?.header("content-length")).toBe("6000000")
        expect(received?.header("transfer-encoding")).toBeUndefined()
        expect(received?.header("content-type")).toBe(zip)
        expect(received?.header("connection")).toBe("close")
        const expected = createHash("sha256")
        for (let n = 1; n <= 20; n++) expected.update(new Uint8Array(300_000).fill(n))
        expect(received?.sha256).toBe(expected.digest("hex"))
        expect(server.connections).toHaveLength(1)
      })
    )

    it.scopedLive("sends bytes, text and nothing at all", () =>
      Effect.gen(function* () {
        const server = yield* serve(ok)
        yield* put(server.url, HttpBody.uint8Array(new Uint8Array(5 * mebibyte), zip))
        yield* put(server.url, HttpBody.raw("über", { contentType: "text/plain" }))
        yield* put(server.url, HttpBody.empty)
        expect(server.connections.map((one) => [one.header("content-length"), one.bodyBytes])).toEqual([
          [String(5 * mebibyte), 5 * mebibyte],
          ["5", 5],
          ["0", 0]
        ])
      })
    )

    it.scopedLive("lets the last bytes wait when all others have left, at the pace of the line", () =>
      Effect.gen(function* () {
        const server = yield* serve(ok)
        const received = () => server.connections[0]?.bodyBytes
        let atTheEnd: number | undefined
        // It would wait for ever if bytes before the last ones waited, too.
        const beforeLast = Effect.andThen(
          eventually(() => received() === 300_000),
          Effect.sync(() => {
            atTheEnd = received()
          })
        )
        const body = HttpBody.stream(Stream.concat(chunksOf(1, 300_000), chunksOf(1, 10)), zip, 300_010)
        yield* HttpClient.execute(HttpClientRequest.put(server.url, { body })).pipe(
          Effect.provideService(Exchange, { beforeLast }),
          Effect.provide(UploadHttpClient.layer({ bandwidth: 1_000_000 }))
        )
        expect([atTheEnd, received()]).toEqual([300_000, 300_010])
      })
    )

    it.scopedLive("does not announce a body on a GET", () =>
      Effect.gen(function* () {
        const server = yield* serve(ok)
        yield* HttpClient.get(server.url).pipe(Effect.provide(UploadHttpClient.layer()))
        expect(server.connections[0]?.header("content-length")).toBeUndefined()
        expect(server.connections[0]?.header("transfer-encoding")).toBeUndefined()
      })
    )

    it.scopedLive("sends a stream of unknown length and form data in chunks", () =>
      Effect.gen(function* () {
        const end = Buffer.from("\r\n0\r\n\r\n")
        let tail = Buffer.alloc(0)
        const server = yield* serve({
          onBody: ({ answer }, bytes) => {
            tail = Buffer.concat([tail, bytes]).subarray(-end.byteLength)
            if (tail.equals(end)) answer(200)
          }
        })
        const form = new FormData()
        form.set("file", new Blob(["PK"]), "plugin.zip")
        yield* put(server.url, HttpBody.stream(chunksOf(2, 3), zip))
        yield* put(server.url, HttpBody.formData(form))
        expect(server.connections.map((one) => one.header("transfer-encoding"))).toEqual([
          "chunked",
          "chunked"
        ])
        expect(server.connections[1]?.header("content-type")).toMatch(/^multipart\/form-data; boundary=/)
      })
    )

    it.scopedLive("refuses a raw body it does not know", () =>
      Effect.gen(function* () {
        const error = yield* Effect.flip(put("http://127.0.0.1:1", HttpBody.raw({ some: "object" })))
        expect(error).toMatchObject({ _tag: "RequestError", reason: "Encode" })
      })
    )

    it.scopedLive("refuses a header that HTTP does not allow", () =>
      Effect.gen(function* () {
        const request = HttpClientRequest.get("http://127.0.0.1:1", { headers: { "x-bad": "a\r\nb" } })
        const error = fromHttpClientError(yield* Effect.flip(HttpClient.execute(request)))
        expect(error).toMatchObject({
          _tag: "ConnectionFailed",
          code: "ERR_INVALID_CHAR",
          isRetryable: false
        })
      }).pipe(Effect.provide(UploadHttpClient.layer()))
    )
  })

  describe("a body of the wrong length", () => {
    for (const [name, stream, reason] of [
      ["ends short", chunksOf(3, 100_000), "Short"],
      ["runs long by one byte", Stream.concat(chunksOf(4, 100_000), Stream.make(new Uint8Array(1))), "Long"],
      ["runs long within a chunk", chunksOf(3, 150_000), "Long"]
    ] as const) {
      it.scopedLive(`that ${name} is never whole to the server`, () =>
        Effect.gen(function* () {
          const server = yield* serve(ok)
          const error = yield* Effect.flip(put(server.url, HttpBody.stream(stream, zip, 400_000)))
          expect(fromHttpClientError(error)).toMatchObject({
            _tag: "BodyLengthMismatch",
            reason,
            phase: "sending",
            bytesTotal: 400_000
          })
          yield* eventually(() => server.connections[0]?.closed === true)
          expect(server.connections[0]?.bodyBytes).toBeLessThan(400_000)
        })
      )
    }

    it.scopedLive("that shows only after a while has not been whole in the meantime", () =>
      Effect.gen(function* () {
        const server = yield* serve(ok)
        const sent = eventually(() => (server.connections[0]?.bodyBytes ?? 0) >= 300_000)
        const more = Stream.fromEffect(
          Effect.as(Effect.zipRight(sent, Effect.sleep("200 millis")), new Uint8Array(1))
        )
        const stream = Stream.concat(chunksOf(4, 100_000), more)
        const error = yield* Effect.flip(put(server.url, HttpBody.stream(stream, zip, 400_000)))
        expect(fromHttpClientError(error)).toMatchObject({ _tag: "BodyLengthMismatch", reason: "Long" })
        expect(server.connections[0]?.bodyBytes).toBe(300_000)
      })
    )

    it.scopedLive("a body that fails closes the connection and fails with its own error", () =>
      Effect.gen(function* () {
        const server = yield* serve(ok)
        const broken = new Error("the disk is gone")
        const stream = Stream.concat(chunksOf(2, 1000), Stream.fail(broken))
        const error = yield* Effect.flip(put(server.url, HttpBody.stream(stream, zip, 400_000)))
        expect(error).toMatchObject({ _tag: "RequestError", reason: "Encode" })
        expect(error.cause).toBe(broken)
        yield* eventually(() => server.connections[0]?.closed === true)
      })
    )
  })

  it.scopedLive("pulls no more than 8 MiB for a server that does not read", () =>
    Effect.gen(function* () {
      let pulled = 0
      const source = Stream.tap(chunksOf(64, mebibyte), (chunk) =>
        Effect.sync(() => {
          pulled += chunk.byteLength
        })
      )
      const server = yield* serve({ onHead: ({ socket }) => socket.pause() })
      yield* put(server.url, HttpBody.stream(source, zip, 64 * mebibyte)).pipe(
        Effect.timeoutOption("2 seconds")
      )
      expect(pulled).toBeGreaterThan(0)
      expect(pulled).toBeLessThanOrEqual(8 * mebibyte)
    })
  )

  it.scopedLive("no longer needs a chunk once the promised number of further ones was pulled", () =>
    Effect.gen(function* () {
      const server = yield* serve(ok)
      const count = 48
      const buffers = Array.from({ length: UploadHttpClient.chunksInUse }, () => new Uint8Array(mebibyte))
      const recycled = Stream.unfold(1, (n) =>
        n > count
          ? Option.none()
          : Option.some([(buffers[n % buffers.length] ?? new Uint8Array(0)).fill(n), n + 1])
      )
      yield* put(server.url, HttpBody.stream(recycled, zip, count * mebibyte))
      const expected = createHash("sha256")
      for (let n = 1; n <= count; n++) expected.update(new Uint8Array(mebibyte).fill(n))
      expect(server.connections[0]?.sha256).toBe(expected.digest("hex"))
    })
  )

  it.scopedLive("tells how much was written", () =>
    Effect.gen(function* () {
      const server = yield* serve(ok)
      const written: Array<number> = []
      yield* put(server.url, HttpBody.stream(chunksOf(30, 10_000), zip, 300_000)).pipe(
        Effect.provideService(Exchange, { onWritten: (bytes) => Effect.sync(() => written.push(bytes)) })
      )
      expect(written).toEqual(Array.from({ length: 30 }, (_, index) => (index + 1) * 10_000))
    })
  )

  it.scopedLive("cuts a body into pieces that begin small, and reserves no byte more than it has", () =>
    Effect.gen(function* () {
      const server = yield* serve(ok)
      const written: Array<number> = []
      let reserved = 0
      const body = HttpBody.stream(Stream.make(new Uint8Array(300_000)), zip, 300_000)
      const client = yield* UploadHttpClient.make({ continueTimeout: "10 millis" }).pipe(
        Effect.provideServiceEffect(
          Bandwidth.Bandwidth,
          Effect.map(Bandwidth.make(Number.POSITIVE_INFINITY), (unlimited) => ({
            ...unlimited,
            reserve: (wanted) => {
              reserved += wanted
              return unlimited.reserve(wanted)
            }
          }))
        )
      )
      yield* client
        .execute(HttpClientRequest.put(server.url, { body }))
        .pipe(
          Effect.provideService(Exchange, { onWritten: (bytes) => Effect.sync(() => written.push(bytes)) })
        )
      expect(written[0]).toBe(65_536)
      expect(written.at(-1)).toBe(300_000)
      expect(reserved).toBe(300_000)
    })
  )

  it.scopedLive("sends once, when the connection dies after the whole request was read", () =>
    Effect.gen(function* () {
      const server = yield* serve(whenWhole(({ socket }) => socket.destroy()))
      const error = yield* Effect.flip(put(server.url, HttpBody.stream(chunksOf(3, 1000), zip, 3000)))
      expect(fromHttpClientError(error)).toMatchObject({
        _tag: "ConnectionFailed",
        phase: "awaiting-response",
        code: "ECONNRESET",
        bytesSent: 3000
      })
      yield* Effect.sleep("200 millis")
      expect(server.connections).toHaveLength(1)
    })
  )

  describe("redirects", () => {
    const redirecting = whenWhole(({ answer }) =>
      answer(307, "", { location: "https://elsewhere.example:8443/secret/path?token=1" })
    )

    it.scopedLive("of an upload are refused, naming the target's origin only", () =>
      Effect.gen(function* () {
        const server = yield* serve(redirecting)
        const error = yield* Effect.flip(put(server.url, HttpBody.uint8Array(new Uint8Array(3), zip)))
        const refused = fromHttpClientError(error)
        expect(refused).toMatchObject({
          _tag: "RedirectRefused",
          status: 307,
          targetOrigin: "https://elsewhere.example:8443"
        })
        expect(refused.message).not.toContain("secret")
      })
    )

    it.scopedLive("are not what a 304 is, even with a place", () =>
      Effect.gen(function* () {
        const server = yield* serve(
          whenWhole(({ answer }) => answer(304, "", { location: "https://elsewhere.example/" }))
        )
        const response = yield* put(server.url, HttpBody.uint8Array(new Uint8Array(3), zip))
        expect(response.status).toBe(304)
      })
    )

    it.scopedLive("are handed to a caller who wants them, and to anyone for a GET", () =>
      Effect.gen(function* () {
        const server = yield* serve(redirecting)
        const asked = yield* put(server.url, HttpBody.empty).pipe(
          Effect.provideService(Exchange, { redirect: "return" })
        )
        const got = yield* HttpClient.get(server.url).pipe(Effect.provide(UploadHttpClient.layer()))
        expect([asked.status, got.status]).toEqual([307, 307])
        const refused = yield* HttpClient.get(server.url).pipe(
          Effect.provideService(Exchange, { redirect: "refuse" }),
          Effect.provide(UploadHttpClient.layer()),
          Effect.flip
        )
        expect(fromHttpClientError(refused)._tag).toBe("RedirectRefused")
      })
    )
  })

  describe("responses", () => {
    const get = (url: string) => HttpClient.get(url).pipe(Effect.provide(UploadHttpClient.layer()))

    it.scopedLive("are read in every form, more than once", () =>
      Effect.gen(function* () {
        const server = yield* serve(
          whenWhole(({ answer }) => answer(201, "a=1&b=2", { "set-cookie": "id=7; Path=/", "x-one": "1" }))
        )
        const response = yield* get(server.url)
        expect(response.status).toBe(201)
        expect(response.headers["x-one"]).toBe("1")
        expect(response.remoteAddress).toMatchObject({ _tag: "Some", value: "127.0.0.1" })
        expect(response.cookies.cookies["id"]?.value).toBe("7")
        expect(yield* response.text).toBe("a=1&b=2")
        expect(yield* response.urlParamsBody).toEqual([
          ["a", "1"],
          ["b", "2"]
        ])
        expect((yield* response.arrayBuffer).byteLength).toBe(7)
        expect(yield* Effect.flip(response.json)).toMatchObject({ _tag: "ResponseError", reason: "Decode" })
        expect(JSON.stringify(response)).toContain('"status":201')
        yield* eventually(() => server.connections[0]?.closed === true)
      })
    )

    it.scopedLive("carry form data", () =>
      Effect.gen(function* () {
        const encoded = "application/x-www-form-urlencoded"
        const server = yield* serve(
          whenWhole(({ answer }) => answer(200, "a=1", { "content-type": encoded }))
        )
        expect((yield* (yield* get(server.url)).formData).get("a")).toBe("1")
        const other = yield* serve(
          whenWhole(({ answer }) => answer(200, "a=1", { "content-type": "text/plain" }))
        )
        const failed = yield* Effect.flip((yield* get(other.url)).formData)
        expect(failed).toMatchObject({ _tag: "ResponseError", reason: "Decode" })
      })
    )

    it.scopedLive("are streamed no faster than they are read", () =>
      Effect.gen(function* () {
        const total = 64 * mebibyte
        const server = yield* serve({
          onHead: ({ socket, write }) => {
            write(`HTTP/1.1 200 OK\r\ncontent-length: ${total}\r\n\r\n`)
            for (let n = 0; n < 64; n++) socket.write(new Uint8Array(mebibyte))
          }
        })
        const response = yield* get(server.url)
        const first = yield* Stream.runCollect(Stream.take(response.stream, 1))
        expect(Chunk.size(first)).toBe(1)
        yield* eventually(() => server.connections[0]?.closed === true)
        const whole = yield* Stream.runFold(
          (yield* get(server.url)).stream,
          0,
          (sum, part) => sum + part.byteLength
        )
        expect(whole).toBe(total)
      })
    )

    it.scopedLive("that are cut are a ResponseError with the phase", () =>
      Effect.gen(function* () {
        const server = yield* serve(
          whenWhole(({ socket, write }) => {
            write("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf")
            setTimeout(() => socket.destroy(), 50)
          })
        )
        const response = yield* get(server.url)
        const error = yield* Effect.flip(response.text)
        expect(error).toMatchObject({ _tag: "ResponseError", reason: "Decode" })
        expect(fromHttpClientError(error)).toMatchObject({ _tag: "ConnectionFailed", phase: "receiving" })
      })
    )

    it.scopedLive("whose request is over before they are read to their end are an error as well", () =>
      Effect.gen(function* () {
        const server = yield* serve(
          whenWhole(({ write }) => write("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf"))
        )
        const scope = yield* Scope.make()
        const client = yield* UploadHttpClient.make()
        const response = yield* Scope.extend(HttpClient.withScope(client).get(server.url), scope)
        yield* Scope.close(scope, Exit.void)
        const error = yield* Effect.flip(response.text)
        expect(error).toMatchObject({ _tag: "ResponseError", reason: "Decode" })
        expect(fromHttpClientError(error)).toMatchObject({ _tag: "ConnectionFailed", phase: "receiving" })
      }).pipe(Effect.provide(Bandwidth.layer()))
    )

    it.scopedLive("that nobody reads do not keep the connection", () =>
      Effect.gen(function* () {
        const server = yield* serve(whenWhole(({ answer }) => answer(200, "small")))
        const response = yield* get(server.url)
        yield* eventually(() => server.connections[0]?.closed === true)
        expect(yield* response.text).toBe("small")
      })
    )

    it.scopedLive("that nobody can read any more are let go, however large", () =>
      Effect.gen(function* () {
        setFlagsFromString("--expose-gc")
        const collect: () => void = runInNewContext("gc")
        const server = yield* serve({
          onHead: ({ socket, write }) => {
            write(`HTTP/1.1 200 OK\r\ncontent-length: ${64 * mebibyte}\r\n\r\n`)
            socket.write(new Uint8Array(mebibyte))
          }
        })
        const statuses = yield* Effect.forEach([1, 2, 3], () =>
          Effect.map(get(server.url), ({ status }) => status)
        )
        expect(statuses).toEqual([200, 200, 200])
        yield* eventually(() => {
          collect()
          return server.connections.slice(0, 2).every(({ closed }) => closed)
        })
      })
    )

    it.scopedLive("without a body are empty", () =>
      Effect.gen(function* () {
        const server = yield* serve(whenWhole(({ write }) => write("HTTP/1.1 204 No Content\r\n\r\n")))
        const response = yield* get(server.url)
        expect(yield* response.text).toBe("")
        expect(yield* response.json).toBe(null)
        const head = yield* serve(
          whenWhole(({ write }) => write("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n"))
        )
        const headed = yield* HttpClient.head(head.url).pipe(Effect.provide(UploadHttpClient.layer()))
        expect(yield* headed.text).toBe("")
        yield* eventually(() => head.connections[0]?.closed === true)
      })
    )
  })
})
