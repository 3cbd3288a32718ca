/**
 * tus-js-client, with its protocol `ietf-draft-05` (interop version 6), against the stand-in: a client of the draft that
 * was not written here.
 *
 * It creates uploads by POST and names no media type of theirs. Both belong to the resource that is uploaded to, not to
 * the draft, so they are set to what the extensions API takes; all else is the client's own.
 */
import * as Http from "node:http"
import { describe, expect, it } from "@effect/vitest"
import { Data, Deferred, Effect, Runtime } from "effect"
import * as Tus from "tus-js-client"
import * as Fault from "../../src/testing/Fault.ts"
import { LocalElasticCloud } from "../../src/testing/LocalElasticCloud.ts"
import { stored, withResumable } from "../support/testing/resumable.ts"
import { bigZip, KEY, pathOf, seedBundle, sha256 } from "../support/testing/server.ts"

class TusFailed extends Data.TaggedError("TusFailed")<{ readonly cause: Error }> {}

/** A connection for each request: Deno sends a request again by itself when a connection that it used before breaks. */
const node = new Tus.DefaultHttpStack({ agent: new Http.Agent({ keepAlive: false }) })

const httpStack: Tus.HttpStack = {
  getName: () => "the extensions API",
  createRequest: (method, url) => {
    if (method !== "POST") return node.createRequest(method, url)
    const request = node.createRequest("PUT", url)
    const setHeader = request.setHeader.bind(request)
    setHeader("Content-Type", "application/zip")
    request.setHeader = (name, value) => {
      if (name.toLowerCase() !== "content-type") setHeader(name, value)
    }
    return request
  }
}

/** An upload, not yet started, with what it comes to. */
const makeUpload = (id: string, bytes: Buffer, options: Tus.UploadOptions = {}) =>
  Effect.gen(function* () {
    const { url } = yield* LocalElasticCloud
    const runtime = yield* Effect.runtime<never>()
    const done = yield* Deferred.make<void, TusFailed>()
    const settings = {
      protocol: "ietf-draft-05",
      endpoint: `${url}${pathOf(id)}`,
      headers: { Authorization: `ApiKey ${KEY}` },
      retryDelays: null,
      httpStack,
      onSuccess: () => void Runtime.runSync(runtime, Deferred.succeed(done, undefined)),
      onError: (cause: Error) => void Runtime.runSync(runtime, Deferred.fail(done, new TusFailed({ cause }))),
      ...options
    }
    return { upload: new Tus.Upload(bytes, settings), done: Deferred.await(done) }
  })

const run = ({ done, upload }: Effect.Effect.Success<ReturnType<typeof makeUpload>>) =>
  Effect.zipRight(
    Effect.sync(() => upload.start()),
    done
  )

/** What the stand-in was asked, and how much it was sent. */
const requests = Effect.flatMap(LocalElasticCloud, (cloud) =>
  Effect.map(cloud.requests, (all) =>
    all.map(({ bodyBytes, headers, method, status }) => [
      method,
      headers["upload-complete"],
      bodyBytes,
      status
    ])
  )
)

const spoken = withResumable({ interopVersions: [6] })

describe("tus-js-client", () => {
  it.live("uploads in two requests", () =>
    Effect.gen(function* () {
      const { id } = yield* seedBundle
      const archive = yield* bigZip(100_000)
      yield* run(yield* makeUpload(id, archive))
      expect(yield* requests).toStrictEqual([
        ["PUT", "?0", 0, 201],
        ["PATCH", "?1", archive.length, 200]
      ])
      expect(yield* stored(id)).toMatchObject({ uploads: 1, file: { sha256: sha256(archive) } })
    }).pipe(spoken)
  )

  it.live("uploads in one request", () =>
    Effect.gen(function* () {
      const { id } = yield* seedBundle
      const archive = yield* bigZip(100_000)
      yield* run(yield* makeUpload(id, archive, { uploadDataDuringCreation: true }))
      expect(yield* requests).toStrictEqual([["PUT", "?1", archive.length, 200]])
      expect((yield* stored(id)).file?.sha256).toBe(sha256(archive))
    }).pipe(spoken)
  )

  it.live("uploads in parts", () =>
    Effect.gen(function* () {
      const { id } = yield* seedBundle
      const archive = yield* bigZip(100_000)
      yield* run(yield* makeUpload(id, archive, { chunkSize: 40_000 }))
      expect(yield* requests).toStrictEqual([
        ["PUT", "?0", 0, 201],
        ["PATCH", "?0", 40_000, 201],
        ["PATCH", "?0", 40_000, 201],
        ["PATCH", "?1", archive.length - 80_000, 200]
      ])
      expect((yield* stored(id)).file?.sha256).toBe(sha256(archive))
    }).pipe(spoken)
  )

  it.live("aborts in the middle of a request, and resumes with what is missing", () =>
    Effect.gen(function* () {
      const cloud = yield* LocalElasticCloud
      const { id } = yield* seedBundle
      const archive = yield* bigZip(200_000)
      const reached = yield* Deferred.make<void>()
      const stop = { afterBodyBytes: 60_000 } as const
      yield* cloud.plan({
        method: "PATCH",
        fault: [Fault.run(stop, Effect.asVoid(Deferred.succeed(reached, undefined))), Fault.hang(stop)]
      })
      const first = yield* makeUpload(id, archive)
      yield* Effect.sync(() => first.upload.start())
      yield* Deferred.await(reached)
      yield* Effect.promise(() => first.upload.abort())
      const uploadUrl = first.upload.url
      yield* run(yield* makeUpload(id, archive, { uploadUrl }))
      expect((yield* requests).slice(1)).toStrictEqual([
        ["PATCH", "?1", 60_000, undefined],
        ["HEAD", undefined, 0, 204],
        ["PATCH", "?1", archive.length - 60_000, 200]
      ])
      expect(yield* stored(id)).toMatchObject({ uploads: 1, file: { sha256: sha256(archive) } })
    }).pipe(spoken)
  )

  it.live("goes on by itself when the line breaks", () =>
    Effect.gen(function* () {
      const cloud = yield* LocalElasticCloud
      const { id } = yield* seedBundle
      const archive = yield* bigZip(200_000)
      yield* cloud.plan({ method: "PATCH", fault: Fault.cut({ afterBodyBytes: 60_000 }) })
      yield* run(yield* makeUpload(id, archive, { retryDelays: [0] }))
      expect((yield* requests).slice(1)).toStrictEqual([
        ["PATCH", "?1", 60_000, undefined],
        ["HEAD", undefined, 0, 204],
        ["PATCH", "?1", archive.length - 60_000, 200]
      ])
      expect((yield* stored(id)).file?.sha256).toBe(sha256(archive))
    }).pipe(spoken)
  )

  it.live("finds an upload complete whose last answer was lost", () =>
    Effect.gen(function* () {
      const cloud = yield* LocalElasticCloud
      const { id } = yield* seedBundle
      const archive = yield* bigZip(10_000)
      yield* cloud.plan({ method: "PATCH", fault: Fault.cut("applied") })
      yield* run(yield* makeUpload(id, archive, { retryDelays: [0] }))
      expect((yield* requests).slice(1)).toStrictEqual([
        ["PATCH", "?1", archive.length, undefined],
        ["HEAD", undefined, 0, 204]
      ])
      expect((yield* stored(id)).uploads).toBe(1)
    }).pipe(spoken)
  )

  it.live("aborts for good, and the upload is gone", () =>
    Effect.gen(function* () {
      const cloud = yield* LocalElasticCloud
      const { id } = yield* seedBundle
      const archive = yield* bigZip(100_000)
      const chunk = yield* Deferred.make<void>()
      const runtime = yield* Effect.runtime<never>()
      const { upload } = yield* makeUpload(id, archive, {
        chunkSize: 40_000,
        onChunkComplete: () => {
          Runtime.runSync(runtime, Deferred.succeed(chunk, undefined))
        }
      })
      yield* Effect.sync(() => upload.start())
      yield* Deferred.await(chunk)
      yield* Effect.promise(() => upload.abort(true))
      yield* cloud.settled
      expect(yield* cloud.uploads).toStrictEqual([])
      expect((yield* stored(id)).uploads).toBe(0)
      expect(yield* requests).toContainEqual(["DELETE", undefined, 0, 204])
    }).pipe(spoken)
  )

  it.live("is told why the extension refuses what it sent", () =>
    Effect.gen(function* () {
      const { id } = yield* seedBundle
      const { cause } = yield* Effect.flip(run(yield* makeUpload(id, Buffer.from("no archive"))))
      expect(cause.message).toMatch(/response code: 400, response text: .*not a ZIP archive/)
    }).pipe(spoken)
  )
})
