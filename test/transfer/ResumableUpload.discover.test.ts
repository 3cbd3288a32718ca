/** What a server says of itself when it is asked. */
import * as HttpClient from "@effect/platform/HttpClient"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as ResumableUpload from "../../src/transfer/ResumableUpload.ts"
import * as UploadHttpClient from "../../src/transfer/UploadHttpClient.ts"
import { interop, options } from "../support/transfer/draftScript.ts"
import { type Act, answer, cut, type Exchange, resumableServer } from "../support/transfer/resumableServer.ts"
import { expectScript, uploadRequest } from "../support/transfer/uploading.ts"

const asked = (version: number, act: Act): Exchange => {
  const { headers, ...exchange } = options(act)
  return { ...exchange, headers: { ...headers, ...interop(version) } }
}

/** What is found out about a server that is asked exactly this. */
const discover = (script: ReadonlyArray<Exchange>) =>
  Effect.gen(function* () {
    const server = yield* resumableServer(script)
    const client = yield* HttpClient.HttpClient
    const found = yield* Effect.either(
      ResumableUpload.discover({ client, request: uploadRequest(server.origin) })
    )
    expectScript(server, script)
    return found
  }).pipe(Effect.scoped, Effect.provide(UploadHttpClient.layer({ proxy: false })))

const limits = answer(204, { "upload-limit": "max-size=5000, max-age=60" })
const silent = answer(204)

describe("discover", () => {
  it.live.each([
    { speaks: 10, before: [] },
    { speaks: 9, before: [10] },
    { speaks: 8, before: [10, 9] },
    { speaks: 7, before: [10, 9, 8] },
    { speaks: 6, before: [10, 9, 8, 7] }
  ])("tries from the newest down, and finds $speaks", ({ before, speaks }) =>
    Effect.gen(function* () {
      const script = [...before.map((version) => asked(version, silent)), asked(speaks, limits)]
      expect(yield* discover(script)).toMatchObject({
        right: Option.some({ interopVersion: speaks, limits: { maxSize: 5000, maxAgeSeconds: 60 } })
      })
    })
  )

  it.live("believes a server that names its version", () =>
    Effect.gen(function* () {
      const named = answer(204, { "upload-limit": "min-size=0", ...interop(8) })
      expect(yield* discover([asked(10, named)])).toMatchObject({
        right: Option.some({ interopVersion: 8, limits: { minSize: 0 } })
      })
    })
  )

  it.live("finds nothing where no version is answered to", () =>
    Effect.gen(function* () {
      const script = ResumableUpload.interopVersions.map((version) => asked(version, silent))
      expect(yield* discover(script)).toMatchObject({ right: Option.none() })
    })
  )

  it.live.each([300, 401, 404, 405, 500])("asks once where the question is refused with %i", (status) =>
    Effect.gen(function* () {
      const refused = answer(status, { "upload-limit": "min-size=0" })
      expect(yield* discover([asked(10, refused)])).toMatchObject({ right: Option.none() })
    })
  )

  it.live("fails as the line fails", () =>
    Effect.gen(function* () {
      expect(yield* discover([asked(10, cut)])).toMatchObject({ left: { _tag: "ConnectionFailed" } })
    })
  )
})
