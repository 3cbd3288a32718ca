/** One run of the program: help, or a command, and what is wrong with its arguments in plainer words than the parser's. */
import type * as CliApp from "@effect/cli/CliApp"
import * as Command from "@effect/cli/Command"
import * as HelpDoc from "@effect/cli/HelpDoc"
import * as ValidationError from "@effect/cli/ValidationError"
import * as Arr from "effect/Array"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { packageVersion } from "../../cloud/PackageVersion.ts"
import { UsageError } from "../Failure.ts"
import { exit, type Page } from "./command.ts"
import * as help from "./help.ts"
import { type Exited, Failed, layer as outputLayer } from "./output.ts"
import { type Entry, parsedVersion, termOf } from "./parameters.ts"
import { Stdio, type Style, styleOf, withoutAnsi } from "./terminal.ts"
import { commandName, nearest } from "./text.ts"

/** The parser's own options, which it takes everywhere. */
const builtIn: ReadonlyArray<Entry> = [
  { _tag: "Flag", names: ["--help", "-h"], meaning: "This page, or that of the command it follows." },
  { _tag: "Flag", names: ["--version"], meaning: "The version of this program." },
  {
    _tag: "Value",
    names: ["--completions"],
    placeholder: "shell",
    choices: ["sh", "bash", "fish", "zsh"],
    meaning: "Completions for sh, bash, fish or zsh, on standard output.",
    isRequired: false
  }
]

/** Its options that help does not tell of. */
const undocumented = ["--log-level", "--wizard"]

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
  return (
    args: ReadonlyArray<string>
  ): Effect.Effect<void, Exited, R | CliApp.CliApp.Environment | Stdio> => {
    const words = beforeDashes(args)
    const name = words.find((word) => !word.startsWith("-"))
    const command = Arr.findFirst(pages, (page) => page.name === name)
    if (words.length === 0 || words.includes("--help") || words.includes("-h")) {
      return showHelp((style) =>
        Option.match(command, {
          onNone: () => help.overview({ ...about, entries: builtIn }, pages, style),
          onSome: (page) => help.details(page, style)
        })
      )
    }
    if (Option.isNone(command) && name !== undefined && words[0] === name) {
      const names = pages.map((page) => page.name)
      return refuse(`There is no command ${name}.${suggestion(name, names)}`, words, command)
    }
    const entries = Option.match(command, { onNone: () => [], onSome: (page) => page.entries })
    return parseAndRun([commandName, commandName, ...forParser(args, entries)]).pipe(
      Effect.catchIf(ValidationError.isValidationError, (error) =>
        refuse(
          Option.getOrElse(problemWith(words, entries), () => complaintOf(error)),
          words,
          command
        )
      ),
      withPlainConsole,
      // A signal interrupts the command, not the account of it: the command itself lets it in.
      Effect.uninterruptible
    )
  }
}

const showHelp = Effect.fnUntraced(function* (page: (style: Style) => string) {
  const { out } = yield* Stdio
  yield* out.write(page(yield* styleOf(out)))
})

const refuse = (problem: string, words: ReadonlyArray<string>, command: Option.Option<Page>) =>
  exit(
    new Failed({
      failure: new UsageError({
        problem,
        ...Option.match(command, { onNone: () => ({}), onSome: ({ name }) => ({ command: name }) })
      })
    })
  ).pipe(Effect.provide(outputLayer({ json: words.includes("--json"), quiet: false })))

/** The parser's own words, in one line. */
const complaintOf = ({ error }: ValidationError.ValidationError): string =>
  withoutAnsi(HelpDoc.toAnsiText(error))
    .replace(/\s+/g, " ")
    .replaceAll(parsedVersion.parsed, parsedVersion.shown)
    .trim()

/** The parser writes colours into pipes, and its complaints beside ours. */
const withPlainConsole = <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R | Stdio> =>
  Effect.flatMap(Stdio, ({ out }) =>
    Console.consoleWith((console) =>
      Effect.withConsole(self, {
        ...console,
        log: (...lines) => out.write(`${withoutAnsi(lines.join(" ")).trim()}\n`),
        error: () => Effect.void
      })
    )
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
  const flags = new Set(entries.flatMap((entry) => (entry._tag === "Flag" ? entry.names : [])))
  const words = beforeDashes(args)
  const separated = words.flatMap((word) => {
    const [, option, value] = /^(--[a-z-]+)=(.*)$/s.exec(word) ?? []
    if (option !== undefined && value !== undefined) return [option, value]
    return flags.has(word) ? [word, "true"] : [word]
  })
  // The first word is the program's own --version, or the command.
  const renamed = separated.map((word, i) =>
    i > 0 && word === parsedVersion.shown ? parsedVersion.parsed : word
  )
  return [...renamed, ...args.slice(words.length)]
}

/** Looks for what the parser can only call an unknown argument, or says nothing of. */
const problemWith = (words: ReadonlyArray<string>, entries: ReadonlyArray<Entry>): Option.Option<string> => {
  const byName = new Map(entries.flatMap((entry) => namesOf(entry).map((name) => [name, entry] as const)))
  const known = [...byName.keys(), ...builtIn.flatMap(namesOf), ...undocumented]
  let isValue = false
  for (const [i, word] of words.entries()) {
    const [name = ""] = word.split("=", 1)
    if (isValue || !/^--?[a-z]/i.test(word)) {
      isValue = false
      continue
    }
    if (!known.includes(name)) {
      return Option.some(`There is no option ${name}.${suggestion(name, [...byName.keys()])}`)
    }
    const entry = byName.get(name)
    if (entry?._tag !== "Value") continue
    isValue = name === word
    const value = isValue ? words[i + 1] : word.slice(name.length + 1)
    if (value === undefined) {
      return Option.some(`The option ${name} needs a value: ${name} ${entry.placeholder}.`)
    }
    if (entry.choices.length > 0 && !entry.choices.includes(value)) {
      return Option.some(`The option ${name} takes ${listed(entry.choices)}, not ${JSON.stringify(value)}.`)
    }
  }
  const missing = entries.filter(
    (entry) => entry._tag === "Value" && entry.isRequired && !isGiven(entry, words)
  )
  return missing.length === 0 ? Option.none() : Option.some(`Missing: ${missing.map(termOf).join(", ")}.`)
}

/** `a, b or c` */
const listed = (words: ReadonlyArray<string>): string =>
  [words.slice(0, -1).join(", "), ...words.slice(-1)].join(" or ")

const namesOf = (entry: Entry): ReadonlyArray<string> => (entry._tag === "Argument" ? [] : entry.names)

const isGiven = (entry: Entry, words: ReadonlyArray<string>): boolean =>
  namesOf(entry).some((name) => words.some((word) => word === name || word.startsWith(`${name}=`)))

/** A sentence to follow others; nothing where nothing known is near. */
const suggestion = (word: string, known: ReadonlyArray<string>): string =>
  Option.match(nearest(word, known), { onNone: () => "", onSome: (other) => ` Did you mean ${other}?` })
