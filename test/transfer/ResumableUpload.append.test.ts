/** Appending what is left. */
import { createHash } from "node:crypto"
import { describe, expect, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Stream from "effect/Stream"
import { ofBytes } from "../support/transfer/bytes.ts"
import {
  appended,
  at,
  atOffset,
  begun,
  cancelled,
  complete,
  content,
  done,
  head,
  incomplete,
  patch,
  progressed,
  repeat
} from "../support/transfer/draftScript.ts"
import {
  answer,
  cut,
  meanwhile,
  received,
  resumableServer,
  wholeBody
} from "../support/transfer/resumableServer.ts"
import {
  attempt,
  doneRun,
  expectForgotten,
  expectKept,
  resume,
  upload
} from "../support/transfer/uploading.ts"

describe("an append", () => {
  it.live("carries the digest of its own content", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const server = yield* resumableServer([
          begun,
          patch(0, 700, ...appended()),
          patch(700, 1000, ...appended()),
          patch(1000, 1000, done)
        ])
        yield* attempt(server.origin, { resumes: { limits: { maxAppendSize: 700 } } })
        const digest = (from: number, to: number) =>
          `sha-256=:${createHash("sha256").update(content.subarray(from, to)).digest("base64")}:`
        expect(server.requests.map(({ headers }) => headers["content-digest"])).toEqual([
          undefined,
          digest(0, 700),
          digest(700, 1000),
          undefined
        ])
      })
    )
  )

  it.live("tells what is acknowledged on the way, and ignores what cannot be", () =>
    Effect.gen(function* () {
      const run = yield* resume([
        head(atOffset(100)),
        patch(100, 1000, received(10), progressed(110), progressed(5000), wholeBody, done)
      ])
      expect(run).toMatchObject({ ...doneRun, acknowledged: [100, 110] })
    })
  )

  it.live("that the server took in part goes on from there", () =>
    Effect.gen(function* () {
      const run = yield* resume([
        begun,
        patch(0, 1000, ...appended(at(400))),
        patch(400, 1000, wholeBody, done)
      ])
      expect(run).toMatchObject({ ...doneRun, acknowledged: [0, 400] })
    })
  )

  it.live("that completes without saying so has its resource asked, which may want to be told again", () =>
    Effect.gen(function* () {
      const run = yield* resume([
        begun,
        patch(0, 1000, wholeBody, answer(204)),
        head(atOffset(1000)),
        patch(1000, 1000, answer(200, complete, "done"))
      ])
      expect(run).toMatchObject(doneRun)
    })
  )

  it.live.each([
    { name: "before it began", offset: 99 },
    { name: "after it ended", offset: 1001 },
    { name: "after the part it sent", offset: 601 }
  ])("that is acknowledged to $name is a violation", ({ offset }) =>
    Effect.gen(function* () {
      const run = yield* resume([head(atOffset(100)), patch(100, 600, ...appended(at(offset))), cancelled], {
        limits: { maxAppendSize: 500 }
      })
      expect(run.error).toMatchObject({ _tag: "UploadProtocolViolation", rule: "OffsetBeyondLength" })
      expectForgotten(run)
    })
  )

  it.live.each([400, 422, 302])(
    "refused with %i ends the upload, once its resource says that it is not complete",
    (status) =>
      Effect.gen(function* () {
        const refused = patch(0, 1000, wholeBody, answer(status, incomplete, "no"))
        const run = yield* resume([begun, refused, begun, cancelled])
        expect(run.answer).toEqual({ status, body: "no" })
        expectForgotten(run)
      })
  )

  it.live.each([401, 403, 408, 429, 500, 503])("refused with %i for now keeps the upload", (status) =>
    Effect.gen(function* () {
      const run = yield* resume([begun, patch(0, 1000, wholeBody, answer(status, {}, "later"))])
      expect(run.answer).toEqual({ status, body: "later" })
      expectKept(run)
    })
  )

  it.live.each([404, 410])("to a resource that is gone (%i) says so", (status) =>
    Effect.gen(function* () {
      const run = yield* resume([begun, patch(0, 1000, wholeBody, answer(status))])
      expect(run.error).toMatchObject({ _tag: "UploadResourceLost", status })
      expectForgotten(run)
    })
  )

  it.live.each([200, 400, 404, 413, 500])("answered by the target itself with %i is done", (status) =>
    Effect.gen(function* () {
      const run = yield* resume([begun, patch(0, 1000, wholeBody, answer(status, complete, "final"))])
      expect(run.answer).toEqual({ status, body: "final" })
      expectForgotten(run)
    })
  )

  it.live("cut on the way keeps the upload", () =>
    Effect.gen(function* () {
      const { sends: _, ...append } = patch(0, 1000, received(100), cut)
      const run = yield* resume([begun, append])
      expect(run.error).toMatchObject({ _tag: "ConnectionFailed", method: "PATCH" })
      expectKept(run)
    })
  )

  /** An append whose arrival at the server can be waited for. */
  const arriving = (from: number, to: number) =>
    Effect.map(Deferred.make<void>(), (arrived) => {
      const { sends: _, ...append } = patch(
        from,
        to,
        received(100),
        meanwhile(Deferred.succeed(arrived, undefined)),
        wholeBody
      )
      return { append, arrived: Deferred.await(arrived) }
    })

  it.live("interrupted on the way keeps the upload", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { append, arrived } = yield* arriving(0, 1000)
        const server = yield* resumableServer([begun, append])
        const resources: Array<unknown> = []
        const fiber = yield* attempt(server.origin, {
          resumes: {},
          on: {
            ResourceKnown: (event) => Effect.sync(() => void resources.push(event)),
            ResourceGone: (event) => Effect.sync(() => void resources.push(event)),
            BytesWritten: () => Effect.never
          }
        }).pipe(Effect.fork)
        yield* arrived
        yield* Fiber.interrupt(fiber)
        expect(resources).toEqual([])
        expect(server.requests.map(({ line }) => line)).toEqual([begun.line, append.line])
      })
    )
  )

  it.live("whose source fails is cut off, fails the same way, and keeps the upload", () =>
    Effect.gen(function* () {
      const { append, arrived } = yield* arriving(0, 1000)
      const source = ofBytes(content, 100)
      const broken = Stream.concat(
        Stream.take(source.read(0), 3),
        Effect.zipRight(arrived, Effect.fail("the disk is gone"))
      )
      let readings = 0
      const run = yield* upload([begun, append], {
        resumes: {},
        // The first reading is for the digest.
        representation: { ...source, read: (offset) => (++readings === 1 ? source.read(offset) : broken) }
      })
      expect(run.error).toBe("the disk is gone")
      expectKept(run)
    })
  )
})

describe("409 to an append", () => {
  it.live.each([0, 300, 1000])("goes on at the offset it names, here %i", (offset) =>
    Effect.gen(function* () {
      const run = yield* resume([
        head(atOffset(100)),
        patch(100, 1000, wholeBody, answer(409, { ...incomplete, ...at(offset) })),
        patch(offset, 1000, wholeBody, done)
      ])
      expect(run).toMatchObject(doneRun)
    })
  )

  it.live.each([{}, at("?1"), at("-1")])("without an offset (%j) asks for it", (fields) =>
    Effect.gen(function* () {
      const run = yield* resume([
        begun,
        patch(0, 1000, wholeBody, answer(409, { ...incomplete, ...fields })),
        head(atOffset(600)),
        patch(600, 1000, wholeBody, done)
      ])
      expect(run).toMatchObject(doneRun)
    })
  )

  it.live("with an offset beyond the length is a violation", () =>
    Effect.gen(function* () {
      const run = yield* resume([
        begun,
        patch(0, 1000, wholeBody, answer(409, { ...incomplete, ...at(1001) })),
        begun,
        cancelled
      ])
      expect(run.error).toMatchObject({ rule: "OffsetBeyondLength" })
      expectForgotten(run)
    })
  )

  it.live.each([
    {
      name: "naming the same offset",
      script: [begun, ...repeat(6, () => patch(0, 1000, wholeBody, answer(409, { ...incomplete, ...at(0) })))]
    },
    {
      name: "naming one offset, then another",
      script: [
        begun,
        ...repeat(6, (n) => {
          const from = n % 2 === 0 ? 0 : 500
          return patch(from, 1000, wholeBody, answer(409, { ...incomplete, ...at(500 - from) }))
        })
      ]
    },
    {
      name: "naming what was taken as lost",
      script: [
        begun,
        ...repeat(6, () => [
          patch(0, 1000, ...appended(at(500))),
          patch(500, 1000, wholeBody, answer(409, { ...incomplete, ...at(0) }))
        ])
      ]
    },
    {
      name: "naming none",
      script: [...repeat(6, () => [begun, patch(0, 1000, wholeBody, answer(409, incomplete))])]
    }
  ])("again and again, $name, ends in NoProgress", ({ script }) =>
    Effect.gen(function* () {
      const run = yield* resume([...script, begun, cancelled])
      expect(run.error).toMatchObject({ _tag: "UploadProtocolViolation", rule: "NoProgress" })
      expectForgotten(run)
    })
  )
})

describe("a server that loses much of what it took", () => {
  it.live("once is sent it again, in however many parts", () =>
    Effect.gen(function* () {
      const part = (from: number) => patch(from, from + 100, ...appended(at(from + 100)))
      const run = yield* resume(
        [
          begun,
          ...repeat(9, (n) => part(n * 100)),
          patch(900, 1000, wholeBody, answer(409, { ...incomplete, ...at(0) })),
          ...repeat(9, (n) => part(n * 100)),
          patch(900, 1000, wholeBody, done)
        ],
        { limits: { maxAppendSize: 100 } }
      )
      expect(run).toMatchObject(doneRun)
    })
  )
})

describe("appends that never get anywhere", () => {
  it.live("end in NoProgress after a bounded number", () =>
    Effect.gen(function* () {
      const run = yield* resume([begun, ...repeat(6, () => patch(0, 1000, ...appended(at(0)))), cancelled])
      expect(run.error).toMatchObject({ _tag: "UploadProtocolViolation", rule: "NoProgress" })
      expectForgotten(run)
    })
  )

  it.live("also where only the end is missing", () =>
    Effect.gen(function* () {
      const run = yield* resume([
        head(atOffset(1000)),
        ...repeat(6, () => patch(1000, 1000, answer(204, incomplete))),
        cancelled
      ])
      expect(run.error).toMatchObject({ rule: "NoProgress" })
    })
  )

  it.live("are forgiven as soon as one byte is taken", () =>
    Effect.gen(function* () {
      const stuck = (offset: number) => repeat(5, () => patch(offset, 1000, ...appended(at(offset))))
      const run = yield* resume([
        begun,
        ...stuck(0),
        patch(0, 1000, ...appended(at(1))),
        ...stuck(1),
        patch(1, 1000, wholeBody, done)
      ])
      expect(run).toMatchObject(doneRun)
    })
  )
})
