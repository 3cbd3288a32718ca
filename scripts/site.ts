/**
 * Builds the documentation site into `build/site`: the pages with search, and the API reference. `npm run docs:site`.
 *
 * The generator has a lock file of its own, which is installed first.
 */
import { join, resolve } from "node:path"
import * as Command from "@effect/platform/Command"
import * as FileSystem from "@effect/platform/FileSystem"
import * as NodeContext from "@effect/platform-node/NodeContext"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Project from "../src/cli/Project.ts"
import { forSite, pageOf } from "./support/docs/pages.ts"

const root = resolve(import.meta.dirname, "..")
const pages = join(root, "build/pages")
const site = join(root, "build/site")

const Manifest = Schema.parseJson(
  Schema.Struct({
    name: Schema.String,
    version: Schema.String,
    engines: Schema.Struct({ node: Schema.String }),
    peerDependencies: Schema.Struct({ effect: Schema.String })
  })
)

/** A step of building the site has failed. */
class NotBuilt extends Schema.TaggedError<NotBuilt>()("NotBuilt", { message: Schema.String }) {}

const succeeds = (command: string, ...args: ReadonlyArray<string>) =>
  Command.make(command, ...args).pipe(
    Command.workingDirectory(root),
    Command.stdout("inherit"),
    Command.stderr("inherit"),
    Command.exitCode,
    Effect.filterOrFail(
      (code) => code === 0,
      (code) => new NotBuilt({ message: `${[command, ...args].join(" ")} ended with ${code}` })
    )
  )

const build = Effect.gen(function* () {
  const fs = yield* FileSystem.FileSystem
  const manifest = yield* Effect.flatMap(
    fs.readFileString(join(root, "package.json")),
    Schema.decode(Manifest)
  )
  const versions = [
    `version ${manifest.version}`,
    `Effect ${manifest.peerDependencies.effect.replace(/^\^|\.0$/g, "")}`,
    `Node ${manifest.engines.node.replace(">=", "")} and newer`
  ]

  yield* fs.remove(pages, { recursive: true, force: true })
  yield* fs.copy(join(root, "docs"), pages)
  const top = (yield* fs.readDirectory(root)).filter((name) => pageOf(name) !== undefined)
  const inDocs = (yield* fs.readDirectory(join(root, "docs"))).map((name) => `docs/${name}`)
  const source = `${Project.repository}/blob/v${manifest.version}`
  yield* Effect.forEach([...top, ...inDocs], (path) =>
    Effect.gen(function* () {
      const page = pageOf(path)
      if (page === undefined) return
      const text = yield* fs.readFileString(join(root, path))
      yield* fs.writeFileString(join(pages, `${page}.md`), forSite(path, text, source))
    })
  )
  yield* fs.writeFileString(
    join(pages, "versions.json"),
    JSON.stringify({
      versions,
      base: new URL(Project.documentation).pathname,
      repository: Project.repository
    })
  )

  const title = `${manifest.name} ${manifest.version} (${versions[1]})`
  const typedoc = ["typedoc", "--options", "typedoc.json", "--name", title]
  yield* succeeds("npm", "exec", "--workspace=api-reference", "--", ...typedoc)
  yield* fs.makeDirectory(join(pages, "public"))
  yield* fs.copy(join(root, "build/api"), join(pages, "public/api"))

  yield* succeeds("npm", "ci", "--prefix", "scripts/site", "--ignore-scripts", "--no-audit", "--no-fund")
  yield* succeeds(join(root, "scripts/site/node_modules/.bin/vitepress"), "build", "scripts/site")
  yield* Console.log(`${site}: the documentation of ${versions.join(", ")}`)
})

NodeRuntime.runMain(
  build.pipe(
    Effect.tapError((error) => Console.error(String(error))),
    Effect.provide(NodeContext.layer)
  ),
  { disableErrorReporting: true }
)
