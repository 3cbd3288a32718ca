/**
 * Help for a page of 80 columns: arguments and options beside what they mean, and examples to copy. All text comes from the
 * commands themselves; only the layout differs from the one that `@effect/cli` has built in.
 */
import * as CliConfig from "@effect/cli/CliConfig"
import * as Descriptor from "@effect/cli/CommandDescriptor"
import type * as HelpDoc from "@effect/cli/HelpDoc"
import type * as Span from "@effect/cli/HelpDoc/Span"
import * as HashSet from "effect/HashSet"
import { indent, wrap } from "./layout.ts"
import { commandName } from "./remedy.ts"
import type { Style } from "./style.ts"
import * as versionOption from "./versionOption.ts"

/** Pages are this wide on every screen: longer lines are hard to read. */
const pageWidth = 80
const meaningsBegin = 24

/** A command as its own help sees it. */
interface Page {
  readonly name: string
  readonly description: ReadonlyArray<string>
  readonly examples: ReadonlyArray<readonly [line: string, what: string]>
  readonly arguments: ReadonlyArray<Entry>
  readonly options: ReadonlyArray<Entry>
}

interface Entry {
  readonly term: string
  readonly meaning: string
  readonly isOptional: boolean
}

/** The program with all its commands. */
export const overview = (
  root: Descriptor.Command<unknown>,
  commands: ReadonlyArray<Descriptor.Command<unknown>>,
  style: Style
): string => {
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
export const details = (command: Descriptor.Command<unknown>, style: Style): string => {
  const page = read(command)
  const words = page.arguments.map(({ isOptional, term }) => (isOptional ? `[${term}]` : term))
  return text(
    [`${style.bold(`${commandName} ${page.name}`)} ${[...words, "[options]"].join(" ")}`],
    ...page.description.map((paragraph) => wrap(paragraph, pageWidth)),
    entriesOf("Arguments", page.arguments, style),
    entriesOf("Options", page.options, style),
    examplesOf(page, style)
  )
}

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
    examples.flatMap(([line, what]) => [`  ${what}`, style.dim(`    ${commandName} ${line}`)])
  )

const beside = (term: string, meaning: string): ReadonlyArray<string> => {
  const lines = indent(wrap(meaning, pageWidth - meaningsBegin), meaningsBegin)
  const head = `  ${term}`
  return head.length >= meaningsBegin - 1
    ? [head, ...lines]
    : [head + (lines[0] ?? "").slice(head.length), ...lines.slice(1)]
}

const config = CliConfig.make({ showBuiltIns: false })

/** Sections come as headers of the first level; examples, as `framed` writes them, as headers of the third. */
const read = (command: Descriptor.Command<unknown>): Page => {
  const description: Array<string> = []
  const examples: Array<readonly [string, string]> = []
  const entries = { ARGUMENTS: [] as Entry[], OPTIONS: [] as Entry[] }
  let section = "DESCRIPTION"
  let example: string | undefined
  for (const block of blocksOf(Descriptor.getHelp(command, config))) {
    if (block._tag === "Header" && block.level === 3) example = textOf(block.value)
    else if (block._tag === "Header") section = textOf(block.value)
    else if (block._tag === "Paragraph" && section === "DESCRIPTION") description.push(textOf(block.value))
    else if (block._tag === "Paragraph" && example !== undefined)
      examples.push([example, textOf(block.value)])
    else if (block._tag === "DescriptionList" && (section === "ARGUMENTS" || section === "OPTIONS")) {
      entries[section].push(...block.definitions.map(entryOf))
    }
  }
  return {
    name: nameOf(command),
    description,
    examples,
    arguments: entries.ARGUMENTS,
    options: entries.OPTIONS
  }
}

/** What the parser adds by itself: the primitive type first, then remarks. */
const entryOf = ([term, doc]: readonly [Span.Span, HelpDoc.HelpDoc]): Entry => {
  const paragraphs = blocksOf(doc).flatMap((block) =>
    block._tag === "Paragraph" ? [textOf(block.value)] : []
  )
  const remarks = paragraphs.filter((paragraph) => /^This (setting|option|argument) /.test(paragraph))
  return {
    term: versionOption
      .takeOut(textOf(term))
      .replace(/^\((.*)\)$/, "$1")
      .replaceAll(" | ", "|"),
    meaning: paragraphs.filter((paragraph, i) => i > 0 && !remarks.includes(paragraph)).join(" "),
    isOptional: remarks.some((remark) => remark.startsWith("This setting is optional"))
  }
}

/** The words of a document in one line. */
export const sentenceOf = (doc: HelpDoc.HelpDoc): string =>
  blocksOf(doc)
    .flatMap((block) =>
      block._tag === "Paragraph" || block._tag === "Header" ? [textOf(block.value).trim()] : []
    )
    .join(" ")

/** The name under which a command is called. */
export const nameOf = (command: Descriptor.Command<unknown>): string =>
  HashSet.toValues(Descriptor.getNames(command))[0] ?? ""

type Block = Exclude<HelpDoc.HelpDoc, HelpDoc.Sequence | HelpDoc.Empty>

const blocksOf = (doc: HelpDoc.HelpDoc): ReadonlyArray<Block> => {
  switch (doc._tag) {
    case "Empty":
      return []
    case "Sequence":
      return [...blocksOf(doc.left), ...blocksOf(doc.right)]
    default:
      return [doc]
  }
}

const textOf = (span: Span.Span): string => {
  switch (span._tag) {
    case "Text":
    case "URI":
      return span.value
    case "Sequence":
      return textOf(span.left) + textOf(span.right)
    default:
      return textOf(span.value)
  }
}
