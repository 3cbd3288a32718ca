import { describe, expect, it } from "@effect/vitest"
import { Effect, Schema, Struct } from "effect"
import * as Archive from "../../src/archive/Archive.ts"
import * as ExtensionPublish from "../../src/publish/ExtensionPublish.ts"
import { PublishEvent } from "../../src/publish/PublishEvent.ts"
import { PublishReceipt } from "../../src/publish/PublishReceipt.ts"
import { LocalElasticCloud } from "../../src/testing/LocalElasticCloud.ts"
import { classic, descriptor, jar, zip } from "../support/archive/zip.ts"
import { changes, only, recordPublishing, stored } from "../support/publish/publishing.ts"
import { zipOf } from "../support/upload/archives.ts"
import { apiKey, journaled, seed, sha256, traffic, world } from "../support/upload/world.ts"

const bundle = (content: Uint8Array) =>
  ({
    name: "dictionary",
    type: "bundle",
    version: "8.*",
    archive: Archive.bytes({ name: "words.zip", bytes: content })
  }) as const

const plugin = (elasticsearch: string) => {
  const content = zip([classic(descriptor({ "elasticsearch.version": elasticsearch })), jar])
  return {
    content,
    request: {
      name: "analysis-acme",
      type: "plugin",
      version: elasticsearch,
      archive: Archive.bytes({ name: "acme.zip", bytes: content })
    } as const
  }
}

describe("a name that nobody has", () => {
  it.live("is created, filled and proved", () =>
    Effect.gen(function* () {
      const content = yield* zipOf(5000)
      const { onEvent, steps } = recordPublishing()
      const receipt = yield* ExtensionPublish.publish({ ...bundle(content), description: "Words", onEvent })
      const { id, ...extension } = yield* only
      expect(extension).toMatchObject({
        name: "dictionary",
        type: "bundle",
        version: "8.*",
        description: "Words",
        downloadUrl: undefined,
        uploads: 1,
        file: { sha256: sha256(content) }
      })
      expect(receipt).toMatchObject({
        _tag: "Published",
        extensionId: id,
        created: true,
        updated: [],
        way: "upload",
        proof: "hash",
        upload: { _tag: "Uploaded", attempts: 1 }
      })
      expect(yield* traffic).toEqual([
        "GET 200",
        "POST 201",
        "GET 200",
        "GET 200",
        `PUT ${content.length}/${content.length} whole 200`,
        "GET 200",
        "LINK 200"
      ])
      expect(steps()).toEqual([
        "ExtensionCreated",
        "ArchiveInspected",
        "DigestStarted",
        "DigestComputed",
        "AttemptStarted",
        "SendingStarted",
        "VerificationStarted",
        "Verified",
        "Completed"
      ])
      expect(yield* journaled).toEqual([])
    }).pipe(Effect.provide(world()))
  )

  it.live("is taken neither for the other type's nor for another owner's", () =>
    Effect.gen(function* () {
      const content = yield* zipOf(1000)
      yield* seed({ name: "dictionary", extension_type: "plugin", version: "8.17.0" })
      yield* seed({ name: "dictionary", owner: "somebody-else" })
      yield* seed({ name: "Dictionary" })
      const receipt = yield* ExtensionPublish.publish(bundle(content))
      expect(receipt).toMatchObject({ _tag: "Published", created: true })
      expect((yield* stored).filter(({ sha256 }) => sha256 !== undefined)).toHaveLength(1)
    }).pipe(Effect.provide(world()))
  )
})

describe("the same again", () => {
  it.live("sends no POST and no PUT, and says so", () =>
    Effect.gen(function* () {
      const cloud = yield* LocalElasticCloud
      const request = { ...bundle(yield* zipOf(5000)), description: "Words" }
      const first = yield* ExtensionPublish.publish(request)
      const before = yield* only
      yield* cloud.clearRequests
      const { onEvent, steps } = recordPublishing()
      const again = yield* ExtensionPublish.publish({ ...request, onEvent })
      expect(again).toMatchObject({
        _tag: "AlreadyPublished",
        extensionId: first.extensionId,
        created: false,
        updated: [],
        proof: "hash",
        upload: { _tag: "AlreadyCurrent", bytesSent: 0 }
      })
      expect(yield* traffic).toEqual(["GET 200", "GET 200", "LINK 200"])
      expect(steps()[0]).toBe("ExtensionFound")
      expect(yield* only).toEqual(before)
    }).pipe(Effect.provide(world()))
  )

  it.live("leaves a description alone that it does not speak of, and takes an empty one for none", () =>
    Effect.gen(function* () {
      const content = yield* zipOf(1000)
      yield* seed({ version: "8.*", description: "Theirs", file: content })
      expect(yield* ExtensionPublish.publish(bundle(content))).toMatchObject({ _tag: "AlreadyPublished" })
      expect((yield* only).description).toBe("Theirs")

      const undescribed = yield* ExtensionPublish.publish({ ...bundle(content), description: "" })
      expect(undescribed.updated).toEqual(["description"])
      const again = yield* ExtensionPublish.publish({ ...bundle(content), description: "" })
      expect(again._tag).toBe("AlreadyPublished")
    }).pipe(Effect.provide(world()))
  )
})

describe("what differs, and only that, is changed", () => {
  it.live("the description alone: one update, no upload, and the version is sent as it was", () =>
    Effect.gen(function* () {
      const content = yield* zipOf(1000)
      yield* seed({ version: "8.*", description: "Old", file: content })
      const { find, onEvent } = recordPublishing()
      const receipt = yield* ExtensionPublish.publish({ ...bundle(content), description: "New", onEvent })
      expect(receipt).toMatchObject({ _tag: "Published", created: false, updated: ["description"] })
      expect(find("MetadataUpdated")).toMatchObject({ value: { fields: ["description"] } })
      expect(yield* only).toMatchObject({ version: "8.*", description: "New", uploads: 0 })
      expect(yield* changes).toEqual({ creates: 0, updates: 1, uploads: 0 })
    }).pipe(Effect.provide(world()))
  )

  it.live("the file alone: one upload, no update", () =>
    Effect.gen(function* () {
      const content = yield* zipOf(1000)
      yield* seed({ version: "8.*", description: "Words", file: yield* zipOf(1000) })
      const receipt = yield* ExtensionPublish.publish({ ...bundle(content), description: "Words" })
      expect(receipt).toMatchObject({ _tag: "Published", updated: [], upload: { _tag: "Uploaded" } })
      expect((yield* only).file?.sha256).toBe(sha256(content))
      expect(yield* changes).toEqual({ creates: 0, updates: 0, uploads: 1 })
    }).pipe(Effect.provide(world()))
  )

  it.live("a plugin for the next version of Elasticsearch: the metadata before the file", () =>
    Effect.gen(function* () {
      const cloud = yield* LocalElasticCloud
      const [old, next] = [plugin("8.17.0"), plugin("8.18.0")]
      yield* ExtensionPublish.publish(old.request)
      yield* cloud.clearRequests
      const receipt = yield* ExtensionPublish.publish({ ...next.request, description: "Acme" })
      expect(receipt).toMatchObject({ _tag: "Published", updated: ["version", "description"] })
      expect((yield* traffic).filter((line) => /^(POST|PUT)/.test(line))).toEqual([
        "POST 200",
        `PUT ${next.content.length}/${next.content.length} whole 200`
      ])
      expect(yield* only).toMatchObject({ version: "8.18.0", file: { sha256: sha256(next.content) } })
    }).pipe(Effect.provide(world()))
  )
})

describe("nothing is sent that cannot be right", () => {
  const refused: ReadonlyArray<readonly [string, Partial<ExtensionPublish.PublishOptions>, string]> = [
    ["a name with a space", { name: "my dictionary" }, "name: Extension names hold ASCII letters"],
    ["an empty name", { name: "" }, "name: Extension names hold ASCII letters"],
    ["no version", { version: "latest" }, "version: The version of a bundle"],
    ["a pattern for a plugin", { type: "plugin", version: "8.*" }, "version: A plugin fits exactly one"]
  ]
  it.live.each(refused)("%s", ([, options, message]) =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(
        ExtensionPublish.publish({ ...bundle(yield* zipOf(1000)), ...options })
      )
      expect(error).toMatchObject({ _tag: "InvalidRequest", message: expect.stringContaining(message) })
      expect(yield* traffic).toEqual([])
    }).pipe(Effect.provide(world()))
  )

  it.live("a download URL that is none", () =>
    Effect.gen(function* () {
      const downloadUrl = "ftp://user:hush@example.org/a.zip"
      const error = yield* Effect.flip(
        ExtensionPublish.publish({ name: "dictionary", type: "bundle", version: "*", downloadUrl })
      )
      expect(error).toMatchObject({ _tag: "InvalidRequest" })
      expect(error.message).not.toContain("hush")
      expect(yield* traffic).toEqual([])
    }).pipe(Effect.provide(world()))
  )

  const unsound: ReadonlyArray<readonly [string, Uint8Array, string]> = [
    ["something other than a ZIP", Buffer.from("no archive at all"), "not-a-zip"],
    ["a plugin as a bundle", plugin("8.17.0").content, "type-mismatch"]
  ]
  it.live.each(unsound)("%s", ([, content, code]) =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(ExtensionPublish.publish(bundle(content)))
      expect(error).toMatchObject({ _tag: "InvalidArchive", message: expect.stringContaining(code) })
      expect(yield* traffic).toEqual([])
    }).pipe(Effect.provide(world()))
  )

  it.live("a plugin built for another Elasticsearch, unless that is allowed by name", () =>
    Effect.gen(function* () {
      const { request } = plugin("8.17.0")
      const error = yield* Effect.flip(ExtensionPublish.publish({ ...request, version: "8.18.0" }))
      expect(error).toMatchObject({
        _tag: "InvalidArchive",
        message: expect.stringContaining("version-mismatch")
      })
      expect(yield* traffic).toEqual([])
      const allowed = yield* ExtensionPublish.publish({
        ...request,
        version: "8.18.0",
        allow: ["version-mismatch"]
      })
      expect(allowed).toMatchObject({ _tag: "Published", version: "8.18.0" })
    }).pipe(Effect.provide(world()))
  )

  it.live("an archive that is not there", () =>
    Effect.gen(function* () {
      const archive = Archive.file("/nowhere/at/all.zip")
      const error = yield* Effect.flip(ExtensionPublish.publish({ ...bundle(yield* zipOf(10)), archive }))
      expect(error).toMatchObject({ _tag: "ArchiveUnreadable", reason: "NotFound" })
      expect(yield* traffic).toEqual([])
    }).pipe(Effect.provide(world()))
  )
})

describe("a name that several have", () => {
  it.live("is an error that lists them, and changes none", () =>
    Effect.gen(function* () {
      const file = yield* zipOf(1000)
      yield* seed({ id: "one", file })
      yield* seed({ id: "two" })
      const error = yield* Effect.flip(ExtensionPublish.publish(bundle(yield* zipOf(1000))))
      expect(error).toMatchObject({
        _tag: "AmbiguousExtension",
        name: "dictionary",
        type: "bundle",
        ids: ["one", "two"],
        emptyIds: ["two"],
        isRetryable: false
      })
      expect(error.message).toContain('"one", "two". Without a file: "two".')
      expect(error.message).toContain("Upload to one of them by its id")
      expect(yield* traffic).toEqual(["GET 200"])
    }).pipe(Effect.provide(world()))
  )
})

describe("an extension that deployments use", () => {
  it.live("keeps version and file when it is protected", () =>
    Effect.gen(function* () {
      const [old, next] = [plugin("8.17.0"), plugin("8.18.0")]
      yield* seed({
        name: "analysis-acme",
        extension_type: "plugin",
        version: "8.17.0",
        file: old.content,
        deployments: ["production"]
      })
      const error = yield* Effect.flip(ExtensionPublish.publish({ ...next.request, protectInUse: true }))
      expect(error).toMatchObject({ _tag: "ExtensionProtected", deployments: ["production"] })
      expect(yield* only).toMatchObject({ version: "8.17.0", resourceVersion: 1 })
      expect(yield* changes).toEqual({ creates: 0, updates: 0, uploads: 0 })
      const described = { ...old.request, description: "Words", protectInUse: true }
      expect(yield* ExtensionPublish.publish(described)).toMatchObject({
        _tag: "Published",
        updated: ["description"]
      })
    }).pipe(Effect.provide(world()))
  )
})

describe("receipts and events", () => {
  it.live("survive their own schemas, and hold no secret", () =>
    Effect.gen(function* () {
      const { events, onEvent } = recordPublishing()
      const request = { ...bundle(yield* zipOf(5000)), onEvent }
      const receipts = [yield* ExtensionPublish.publish(request), yield* ExtensionPublish.publish(request)]
      expect(receipts.map(({ _tag }) => _tag)).toEqual(["Published", "AlreadyPublished"])

      const receiptsJson = Schema.parseJson(Schema.Array(PublishReceipt))
      const receiptsText = yield* Schema.encode(receiptsJson)(receipts)
      expect(yield* Schema.decode(receiptsJson)(receiptsText)).toEqual(receipts)

      const eventsJson = Schema.parseJson(Schema.Array(PublishEvent))
      const eventsText = yield* Schema.encode(eventsJson)(events)
      expect((yield* Schema.decode(eventsJson)(eventsText)).map(Struct.get("_tag"))).toEqual(
        events.map(Struct.get("_tag"))
      )
      expect(receiptsText + eventsText).not.toMatch(new RegExp(`${apiKey}|signature|/files/`))
    }).pipe(Effect.provide(world()))
  )
})
