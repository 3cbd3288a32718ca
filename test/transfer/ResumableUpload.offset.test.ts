/** Going on with an upload that is known: where it stands, and whether it has been answered. */

import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import {
  at,
  atOffset,
  cancelled,
  complete,
  done,
  head,
  incomplete,
  interop,
  patch,
  uploadPath
} from "../support/transfer/draftScript.ts"
import {
  type Act,
  answer,
  cut,
  exchange,
  resumableServer,
  wholeBody
} from "../support/transfer/resumableServer.ts"
import { doneRun, expectForgotten, expectKept, resume, upload } from "../support/transfer/uploading.ts"

describe("the offset", () => {
  it.live.each([0, 1, 300, 999])("%i is where the upload goes on", (offset) =>
    Effect.gen(function* () {
      const run = yield* resume([head(atOffset(offset)), patch(offset, 1000, wholeBody, done)])
      expect(run).toMatchObject({ ...doneRun, parts: [offset], acknowledged: [offset] })
      expect(run.written.at(-1)).toBe(1000)
      expectForgotten(run)
    })
  )

  it.live.each([
    { name: "behind what was acknowledged", offset: 100 },
    { name: "ahead of what was sent", offset: 800 }
  ])("$name is taken from the server", ({ offset }) =>
    Effect.gen(function* () {
      const script = [head(atOffset(offset)), patch(offset, 1000, wholeBody, done)]
      expect(yield* resume(script, { offset: 500 })).toMatchObject(doneRun)
    })
  )

  it.live.each([
    { name: "beyond the length", fields: at(1001), rule: "OffsetBeyondLength" },
    { name: "huge", fields: at(999_999_999_999_999), rule: "OffsetBeyondLength" },
    { name: "missing", fields: {}, rule: "OffsetMissing" },
    { name: "negative", fields: at(-1), rule: "OffsetMissing" },
    { name: "a Decimal", fields: at("10.0"), rule: "OffsetMissing" },
    { name: "a String", fields: at('"10"'), rule: "OffsetMissing" },
    { name: "too long", fields: at("1".repeat(16)), rule: "OffsetMissing" },
    { name: "of another length", fields: { ...at(10), "upload-length": "999" }, rule: "LengthMismatch" }
  ])("$name is a violation that cancels the upload", ({ fields, rule }) =>
    Effect.gen(function* () {
      const run = yield* resume([head(answer(204, { ...incomplete, ...fields })), cancelled])
      expect(run.error).toMatchObject({ _tag: "UploadProtocolViolation", rule })
      expectForgotten(run)
    })
  )

  it.live("may come with a length of a wrong type, which counts as absent", () =>
    Effect.gen(function* () {
      const script = [head(atOffset(10, { "upload-length": "999.0" })), patch(10, 1000, wholeBody, done)]
      expect(yield* resume(script)).toMatchObject(doneRun)
    })
  )

  it.live.each([404, 410])("is gone with its resource, says %i", (status) =>
    Effect.gen(function* () {
      const run = yield* resume([head(answer(status))])
      expect(run.error).toMatchObject({ _tag: "UploadResourceLost", status, isRetryable: true })
      expectForgotten(run)
    })
  )

  it.live.each([401, 403, 408, 425, 429, 500, 502, 503])(
    "is not told with %i, and the upload kept",
    (status) =>
      Effect.gen(function* () {
        const run = yield* resume([head(answer(status))])
        expect(run.answer?.status).toBe(status)
        expectKept(run)
      })
  )

  it.live.each([300, 301, 400, 405, 422, 501])("is not told with %i, and the outcome open", (status) =>
    Effect.gen(function* () {
      const run = yield* resume([head(answer(status))])
      expect(run.error).toMatchObject({
        _tag: "UploadResourceLost",
        reason: "Refused",
        status,
        outcomeOpen: true
      })
      expectForgotten(run)
    })
  )

  it.live("is not told when the line is cut, and the upload kept", () =>
    Effect.gen(function* () {
      const run = yield* resume([head(cut)])
      expect(run.error).toMatchObject({ _tag: "ConnectionFailed", method: "HEAD" })
      expectKept(run)
    })
  )

  it.live.each([6, 7])("is asked in the iteration the upload was created in: %i", (interopVersion) =>
    resume(
      [
        { ...head(atOffset(0)), headers: interop(interopVersion) },
        { ...patch(0, 1000, wholeBody, done), headers: interop(interopVersion) }
      ],
      { interopVersion }
    )
  )
})

describe("an upload that has outlived what the server promised", () => {
  const overdue = { expiresAtMillis: Date.now() - 1 }

  it.live("is gone when the server says so", () =>
    Effect.gen(function* () {
      const run = yield* resume([head(answer(404))], overdue)
      expect(run.error).toMatchObject({ _tag: "UploadResourceLost", reason: "Expired" })
      expectForgotten(run)
    })
  )

  it.live("goes on where the server still has it: a clock that was set ahead ends nothing", () =>
    Effect.gen(function* () {
      const run = yield* resume([head(atOffset(300)), patch(300, 1000, wholeBody, done)], overdue)
      expect(run).toMatchObject(doneRun)
    })
  )
})

describe("an upload that is not to be contacted", () => {
  it.live("lies on another origin than the request", () =>
    Effect.gen(function* () {
      const elsewhere = (foreign: string) => Redacted.make(`${foreign}${uploadPath}`)
      const foreign = yield* resumableServer([])
      const resource = { url: elsewhere(foreign.origin), offset: 0, interopVersion: 8 }
      const run = yield* upload([], { resource })
      expect(run.error).toMatchObject({ _tag: "UploadResourceLost" })
      expectForgotten(run)
      expect(foreign.requests).toEqual([])
    }).pipe(Effect.scoped)
  )
})

describe("a lost final answer", () => {
  const collected = (...acts: ReadonlyArray<Act>) => [
    head(answer(204, { ...complete, ...at(1000) })),
    exchange(
      `PATCH ${uploadPath}`,
      { headers: { ...at(1000), "upload-complete": "?1", "content-length": "0" }, sends: [0, 0] },
      ...acts
    )
  ]

  it.live.each([200, 422, 500])("is collected by an empty append, here a %i", (status) =>
    Effect.gen(function* () {
      const run = yield* resume(collected(answer(status, complete, "the answer")))
      expect(run).toMatchObject({ answer: { status, body: "the answer" }, parts: [1000] })
      expectForgotten(run)
    })
  )

  it.live.each([
    [204, {}],
    [204, incomplete],
    [400, incomplete],
    [404, {}],
    [409, { ...incomplete, ...at(1000) }]
  ] as const)("that is not replayed (%i) leaves the outcome open", ([status, fields]) =>
    Effect.gen(function* () {
      const run = yield* resume(collected(answer(status, fields)))
      expect(run.error).toMatchObject({ _tag: "UploadResourceLost", status })
      expectForgotten(run)
    })
  )

  it.live.each([
    ["the server is in trouble", answer(503)],
    ["the key is not accepted", answer(401)],
    ["the line is cut", cut]
  ] as const)("can be asked for again when %s", ([, act]) => Effect.map(resume(collected(act)), expectKept))

  it.live("of an upload that ended early is asked for at its offset", () =>
    resume([
      head(answer(204, { ...complete, ...at(400) })),
      exchange(
        `PATCH ${uploadPath}`,
        { headers: { ...at(400), "upload-complete": "?1" }, sends: [0, 0] },
        done
      )
    ]).pipe(Effect.map((run) => expect(run).toMatchObject(doneRun)))
  )

  it.live("is not there yet when all bytes are: an empty append finishes the upload", () =>
    Effect.gen(function* () {
      const run = yield* resume([head(atOffset(1000)), patch(1000, 1000, done)])
      expect(run).toMatchObject({ ...doneRun, parts: [1000] })
      expectForgotten(run)
    })
  )
})
