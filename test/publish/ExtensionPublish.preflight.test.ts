/** A download URL that cannot work is told before the service is. Judged by what the service and the URL's server received. */
import { describe, expect, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import * as Archive from "../../src/archive/Archive.ts"
import { ExtensionsClient } from "../../src/cloud/ExtensionsClient.ts"
import * as ExtensionPublish from "../../src/publish/ExtensionPublish.ts"
import { PublishError } from "../../src/publish/PublishError.ts"
import * as Fault from "../../src/testing/Fault.ts"
import { LocalElasticCloud } from "../../src/testing/LocalElasticCloud.ts"
import { type How, rangeServer } from "../support/archive/rangeServer.ts"
import { changes, isUpdate, only } from "../support/publish/publishing.ts"
import { zipOf } from "../support/upload/archives.ts"
import { sha256, type WorldOptions, world } from "../support/upload/world.ts"

const dictionary = { name: "dictionary", type: "bundle", version: "8.*" } as const

const largeWorld = (options: WorldOptions = {}) =>
  world({ ...options, settings: { directUploadLimitBytes: 1000, ...options.settings } })

/** A link whose server answers so. */
const serving = (bytes: Uint8Array, how: How = {}) =>
  Effect.map(
    rangeServer({ bytes }, (serve) => serve(how)),
    (server) => ({ ...server, link: `${server.url}?X-Sig=hush` })
  )

/** An extension that was filled from this URL, which it notes still. */
const noted = (downloadUrl: string) =>
  Effect.gen(function* () {
    const client = yield* ExtensionsClient
    yield* client.create({ ...dictionary, downloadUrl })
  })

const page = Buffer.from("<!doctype html><title>Log in</title>")

const unusable: ReadonlyArray<readonly [string, How, reason: string, says: string]> = [
  [
    "redirects",
    { status: 302, headers: { location: "https://elsewhere.example/a.zip?token=hush" } },
    "Redirects",
    "redirects (status 302, to https://elsewhere.example)"
  ],
  ["refuses access", { status: 403, body: page }, "Refused", "access is refused (status 403)"],
  ["knows nothing of it", { status: 404 }, "NotFound", "there is nothing behind it (status 404)"],
  ["serves a page", { body: page, headers: { "content-type": "text/html" } }, "HtmlPage", "an HTML page"],
  ["serves a page as a file", { body: page }, "HtmlPage", "an HTML page"],
  ["serves something else", { body: Buffer.from("BEGIN") }, "NotAZip", "does not begin as a ZIP file does"],
  ["serves nothing", { body: new Uint8Array(0), ignoreRange: true }, "NotAZip", "is empty"],
  [
    "serves another length",
    { headers: { "content-range": "bytes 0-1023/77" } },
    "WrongLength",
    "has 77 bytes, and the local archive"
  ]
]

describe("a download URL whose server", () => {
  it.scopedLive.each(unusable)("%s: is refused before anything is changed", ([, how, reason, says]) =>
    Effect.gen(function* () {
      const content = yield* zipOf(5000)
      const { link, ranges } = yield* serving(content, how)
      const request = {
        ...dictionary,
        archive: Archive.bytes({ name: "words.zip", bytes: content }),
        downloadUrl: link
      }
      const error = yield* Effect.flip(ExtensionPublish.publish(request))
      expect(error).toMatchObject({ _tag: "DownloadUrlUnusable", reason, isRetryable: false })
      expect(error.message).toContain(says)
      expect(yield* Effect.flip(ExtensionPublish.plan(request))).toMatchObject({ reason })
      const text = yield* Schema.encode(Schema.parseJson(PublishError))(error)
      expect(text + error.message).not.toMatch(/hush|acme\.zip/)
      expect(ranges()).toEqual(["bytes=0-1023", "bytes=0-1023"])
      expect(yield* changes).toEqual({ creates: 0, updates: 0, uploads: 0 })
    }).pipe(Effect.provide(largeWorld()))
  )

  it.scopedLive("is down: is tried again, then refused", () =>
    Effect.gen(function* () {
      const { link, ranges } = yield* serving(yield* zipOf(5000), { status: 503 })
      const error = yield* Effect.flip(ExtensionPublish.publish({ ...dictionary, downloadUrl: link }))
      expect(error).toMatchObject({ _tag: "DownloadUrlUnusable", reason: "Unavailable", isRetryable: true })
      expect(ranges()).toHaveLength(4)
      expect(yield* changes).toEqual({ creates: 0, updates: 0, uploads: 0 })
    }).pipe(Effect.provide(world()))
  )

  it.scopedLive("cannot be reached from here: the error says how to go without", () =>
    Effect.gen(function* () {
      const downloadUrl = "http://127.0.0.1:1/archive.zip?X-Sig=hush"
      const error = yield* Effect.flip(ExtensionPublish.publish({ ...dictionary, downloadUrl }))
      expect(error).toMatchObject({ _tag: "DownloadUrlUnusable", reason: "Unreachable" })
      expect(error.message).toContain("--skip-preflight")
      expect(error.message).not.toContain("hush")
      expect(yield* changes).toEqual({ creates: 0, updates: 0, uploads: 0 })
    }).pipe(Effect.provide(world()))
  )

  it.scopedLive("is not asked where the check is not wanted, nor where nothing has to be fetched", () =>
    Effect.gen(function* () {
      const content = yield* zipOf(5000)
      const server = yield* serving(content)
      const request = { ...dictionary, downloadUrl: server.link }
      yield* ExtensionPublish.publish({ ...request, preflight: false })
      expect(server.ranges()).toEqual([undefined])

      const archive = Archive.bytes({ name: "words.zip", bytes: content })
      const again = yield* ExtensionPublish.publish({ ...request, archive, directUploadLimitBytes: 1000 })
      expect(again).toMatchObject({ _tag: "AlreadyPublished", proof: "hash" })
      expect(server.ranges()).toHaveLength(1)
    }).pipe(Effect.provide(world()))
  )

  it.scopedLive("ignores ranges: is read no further than its beginning", () =>
    Effect.gen(function* () {
      const content = yield* zipOf(3_000_000)
      const server = yield* rangeServer({ bytes: content }, (serve, { headers }) =>
        serve(headers.range === undefined ? {} : { ignoreRange: true, pieceBytes: 1024, stallAfter: 4096 })
      )
      const receipt = yield* ExtensionPublish.publish({ ...dictionary, downloadUrl: server.url })
      expect(receipt).toMatchObject({ _tag: "Published", way: "download" })
      expect((yield* only).file?.sha256).toBe(sha256(content))
    }).pipe(Effect.provide(world()))
  )
})

describe("credentials in the URL", () => {
  it.scopedLive("as a user and a password: are sent as the service does, and do not stay", () =>
    Effect.gen(function* () {
      const content = yield* zipOf(5000)
      const server = yield* serving(content)
      const downloadUrl = server.url.replace("http://", "http://ci:p%40ss%20word@")
      yield* ExtensionPublish.publish({ ...dictionary, downloadUrl })
      const expected = `Basic ${Buffer.from("ci:p@ss word").toString("base64")}`
      expect(server.state.requests.map(({ headers }) => headers.authorization)).toEqual([expected, expected])
      expect(yield* only).toMatchObject({ downloadUrl: undefined, file: { sha256: sha256(content) } })
    }).pipe(Effect.provide(world()))
  )

  it.scopedLive("stay in the extension of a run that was cut off, until the next", () =>
    Effect.gen(function* () {
      const content = yield* zipOf(5000)
      const server = yield* serving(content)
      const archive = Archive.bytes({ name: "words.zip", bytes: content })
      // Signed anew, as a store does each time.
      yield* noted(`${server.url}?X-Sig=older`)
      const receipt = yield* ExtensionPublish.publish({
        ...dictionary,
        archive,
        downloadUrl: server.link,
        directUploadLimitBytes: 1000
      })
      expect(receipt).toMatchObject({ _tag: "Published", updated: ["downloadUrl"], proof: "hash" })
      expect(receipt.download).toBeUndefined()
      expect(yield* only).toMatchObject({ downloadUrl: undefined })
      expect(server.state.requests).toHaveLength(1)
    }).pipe(Effect.provide(world()))
  )

  it.scopedLive("of somebody else's link are left to them", () =>
    Effect.gen(function* () {
      const content = yield* zipOf(5000)
      const server = yield* serving(content)
      const other = `${server.origin}/other.zip?X-Sig=theirs`
      yield* noted(other)
      const archive = Archive.bytes({ name: "words.zip", bytes: content })
      const receipt = yield* ExtensionPublish.publish({
        ...dictionary,
        archive,
        downloadUrl: server.link,
        directUploadLimitBytes: 1000
      })
      expect(receipt).toMatchObject({ _tag: "AlreadyPublished" })
      expect(yield* only).toMatchObject({ downloadUrl: other })
    }).pipe(Effect.provide(world()))
  )

  it.scopedLive("that the service keeps bring a warning", () =>
    Effect.gen(function* () {
      const cloud = yield* LocalElasticCloud
      const { link } = yield* serving(yield* zipOf(5000))
      const warnings: Array<string> = []
      const noted = Fault.alterAnswer(({ body, ...rest }) => ({
        ...rest,
        body: JSON.stringify({ ...JSON.parse(Buffer.from(body).toString("utf8")), download_url: link })
      }))
      yield* cloud.plan({ method: "POST", path: isUpdate, fault: noted, times: 2 })
      yield* ExtensionPublish.publish({
        ...dictionary,
        downloadUrl: link,
        onEvent: (event) =>
          Effect.sync(() => void (event._tag === "Warning" && warnings.push(event.code, event.message)))
      })
      expect(warnings[0]).toBe("DownloadUrlKept")
      expect(warnings.join()).not.toContain("hush")
    }).pipe(Effect.provide(world()))
  )
})

describe("a download that the service refuses", () => {
  it.scopedLive("is explained by what the URL does from here, and its link does not stay", () =>
    Effect.gen(function* () {
      const cloud = yield* LocalElasticCloud
      const content = yield* zipOf(5000)
      const server = yield* rangeServer({ bytes: content }, (serve, { method }) =>
        serve(method === "HEAD" ? { status: 403 } : {})
      )
      const request = { ...dictionary, downloadUrl: `${server.url}?X-Sig=hush` }
      yield* cloud.plan({ method: "POST", path: isUpdate, fault: Fault.headFirst })
      const error = yield* Effect.flip(ExtensionPublish.publish(request))
      expect(error).toMatchObject({ _tag: "DownloadFailed", reason: "NotFetched", isRetryable: false })
      expect(error.message).toContain("Could not download the extension")
      expect(error.message).toContain("works for GET and not for HEAD")
      expect(error.message).not.toContain("hush")
      expect(yield* only).toMatchObject({ downloadUrl: undefined, file: undefined })
    }).pipe(Effect.provide(world()))
  )

  it.scopedLive("because the server of the URL keeps it waiting, is told apart", () =>
    Effect.gen(function* () {
      const content = yield* zipOf(5000)
      const server = yield* rangeServer({ bytes: content }, (serve, { headers }) =>
        serve(headers.range === undefined ? { stallAfter: 10 } : {})
      )
      const error = yield* Effect.flip(ExtensionPublish.publish({ ...dictionary, downloadUrl: server.url }))
      expect(error).toMatchObject({ _tag: "DownloadFailed", reason: "NotFetched" })
      expect(error.message).toContain("from here the URL works, so the service may not reach its server")
    }).pipe(Effect.provide(world({ cloud: { downloadTimeout: 200 } })))
  )
})
