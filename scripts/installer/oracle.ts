/** The judge that nobody here wrote: the JDK's own readers of ZIPs and properties, driven by `Installer.java`. */
import { join } from "node:path"
import * as Command from "@effect/platform/Command"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

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

/** One verdict for each file, all from one process. */
export const judge = (files: ReadonlyArray<string>) =>
  Command.make("java", join(import.meta.dirname, "Installer.java")).pipe(
    Command.env({ LC_ALL: "C.UTF-8" }),
    Command.feed(files.map((file) => `${file}\n`).join("")),
    Command.stderr("inherit"),
    Command.lines,
    Effect.filterOrFail(
      (lines) => lines.length === files.length,
      (lines) => new Error(`the oracle judged ${lines.length} of ${files.length} archives`)
    ),
    Effect.flatMap(Schema.decode(Schema.Array(Schema.parseJson(Verdict))))
  )
