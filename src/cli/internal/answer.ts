/** What a command line comes to. Everything but the run of a command is told from this module, which loads no parser. */
import * as Data from "effect/Data"
import * as Option from "effect/Option"
import { packageVersion } from "../../cloud/PackageVersion.ts"
import * as Completions from "./completions.ts"
import { definitions, program } from "./definitions.ts"
import * as Help from "./help.ts"
import type { OutputOptions } from "./parameters.ts"
import { programOptions, Request, requestOf } from "./request.ts"

/** What is to be done. */
export type Answer = Data.TaggedEnum<{
  /** For standard output. */
  Show: { readonly page: (screen: Help.Screen) => string }
  /** The version as a line of JSON. */
  VersionLine: Record<never, never>
  /** For standard error, or for whoever reads the lines of JSON. */
  Refuse: {
    readonly problem: string
    /** The command that was meant, where that is known. */
    readonly command: Option.Option<string>
    readonly output: OutputOptions
  }
  /** Run the command of this name. */
  Run: { readonly command: string }
}>

export const Answer = Data.taggedEnum<Answer>()

/** To the words after the program's name. */
export const answerTo = (args: ReadonlyArray<string>): Answer => {
  const words = beforeDashes(args)
  return Request.$match(requestOf(words, args.slice(words.length + 1), definitions), {
    Help: ({ page }) =>
      Answer.Show({
        page: (screen) =>
          Option.match(page, {
            onNone: () => Help.overview({ ...program, entries: programOptions }, definitions, screen),
            onSome: (page) => Help.details(page, screen)
          })
      }),
    Version: ({ json }) => (json ? Answer.VersionLine() : Answer.Show({ page: () => `${packageVersion}\n` })),
    Completions: ({ shell }) =>
      Answer.Show({ page: () => Completions.script(shell, { entries: programOptions, pages: definitions }) }),
    Refused: ({ page, problem }) =>
      Answer.Refuse({ problem, command: Option.map(page, ({ name }) => name), output: outputOf(words) }),
    Run: ({ page }) => Answer.Run({ command: page.name })
  })
}

/** What follows two dashes are arguments, whatever they look like. */
export const beforeDashes = (args: ReadonlyArray<string>): ReadonlyArray<string> => {
  const dashes = args.indexOf("--")
  return dashes === -1 ? args : args.slice(0, dashes)
}

/** How to report a command line that cannot be parsed. */
export const outputOf = (words: ReadonlyArray<string>): OutputOptions => {
  const [last = ""] = words.filter((word) => word.startsWith("--json-file=")).slice(-1)
  const next = words[words.indexOf("--json-file") + 1]
  const path = words.includes("--json-file") ? next : last.slice("--json-file=".length)
  return {
    json: words.includes("--json"),
    jsonFile: Option.filter(Option.fromNullable(path), (path) => path !== ""),
    quiet: false
  }
}
