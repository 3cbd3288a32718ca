/** Which addresses are taken for an upload resource, and what is said of the others. */
import * as HttpClient from "@effect/platform/HttpClient"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as ResumableUpload from "../../src/transfer/ResumableUpload.ts"
import * as UploadHttpClient from "../../src/transfer/UploadHttpClient.ts"
import { done, offered, put, target } from "../support/transfer/draftScript.ts"
import { cut, resumableServer, wholeBody } from "../support/transfer/resumableServer.ts"
import { doneRun, upload, uploadRequest } from "../support/transfer/uploading.ts"

/** Spellings of the target, of what it is a part of, and of its siblings. */
const guarded = [
  target,
  `${target}/`,
  `${target}//`,
  `${target}?upload=1#a`,
  `${target};upload=1`,
  "/deployments/extensions/%31",
  "/deployments/./extensions/x/../1",
  "/deployments//extensions/1",
  "/Deployments/Extensions/1",
  "/deployments%2Fextensions%2F1",
  "/deployments/extensions/OTHER",
  "/deployments/extensions/OTHER/?x",
  "/deployments/extensions/%2531",
  "/deployments/extensions%25252F1",
  "/uploads%2F..%2Fdeployments/extensions/1",
  "/uploads/..%5Cdeployments%5Cextensions%5C1",
  "/deployments;a=1/extensions;b/1",
  "/deployments%20/extensions%00/OTHER",
  "/deployments/%ZZ/1",
  "/%EF%BD%84eployments/extensions/1",
  "/deployments/cluster",
  "/deployments/uploads",
  "/deployments/extensions/uploads/1",
  "/deployments/cluster/elasticsearch/main",
  "/deployments/extensions/OTHER/uploads/1",
  "/deployments/extensions",
  "/deployments/extensions/",
  "/deployments",
  "/"
]

describe("a Location that is no upload resource", () => {
  it.live.each(guarded)("but %s is ignored, and said", (location) =>
    Effect.gen(function* () {
      const run = yield* upload([put(offered({ location }), wholeBody, done)])
      expect(run).toMatchObject({ ...doneRun, resources: [], ignored: [{ reason: "NotAnUploadResource" }] })
    })
  )

  it.live.each([
    ["http://[", "an invalid URL", "Malformed"],
    ["http://user:pass@{host}/uploads/1", "an invalid URL", "Malformed"],
    [`/${"u".repeat(9000)}`, "an invalid URL", "Malformed"],
    ["https://elsewhere.example/uploads/s3cr3t", "https://elsewhere.example", "AnotherOrigin"],
    ["javascript:alert(1)", "javascript:", "AnotherOrigin"],
    ["file:///etc/passwd", "file:", "AnotherOrigin"]
  ] as const)("but %s is ignored, and said without its path", ([location, origin, reason]) =>
    Effect.gen(function* () {
      const run = yield* upload([put(offered({ location }), wholeBody, done)])
      expect(run).toMatchObject({ ...doneRun, resources: [], ignored: [{ origin, reason }] })
    })
  )

  it.live("on another scheme of the same host is said by its origin", () =>
    Effect.gen(function* () {
      const location = "https://{host}/uploads/1"
      const run = yield* upload([put(offered({ location }), wholeBody, done)])
      expect(run.ignored).toMatchObject([
        { origin: expect.stringMatching(/^https:\/\/127\.0\.0\.1:\d+$/), reason: "AnotherOrigin" }
      ])
    })
  )

  it.live("is said once, however often it comes", () =>
    Effect.gen(function* () {
      const offers = guarded.map((location) => offered({ location }))
      expect((yield* upload([put(...offers, wholeBody, done)])).ignored).toHaveLength(1)
    })
  )
})

describe("a Location that may be one", () => {
  it.live.each(["/uploads/1", `${target}/uploads/1`, "/other/extensions/1"])("is taken: %s", (location) =>
    Effect.gen(function* () {
      const run = yield* upload([put(offered({ location }), wholeBody, cut)])
      expect(run.resources).toMatchObject([{ path: location }])
    })
  )
})

describe("an upload resource from a journal that was tampered with", () => {
  it.live.each(guarded)("and that is %s, is neither asked nor deleted", (path) =>
    Effect.scoped(
      Effect.gen(function* () {
        const server = yield* resumableServer([])
        const resource = { url: Redacted.make(`${server.origin}${path}`), offset: 0, interopVersion: 9 }
        const client = yield* HttpClient.HttpClient
        yield* ResumableUpload.cancel({ client, request: uploadRequest(server.origin) }, resource)
        expect(server.requests).toEqual([])
      }).pipe(Effect.provide(UploadHttpClient.layer({ proxy: false })))
    )
  )

  it.live("is lost, before a request is made", () =>
    Effect.gen(function* () {
      const run = yield* upload([], {
        resource: { url: Redacted.make("not a URL"), offset: 0, interopVersion: 9 }
      })
      expect(run.error).toMatchObject({ _tag: "UploadResourceLost", reason: "Unusable" })
    })
  )
})
