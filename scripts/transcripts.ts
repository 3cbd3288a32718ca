/**
 * Writes the transcripts of the documentation: `npx tsx scripts/transcripts.ts [--check]`.
 *
 * Runs every scene with the real command against a stand-in, in its own folder, and puts what a terminal would show between
 * the markers of the documents. With `--check` it writes nothing; it exits with 1 and names the stale places.
 */
import { resolve } from "node:path"
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"
import * as FileSystem from "@effect/platform/FileSystem"
import * as NodeContext from "@effect/platform-node/NodeContext"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Cause from "effect/Cause"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { fill, staleIn, unmatched } from "./support/transcripts/document.ts"
import { scenes } from "./support/transcripts/scenes.ts"
import { makeStage } from "./support/transcripts/stage.ts"

const root = resolve(fileURLToPath(import.meta.url), "../..")

/** Every scene is shown in at least one of them. */
const paths = ["docs/getting-started.md", "docs/cli.md"].map((path) => resolve(root, path))

class StaleTranscripts extends Schema.TaggedError<StaleTranscripts>()("StaleTranscripts", {
  places: Schema.Array(Schema.String),
  /** Lines of the transcripts that no document has. */
  lines: Schema.Array(Schema.String)
}) {
  override get message(): string {
    const places = `The documentation is stale at ${this.places.join(", ")}. To write it anew: npm run docs:cli`
    return [places, ...this.lines.map((line) => `+ ${line}`)].join("\n")
  }
}

const requireFresh = (
  documents: ReadonlyArray<string>,
  blocks: ReadonlyMap<string, string>,
  places: ReadonlyArray<string>
) => {
  const known = new Set(documents.flatMap((text) => text.split("\n")))
  const lines = places
    .flatMap((name) => blocks.get(name)?.split("\n") ?? [])
    .filter((line) => !known.has(line))
  return places.length === 0 ? Effect.void : new StaleTranscripts({ places, lines })
}

const play = Effect.gen(function* () {
  const stage = yield* makeStage
  const shown = yield* Effect.forEach(scenes, ([name, scene]) =>
    Effect.map(scene(stage), (block) => [name, block] as const)
  )
  return new Map(shown)
}).pipe(Effect.scoped)

const describe = (cause: Cause.Cause<unknown>): string =>
  Option.match(Cause.failureOption(cause), {
    onNone: () => Cause.pretty(cause),
    onSome: (error) => (error instanceof Error ? error.message : String(error))
  })

const program = Effect.gen(function* () {
  const { values } = parseArgs({ options: { check: { type: "boolean", default: false } } })
  const fs = yield* FileSystem.FileSystem
  const documents = yield* Effect.forEach(paths, (path) => fs.readFileString(path))
  const blocks = yield* play
  const stale = values.check ? documents.flatMap((text) => staleIn(text, blocks)) : []
  const places = new Set([...unmatched(documents.join("\n"), blocks), ...stale])
  yield* requireFresh(documents, blocks, [...places])
  if (!values.check) {
    yield* Effect.forEach(paths, (path, index) =>
      fs.writeFileString(path, fill(documents[index] ?? "", blocks))
    )
  }
  yield* Console.log(`${blocks.size} transcripts ${values.check ? "are up to date" : "written"}`)
})

NodeRuntime.runMain(
  program.pipe(
    Effect.tapErrorCause((cause) => Console.error(describe(cause))),
    Effect.provide(NodeContext.layer)
  ),
  { disableErrorReporting: true }
)
