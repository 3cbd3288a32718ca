/**
 * `pending`: the uploads that earlier runs left unfinished.
 *
 * @since 0.1.0
 */
import type * as FileSystem from "@effect/platform/FileSystem"
import * as Clock from "effect/Clock"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Archive from "../../archive/Archive.ts"
import * as ElasticCloudConfig from "../../cloud/ElasticCloudConfig.ts"
import { isUploadExpired, type JournalRecord } from "../../journal/JournalRecord.ts"
import * as UploadJournal from "../../journal/UploadJournal.ts"
import * as Command from "../internal/command.ts"
import { Output } from "../internal/output.ts"
import * as Results from "../internal/results.ts"
import { bytes, clock, printable, table } from "../internal/text.ts"
import * as Variables from "../internal/variables.ts"

/**
 * @since 0.1.0
 * @category commands
 */
export const pending = Command.define({
  name: "pending",
  summary: "List the unfinished uploads to this endpoint.",
  details: [
    "Reads the journal only: no key is needed and nothing is sent. KEPT is how much of the archive the server has at least; resume asks it for the exact figure. A question mark means that it has not told yet, a dash that it cannot resume, and the whole archive is sent again."
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
        schema: Results.Pending,
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

const rowOf = (upload: Results.Unfinished): ReadonlyArray<string> => [
  printable(upload.extensionId),
  upload.phase.toLowerCase(),
  keptOf(upload),
  upload.inUse ? "now" : `${clock(upload.ageMillis)} ago`,
  `${printable(upload.archive.path)}${upload.archive.state === "unchanged" ? "" : ` (${upload.archive.state})`}`
]

/** What the server had when it last told; before it has told anything, nothing is known. */
const keptOf = ({ kept, total }: Results.Unfinished): string => {
  if (kept === null) return "-"
  return `${kept === 0 ? "?" : `≥ ${bytes(kept)}`} of ${bytes(total)}`
}

const archiveState = ({ archive }: JournalRecord) =>
  Archive.file(archive.path).stat.pipe(
    Effect.map(({ modifiedMillis, size }): typeof Results.ArchiveState.Type =>
      size === archive.size && modifiedMillis === archive.modifiedMillis ? "unchanged" : "changed"
    ),
    Effect.catchTag("ArchiveUnreadable", () => Effect.succeed("missing" as const))
  )

/** `inUse` tells whether a process is at work on it. */
const describe = Effect.fnUntraced(function* (
  record: JournalRecord,
  inUse: boolean
): Effect.fn.Return<Results.Unfinished, never, FileSystem.FileSystem> {
  const now = yield* Clock.currentTimeMillis
  const { path, sha256, size } = record.archive
  const kept = record.upload === undefined || isUploadExpired(record, now) ? null : record.upload.offset
  return {
    extensionId: record.extensionId,
    archive: { path, size, sha256, state: yield* archiveState(record) },
    phase: record.phase,
    kept,
    total: record.representationSize,
    attempts: record.attempts,
    // A process that was killed has not counted what the server is known to have.
    bytesSent: Math.max(record.bytesSent, kept ?? 0),
    began: DateTime.unsafeMake(record.createdAtMillis),
    lastActive: DateTime.unsafeMake(record.updatedAtMillis),
    ageMillis: now - record.updatedAtMillis,
    inUse
  }
})

/** Those at one endpoint, oldest first; `elsewhere` counts the others. Nothing is locked, sent or changed. */
const unfinishedAt = Effect.fnUntraced(function* (baseUrl: string) {
  const { corrupt, locks, records } = yield* (yield* UploadJournal.UploadJournal).list
  const locked = new Set(locks.map(({ id }) => id))
  const here = records.filter(({ origin }) => origin === baseUrl)
  return {
    uploads: yield* Effect.forEach(here, (record) => describe(record, locked.has(record.id))),
    elsewhere: records.length - here.length,
    corrupt
  }
})
