/** Telling the server to forget an upload. */

import * as HttpClient from "@effect/platform/HttpClient"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as ResumableUpload from "../../src/transfer/ResumableUpload.ts"
import * as UploadHttpClient from "../../src/transfer/UploadHttpClient.ts"
import { del, interop, spoken, uploadPath } from "../support/transfer/draftScript.ts"
import { answer, cut, resumableServer } from "../support/transfer/resumableServer.ts"
import { uploadRequest } from "../support/transfer/uploading.ts"

describe("cancel", () => {
  const cancel = (origin: string, url: string, interopVersion = spoken) =>
    Effect.gen(function* () {
      const client = yield* HttpClient.HttpClient
      const resource = { url: Redacted.make(url), interopVersion }
      yield* ResumableUpload.cancel({ client, request: uploadRequest(origin) }, resource)
    }).pipe(Effect.provide(UploadHttpClient.layer({ proxy: false })))

  it.live.each([204, 200, 404, 410, 500])(
    "sends DELETE with the credentials, and takes %i for done",
    (status) =>
      Effect.scoped(
        Effect.gen(function* () {
          const script = [del(answer(status))]
          const server = yield* resumableServer(script)
          yield* cancel(server.origin, `${server.origin}${uploadPath}`)
          expect(server.requests[0]).toMatchObject({
            line: `DELETE ${uploadPath}`,
            headers: { authorization: uploadRequest("").headers["authorization"], ...interop() }
          })
        })
      )
  )

  it.live("speaks the iteration the upload was created in", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const server = yield* resumableServer([del(answer(204))])
        yield* cancel(server.origin, `${server.origin}${uploadPath}`, 6)
        expect(server.requests[0]?.headers).toMatchObject(interop(6))
      })
    )
  )

  it.live("sends nothing to another origin", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const [own, foreign] = [yield* resumableServer([]), yield* resumableServer([])]
        yield* cancel(own.origin, `${foreign.origin}${uploadPath}`)
        yield* cancel(own.origin, "not a URL")
        expect([...own.requests, ...foreign.requests]).toEqual([])
      })
    )
  )

  it.live("fails as the line fails, without the address", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const server = yield* resumableServer([del(cut)])
        const error = yield* Effect.flip(cancel(server.origin, `${server.origin}${uploadPath}`))
        expect(error).toMatchObject({ _tag: "ConnectionFailed", method: "DELETE" })
        expect(JSON.stringify(error) + error.message).not.toContain("s3cr3t")
      })
    )
  )
})
