/**
 * Arguments and options, each declared once: the parser, help and the complaints about a command line go by the same
 * declaration. First the ways to declare one, then those that several commands share.
 */
import * as Args from "@effect/cli/Args"
import * as Options from "@effect/cli/Options"
import type * as Option from "effect/Option"
import { ExtensionType } from "../../cloud/Extension.ts"

/** What there is to know of one argument or option without parsing anything. Names of options have their dashes. */
export type Entry =
  | {
      readonly _tag: "Argument"
      readonly name: string
      readonly meaning: string
      readonly isRequired: boolean
    }
  | { readonly _tag: "Flag"; readonly names: ReadonlyArray<string>; readonly meaning: string }
  | {
      readonly _tag: "Value"
      readonly names: ReadonlyArray<string>
      readonly placeholder: string
      /** All the values there are; none where any text is a value. */
      readonly choices: ReadonlyArray<string>
      readonly meaning: string
      readonly isRequired: boolean
    }

/** What a parser was declared with. */
export interface Declared {
  readonly entries: ReadonlyArray<Entry>
}

/** As help shows it: `<id>`, `--retries n`, `-q, --quiet`, `--allow problem...`. */
export const termOf = (entry: Entry): string => {
  switch (entry._tag) {
    case "Argument":
      return entry.name
    case "Flag":
      return entry.names.join(", ")
    case "Value":
      return `${entry.names.join(", ")} ${entry.placeholder}`
  }
}

export const isRequired = (entry: Entry): boolean => entry._tag !== "Flag" && entry.isRequired

export type Argument<A> = Args.Args<A> & Declared
export type Parameter<A> = Options.Options<A> & Declared

export const declare = <P extends object>(parser: P, entries: ReadonlyArray<Entry>): P & Declared =>
  Object.assign(parser, { entries })

const argument = (name: string, meaning: string): Argument<string> =>
  declare(Args.text({ name }).pipe(Args.withDescription(meaning)), [
    { _tag: "Argument", name: `<${name}>`, meaning, isRequired: true }
  ])

/** Off unless it is given. `letter` is its short form. */
export const flag = (name: string, meaning: string, letter?: string): Parameter<boolean> => {
  const option = Options.boolean(name).pipe(Options.withDescription(meaning))
  return letter === undefined
    ? declare(option, [{ _tag: "Flag", names: [`--${name}`], meaning }])
    : declare(Options.withAlias(option, letter), [
        { _tag: "Flag", names: [`-${letter}`, `--${name}`], meaning }
      ])
}

/** `placeholder` is what help shows for the value, `name` what is typed. */
export const value = <A>(
  name: string,
  placeholder: string,
  meaning: string,
  option: Options.Options<A>,
  choices: ReadonlyArray<string> = []
): Parameter<A> =>
  declare(option.pipe(Options.withPseudoName(placeholder), Options.withDescription(meaning)), [
    { _tag: "Value", names: [`--${name}`], placeholder, choices, meaning, isRequired: true }
  ])

export const text = (name: string, placeholder: string, meaning: string): Parameter<string> =>
  value(name, placeholder, meaning, Options.text(name))

export const choice = <const C extends ReadonlyArray<string>>(
  name: string,
  choices: C,
  meaning: string
): Parameter<C[number]> => value(name, choices.join("|"), meaning, Options.choice(name, choices), choices)

/** The same, with a choice whether to give it. */
export const optional = <A>(parameter: Parameter<A>): Parameter<Option.Option<A>> =>
  declare(Options.optional(parameter), notRequired(parameter))

export const optionalArgument = <A>(given: Argument<A>): Argument<Option.Option<A>> =>
  declare(Args.optional(given), notRequired(given))

export const notRequired = ({ entries }: Declared): ReadonlyArray<Entry> =>
  entries.map((entry) => (entry._tag === "Flag" ? entry : { ...entry, isRequired: false }))

export const extensionId: Argument<string> = argument("id", "Id of the extension, as list shows it.")

export const archive: Argument<string> = argument(
  "archive",
  "Path of the ZIP archive of a plugin or a bundle."
)

/** How a command reports. */
export interface OutputOptions {
  readonly json: boolean
  readonly quiet: boolean
}

const json = flag(
  "json",
  "Write one JSON object per line to standard output and nothing else: events, and last the result or the error."
)

const quiet = flag("quiet", "Write no progress and no notes. With --json: the last object alone.", "q")

export const output: Parameter<OutputOptions> = declare(Options.all({ json, quiet }), [
  ...json.entries,
  ...quiet.entries
])

export const dryRun: Parameter<boolean> = flag(
  "dry-run",
  "Say what would be done, and do nothing: nothing is sent, created, changed or deleted."
)

export const extensionType = (meaning: string): Parameter<ExtensionType> =>
  choice("type", ExtensionType.literals, meaning)

export const pluginOrBundle: Parameter<ExtensionType> = extensionType(
  "A plugin adds code to Elasticsearch, a bundle adds files."
)

export const name: Parameter<string> = text("name", "name", 'ASCII letters, digits, "_", "." and "-".')

/**
 * The parser keeps `--version` for itself wherever on the line it stands, so it gets the `--version` of an extension
 * under another name.
 */
export const parsedVersion = { shown: "--version", parsed: "--extension-version" } as const

export const version: Parameter<string> = value(
  "version",
  "version",
  'Version of Elasticsearch that it is for: in full, or for a bundle also a pattern such as "8.*" or "*".',
  Options.text("extension-version")
)

export const description: Parameter<string> = text("description", "text", "What the extension is for.")

export const downloadUrl: Parameter<string> = text(
  "download-url",
  "url",
  "Address from which the service fetches the archive itself. It has to be reachable for the service, without redirects, and with no credentials but those in the URL. For more than 200 MB this, or an object store, is the documented way."
)

export const skipPreflight: Parameter<boolean> = flag(
  "skip-preflight",
  "Tell the service to fetch without trying the URL from here first: for one that the service can reach and this machine cannot."
)
