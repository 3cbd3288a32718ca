/**
 * A release from end to end: packs a folder as a bundle, inspects it, publishes it under its name, and announces it.
 *
 * `npx tsx examples/release-pipeline.ts <folder> --name <name> --es-version <version> [--announce <url>]`, configured by the
 * environment variables in the README. Running it again with the same folder changes nothing.
 */
import * as Args from "@effect/cli/Args"
import * as Command from "@effect/cli/Command"
import * as Options from "@effect/cli/Options"
import * as FileSystem from "@effect/platform/FileSystem"
import * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import * as Path from "@effect/platform/Path"
import * as NodeContext from "@effect/platform-node/NodeContext"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import {
  Archive,
  ArchiveInspection,
  ExtensionPublish,
  ExtensionUpload,
  PublishReceipt,
  UploadHttpClient
} from "effect-elastic-extensions"
import { buildBundle } from "./support/bundle.ts"

/** The same files make the same bytes, so an earlier release of them is recognised. */
const build = Effect.fn("build")(function* (folder: string, name: string) {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const entries = (yield* fs.readDirectory(folder, { recursive: true })).sort()
  const files = yield* Effect.filter(
    entries.map((entry) => ({ file: path.join(folder, entry), entry: entry.replaceAll(path.sep, "/") })),
    ({ file }) => Effect.map(fs.stat(file), ({ type }) => type === "File")
  )
  const target = path.join(yield* fs.makeTempDirectoryScoped({ prefix: "release-" }), `${name}.zip`)
  yield* buildBundle(target, files)
  return Archive.file(target)
})

const inspect = <R>(archive: Archive.Archive<R>, version: string) =>
  ArchiveInspection.inspect(archive, { expected: { type: "bundle", version } }).pipe(
    Effect.flatMap(ArchiveInspection.check),
    Effect.tap(({ entryCount, size }) => Console.error(`Packed ${entryCount} files, ${size} bytes`))
  )

const encode = Schema.encode(PublishReceipt.PublishReceipt)

/** The receipt goes to standard output, and to a URL if one was given: a chat, a dashboard, the next pipeline. */
const announce = Effect.fn("announce")(function* (
  receipt: PublishReceipt.PublishReceipt,
  url: Option.Option<string>
) {
  const facts = yield* encode(receipt)
  if (Option.isSome(url)) {
    const client = HttpClient.filterStatusOk(yield* HttpClient.HttpClient)
    const request = HttpClientRequest.bodyJson(HttpClientRequest.post(url.value), facts)
    yield* Effect.scoped(Effect.flatMap(request, client.execute))
  }
  yield* Console.log(JSON.stringify(facts))
})

const release = Command.make(
  "release-pipeline",
  {
    folder: Args.directory({ name: "folder", exists: "yes" }),
    name: Options.text("name"),
    version: Options.text("es-version"),
    hook: Options.optional(Options.text("announce"))
  },
  ({ folder, hook, name, version }) =>
    Effect.gen(function* () {
      const archive = yield* build(folder, name)
      yield* inspect(archive, version)
      const receipt = yield* ExtensionPublish.publish({
        name,
        type: "bundle",
        version,
        archive,
        onEvent: (event) => (event._tag === "Warning" ? Console.error(event.message) : Effect.void)
      })
      yield* announce(receipt, hook)
    }).pipe(
      Effect.scoped,
      Effect.provide([ExtensionUpload.layerConfig, UploadHttpClient.layerConfig]),
      Effect.tapError((error) => Console.error(String(error)))
    )
)

Command.run(release, { name: "release-pipeline", version: "1.0.0" })(process.argv).pipe(
  Effect.provide(NodeContext.layer),
  NodeRuntime.runMain({ disableErrorReporting: true })
)
