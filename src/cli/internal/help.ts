/** Help as wide as the screen: arguments and options beside what they mean, or above it, and examples to copy. */
import { documentation } from "../Project.ts"
import type { Page } from "./definitions.ts"
import { type Entry, isRequired, termOf } from "./parameters.ts"
import type { Style } from "./style.ts"
import { commandName, indent, widthOf, wrap } from "./text.ts"

/** Where a page is shown. */
export interface Screen {
  readonly style: Style
  /** Columns to fill. */
  readonly width: number
}

const meaningsBegin = 24

/** Below this width, meanings stand under what they explain. */
const widthForTwoColumns = 60

/** The program with all its commands. */
export const overview = (program: Page, commands: ReadonlyArray<Page>, screen: Screen): string =>
  text(
    [`${screen.style.bold(program.name)} <command> [options]`],
    ...paragraphs(program, screen),
    section(
      screen,
      "Commands",
      commands.flatMap(({ name, summary }) => beside(name, summary, screen))
    ),
    entriesOf("Options", program.entries, screen),
    examplesOf(program, screen),
    more("", screen)
  )

/** One command. */
export const details = (page: Page, screen: Screen): string => {
  const [parameters, words] = partition(page.entries)
  return text(
    wrap(
      [screen.style.bold(`${commandName} ${page.name}`), ...usage(words, parameters), "[options]"].join(" "),
      screen.width
    ),
    ...paragraphs(page, screen),
    entriesOf("Arguments", words, screen),
    entriesOf("Options", parameters, screen),
    examplesOf(page, screen),
    more("cli", screen)
  )
}

const more = (page: string, screen: Screen): ReadonlyArray<string> =>
  section(screen, "Documentation", [`  ${documentation}${page}`])

const partition = (entries: ReadonlyArray<Entry>) =>
  [
    entries.filter(({ _tag }) => _tag !== "Argument"),
    entries.filter(({ _tag }) => _tag === "Argument")
  ] as const

const paragraphs = (
  { details = [], summary }: Page,
  { width }: Screen
): ReadonlyArray<ReadonlyArray<string>> => [summary, ...details].map((paragraph) => wrap(paragraph, width))

/** What cannot be left out, and arguments that can. */
const usage = (words: ReadonlyArray<Entry>, parameters: ReadonlyArray<Entry>): ReadonlyArray<string> => [
  ...words.map((word) => (isRequired(word) ? termOf(word) : `[${termOf(word)}]`)),
  ...parameters.filter(isRequired).map(termOf)
]

const text = (...parts: ReadonlyArray<ReadonlyArray<string>>): string =>
  `${parts
    .filter((lines) => lines.length > 0)
    .map((lines) => lines.join("\n"))
    .join("\n\n")}\n`

const section = ({ style }: Screen, heading: string, lines: ReadonlyArray<string>): ReadonlyArray<string> =>
  lines.length === 0 ? [] : [style.bold(heading), ...lines]

const entriesOf = (heading: string, entries: ReadonlyArray<Entry>, screen: Screen): ReadonlyArray<string> =>
  section(
    screen,
    heading,
    entries.flatMap((entry) => beside(termOf(entry), entry.meaning, screen))
  )

const examplesOf = ({ examples }: Page, screen: Screen): ReadonlyArray<string> =>
  section(
    screen,
    "Examples",
    examples.flatMap(([line, what]) => [
      ...indent(wrap(what, screen.width - 2), 2),
      ...continued(`${commandName} ${line}`, screen.width).map(screen.style.dim)
    ])
  )

/** A command line over several lines, broken before options, where no quoted text can be torn apart. */
const continued = (line: string, width: number): ReadonlyArray<string> => {
  const lines: Array<string> = []
  for (const part of line.split(/ (?=--)/)) {
    const last = lines.at(-1)
    if (last !== undefined && last.length + part.length <= width - 10)
      lines[lines.length - 1] = `${last} ${part}`
    else lines.push(part)
  }
  return lines.map((part, i) => `${i === 0 ? "    " : "      "}${part}${i < lines.length - 1 ? " \\" : ""}`)
}

const beside = (term: string, meaning: string, { width }: Screen): ReadonlyArray<string> => {
  const head = `  ${term}`
  if (width < widthForTwoColumns) return [head, ...indent(wrap(meaning, width - 6), 6)]
  const lines = indent(wrap(meaning, width - meaningsBegin), meaningsBegin)
  return widthOf(head) >= meaningsBegin - 1
    ? [head, ...lines]
    : [head + (lines[0] ?? "").slice(head.length), ...lines.slice(1)]
}
