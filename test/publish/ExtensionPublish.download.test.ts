import { describe, expect, it } from "@effect/vitest"
import { Effect, Fiber, Schema } from "effect"
import * as Archive from "../../src/archive/Archive.ts"
import * as ExtensionPublish from "../../src/publish/ExtensionPublish.ts"
import { PublishEvent } from "../../src/publish/PublishEvent.ts"
import { PublishReceipt } from "../../src/publish/PublishReceipt.ts"
import * as Fault from "../../src/testing/Fault.ts"
import { LocalElasticCloud } from "../../src/testing/LocalElasticCloud.ts"
import { archiveHost, changes, isUpdate, only, recordPublishing } from "../support/publish/publishing.ts"
import { zipOf } from "../support/upload/archives.ts"
import { seed, sha256, traffic, type WorldOptions, world } from "../support/upload/world.ts"

const dictionary = { name: "dictionary", type: "bundle", version: "8.*" } as const

const archive = (content: Uint8Array) => Archive.bytes({ name: "words.zip", bytes: content })

/** Every archive of these tests is over the limit. */
const largeWorld = (options: WorldOptions = {}) =>
  world({ ...options, settings: { directUploadLimitBytes: 1000, ...options.settings } })

describe("which way an archive goes", () => {
  it.scopedLive(
    "over the limit with a download URL: the service fetches it, and not a byte is uploaded",
    () =>
      Effect.gen(function* () {
        const content = yield* zipOf(5000)
        const host = yield* archiveHost(content)
        const { find, onEvent, steps } = recordPublishing()
        const receipt = yield* ExtensionPublish.publish({
          ...dictionary,
          description: "Words",
          archive: archive(content),
          downloadUrl: host.url,
          onEvent
        })
        expect(receipt).toMatchObject({
          _tag: "Published",
          created: true,
          updated: [],
          way: "download",
          proof: "hash",
          download: { answered: true, polls: 1, size: content.length }
        })
        expect(receipt.upload).toBeUndefined()
        expect(yield* only).toMatchObject({
          description: "Words",
          downloadUrl: undefined,
          uploads: 0,
          file: { sha256: sha256(content) }
        })
        expect(yield* changes).toEqual({ creates: 1, updates: 2, uploads: 0 })
        expect(host.requests).toHaveLength(1)
        expect(steps()).toEqual([
          "ExtensionCreated",
          "DigestStarted",
          "DigestComputed",
          "DownloadStarted",
          "DownloadPolled",
          "Verified",
          "MetadataUpdated"
        ])
        expect(find("MetadataUpdated")).toMatchObject({ value: { fields: ["downloadUrl"] } })
        expect(find("DownloadStarted")).toMatchObject({ value: { origin: new URL(host.url).origin } })
      }).pipe(Effect.provide(largeWorld()))
  )

  it.scopedLive("up to the limit it is uploaded, download URL or not", () =>
    Effect.gen(function* () {
      const content = yield* zipOf(5000)
      const host = yield* archiveHost(content)
      const receipt = yield* ExtensionPublish.publish({
        ...dictionary,
        archive: archive(content),
        downloadUrl: host.url,
        directUploadLimitBytes: content.length
      })
      expect(receipt).toMatchObject({ way: "upload", upload: { _tag: "Uploaded" } })
      expect(host.requests).toEqual([])
      expect(yield* only).toMatchObject({ uploads: 1, downloadUrl: undefined })
    }).pipe(Effect.provide(largeWorld()))
  )

  it.live("over the limit without a download URL it is uploaded, with a warning", () =>
    Effect.gen(function* () {
      const { find, onEvent } = recordPublishing()
      const content = yield* zipOf(5000)
      const receipt = yield* ExtensionPublish.publish({ ...dictionary, archive: archive(content), onEvent })
      expect(receipt).toMatchObject({ way: "upload", proof: "hash" })
      expect(find("Warning")).toMatchObject({ value: { problem: "over-direct-upload-limit" } })
    }).pipe(Effect.provide(largeWorld()))
  )
})

describe("the same again", () => {
  it.scopedLive("fetches nothing where the stored archive is the local one", () =>
    Effect.gen(function* () {
      const cloud = yield* LocalElasticCloud
      const content = yield* zipOf(5000)
      const host = yield* archiveHost(content)
      const request = { ...dictionary, archive: archive(content), downloadUrl: host.url }
      const origin = new URL(host.url).origin
      expect((yield* ExtensionPublish.plan(request)).delivery).toEqual({ _tag: "Fetch", origin })
      yield* ExtensionPublish.publish(request)
      expect((yield* ExtensionPublish.plan(request)).delivery).toEqual({
        _tag: "AlreadyFetched",
        proof: "hash"
      })
      const other = { ...request, archive: archive(yield* zipOf(6000)), preflight: false }
      expect((yield* ExtensionPublish.plan(other)).delivery).toEqual({ _tag: "Fetch", origin })
      yield* cloud.clearRequests
      const again = yield* ExtensionPublish.publish(request)
      expect(again).toMatchObject({ _tag: "AlreadyPublished", way: "download", proof: "hash", updated: [] })
      expect(again.download).toBeUndefined()
      expect(yield* traffic).toEqual(["GET 200", "GET 200", "LINK 200"])
      expect(host.requests).toHaveLength(1)

      const described = yield* ExtensionPublish.publish({ ...request, description: "Words" })
      expect(described).toMatchObject({ _tag: "Published", updated: ["description"] })
      expect(host.requests).toHaveLength(1)
    }).pipe(Effect.provide(largeWorld()))
  )
})

describe("a download URL alone", () => {
  it.scopedLive("is proved by the service's word only, and not fetched from twice", () =>
    Effect.gen(function* () {
      const content = yield* zipOf(5000)
      const host = yield* archiveHost(content)
      const request = { ...dictionary, downloadUrl: host.plain }
      const receipt = yield* ExtensionPublish.publish(request)
      expect(receipt).toMatchObject({
        _tag: "Published",
        way: "download",
        proof: "response",
        updated: ["downloadUrl"]
      })
      expect(yield* only).toMatchObject({ downloadUrl: host.plain })
      expect((yield* only).file?.sha256).toBe(sha256(content))
      expect(yield* ExtensionPublish.publish(request)).toMatchObject({
        _tag: "AlreadyPublished",
        proof: "response"
      })
      expect(host.requests).toHaveLength(1)
    }).pipe(Effect.provide(world()))
  )

  it.scopedLive(
    "is fetched from again where the file may be older than the URL, and where the URL is another",
    () =>
      Effect.gen(function* () {
        const cloud = yield* LocalElasticCloud
        const [one, two] = [yield* archiveHost(yield* zipOf(2000)), yield* archiveHost(yield* zipOf(3000))]
        yield* ExtensionPublish.publish({ ...dictionary, downloadUrl: one.plain })
        const { downloadUrl, id, lastModified, resourceVersion } = yield* only
        const noted = {
          ...{ id, name: "dictionary", url: null, version: "8.*", extension_type: "bundle" },
          download_url: downloadUrl,
          file_metadata: { size: 2000, last_modified_date: "2020-01-01T00:00:00Z" }
        }
        yield* cloud.plan({
          method: "GET",
          path: isUpdate,
          fault: Fault.answer({
            status: 200,
            headers: {
              "content-type": "application/json",
              "x-cloud-resource-version": String(resourceVersion),
              "x-cloud-resource-last-modified": lastModified
            },
            body: JSON.stringify(noted)
          })
        })
        expect(yield* ExtensionPublish.publish({ ...dictionary, downloadUrl: one.plain })).toMatchObject({
          _tag: "Published",
          updated: []
        })
        expect(one.requests).toHaveLength(2)
        expect(yield* ExtensionPublish.publish({ ...dictionary, downloadUrl: two.plain })).toMatchObject({
          _tag: "Published",
          updated: ["downloadUrl"]
        })
        expect(two.requests).toHaveLength(1)
      }).pipe(Effect.provide(world()))
  )
})

describe("a download that outlasts its request", () => {
  it.scopedLive("behind a gateway that answers 504: it is watched to its end", () =>
    Effect.gen(function* () {
      const content = yield* zipOf(5000)
      const ready = yield* Effect.makeLatch(false)
      const host = yield* archiveHost(content, ready.await)
      yield* seed({ version: "7.*", file: yield* zipOf(5000) })
      const { events, find, onEvent, steps } = recordPublishing()
      const receipt = yield* ExtensionPublish.publish({
        ...dictionary,
        archive: archive(content),
        downloadUrl: host.url,
        onEvent: (event) =>
          Effect.zipRight(onEvent(event), event._tag === "DownloadPolled" ? ready.open : Effect.void)
      })
      expect(receipt).toMatchObject({
        _tag: "Published",
        updated: ["version"],
        proof: "hash",
        download: { answered: false, size: content.length }
      })
      const polls = events.filter((event) => event._tag === "DownloadPolled")
      expect(receipt.download?.polls).toBe(polls.length)
      expect(polls.map(({ hasArrived }) => hasArrived)).toEqual([...polls.slice(1).map(() => false), true])
      expect(polls.length).toBeGreaterThan(1)
      expect(find("ReconciliationStarted")).toMatchObject({ value: { reason: "ServiceUnavailable" } })
      expect(steps()).not.toContain("RetryScheduled")
      expect(yield* only).toMatchObject({ version: "8.*", file: { sha256: sha256(content) } })
      expect(yield* changes).toEqual({ creates: 0, updates: 2, uploads: 0 })
      expect(host.requests).toHaveLength(1)
    }).pipe(Effect.provide(largeWorld({ cloud: { downloadPatience: 50 } })))
  )

  const lost: ReadonlyArray<readonly [string, Fault.Fault]> = [
    ["whose connection is cut", Fault.cut("applied")],
    ["that nobody answers in time", Fault.hang("applied")]
  ]
  it.scopedLive.each(lost)("%s", ([, fault]) =>
    Effect.gen(function* () {
      const cloud = yield* LocalElasticCloud
      const content = yield* zipOf(5000)
      const host = yield* archiveHost(content)
      yield* cloud.plan({ method: "POST", path: isUpdate, fault })
      const receipt = yield* ExtensionPublish.publish({
        ...dictionary,
        archive: archive(content),
        downloadUrl: host.url
      })
      expect(receipt).toMatchObject({ _tag: "Published", proof: "hash", download: { answered: false } })
      expect(yield* changes).toEqual({ creates: 1, updates: 2, uploads: 0 })
      expect(host.requests).toHaveLength(1)
    }).pipe(Effect.provide(largeWorld({ http: { responseTimeout: "3 seconds" } })))
  )

  it.scopedLive("and its process: the next run asks again, for the same extension", () =>
    Effect.gen(function* () {
      const cloud = yield* LocalElasticCloud
      const content = yield* zipOf(5000)
      const ready = yield* Effect.makeLatch(false)
      const host = yield* archiveHost(content, ready.await)
      const request = { ...dictionary, archive: archive(content), downloadUrl: host.url }
      const isFetching = yield* Effect.makeLatch(false)
      const fiber = yield* Effect.fork(
        ExtensionPublish.publish({
          ...request,
          onEvent: (event) => (event._tag === "DownloadPolled" ? isFetching.open : Effect.void)
        })
      )
      yield* isFetching.await
      yield* Fiber.interrupt(fiber)
      expect(yield* only).toMatchObject({ file: undefined })
      yield* ready.open
      const receipt = yield* ExtensionPublish.publish(request)
      expect(receipt).toMatchObject({ created: false, proof: "hash" })
      expect((yield* only).file?.sha256).toBe(sha256(content))
      expect((yield* changes).creates).toBe(1)
      yield* cloud.settled
    }).pipe(Effect.provide(largeWorld({ cloud: { downloadPatience: 50 } })))
  )
})

describe("a download that fails", () => {
  it.scopedLive("never ends: says so after the time it was given", () =>
    Effect.gen(function* () {
      const host = yield* archiveHost(yield* zipOf(5000), Effect.never)
      const old = yield* zipOf(4000)
      yield* seed({ version: "8.*", file: old })
      const error = yield* Effect.flip(
        ExtensionPublish.publish({ ...dictionary, downloadUrl: host.url, downloadTimeout: "700 millis" })
      )
      expect(error).toMatchObject({ _tag: "DownloadFailed", reason: "TimedOut", isRetryable: false })
      expect(error.message).toContain("publish again")
      expect(error.message).not.toContain("hush")
      expect((yield* only).file?.sha256).toBe(sha256(old))
    }).pipe(Effect.provide(world({ cloud: { downloadPatience: 50 } })))
  )

  it.scopedLive("brings another archive than the local one: says how it differs", () =>
    Effect.gen(function* () {
      const [content, other] = [yield* zipOf(5000), yield* zipOf(5000)]
      const host = yield* archiveHost(other)
      const request = { ...dictionary, archive: archive(content), downloadUrl: host.url }
      const error = yield* Effect.flip(ExtensionPublish.publish(request))
      expect(error).toMatchObject({ _tag: "DownloadFailed", reason: "Different" })
      expect(error.message).toContain(`its SHA-256 is ${sha256(other)}, expected ${sha256(content)}`)

      const smaller = yield* archiveHost(yield* zipOf(4000))
      const bySize = yield* Effect.flip(
        ExtensionPublish.publish({
          ...request,
          downloadUrl: smaller.url,
          verification: "size",
          preflight: false
        })
      )
      expect(bySize.message).toContain(`expected ${content.length}`)
      expect(yield* only).toMatchObject({ uploads: 0 })
    }).pipe(Effect.provide(largeWorld()))
  )

  it.scopedLive("is refused by the service: its own error, once", () =>
    Effect.gen(function* () {
      const host = yield* archiveHost(Buffer.from("<html>Not found</html>"))
      const error = yield* Effect.flip(
        ExtensionPublish.publish({ ...dictionary, downloadUrl: host.url, preflight: false })
      )
      expect(error).toMatchObject({ _tag: "RequestExecutionFailed", operation: "update" })
      expect(yield* changes).toEqual({ creates: 1, updates: 1, uploads: 0 })
    }).pipe(Effect.provide(world()))
  )

  it.scopedLive("is refused for now: asked for again", () =>
    Effect.gen(function* () {
      const cloud = yield* LocalElasticCloud
      const content = yield* zipOf(5000)
      const host = yield* archiveHost(content)
      yield* cloud.plan({ method: "POST", path: isUpdate, fault: Fault.answer({ status: 503 }) })
      const receipt = yield* ExtensionPublish.publish({ ...dictionary, downloadUrl: host.url })
      expect(receipt).toMatchObject({ download: { answered: true } })
      expect(yield* changes).toEqual({ creates: 1, updates: 3, uploads: 0 })
    }).pipe(Effect.provide(world()))
  )
})

describe("an extension that deployments use", () => {
  it.scopedLive("brings a warning, or a refusal, before the service is told to fetch", () =>
    Effect.gen(function* () {
      const content = yield* zipOf(5000)
      const host = yield* archiveHost(content)
      yield* seed({ version: "8.*", deployments: ["production"] })
      const request = { ...dictionary, downloadUrl: host.url }
      const error = yield* Effect.flip(ExtensionPublish.publish({ ...request, protectInUse: true }))
      expect(error).toMatchObject({ _tag: "ExtensionProtected", deployments: ["production"] })
      expect(host.requests).toEqual([])

      const { find, onEvent } = recordPublishing()
      yield* ExtensionPublish.publish({ ...request, onEvent })
      expect(find("Warning")).toMatchObject({ value: { code: "InUse" } })
      expect((yield* only).file?.sha256).toBe(sha256(content))
    }).pipe(Effect.provide(world()))
  )
})

describe("what is proved", () => {
  it.scopedLive("the size alone where the service gives no link", () =>
    Effect.gen(function* () {
      const content = yield* zipOf(5000)
      const host = yield* archiveHost(content)
      const receipt = yield* ExtensionPublish.publish({
        ...dictionary,
        archive: archive(content),
        downloadUrl: host.url
      })
      expect(receipt.proof).toBe("size")
    }).pipe(Effect.provide(largeWorld({ cloud: { verificationLinks: false } })))
  )

  it.scopedLive("receipts and events hold nothing of the URL but its origin, and survive their schemas", () =>
    Effect.gen(function* () {
      const content = yield* zipOf(5000)
      const host = yield* archiveHost(content)
      const { events, onEvent } = recordPublishing()
      const receipt = yield* ExtensionPublish.publish({
        ...dictionary,
        archive: archive(content),
        downloadUrl: host.url,
        onEvent
      })
      const Receipt = Schema.parseJson(PublishReceipt)
      const text = yield* Schema.encode(Receipt)(receipt)
      expect(yield* Schema.decode(Receipt)(text)).toEqual(receipt)
      const log = yield* Schema.encode(Schema.parseJson(Schema.Array(PublishEvent)))(events)
      expect(text + log).not.toMatch(/hush|signature/)
      expect(JSON.stringify(host.requests)).not.toContain("ApiKey")
    }).pipe(Effect.provide(largeWorld()))
  )
})
