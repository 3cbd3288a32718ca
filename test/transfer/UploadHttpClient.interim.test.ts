import * as HttpBody from "@effect/platform/HttpBody"
import * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import { describe, expect, it } from "@effect/vitest"
import { Deferred, Effect, Stream } from "effect"
import { Exchange, type InterimResponse, TransportCapabilities } from "../../src/transfer/Exchange.ts"
import { fromHttpClientError } from "../../src/transfer/TransferError.ts"
import * as UploadHttpClient from "../../src/transfer/UploadHttpClient.ts"
import { eventually, type Script, serve, whenWhole } from "../support/transfer/wire.ts"

const mebibyte = 1024 * 1024
const zip = "application/zip"
const body = (mebibytes: number) =>
  HttpBody.stream(
    Stream.map(Stream.range(1, mebibytes), (n) => new Uint8Array(mebibyte).fill(n)),
    zip,
    mebibytes * mebibyte
  )

const put = (url: string, mebibytes: number, options: UploadHttpClient.UploadHttpClientOptions = {}) =>
  HttpClient.execute(HttpClientRequest.put(url, { body: body(mebibytes) })).pipe(
    Effect.provide(UploadHttpClient.layer(options))
  )

const whole = whenWhole(({ answer }) => answer(200))

describe("Expect: 100-continue", () => {
  for (const status of [401, 403, 404, 413]) {
    it.scopedLive(`a ${status} costs no byte of the body`, () =>
      Effect.gen(function* () {
        const server = yield* serve({ onHead: ({ answer }) => answer(status, "no") })
        const response = yield* put(server.url, 3)
        expect(response.status).toBe(status)
        expect(yield* response.text).toBe("no")
        yield* eventually(() => server.connections[0]?.closed === true)
        expect(server.connections[0]?.header("expect")).toBe("100-continue")
        expect(server.connections[0]?.bodyBytes).toBe(0)
      })
    )
  }

  for (const interim of ["100 Continue", "104 Upload Resumption Supported"]) {
    it.scopedLive(`the body is sent at once after a ${interim.slice(0, 3)}`, () =>
      Effect.gen(function* () {
        const server = yield* serve({
          ...whole,
          onHead: ({ write }) => write(`HTTP/1.1 ${interim}\r\n\r\n`)
        })
        const response = yield* put(server.url, 2, { continueTimeout: "1 hour" })
        expect(response.status).toBe(200)
        expect(server.connections[0]?.bodyBytes).toBe(2 * mebibyte)
      })
    )
  }

  it.scopedLive("a server that says nothing gets the body after the wait", () =>
    Effect.gen(function* () {
      const server = yield* serve(whole)
      const started = Date.now()
      const response = yield* put(server.url, 2, { continueTimeout: "150 millis" })
      expect(response.status).toBe(200)
      expect(Date.now() - started).toBeGreaterThanOrEqual(140)
    })
  )

  it.scopedLive("a 417 is answered with the same request without Expect, on a fresh connection", () =>
    Effect.gen(function* () {
      const server = yield* serve({
        ...whole,
        onHead: ({ answer, received }) => {
          if (received.header("expect") !== undefined) answer(417)
        }
      })
      const response = yield* put(server.url, 2)
      expect(response.status).toBe(200)
      expect(server.connections.map((one) => [one.header("expect"), one.bodyBytes])).toEqual([
        ["100-continue", 0],
        [undefined, 2 * mebibyte]
      ])
    })
  )

  it.scopedLive("a 417 that does not end costs its connection", () =>
    Effect.gen(function* () {
      const server = yield* serve({
        ...whole,
        onHead: ({ received, write }) => {
          if (received.header("expect") !== undefined)
            write("HTTP/1.1 417 Expectation Failed\r\ncontent-length: 1000\r\n\r\nno")
        }
      })
      const response = yield* put(server.url, 2)
      expect(response.status).toBe(200)
      yield* eventually(() => server.connections[0]?.closed === true)
    })
  )

  it.scopedLive("small bodies do not ask, and the threshold can be set", () =>
    Effect.gen(function* () {
      const server = yield* serve(whole)
      yield* HttpClient.put(server.url, { body: HttpBody.uint8Array(new Uint8Array(1000), zip) }).pipe(
        Effect.provide(UploadHttpClient.layer())
      )
      yield* put(server.url, 2, { expectThreshold: Number.POSITIVE_INFINITY })
      yield* HttpClient.put(server.url, { body: HttpBody.uint8Array(new Uint8Array(1000), zip) }).pipe(
        Effect.provide(UploadHttpClient.layer({ expectThreshold: 1000, continueTimeout: "10 millis" }))
      )
      expect(server.connections.map((one) => one.header("expect"))).toEqual([
        undefined,
        undefined,
        "100-continue"
      ])
    })
  )
})

describe("interim responses", () => {
  const interim = (number: number, padding = "") =>
    `HTTP/1.1 104 Upload Resumption Supported\r\nupload-offset: ${number}\r\nx-padding: ${padding}\r\n\r\n`

  it.scopedLive("reach the caller in order, headers and all", () =>
    Effect.gen(function* () {
      const script: Script = {
        ...whenWhole(({ answer }) => answer(200)),
        onHead: ({ write }) =>
          write(`HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n${interim(0)}`)
      }
      const server = yield* serve(script)
      const seen: Array<InterimResponse> = []
      const onInterim = (response: InterimResponse) => Effect.sync(() => seen.push(response))
      yield* put(server.url, 2).pipe(Effect.provideService(Exchange, { onInterim }))
      expect(seen.map(({ status }) => status)).toEqual([100, 103, 104])
      expect(seen[1]?.headers["link"]).toBe("</a>")
      expect(seen[2]?.headers["upload-offset"]).toBe("0")
    })
  )

  it.scopedLive("hold the body back until they have been dealt with", () =>
    Effect.gen(function* () {
      const server = yield* serve({ ...whole, onHead: ({ write }) => write(interim(0)) })
      const heard = yield* Deferred.make<void>()
      const journaled = yield* Deferred.make<void>()
      const onInterim = () => Effect.zipRight(Deferred.succeed(heard, undefined), Deferred.await(journaled))
      const upload = yield* put(server.url, 2).pipe(
        Effect.provideService(Exchange, { onInterim }),
        Effect.fork
      )
      yield* Deferred.await(heard)
      yield* Effect.sleep("150 millis")
      expect(server.connections[0]?.bodyBytes).toBe(0)
      yield* Deferred.succeed(journaled, undefined)
      expect((yield* upload).status).toBe(200)
    })
  )

  it.scopedLive("are dealt with before the loss of the connection is told", () =>
    Effect.gen(function* () {
      const server = yield* serve({
        onHead: ({ socket, write }) => {
          write(interim(7))
          setTimeout(() => socket.destroy(), 20)
        }
      })
      let journaled = ""
      const onInterim = (response: InterimResponse) =>
        Effect.sleep("100 millis").pipe(
          Effect.zipRight(
            Effect.sync(() => {
              journaled = response.headers["upload-offset"] ?? ""
            })
          )
        )
      const error = yield* put(server.url, 2).pipe(
        Effect.provideService(Exchange, { onInterim }),
        Effect.flip
      )
      expect(fromHttpClientError(error)._tag).toBe("ConnectionFailed")
      expect(journaled).toBe("7")
    })
  )

  it.scopedLive("without end are held back, none lost, and do not pile up", () =>
    Effect.gen(function* () {
      const total = 20_000
      const padding = "x".repeat(1500)
      let accepted = 0
      const server = yield* serve({
        onHead: ({ answer, socket }) => {
          const more = (from: number) => {
            if (from === total) return answer(200)
            let text = ""
            for (let n = from; n < from + 100; n++) text += interim(n, padding)
            socket.write(text, () => {
              accepted = from + 100
              more(from + 100)
            })
          }
          more(0)
        }
      })
      let next = 0
      let inOrder = true
      let furthestAhead = 0
      const onInterim = (response: InterimResponse) =>
        Effect.suspend(() => {
          inOrder &&= response.headers["upload-offset"] === String(next)
          next += 1
          furthestAhead = Math.max(furthestAhead, accepted - next)
          return next === 100 ? Effect.sleep("500 millis") : Effect.void
        })
      const response = yield* put(server.url, 2).pipe(Effect.provideService(Exchange, { onInterim }))
      expect(response.status).toBe(200)
      expect(inOrder).toBe(true)
      expect(next).toBe(total)
      // What fits into both kernels' buffers is ahead, never the whole 30 MB.
      expect(furthestAhead).toBeLessThan(total / 2)
    })
  )

  it.effect("are announced by the layer as a capability", () =>
    Effect.gen(function* () {
      expect(yield* TransportCapabilities).toMatchObject({
        interimResponses: false,
        expectContinue: false
      })
      const capabilities = yield* Effect.provide(TransportCapabilities, UploadHttpClient.layer())
      expect(capabilities).toMatchObject({ interimResponses: true, expectContinue: true })
    })
  )
})

describe("an early final response", () => {
  it.scopedLive("stops the sending", () =>
    Effect.gen(function* () {
      let answered = false
      const server = yield* serve({
        onBody: ({ answer, received }) => {
          if (answered || received.bodyBytes < mebibyte) return
          answered = true
          answer(413, "too large")
        }
      })
      const response = yield* put(server.url, 200, { expectThreshold: Number.POSITIVE_INFINITY })
      expect(response.status).toBe(413)
      expect(yield* response.text).toBe("too large")
      yield* eventually(() => server.connections[0]?.closed === true)
      expect(server.connections[0]?.bodyBytes).toBeLessThan(100 * mebibyte)
    })
  )

  it.scopedLive("is read even though the server closes with the body unread", () =>
    Effect.gen(function* () {
      const server = yield* serve({
        onBody: ({ answer, received, socket }) => {
          if (received.bodyBytes < 300_000) return
          socket.pause()
          socket.removeAllListeners("data")
          answer(413, "too large", { connection: "close" })
          setImmediate(() => socket.destroy())
        }
      })
      for (let run = 0; run < 20; run++) {
        const response = yield* put(server.url, 50, { expectThreshold: Number.POSITIVE_INFINITY })
        expect(response.status).toBe(413)
      }
    })
  )
})
