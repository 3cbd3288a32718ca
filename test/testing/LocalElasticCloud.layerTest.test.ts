/** The one line that an application's test needs. What runs here is an application: it reads the environment. */
import * as Fs from "node:fs"
import { NodeContext } from "@effect/platform-node"
import { describe, expect, it, layer } from "@effect/vitest"
import { Config, ConfigProvider, Duration, Effect, Layer, Option } from "effect"
import { Archive, ExtensionUpload, Fault, LocalElasticCloud } from "../../src/index.ts"
import { bigZip, withCloud } from "../support/testing/server.ts"

const Test = ExtensionUpload.layerConfig.pipe(
  Layer.provideMerge(Layer.merge(LocalElasticCloud.layerTest(), NodeContext.layer))
)

layer(Test, { excludeTestServices: true })("an application that reads the environment", (it) => {
  it.effect("uploads to the stand-in, and recovers from a lost connection in less than a second", () =>
    Effect.gen(function* () {
      const cloud = yield* LocalElasticCloud.LocalElasticCloud
      const { id } = yield* cloud.seed({ name: "dictionaries", extension_type: "bundle", version: "*" })
      yield* cloud.plan({ method: "PUT", fault: Fault.cut({ afterBodyBytes: 4096 }) })
      const bytes = yield* bigZip(20_000)
      const archive = Archive.bytes({ name: "dictionaries.zip", bytes })
      const [elapsed, receipt] = yield* Effect.timed(ExtensionUpload.upload({ extensionId: id, archive }))
      expect(receipt).toMatchObject({ _tag: "Uploaded", proof: "hash", attempts: 2 })
      const puts = (yield* cloud.requests).filter(({ method }) => method === "PUT")
      expect(puts.map(({ bodyBytes, complete }) => ({ bodyBytes, complete }))).toStrictEqual([
        { bodyBytes: 4096, complete: false },
        { bodyBytes: bytes.length, complete: true }
      ])
      // Waiting is at most the watched 100 ms and one delay of 20 ms: the rest is this machine's.
      expect(Duration.toMillis(elapsed)).toBeLessThan(5000)
    })
  )
})

const read = Config.all({
  endpoint: Config.string("EC_ENDPOINT"),
  key: Config.string("EC_API_KEY"),
  journal: Config.string("EC_UPLOAD_JOURNAL"),
  window: Config.duration("EC_UPLOAD_RECONCILE_WINDOW"),
  other: Config.option(Config.string("OTHER"))
})

const ambient = Layer.setConfigProvider(
  ConfigProvider.fromMap(
    new Map([
      ["EC_ENDPOINT", "https://api.elastic-cloud.com"],
      ["EC_API_KEY", "a real key"],
      ["EC_UPLOAD_JOURNAL", "/var/journal"],
      ["OTHER", "theirs"]
    ])
  )
)

describe("the variables", () => {
  it.effect("go before the ambient ones, which still say everything else", () =>
    Effect.gen(function* () {
      const cloud = yield* LocalElasticCloud.LocalElasticCloud
      const { endpoint, journal, key, other } = yield* read
      expect({ EC_ENDPOINT: endpoint, EC_API_KEY: key }).toStrictEqual(cloud.variables)
      expect(endpoint).toBe(cloud.url)
      expect(key).toBe("my-key")
      expect(journal).not.toBe("/var/journal")
      expect(other).toStrictEqual(Option.some("theirs"))
    }).pipe(
      Effect.provide(
        LocalElasticCloud.layerTest({
          accounts: [
            { apiKey: "nobody", owner: undefined },
            { apiKey: "my-key", owner: "me" }
          ]
        })
      ),
      Effect.provide(ambient)
    )
  )

  it.effect("can be set otherwise, and others beside them", () =>
    Effect.gen(function* () {
      const { other, window } = yield* read
      expect(Duration.toMillis(window)).toBe(3000)
      expect(other).toStrictEqual(Option.some("mine"))
    }).pipe(
      Effect.provide(
        LocalElasticCloud.layerTest({ variables: { EC_UPLOAD_RECONCILE_WINDOW: "3 seconds", OTHER: "mine" } })
      ),
      Effect.provide(ambient)
    )
  )

  it.effect("point at a stand-in that is there already", () =>
    Effect.gen(function* () {
      const cloud = yield* LocalElasticCloud.LocalElasticCloud
      const { endpoint, other } = yield* Effect.provide(read, LocalElasticCloud.layerConfigProvider)
      expect(endpoint).toBe(cloud.url)
      expect(other).toStrictEqual(Option.none())
    }).pipe(withCloud())
  )

  it.effect("name a journal that goes with the stand-in", () =>
    Effect.gen(function* () {
      const { journal } = yield* Effect.provide(read, LocalElasticCloud.layerTest())
      expect(Fs.existsSync(journal)).toBe(false)
      const exists = Effect.map(read, ({ journal }) => Fs.existsSync(journal))
      expect(yield* Effect.provide(exists, LocalElasticCloud.layerTest())).toBe(true)
    })
  )
})
