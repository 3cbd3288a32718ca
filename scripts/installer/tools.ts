/** Which tools are here, and the archives that they make. */

import * as Command from "@effect/platform/Command"
import * as FileSystem from "@effect/platform/FileSystem"
import * as Path from "@effect/platform/Path"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { commands } from "./commands.ts"
import { contents, writeContent } from "./contents.ts"
import { packages } from "./packages.ts"
import type { Sample } from "./sample.ts"
import type { Writer } from "./writer.ts"

export const writers: ReadonlyArray<Writer> = [...commands, ...packages]

/** Whether a program is on the path. */
export const isHere = (program: string) =>
  Command.make("sh", "-c", 'command -v "$1" > /dev/null', "sh", program).pipe(
    Command.exitCode,
    Effect.map((code) => code === 0)
  )

/** The programs that writers need and that are missing. */
export const missing = Effect.filter(
  [...new Set(writers.flatMap(({ command }) => Option.toArray(command)))],
  (program) => Effect.negate(isHere(program))
)

/** What one writer made of one content. */
export interface Packed {
  readonly writer: Writer
  readonly content: keyof typeof contents
  readonly sample: Sample
}

/** Everything packed by every one of these writers, each in a folder of its own. */
export const pack = (writers: ReadonlyArray<Writer>, workspace: string) =>
  Effect.forEach(
    writers.flatMap((writer) => contentNames.map((content) => ({ writer, content }))),
    ({ content, writer }, index) => packOne(writer, content, `${workspace}/${index}`),
    { concurrency: 3 }
  )

const contentNames = Object.keys(contents).filter((name): name is keyof typeof contents => name in contents)

const packOne = (writer: Writer, content: keyof typeof contents, workspace: string) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const path = yield* Path.Path
    const folder = path.join(workspace, "plugin")
    const file = path.join(workspace, "plugin.zip")
    yield* fs.makeDirectory(folder, { recursive: true })
    yield* writeContent(contents[content], folder)
    yield* writer.write(folder, file)
    const name = `${content} by ${writer.tool}, ${writer.how}`
    const packed: Packed = {
      writer,
      content,
      sample: { name, origin: "tool", bytes: yield* fs.readFile(file) }
    }
    return packed
  })
