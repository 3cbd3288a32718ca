import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import * as FileSystem from "@effect/platform/FileSystem"
import * as NodeContext from "@effect/platform-node/NodeContext"
import { describe, expect, it } from "@effect/vitest"
import { ConfigProvider, Effect, Layer } from "effect"
import * as Archive from "../../src/archive/Archive.ts"
import * as Fault from "../../src/testing/Fault.ts"
import * as LocalElasticCloud from "../../src/testing/LocalElasticCloud.ts"
import * as ExtensionUpload from "../../src/upload/ExtensionUpload.ts"
import { zipOf } from "../support/upload/archives.ts"
import { apiKey, held, puts, seed, sha256, traffic } from "../support/upload/world.ts"

const Live = LocalElasticCloud.layer().pipe(Layer.provideMerge(NodeContext.layer), Layer.orDie)

const environment = (variables: Record<string, string>) =>
  Layer.setConfigProvider(ConfigProvider.fromMap(new Map(Object.entries(variables))))

/** What has to be set, and a journal folder that goes with the scope. */
const required = Effect.gen(function* () {
  const fs = yield* FileSystem.FileSystem
  const { url } = yield* LocalElasticCloud.LocalElasticCloud
  const folder = yield* fs.makeTempDirectoryScoped({ prefix: "journal-" })
  return { EC_API_KEY: apiKey, EC_ENDPOINT: url, EC_UPLOAD_JOURNAL: folder }
})

describe("ExtensionUpload.layerConfig", () => {
  it.scopedLive("is all that an upload needs", () =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const variables = yield* required
      const content = yield* zipOf(2000)
      const id = yield* seed()
      const recordsWhileSending: Array<string> = []
      const receipt = yield* ExtensionUpload.upload({
        extensionId: id,
        archive: Archive.bytes({ name: "a.zip", bytes: content }),
        onEvent: ({ _tag }) =>
          _tag === "SendingStarted"
            ? Effect.map(Effect.orDie(fs.readDirectory(variables.EC_UPLOAD_JOURNAL)), (files) => {
                recordsWhileSending.push(...files.filter((file) => file.endsWith(".json")))
              })
            : Effect.void
      }).pipe(Effect.provide(ExtensionUpload.layerConfig), Effect.provide(environment(variables)))
      expect(receipt).toMatchObject({ _tag: "Uploaded", proof: "hash" })
      expect(recordsWhileSending).toHaveLength(1)
      expect(yield* fs.readDirectory(variables.EC_UPLOAD_JOURNAL)).toEqual([])
      expect((yield* held(id)).sha256).toBe(sha256(content))
    }).pipe(Effect.provide(Live))
  )

  it.scopedLive("hands every setting on", () =>
    Effect.gen(function* () {
      const variables = {
        ...(yield* required),
        EC_UPLOAD_CONTENT_TYPE: "multipart",
        EC_UPLOAD_VERIFICATION: "size",
        EC_UPLOAD_RESUMABLE: "never",
        EC_UPLOAD_RETRIES: "1",
        EC_UPLOAD_RETRY_BASE_DELAY: "1 millis",
        EC_UPLOAD_RECONCILE_WINDOW: "10 millis",
        EC_UPLOAD_EXPECT_THRESHOLD: "1000"
      }
      const id = yield* seed()
      yield* (yield* LocalElasticCloud.LocalElasticCloud).plan({
        method: "PUT",
        times: 9,
        fault: Fault.answer({ status: 503 })
      })
      const archive = Archive.bytes({ name: "a.zip", bytes: yield* zipOf(2000) })
      const layers = Layer.provide(ExtensionUpload.layerConfig, environment(variables))
      const upload = ExtensionUpload.upload({ extensionId: id, archive }).pipe(Effect.provide(layers))
      expect(yield* Effect.flip(upload)).toMatchObject({ _tag: "ServiceUnavailable" })
      expect(yield* puts).toHaveLength(2)

      yield* (yield* LocalElasticCloud.LocalElasticCloud).clearPlan
      yield* (yield* LocalElasticCloud.LocalElasticCloud).clearRequests
      expect(yield* upload).toMatchObject({ _tag: "Uploaded", proof: "size" })
      const [put] = yield* puts
      expect(put?.headers).toMatchObject({
        "content-type": expect.stringMatching(/^multipart\/form-data/),
        expect: "100-continue"
      })
      expect(put?.headers["upload-complete"]).toBeUndefined()
      expect((yield* traffic).filter((line) => line.startsWith("LINK"))).toEqual([])
    }).pipe(Effect.provide(Live))
  )

  it.scopedLive("gives way to what a call says itself", () =>
    Effect.gen(function* () {
      const variables = {
        ...(yield* required),
        EC_UPLOAD_VERIFICATION: "size",
        EC_UPLOAD_CONTENT_TYPE: "multipart"
      }
      const receipt = yield* ExtensionUpload.upload({
        extensionId: yield* seed(),
        archive: Archive.bytes({ name: "a.zip", bytes: yield* zipOf(2000) }),
        verification: "hash",
        // What a caller without `exactOptionalPropertyTypes` may well write.
        ...Object.fromEntries([["contentType", undefined]])
      }).pipe(Effect.provide(ExtensionUpload.layerConfig), Effect.provide(environment(variables)))
      expect(receipt.proof).toBe("hash")
      expect((yield* puts)[0]?.headers["content-type"]).toMatch(/^multipart/)
    }).pipe(Effect.provide(Live))
  )

  it.scopedLive.each([
    ["EC_API_KEY", "", "EC_API_KEY"],
    ["EC_ENDPOINT", "http://api.example.com", "EC_ALLOW_INSECURE_HTTP"],
    ["EC_UPLOAD_RETRIES", "-1", "EC_UPLOAD_RETRIES"],
    ["EC_UPLOAD_BANDWIDTH", "0", "EC_UPLOAD_BANDWIDTH"],
    ["EC_UPLOAD_VERIFICATION", "none", "EC_UPLOAD_VERIFICATION"]
  ] as const)("refuses %s=%s before anything is asked", ([name, value, message]) =>
    Effect.gen(function* () {
      const variables = { ...(yield* required), [name]: value }
      const error = yield* Effect.flip(
        Layer.build(Layer.provide(ExtensionUpload.layerConfig, environment(variables)))
      )
      expect(String(error)).toContain(message)
      expect(String(error)).not.toContain(apiKey)
      expect(yield* traffic).toEqual([])
    }).pipe(Effect.provide(Live))
  )

  it.scopedLive("needs a folder for its journal, or one to derive it from", () =>
    Effect.gen(function* () {
      const { EC_UPLOAD_JOURNAL: _, ...variables } = yield* required
      const layers = Layer.provide(ExtensionUpload.layerConfig, environment(variables))
      expect(String(yield* Effect.flip(Layer.build(layers)))).toContain("set EC_UPLOAD_JOURNAL")
    }).pipe(Effect.provide(Live))
  )
})

describe("ExtensionUpload.layerConfigWithoutHttpClient", () => {
  it.scopedLive("leaves the client to choose", () =>
    Effect.gen(function* () {
      const content = yield* zipOf(2000)
      const id = yield* seed()
      const layers = ExtensionUpload.layerConfigWithoutHttpClient.pipe(
        Layer.provide(FetchHttpClient.layer),
        Layer.provide(environment(yield* required))
      )
      const archive = Archive.bytes({ name: "a.zip", bytes: content })
      const receipt = yield* ExtensionUpload.upload({ extensionId: id, archive }).pipe(Effect.provide(layers))
      expect(receipt).toMatchObject({ _tag: "Uploaded", proof: "hash" })
      expect((yield* held(id)).sha256).toBe(sha256(content))
    }).pipe(Effect.provide(Live))
  )
})
