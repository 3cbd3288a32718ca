/** Every command: what it takes, and what help says of it. Without what it does, which only a run of it loads. */
import { commandName } from "../Project.ts"
import * as Parameters from "./parameters.ts"
import * as Variables from "./variables.ts"

/** What help says. */
export interface About {
  /** One sentence, which the list of commands shows as well. */
  readonly summary: string
  /** Paragraphs. */
  readonly details?: ReadonlyArray<string>
  /** Command lines without the program's name, each with what it does. */
  readonly examples: ReadonlyArray<readonly [line: string, what: string]>
}

/** What help shows of a command. */
export interface Page extends About {
  readonly name: string
  readonly entries: ReadonlyArray<Parameters.Entry>
}

/** Arguments and options of a command, by the names under which it gets their values. */
export interface Takes {
  readonly [name: string]: Parameters.Argument<unknown> | Parameters.Parameter<unknown>
}

/** A command without what it does. How to report is an option of every one. */
export interface Definition<out T extends Takes = Takes> extends Page {
  readonly takes: T
  readonly variables: Variables.Variables
}

/** As `ReleaseState` and `ReleasePolicy` have them; a test compares. Their modules would load a parser of schemas. */
export const releaseStates = [
  "submitted",
  "running",
  "waiting",
  "held",
  "done",
  "failed",
  "rejected",
  "cancelled",
  "superseded"
] as const
export const releasePolicies = ["queue", "supersede", "fail"] as const

const define = <const T extends Takes>(definition: Omit<Definition<T>, "entries">): Definition<T> => ({
  ...definition,
  entries: [...Object.values(definition.takes), Parameters.output, definition.variables].flatMap(
    ({ entries }) => entries
  )
})

export const upload = define({
  name: "upload",
  summary: "Upload an archive to an extension that exists, and verify that it arrived.",
  details: [
    "Sends nothing when the extension holds this very archive already. It can be run again after any interruption: it asks the server first, then resumes if the server can, and else sends the archive again.",
    "With --stage the archive goes by way of an object store, which can resume, and the service fetches it from there: for more than 200 MB, or where a firewall blocks uploads. The archive is removed from the store once it has arrived.",
    "Exit codes: 0 done, 2 interrupted but resumable, 3 not allowed, 4 no such extension, 5 archive refused, 6 conflict, 7 outcome unknown, 64 usage or configuration, 130 interrupted before anything was sent, 1 everything else."
  ],
  examples: [
    ["upload 882519870 dist/acme.zip", "Upload."],
    ["upload analysis-acme dist/acme.zip", "The same by its name."],
    ["upload 882519870 dist/acme.zip --dry-run", "What would happen?"],
    ["upload 882519870 dist/acme.zip --stage s3://my-bucket", "By way of an object store."],
    ["upload 882519870 dist/acme.zip --json", "In a pipeline: one JSON object per line."],
    ["upload 882519870 dist/acme.zip --bandwidth 2000000", "Leave some of the line to others."]
  ],
  takes: {
    extension: Parameters.extension,
    archive: Parameters.archive,
    ofType: Parameters.typeOfNamed,
    dryRun: Parameters.dryRun
  },
  variables: Variables.uploading
})

export const publish = define({
  name: "publish",
  summary: "Create or update the extension with this name and upload its archive.",
  details: [
    "Finds the extension by its name and type, or creates it; updates its version and description where they differ; uploads the archive and verifies it. Sends only what differs, so it can be repeated, and interrupted at any point.",
    "An archive over 200 MB is too large to be uploaded. With --stage it goes by way of an object store, resumably; with --download-url the service fetches it from an address of yours. Either way a link with credentials is taken out of the extension once the archive is there. The exit codes are those of upload."
  ],
  examples: [
    ["publish dist/acme.zip --name acme --type plugin --version 8.17.0", "Release a plugin."],
    ["publish dist/words.zip --name words --type bundle --version '8.*'", "Release a bundle."],
    [
      "publish dist/words.zip --name words --type bundle --version '8.*' --stage s3://my-bucket",
      "By way of an object store."
    ],
    ["publish dist/acme.zip --name acme --type plugin --version 8.17.0 --dry-run", "What would change?"]
  ],
  takes: {
    archive: Parameters.optionalArgument(Parameters.archive),
    name: Parameters.name,
    type: Parameters.pluginOrBundle,
    version: Parameters.version,
    description: Parameters.optional(Parameters.description),
    downloadUrl: Parameters.optional(Parameters.downloadUrl),
    skipPreflight: Parameters.skipPreflight,
    dryRun: Parameters.dryRun
  },
  variables: Variables.uploading
})

export const inspect = define({
  name: "inspect",
  summary: "Inspect an archive: what it is, and whether Elastic Cloud can use it.",
  details: ["Reads the file only; no key is needed and nothing is sent. Exits with 5 when it finds errors."],
  examples: [
    ["inspect dist/acme.zip", "What is in it?"],
    ["inspect dist/acme.zip --type plugin --es-version 8.15.3", "Is it a plugin for that version?"],
    ["inspect dist/acme.zip --deep", "Can every entry be unpacked?"],
    ["inspect dist/acme.zip --json", "The same for a program to read."]
  ],
  takes: {
    archive: Parameters.archive,
    type: Parameters.optional(Parameters.extensionType("Check that it is one of these.")),
    esVersion: Parameters.optional(
      Parameters.text(
        "es-version",
        "version",
        "Check that a plugin is built for this version of Elasticsearch."
      )
    ),
    deep: Parameters.flag(
      "deep",
      "Unpack every entry and check its CRC-32, as an upload does. Small archives are checked so anyway."
    )
  },
  variables: Variables.none
})

export const list = define({
  name: "list",
  summary: "List the extensions that the API key can see.",
  details: ["With --quiet their ids alone, one per line."],
  examples: [
    ["list", "Which extensions are there?"],
    ["list --type plugin", "Which plugins?"],
    ["list --json | jq -r '.extensions[] | [.id, .name] | @tsv'", "Ids and names for a script."]
  ],
  takes: { type: Parameters.optional(Parameters.extensionType("Only those of this type.")) },
  variables: Variables.reading
})

export const show = define({
  name: "show",
  summary: "Show everything known about one extension.",
  details: ["With --quiet nothing is printed: the exit code tells whether it exists (0) or not (4)."],
  examples: [
    ["show 882519870", "What is it, and when was it last changed?"],
    ["show analysis-acme --type plugin", "The same by its name."],
    ["show 882519870 --deployments", "Which deployments use it?"],
    ["show 882519870 --json | jq .extension.size", "How large is its archive?"]
  ],
  takes: {
    extension: Parameters.extension,
    ofType: Parameters.typeOfNamed,
    deployments: Parameters.flag("deployments", "Show the ids of the deployments that use it, too.")
  },
  variables: Variables.reading
})

export const create = define({
  name: "create",
  summary: "Create an extension, to upload an archive to later.",
  details: [
    "Names need not be unique, so creating twice makes two extensions. publish finds an extension by its name instead, and creates it only if there is none.",
    "A download URL stays in the extension, and whoever can read the extension sees it: for one with credentials, use publish, which takes it away again."
  ],
  examples: [
    ["create --name hunspell-en --type bundle --version '*'", "A bundle for every version of Elasticsearch."],
    ["create --name analysis-acme --type plugin --version 8.17.0", "A plugin, which fits one version."],
    ["create --name words --type bundle --version '8.*' --dry-run", "Would that be accepted?"]
  ],
  takes: {
    name: Parameters.name,
    type: Parameters.pluginOrBundle,
    version: Parameters.version,
    description: Parameters.optional(Parameters.description),
    downloadUrl: Parameters.optional(Parameters.downloadUrl),
    dryRun: Parameters.dryRun
  },
  variables: Variables.reading
})

export const update = define({
  name: "update",
  summary: "Change the name, version, description or download URL of an extension.",
  details: [
    "Sends only what differs, and nothing when nothing does. The archive stays, unless a download URL makes the service fetch another. The type of an extension cannot be changed.",
    "A download URL stays in the extension, and whoever can read the extension sees it: for one with credentials, use publish, which takes it away again."
  ],
  examples: [
    ["update 882519870 --version 8.17.1", "After a plugin was built for the next Elasticsearch."],
    ["update 882519870 --description 'Hunspell, en_US' --dry-run", "What would change?"]
  ],
  takes: {
    extension: Parameters.extension,
    ofType: Parameters.typeOfNamed,
    name: Parameters.optional(Parameters.name),
    version: Parameters.optional(Parameters.version),
    description: Parameters.optional(Parameters.description),
    downloadUrl: Parameters.optional(Parameters.downloadUrl),
    dryRun: Parameters.dryRun
  },
  variables: Variables.reading
})

export const delete_ = define({
  name: "delete",
  summary: "Delete an extension and its archive.",
  details: [
    "Asks first; deleting cannot be undone. An extension that deployments use is not deleted: they are listed instead (exit code 6)."
  ],
  examples: [
    ["delete 882519870", "Ask, then delete."],
    ["delete words --yes", "In a script, where nobody can answer."],
    ["delete 882519870 --dry-run", "Could it be deleted?"]
  ],
  takes: {
    extension: Parameters.extension,
    ofType: Parameters.typeOfNamed,
    yes: Parameters.flag("yes", "Delete without asking. Required where nobody can answer.", "y"),
    dryRun: Parameters.dryRun
  },
  variables: Variables.reading
})

export const pending = define({
  name: "pending",
  summary: "List the unfinished uploads to this endpoint.",
  details: [
    "Reads the journal, and the object store if there is one: no API key is needed and nothing is sent. KEPT is how much of the archive the server has at least; resume asks it for the exact figure. A question mark means that it has not told yet, a dash that it cannot resume, and the whole archive is sent again.",
    "With --stage it also lists the unfinished uploads that the object store keeps, whichever machine began them."
  ],
  examples: [
    ["pending", "Is there anything to resume?"],
    ["resume --all", "Finish all of them."]
  ],
  takes: {},
  variables: Variables.unfinished
})

export const resume = define({
  name: "resume",
  summary: "Finish the unfinished upload to an extension, or all unfinished uploads.",
  details: [
    "Sends the very archive that the upload was begun with, from the same path and on the same way: what was staged goes on in the object store. If the file has changed, the upload is cancelled (exit code 5). With --all the exit code is that of the first upload that fails, and 0 when there is nothing to do."
  ],
  examples: [
    ["resume 882519870", "Finish the one to this extension."],
    ["resume --all", "In the next job of a pipeline."],
    ["resume --all --dry-run", "What would be resumed, and what sent again?"]
  ],
  takes: {
    id: Parameters.optionalArgument(Parameters.extensionId),
    all: Parameters.flag(
      "all",
      "Finish all unfinished uploads to this endpoint, one after the other, oldest first."
    ),
    dryRun: Parameters.dryRun
  },
  variables: Variables.uploading
})

export const cancel = define({
  name: "cancel",
  summary: "Cancel an unfinished upload.",
  details: [
    "Tells the server, or the object store in which the archive was staged, to delete what it has kept, and forgets the upload. An upload that another process is working on is left alone (exit code 6)."
  ],
  examples: [
    ["pending", "Which uploads are unfinished?"],
    ["cancel 882519870", "Cancel the one to this extension."]
  ],
  takes: { id: Parameters.extensionId, dryRun: Parameters.dryRun },
  variables: Variables.unfinished
})

export const doctor = define({
  name: "doctor",
  summary: "Check everything an upload needs: settings, network, key, clock, server and journal.",
  details: [
    "Sends no archive and changes no extension. It announces two uploads to extensions that do not exist, to learn what the key may do and whether the server answers before it has the whole archive. The exit code is that of the first problem, or 0 if there is none.",
    "With --stage it also tries, one by one, what staging needs to be allowed in the object store: on an object of a few bytes, which it removes again."
  ],
  examples: [
    ["doctor", "Before the first upload, and whenever one fails."],
    ["doctor --stage s3://my-bucket", "Before the first upload by way of an object store."],
    ["doctor --json", "The same for a program, one finding per line."]
  ],
  takes: {},
  variables: Variables.unfinished
})

export const cloud = define({
  name: "cloud",
  summary: "Run a local stand-in for Elastic Cloud, to try things out.",
  details: [
    "A server on this machine with the six operations on extensions, as strict as the service. It runs until Ctrl-C. No account is needed, and nothing leaves the machine."
  ],
  examples: [
    ["cloud --port 9200 --extension words", "In one shell; it prints what to set in another."],
    ["cloud --resumable --data .cloud", "Let uploads be resumed, and keep everything until the next time."]
  ],
  takes: {
    port: Parameters.optional(
      Parameters.value("port", "n", "Port to listen on. Default: any free one.", ({ Options }) =>
        Options.integer("port")
      )
    ),
    data: Parameters.optional(
      Parameters.text(
        "data",
        "folder",
        "Folder that keeps extensions, archives and uploads. Default: a temporary one.",
        "folders"
      )
    ),
    apiKey: Parameters.optional(
      Parameters.text("api-key", "key", "Key that clients have to send. It is no secret. Default: local-key.")
    ),
    extensions: Parameters.repeated(
      "extension",
      "name",
      "Create this bundle if it is not there yet. Can be repeated."
    ),
    resumable: Parameters.flag(
      "resumable",
      "Let uploads be resumed, which the service itself does not today."
    )
  },
  variables: Variables.none
})

export const runner = define({
  name: "runner",
  summary: "Run releases, until it is told to stop.",
  details: [
    "Releases are submitted, looked at and approved with the releases commands. They outlive this process: whatever it was at goes on in the next one, or in another runner of the same PostgreSQL.",
    "Told to stop (SIGTERM, Ctrl-C), it begins nothing new, lets steps end that are nearly done, hands over the others, and exits with 0 at the latest ten seconds after --drain.",
    "With a file one runner at a time works on this machine. With DATABASE_URL any number on any machines share a PostgreSQL, and nothing else; each needs an --address."
  ],
  examples: [
    ["runner", "With a file in the user's state folder."],
    ["runner --listen 127.0.0.1:8321 --token-file token", "With health, metrics, the API and a page."],
    ["runner --address 10.0.0.5:34431 --namespace production", "With DATABASE_URL, one of several."]
  ],
  takes: {},
  variables: Variables.runner
})

export const releasesSubmit = define({
  name: "releases submit",
  summary: "Submit a release: an archive, and the extension that gets it.",
  details: [
    "A release is done by a runner, and survives it. The same release twice is one release. The archive is named, not sent along: its path or URL has to be one that the runner can read.",
    "With --wait it is followed to its end, as by releases watch."
  ],
  examples: [
    [
      "releases submit dist/words.zip --name words --type bundle --version '8.*'",
      "To the bundle of this name."
    ],
    ["releases submit dist/words.zip --extension 882519870 --hold", "Announced only when it is approved."],
    [
      "releases submit https://builds.example/acme.zip --extension 882519870 --wait",
      "From a URL, and wait for its end."
    ]
  ],
  takes: {
    archive: Parameters.releasedArchive,
    extension: Parameters.optional(
      Parameters.text("extension", "id", "The extension by its id.", "extensions")
    ),
    name: Parameters.optional(Parameters.name),
    type: Parameters.optional(Parameters.pluginOrBundle),
    version: Parameters.optional(Parameters.version),
    description: Parameters.optional(Parameters.description),
    releaseId: Parameters.optional(
      Parameters.text(
        "release-id",
        "name",
        "Names the release. Default: the archive's name without its ending."
      )
    ),
    attempt: Parameters.optional(
      Parameters.text(
        "attempt",
        "n",
        "Counts from 1: the same release with the next one is run anew. Default: 1."
      )
    ),
    hold: Parameters.flag("hold", "Hold it for approval before it is announced."),
    policy: Parameters.optional(
      Parameters.choice(
        "policy",
        releasePolicies,
        "What to do when another release of the extension is ahead. Default: queue."
      )
    ),
    wait: Parameters.flag("wait", "Follow it to its end; the exit code is that of its outcome.")
  },
  variables: Variables.submitting
})

export const releasesList = define({
  name: "releases list",
  summary: "List releases, newest first.",
  details: ["With --quiet their execution ids alone, one per line."],
  examples: [
    ["releases list", "What is going on?"],
    ["releases list --state held", "What waits for an approval?"],
    ["releases list --extension words --older-than 7d", "What became of earlier releases?"]
  ],
  takes: {
    state: Parameters.optional(Parameters.choice("state", releaseStates, "Only those in this state.")),
    extension: Parameters.optional(
      Parameters.text("extension", "extension", "Only those of the extension with this id or name.")
    ),
    olderThan: Parameters.optional(
      Parameters.text("older-than", "duration", 'Only those submitted before that, such as "2 hours".')
    ),
    newerThan: Parameters.optional(
      Parameters.text("newer-than", "duration", 'Only those submitted since then, such as "7 days".')
    ),
    limit: Parameters.optional(Parameters.text("limit", "n", "At most so many, 1 to 1000. Default: 50.")),
    after: Parameters.optional(
      Parameters.text(
        "after",
        "place",
        "The next ones, from the place that the end of the list before names."
      )
    )
  },
  variables: Variables.releases
})

export const releasesShow = define({
  name: "releases show",
  summary: "Show one release: its steps, what it waits for, how it ended.",
  details: ["Takes an execution id, or a release id for its newest attempt."],
  examples: [["releases show words-2.1.0", "What happened to it?"]],
  takes: { release: Parameters.release },
  variables: Variables.releases
})

export const releasesWatch = define({
  name: "releases watch",
  summary: "Follow a release to its end.",
  details: [
    "The exit code is 0 when it is done, else that of the error that it ended with. Ctrl-C stops the watching, not the release."
  ],
  examples: [["releases watch words-2.1.0", "Wait for its end."]],
  takes: { release: Parameters.release },
  variables: Variables.releases
})

const deciding = {
  release: Parameters.release,
  by: Parameters.optional(Parameters.text("by", "name", "Who decides. Default: the name of this user.")),
  note: Parameters.optional(Parameters.text("note", "text", "What there is to say about it."))
}

export const releasesApprove = define({
  name: "releases approve",
  summary: "Let a release go on that is held for approval, or will be.",
  details: ["Only the first decision counts. Where another one was there before, the exit code is 6."],
  examples: [["releases approve words-2.1.0 --note 'tried on staging'", "Let it be announced."]],
  takes: deciding,
  variables: Variables.releases
})

export const releasesReject = define({
  name: "releases reject",
  summary: "End a release that is held for approval.",
  details: ["Its archive stays in place, and is not announced. Only the first decision counts."],
  examples: [["releases reject words-2.1.0 --note 'a letter is missing'", "End it, and say why."]],
  takes: deciding,
  variables: Variables.releases
})

export const releasesCancel = define({
  name: "releases cancel",
  summary: "Cancel a release that has not ended.",
  details: [
    "What was sent is given up, and an archive that is in place stays. Without effect on one that has ended."
  ],
  examples: [["releases cancel words-2.1.0", "End it as soon as possible."]],
  takes: { release: Parameters.release },
  variables: Variables.releases
})

export const releasesRetry = define({
  name: "releases retry",
  summary: "Submit the next attempt of a release that has ended.",
  details: ["What was done before is found, and not done again."],
  examples: [["releases retry words-2.1.0", "Once more, after what failed was put right."]],
  takes: { release: Parameters.release },
  variables: Variables.releases
})

/** In the order in which help lists them. */
export const definitions: ReadonlyArray<Definition> = [
  upload,
  publish,
  inspect,
  list,
  show,
  create,
  update,
  delete_,
  pending,
  resume,
  cancel,
  doctor,
  cloud,
  runner,
  releasesSubmit,
  releasesList,
  releasesShow,
  releasesWatch,
  releasesApprove,
  releasesReject,
  releasesCancel,
  releasesRetry
]

/** The program itself; its options are `request.ts`'s. */
export const program: Omit<Page, "entries"> = {
  name: commandName,
  summary: "Upload Elasticsearch plugins and bundles to Elastic Cloud, and verify that they arrived.",
  details: [
    "Options with a variable in brackets can also be set in the environment. Every command that talks to Elastic Cloud needs the API key in EC_API_KEY."
  ],
  examples: [
    ["inspect dist/acme.zip", "Can Elastic Cloud use the archive?"],
    ["upload 882519870 dist/acme.zip", "Upload it to an extension that exists."]
  ]
}
