/**
 * Options that stand for environment variables. A command does not read them: they are laid over the environment as a
 * `ConfigProvider`, so that the library's own `layerConfig`s stay the one source of names, defaults and rules.
 */
import * as Option from "effect/Option"
import * as Parameters from "./parameters.ts"

/** One option as it was given on the command line. */
export interface Given {
  /** With its dashes. */
  readonly option: string
  readonly variable: string
  readonly value: string
  /** What to type to give it again: for an option that names a file, the file. */
  readonly words: ReadonlyArray<string>
}

/** Parses to what was given. */
export type Variables = Parameters.Parameter<ReadonlyArray<Given>>

/** No variables: for commands that read no configuration. */
export const none: Variables = {
  entries: [],
  parser: ({ Options }) => Options.map(Options.none, () => [])
}

const all = (...variables: ReadonlyArray<Variables>): Variables => ({
  entries: variables.flatMap(({ entries }) => entries),
  parser: (library) =>
    library.Options.map(library.Options.all(variables.map(({ parser }) => parser(library))), (givens) =>
      givens.flat()
    )
})

interface About {
  readonly variable: string
  /** A sentence or two; the variable's name is added. */
  readonly meaning: string
}

const withVariable = ({ meaning, variable }: About): string => `${meaning} [${variable}]`

/** A variable whose option has a value, and need not be given. */
const optional = <A>(
  parameter: Parameters.Parameter<A>,
  givenOf: (value: A) => ReadonlyArray<Given>
): Variables =>
  Parameters.map(Parameters.optional(parameter), Option.match({ onNone: () => [], onSome: givenOf }))

const given =
  (name: string, variable: string) =>
  (value: string): ReadonlyArray<Given> => [
    { option: `--${name}`, variable, value, words: [`--${name}`, value] }
  ]

const text = (
  name: string,
  placeholder: string,
  about: About,
  completes: Parameters.Completes = "nothing"
): Variables =>
  optional(Parameters.text(name, placeholder, withVariable(about), completes), given(name, about.variable))

const choice = (name: string, choices: ReadonlyArray<string>, about: About): Variables =>
  optional(Parameters.choice(name, choices, withVariable(about)), given(name, about.variable))

const flag = (name: string, about: About): Variables => {
  const parameter = Parameters.flag(name, withVariable(about))
  const { variable } = about
  return Parameters.map(parameter, (isOn) =>
    isOn ? [{ option: `--${name}`, variable, value: "true", words: [`--${name}`] }] : []
  )
}

/** May be given again and again; the values become one comma-separated variable. */
const repeated = (name: string, placeholder: string, about: About): Variables => {
  const { variable } = about
  return Parameters.map(Parameters.repeated(name, placeholder, withVariable(about)), (values) => {
    const words = values.flatMap((value) => [`--${name}`, value])
    return values.length === 0 ? [] : [{ option: `--${name}`, variable, value: values.join(","), words }]
  })
}

/** The variable's value is what the file holds. */
const file = (name: string, about: About): Variables =>
  optional(
    Parameters.value(name, "path", withVariable(about), ({ fileText }) => fileText(name), {
      completes: "files"
    }),
    ([path, content]) => [
      { option: `--${name}`, variable: about.variable, value: content, words: [`--${name}`, path] }
    ]
  )

/** Where the API is, and the key to it. */
export const connection: Variables = all(
  text("endpoint", "url", {
    variable: "EC_ENDPOINT",
    meaning: "Address of the Elastic Cloud API. Default: https://api.elastic-cloud.com."
  }),
  file("api-key-file", {
    variable: "EC_API_KEY",
    meaning:
      "File that holds the API key. The key itself is never an option: other users of the machine could read it."
  }),
  text("connect-timeout", "duration", {
    variable: "EC_UPLOAD_CONNECT_TIMEOUT",
    meaning: 'Longest wait for a connection, such as "10 seconds". Default: 30 seconds.'
  }),
  text("timeout", "duration", {
    variable: "EC_UPLOAD_READ_TIMEOUT",
    meaning: 'Longest wait for the answer to a question, such as "1 minute". Default: 30 seconds.'
  })
)

/** How long, and how often, to ask what an answer is soon expected to. */
export const reading: Variables = all(
  connection,
  text("tries", "n", {
    variable: "EC_UPLOAD_READ_TRIES",
    meaning: "How often to ask before giving up. Default: 3."
  })
)

const journal: Variables = text(
  "journal",
  "folder",
  {
    variable: "EC_UPLOAD_JOURNAL",
    meaning:
      "Folder that remembers unfinished uploads. Default: effect-elastic-extensions/uploads in the user's state folder."
  },
  "folders"
)

/** Where the API is, and where unfinished uploads are remembered. */
export const connectionAndJournal: Variables = all(connection, journal)

/** Given, it also asks for it: the variable alone only says where, should an archive need it. */
const stage: Variables = optional(
  Parameters.text(
    "stage",
    "location",
    "Object store by which the service gets the archive, such as s3://bucket/prefix; AWS_ACCESS_KEY_ID and its like open it. As an option for an archive of any size, as a variable for those over the direct limit. [EC_UPLOAD_STAGE]"
  ),
  (location) => [
    { option: "--stage", variable: "EC_UPLOAD_STAGE", value: location, words: ["--stage", location] },
    { option: "--stage", variable: "EC_UPLOAD_STAGING", value: "always", words: [] }
  ]
)

const namespace: Variables = text("namespace", "name", {
  variable: "EC_RUNNER_NAMESPACE",
  meaning: "What the database is for, beside the endpoint: another name is refused. Default: default."
})

const database: Variables = text(
  "database",
  "file",
  {
    variable: "EC_RUNNER_DATABASE",
    meaning:
      "File that holds the releases of this machine. Without it the PostgreSQL of DATABASE_URL, and without that effect-elastic-extensions/releases.db in the user's state folder."
  },
  "files"
)

const releaseDatabase: Variables = all(database, namespace)

const runnerToken: Variables = text(
  "token-file",
  "path",
  {
    variable: "EC_RUNNER_TOKEN_FILE",
    meaning: "File with the token that opens a runner's API; or the token itself in EC_RUNNER_TOKEN."
  },
  "files"
)

const allow: Variables = repeated("allow", "problem", {
  variable: "EC_UPLOAD_ALLOW",
  meaning: "Upload despite this problem of the archive, by the code that inspect shows. Can be repeated."
})

/** Whom to ask for releases: a database, or a runner. */
export const releases: Variables = all(
  releaseDatabase,
  text("runner-url", "url", {
    variable: "EC_RUNNER_URL",
    meaning: "Ask the runner at this address, such as http://127.0.0.1:8321, in place of a database."
  }),
  runnerToken
)

/** The same, and what an archive may have wrong with it. */
export const submitting: Variables = all(releases, allow)

/** Where unfinished uploads may be: what the journal knows, and what the store keeps. */
export const unfinished: Variables = all(connectionAndJournal, stage)

/** How archives are uploaded. */
export const uploading: Variables = all(
  connectionAndJournal,
  stage,
  flag("keep-staged", {
    variable: "EC_UPLOAD_KEEP_STAGED",
    meaning: "Leave the archive in the object store after it has arrived."
  }),
  text("retries", "n", {
    variable: "EC_UPLOAD_RETRIES",
    meaning: "Retries without progress before giving up. Default: 8."
  }),
  text("deadline", "duration", {
    variable: "EC_UPLOAD_DEADLINE",
    meaning: 'Longest time for one request altogether, such as "2 hours". Default: none.'
  }),
  text("stall-timeout", "duration", {
    variable: "EC_UPLOAD_STALL_TIMEOUT",
    meaning: 'Longest time without any data in either direction, such as "2 minutes". Default: 60 seconds.'
  }),
  text("bandwidth", "bytes", {
    variable: "EC_UPLOAD_BANDWIDTH",
    meaning: 'Maximum upload rate per second, such as "5MB". Default: no limit.'
  }),
  choice("resumable", ["auto", "never", "required"], {
    variable: "EC_UPLOAD_RESUMABLE",
    meaning: "Whether an interrupted upload continues where it stopped, if the server can. Default: auto."
  }),
  choice("verification", ["hash", "size", "response"], {
    variable: "EC_UPLOAD_VERIFICATION",
    meaning: "The strongest verification to attempt. Default: hash."
  }),
  choice("on-conflict", ["fail", "overwrite"], {
    variable: "EC_UPLOAD_ON_CONFLICT",
    meaning: "What to do when someone else wrote to the extension in the meantime. Default: fail."
  }),
  choice("content-type", ["raw", "multipart"], {
    variable: "EC_UPLOAD_CONTENT_TYPE",
    meaning: "How the archive is framed: application/zip, or a form with the field file. Default: raw."
  }),
  allow,
  flag("protect-in-use", {
    variable: "EC_UPLOAD_PROTECT_IN_USE",
    meaning: "Refuse to replace the archive of an extension that deployments use."
  })
)

/** How a runner runs releases. */
export const runner: Variables = all(
  releaseDatabase,
  text("address", "host:port", {
    variable: "EC_RUNNER_ADDRESS",
    meaning:
      "Where the other runners of the same PostgreSQL reach this one, unencrypted: on a network of their own."
  }),
  text("listen", "host:port", {
    variable: "EC_RUNNER_LISTEN",
    meaning:
      "Where to serve /healthz, /readyz and /metrics, and with a token the API and the page. Default: nowhere; with a file any free port of this machine, for the commands of the same user."
  }),
  runnerToken,
  text("slots", "n", {
    variable: "EC_RUNNER_SLOTS",
    meaning: "Archives that this runner sends at once. Default: 4."
  }),
  text("slots-of-all", "n", {
    variable: "EC_RUNNER_SLOTS_OF_ALL",
    meaning:
      "Archives that all runners of the database send at once; give each runner the same number. Default: no limit."
  }),
  text("preparing", "n", {
    variable: "EC_RUNNER_PREPARING",
    meaning: "Archives that this runner inspects and digests at once. Default: 8."
  }),
  text("drain", "duration", {
    variable: "EC_RUNNER_DRAIN",
    meaning: "How long steps that have begun may go on when the runner is to stop. Default: 30 seconds."
  }),
  uploading
)
