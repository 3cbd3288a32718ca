/** Records that somebody else has put into the journal, and addresses of uploads that a server has made up. */
import { describe, expect, it } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import * as Archive from "../../src/archive/Archive.ts"
import * as JournalRecord from "../../src/journal/JournalRecord.ts"
import * as UploadJournal from "../../src/journal/UploadJournal.ts"
import * as Fault from "../../src/testing/Fault.ts"
import * as LocalElasticCloud from "../../src/testing/LocalElasticCloud.ts"
import * as ExtensionUpload from "../../src/upload/ExtensionUpload.ts"
import { fileWith, zipOf } from "../support/upload/archives.ts"
import { held, seed, sha256, traffic, world } from "../support/upload/world.ts"

const own = "1111111111"
const production = "2222222222"
const api = "/api/v1/deployments/extensions"

/** Operations of the API, in spellings that some server takes for the same. */
const operations = [
  `${api}/${own}`,
  `${api}/${production}`,
  `${api}/${production}/`,
  `${api}//${production}`,
  `/api/v1//deployments/extensions/${production}`,
  `/API/V1/Deployments/Extensions/${production}`,
  `${api}/%32222222222`,
  `${api}/%2532222222222`,
  `${api}%2f${production}`,
  `/uploads/..%2f..${api}/${production}`,
  `/uploads/../api/v1/deployments/extensions/${production}`,
  `${api};a=b/${production};c`,
  `${api}/${production}?upload=1`,
  `${api}/${own}/../${production}`,
  "/api/v1/deployments/0123456789abcdef0123456789abcdef",
  "/api/v1/users/auth/keys/1"
]

const planted = (url: string) =>
  Effect.gen(function* () {
    const { url: origin } = yield* LocalElasticCloud.LocalElasticCloud
    const content = yield* zipOf(1000)
    const path = yield* fileWith(content)
    const journal = yield* UploadJournal.UploadJournal
    const record = yield* JournalRecord.prepare({
      origin: `${origin}/api/v1`,
      extensionId: own,
      archive: { path, name: "words.zip", size: content.length, sha256: sha256(content) },
      contentType: "application/zip",
      representationSize: content.length,
      baseline: { resourceVersion: "1" }
    })
    const session = yield* journal.open(record)
    yield* session.save({
      ...record,
      phase: "Sending",
      upload: { url: Redacted.make(`${origin}${url}`), offset: 0, interopVersion: 9 }
    })
    return path
  }).pipe(Effect.scoped)

const seeded = Effect.zipRight(
  seed({ id: own }),
  Effect.flatMap(zipOf(10), (file) => seed({ id: production, file }))
)

/** Requests of the client's own making, other than for the extension that is meant, and for links to its archive. */
const strayed = Effect.gen(function* () {
  const cloud = yield* LocalElasticCloud.LocalElasticCloud
  yield* cloud.settled
  return (yield* cloud.requests)
    .filter(
      ({ method, path }) => !(["GET", "PUT", "OPTIONS"].includes(method) && path.startsWith(`${api}/${own}`))
    )
    .filter(({ method, path }) => !(method === "GET" && path.startsWith("/files/")))
    .map(({ method, path }) => `${method} ${path}`)
})

describe("an address that is an operation of the API is never taken for an upload", () => {
  it.scopedLive.each(operations)("by cancel: %s", (url) =>
    Effect.gen(function* () {
      yield* seeded
      yield* planted(url)
      expect(yield* ExtensionUpload.cancel(own)).toBe(true)
      expect(yield* traffic).toEqual([])
      expect(yield* held(production)).toMatchObject({ size: expect.any(Number) })
    }).pipe(Effect.provide(world()))
  )

  it.scopedLive.each(operations)("by resume: %s", (url) =>
    Effect.gen(function* () {
      yield* seeded
      const path = yield* planted(url)
      yield* Effect.either(ExtensionUpload.upload({ extensionId: own, archive: Archive.file(path) }))
      expect(yield* strayed).toEqual([])
    }).pipe(Effect.provide(world()))
  )

  it.scopedLive.each(operations)("from a server: %s", (location) =>
    Effect.gen(function* () {
      yield* seeded
      const cloud = yield* LocalElasticCloud.LocalElasticCloud
      yield* cloud.plan({
        method: "PUT",
        fault: [
          Fault.interim("arrival", {
            status: 104,
            headers: { location, "upload-draft-interop-version": "9" }
          }),
          Fault.cut({ afterBodyBytes: 500 })
        ]
      })
      const path = yield* fileWith(yield* zipOf(1000))
      yield* Effect.either(ExtensionUpload.upload({ extensionId: own, archive: Archive.file(path) }))
      yield* ExtensionUpload.cancel(own)
      expect(yield* strayed).toEqual([])
    }).pipe(Effect.provide(world()))
  )
})
