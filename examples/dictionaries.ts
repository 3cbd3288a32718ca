/**
 * An application's own service over the library: it keeps the dictionaries of a folder up to date on Elastic Cloud.
 * `examples/dictionaries.test.ts` shows how such a service is tested.
 *
 * `npx tsx examples/dictionaries.ts <folder>` publishes every ZIP archive in the folder as a bundle of that name.
 */
import { basename } from "node:path"
import { FileSystem, Path } from "@effect/platform"
import { NodeContext, NodeRuntime } from "@effect/platform-node"
import { Config, Context, Effect, Either, Layer, Schema } from "effect"
import {
  Archive,
  ElasticCloudConfig,
  ExtensionPublish,
  ExtensionsClient,
  ExtensionUpload,
  type PublishEvent,
  RetryPolicy,
  UploadHttpClient,
  UploadJournal
} from "effect-elastic-extensions"

/** What the rest of the application sees of a failure: the dictionary, and whether to try again later. */
export class DictionaryFailed extends Schema.TaggedError<DictionaryFailed>()("DictionaryFailed", {
  name: Schema.String,
  reason: Schema.String,
  isTransient: Schema.Boolean
}) {
  override get message(): string {
    return `${this.name}: ${this.reason}`
  }
}

export class Dictionaries extends Context.Tag("app/Dictionaries")<
  Dictionaries,
  {
    /** Publishes one archive under the name of its file. */
    readonly publish: (path: string) => Effect.Effect<"published" | "unchanged", DictionaryFailed>
    /** Publishes every archive in a folder, two at a time; one that fails does not stop the others. */
    readonly publishAll: (
      folder: string
    ) => Effect.Effect<ReadonlyArray<Either.Either<string, DictionaryFailed>>>
    /** Resumes the uploads that an earlier process did not finish; returns how many are complete now. */
    readonly resume: Effect.Effect<number>
  }
>() {}

const log = (event: PublishEvent.PublishEvent) => {
  switch (event._tag) {
    case "RetryScheduled":
    case "Warning":
      return Effect.logWarning(event.message)
    case "ExtensionCreated":
    case "Verified":
      return Effect.logInfo(event._tag)
    default:
      return Effect.logDebug(event._tag)
  }
}

const make = Effect.gen(function* () {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const context = yield* Effect.context<ExtensionsClient.ExtensionsClient | UploadJournal.UploadJournal>()

  const publish = Effect.fn("Dictionaries.publish")(
    function* (file: string) {
      const receipt = yield* ExtensionPublish.publish({
        name: basename(file, ".zip"),
        type: "bundle",
        version: "*",
        archive: Archive.file(file),
        onEvent: log
      })
      return receipt._tag === "Published" ? "published" : "unchanged"
    },
    (effect, file) =>
      effect.pipe(
        Effect.mapError(
          ({ isRetryable, message }) =>
            new DictionaryFailed({ name: basename(file, ".zip"), reason: message, isTransient: isRetryable })
        ),
        Effect.annotateLogs("dictionary", basename(file, ".zip")),
        Effect.provide(context),
        Effect.provideService(FileSystem.FileSystem, fs)
      )
  )

  const publishAll = Effect.fn("Dictionaries.publishAll")(function* (folder: string) {
    const files = (yield* Effect.orDie(fs.readDirectory(folder))).filter((name) => name.endsWith(".zip"))
    return yield* Effect.forEach(
      files.sort(),
      (name) => Effect.either(Effect.as(publish(path.join(folder, name)), name)),
      { concurrency: 2 }
    )
  })

  const resume = ExtensionUpload.resumePending().pipe(
    Effect.map((results) => results.filter(({ result }) => Either.isRight(result)).length),
    Effect.tapError(({ message }) => Effect.logWarning(message)),
    Effect.orElseSucceed(() => 0),
    Effect.provide(context),
    Effect.provideService(FileSystem.FileSystem, fs)
  )

  return Dictionaries.of({ publish, publishAll, resume })
})

/** Needs the services of the library, so that a test can provide others. */
export const layer = Layer.effect(Dictionaries, make)

/** The application keeps its key under a name of its own, and its uploads below 5 MB a second. */
const Uploads = Layer.mergeAll(
  ExtensionsClient.layer.pipe(
    Layer.provide(UploadHttpClient.layer({ bandwidth: 5_000_000 })),
    Layer.provide(
      Layer.unwrapEffect(
        Effect.map(
          Config.all({
            apiKey: Config.redacted("DICTIONARIES_API_KEY"),
            endpoint: Config.withDefault(
              Config.string("DICTIONARIES_ENDPOINT"),
              "https://api.elastic-cloud.com"
            )
          }),
          ElasticCloudConfig.layer
        )
      )
    )
  ),
  Layer.unwrapEffect(
    Effect.map(
      Config.withDefault(Config.string("DICTIONARIES_JOURNAL"), "state/uploads"),
      UploadJournal.layerFileSystem
    )
  ),
  RetryPolicy.layer({ maxRetries: 5, deadline: "30 minutes" })
)

const main = Effect.gen(function* () {
  const [folder = "."] = process.argv.slice(2)
  const dictionaries = yield* Dictionaries
  yield* dictionaries.resume
  const results = yield* dictionaries.publishAll(folder)
  yield* Effect.forEach(results, Either.match({ onLeft: Effect.logError, onRight: Effect.logInfo }))
})

if (import.meta.filename === process.argv[1]) {
  main.pipe(
    Effect.provide(layer),
    Effect.provide(Uploads),
    Effect.provide(NodeContext.layer),
    NodeRuntime.runMain
  )
}
