/** The uploads that a journal remembers: what a person wants to know of them, and finishing them one at a time. */
import type * as FileSystem from "@effect/platform/FileSystem"
import * as Clock from "effect/Clock"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Archive from "../../archive/Archive.ts"
import { ExtensionsClient } from "../../cloud/ExtensionsClient.ts"
import { isUploadExpired, JournalPhase, type JournalRecord } from "../../journal/JournalRecord.ts"
import { UploadJournal } from "../../journal/UploadJournal.ts"
import * as ExtensionUpload from "../../upload/ExtensionUpload.ts"
import { NoPendingUpload } from "../Failure.ts"
import { resumeCommand, withReport } from "./uploading.ts"
import type { Given } from "./variables.ts"

/** Whether the file is as it was when the upload began, as far as its size and modification time tell. */
const ArchiveState = Schema.Literal("unchanged", "changed", "missing")

/** One unfinished upload. Its address on the server is a secret and left out. */
export const Unfinished = Schema.Struct({
  extensionId: Schema.String,
  archive: Schema.Struct({
    path: Schema.String,
    size: Schema.Number,
    sha256: Schema.String,
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

export interface Unfinished extends Schema.Schema.Type<typeof Unfinished> {}

const archiveState = ({ archive }: JournalRecord) =>
  Archive.file(archive.path).stat.pipe(
    Effect.map(({ modifiedMillis, size }): typeof ArchiveState.Type =>
      size === archive.size && modifiedMillis === archive.modifiedMillis ? "unchanged" : "changed"
    ),
    Effect.catchTag("ArchiveUnreadable", () => Effect.succeed("missing" as const))
  )

/** `inUse` tells whether a process is at work on it. */
export const describe = Effect.fnUntraced(function* (
  record: JournalRecord,
  inUse: boolean
): Effect.fn.Return<Unfinished, never, FileSystem.FileSystem> {
  const now = yield* Clock.currentTimeMillis
  const { path, sha256, size } = record.archive
  return {
    extensionId: record.extensionId,
    archive: { path, size, sha256, state: yield* archiveState(record) },
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
export const unfinishedAt = Effect.fnUntraced(function* (baseUrl: string) {
  const { corrupt, locks, records } = yield* (yield* UploadJournal).list
  const locked = new Set(locks.map(({ id }) => id))
  const here = records.filter(({ origin }) => origin === baseUrl)
  return {
    uploads: yield* Effect.forEach(here, (record) => describe(record, locked.has(record.id))),
    elsewhere: records.length - here.length,
    corrupt
  }
})

/** The records at the endpoint in use: all, oldest first, or the one of an extension. */
export const recordsOf = Effect.fnUntraced(function* (extensionId: Option.Option<string>) {
  const { baseUrl } = yield* ExtensionsClient
  const { records } = yield* (yield* UploadJournal).list
  return records.filter(
    (record) =>
      record.origin === baseUrl &&
      Option.match(extensionId, { onNone: () => true, onSome: (id) => id === record.extensionId })
  )
})

export const noPendingUpload = (extensionId: string) =>
  Effect.flatMap(ExtensionsClient, ({ baseUrl: endpoint }) => new NoPendingUpload({ extensionId, endpoint }))

/** A journal that holds nothing but this upload. */
const only = (journal: UploadJournal["Type"], record: JournalRecord): UploadJournal["Type"] => ({
  ...journal,
  list: Effect.map(journal.list, (listing) => ({
    ...listing,
    records: listing.records.filter(({ id }) => id === record.id)
  }))
})

/** Finishes one upload. One that another process has finished in the meantime is no longer pending. */
export const finish = Effect.fnUntraced(function* (record: JournalRecord, givens: ReadonlyArray<Given>) {
  const journal = yield* UploadJournal
  const { extensionId } = record
  const receipt = yield* withReport(resumeCommand(["resume", extensionId], givens), (onEvent) =>
    ExtensionUpload.resumePending({ onEvent }).pipe(
      Effect.provideService(UploadJournal, only(journal, record)),
      Effect.flatMap(([pending]) => Effect.transposeOption(Option.fromNullable(pending?.result)))
    )
  )
  return yield* Option.match(receipt, {
    onNone: () => noPendingUpload(extensionId),
    onSome: Effect.succeed
  })
})
