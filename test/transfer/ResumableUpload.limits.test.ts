/** Limits, announced or run into. */

import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import {
  appended,
  atOffset,
  begun,
  cancelled,
  content,
  del,
  done,
  head,
  incomplete,
  interop,
  offered,
  options,
  patch,
  put,
  repeat,
  target,
  uploadPath
} from "../support/transfer/draftScript.ts"
import { answer, cut, exchange, interim, wholeBody } from "../support/transfer/resumableServer.ts"
import { doneRun, expectForgotten, resume, stopsHalfway, upload } from "../support/transfer/uploading.ts"

describe("limits announced in a 104", () => {
  const limited = (limit: string) => offered({ "upload-limit": limit })

  it.live("are kept, with the end of the upload's life", () =>
    Effect.gen(function* () {
      const before = Date.now()
      const run = yield* upload([put(limited("max-size=5000, max-age=60"), wholeBody, cut)])
      const [resource] = run.resources
      expect(resource).toMatchObject({ limits: { maxSize: 5000, maxAgeSeconds: 60 } })
      expect(resource?.expiresAtMillis).toBeGreaterThanOrEqual(before + 60_000)
      expect(resource?.expiresAtMillis).toBeLessThanOrEqual(Date.now() + 60_000)
    })
  )

  it.live("hold a lifetime that no date can hold", () =>
    Effect.gen(function* () {
      const run = yield* upload([put(limited("max-age=999999999999999"), wholeBody, cut)])
      expect(run.resources[0]?.expiresAtMillis).toBe(8.64e15)
    })
  )

  it.live.each([
    { limit: "max-size=999", error: { limit: "max-size", allowedBytes: 999, neededBytes: 1000 } },
    { limit: "max-size=0", error: { limit: "max-size", allowedBytes: 0, neededBytes: 1000 } },
    { limit: "max-append-size=0", error: { limit: "max-append-size", allowedBytes: 0, neededBytes: 1 } },
    {
      limit: "max-append-size=100, min-append-size=101",
      error: { limit: "max-append-size", allowedBytes: 100, neededBytes: 101 }
    }
  ])("that cannot be met ($limit) end and cancel the upload", ({ limit, error }) =>
    Effect.gen(function* () {
      const run = yield* upload([put(limited(limit)), del(answer(204))], stopsHalfway)
      expect(run.error).toMatchObject({ _tag: "UploadLimitExceeded", ...error })
      expect(run.resources).toMatchObject([{ path: uploadPath }, undefined])
    })
  )

  it.live.each([
    "max-size=1000",
    "max-append-size=1000",
    "min-size=5000",
    "min-append-size=5000",
    "max-append-size=2000, min-append-size=3000",
    "max-size=1, max-size=2.0",
    "max-append-size=ten"
  ])("that do not concern this upload (%s) change nothing", (limit) =>
    Effect.gen(function* () {
      const run = yield* upload([{ ...put(limited(limit), wholeBody, done), sends: [0, content.length] }])
      expect(run).toMatchObject(doneRun)
    })
  )

  it.live("on the size of one request are obeyed from then on", () =>
    Effect.gen(function* () {
      const run = yield* upload([
        put(limited("max-append-size=400")),
        head(answer(204, { ...incomplete, "upload-offset": "100", "upload-limit": "max-append-size=400" })),
        patch(100, 500, wholeBody, answer(204, incomplete)),
        patch(500, 900, wholeBody, answer(204, incomplete)),
        patch(900, 1000, wholeBody, done)
      ])
      expect(run).toMatchObject({ ...doneRun, parts: [0, 100, 500, 900], acknowledged: [100, 500, 900] })
      expect(run.resources.at(-1)).toBeUndefined()
    })
  )

  it.live("that come after the Location, and are not repeated, are obeyed as well", () =>
    Effect.gen(function* () {
      const run = yield* upload([
        put(offered(), interim(104, { ...interop(), "upload-limit": "max-append-size=600" })),
        head(answer(204, { ...incomplete, "upload-offset": "0", "upload-limit": "max-age=60" })),
        patch(0, 600, wholeBody, answer(204, incomplete)),
        patch(600, 1000, wholeBody, done)
      ])
      expect(run).toMatchObject(doneRun)
    })
  )
})

describe("limits announced with the offset", () => {
  it.live.each([
    { limit: "max-size=999", error: { limit: "max-size", allowedBytes: 999, neededBytes: 1000 } },
    {
      limit: "max-append-size=10, min-append-size=20",
      error: { limit: "max-append-size", allowedBytes: 10, neededBytes: 20 }
    }
  ])("that cannot be met ($limit) cancel the upload", ({ limit, error }) =>
    Effect.gen(function* () {
      const run = yield* resume([head(atOffset(0, { "upload-limit": limit })), cancelled])
      expect(run.error).toMatchObject({ _tag: "UploadLimitExceeded", ...error })
      expectForgotten(run)
    })
  )

  it.live("are obeyed and kept, with the offset and the new end of life", () =>
    Effect.gen(function* () {
      const limit = "max-append-size=600, min-append-size=500, max-age=60"
      const run = yield* resume(
        [
          head(atOffset(100, { "upload-limit": limit })),
          patch(100, 700, ...appended()),
          patch(700, 1000, wholeBody, done)
        ],
        { limits: { maxSize: 5000, maxAgeSeconds: 5 }, expiresAtMillis: Date.now() + 5000 }
      )
      const limits = { maxSize: 5000, maxAppendSize: 600, minAppendSize: 500, maxAgeSeconds: 60 }
      expect(run).toMatchObject({
        ...doneRun,
        resources: [{ path: uploadPath, offset: 100, limits }, undefined]
      })
      expect(run.resources[0]?.expiresAtMillis).toBeGreaterThan(Date.now() + 50_000)
    })
  )

  it.live("hold from the attempt before, too", () =>
    Effect.gen(function* () {
      const script = [begun, patch(0, 900, ...appended()), patch(900, 1000, wholeBody, done)]
      expect(yield* resume(script, { limits: { maxAppendSize: 900 } })).toMatchObject(doneRun)
    })
  )
})

describe("413 to the creation", () => {
  const created = answer(201, { ...incomplete, location: uploadPath, "upload-limit": "max-append-size=600" })
  const empty = exchange(
    `PUT ${target}`,
    { headers: { "upload-complete": "?0", "upload-length": "1000", "content-length": "0" }, sends: [0, 0] },
    created
  )
  const appends = [
    head(answer(204, { ...incomplete, "upload-offset": "0" })),
    patch(0, 600, wholeBody, answer(204, incomplete)),
    patch(600, 1000, wholeBody, done)
  ]

  it.live("with the limit: goes on in appends of that size", () =>
    Effect.gen(function* () {
      const run = yield* upload([
        put(answer(413, { "upload-limit": "max-append-size=600" })),
        empty,
        ...appends
      ])
      expect(run).toMatchObject(doneRun)
    })
  )

  it.live("without limits: asks for them", () =>
    Effect.gen(function* () {
      const run = yield* upload([
        put(answer(413)),
        options(answer(204, { "upload-limit": "max-append-size=600" })),
        empty,
        ...appends
      ])
      expect(run).toMatchObject(doneRun)
    })
  )

  it.live.each([
    ["there are none", [answer(204)]],
    ["they cannot be asked", [answer(405)]],
    ["they do not explain it", [answer(204, { "upload-limit": "max-append-size=1000" })]]
  ] as const)("stands when %s", ([, acts]) =>
    Effect.gen(function* () {
      const run = yield* upload([put(offered(), wholeBody, answer(413, {}, "too large")), options(...acts)])
      expect(run.answer).toEqual({ status: 413, body: "too large" })
      expect(run.resources).toMatchObject([{ path: uploadPath }, undefined])
    })
  )

  it.live("with a limit below the whole is a limit exceeded", () =>
    Effect.gen(function* () {
      const run = yield* upload([put(answer(413, { "upload-limit": "max-size=10, max-append-size=5" }))])
      expect(run.error).toMatchObject({ _tag: "UploadLimitExceeded", limit: "max-size", allowedBytes: 10 })
    })
  )
})

describe("413 to an append", () => {
  const refuse = (from: number, to: number, fields = {}) =>
    patch(from, to, wholeBody, answer(413, fields, "too large"))

  it.live("halves the appends until they are taken, and leaves it at that", () =>
    Effect.gen(function* () {
      const run = yield* resume([
        begun,
        refuse(0, 1000),
        refuse(0, 500),
        patch(0, 250, ...appended()),
        patch(250, 500, ...appended()),
        patch(500, 750, ...appended()),
        patch(750, 1000, wholeBody, done)
      ])
      expect(run).toMatchObject(doneRun)
    })
  )

  it.live("halves as often as it takes", () =>
    Effect.gen(function* () {
      const run = yield* resume([
        head(atOffset(985)),
        ...[15, 7, 3].map((length) => refuse(985, 985 + length)),
        ...Array.from({ length: 15 }, (_, n) =>
          patch(985 + n, 986 + n, ...(n < 14 ? appended() : [wholeBody, done]))
        )
      ])
      expect(run).toMatchObject(doneRun)
    })
  )

  it.live("takes the limit it announces", () =>
    Effect.gen(function* () {
      const run = yield* resume([
        begun,
        refuse(0, 1000, { "upload-limit": "max-append-size=600" }),
        patch(0, 600, ...appended()),
        patch(600, 1000, wholeBody, done)
      ])
      expect(run).toMatchObject({
        ...doneRun,
        resources: [{ offset: 0, limits: { maxAppendSize: 600 } }, undefined]
      })
    })
  )

  it.live("keeps to the minimum, and stands when that is refused", () =>
    Effect.gen(function* () {
      const run = yield* resume([begun, refuse(0, 1000), refuse(0, 500), refuse(0, 400), begun, cancelled], {
        limits: { minAppendSize: 400 }
      })
      expect(run.answer).toEqual({ status: 413, body: "too large" })
      expectForgotten(run)
    })
  )

  it.live("to everything ends after as many requests as there are halves", () =>
    Effect.gen(function* () {
      const lengths = [1000, 500, 250, 125, 62, 31, 15, 7, 3, 1]
      const run = yield* resume([begun, ...lengths.map((length) => refuse(0, length)), begun, cancelled])
      expect(run.answer?.status).toBe(413)
      expectForgotten(run)
    })
  )

  it.live("that lowers its limit each time ends in NoProgress", () =>
    Effect.gen(function* () {
      const run = yield* resume([
        begun,
        ...repeat(6, (n) => refuse(0, 1000 - n, { "upload-limit": `max-append-size=${999 - n}` })),
        begun,
        cancelled
      ])
      expect(run.error).toMatchObject({ rule: "NoProgress" })
      expectForgotten(run)
    })
  )

  it.live("that announces limits nobody can meet is a limit exceeded", () =>
    Effect.gen(function* () {
      const run = yield* resume([begun, refuse(0, 1000, { "upload-limit": "max-size=5" }), begun, cancelled])
      expect(run.error).toMatchObject({ _tag: "UploadLimitExceeded", limit: "max-size" })
      expectForgotten(run)
    })
  )
})
