/** What stands between: proxies that refuse PATCH, and lines that let no 104 through. */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import {
  appended,
  at,
  atOffset,
  begun,
  cancelled,
  complete,
  content,
  del,
  done,
  emptyPut,
  head,
  incomplete,
  offered,
  options,
  patch,
  put,
  target,
  uploadPath
} from "../support/transfer/draftScript.ts"
import {
  answer,
  cut,
  type Exchange,
  exchange,
  received,
  wholeBody
} from "../support/transfer/resumableServer.ts"
import {
  doneRun,
  expectForgotten,
  expectKept,
  type Options,
  resume,
  upload
} from "../support/transfer/uploading.ts"

const ordinaryPut = (...acts: Exchange["acts"]) =>
  exchange(
    `PUT ${target}`,
    {
      headers: {
        "content-length": "1000",
        "content-type": "application/zip",
        "upload-complete": undefined,
        "upload-length": undefined,
        "upload-draft-interop-version": undefined
      },
      sends: [0, 1000]
    },
    ...acts
  )
const ordinary = ordinaryPut(wholeBody, answer(200, {}, "done"))

describe("a proxy that refuses PATCH", () => {
  const statuses = [405, 415, 501]
  const refused = (status: number) => patch(0, 1000, wholeBody, answer(status, {}, "no PATCH"))

  it.live.each(statuses)("(%i) gets the whole in an ordinary PUT, after the upload was given up", (status) =>
    Effect.gen(function* () {
      const run = yield* resume([begun, refused(status), begun, cancelled, ordinary])
      expect(run).toMatchObject({ ...doneRun, parts: [0, 0] })
      expectForgotten(run)
    })
  )

  it.live("and DELETE as well does so all the same: an upload that is not complete takes no effect", () =>
    Effect.gen(function* () {
      expect(yield* resume([begun, refused(405), begun, del(answer(405)), ordinary])).toMatchObject(doneRun)
    })
  )

  it.live("is not passed by when the upload is complete", () =>
    Effect.gen(function* () {
      const isComplete = head(answer(204, { ...complete, ...at(1000) }))
      const collect = (status: number) => patch(1000, 1000, answer(status, {}, "no PATCH"))
      const run = yield* resume([begun, refused(405), isComplete, collect(405)])
      expect(run.error).toMatchObject({ _tag: "UploadResourceLost", reason: "Unanswered", outcomeOpen: true })
    })
  )

  it.live("refuses a part before the whole is sent anew", () =>
    Effect.gen(function* () {
      const part = patch(0, 600, wholeBody, answer(405))
      const run = yield* resume([begun, part, cancelled, ordinary], { limits: { maxAppendSize: 600 } })
      expect(run).toMatchObject(doneRun)
    })
  )

  it.live.each(statuses)("(%i) ends an upload that has to be resumable", (status) =>
    Effect.gen(function* () {
      const run = yield* upload([begun, refused(status), begun, cancelled], { resumes: {}, mode: "required" })
      expect(run.error).toMatchObject({ _tag: "ResumptionUnsupported", status, outcomeOpen: false })
      expectForgotten(run)
    })
  )

  it.live("is no proxy when the target itself says so", () =>
    Effect.gen(function* () {
      const run = yield* resume([begun, patch(0, 1000, wholeBody, answer(405, complete, "final"))])
      expect(run.answer).toEqual({ status: 405, body: "final" })
    })
  )
})

const supported = options(answer(204, { "upload-limit": "min-size=0" }))
const created = emptyPut(answer(201, { ...incomplete, location: uploadPath }))
const appends = [head(atOffset(0)), patch(0, 1000, wholeBody, done)]

describe("a line that lets no 104 through", () => {
  const again: Options = { afterFailure: true }

  it.live("is not asked about before anything went wrong", () =>
    Effect.gen(function* () {
      const { sends: _, ...broken } = put(received(100), cut)
      const run = yield* upload([broken])
      expect(run.error).toMatchObject({ _tag: "ConnectionFailed" })
      expect(run.resources).toEqual([])
    })
  )

  it.live("has the second attempt ask first, and create carefully", () =>
    Effect.gen(function* () {
      const run = yield* upload([supported, created, ...appends], again)
      expect(run).toMatchObject({ ...doneRun, parts: [0] })
      expect(run.resources).toMatchObject([{ path: uploadPath }, undefined])
    })
  )

  it.live("has the second attempt resumed when it is cut", () =>
    Effect.gen(function* () {
      const { sends: _, ...broken } = patch(0, 1000, received(400), cut)
      const run = yield* upload([supported, created, head(atOffset(0)), broken], again)
      expect(run.error).toMatchObject({ _tag: "ConnectionFailed", method: "PATCH" })
      expectKept(run)
      const rest = patch(400, 1000, wholeBody, done)
      expect(yield* resume([head(atOffset(400)), rest])).toMatchObject(doneRun)
    })
  )

  it.live.each([
    ["a server that announces nothing", answer(204)],
    ["a server that does not know OPTIONS", answer(405)],
    [
      "a server that answers in another version",
      answer(204, { "upload-limit": "min-size=0", "upload-draft-interop-version": "6" })
    ],
    ["a line that breaks again", cut]
  ] as const)("has the second attempt be what the first was for %s", ([, act]) =>
    Effect.gen(function* () {
      expect(yield* upload([options(act), put(wholeBody, done)], again)).toMatchObject(doneRun)
    })
  )

  it.live("has a limit that was announced obeyed", () =>
    Effect.gen(function* () {
      const limits = { "upload-limit": "max-append-size=600" }
      const run = yield* upload(
        [
          options(answer(204, limits)),
          emptyPut(answer(201, { ...incomplete, ...limits, location: uploadPath })),
          head(atOffset(0)),
          patch(0, 600, ...appended()),
          patch(600, 1000, wholeBody, done)
        ],
        again
      )
      expect(run).toMatchObject({ ...doneRun, parts: [0, 600] })
    })
  )
})

describe("a 104 that was promised, where resumption is required", () => {
  const required: Options = { mode: "required" }

  it.live("and does not come, has the upload created carefully before the second chunk", () =>
    Effect.gen(function* () {
      const { sends: _, ...unanswered } = put(wholeBody)
      const run = yield* upload([supported, unanswered, created, ...appends], required)
      expect(run).toMatchObject(doneRun)
      expect(run.written.slice(0, 2)).toEqual([100, 100])
    })
  )

  it.live("and comes, lets the whole go on in its request", () =>
    Effect.gen(function* () {
      const { sends: _, ...offering } = put(offered(), wholeBody, done)
      const run = yield* upload([supported, { ...offering, sends: [0, content.length] }], required)
      expect(run).toMatchObject({ ...doneRun, parts: [0] })
    })
  )

  it.live("and does not come before the answer, is not waited for", () =>
    Effect.gen(function* () {
      const { sends: _, ...refused } = put(received(100), answer(403, {}, "no"))
      expect((yield* upload([supported, refused], required)).answer).toEqual({ status: 403, body: "no" })
    })
  )
})
