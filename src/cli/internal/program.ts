/** One run of the program: help, its version, completions, or a command. */
import type * as CliApp from "@effect/cli/CliApp"
import * as Command from "@effect/cli/Command"
import * as HelpDoc from "@effect/cli/HelpDoc"
import * as ValidationError from "@effect/cli/ValidationError"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { packageVersion } from "../../cloud/PackageVersion.ts"
import { UsageError } from "../Failure.ts"
import { exit, type Page, reported, withOutput } from "./command.ts"
import * as Completions from "./completions.ts"
import * as Help from "./help.ts"
import { type Exited, Failed, Output } from "./output.ts"
import { type Entry, namesOf, type OutputOptions, parsedVersion } from "./parameters.ts"
import { programOptions, Request, requestOf } from "./request.ts"
import { linesVersion, Version } from "./results.ts"
import { ours, Stdio, styleOf, withoutAnsi } from "./terminal.ts"
import { commandName, pageWidthOf } from "./text.ts"

/** Makes the program of its command and the commands below it, in the order in which help lists them. */
export const makeProgram = <Name extends string, R, A>(
  root: Command.Command<Name, R, Exited, A>,
  about: Omit<Page, "entries">,
  commands: ReadonlyArray<{ readonly page: Page }>
) => {
  const parseAndRun = Command.run(root, {
    name: commandName,
    version: packageVersion,
    executable: commandName
  })
  const pages = commands.map(({ page }) => page)
  const overview = { ...about, entries: programOptions }
  return (
    args: ReadonlyArray<string>
  ): Effect.Effect<void, Exited, R | CliApp.CliApp.Environment | Stdio> => {
    const words = beforeDashes(args)
    const further = args.slice(words.length + 1)
    const refuse = (problem: string, page: Option.Option<Page>) =>
      exit(
        new Failed({
          failure: new UsageError({
            problem,
            ...Option.match(page, { onNone: () => ({}), onSome: ({ name }) => ({ command: name }) })
          })
        })
      ).pipe(withOutput(outputOf(words)))
    return Request.$match(requestOf(words, further, pages), {
      Help: ({ page }) =>
        print((screen) =>
          Option.match(page, {
            onNone: () => Help.overview(overview, pages, screen),
            onSome: (page) => Help.details(page, screen)
          })
        ),
      Version: ({ json }) =>
        reported(
          Effect.flatMap(Output, ({ result }) =>
            result({
              schema: Version,
              value: Version.make({ version: packageVersion, lines: linesVersion }),
              lines: [packageVersion]
            })
          ),
          { ...plain, json },
          []
        ),
      Completions: ({ shell }) => print(() => Completions.script(shell, { entries: programOptions, pages })),
      Refused: ({ page, problem }) => refuse(problem, page),
      Run: ({ page }) =>
        parseAndRun([commandName, commandName, ...forParser(args, page.entries)]).pipe(
          Effect.catchIf(ValidationError.isValidationError, (error) =>
            refuse(complaintOf(error), Option.some(page))
          ),
          withSilentConsole,
          // A signal interrupts the command, not the account of it: the command itself lets it in.
          Effect.uninterruptible
        )
    })
  }
}

const plain: OutputOptions = { json: false, jsonFile: Option.none(), quiet: false }

const print = Effect.fnUntraced(function* (page: (screen: Help.Screen) => string) {
  const { out } = yield* Stdio
  const screen = { style: yield* styleOf(out), width: pageWidthOf(yield* out.columns) }
  yield* Effect.catchAll(out.write(ours(page(screen))), (failure) =>
    withOutput(plain)(exit(new Failed({ failure })))
  )
})

/** How to report a command line that cannot be parsed. */
const outputOf = (words: ReadonlyArray<string>): OutputOptions => {
  const [last = ""] = words.filter((word) => word.startsWith("--json-file=")).slice(-1)
  const next = words[words.indexOf("--json-file") + 1]
  const path = words.includes("--json-file") ? next : last.slice("--json-file=".length)
  return {
    json: words.includes("--json"),
    jsonFile: Option.filter(Option.fromNullable(path), (path) => path !== ""),
    quiet: false
  }
}

/** The parser's own words, in one line. */
const complaintOf = ({ error }: ValidationError.ValidationError): string =>
  withoutAnsi(HelpDoc.toAnsiText(error))
    .replace(/\s+/g, " ")
    .replaceAll(parsedVersion.parsed, parsedVersion.shown)
    .trim()

/** The parser writes its complaints beside ours. */
const withSilentConsole = <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Console.consoleWith((console) =>
    Effect.withConsole(self, { ...console, log: () => Effect.void, error: () => Effect.void })
  )

const beforeDashes = (args: ReadonlyArray<string>): ReadonlyArray<string> => {
  const dashes = args.indexOf("--")
  return dashes === -1 ? args : args.slice(0, dashes)
}

/**
 * The parser does not take `--option=value` where the option may be repeated, and takes an argument such as `1` for the
 * value of the flag before it: options get their values as words of their own, and flags get theirs spelt out.
 */
const forParser = (args: ReadonlyArray<string>, entries: ReadonlyArray<Entry>): ReadonlyArray<string> => {
  const flags = new Set(entries.flatMap((entry) => (entry._tag === "Flag" ? namesOf(entry) : [])))
  const words = beforeDashes(args)
  const separated = words.flatMap((word) => {
    const [, option, value] = /^(--[a-z-]+)=(.*)$/s.exec(word) ?? []
    if (option !== undefined && value !== undefined) return [option, value]
    return flags.has(word) ? [word, "true"] : [word]
  })
  // The first word is the command.
  const renamed = separated.map((word, i) =>
    i > 0 && word === parsedVersion.shown ? parsedVersion.parsed : word
  )
  return [...renamed, ...args.slice(words.length)]
}
