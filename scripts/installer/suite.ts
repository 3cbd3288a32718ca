/** The archives that the tests of inspection make. */

import { join } from "node:path"
import * as Command from "@effect/platform/Command"
import * as FileSystem from "@effect/platform/FileSystem"
import * as Path from "@effect/platform/Path"
import * as Effect from "effect/Effect"
import { InstallerRunFailed } from "./InstallerRunFailed.ts"
import type { Sample } from "./sample.ts"

const root = join(import.meta.dirname, "../..")

/** Runs those tests, with a copy of each archive kept in a folder. */
export const suite = (folder: string) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const path = yield* Path.Path
    yield* fs.makeDirectory(folder)
    const output = yield* Command.make(
      process.execPath,
      join(root, "node_modules/vitest/vitest.mjs"),
      "run",
      ...["--root", root],
      ...["--config", join(import.meta.dirname, "recorder/vitest.config.ts")]
    ).pipe(Command.env({ ARCHIVES_TO: folder }), Command.string)
    const names = (yield* fs.readDirectory(folder)).sort()
    if (names.length === 0)
      return yield* new InstallerRunFailed({ message: `the tests made no archive:\n${output}` })
    return yield* Effect.forEach(names, (name) =>
      Effect.map(
        fs.readFile(path.join(folder, name)),
        (bytes): Sample => ({ name: `of a test, SHA-256 ${name.slice(0, 12)}`, origin: "suite", bytes })
      )
    )
  })
