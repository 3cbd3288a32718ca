/** One run of the program: a command, or an answer about the program itself. */
import * as HelpDoc from "@effect/cli/HelpDoc"
import * as ValidationError from "@effect/cli/ValidationError"
import * as Arr from "effect/Array"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { packageVersion } from "../../cloud/PackageVersion.ts"
import { UsageError } from "../Failure.ts"
import { Answer, answerTo, beforeDashes, outputOf } from "./answer.ts"
import { type Command, type Environment, exit, reported, withOutput } from "./command.ts"
import type { Screen } from "./help.ts"
import { type Exited, Failed, Output } from "./output.ts"
import { type Entry, namesOf, type OutputOptions, parsedVersion } from "./parameters.ts"
import { linesVersion, Version } from "./results.ts"
import { ours, withoutAnsi } from "./shown.ts"
import { Stdio, styleOf } from "./terminal.ts"
import { pageWidthOf } from "./text.ts"

/** Makes the program of its commands. */
export const makeProgram =
  (commands: ReadonlyArray<Command>) =>
  (args: ReadonlyArray<string>): Effect.Effect<void, Exited, Environment> =>
    Answer.$match(answerTo(args), {
      Show: ({ page }) => print(page),
      VersionLine: () =>
        reported(
          Effect.flatMap(Output, ({ result }) =>
            result({
              schema: Version,
              value: Version.make({ version: packageVersion, lines: linesVersion }),
              lines: [packageVersion]
            })
          ),
          { ...plain, json: true },
          []
        ),
      Refuse: ({ command, output, problem }) => refuse(problem, command, output),
      Run: ({ command: name }) =>
        Option.match(
          Arr.findFirst(commands, ({ page }) => page.name === name),
          {
            onNone: () => Effect.dieMessage(`the command ${name} does nothing`),
            onSome: ({ page, parseAndRun }) =>
              parseAndRun(forParser(args.slice(name.split(" ").length), page.entries)).pipe(
                Effect.catchIf(ValidationError.isValidationError, (error) =>
                  refuse(complaintOf(error), Option.some(name), outputOf(beforeDashes(args)))
                ),
                withSilentConsole,
                // A signal interrupts the command, not the account of it: the command itself lets it in.
                Effect.uninterruptible
              )
          }
        )
    })

const plain: OutputOptions = { json: false, jsonFile: Option.none(), quiet: false }

const refuse = (problem: string, command: Option.Option<string>, output: OutputOptions) =>
  exit(
    new Failed({
      failure: new UsageError({
        problem,
        ...Option.match(command, { onNone: () => ({}), onSome: (command) => ({ command }) })
      })
    })
  ).pipe(withOutput(output))

const print = Effect.fnUntraced(function* (page: (screen: Screen) => string) {
  const { out } = yield* Stdio
  const screen = { style: yield* styleOf(out), width: pageWidthOf(yield* out.columns) }
  yield* Effect.catchAll(out.write(ours(page(screen))), (failure) =>
    withOutput(plain)(exit(new Failed({ failure })))
  )
})

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
  const renamed = separated.map((word) => (word === parsedVersion.shown ? parsedVersion.parsed : word))
  return [...renamed, ...args.slice(words.length)]
}
