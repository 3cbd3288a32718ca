import { describe, expect, it } from "@effect/vitest"
import { Cause, Duration, Effect, Either, Logger, Option, Ref } from "effect"
import * as Fault from "../../src/testing/Fault.ts"
import { LocalElasticCloud } from "../../src/testing/LocalElasticCloud.ts"
import {
  ask,
  bigZip,
  codes,
  EXTENSIONS,
  pathOf,
  put,
  rawConnection,
  rawPutHead,
  seedBundle,
  sha256,
  withCloud,
  zip
} from "../support/testing/server.ts"

/** One upload of `bytes` bytes under a fault: what the client saw, and what the stand-in has and remembers. */
const uploadUnder = (
  fault: Fault.FaultRule["fault"],
  { bytes = 200_000, expect: expectContinue = false, waitMillis = 5000 } = {}
) =>
  Effect.gen(function* () {
    const cloud = yield* LocalElasticCloud
    const { id } = yield* seedBundle
    const archive = yield* bigZip(bytes)
    yield* cloud.plan({ method: "PUT", fault })
    const answer = yield* put(id, archive, { expect: expectContinue }).pipe(
      Effect.timeoutOption(waitMillis),
      Effect.either
    )
    yield* cloud.settled
    const record = (yield* cloud.requests)[0] ?? (yield* Effect.dieMessage("nothing was recorded"))
    const extension = Option.getOrThrow(yield* cloud.extension(id))
    return { id, archive, answer, record, uploads: extension.uploads }
  })

const isLost = (answer: Either.Either<Option.Option<unknown>, { readonly code: string | undefined }>) => {
  expect(Either.getLeft(answer).pipe(Option.map(({ code }) => code))).toStrictEqual(Option.some("ECONNRESET"))
}

const answerOf = <A, E>(answer: Either.Either<Option.Option<A>, E>) =>
  Effect.flatMap(answer, (inTime) => inTime)

describe("cut", () => {
  it.live.each(["close", "reset", "end"] as const)("before the body is read (%s): nothing is read", (how) =>
    Effect.gen(function* () {
      const { answer, record, uploads } = yield* uploadUnder(Fault.cut("arrival", how), { expect: true })
      isLost(answer)
      expect(record).toMatchObject({ bodyBytes: 0, complete: false, status: undefined })
      expect(uploads).toBe(0)
    }).pipe(withCloud())
  )

  it.live.each([0, 1, 65_536, 100_000])("after exactly %d bytes of the body", (bytes) =>
    Effect.gen(function* () {
      const result = yield* uploadUnder(Fault.cut({ afterBodyBytes: bytes }))
      const { answer, archive, record, uploads } = result
      expect(Either.isLeft(answer)).toBe(true)
      expect(record).toMatchObject({ bodyBytes: bytes, complete: false, status: undefined })
      expect(record.bodySha256).toBe(sha256(archive.subarray(0, bytes)))
      expect(uploads).toBe(0)
    }).pipe(withCloud())
  )

  it.live("after the last byte, before it is applied", () =>
    Effect.gen(function* () {
      const { answer, archive, record, uploads } = yield* uploadUnder(Fault.cut("body"))
      isLost(answer)
      expect(record).toMatchObject({ bodyBytes: archive.length, complete: true, status: undefined })
      expect(uploads).toBe(0)
    }).pipe(withCloud())
  )

  it.live("beyond the end of a body strikes at its end", () =>
    Effect.gen(function* () {
      const { record, uploads } = yield* uploadUnder(Fault.cut({ afterBodyBytes: 10_000_000 }))
      expect(record).toMatchObject({ complete: true, status: undefined })
      expect(uploads).toBe(0)
    }).pipe(withCloud())
  )

  it.live.each(["close", "reset"] as const)("after it was applied (%s): stored, and the answer lost", (how) =>
    Effect.gen(function* () {
      const { answer, record, uploads } = yield* uploadUnder(Fault.cut("applied", how))
      isLost(answer)
      expect(record).toMatchObject({
        complete: true,
        status: undefined,
        contentFile: { size: record.bodyBytes }
      })
      expect(uploads).toBe(1)
    }).pipe(withCloud())
  )

  it.live.each([undefined, 0, 10])("in the middle of the answer (%s bytes)", (bytes) =>
    Effect.gen(function* () {
      const { answer, uploads } = yield* uploadUnder(Fault.cutAnswer(bytes))
      const failure = Option.getOrThrow(Either.getLeft(answer))
      expect(failure.code).toBe("ECONNRESET")
      if (bytes === undefined) expect(failure.received.length).toBeGreaterThan(100)
      else expect(failure.received.length).toBe(bytes)
      expect(uploads).toBe(1)
    }).pipe(withCloud())
  )
})

describe("answers in place of the service's own", () => {
  it.live("are given after the body was read, and nothing is applied", () =>
    Effect.gen(function* () {
      const page = "<html>Request blocked</html>"
      const { answer, archive, record, uploads } = yield* uploadUnder(
        Fault.answer({ status: 403, headers: { "content-type": "text/html" }, body: page })
      )
      const { headers, status, text } = yield* answerOf(answer)
      expect([status, headers["content-type"], text]).toStrictEqual([403, "text/html", page])
      expect(record).toMatchObject({ bodyBytes: archive.length, complete: true, status: 403 })
      expect(uploads).toBe(0)
    }).pipe(withCloud())
  )

  it.live("can be empty, and can carry any header", () =>
    Effect.gen(function* () {
      const { answer } = yield* uploadUnder(Fault.answer({ status: 503, headers: { "retry-after": "7" } }))
      const { headers, text } = yield* answerOf(answer)
      expect([headers["retry-after"], headers["content-length"], text]).toStrictEqual(["7", "0", ""])
    }).pipe(withCloud())
  )

  it.live("refuse with a code of the description", () =>
    Effect.gen(function* () {
      const { answer } = yield* uploadUnder(Fault.refuse(409, "extensions.version_conflict"))
      const reply = yield* answerOf(answer)
      expect([reply.status, codes(reply)]).toStrictEqual([409, ["extensions.version_conflict"]])
    }).pipe(withCloud())
  )

  it.live("can come early, with the body unread and the connection left open", () =>
    Effect.gen(function* () {
      const cloud = yield* LocalElasticCloud
      const { id } = yield* seedBundle
      yield* cloud.plan({
        method: "PUT",
        fault: Fault.answerEarly({ status: 413, close: false, body: "no" })
      })
      const connection = yield* rawConnection
      yield* connection.write(rawPutHead(id, { "Content-Type": "application/zip", "Content-Length": 100 }))
      yield* connection.write("PK")
      expect(yield* connection.received(/no$/)).toMatch(/^HTTP\/1\.1 413 .*Connection: keep-alive/s)
      expect(Option.isNone(yield* Effect.timeoutOption(connection.untilClosed, "100 millis"))).toBe(true)
      expect((yield* cloud.requests)[0]).toMatchObject({ bodyBytes: 0, complete: false, status: 413 })
    }).pipe(Effect.scoped, withCloud())
  )

  it.live("that never ends keeps the next one of its connection waiting as long as that is open", () =>
    Effect.gen(function* () {
      const cloud = yield* LocalElasticCloud
      const connection = yield* rawConnection
      const get = `GET ${EXTENSIONS} HTTP/1.1\r\nHost: cloud\r\nAuthorization: ApiKey local-key\r\n\r\n`
      yield* cloud.plan({ method: "GET", fault: Fault.answerEarly({ status: 503, close: false }) })
      yield* connection.write(get + get)
      yield* connection.received(/503/)
      yield* Effect.repeat(cloud.requests, { until: ({ length }) => length === 2 })
      yield* connection.destroy
      yield* cloud.settled
    }).pipe(Effect.scoped, withCloud())
  )

  it.live("can come early and close on the unread body", () =>
    Effect.gen(function* () {
      const { answer, record } = yield* uploadUnder(
        Fault.answerEarly({ status: 413, close: true, body: "no" }),
        {
          expect: true
        }
      )
      expect((yield* answerOf(answer)).status).toBe(413)
      expect(record).toMatchObject({ bodyBytes: 0, complete: false, status: 413 })
    }).pipe(withCloud())
  )
})

describe("time", () => {
  it.live("passes before the answer, not before the archive is stored", () =>
    Effect.gen(function* () {
      const cloud = yield* LocalElasticCloud
      const { id } = yield* seedBundle
      const uploads = Effect.map(
        cloud.extension(id),
        Option.map((extension) => extension.uploads)
      )
      const seen = yield* Ref.make(Option.none<number>())
      const look = Effect.flatMap(uploads, (count) => Ref.set(seen, count))
      yield* cloud.plan({ method: "PUT", fault: [Fault.delay(150), Fault.run("applied", look)] })
      const [elapsed, answer] = yield* Effect.timed(put(id, yield* zip({ a: "a" })))
      expect(answer.status).toBe(200)
      expect(Duration.toMillis(elapsed)).toBeGreaterThanOrEqual(145)
      expect(yield* Ref.get(seen)).toStrictEqual(Option.some(1))
    }).pipe(withCloud())
  )

  it.live("a body is read no faster than planned", () =>
    Effect.gen(function* () {
      const [elapsed, { answer }] = yield* Effect.timed(
        uploadUnder(Fault.readSlowly(200_000), { bytes: 60_000 })
      )
      expect((yield* answerOf(answer)).status).toBe(200)
      expect(Duration.toMillis(elapsed)).toBeGreaterThanOrEqual(290)
    }).pipe(withCloud())
  )

  it.live.each<readonly [string, Fault.Moment, number, number]>([
    ["without reading", "arrival", 0, 0],
    ["after some of the body", { afterBodyBytes: 5000 }, 5000, 0],
    ["after the whole body", "body", 60_140, 0],
    ["after it was applied", "applied", 60_140, 1]
  ])("never ends for a request that is never answered, %s", ([, at, bodyBytes, uploads]) =>
    Effect.gen(function* () {
      const result = yield* uploadUnder(Fault.hang(at), { bytes: 60_000, waitMillis: 150 })
      expect(result.answer).toStrictEqual(Either.right(Option.none()))
      expect(result.record.status).toBeUndefined()
      expect(Math.abs(result.record.bodyBytes - bodyBytes)).toBeLessThan(100)
      expect(result.uploads).toBe(uploads)
    }).pipe(withCloud())
  )

  it.live("a server that stops reading pushes back on whoever sends", () =>
    Effect.gen(function* () {
      const bytes = 40_000_000
      const cloud = yield* LocalElasticCloud
      const { id } = yield* seedBundle
      yield* cloud.plan({ method: "PUT", fault: Fault.hang({ afterBodyBytes: 1000 }) })
      const connection = yield* rawConnection
      yield* connection.write(rawPutHead(id, { "Content-Type": "application/zip", "Content-Length": bytes }))
      const sent = yield* Effect.timeoutOption(connection.write(Buffer.alloc(bytes)), "300 millis")
      expect(Option.isNone(sent)).toBe(true)
      expect((yield* cloud.requests)[0]?.bodyBytes).toBe(1000)
    }).pipe(Effect.scoped, withCloud())
  )
})

describe("before the answer", () => {
  it.live("no 100 Continue is sent, and the body is read all the same", () =>
    Effect.gen(function* () {
      const cloud = yield* LocalElasticCloud
      const { id } = yield* seedBundle
      const archive = yield* zip({ a: "a" })
      yield* cloud.plan({ method: "PUT", fault: Fault.ignoreExpect })
      const connection = yield* rawConnection
      const head = {
        "Content-Type": "application/zip",
        "Content-Length": archive.length,
        Connection: "close"
      }
      yield* connection.write(rawPutHead(id, { ...head, Expect: "100-continue" }))
      yield* Effect.sleep("50 millis")
      yield* connection.write(archive)
      expect(yield* connection.untilClosed).toMatch(/^HTTP\/1\.1 200 OK\r\n/)
    }).pipe(Effect.scoped, withCloud())
  )

  it.live("an expectation fails with 417 and costs no body byte, and other requests pass", () =>
    Effect.gen(function* () {
      const { answer, record } = yield* uploadUnder(Fault.expectationFailed, { expect: true })
      expect((yield* answerOf(answer)).status).toBe(417)
      expect(record.bodyBytes).toBe(0)
      const without = yield* uploadUnder(Fault.expectationFailed)
      expect((yield* answerOf(without.answer)).status).toBe(200)
    }).pipe(withCloud())
  )

  it.live("interim responses come in order, at the moments planned", () =>
    Effect.gen(function* () {
      const cloud = yield* LocalElasticCloud
      const { id } = yield* seedBundle
      const archive = yield* zip({ a: "a" })
      yield* cloud.plan({
        method: "PUT",
        fault: [
          Fault.interim("arrival", { status: 103, headers: { link: "</a>; rel=preload" } }),
          Fault.interim(
            { afterBodyBytes: 10 },
            { status: 104, reason: "Upload Resumption Supported", headers: { location: "/u/1" } }
          ),
          Fault.interim("applied", { status: 199 }, { status: 102 })
        ]
      })
      const connection = yield* rawConnection
      const head = {
        "Content-Type": "application/zip",
        "Content-Length": archive.length,
        Connection: "close"
      }
      yield* connection.write(rawPutHead(id, { ...head, Expect: "100-continue" }))
      yield* connection.write(archive)
      const statusLines = (yield* connection.untilClosed).match(/^HTTP\/1\.1 .*$/gm)
      expect(statusLines).toStrictEqual([
        "HTTP/1.1 103 Early Hints",
        "HTTP/1.1 100 Continue",
        "HTTP/1.1 104 Upload Resumption Supported",
        "HTTP/1.1 199 Interim",
        "HTTP/1.1 102 Processing",
        "HTTP/1.1 200 OK"
      ])
    }).pipe(Effect.scoped, withCloud())
  )
})

describe("effects", () => {
  it.live("run at their moment: another writer comes in between", () =>
    Effect.gen(function* () {
      const cloud = yield* LocalElasticCloud
      const seed = { name: "dictionary", extension_type: "bundle", version: "*" } as const
      const { id } = yield* cloud.seed(seed)
      const otherWriter = Effect.asVoid(cloud.seed({ ...seed, id, file: Buffer.from("theirs") }))
      yield* cloud.plan({ method: "PUT", fault: Fault.run("body", otherWriter) })
      yield* put(id, yield* zip({ a: "ours" }))
      expect(Option.getOrThrow(yield* cloud.extension(id)).resourceVersion).toBe(3)
    }).pipe(withCloud())
  )

  it.live("can restart the stand-in from within a request", () =>
    Effect.gen(function* () {
      const cloud = yield* LocalElasticCloud
      const { answer, id, record, uploads } = yield* uploadUnder(
        Fault.run(
          { afterBodyBytes: 1000 },
          Effect.suspend(() => cloud.restart)
        )
      )
      expect(Either.isLeft(answer)).toBe(true)
      expect(record).toMatchObject({ bodyBytes: 1000, status: undefined })
      expect(uploads).toBe(0)
      expect((yield* put(id, yield* zip({ a: "a" }))).status).toBe(200)
    }).pipe(withCloud())
  )

  it.live("that die are a 500 to the client, and said in the log", () =>
    Effect.gen(function* () {
      const logged: Array<string> = []
      const logger = Logger.make(({ cause }) => logged.push(Cause.pretty(cause)))
      yield* Effect.gen(function* () {
        const { answer } = yield* uploadUnder(Fault.run("body", Effect.dieMessage("a test's mistake")))
        const reply = yield* answerOf(answer)
        expect([reply.status, codes(reply)]).toStrictEqual([500, ["root.internal_error"]])
      }).pipe(withCloud(), Effect.provide(Logger.replace(Logger.defaultLogger, logger)))
      expect(logged).toStrictEqual([expect.stringContaining("a test's mistake")])
    })
  )
})

describe("rules", () => {
  const statuses = (...paths: ReadonlyArray<string>) =>
    Effect.forEach(paths, (path) => Effect.map(ask({ path }), ({ status }) => status))

  it.live("strike as often as they say, in the order they were planned", () =>
    Effect.gen(function* () {
      const cloud = yield* LocalElasticCloud
      yield* cloud.plan({ times: 2, fault: Fault.answer({ status: 503 }) })
      yield* cloud.plan({ fault: Fault.answer({ status: 429 }) })
      const same = Array.from({ length: 4 }, () => EXTENSIONS)
      expect(yield* statuses(...same)).toStrictEqual([503, 503, 429, 200])
    }).pipe(withCloud())
  )

  it.live("strike only what they match", () =>
    Effect.gen(function* () {
      const cloud = yield* LocalElasticCloud
      const { id } = yield* seedBundle
      yield* cloud.plan({ method: "PUT", fault: Fault.answer({ status: 500 }) })
      yield* cloud.plan({ path: id, fault: Fault.answer({ status: 502 }) })
      yield* cloud.plan({ path: /extensions$/, times: 2, fault: Fault.answer({ status: 504 }) })
      expect(yield* statuses(EXTENSIONS, pathOf(id), pathOf(id), EXTENSIONS)).toStrictEqual([
        504, 502, 200, 504
      ])
    }).pipe(withCloud())
  )

  it.live("are forgotten when the plan is cleared", () =>
    Effect.gen(function* () {
      const cloud = yield* LocalElasticCloud
      yield* cloud.plan({ fault: Fault.answer({ status: 500 }) })
      yield* cloud.clearPlan
      expect(yield* statuses(EXTENSIONS)).toStrictEqual([200])
    }).pipe(withCloud())
  )
})
