/** Help for a page of 80 columns: arguments and options beside what they mean, and examples to copy. */
import type { Page } from "./command.ts"
import { type Entry, isRequired, termOf } from "./parameters.ts"
import type { Style } from "./terminal.ts"
import { commandName, indent, pageWidth, wrap } from "./text.ts"

const meaningsBegin = 24

/** The program with all its commands. */
export const overview = (program: Page, commands: ReadonlyArray<Page>, style: Style): string =>
  text(
    [`${style.bold(program.name)} <command> [options]`],
    ...paragraphs(program),
    section(
      style,
      "Commands",
      commands.flatMap(({ name, summary }) => beside(name, summary))
    ),
    entriesOf("Options", program.entries, style),
    examplesOf(program, style)
  )

/** One command. */
export const details = (page: Page, style: Style): string => {
  const [parameters, words] = partition(page.entries)
  return text(
    wrap(
      [style.bold(`${commandName} ${page.name}`), ...usage(words, parameters), "[options]"].join(" "),
      pageWidth
    ),
    ...paragraphs(page),
    entriesOf("Arguments", words, style),
    entriesOf("Options", parameters, style),
    examplesOf(page, style)
  )
}

const partition = (entries: ReadonlyArray<Entry>) =>
  [
    entries.filter(({ _tag }) => _tag !== "Argument"),
    entries.filter(({ _tag }) => _tag === "Argument")
  ] as const

const paragraphs = ({ details = [], summary }: Page): ReadonlyArray<ReadonlyArray<string>> =>
  [summary, ...details].map((paragraph) => wrap(paragraph, pageWidth))

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

const section = (style: Style, heading: string, lines: ReadonlyArray<string>): ReadonlyArray<string> =>
  lines.length === 0 ? [] : [style.bold(heading), ...lines]

const entriesOf = (heading: string, entries: ReadonlyArray<Entry>, style: Style): ReadonlyArray<string> =>
  section(
    style,
    heading,
    entries.flatMap((entry) => beside(termOf(entry), entry.meaning))
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
