/**
 * How an application tests what it builds on the library: against `LocalElasticCloud`, a server that fails on demand.
 * Nothing leaves this machine, and each test asserts what the server received.
 */
import { FileSystem, Path } from "@effect/platform"
import { NodeContext } from "@effect/platform-node"
import { describe, expect, it } from "@effect/vitest"
import { Effect, Either, Layer, Logger, LogLevel } from "effect"
import { ExtensionUpload, Fault, LocalElasticCloud } from "effect-elastic-extensions"
import * as Dictionaries from "./dictionaries.ts"
import { buildBundle } from "./support/bundle.ts"

/** The service, with the library pointed at a stand-in of its own, and without its logs. */
const Test = Dictionaries.layer.pipe(
  Layer.provide(ExtensionUpload.layerConfig),
  Layer.provideMerge(
    Layer.mergeAll(LocalElasticCloud.layerTest(), NodeContext.layer, Logger.minimumLogLevel(LogLevel.None))
  )
)

/** A folder with one archive for each name; every archive holds a dictionary of its own. */
const folderOf = (...names: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const path = yield* Path.Path
    const folder = yield* fs.makeTempDirectoryScoped({ prefix: "dictionaries-" })
    const words = path.join(folder, "words.dic")
    for (const name of names) {
      yield* fs.writeFileString(words, `1\n${name}\n`)
      yield* buildBundle(path.join(folder, `${name}.zip`), [
        { file: words, entry: `hunspell/${name}/words.dic` }
      ])
    }
    return folder
  })

/** Whether each upload arrived completely, and the status of its answer. */
const uploads = Effect.gen(function* () {
  const cloud = yield* LocalElasticCloud.LocalElasticCloud
  yield* cloud.settled
  return (yield* cloud.requests)
    .filter(({ method }) => method === "PUT")
    .map(({ complete, status }) => ({ complete, status }))
})

describe("Dictionaries", () => {
  it.scopedLive("publishes each archive once, and leaves it alone the second time", () =>
    Effect.gen(function* () {
      const dictionaries = yield* Dictionaries.Dictionaries
      const cloud = yield* LocalElasticCloud.LocalElasticCloud
      const folder = yield* folderOf("en_GB", "pt_BR")
      expect(yield* dictionaries.publish(`${folder}/en_GB.zip`)).toBe("published")
      const results = yield* dictionaries.publishAll(folder)
      expect(results).toEqual([Either.right("en_GB.zip"), Either.right("pt_BR.zip")])
      expect(yield* dictionaries.publish(`${folder}/en_GB.zip`)).toBe("unchanged")
      expect((yield* cloud.extensions).map(({ name }) => name).sort()).toEqual(["en_GB", "pt_BR"])
      expect(yield* uploads).toEqual([
        { complete: true, status: 200 },
        { complete: true, status: 200 }
      ])
    }).pipe(Effect.provide(Test))
  )

  it.scopedLive("survives a lost connection", () =>
    Effect.gen(function* () {
      const dictionaries = yield* Dictionaries.Dictionaries
      const cloud = yield* LocalElasticCloud.LocalElasticCloud
      yield* cloud.plan({ method: "PUT", fault: Fault.cut("body") })
      const folder = yield* folderOf("en_GB")
      expect(yield* dictionaries.publish(`${folder}/en_GB.zip`)).toBe("published")
      expect((yield* uploads).map(({ status }) => status)).toEqual([undefined, 200])
    }).pipe(Effect.provide(Test))
  )

  it.scopedLive("says which dictionary failed, and publishes the others", () =>
    Effect.gen(function* () {
      const dictionaries = yield* Dictionaries.Dictionaries
      const fs = yield* FileSystem.FileSystem
      const folder = yield* folderOf("en_GB")
      yield* fs.writeFileString(`${folder}/broken.zip`, "not a ZIP archive")
      const results = yield* dictionaries.publishAll(folder)
      expect(results.filter(Either.isLeft).map(({ left }) => left)).toMatchObject([
        { name: "broken", isTransient: false }
      ])
      expect(results.filter(Either.isRight).map(({ right }) => right)).toEqual(["en_GB.zip"])
      expect(yield* uploads).toEqual([{ complete: true, status: 200 }])
    }).pipe(Effect.provide(Test))
  )
})
