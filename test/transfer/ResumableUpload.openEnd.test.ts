/** Whatever completes an upload, or fails to: its resource is asked before anything is given up. */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import {
  appended,
  at,
  atOffset,
  begun,
  cancelled,
  complete,
  done,
  head,
  interop,
  offered,
  patch,
  put
} from "../support/transfer/draftScript.ts"
import { answer, cut, type Exchange, wholeBody } from "../support/transfer/resumableServer.ts"
import { doneRun, expectForgotten, expectKept, resume, upload } from "../support/transfer/uploading.ts"

const isComplete = head(answer(204, { ...complete, ...at(1000), "upload-length": "1000" }))
const collected = patch(1000, 1000, done)
const lost = (reason: string, status?: number) => ({
  error: {
    _tag: "UploadResourceLost",
    reason,
    outcomeOpen: true,
    isRetryable: true,
    ...(status === undefined ? {} : { status })
  }
})

const under = (interopVersion: number, script: ReadonlyArray<Exchange>): ReadonlyArray<Exchange> =>
  script.map((exchange) => ({ ...exchange, headers: { ...exchange.headers, ...interop(interopVersion) } }))

describe("a success that completes the upload and does not say so", () => {
  const silent = patch(0, 1000, wholeBody, answer(200, {}, "done"))

  it.live("is the target's answer under interop version 6", () =>
    Effect.gen(function* () {
      const run = yield* resume(under(6, [begun, silent]), { interopVersion: 6 })
      expect(run).toMatchObject(doneRun)
      expectForgotten(run)
    })
  )

  it.live("is the target's answer under interop version 6 to an empty append, too", () =>
    Effect.gen(function* () {
      const finish = patch(1000, 1000, answer(200, {}, "done"))
      const run = yield* resume(under(6, [head(atOffset(1000)), finish]), { interopVersion: 6 })
      expect(run).toMatchObject(doneRun)
      const replayed = yield* resume(under(6, [isComplete, finish]), { interopVersion: 6 })
      expect(replayed).toMatchObject(doneRun)
    })
  )

  it.live.each([7, 8, 9, 10])("has its resource asked under %i, which gives the answer again", (version) =>
    Effect.gen(function* () {
      const script = under(version, [begun, silent, isComplete, collected])
      expect(yield* resume(script, { interopVersion: version })).toMatchObject(doneRun)
    })
  )

  it.live.each([
    [
      "is complete, and does not give the answer again",
      [isComplete, patch(1000, 1000, answer(200))],
      "Unanswered",
      200
    ],
    [
      "is complete, and refuses to give the answer again",
      [isComplete, patch(1000, 1000, answer(400))],
      "Unanswered",
      400
    ],
    ["is gone", [head(answer(404))], "Gone", 404],
    ["cannot be asked", [head(answer(405))], "Refused", 405]
  ] as const)(
    "leaves the outcome open when its resource %s, and cancels nothing",
    ([, rest, reason, status]) =>
      Effect.gen(function* () {
        const run = yield* resume([begun, silent, ...rest])
        expect(run).toMatchObject(lost(reason, status))
        expectForgotten(run)
      })
  )

  it.live.each([
    ["the server is in trouble", answer(503)],
    ["the key is refused", answer(401)],
    ["the line is cut", cut]
  ] as const)("keeps the upload when its resource cannot be asked because %s", ([, act]) =>
    Effect.map(resume([begun, silent, head(act)]), expectKept)
  )

  it.live("goes on when its resource has not got all of it", () =>
    Effect.gen(function* () {
      const rest = patch(600, 1000, wholeBody, done)
      expect(yield* resume([begun, silent, head(atOffset(600)), rest])).toMatchObject(doneRun)
    })
  )

  it.live("again and again, with nothing moved, is cancelled in the end, for it is not complete", () =>
    Effect.gen(function* () {
      const stuck = Array.from({ length: 6 }, () => [begun, silent]).flat()
      const run = yield* resume([...stuck, begun, cancelled])
      expect(run.error).toMatchObject({ rule: "NoProgress", outcomeOpen: false })
    })
  )
})

describe("a refusal of the append that completes the upload", () => {
  const refused = (status: number) => patch(0, 1000, wholeBody, answer(status, {}, "no"))

  it.live.each([300, 302, 400, 409, 412, 422])("(%i) is overruled by a resource that is complete", (status) =>
    Effect.gen(function* () {
      expect(yield* resume([begun, refused(status), isComplete, collected])).toMatchObject(doneRun)
    })
  )

  it.live.each([300, 302, 400, 409, 412, 422])("(%i) stands when the resource is not complete", (status) =>
    Effect.gen(function* () {
      const run = yield* resume([begun, refused(status), begun, cancelled])
      expect(run.answer).toEqual({ status, body: "no" })
      expectForgotten(run)
    })
  )

  it.live("stands when the resource lacks bytes, whether or not it says that it is not complete", () =>
    Effect.gen(function* () {
      const vague = head(answer(204, at(999)))
      const run = yield* resume([begun, refused(400), vague, cancelled])
      expect(run.answer).toEqual({ status: 400, body: "no" })
      expectForgotten(run)
    })
  )

  it.live("does not stand when the resource has every byte and does not deny to be complete", () =>
    Effect.gen(function* () {
      const vague = head(answer(204, at(1000)))
      expect(yield* resume([begun, refused(400), vague, collected])).toMatchObject(doneRun)
      const silent = patch(1000, 1000, answer(400))
      expect(yield* resume([begun, refused(400), vague, silent])).toMatchObject(lost("Unanswered", 400))
    })
  )

  it.live("that has no bytes left is overruled as well", () =>
    Effect.gen(function* () {
      const finish = patch(1000, 1000, answer(400, {}, "no"))
      const run = yield* resume([head(atOffset(1000)), finish, isComplete, collected])
      expect(run).toMatchObject(doneRun)
    })
  )

  it.live("leaves the outcome open when the resource is gone", () =>
    Effect.gen(function* () {
      expect(yield* resume([begun, refused(400), head(answer(410))])).toMatchObject(lost("Gone", 410))
    })
  )

  it.live("stands at once, and cancels, where bytes are missing anyway", () =>
    Effect.gen(function* () {
      const part = patch(0, 600, wholeBody, answer(400, {}, "no"))
      const run = yield* resume([begun, part, cancelled], { limits: { maxAppendSize: 600 } })
      expect(run.answer).toEqual({ status: 400, body: "no" })
    })
  )
})

describe("a broken rule after the last byte", () => {
  const other = offered({ location: "/uploads/s3cr3t-other" })
  const broken = put(offered(), wholeBody, other)

  it.live("is overruled by a resource that is complete", () =>
    Effect.gen(function* () {
      expect(yield* upload([broken, isComplete, collected])).toMatchObject(doneRun)
    })
  )

  it.live("is an error, and the upload cancelled, when the resource is not complete", () =>
    Effect.gen(function* () {
      const run = yield* upload([broken, begun, cancelled])
      expect(run.error).toMatchObject({ rule: "LocationChanged", outcomeOpen: false })
    })
  )

  it.live("leaves the outcome open when the resource breaks the rules as well", () =>
    Effect.gen(function* () {
      const run = yield* upload([broken, head(answer(204))])
      expect(run.error).toMatchObject({ rule: "OffsetMissing", outcomeOpen: true })
      expectForgotten(run)
    })
  )

  it.live("is asked about after a limit that comes too late", () =>
    Effect.gen(function* () {
      const late = put(offered(), wholeBody, offered({ "upload-limit": "max-size=10" }))
      expect(yield* upload([late, isComplete, collected])).toMatchObject(doneRun)
      const run = yield* upload([late, begun, cancelled])
      expect(run.error).toMatchObject({ _tag: "UploadLimitExceeded", outcomeOpen: false })
    })
  )

  it.live("by an upload whose earlier end is not known cancels nothing", () =>
    Effect.gen(function* () {
      for (const fields of [{}, at(1001), { ...at(1000), "upload-length": "999" }]) {
        const run = yield* resume([head(answer(204, { ...complete, ...fields }))])
        expect(run.error).toMatchObject({ _tag: "UploadProtocolViolation", outcomeOpen: true })
        expectForgotten(run)
      }
    })
  )

  it.live("by who is asked for the lost answer cancels nothing", () =>
    Effect.gen(function* () {
      const elsewhere = patch(1000, 1000, answer(307, { location: "https://elsewhere.example/" }))
      const run = yield* resume([isComplete, elsewhere])
      expect(run.error).toMatchObject({ rule: "ForeignRedirect", outcomeOpen: true })
    })
  )
})

describe("an append under another number", () => {
  it.live("is not believed what a 104 tells", () =>
    Effect.gen(function* () {
      const progress =
        (version: number) => (peer: { readonly socket: { write: (text: string) => void } }) => {
          peer.socket.write(
            `HTTP/1.1 104 X\r\nUpload-Draft-Interop-Version: ${version}\r\nUpload-Offset: 500\r\n\r\n`
          )
        }
      const run = yield* resume([begun, patch(0, 1000, progress(8), progress(10), wholeBody, done)])
      expect(run).toMatchObject({ ...doneRun, acknowledged: [0] })
      const right = yield* resume([begun, patch(0, 1000, progress(9), wholeBody, done)])
      expect(right).toMatchObject({ ...doneRun, acknowledged: [0, 500] })
    })
  )
})

describe("an append in parts", () => {
  it.live("is denied to be complete by each part that is taken", () =>
    Effect.gen(function* () {
      const parts = [begun, patch(0, 600, ...appended()), patch(600, 1000, wholeBody, answer(422, {}, "no"))]
      const run = yield* resume([...parts, head(atOffset(1000)), cancelled], {
        limits: { maxAppendSize: 600 }
      })
      expect(run.answer).toEqual({ status: 422, body: "no" })
    })
  )
})
