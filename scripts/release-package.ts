/**
 * Makes a release of both packages: checks what is committed, makes the release's files and tags it. The tag starts the workflow
 * that publishes.
 *
 * `npm run release:package -- --dry-run` does everything except the tag.
 */
import * as Command from "@effect/cli/Command"
import * as Options from "@effect/cli/Options"
import * as Process from "@effect/platform/Command"
import * as FileSystem from "@effect/platform/FileSystem"
import * as NodeContext from "@effect/platform-node/NodeContext"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

/** The package cannot be released as it is. */
class NotReleasable extends Schema.TaggedError<NotReleasable>()("NotReleasable", {
  message: Schema.String
}) {}

const Manifest = Schema.parseJson(Schema.Struct({ name: Schema.String, version: Schema.String }))
const output = (command: string, ...args: ReadonlyArray<string>) =>
  Effect.map(Process.string(Process.make(command, ...args)), (text) => text.trim())

const demand = (fine: boolean, message: string) =>
  fine ? Effect.void : Effect.fail(new NotReleasable({ message }))

/** Runs a command, with its output on this terminal. */
const succeeds = (command: string, ...args: ReadonlyArray<string>) =>
  Process.make(command, ...args).pipe(
    Process.stdout("inherit"),
    Process.stderr("inherit"),
    Process.exitCode,
    Effect.flatMap((code) => demand(code === 0, `${[command, ...args].join(" ")} ended with ${code}`))
  )

const manifest = Effect.flatMap(
  Effect.flatMap(FileSystem.FileSystem, (fs) => fs.readFileString("package.json")),
  Schema.decode(Manifest)
)

/** The changelog's section about this version, whose heading must have the day of the release. */
const changesOf = (version: string) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const sections = (yield* fs.readFileString("CHANGELOG.md")).split(/^## /m).slice(1)
    const section = sections.find((text) => text.startsWith(`${version} (`))
    const [heading = "", ...lines] = section?.split("\n") ?? []
    yield* demand(
      /\(\d{4}-\d{2}-\d{2}\)$/.test(heading),
      `CHANGELOG.md has no heading "## ${version} (year-month-day)"`
    )
    const changes = lines.join("\n").trim()
    yield* demand(changes !== "", `CHANGELOG.md says nothing of ${version}`)
    return changes
  })

const committed = (tag: string) =>
  Effect.gen(function* () {
    const branch = yield* output("git", "rev-parse", "--abbrev-ref", "HEAD")
    yield* demand(branch === "main", `releases are made of main, not of ${branch}`)
    const changed = yield* output("git", "status", "--porcelain")
    yield* demand(changed === "", `commit or drop these first:\n${changed}`)
    const tags = yield* output("git", "tag", "--list", tag)
    yield* demand(tags === "", `${tag} exists already: raise the version in package.json`)
  })

const release = Command.make(
  "release",
  {
    dryRun: Options.boolean("dry-run").pipe(
      Options.withDescription("Check and make the files, and leave the tag to another time")
    )
  },
  ({ dryRun }) =>
    Effect.gen(function* () {
      const { name, version } = yield* manifest
      const tag = `v${version}`
      yield* committed(tag)
      const changes = yield* changesOf(version)
      yield* succeeds("bash", ".ci/run")
      yield* succeeds("npm", "run", "--silent", "release:files")
      if (dryRun) return yield* Console.log(`${tag} would be made now, with:\n\n${changes}`)
      yield* succeeds("git", "tag", "--annotate", tag, "--message", `${name} ${version}\n\n${changes}`)
      yield* Console.log(`${tag} is made. To publish it: git push origin main ${tag}`)
    }).pipe(Effect.tapError(({ message }) => Console.error(message)))
)

Command.run(release, { name: "release", version: "0.1.0" })(process.argv).pipe(
  Effect.provide(NodeContext.layer),
  NodeRuntime.runMain({ disableErrorReporting: true })
)
