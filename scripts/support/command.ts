/** The command line as a package of its own: a program, a launcher for a fast start, and nothing to install beside them. */
import { chmod, copyFile, mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises"
import { join, resolve } from "node:path"
import * as Effect from "effect/Effect"
import type { Metafile } from "esbuild"
import { commandName, shortName } from "../../src/cli/Project.ts"
import { bundleProgram, optionalPackage } from "./program.ts"

const root = resolve(import.meta.dirname, "../..")

/**
 * Bundles the command into `outfile`, and what only some commands need into the folder `chunks` beside it; returns the folders
 * of the packages that are now part of it.
 */
export const bundleCommand = (outfile: string): Effect.Effect<ReadonlyArray<string>> =>
  Effect.promise(async () =>
    packageFolders(
      await bundleProgram("src/cli/bin.ts", outfile, {
        absWorkingDir: root,
        minify: true,
        legalComments: "none",
        chunks: commandFiles.chunks,
        alias: Object.fromEntries(unread.map((format) => [format, absent])),
        // Native: each is used where it is installed, and not missed where it is not.
        external: ["pg-native"],
        plugins: [optionalPackage("@libsql/client", join(root, "scripts/support/libsql.ts"))]
      })
    )
  )

/** Formats of configuration files, which the parser of the command line knows and no option of this one reads. */
const unread = ["ini", "toml", "yaml"]
const absent = join(root, "scripts/support/absent.ts")

/** Bundles the launcher of the command that lies beside it as `elastic-extensions.js`. */
export const bundleLauncher = (outfile: string): Effect.Effect<void> =>
  Effect.promise(async () => {
    await bundleProgram("src/cli/launcher.ts", outfile, { absWorkingDir: root, minify: true })
  })

const packageFolder = /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+/

const packageFolders = (metafile: Metafile): ReadonlyArray<string> => {
  const folders = Object.keys(metafile.inputs).flatMap((input) => packageFolder.exec(input) ?? [])
  return [...new Set(folders)].sort().map((folder) => join(root, folder))
}

/** What the package of the command is made of, by its files' names. */
const commandFiles = {
  program: `${commandName}.js`,
  launcher: "launcher.js",
  chunks: "chunks",
  licenses: "THIRD-PARTY-LICENSES",
  schema: "json-lines.schema.json"
} as const

/** The parts of the library's manifest that hold for the command too. */
interface LibraryManifest {
  readonly version: string
  readonly license: string
  readonly homepage: string
  readonly bugs: object
  readonly repository: object
  readonly engines: object
}

/** The manifest of the command's package. It has the library's version, and neither dependencies nor peers. */
const commandManifest = ({ bugs, engines, homepage, license, repository, version }: LibraryManifest) => ({
  name: commandName,
  version,
  description:
    "Uploads Elasticsearch plugins and bundles to Elastic Cloud from a shell or a pipeline: inspected, resumable, verified.",
  keywords: ["bundle", "ci", "cli", "elastic-cloud", "elasticsearch", "extensions", "plugin", "upload"],
  license,
  homepage,
  bugs,
  repository,
  type: "module",
  bin: { [commandName]: commandFiles.launcher, [shortName]: commandFiles.launcher },
  exports: { "./json-lines.schema.json": `./${commandFiles.schema}`, "./package.json": "./package.json" },
  files: Object.values(commandFiles),
  engines
})

/** The program in the folder of the command's package. */
export const commandProgram = (folder: string): string => join(folder, commandFiles.program)

/** Writes the package of the command into a folder, ready to be packed; returns the folders of the packages in its program. */
export const buildCommandPackage = (folder: string): Effect.Effect<ReadonlyArray<string>> =>
  Effect.gen(function* () {
    const program = commandProgram(folder)
    yield* Effect.promise(async () => {
      await rm(folder, { recursive: true, force: true })
      await mkdir(folder, { recursive: true })
    })
    const bundled = yield* bundleCommand(program)
    const launcher = join(folder, commandFiles.launcher)
    yield* bundleLauncher(launcher)
    const licenses = yield* licensesOf(bundled)
    yield* Effect.promise(async () => {
      const library: LibraryManifest = JSON.parse(await readFile(join(root, "package.json"), "utf8"))
      await Promise.all([program, launcher].map((file) => chmod(file, 0o755)))
      await writeFile(join(folder, commandFiles.licenses), licenses)
      await writeFile(join(folder, "package.json"), `${JSON.stringify(commandManifest(library), null, 2)}\n`)
      await copyFile(join(root, "scripts/command/README.md"), join(folder, "README.md"))
      await copyFile(join(root, "docs", commandFiles.schema), join(folder, commandFiles.schema))
      await copyFile(join(root, "LICENSE"), join(folder, "LICENSE"))
    })
    return bundled
  })

interface Manifest {
  readonly name: string
  readonly version: string
  readonly license?: string
}

/** The licences of the bundled packages, word for word. */
const licensesOf = (folders: ReadonlyArray<string>): Effect.Effect<string> =>
  Effect.map(Effect.forEach(folders, licenseOf), (licenses) => licenses.join(`\n${"-".repeat(80)}\n\n`))

const licenseOf = (folder: string): Effect.Effect<string> =>
  Effect.promise(async () => {
    const manifest: Manifest = JSON.parse(await readFile(join(folder, "package.json"), "utf8"))
    const file = (await readdir(folder)).find((name) => /^(licen[cs]e|copying)/i.test(name))
    const text = file === undefined ? "" : `\n${await readFile(join(folder, file), "utf8")}`
    return `${manifest.name} ${manifest.version}: ${manifest.license ?? "see below"}\n${text}`
  })
