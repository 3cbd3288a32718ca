/** Servers that mean no good: bounded time, bounded memory, and no credentials for strangers. */
import type { Socket } from "node:net"
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import { describe, expect, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Inspectable from "effect/Inspectable"
import {
  appended,
  begun,
  cancelled,
  done,
  head,
  offered,
  options,
  patch,
  put,
  uploadPath
} from "../support/transfer/draftScript.ts"
import {
  type Act,
  answer,
  cut,
  meanwhile,
  raw,
  resumableServer,
  wholeBody
} from "../support/transfer/resumableServer.ts"
import { attempt, doneRun, expectKept, resume, stopsHalfway, upload } from "../support/transfer/uploading.ts"

const drained = (socket: Socket) =>
  new Promise<void>((resolve) => {
    // A socket is drained thousands of times, and closed once: both listeners go together.
    const done = () => {
      socket.off("drain", done).off("close", done)
      resolve()
    }
    socket.on("drain", done).on("close", done)
  })

/** Writes a text many times, as fast as the client takes it. */
const flood =
  (count: number, text: (index: number) => string): Act =>
  async ({ socket }) => {
    const batch = 500
    for (let sent = 0; sent < count && !socket.destroyed; sent += batch) {
      const texts = Array.from({ length: batch }, (_, index) => text(sent + index))
      if (!socket.write(texts.join(""))) await drained(socket)
    }
  }

const response104 = (...fields: ReadonlyArray<string>) =>
  ["HTTP/1.1 104 Flood", "Upload-Draft-Interop-Version: 9", ...fields, "", ""].join("\r\n")

const heapUsed = () => {
  globalThis.gc?.()
  return process.memoryUsage().heapUsed
}
const mebibyte = 1024 * 1024

describe("endless 104s", () => {
  const count = 25_000

  it.live.each([
    { name: "that say nothing", text: () => response104() },
    { name: "with the same Location", text: () => response104(`Location: ${uploadPath}`) },
    {
      name: "with a Location and limits that shrink with time",
      text: (n: number) => response104(`Location: ${uploadPath}`, `Upload-Limit: max-age=${count + 60 - n}`)
    },
    {
      name: "with offsets that go up and down",
      text: (n: number) => response104(`Upload-Offset: ${n % 1000}`)
    },
    {
      name: "with junk in every field",
      text: () => response104("Upload-Offset: x", "Upload-Limit: (", "Location: //[")
    }
  ])("$name change nothing and pile up nowhere", ({ text }) =>
    Effect.gen(function* () {
      const before = heapUsed()
      const run = yield* upload([put(offered(), flood(count, text), wholeBody, done)], {
        on: { BytesAcknowledged: () => Effect.void }
      })
      expect(run).toMatchObject(doneRun)
      expect(run.resources).toMatchObject([{ path: uploadPath }, undefined])
      expect(heapUsed() - before).toBeLessThan(40 * mebibyte)
    })
  )

  it.live("are held back while one is being dealt with", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const stuck = yield* Deferred.make<void>()
        let written = 0
        const server = yield* resumableServer([
          put(
            offered(),
            flood(count * 100, () => {
              written += 1
              return response104(`X-Padding: ${"x".repeat(500)}`)
            })
          )
        ])
        const fiber = yield* attempt(server.origin, {
          on: { ResourceKnown: () => Effect.zipRight(Deferred.succeed(stuck, undefined), Effect.never) }
        }).pipe(Effect.fork)
        yield* Deferred.await(stuck)
        const standsStill = Effect.gen(function* () {
          const before = written
          yield* Effect.sleep("200 millis")
          return written === before
        })
        expect(yield* Effect.repeat(standsStill, { until: (still) => still, times: 20 })).toBe(true)
        yield* Fiber.interrupt(fiber)
      })
    )
  )

  it.live("end with the upload, when it is interrupted", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const closed = yield* Deferred.make<void>()
        const server = yield* resumableServer([
          put(
            offered(),
            flood(Number.POSITIVE_INFINITY, () => response104()),
            meanwhile(Deferred.succeed(closed, undefined))
          )
        ])
        yield* attempt(server.origin).pipe(Effect.timeoutOption("300 millis"))
        yield* Deferred.await(closed)
      })
    )
  )
})

describe("answers that are not HTTP, or not for us", () => {
  it.live.each([
    ["nonsense", "there is no such thing\r\n\r\n"],
    ["a header line without end", `HTTP/1.1 104 X\r\nLocation: /${"x".repeat(100_000)}`],
    ["more headers than anyone needs", `HTTP/1.1 200 OK\r\n${"X-Header: x\r\n".repeat(20_000)}\r\n`],
    ["a negative length", "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n"],
    [
      "an upgrade nobody asked for",
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: tus\r\nConnection: upgrade\r\n\r\n"
    ]
  ] as const)("(%s) fail the attempt and keep the upload", ([, text]) =>
    Effect.gen(function* () {
      const run = yield* upload([put(offered(), wholeBody, raw(text), cut)])
      expect(run.error).toMatchObject({ _tag: "ConnectionFailed" })
      expectKept(run)
      expect(run.resources).toHaveLength(1)
    })
  )
})

describe("fields that come twice", () => {
  it.live("are no offset, and no limit but the last", () =>
    Effect.gen(function* () {
      const twice =
        "HTTP/1.1 204 No Content\r\nUpload-Offset: 5\r\nUpload-Offset: 6\r\nUpload-Complete: ?0\r\nConnection: close\r\n\r\n"
      const run = yield* resume([head(raw(twice), cut), cancelled])
      expect(run.error).toMatchObject({ rule: "OffsetMissing" })
    })
  )

  it.live("are two limits in one Dictionary", () =>
    Effect.gen(function* () {
      const limits = response104(
        `Location: ${uploadPath}`,
        "Upload-Limit: max-append-size=10",
        "Upload-Limit: max-append-size=700"
      )
      const run = yield* upload([
        put(raw(limits)),
        begun,
        patch(0, 700, ...appended()),
        patch(700, 1000, wholeBody, done)
      ])
      expect(run).toMatchObject(doneRun)
    })
  )
})

describe("what is said of a failure", () => {
  it.live("never holds the upload's address, the key or the path", () =>
    Effect.gen(function* () {
      // The harness looks at every error of every test for these; here for errors with all the words they can have.
      const runs = yield* Effect.all([
        upload([put(offered(), offered({ location: "/uploads/s3cr3t-other" })), cancelled], stopsHalfway),
        upload([put(offered({ "upload-limit": "max-size=1" })), cancelled], stopsHalfway),
        upload([put(wholeBody, answer(307, { location: "/uploads/s3cr3t" }))]),
        upload([put(offered(), cut)]),
        resume([head(answer(404))]),
        resume([head(answer(307, { location: "https://elsewhere.example/s3cr3t" }))]),
        upload([options(answer(204))], { mode: "required" }),
        upload([options(cut)], { mode: "required", transport: NodeHttpClient.layer })
      ])
      expect(runs.map(({ error }) => (typeof error === "object" ? error._tag : error))).toEqual([
        "UploadProtocolViolation",
        "UploadLimitExceeded",
        "RedirectRefused",
        "ConnectionFailed",
        "UploadResourceLost",
        "UploadProtocolViolation",
        "ResumptionUnsupported",
        "ConnectionFailed"
      ])
      for (const { error } of runs) {
        expect(Inspectable.toStringUnknown(error)).not.toMatch(/s3cr3t|elsewhere|ApiKey/)
      }
    })
  )
})
