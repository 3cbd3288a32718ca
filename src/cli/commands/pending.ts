/**
 * `pending`: the uploads that earlier runs left unfinished.
 *
 * @since 0.1.0
 */
import * as Command from "@effect/cli/Command"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as UploadJournal from "../../journal/UploadJournal.ts"
import { endpointAlone } from "../internal/extensions/endpoint.ts"
import { printable } from "../internal/extensions/printable.ts"
import * as format from "../internal/format.ts"
import { framed } from "../internal/frame.ts"
import { table } from "../internal/layout.ts"
import * as options from "../internal/options.ts"
import { Output } from "../internal/output.ts"
import { Unfinished, unfinishedAt } from "../internal/pending/unfinished.ts"
import * as Settings from "../internal/settings.ts"

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
export const pending = Command.make(
  "pending",
  { output: options.output, settings: Settings.all(options.connection, options.journal) },
  () =>
    Effect.gen(function* () {
      const output = yield* Output
      const { baseUrl: endpoint } = yield* endpointAlone
      const { corrupt, elsewhere, uploads } = yield* unfinishedAt(endpoint)
      yield* output.result({
        schema: Pending,
        value: { _tag: "PendingUploads", endpoint, uploads, elsewhere, unreadable: corrupt.length },
        lines: table(headings, uploads.map(rowOf), "No upload was left unfinished."),
        quietLines: uploads.map(({ extensionId }) => printable(extensionId))
      })
      if (elsewhere > 0)
        yield* output.note(`${elsewhere} more at other endpoints: choose one with --endpoint.`)
      yield* Effect.forEach(corrupt, ({ message }) => output.note(message), { discard: true })
    }).pipe(Effect.provide(UploadJournal.layerConfig))
).pipe(
  framed({
    summary: "List the uploads to this endpoint that were left unfinished.",
    details: [
      "Reads the journal only: no key is needed and nothing is sent. KEPT is the least that the server has of the archive: it knows better, and is asked. A dash means that it cannot resume, and everything is sent again."
    ],
    examples: [
      ["pending", "Is there anything to go on with?"],
      ["resume --all", "Finish all of them."]
    ]
  })
)

const headings = ["EXTENSION", "PHASE", "KEPT", "LAST ACTIVE", "ARCHIVE"] as const

const rowOf = (upload: Unfinished): ReadonlyArray<string> => [
  printable(upload.extensionId),
  upload.phase.toLowerCase(),
  upload.kept === null ? "-" : `≥ ${format.bytes(upload.kept)} of ${format.bytes(upload.total)}`,
  upload.inUse ? "now" : `${format.clock(upload.ageMillis)} ago`,
  `${printable(upload.archive.path)}${upload.archive.state === "unchanged" ? "" : ` (${upload.archive.state})`}`
]
