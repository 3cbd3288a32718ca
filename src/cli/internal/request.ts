/** What a command line asks for, and what is wrong with it in plainer words than the parser's. */
import * as Arr from "effect/Array"
import * as Data from "effect/Data"
import * as Option from "effect/Option"
import { membersOf, type Shell, shells } from "./completions.ts"
import type { Page } from "./definitions.ts"
import { type Entry, isRequired, namesOf, termOf } from "./parameters.ts"
import { commandLine, nearest } from "./text.ts"

/** What is asked for. */
export type Request = Data.TaggedEnum<{
  /** The page of a command, or the overview. */
  Help: { readonly page: Option.Option<Page> }
  Version: { readonly json: boolean }
  Completions: { readonly shell: Shell }
  Run: { readonly page: Page }
  Refused: { readonly problem: string; readonly page: Option.Option<Page> }
}>

export const Request = Data.taggedEnum<Request>()

/** The options of the program itself. */
export const programOptions: ReadonlyArray<Entry> = [
  { _tag: "Flag", names: ["--help", "-h"], meaning: "This page, or that of the command it follows." },
  {
    _tag: "Flag",
    names: ["--version", "-v"],
    meaning: "The version of this program; with --json as one line of JSON."
  },
  {
    _tag: "Value",
    names: ["--completions"],
    placeholder: shells.join("|"),
    choices: shells,
    meaning: "A script for the shell that completes commands, options and values, on standard output.",
    isRequired: false,
    completes: "nothing"
  }
]

const versionWords = ["version", "--version", "-v", "-V"]

/** Reads the words before any `--`; `further` are those after it, which are arguments whatever they look like. */
export const requestOf = (
  given: ReadonlyArray<string>,
  further: ReadonlyArray<string>,
  pages: ReadonlyArray<Page>
): Request => {
  const words = joined(given, pages)
  const [first = "help", ...rest] = words
  const pageOf = (name: string | undefined) => Arr.findFirst(pages, (page) => page.name === name)
  if (first === "help") return help(rest.find(isArgument), pages)
  if (words.includes("--help") || words.includes("-h")) {
    return help(words.find(isArgument), pages)
  }
  if (first === "--completions" || first.startsWith("--completions=")) {
    return completions(first === "--completions" ? rest[0] : first.slice("--completions=".length))
  }
  if (versionWords.includes(first) || (words.includes("--version") && !words.some(isArgument))) {
    return Request.Version({ json: words.includes("--json") })
  }
  if (!isArgument(first)) return misplaced(first, pageOf(words.find((word) => Option.isSome(pageOf(word)))))
  return Option.match(pageOf(first), {
    onNone: () => unknownCommand(first, pages),
    onSome: (page) =>
      Option.match(problemWith(rest, further, page, pages), {
        onNone: () => Request.Run({ page }),
        onSome: (problem) => Request.Refused({ problem, page: Option.some(page) })
      })
  })
}

/** The name of a command may be two words, such as `releases list`. */
const joined = (words: ReadonlyArray<string>, pages: ReadonlyArray<Page>): ReadonlyArray<string> => {
  const at = words[0] === "help" ? 1 : 0
  const name = words.slice(at, at + 2).join(" ")
  return pages.some((page) => page.name === name)
    ? [...words.slice(0, at), name, ...words.slice(at + 2)]
    : words
}

const isArgument = (word: string): boolean => !/^--?[a-z]/i.test(word)

const help = (name: string | undefined, pages: ReadonlyArray<Page>): Request => {
  if (name === undefined) return Request.Help({ page: Option.none() })
  const page = Arr.findFirst(pages, (page) => page.name === name)
  if (membersOf(name, pages).length > 0) return Request.Help({ page: Option.none() })
  return Option.isSome(page) ? Request.Help({ page }) : unknownCommand(name, pages)
}

const completions = (given: string | undefined): Request =>
  Option.match(
    Arr.findFirst(shells, (shell) => shell === given),
    {
      onSome: (shell) => Request.Completions({ shell }),
      onNone: () =>
        Request.Refused({
          problem:
            given === undefined
              ? `The option --completions needs the name of a shell: ${listed(shells)}.`
              : `The option --completions takes ${listed(shells)}, not ${JSON.stringify(given)}.${suggestion(given, shells)}`,
          page: Option.none()
        })
    }
  )

const unknownCommand = (name: string, pages: ReadonlyArray<Page>): Request => {
  const members = membersOf(name, pages)
  return Request.Refused({
    problem:
      members.length > 0
        ? `The command ${name} is followed by what to do: ${listed(members)}.`
        : `There is no command ${name}.${suggestion(
            name,
            pages.map((page) => page.name)
          )}`,
    page: Option.none()
  })
}

/** An option before the command: one of the command's, or none at all. */
const misplaced = (option: string, page: Option.Option<Page>): Request => {
  const name = nameOf(option)
  const known = programOptions.flatMap(namesOf)
  return Option.match(
    Option.filter(page, ({ entries }) => entries.flatMap(namesOf).includes(name)),
    {
      onNone: () =>
        Request.Refused({ problem: `There is no option ${name}.${suggestion(name, known)}`, page }),
      onSome: (page) =>
        Request.Refused({
          problem: `Options follow the command: ${commandLine(page.name, option)}`,
          page: Option.some(page)
        })
    }
  )
}

const nameOf = (word: string): string => word.split("=", 1)[0] ?? word

/** Looks for what the parser can only call an unknown argument, or says nothing of. */
const problemWith = (
  words: ReadonlyArray<string>,
  further: ReadonlyArray<string>,
  page: Page,
  pages: ReadonlyArray<Page>
): Option.Option<string> => {
  const byName = new Map(
    page.entries.flatMap((entry) => namesOf(entry).map((name) => [name, entry] as const))
  )
  const given: Array<string> = []
  let isValue = false
  for (const [i, word] of words.entries()) {
    if (isValue) {
      isValue = false
      continue
    }
    if (isArgument(word)) {
      given.push(word)
      continue
    }
    const name = nameOf(word)
    const entry = byName.get(name)
    if (entry === undefined) return Option.some(unknownOption(name, page, pages))
    if (entry._tag !== "Value") continue
    isValue = name === word
    const value = isValue ? words[i + 1] : word.slice(name.length + 1)
    if (value === undefined) {
      return Option.some(`The option ${name} needs a value: ${name} ${entry.placeholder}.`)
    }
    if (entry.choices.length > 0 && !entry.choices.includes(value)) {
      return Option.some(
        `The option ${name} takes ${listed(entry.choices)}, not ${JSON.stringify(value)}.${suggestion(value, entry.choices)}`
      )
    }
  }
  return Option.orElse(problemWithArguments([...given, ...further], page), () =>
    missing(
      page.entries.filter((entry) => entry._tag === "Value" && isRequired(entry) && !isGiven(entry, words))
    )
  )
}

/** One of another command is told from one that is nowhere. */
const unknownOption = (name: string, page: Page, pages: ReadonlyArray<Page>): string => {
  const others = pages.filter(({ entries }) => entries.flatMap(namesOf).includes(name))
  if (others.length > 0) {
    return `The command ${page.name} has no option ${name}; ${listed(
      others.map((other) => other.name),
      "and"
    )} ${others.length === 1 ? "has" : "have"}.`
  }
  return `There is no option ${name}.${suggestion(name, [...page.entries, ...programOptions].flatMap(namesOf))}`
}

const problemWithArguments = (given: ReadonlyArray<string>, page: Page): Option.Option<string> => {
  const words = page.entries.filter(({ _tag }) => _tag === "Argument")
  const tooMuch = given[words.length]
  if (tooMuch !== undefined) {
    const takes = words.length === 0 ? "no argument" : `${words.map(termOf).join(" ")} and no more`
    return Option.some(`The command ${page.name} takes ${takes}: ${JSON.stringify(tooMuch)} is too much.`)
  }
  return missing(words.slice(given.length).filter(isRequired))
}

const missing = (entries: ReadonlyArray<Entry>): Option.Option<string> =>
  entries.length === 0 ? Option.none() : Option.some(`Missing: ${entries.map(termOf).join(", ")}.`)

/** `a, b or c` */
const listed = (words: ReadonlyArray<string>, conjunction = "or"): string =>
  words.length < 2
    ? words.join("")
    : `${words.slice(0, -1).join(", ")} ${conjunction} ${words.slice(-1).join("")}`

const isGiven = (entry: Entry, words: ReadonlyArray<string>): boolean =>
  namesOf(entry).some((name) => words.some((word) => word === name || word.startsWith(`${name}=`)))

/** A sentence to follow others; nothing where nothing known is near. For a lone letter, the options that begin with it. */
const suggestion = (word: string, known: ReadonlyArray<string>): string => {
  const near = /^-[a-z]$/i.test(word)
    ? known.filter((name) => name.startsWith(`-${word.toLowerCase()}`)).slice(0, 3)
    : Option.toArray(nearest(word, known))
  return near.length === 0 ? "" : ` Did you mean ${listed(near)}?`
}
