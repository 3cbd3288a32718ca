/** An upload resource that is locked, and what its server says of the wait. */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { UploadResourceBusy } from "../../src/transfer/ResumableUploadError.ts"
import {
  begun,
  complete,
  done,
  head,
  incomplete,
  offered,
  patch,
  put
} from "../support/transfer/draftScript.ts"
import { answer, wholeBody } from "../support/transfer/resumableServer.ts"
import { doneRun, expectKept, resume, upload } from "../support/transfer/uploading.ts"

const date = "Tue, 01 Jan 2030 00:00:00 GMT"
const in30Seconds = "Tue, 01 Jan 2030 00:00:30 GMT"

describe("a locked upload resource", () => {
  it.live.each([
    ["HEAD", 423, {}],
    ["HEAD", 409, {}],
    ["HEAD", 409, incomplete],
    ["PATCH", 423, {}],
    ["PATCH", 423, incomplete]
  ] as const)("answers %s with %i and %j, and the upload is kept to go on with", ([method, status, fields]) =>
    Effect.gen(function* () {
      const locked = answer(status, fields)
      const script = method === "HEAD" ? [head(locked)] : [begun, patch(0, 1000, wholeBody, locked)]
      const run = yield* resume(script)
      expect(run.error).toMatchObject({
        _tag: "UploadResourceBusy",
        status,
        isRetryable: true,
        outcomeOpen: false
      })
      expectKept(run)
      expect(yield* resume([begun, patch(0, 1000, wholeBody, done)])).toMatchObject(doneRun)
    })
  )

  it.live("answers the creation with 423", () =>
    Effect.gen(function* () {
      const run = yield* upload([put(offered(), wholeBody, answer(423, { "retry-after": "3" }))])
      expect(run.error).toMatchObject({ _tag: "UploadResourceBusy", status: 423, retryAfterMillis: 3000 })
      expect(run.resources).toHaveLength(1)
    })
  )

  it.live.each([
    ["after seconds", { "retry-after": "7" }, 7000],
    ["at a date, by the server's own clock", { "retry-after": in30Seconds, date }, 30_000],
    ["at a date that is over", { "retry-after": date, date: in30Seconds }, 0],
    ["at no date", { "retry-after": "soon", date }, undefined],
    ["at once", {}, undefined]
  ] as const)("is to be asked again %s", ([, fields, retryAfterMillis]) =>
    Effect.gen(function* () {
      const run = yield* resume([head(answer(423, fields))])
      expect(run.error).toMatchObject({ _tag: "UploadResourceBusy" })
      const hint = Option.fromNullable(run.error).pipe(
        Option.filter((error) => error instanceof UploadResourceBusy),
        Option.flatMapNullable((error) => error.retryAfterMillis)
      )
      expect(Option.getOrUndefined(hint)).toBe(retryAfterMillis)
    })
  )

  it.live("gives the target's own answer all the same", () =>
    Effect.gen(function* () {
      const run = yield* resume([begun, patch(0, 1000, wholeBody, answer(423, complete, "locked"))])
      expect(run.answer).toEqual({ status: 423, body: "locked" })
    })
  )
})

describe("409 to a creation whose resource is known", () => {
  it.live("goes on at its offset when the upload itself says so", () =>
    Effect.gen(function* () {
      const conflict = put(offered(), wholeBody, answer(409, incomplete))
      expect(yield* upload([conflict, begun, patch(0, 1000, wholeBody, done)])).toMatchObject(doneRun)
    })
  )
})
