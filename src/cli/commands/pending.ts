/**
 * `pending`: the uploads that earlier runs left unfinished.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as ElasticCloudConfig from "../../cloud/ElasticCloudConfig.ts"
import * as UploadJournal from "../../journal/UploadJournal.ts"
import * as Command from "../internal/command.ts"
import { Output } from "../internal/output.ts"
import { Unfinished, unfinishedAt } from "../internal/pending.ts"
import { bytes, clock, printable, table } from "../internal/text.ts"
import * as Variables from "../internal/variables.ts"

const Pending = Schema.TaggedStruct("PendingUploads", {
  endpoint: Schema.String,
  uploads: Schema.Array(Unfinished),
  /** Unfinished uploads at other endpoints. */
  elsewhere: Schema.Number,
  /** Records that cannot be read. */
  unreadable: Schema.Number
})

/**
 * @since 0.1.0
 * @category commands
 */
export const pending = Command.define({
  name: "pending",
  summary: "List the unfinished uploads to this endpoint.",
  details: [
    "Reads the journal only: no key is needed and nothing is sent. KEPT is how much of the archive the server has at least; resume asks it for the exact figure. A dash means that the server cannot resume, and the whole archive is sent again."
  ],
  examples: [
    ["pending", "Is there anything to resume?"],
    ["resume --all", "Finish all of them."]
  ],
  takes: {},
  variables: Variables.connectionAndJournal,
  run: () =>
    Effect.gen(function* () {
      const output = yield* Output
      const { baseUrl: endpoint } = yield* ElasticCloudConfig.endpoint
      const { corrupt, elsewhere, uploads } = yield* unfinishedAt(endpoint)
      yield* output.result({
        schema: Pending,
        value: { _tag: "PendingUploads", endpoint, uploads, elsewhere, unreadable: corrupt.length },
        lines: table(headings, uploads.map(rowOf), "There are no unfinished uploads."),
        quietLines: uploads.map(({ extensionId }) => printable(extensionId))
      })
      if (elsewhere > 0)
        yield* output.note(`${elsewhere} more at other endpoints: choose one with --endpoint.`)
      yield* Effect.forEach(corrupt, ({ message }) => output.note(message), { discard: true })
    }).pipe(Effect.provide(UploadJournal.layerConfig))
})

const headings = ["EXTENSION", "PHASE", "KEPT", "LAST ACTIVE", "ARCHIVE"] as const

const rowOf = (upload: Unfinished): ReadonlyArray<string> => [
  printable(upload.extensionId),
  upload.phase.toLowerCase(),
  upload.kept === null ? "-" : `≥ ${bytes(upload.kept)} of ${bytes(upload.total)}`,
  upload.inUse ? "now" : `${clock(upload.ageMillis)} ago`,
  `${printable(upload.archive.path)}${upload.archive.state === "unchanged" ? "" : ` (${upload.archive.state})`}`
]
