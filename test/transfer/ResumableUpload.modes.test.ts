/** What each mode sends, with a transport that shows interim responses and with one that does not. */

import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import {
  appended,
  at,
  atOffset,
  begun,
  cancelled,
  complete,
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
import { doneRun, expectForgotten, expectKept, type Options, upload } from "../support/transfer/uploading.ts"

const blind = NodeHttpClient.layer
const supported = options(answer(204, { "upload-limit": "min-size=0" }))
const created = answer(201, { ...incomplete, location: uploadPath, "upload-limit": "max-age=60" })
const appends = [head(atOffset(0)), patch(0, 1000, wholeBody, done)]

const plainHeaders = {
  "content-length": "1000",
  "content-type": "application/zip",
  "upload-complete": undefined,
  "upload-length": undefined,
  "upload-offset": undefined,
  "upload-draft-interop-version": undefined,
  "repr-digest": undefined
}
/** The request as it was before there were resumable uploads. */
const plainPut = (...acts: Exchange["acts"]) =>
  exchange(`PUT ${target}`, { headers: plainHeaders, sends: [0, 1000] }, ...acts)
const plainDone = answer(200, {}, "done")

const transports = [
  { name: "that sees interim responses", transport: undefined },
  { name: "that does not", transport: blind }
]

describe.each(transports)("never, over a transport $name", ({ transport }) => {
  const settings = { mode: "never", reprDigest: "sha-256=:AAAA:", transport } as const

  it.live("says no word about resumption, and asks nothing before", () =>
    Effect.gen(function* () {
      const run = yield* upload([plainPut(wholeBody, plainDone)], settings)
      expect(run).toMatchObject({ ...doneRun, resources: [], acknowledged: [], parts: [0] })
      expect(run.written.at(-1)).toBe(1000)
    })
  )

  it.live("takes 104, Upload-Complete and 413 for what they are without it", () =>
    Effect.gen(function* () {
      const limits = { "upload-limit": "max-append-size=10", ...incomplete, location: uploadPath }
      const refused = yield* upload(
        [plainPut(offered(), wholeBody, answer(413, limits, "too large"))],
        settings
      )
      expect(refused).toMatchObject({ answer: { status: 413, body: "too large" }, resources: [] })
      const accepted = yield* upload([plainPut(offered(), wholeBody, answer(200, limits, "done"))], settings)
      expect(accepted).toMatchObject({ ...doneRun, resources: [] })
    })
  )

  it.live("gives up an upload that was begun", () =>
    Effect.gen(function* () {
      const run = yield* upload([cancelled, plainPut(wholeBody, plainDone)], { ...settings, resumes: {} })
      expect(run).toMatchObject({ ...doneRun, resources: [undefined] })
    })
  )

  it.live("keeps quiet about an upload that was begun elsewhere", () =>
    Effect.gen(function* () {
      const url = Redacted.make(`https://elsewhere.example${uploadPath}`)
      const run = yield* upload([plainPut(wholeBody, plainDone)], {
        ...settings,
        resource: { url, offset: 0, interopVersion: 8 }
      })
      expect(run).toMatchObject({ ...doneRun, resources: [undefined] })
    })
  )
})

describe.each(transports)("required, over a transport $name", ({ transport }) => {
  it.live.each([
    ["says nothing of limits", answer(204)],
    ["announces limits that cannot be read", answer(204, { "upload-limit": "max-size=1.0" })],
    ["does not know OPTIONS", answer(405, { "upload-limit": "min-size=0" })],
    ["has no such resource", answer(404)],
    ["redirects", answer(307, { location: "/elsewhere" })],
    ["offers it to larger uploads only", answer(200, { "upload-limit": "min-size=1001" })]
  ] as const)("sends nothing to a server that %s", ([, act]) =>
    Effect.gen(function* () {
      const run = yield* upload([options(act)], { mode: "required", transport })
      expect(run.error).toMatchObject({ _tag: "ResumptionUnsupported" })
      expect(run).toMatchObject({ parts: [], written: [], resources: [] })
    })
  )

  it.live.each([
    { limit: "max-size=999", error: { limit: "max-size", allowedBytes: 999, neededBytes: 1000 } },
    {
      limit: "max-append-size=99, min-append-size=100",
      error: { limit: "max-append-size", allowedBytes: 99, neededBytes: 100 }
    }
  ])("sends nothing that cannot arrive under $limit", ({ limit, error }) =>
    Effect.gen(function* () {
      const run = yield* upload([options(answer(204, { "upload-limit": limit }))], {
        mode: "required",
        transport
      })
      expect(run.error).toMatchObject({ _tag: "UploadLimitExceeded", ...error })
      expect(run.parts).toEqual([])
    })
  )

  it.live("fails as the question fails", () =>
    Effect.gen(function* () {
      const run = yield* upload([options(cut)], { mode: "required", transport })
      expect(run.error).toMatchObject({ _tag: "ConnectionFailed", method: "OPTIONS" })
    })
  )

  it.live("creates carefully where one request is too small for the whole", () =>
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
        { mode: "required", transport }
      )
      expect(run).toMatchObject({ ...doneRun, parts: [0, 600] })
    })
  )
})

describe("required, where interim responses are seen", () => {
  it.live("sends the whole at once after the server said that it can", () =>
    Effect.gen(function* () {
      const run = yield* upload([supported, put(offered(), wholeBody, done)], { mode: "required" })
      expect(run).toMatchObject(doneRun)
      expectForgotten(run)
    })
  )

  it.live("notices a Location that changes in a careful creation", () =>
    Effect.gen(function* () {
      const limits = { "upload-limit": "max-append-size=600" }
      const other = answer(201, { ...incomplete, location: "/uploads/s3cr3t-other" })
      const run = yield* upload([options(answer(204, limits)), emptyPut(offered(limits), other), cancelled], {
        mode: "required"
      })
      expect(run.error).toMatchObject({ rule: "LocationChanged" })
      expectForgotten(run)
    })
  )
})

describe("auto, where interim responses are not seen", () => {
  const careful = (script: ReadonlyArray<Exchange>, more: Options = {}) =>
    upload(script, { transport: blind, ...more })

  it.live("is an ordinary request to a server that knows nothing of resumption", () =>
    Effect.gen(function* () {
      const run = yield* careful([options(answer(405)), plainPut(wholeBody, plainDone)])
      expect(run).toMatchObject({ ...doneRun, resources: [] })
      expect(run.written.at(-1)).toBe(1000)
    })
  )

  it.live("is an ordinary request below the size from which the server resumes", () =>
    Effect.gen(function* () {
      const minimum = options(answer(204, { "upload-limit": "min-size=1001" }))
      expect(yield* careful([minimum, plainPut(wholeBody, plainDone)])).toMatchObject(doneRun)
    })
  )

  it.live("asks for the upload resource first, then appends", () =>
    Effect.gen(function* () {
      const digest = "sha-256=:AAAA:"
      const creation = emptyPut(created)
      const run = yield* careful(
        [
          supported,
          {
            ...creation,
            headers: { ...creation.headers, "repr-digest": digest, "content-type": "application/zip" }
          },
          ...appends
        ],
        { reprDigest: digest }
      )
      expect(run).toMatchObject({ ...doneRun, parts: [0] })
      expect(run.resources).toMatchObject([{ path: uploadPath, limits: { maxAgeSeconds: 60 } }, undefined])
      expect(run.written.at(-1)).toBe(1000)
    })
  )

  it.live("does the same over fetch, which sends content in chunks", () =>
    Effect.gen(function* () {
      const chunked = { ...at(0), ...complete, "transfer-encoding": "chunked" }
      const append = { ...patch(0, 1000, wholeBody, done), headers: chunked }
      const run = yield* careful([supported, emptyPut(created), begun, append], {
        transport: FetchHttpClient.layer
      })
      expect(run).toMatchObject(doneRun)
      expectForgotten(run)
    })
  )

  it.live("takes a success without Upload-Complete for what it asked for", () =>
    Effect.gen(function* () {
      const run = yield* careful([supported, emptyPut(answer(201, { location: uploadPath })), ...appends])
      expect(run).toMatchObject(doneRun)
    })
  )

  it.live.each([
    ["no Location", {}],
    ["a Location on another origin", { location: "https://elsewhere.example/uploads/1" }],
    ["the target's own Location", { location: target }]
  ] as const)("is an ordinary request after an empty creation that is answered with %s", ([, fields]) =>
    Effect.gen(function* () {
      const created = emptyPut(answer(201, { ...incomplete, ...fields }))
      expect(yield* careful([supported, created, plainPut(wholeBody, plainDone)])).toMatchObject(doneRun)
      const required = yield* careful([supported, created], { mode: "required" })
      expect(required.error).toMatchObject({
        _tag: "UploadProtocolViolation",
        rule: "LocationMissing",
        outcomeOpen: false
      })
      expect(required.parts).toEqual([])
    })
  )

  it.live.each([400, 405, 411, 415, 422, 501])(
    "is an ordinary request to who takes the empty creation for an empty upload, and refuses it with %i",
    (status) =>
      Effect.gen(function* () {
        const refused = emptyPut(answer(status, {}, "empty"))
        expect(yield* careful([supported, refused, plainPut(wholeBody, plainDone)])).toMatchObject(doneRun)
        const required = yield* careful([supported, refused], { mode: "required" })
        expect(required.answer).toEqual({ status, body: "empty" })
      })
  )

  it.live(
    "cannot tell what became of an empty creation that is accepted without a word, where required",
    () =>
      Effect.gen(function* () {
        const run = yield* careful([supported, emptyPut(answer(200, {}, "thanks"))], { mode: "required" })
        expect(run.error).toMatchObject({ rule: "LocationMissing", outcomeOpen: true })
      })
  )

  it.live("heeds the limits of the answer", () =>
    Effect.gen(function* () {
      const small = answer(201, { ...incomplete, location: uploadPath, "upload-limit": "max-size=10" })
      const run = yield* careful([supported, emptyPut(small), cancelled])
      expect(run.error).toMatchObject({ _tag: "UploadLimitExceeded", limit: "max-size" })
      expectForgotten(run)
    })
  )

  it.live.each([401, 404, 413, 503])("returns a refusal of the creation (%i) as it is", (status) =>
    Effect.gen(function* () {
      const run = yield* careful([supported, emptyPut(answer(status, {}, "no"))])
      expect(run).toMatchObject({ answer: { status, body: "no" }, parts: [], resources: [] })
    })
  )

  it.live("keeps the upload when an append is cut, and goes on with it", () =>
    Effect.gen(function* () {
      const { sends: _, ...broken } = patch(0, 1000, received(100), cut)
      const run = yield* careful([supported, emptyPut(created), head(atOffset(0)), broken])
      expect(run.error).toMatchObject({ _tag: "ConnectionFailed" })
      expectKept(run)
      const again = yield* careful([head(atOffset(100)), patch(100, 1000, wholeBody, done)], { resumes: {} })
      expect(again).toMatchObject({ ...doneRun, parts: [100] })
    })
  )

  it.live("fails as its source fails, not as the transport puts it", () =>
    Effect.gen(function* () {
      const source = { contentType: "application/zip", size: 1000, read: () => Stream.fail("unreadable") }
      const run = yield* careful([supported, emptyPut(created), head(atOffset(0))], {
        representation: source
      })
      expect(run.error).toBe("unreadable")
      expectKept(run)
    })
  )
})
