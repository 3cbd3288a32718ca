/** A command as its own help tells it: what the layout of help and the reading of command lines go by. */
import * as CliConfig from "@effect/cli/CliConfig"
import * as Descriptor from "@effect/cli/CommandDescriptor"
import type * as HelpDoc from "@effect/cli/HelpDoc"
import type * as Span from "@effect/cli/HelpDoc/Span"
import * as HashSet from "effect/HashSet"
import * as versionOption from "./versionOption.ts"

/** Of any command, whatever its options parse to. */
export type AnyCommand = Descriptor.Command<unknown>

export interface Page {
  readonly name: string
  readonly description: ReadonlyArray<string>
  readonly examples: ReadonlyArray<readonly [line: string, what: string]>
  readonly arguments: ReadonlyArray<Entry>
  readonly options: ReadonlyArray<Entry>
}

/** An argument or an option. */
export interface Entry {
  /** As help shows it: `<id>`, `--retries n`, `-q, --quiet`, `--allow problem...`. */
  readonly term: string
  readonly meaning: string
  readonly isOptional: boolean
}

/** The names of an option, with their dashes. */
export const namesOf = ({ term }: Entry): ReadonlyArray<string> =>
  term.split(/,? /).filter((word) => word.startsWith("-"))

/** What stands for an option's value; `undefined` for a flag, which has none. */
export const placeholderOf = ({ term }: Entry): string | undefined =>
  term.split(/,? /).find((word) => !word.startsWith("-"))

const config = CliConfig.make({ showBuiltIns: false })

/** Flags never are, and arguments always unless they say otherwise. */
export const isRequired = (entry: Entry): boolean => !entry.isOptional && placeholderOf(entry) !== undefined

/** Sections come as headers of the first level; examples, as `framed` writes them, as headers of the third. */
export const read = (command: AnyCommand): Page => {
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
    isOptional: remarks.length > 0
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
export const nameOf = (command: AnyCommand): string => HashSet.toValues(Descriptor.getNames(command))[0] ?? ""

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
