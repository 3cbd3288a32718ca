/** The command line as one file, which needs none of the optional peers, and a launcher that makes it start fast. */
import { readdir, readFile } from "node:fs/promises"
import { dirname, join, resolve } from "node:path"
import * as Effect from "effect/Effect"
import type { Metafile } from "esbuild"
import { bundleProgram } from "./program.ts"

const root = resolve(import.meta.dirname, "../..")

/** Bundles the command into `outfile`; returns the folders of the packages that are now part of it. */
export const bundleCommand = (outfile: string): Effect.Effect<ReadonlyArray<string>> =>
  Effect.promise(async () =>
    packageFolders(
      await bundleProgram("src/cli/bin.ts", outfile, {
        absWorkingDir: root,
        minify: true,
        legalComments: "none"
      })
    )
  )

/** Bundles the launcher of a command into the folder where it is `command.js`. */
export const bundleLauncher = (outfile: string): Effect.Effect<void> =>
  Effect.promise(async () => {
    await bundleProgram("src/cli/launcher.ts", outfile, { absWorkingDir: root, minify: true })
  })

const packageFolder = /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+/

const packageFolders = (metafile: Metafile): ReadonlyArray<string> => {
  const folders = Object.keys(metafile.inputs).flatMap((input) => packageFolder.exec(input) ?? [])
  return [...new Set(folders)].sort().map((folder) => join(root, folder))
}

interface Manifest {
  readonly name: string
  readonly version: string
  readonly license?: string
}

/** The licences of the bundled packages, word for word. */
export const licensesOf = (folders: ReadonlyArray<string>): Effect.Effect<string> =>
  Effect.map(Effect.forEach(folders, licenseOf), (licenses) => licenses.join(`\n${"-".repeat(80)}\n\n`))

const licenseOf = (folder: string): Effect.Effect<string> =>
  Effect.promise(async () => {
    const manifest: Manifest = JSON.parse(await readFile(join(folder, "package.json"), "utf8"))
    const file = (await readdir(folder)).find((name) => /^(licen[cs]e|copying)/i.test(name))
    const text = file === undefined ? "" : `\n${await readFile(join(folder, file), "utf8")}`
    return `${manifest.name} ${manifest.version}: ${manifest.license ?? "see below"}\n${text}`
  })

/** The file with those licences, next to the bundle. */
export const licensesFile = (outfile: string): string => join(dirname(outfile), "THIRD-PARTY-LICENSES")
