/** The uploads that a journal remembers, with what a person wants to know before going on with one. */
import type * as FileSystem from "@effect/platform/FileSystem"
import * as Clock from "effect/Clock"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Archive from "../../../archive/Archive.ts"
import { isUploadExpired, JournalPhase, type JournalRecord } from "../../../journal/JournalRecord.ts"
import { UploadJournal } from "../../../journal/UploadJournal.ts"

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
export const describe = (
  record: JournalRecord,
  inUse: boolean
): Effect.Effect<Unfinished, never, FileSystem.FileSystem> =>
  Effect.gen(function* () {
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
export const unfinishedAt = (baseUrl: string) =>
  Effect.gen(function* () {
    const { corrupt, locks, records } = yield* (yield* UploadJournal).list
    const here = records.filter(({ origin }) => origin === baseUrl)
    return {
      uploads: yield* Effect.forEach(here, (record) =>
        describe(
          record,
          locks.some(({ id }) => id === record.id)
        )
      ),
      elsewhere: records.length - here.length,
      corrupt
    }
  })
