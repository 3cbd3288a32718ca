/**
 * `pending`: the uploads that earlier runs left unfinished.
 *
 * @since 0.1.0
 */
import type * as FileSystem from "@effect/platform/FileSystem"
import * as Clock from "effect/Clock"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Archive from "../../archive/Archive.ts"
import * as ElasticCloudConfig from "../../cloud/ElasticCloudConfig.ts"
import { isUploadExpired, JournalPhase, type JournalRecord } from "../../journal/JournalRecord.ts"
import * as UploadJournal from "../../journal/UploadJournal.ts"
import * as Command from "../internal/command.ts"
import { Output } from "../internal/output.ts"
import { bytes, clock, printable, table } from "../internal/text.ts"
import * as Variables from "../internal/variables.ts"

/** Whether the file is as it was when the upload began, as far as its size and modification time tell. */
const ArchiveState = Schema.Literal("unchanged", "changed", "missing")

/** One unfinished upload. Its address on the server is a secret and left out. */
const Unfinished = Schema.Struct({
  extensionId: Schema.String,
  archive: Schema.Struct({
    path: Schema.String,
    size: Schema.Number,
    /** Null where the upload was cut off before it was known. */
    sha256: Schema.NullOr(Schema.String),
    state: ArchiveState
  }),
  phase: JournalPhase,
  /** Bytes of `total` that the server has at least; null where it cannot resume, and everything is sent again. */
  kept: Schema.NullOr(Schema.Number),
  total: Schema.Number,
  attempts: Schema.Number,
  bytesSent: Schema.Number,
  began: Schema.DateTimeUtc,
  lastActive: Schema.DateTimeUtc,
  /** How long ago that was. */
  ageMillis: Schema.Number,
  /** Whether a process is at work on it right now. */
  inUse: Schema.Boolean
})

interface Unfinished extends Schema.Schema.Type<typeof Unfinished> {}

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

const archiveState = ({ archive }: JournalRecord) =>
  Archive.file(archive.path).stat.pipe(
    Effect.map(({ modifiedMillis, size }): typeof ArchiveState.Type =>
      size === archive.size && modifiedMillis === archive.modifiedMillis ? "unchanged" : "changed"
    ),
    Effect.catchTag("ArchiveUnreadable", () => Effect.succeed("missing" as const))
  )

/** `inUse` tells whether a process is at work on it. */
const describe = Effect.fnUntraced(function* (
  record: JournalRecord,
  inUse: boolean
): Effect.fn.Return<Unfinished, never, FileSystem.FileSystem> {
  const now = yield* Clock.currentTimeMillis
  const { path, sha256, size } = record.archive
  return {
    extensionId: record.extensionId,
    archive: { path, size, sha256: sha256 ?? null, state: yield* archiveState(record) },
    phase: record.phase,
    kept: record.upload === undefined || isUploadExpired(record, now) ? null : record.upload.offset,
    total: record.representationSize,
    attempts: record.attempts,
    bytesSent: record.bytesSent,
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
