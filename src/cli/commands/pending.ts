/**
 * `pending`: the uploads that earlier runs left unfinished.
 *
 * @since 0.1.0
 */
import type * as FileSystem from "@effect/platform/FileSystem"
import * as Clock from "effect/Clock"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Archive from "../../archive/Archive.ts"
import * as ElasticCloudConfig from "../../cloud/ElasticCloudConfig.ts"
import { isUploadExpired, JournalPhase, type JournalRecord } from "../../journal/JournalRecord.ts"
import * as UploadJournal from "../../journal/UploadJournal.ts"
import * as ArchiveDelivery from "../../publish/ArchiveDelivery.ts"
import * as ArchiveStaging from "../../staging/ArchiveStaging.ts"
import { ObjectStore } from "../../staging/ObjectStore.ts"
import type { StagingError } from "../../staging/StagingError.ts"
import * as UploadHttpClient from "../../transfer/UploadHttpClient.ts"
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
    sha256: Schema.String,
    state: ArchiveState
  }),
  phase: JournalPhase,
  /** The object store in which it is staged; null where it is sent to the service itself. */
  stage: Schema.NullOr(Schema.String),
  /** Bytes of `total` that the server, or the store, has; null where it cannot resume, and everything is sent again. */
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

/** An upload to the object store, whoever began it. */
const Kept = Schema.Struct({
  location: Schema.String,
  name: Schema.String,
  sha256: Schema.String,
  parts: Schema.Number,
  bytes: Schema.Number,
  began: Schema.NullOr(Schema.DateTimeUtc)
})

const Pending = Schema.TaggedStruct("PendingUploads", {
  endpoint: Schema.String,
  uploads: Schema.Array(Unfinished),
  /** What the object store keeps of unfinished uploads below its prefix, those above included. */
  kept: Schema.Array(Kept),
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
    "Reads the journal, and the object store if there is one: no API key is needed and nothing is sent. KEPT is how much of the archive the server has at least; resume asks it for the exact figure. A dash means that the server cannot resume, and the whole archive is sent again.",
    "With --stage it also lists the unfinished uploads that the object store keeps, whichever machine began them."
  ],
  examples: [
    ["pending", "Is there anything to resume?"],
    ["resume --all", "Finish all of them."]
  ],
  takes: {},
  variables: Variables.unfinished,
  run: () =>
    Effect.gen(function* () {
      const output = yield* Output
      const { baseUrl: endpoint } = yield* ElasticCloudConfig.endpoint
      const { corrupt, elsewhere, uploads } = yield* unfinishedAt(endpoint)
      const kept = yield* keptInStore
      yield* output.result({
        schema: Pending,
        value: { _tag: "PendingUploads", endpoint, uploads, kept, elsewhere, unreadable: corrupt.length },
        lines: [
          ...table(headings, uploads.map(rowOf), "There are no unfinished uploads."),
          ...(kept.length === 0 ? [] : ["", ...table(keptHeadings, kept.map(keptRowOf), "")])
        ],
        quietLines: uploads.map(({ extensionId }) => printable(extensionId))
      })
      if (elsewhere > 0)
        yield* output.note(`${elsewhere} more at other endpoints: choose one with --endpoint.`)
      yield* Effect.forEach(corrupt, ({ message }) => output.note(message), { discard: true })
    }).pipe(
      Effect.provide(
        Layer.merge(
          UploadJournal.layerConfig,
          Layer.provide(ArchiveDelivery.layerStore, UploadHttpClient.layerConfig)
        )
      )
    )
})

const keptHeadings = ["KEPT", "PARTS", "BEGAN", "STAGED IN"] as const

const keptRowOf = ({ began, bytes: size, location, parts }: typeof Kept.Type): ReadonlyArray<string> => [
  bytes(size),
  String(parts),
  began === null ? "-" : DateTime.formatIso(began),
  printable(location)
]

const keptInStore = Effect.flatMap(
  Effect.serviceOption(ObjectStore),
  Option.match({
    onNone: () => Effect.succeed([]),
    onSome: (store) =>
      Effect.map(Effect.provideService(ArchiveStaging.pending, ObjectStore, store), (uploads) =>
        uploads.map(({ initiated, key: _key, ...upload }) => ({
          ...upload,
          began: Option.getOrNull(initiated)
        }))
      )
  })
)

const headings = ["EXTENSION", "PHASE", "KEPT", "LAST ACTIVE", "ARCHIVE"] as const

const rowOf = (upload: Unfinished): ReadonlyArray<string> => [
  printable(upload.extensionId),
  upload.phase.toLowerCase(),
  upload.kept === null
    ? "-"
    : `${upload.stage === null ? "≥ " : ""}${bytes(upload.kept)} of ${bytes(upload.total)}`,
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
): Effect.fn.Return<Unfinished, StagingError, FileSystem.FileSystem> {
  const now = yield* Clock.currentTimeMillis
  const { path, sha256, size } = record.archive
  return {
    extensionId: record.extensionId,
    archive: { path, size, sha256, state: yield* archiveState(record) },
    phase: record.phase,
    stage: record.staging ?? null,
    kept: record.staging === undefined ? keptByServer(record, now) : yield* keptOf(record, record.staging),
    total: record.representationSize,
    attempts: record.attempts,
    bytesSent: record.bytesSent,
    began: DateTime.unsafeMake(record.createdAtMillis),
    lastActive: DateTime.unsafeMake(record.updatedAtMillis),
    ageMillis: now - record.updatedAtMillis,
    inUse
  }
})

const keptByServer = (record: JournalRecord, now: number): number | null =>
  record.upload === undefined || isUploadExpired(record, now) ? null : record.upload.offset

/** What the store has of a staged archive; null where another store, or none, is configured. */
const keptOf = ({ archive }: JournalRecord, location: string) =>
  Effect.flatMap(Effect.serviceOption(ObjectStore), (store) =>
    Option.match(
      Option.filter(store, (store) => store.location === location),
      {
        onNone: () => Effect.succeed(null),
        onSome: (store) =>
          Effect.map(
            Effect.provideService(ArchiveStaging.look(archive), ObjectStore, store),
            (standing) =>
              ({ Absent: 0, Staged: archive.size, Unfinished: "bytes" in standing ? standing.bytes : 0 })[
                standing._tag
              ]
          )
      }
    )
  )

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
