/**
 * Help for a page of 80 columns: arguments and options beside what they mean, and examples to copy. All text comes from the
 * commands themselves; only the layout differs from the one that `@effect/cli` has built in.
 */
import { indent, wrap } from "./layout.ts"
import { type AnyCommand, type Entry, isRequired, type Page, read } from "./page.ts"
import { commandName } from "./remedy.ts"
import type { Style } from "./style.ts"

/** Pages are this wide on every screen: longer lines are hard to read. */
const pageWidth = 80
const meaningsBegin = 24

/** The program with all its commands. */
export const overview = (root: AnyCommand, commands: ReadonlyArray<AnyCommand>, style: Style): string => {
  const page = read(root)
  return text(
    [`${style.bold(commandName)} <command> [options]`],
    ...page.description.map((paragraph) => wrap(paragraph, pageWidth)),
    section(
      style,
      "Commands",
      commands.map(read).flatMap(({ description, name }) => beside(name, description[0] ?? ""))
    ),
    section(style, "Options", [
      ...beside("--help, -h", "This page, or that of the command it follows."),
      ...beside("--version", "The version of this program."),
      ...beside("--completions shell", "Completions for sh, bash, fish or zsh, on standard output.")
    ]),
    examplesOf(page, style)
  )
}

/** One command. */
export const details = (command: AnyCommand, style: Style): string => {
  const page = read(command)
  return text(
    wrap([style.bold(`${commandName} ${page.name}`), ...usage(page), "[options]"].join(" "), pageWidth),
    ...page.description.map((paragraph) => wrap(paragraph, pageWidth)),
    entriesOf("Arguments", page.arguments, style),
    entriesOf("Options", page.options, style),
    examplesOf(page, style)
  )
}

/** What cannot be left out, and arguments that can. */
const usage = ({ arguments: words, options }: Page): ReadonlyArray<string> => [
  ...words.map(({ isOptional, term }) => (isOptional ? `[${term}]` : term)),
  ...options.filter(isRequired).map(({ term }) => term)
]

const text = (...parts: ReadonlyArray<ReadonlyArray<string>>): string =>
  `${parts
    .filter((lines) => lines.length > 0)
    .map((lines) => lines.join("\n"))
    .join("\n\n")}\n`

const section = (style: Style, heading: string, lines: ReadonlyArray<string>): ReadonlyArray<string> =>
  lines.length === 0 ? [] : [style.bold(heading), ...lines]

const entriesOf = (heading: string, entries: ReadonlyArray<Entry>, style: Style): ReadonlyArray<string> =>
  section(
    style,
    heading,
    entries.flatMap(({ meaning, term }) => beside(term, meaning))
  )

const examplesOf = ({ examples }: Page, style: Style): ReadonlyArray<string> =>
  section(
    style,
    "Examples",
    examples.flatMap(([line, what]) => [`  ${what}`, ...continued(`${commandName} ${line}`).map(style.dim)])
  )

/** A command line over several lines, broken before options, where no quoted text can be torn apart. */
const continued = (line: string): ReadonlyArray<string> => {
  const lines: Array<string> = []
  for (const part of line.split(/ (?=--)/)) {
    const last = lines.at(-1)
    if (last !== undefined && last.length + part.length <= pageWidth - 10)
      lines[lines.length - 1] = `${last} ${part}`
    else lines.push(part)
  }
  return lines.map((part, i) => `${i === 0 ? "    " : "      "}${part}${i < lines.length - 1 ? " \\" : ""}`)
}

const beside = (term: string, meaning: string): ReadonlyArray<string> => {
  const lines = indent(wrap(meaning, pageWidth - meaningsBegin), meaningsBegin)
  const head = `  ${term}`
  return head.length >= meaningsBegin - 1
    ? [head, ...lines]
    : [head + (lines[0] ?? "").slice(head.length), ...lines.slice(1)]
}
