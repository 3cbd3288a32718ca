/** The judge that nobody here wrote: the JDK's own readers of ZIPs and properties, driven by `Installer.java`. */

import { join } from "node:path"
import * as Command from "@effect/platform/Command"
import * as FileSystem from "@effect/platform/FileSystem"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { InstallerRunFailed } from "./InstallerRunFailed.ts"

export const Verdict = Schema.Union(
  Schema.TaggedStruct("Installed", {
    entries: Schema.Number,
    descriptor: Schema.Record({ key: Schema.String, value: Schema.String })
  }),
  Schema.TaggedStruct("Refused", {
    step: Schema.Literal("unzip", "descriptor", "install"),
    reason: Schema.String
  })
)

export type Verdict = typeof Verdict.Type

/** The programs it takes; a Java without its compiler does not run sources. */
export const needs = ["java", "javac"] as const

/** What the JDK calls itself, and the number of its release. */
export const version = Command.make("java", "--version").pipe(
  Command.lines,
  Effect.map(([name = "an unknown Java"]) => ({ name, release: Number(/\d+/.exec(name)?.[0] ?? 0) }))
)

/** From this release on, the JDK takes sizes of 64 bits behind small entries (JDK-8303866), and the table would be another. */
export const milderFrom = 22

/** Where files cost no disk, for the many small ones that are unpacked; there may be little room. */
const memory = "/dev/shm"

/** One verdict for each file, all from one process. */
export const judge = (files: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const options = (yield* fs.exists(memory)) ? [`-Djava.io.tmpdir=${memory}`] : []
    const program = join(import.meta.dirname, "Installer.java")
    const lines = yield* Command.make("java", ...options, program).pipe(
      Command.env({ LC_ALL: "C.UTF-8" }),
      Command.feed(files.map((file) => `${file}\n`).join("")),
      Command.stderr("inherit"),
      Command.lines
    )
    if (lines.length !== files.length) {
      return yield* new InstallerRunFailed({
        message: `the oracle judged ${lines.length} of ${files.length} archives`
      })
    }
    return yield* Schema.decode(Schema.Array(Schema.parseJson(Verdict)))(lines)
  })
