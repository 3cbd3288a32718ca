/**
 * Arguments and options, each declared once: the parser, help and the complaints about a command line go by the same
 * declaration. First the ways to declare one, then those that several commands share. Help loads this module and no
 * parser, so a declaration says how to make its parser instead of having one.
 */
import type * as Args from "@effect/cli/Args"
import type * as Options from "@effect/cli/Options"
import type * as Option from "effect/Option"
import type { ExtensionType } from "../../cloud/Extension.ts"

/** What the shell may offer for a value. */
export type Completes = "files" | "folders" | "extensions" | "nothing"

/** What there is to know of one argument or option without parsing anything. Names of options have their dashes. */
export type Entry =
  | {
      readonly _tag: "Argument"
      readonly name: string
      readonly meaning: string
      readonly isRequired: boolean
      readonly completes: Completes
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
      readonly completes: Completes
    }

/** What parsers are made with. */
export interface Library {
  readonly Args: typeof Args
  readonly Options: typeof Options
  /** The path of a file, and what it holds. */
  readonly fileText: (name: string) => Options.Options<readonly [path: string, content: string]>
}

/** What help shows, and how to make the parser `P` of the same. */
export interface Declared<out P> {
  readonly entries: ReadonlyArray<Entry>
  readonly parser: (library: Library) => P
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

/** None for an argument. */
export const namesOf = (entry: Entry): ReadonlyArray<string> => (entry._tag === "Argument" ? [] : entry.names)

export const isRequired = (entry: Entry): boolean => entry._tag !== "Flag" && entry.isRequired

export type Argument<A> = Declared<Args.Args<A>>
export type Parameter<A> = Declared<Options.Options<A>>

const argument = (name: string, meaning: string, completes: Completes): Argument<string> => ({
  entries: [{ _tag: "Argument", name: `<${name}>`, meaning, isRequired: true, completes }],
  parser: ({ Args }) => Args.text({ name }).pipe(Args.withDescription(meaning))
})

/** Off unless it is given. `letter` is its short form. */
export const flag = (name: string, meaning: string, letter?: string): Parameter<boolean> => ({
  entries: [{ _tag: "Flag", names: [...(letter === undefined ? [] : [`-${letter}`]), `--${name}`], meaning }],
  parser: ({ Options }) => {
    const option = Options.boolean(name).pipe(Options.withDescription(meaning))
    return letter === undefined ? option : Options.withAlias(option, letter)
  }
})

/** `placeholder` is what help shows for the value, `name` what is typed. */
export const value = <A>(
  name: string,
  placeholder: string,
  meaning: string,
  option: (library: Library) => Options.Options<A>,
  offers: { readonly choices?: ReadonlyArray<string>; readonly completes?: Completes } = {}
): Parameter<A> => ({
  entries: [
    {
      _tag: "Value",
      names: [`--${name}`],
      placeholder,
      choices: offers.choices ?? [],
      meaning,
      isRequired: true,
      completes: offers.completes ?? "nothing"
    }
  ],
  parser: (library) =>
    option(library).pipe(
      library.Options.withPseudoName(placeholder),
      library.Options.withDescription(meaning)
    )
})

export const text = (
  name: string,
  placeholder: string,
  meaning: string,
  completes: Completes = "nothing"
): Parameter<string> => value(name, placeholder, meaning, ({ Options }) => Options.text(name), { completes })

export const choice = <const C extends ReadonlyArray<string>>(
  name: string,
  choices: C,
  meaning: string
): Parameter<C[number]> =>
  value(name, choices.join("|"), meaning, ({ Options }) => Options.choice(name, choices), { choices })

/** May be given again and again. */
export const repeated = (
  name: string,
  placeholder: string,
  meaning: string
): Parameter<ReadonlyArray<string>> =>
  notRequired(
    value(name, `${placeholder}...`, meaning, ({ Options }) => Options.repeated(Options.text(name)))
  )

/** The same, with a choice whether to give it. */
export const optional = <A>(parameter: Parameter<A>): Parameter<Option.Option<A>> =>
  notRequired({
    ...parameter,
    parser: (library) => library.Options.optional(parameter.parser(library))
  })

export const optionalArgument = <A>(given: Argument<A>): Argument<Option.Option<A>> =>
  notRequired({ ...given, parser: (library) => library.Args.optional(given.parser(library)) })

/** Says that it may be left out, which its parser has to allow. */
const notRequired = <P>({ entries, parser }: Declared<P>): Declared<P> => ({
  entries: entries.map((entry) => (entry._tag === "Flag" ? entry : { ...entry, isRequired: false })),
  parser
})

/** Parses to something else. */
export const map = <A, B>(parameter: Parameter<A>, f: (value: A) => B): Parameter<B> => ({
  ...parameter,
  parser: (library) => library.Options.map(parameter.parser(library), f)
})

export const extensionId: Argument<string> = argument(
  "id",
  "Id of the extension, as list shows it.",
  "extensions"
)

export const extension: Argument<string> = argument(
  "extension",
  "Id or name of the extension, as list shows them.",
  "extensions"
)

/** All of them, in the order in which help shows them. */
const extensionTypes = Object.values({
  plugin: "plugin",
  bundle: "bundle"
} satisfies { readonly [T in ExtensionType]: T })

/** Where a name is not enough. */
export const typeOfNamed: Parameter<Option.Option<ExtensionType>> = optional(
  choice("type", extensionTypes, "Which one is meant, where a plugin and a bundle have the same name.")
)

export const archive: Argument<string> = argument(
  "archive",
  "Path of the ZIP archive of a plugin or a bundle.",
  "files"
)

export const releasedArchive: Argument<string> = argument(
  "archive",
  "Path or URL of the ZIP archive, as the runner can read it.",
  "files"
)

export const release: Argument<string> = argument(
  "release",
  "Execution id or release id, as releases list shows them.",
  "nothing"
)

/** How a command reports. */
export interface OutputOptions {
  readonly json: boolean
  /** Where to write the lines of JSON, whatever the streams are for. */
  readonly jsonFile: Option.Option<string>
  readonly quiet: boolean
}

const json = flag(
  "json",
  "Write one JSON object per line to standard output and nothing else: events, and last the result or the error."
)

const jsonFile = optional(
  text(
    "json-file",
    "path",
    "Write the same lines to a file, and let the terminal or the log have progress and result.",
    "files"
  )
)

const quiet = flag("quiet", "Write no progress and no notes. With --json: the last object alone.", "q")

export const output: Parameter<OutputOptions> = {
  entries: [json, jsonFile, quiet].flatMap(({ entries }) => entries),
  parser: (library) =>
    library.Options.all({
      json: json.parser(library),
      jsonFile: jsonFile.parser(library),
      quiet: quiet.parser(library)
    })
}

export const dryRun: Parameter<boolean> = flag(
  "dry-run",
  "Say what would be done, and do nothing: nothing is sent, created, changed or deleted."
)

export const extensionType = (meaning: string): Parameter<ExtensionType> =>
  choice("type", extensionTypes, meaning)

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
  ({ Options }) => Options.text("extension-version")
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
