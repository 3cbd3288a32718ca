/** An upload resource that points elsewhere. */

import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import {
  atOffset,
  begun,
  cancelled,
  done,
  head,
  patch,
  repeat,
  target,
  uploadPath
} from "../support/transfer/draftScript.ts"
import { answer, wholeBody } from "../support/transfer/resumableServer.ts"
import { doneRun, expectForgotten, resume } from "../support/transfer/uploading.ts"

describe("a redirect of the upload resource", () => {
  const moved = "/uploads/s3cr3t-moved"
  const to = (status: number, location?: string) => answer(status, location === undefined ? {} : { location })

  it.live.each([
    [307, moved],
    [308, moved],
    [307, `{origin}${moved}`],
    [308, "s3cr3t-moved"]
  ] as const)("(%i to %s) is followed, by HEAD and by PATCH", ([status, location]) =>
    Effect.gen(function* () {
      const run = yield* resume([
        head(to(status, location)),
        { ...head(atOffset(400)), line: `HEAD ${moved}` },
        patch(400, 1000, wholeBody, to(status, location)),
        { ...patch(400, 1000, wholeBody, done), line: `PATCH ${moved}` }
      ])
      expect(run).toMatchObject(doneRun)
    })
  )

  it.live.each([
    ["another origin", (foreign: string) => `${foreign}/elsewhere`],
    ["another origin by a short URL", (foreign: string) => foreign.replace("http:", "")],
    ["another scheme", () => "https://{host}/uploads/s3cr3t"],
    ["the target itself", () => target],
    ["nowhere", () => "http://["],
    ["a place not named", () => undefined]
  ] as const)("to %s is refused", ([, location]) =>
    Effect.forEach([307, 308], (status) =>
      Effect.gen(function* () {
        const rule = "ForeignRedirect"
        const heads = yield* resume((foreign) => [head(to(status, location(foreign)))])
        // An earlier attempt may have completed it, and there is nobody left to ask.
        expect(heads.error).toMatchObject({ _tag: "UploadProtocolViolation", rule, outcomeOpen: true })
        expectForgotten(heads)
        const patches = yield* resume((foreign) => [
          begun,
          patch(0, 1000, wholeBody, to(status, location(foreign))),
          begun,
          cancelled
        ])
        expect(patches.error).toMatchObject({ _tag: "UploadProtocolViolation", rule, outcomeOpen: false })
        expectForgotten(patches)
      })
    )
  )

  it.live("in a circle is left after five", () =>
    Effect.gen(function* () {
      const heads = yield* resume([...repeat(6, () => head(to(307, uploadPath)))])
      const patches = yield* resume([
        begun,
        ...repeat(6, () => patch(0, 1000, wholeBody, to(308, uploadPath))),
        begun,
        cancelled
      ])
      for (const run of [heads, patches]) {
        expect(run.error).toMatchObject({ _tag: "UploadProtocolViolation", rule: "TooManyRedirects" })
        expectForgotten(run)
      }
    })
  )
})
