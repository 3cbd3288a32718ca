/** The options that several commands share. */
import * as Options from "@effect/cli/Options"
import * as Settings from "./settings.ts"

/** How a command reports, chosen with every command. */
export interface OutputOptions {
  readonly json: boolean
  readonly quiet: boolean
}

export const output: Options.Options<OutputOptions> = Options.all({
  json: Options.boolean("json").pipe(
    Options.withDescription(
      "One JSON object a line on standard output and nothing else: events, and last the result or the error."
    )
  ),
  quiet: Options.boolean("quiet").pipe(
    Options.withAlias("q"),
    Options.withDescription("No progress and no remarks. With --json: the last object alone.")
  )
})

export const dryRun: Options.Options<boolean> = Options.boolean("dry-run").pipe(
  Options.withDescription("Look and say what would be done. Nothing is sent, created, changed or deleted.")
)

/** Where the API is, and the key to it. */
export const connection: Settings.Settings = Settings.all(
  Settings.text("endpoint", "url", {
    variable: "EC_ENDPOINT",
    description: "Address of the Elastic Cloud API. Default: https://api.elastic-cloud.com."
  }),
  Settings.file("api-key-file", {
    variable: "EC_API_KEY",
    description:
      "File that holds the API key. The key itself is never an option: other users of the machine could read it."
  }),
  Settings.text("connect-timeout", "duration", {
    variable: "EC_UPLOAD_CONNECT_TIMEOUT",
    description: 'Longest wait for a connection, such as "10 seconds". Default: 30 seconds.'
  })
)

/** Where unfinished uploads are remembered. */
export const journal: Settings.Settings = Settings.text("journal", "folder", {
  variable: "EC_UPLOAD_JOURNAL",
  description:
    "Folder that remembers unfinished uploads. Default: effect-elastic-extensions/uploads in the user's state folder."
})

const transfer = Settings.all(
  Settings.text("retries", "n", {
    variable: "EC_UPLOAD_RETRIES",
    description: "Retries without progress before giving up. Default: 8."
  }),
  Settings.text("deadline", "duration", {
    variable: "EC_UPLOAD_DEADLINE",
    description: 'Longest time for one request altogether, such as "2 hours". Default: none.'
  }),
  Settings.text("stall-timeout", "duration", {
    variable: "EC_UPLOAD_STALL_TIMEOUT",
    description: "Longest time without a byte moving either way. Default: 60 seconds."
  }),
  Settings.text("bandwidth", "bytes", {
    variable: "EC_UPLOAD_BANDWIDTH",
    description: "At most so many bytes per second. Default: no limit."
  }),
  Settings.choice("resumable", ["auto", "never", "required"], {
    variable: "EC_UPLOAD_RESUMABLE",
    description: "Whether to go on in the middle of an archive where the server can. Default: auto."
  })
)

/** How archives are uploaded. */
export const uploading: Settings.Settings = Settings.all(
  connection,
  journal,
  transfer,
  Settings.choice("verification", ["hash", "size", "response"], {
    variable: "EC_UPLOAD_VERIFICATION",
    description: "The strongest proof of arrival to seek. Default: hash."
  }),
  Settings.choice("on-conflict", ["fail", "overwrite"], {
    variable: "EC_UPLOAD_ON_CONFLICT",
    description: "What to do when someone else wrote to the extension meanwhile. Default: fail."
  }),
  Settings.choice("content-type", ["raw", "multipart"], {
    variable: "EC_UPLOAD_CONTENT_TYPE",
    description: "How the archive is framed: application/zip, or a form with the field file. Default: raw."
  }),
  Settings.repeated("allow", "problem", {
    variable: "EC_UPLOAD_ALLOW",
    description:
      "Upload in spite of this problem of the archive, named as inspect names it. Repeat it for more."
  }),
  Settings.flag("protect-in-use", {
    variable: "EC_UPLOAD_PROTECT_IN_USE",
    description: "Refuse to replace the file of an extension that deployments use."
  })
)
