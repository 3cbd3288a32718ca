/**
 * Makes everything that a release consists of in `build/release`: both packages, what each is made of, the command as a
 * single file for every platform and for a container, and the checksums of all.
 *
 * `npm run release:files -- --platform linux-x64` makes the single file of that platform only; the option can be repeated.
 */
import { createHash } from "node:crypto"
import { createReadStream } from "node:fs"
import { join, resolve } from "node:path"
import { pipeline } from "node:stream/promises"
import * as Command from "@effect/cli/Command"
import * as Options from "@effect/cli/Options"
import * as Process from "@effect/platform/Command"
import * as FileSystem from "@effect/platform/FileSystem"
import * as NodeContext from "@effect/platform-node/NodeContext"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { buildCommandPackage, commandProgram } from "./support/command.ts"
import { sbomOfCommand, sbomOfLibrary } from "./support/sbom.ts"
import { compileSingleFile, fileNameOf, type Platform, platformNames } from "./support/singleFiles.ts"

const root = resolve(import.meta.dirname, "..")
const folder = join(root, "build/release")
const commandFolder = join(root, "build/command")

/** A step of the release has failed. */
class NotMade extends Schema.TaggedError<NotMade>()("NotMade", { message: Schema.String }) {}

const Packed = Schema.parseJson(Schema.NonEmptyArray(Schema.Struct({ filename: Schema.String })))

const pack = (source: string) =>
  Process.make("npm", "pack", "--json", "--ignore-scripts", "--pack-destination", folder).pipe(
    Process.workingDirectory(source),
    Process.string,
    Effect.flatMap(Schema.decode(Packed)),
    Effect.map(([{ filename }]) => filename)
  )

const build = Process.make("npm", "run", "build", "--silent").pipe(
  Process.workingDirectory(root),
  Process.stdout("inherit"),
  Process.stderr("inherit"),
  Process.exitCode,
  Effect.filterOrFail(
    (code) => code === 0,
    () => new NotMade({ message: "npm run build has failed" })
  )
)

const sha256Of = (path: string) =>
  Effect.promise(async () => {
    const hash = createHash("sha256")
    await pipeline(createReadStream(path), hash)
    return hash.digest("hex")
  })

/** For `sha256sum --check`. */
const checksums = Effect.gen(function* () {
  const fs = yield* FileSystem.FileSystem
  const names = (yield* fs.readDirectory(folder)).filter((name) => name !== "SHA256SUMS").sort()
  const lines = yield* Effect.forEach(names, (name) =>
    Effect.map(sha256Of(join(folder, name)), (sha256) => `${sha256}  ${name}\n`)
  )
  yield* fs.writeFileString(join(folder, "SHA256SUMS"), lines.join(""))
  return lines
})

const make = Effect.fnUntraced(function* (platforms: ReadonlyArray<Platform>) {
  const fs = yield* FileSystem.FileSystem
  yield* fs.remove(folder, { recursive: true, force: true })
  yield* fs.makeDirectory(folder, { recursive: true })
  yield* build
  const bundled = yield* buildCommandPackage(commandFolder)
  const library = yield* pack(root)
  const command = yield* pack(commandFolder)
  const accounts = [
    [library, yield* sbomOfLibrary],
    [command, yield* sbomOfCommand(commandFolder, bundled)]
  ] as const
  yield* Effect.forEach(accounts, ([tarball, sbom]) =>
    fs.writeFileString(
      join(folder, tarball.replace(/\.tgz$/, ".cdx.json")),
      `${JSON.stringify(sbom, null, 2)}\n`
    )
  )
  yield* fs.copyFile(join(root, "scripts/command/Containerfile"), join(folder, "Containerfile"))
  yield* Effect.forEach(platforms, (platform) =>
    Effect.zipRight(
      Console.log(`compiling ${fileNameOf(platform)}`),
      compileSingleFile(commandProgram(commandFolder), platform, join(folder, fileNameOf(platform)))
    )
  )
  yield* Console.log((yield* checksums).join(""))
})

const releaseFiles = Command.make(
  "release-files",
  {
    platforms: Options.repeated(
      Options.choice("platform", platformNames).pipe(
        Options.withDescription("Make the single file of this platform only")
      )
    )
  },
  ({ platforms }) =>
    make(platforms.length === 0 ? platformNames : platforms).pipe(
      Effect.tapError((error) => Console.error(String(error)))
    )
)

Command.run(releaseFiles, { name: "release-files", version: "0.1.0" })(process.argv).pipe(
  Effect.provide(NodeContext.layer),
  NodeRuntime.runMain({ disableErrorReporting: true })
)
