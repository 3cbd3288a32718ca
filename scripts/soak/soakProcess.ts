/** One runtime's part of the soak: uploads without a pause, and at the end what is left of them in this process. */
import { createHash, randomBytes } from "node:crypto"
import { readdirSync, readlinkSync } from "node:fs"
import process from "node:process"
import * as NodeContext from "@effect/platform-node/NodeContext"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Clock, Config, Console, Effect, Either, Layer } from "effect"
import { zipSync } from "fflate"
import { Archive, ExtensionUpload, UploadJournal } from "../../src/index.ts"
import type { Ended, Usage } from "./report.ts"

const settings = Config.all({
  seconds: Config.number("SOAK_SECONDS"),
  extensions: Config.array(Config.string(), "SOAK_EXTENSIONS")
})

const tell = (line: Ended | Usage) => Console.log(JSON.stringify(line))

/** Linux lists what a process has open; other systems are not asked. */
const openFiles = (): ReadonlyArray<string> =>
  readdirSync("/proc/self/fd").flatMap((name) => {
    try {
      return [readlinkSync(`/proc/self/fd/${name}`)]
    } catch {
      // It was the one that this list was read through.
      return []
    }
  })

const collectGarbage = Effect.sync(() => {
  if ("Bun" in globalThis) (globalThis as unknown as { Bun: { gc: (sync: boolean) => void } }).Bun.gc(true)
  else if ("gc" in globalThis && typeof globalThis.gc === "function") globalThis.gc()
})

const usage = (_tag: Usage["_tag"]): Effect.Effect<Usage> =>
  collectGarbage.pipe(
    Effect.map(() => {
      const files = openFiles()
      const { heapUsed, rss } = process.memoryUsage()
      return {
        _tag,
        descriptors: files.length,
        sockets: files.filter((file) => file.startsWith("socket:")).length,
        listeners: process.eventNames().reduce((sum, name) => sum + process.listenerCount(name), 0),
        heapBytes: heapUsed,
        residentBytes: rss
      }
    })
  )

const oneUpload = (extensionId: string) =>
  Effect.gen(function* () {
    const bytes = zipSync({
      "dictionaries/words.dic": [randomBytes(5_000 + (Date.now() % 60_000)), { level: 0 }]
    })
    const sha256 = createHash("sha256").update(bytes).digest("hex")
    const result = yield* ExtensionUpload.upload({
      extensionId,
      archive: Archive.bytes({ name: "words.zip", bytes })
    }).pipe(
      Effect.either,
      Effect.catchAllDefect((defect) => Effect.succeed(Either.left({ _tag: `Defect: ${String(defect)}` })))
    )
    yield* tell({
      _tag: "Ended",
      extensionId,
      sha256,
      result: Either.match(result, { onLeft: ({ _tag }) => _tag, onRight: ({ _tag }) => _tag }),
      proof: Either.match(result, { onLeft: () => null, onRight: ({ proof }) => proof })
    })
  })

const program = Effect.gen(function* () {
  const { extensions, seconds } = yield* settings
  const end = (yield* Clock.currentTimeMillis) + seconds * 1000
  const untilTheEnd = (extensionId: string) =>
    Effect.repeat(oneUpload(extensionId), {
      until: () => Effect.map(Clock.currentTimeMillis, (now) => now >= end)
    })
  const work = (ids: ReadonlyArray<string>, each: (id: string) => Effect.Effect<void, never, Services>) =>
    Effect.forEach(ids, each, { concurrency: "unbounded", discard: true }).pipe(
      Effect.provide(Layer.merge(ExtensionUpload.layerConfig, UploadJournal.layerMemory))
    )
  // What is loaded once, and kept, is no leak.
  yield* work(extensions.slice(0, 20), (id) => oneUpload(id))
  yield* tell(yield* usage("Before"))
  yield* work(extensions, (id) => Effect.asVoid(untilTheEnd(id)))
  // Sockets that are closed leave with the events that follow.
  yield* Effect.sleep("2 seconds")
  yield* tell(yield* usage("After"))
})

type Services = Effect.Effect.Context<ReturnType<typeof oneUpload>>

NodeRuntime.runMain(Effect.provide(program, NodeContext.layer))
