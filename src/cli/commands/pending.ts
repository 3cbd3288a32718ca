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
import * as Archive from "../../archive/Archive.ts"
import * as ElasticCloudConfig from "../../cloud/ElasticCloudConfig.ts"
import { isUploadExpired, type JournalRecord } from "../../journal/JournalRecord.ts"
import * as UploadJournal from "../../journal/UploadJournal.ts"
import { printable } from "../../outsideText.ts"
import * as ArchiveDelivery from "../../publish/ArchiveDelivery.ts"
import * as ArchiveStaging from "../../staging/ArchiveStaging.ts"
import { ObjectStore } from "../../staging/ObjectStore.ts"
import type { StagingError } from "../../staging/StagingError.ts"
import * as UploadHttpClient from "../../transfer/UploadHttpClient.ts"
import type { Run } from "../internal/command.ts"
import type * as definitions from "../internal/definitions.ts"
import { Output } from "../internal/output.ts"
import * as Results from "../internal/results.ts"
import { bytes, clock, table } from "../internal/text.ts"

/**
 * @since 0.1.0
 * @category commands
 */
export const run: Run<typeof definitions.pending> = () =>
  Effect.gen(function* () {
    const output = yield* Output
    const { baseUrl: endpoint } = yield* ElasticCloudConfig.endpoint
    const { corrupt, elsewhere, uploads } = yield* unfinishedAt(endpoint)
    const kept = yield* keptInStore
    yield* output.result({
      schema: Results.Pending,
      value: { _tag: "PendingUploads", endpoint, uploads, kept, elsewhere, unreadable: corrupt.length },
      lines: [
        ...table(headings, uploads.map(rowOf), "There are no unfinished uploads."),
        ...(kept.length === 0 ? [] : ["", ...table(keptHeadings, kept.map(keptRowOf), "")])
      ],
      quietLines: uploads.map(({ extensionId }) => printable(extensionId))
    })
    if (elsewhere > 0) yield* output.note(`${elsewhere} more at other endpoints: choose one with --endpoint.`)
    yield* Effect.forEach(corrupt, ({ message }) => output.note(message), { discard: true })
  }).pipe(
    Effect.provide(
      Layer.merge(
        UploadJournal.layerConfig,
        Layer.provide(ArchiveDelivery.layerStore, UploadHttpClient.layerConfig)
      )
    )
  )

const keptHeadings = ["KEPT", "PARTS", "BEGAN", "STAGED IN"] as const

const keptRowOf = ({
  began,
  bytes: size,
  location,
  parts
}: typeof Results.Kept.Type): ReadonlyArray<string> => [
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
): Effect.fn.Return<Results.Unfinished, StagingError, FileSystem.FileSystem> {
  const now = yield* Clock.currentTimeMillis
  const { path, sha256, size } = record.archive
  const kept =
    record.staging === undefined ? keptByServer(record, now) : yield* keptInStaging(record, record.staging)
  return {
    extensionId: record.extensionId,
    archive: { path, size, sha256: sha256 ?? null, state: yield* archiveState(record) },
    phase: record.phase,
    stage: record.staging ?? null,
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

const keptByServer = (record: JournalRecord, now: number): number | null =>
  record.upload === undefined || isUploadExpired(record, now) ? null : record.upload.offset

/** What the store has of a staged archive; null where another store, or none, is configured. */
const keptInStaging = Effect.fnUntraced(function* (
  { archive: { name, sha256, size } }: JournalRecord,
  location: string
) {
  const store = Option.filter(
    yield* Effect.serviceOption(ObjectStore),
    (store) => store.location === location
  )
  // What is staged was hashed before.
  if (Option.isNone(store) || sha256 === undefined) return null
  const standing = yield* Effect.provideService(
    ArchiveStaging.look({ name, sha256, size }),
    ObjectStore,
    store.value
  )
  switch (standing._tag) {
    case "Absent":
      return 0
    case "Unfinished":
      return standing.bytes
    case "Staged":
      return size
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
