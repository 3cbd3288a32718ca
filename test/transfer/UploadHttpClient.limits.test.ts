import * as HttpBody from "@effect/platform/HttpBody"
import * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import { describe, expect, it } from "@effect/vitest"
import { ConfigProvider, Deferred, Duration, Effect, Exit, Fiber, Stream } from "effect"
import { Bandwidth } from "../../src/transfer/Bandwidth.ts"
import { Exchange } from "../../src/transfer/Exchange.ts"
import { fromHttpClientError } from "../../src/transfer/TransferError.ts"
import * as UploadHttpClient from "../../src/transfer/UploadHttpClient.ts"
import { settableClock } from "../support/transfer/clocks.ts"
import { eventually, serve, slowly, whenWhole } from "../support/transfer/wire.ts"

const mebibyte = 1024 * 1024
const zip = "application/zip"
const zeros = (mebibytes: number) => Stream.map(Stream.range(1, mebibytes), () => new Uint8Array(mebibyte))
const request = (url: string, mebibytes: number) =>
  HttpClientRequest.put(`${url}/secret?token=1`, {
    body: HttpBody.stream(zeros(mebibytes), zip, mebibytes * mebibyte)
  })

type Options = Parameters<typeof UploadHttpClient.layer>[0]
const failure = (url: string, mebibytes: number, options: Options) =>
  HttpClient.execute(request(url, mebibytes)).pipe(
    Effect.flatMap((response) => response.text),
    Effect.flip,
    Effect.map(fromHttpClientError),
    Effect.provide(UploadHttpClient.layer({ continueTimeout: "10 millis", ...options }))
  )

describe("limits", () => {
  it.scopedLive("connecting: ConnectTimeout, while TLS gets no answer", () =>
    Effect.gen(function* () {
      const server = yield* serve({})
      const error = yield* failure(server.url.replace("http:", "https:"), 1, { connectTimeout: "100 millis" })
      expect(error).toMatchObject({
        _tag: "ConnectTimeout",
        phase: "securing",
        limitMillis: 100,
        bytesSent: 0
      })
      yield* eventually(() => server.connections[0]?.closed === true)
    })
  )

  it.scopedLive("sending: UploadStalled, at the byte it stopped at", () =>
    Effect.gen(function* () {
      const server = yield* serve({ onHead: ({ socket }) => socket.pause() })
      const error = yield* failure(server.url, 64, { stallTimeout: "200 millis" })
      expect(error).toMatchObject({ _tag: "UploadStalled", phase: "sending", limitMillis: 200 })
      expect(error.bytesTotal).toBe(64 * mebibyte)
      expect(error.bytesSent).toBeGreaterThan(0)
      expect(error.message).toMatch(/at byte \d+ of 67108864/)
      expect(error.message).not.toMatch(/secret|token/)
    })
  )

  it.scopedLive("a slow line is not a stalled one", () =>
    Effect.gen(function* () {
      const server = yield* serve({ ...whenWhole(({ answer }) => answer(200)), onHead: slowly })
      const response = yield* HttpClient.execute(request(server.url, 32)).pipe(
        Effect.provide(UploadHttpClient.layer({ stallTimeout: "1 second", continueTimeout: "10 millis" }))
      )
      expect(response.status).toBe(200)
    })
  )

  it.scopedLive("awaiting the answer: a limit of its own", () =>
    Effect.gen(function* () {
      const server = yield* serve({})
      const error = yield* failure(server.url, 1, {
        stallTimeout: "500 millis",
        responseTimeout: "1 second"
      })
      expect(error).toMatchObject({ _tag: "UploadStalled", phase: "awaiting-response", limitMillis: 1000 })
      expect(error.bytesSent).toBe(mebibyte)
    })
  )

  it.scopedLive.each(["GET", "HEAD"] as const)("awaiting the answer to a %s: a shorter one", (method) =>
    Effect.gen(function* () {
      const server = yield* serve({})
      const error = yield* HttpClient.execute(HttpClientRequest.make(method)(server.url)).pipe(
        Effect.flip,
        Effect.map(fromHttpClientError),
        Effect.provide(UploadHttpClient.layer({ readTimeout: "150 millis" }))
      )
      expect(error).toMatchObject({ _tag: "UploadStalled", phase: "awaiting-response", limitMillis: 150 })
    })
  )

  it.scopedLive("receiving: an answer that stops coming", () =>
    Effect.gen(function* () {
      const server = yield* serve(
        whenWhole(({ write }) => write("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf"))
      )
      const error = yield* failure(server.url, 1, { stallTimeout: "150 millis" })
      expect(error).toMatchObject({ _tag: "UploadStalled", phase: "receiving", limitMillis: 150 })
      yield* eventually(() => server.connections[0]?.closed === true)
    })
  )

  it.scopedLive("the deadline counts everything, reading the answer included", () =>
    Effect.gen(function* () {
      const silent = yield* serve({})
      expect(yield* failure(silent.url, 1, { deadline: "1 second" })).toMatchObject({
        _tag: "DeadlineExceeded",
        phase: "awaiting-response",
        limitMillis: 1000
      })
      const dripping = yield* serve(
        whenWhole(({ socket, write }) => {
          write("HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n")
          const drip = setInterval(() => write("x"), 20)
          socket.on("close", () => clearInterval(drip))
        })
      )
      expect(yield* failure(dripping.url, 1, { deadline: "1 second" })).toMatchObject({
        _tag: "DeadlineExceeded",
        phase: "receiving"
      })
    })
  )

  it.scopedLive("interim responses without end are no sign of life", () =>
    Effect.gen(function* () {
      const restless = yield* serve(
        whenWhole(({ socket, write }) => {
          const more = setInterval(() => write("HTTP/1.1 103 Early Hints\r\n\r\n".repeat(50)), 5)
          socket.on("close", () => clearInterval(more))
        })
      )
      const limits = { responseTimeout: "1 second", stallTimeout: "1 second" } as const
      expect(yield* failure(restless.url, 1, limits)).toMatchObject({
        _tag: "UploadStalled",
        phase: "awaiting-response"
      })
    })
  )

  it.scopedLive("awaiting continue: the phase of a connection lost there", () =>
    Effect.gen(function* () {
      const server = yield* serve({ onHead: ({ socket }) => setTimeout(() => socket.destroy(), 50) })
      const error = yield* failure(server.url, 1, { continueTimeout: "1 minute" })
      expect(error).toMatchObject({ _tag: "ConnectionFailed", phase: "awaiting-continue", bytesSent: 0 })
    })
  )

  it.scopedLive("a refused connection and a name that does not exist", () =>
    Effect.gen(function* () {
      const gone = yield* Effect.scoped(serve({}))
      expect(yield* failure(gone.url, 1, {})).toMatchObject({
        _tag: "ConnectionFailed",
        phase: "connecting",
        code: "ECONNREFUSED"
      })
      expect(yield* failure("http://nowhere.invalid", 1, {})).toMatchObject({
        _tag: "ConnectionFailed",
        phase: "resolving"
      })
    })
  )
})

describe("a wall clock that is set while a request is under way", () => {
  const hour = 3_600_000
  const jumps = [{ jump: -hour }, { jump: hour }]
  /** The failure of a request during which the clock is set again and again, and how long it took in truth. */
  const underChange = (jump: number, url: string, options: Options) =>
    Effect.gen(function* () {
      const time = settableClock()
      const startedAt = performance.now()
      const setting = yield* Effect.fork(
        Effect.forever(
          Effect.zipRight(
            Effect.sync(() => time.jump(jump)),
            Effect.sleep("30 millis")
          )
        )
      )
      const error = yield* failure(url, 8, options).pipe(Effect.withClock(time.clock))
      yield* Fiber.interrupt(setting)
      return { error, took: performance.now() - startedAt }
    })

  it.live.each(jumps)("by $jump ms ends no limit early or late: while sending", ({ jump }) =>
    Effect.gen(function* () {
      const server = yield* serve({ onHead: ({ socket }) => socket.pause() })
      const { error, took } = yield* underChange(jump, server.url, { stallTimeout: "300 millis" })
      expect(error).toMatchObject({ _tag: "UploadStalled", phase: "sending", limitMillis: 300 })
      expect(took).toBeGreaterThan(290)
    }).pipe(Effect.scoped)
  )

  it.live.each(jumps)("by $jump ms ends no limit early or late: awaiting the answer", ({ jump }) =>
    Effect.gen(function* () {
      const server = yield* serve({})
      const { error, took } = yield* underChange(jump, server.url, { responseTimeout: "300 millis" })
      expect(error).toMatchObject({ _tag: "UploadStalled", phase: "awaiting-response" })
      expect(server.connections[0]?.bodyBytes).toBe(8 * mebibyte)
      expect(took).toBeGreaterThan(290)
    }).pipe(Effect.scoped)
  )

  it.live.each(jumps)("by $jump ms ends no limit early or late: reading the answer", ({ jump }) =>
    Effect.gen(function* () {
      const server = yield* serve(
        whenWhole(({ socket, write }) => {
          write("HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n")
          const drip = setInterval(() => write("x"), 20)
          socket.on("close", () => clearInterval(drip))
        })
      )
      const { error, took } = yield* underChange(jump, server.url, { deadline: "3 seconds" })
      expect(error).toMatchObject({ _tag: "DeadlineExceeded", phase: "receiving" })
      expect(took).toBeGreaterThan(2900)
    }).pipe(Effect.scoped)
  )

  it.live.each(jumps)("by $jump ms ends no limit early or late: connecting", ({ jump }) =>
    Effect.gen(function* () {
      const server = yield* serve({})
      const url = server.url.replace("http:", "https:")
      const { error, took } = yield* underChange(jump, url, { connectTimeout: "300 millis" })
      expect(error).toMatchObject({ _tag: "ConnectTimeout", phase: "securing" })
      expect(took).toBeGreaterThan(290)
    }).pipe(Effect.scoped)
  )
})

describe("interruption", () => {
  it.scopedLive("closes the socket and the body's source at once", () =>
    Effect.gen(function* () {
      const server = yield* serve({ onHead: ({ socket }) => socket.pause() })
      const released = yield* Deferred.make<void>()
      const stream = Stream.ensuring(zeros(64), Deferred.succeed(released, undefined))
      const body = HttpBody.stream(stream, zip, 64 * mebibyte)
      const upload = yield* HttpClient.put(server.url, { body }).pipe(
        Effect.provide(UploadHttpClient.layer({ expectThreshold: Number.POSITIVE_INFINITY })),
        Effect.fork
      )
      yield* eventually(() => (server.connections[0]?.head ?? "") !== "")
      const exit = yield* Fiber.interrupt(upload)
      expect(Exit.isInterrupted(exit)).toBe(true)
      expect(yield* Deferred.isDone(released)).toBe(true)
    })
  )

  it.scopedLive("is not held up by an interim response nobody finishes dealing with", () =>
    Effect.gen(function* () {
      const server = yield* serve({ onHead: ({ write }) => write("HTTP/1.1 104 Supported\r\n\r\n") })
      const upload = yield* HttpClient.execute(request(server.url, 2)).pipe(
        Effect.provideService(Exchange, { onInterim: () => Effect.never }),
        Effect.provide(UploadHttpClient.layer()),
        Effect.fork
      )
      yield* Effect.sleep("50 millis")
      expect(Exit.isInterrupted(yield* Fiber.interrupt(upload))).toBe(true)
      yield* eventually(() => server.connections[0]?.closed === true)
    })
  )

  it.scopedLive("of reading an answer closes the connection", () =>
    Effect.gen(function* () {
      const server = yield* serve(
        whenWhole(({ write }) => write("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf"))
      )
      const response = yield* HttpClient.get(server.url).pipe(Effect.provide(UploadHttpClient.layer()))
      const reading = yield* Effect.fork(response.text)
      yield* Effect.sleep("50 millis")
      yield* Fiber.interrupt(reading)
      yield* eventually(() => server.connections[0]?.closed === true)
      expect(server.connections[0]?.closed).toBe(true)
    })
  )

  it.scopedLive("leaves nothing behind: 1000 interrupted uploads", () =>
    Effect.gen(function* () {
      const server = yield* serve({})
      let open = 0
      const opened = Effect.acquireRelease(
        Effect.sync(() => {
          open += 1
        }),
        () =>
          Effect.sync(() => {
            open -= 1
          })
      )
      const trickle = Stream.repeatEffect(Effect.delay(Effect.succeed(new Uint8Array(8192)), "5 millis"))
      const body = HttpBody.stream(
        Stream.flatMap(Stream.scoped(opened), () => trickle),
        zip,
        mebibyte
      )
      const upload = (index: number) =>
        HttpClient.put(server.url, { body }).pipe(Effect.timeoutOption(Duration.millis(index % 200)))
      const sockets = () => process.getActiveResourcesInfo().filter((name) => name.startsWith("TCP")).length
      const before = sockets()
      yield* Effect.forEach(
        Array.from({ length: 1000 }, (_, index) => index),
        upload,
        { concurrency: 50 }
      ).pipe(Effect.provide(UploadHttpClient.layer({ expectThreshold: Number.POSITIVE_INFINITY })))
      expect(open).toBe(0)
      yield* eventually(() => server.connections.every((one) => one.closed))
      yield* eventually(() => sockets() <= before)
      expect(server.connections.length).toBeGreaterThan(100)
    })
  )
})

describe("bandwidth", () => {
  const timed = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
    Effect.map(Effect.timed(effect), ([took]) => Duration.toMillis(took))

  it.scopedLive("limits the body, and can be changed while it is sent", () =>
    Effect.gen(function* () {
      const server = yield* serve(whenWhole(({ answer }) => answer(200)))
      const bandwidth = yield* Bandwidth
      const client = yield* HttpClient.HttpClient
      const limited = yield* timed(client.execute(request(server.url, 1)))
      expect(limited).toBeGreaterThan(700)
      expect(limited).toBeLessThan(2500)

      yield* bandwidth.setLimit(1000)
      const upload = yield* Effect.fork(timed(client.execute(request(server.url, 1))))
      yield* Effect.sleep("200 millis")
      yield* bandwidth.setLimit(Number.POSITIVE_INFINITY)
      expect(yield* upload).toBeLessThan(1500)
      expect(server.connections.map((one) => one.bodyBytes)).toEqual([mebibyte, mebibyte])
    }).pipe(Effect.provide(UploadHttpClient.layer({ bandwidth: mebibyte, continueTimeout: "10 millis" })))
  )
})

describe("layerConfig", () => {
  const withEnvironment = (...entries: ReadonlyArray<readonly [string, string]>) =>
    Effect.withConfigProvider(ConfigProvider.fromMap(new Map(entries)))

  it.effect("has a default for everything", () =>
    Effect.gen(function* () {
      const configured = yield* UploadHttpClient.config
      expect(Duration.toMillis(configured.stallTimeout)).toBe(60_000)
      expect(configured.expectThreshold).toBeUndefined()
      expect(configured.bandwidth).toBe(Number.POSITIVE_INFINITY)
    }).pipe(withEnvironment())
  )

  it.scopedLive("reads the environment", () =>
    Effect.gen(function* () {
      const server = yield* serve({})
      const error = yield* HttpClient.execute(request(server.url, 1)).pipe(
        Effect.flip,
        Effect.map(fromHttpClientError)
      )
      expect(error).toMatchObject({ _tag: "UploadStalled", phase: "awaiting-response", limitMillis: 120 })
      expect(server.connections[0]?.header("expect")).toBeUndefined()
      expect(yield* Effect.flatMap(Bandwidth, (bandwidth) => bandwidth.limit)).toBe(9e9)
    }).pipe(
      Effect.provide(UploadHttpClient.layerConfig),
      withEnvironment(
        ["EC_UPLOAD_RESPONSE_TIMEOUT", "120 millis"],
        ["EC_UPLOAD_EXPECT_THRESHOLD", "2000000"],
        ["EC_UPLOAD_BANDWIDTH", "9000000000"]
      )
    )
  )

  it.effect("refuses what makes no sense", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(UploadHttpClient.config)
      expect(String(error)).toMatch(/EC_UPLOAD_BANDWIDTH: "it has to be a size greater than 0, .+"5MB""/)
    }).pipe(withEnvironment(["EC_UPLOAD_BANDWIDTH", "0"]))
  )
})
