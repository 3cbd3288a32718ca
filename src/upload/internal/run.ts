/** The upload under way: what is uploaded where, and what has come of it so far. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Ref from "effect/Ref"
import type * as Archive from "../../archive/Archive.ts"
import type * as ArchiveDigest from "../../archive/ArchiveDigest.ts"
import * as ByteStream from "../../byteStream.ts"
import type { ExtensionId } from "../../cloud/ExtensionId.ts"
import type { JournalError } from "../../journal/JournalError.ts"
import type { JournalRecord } from "../../journal/JournalRecord.ts"
import type { JournalSession } from "../../journal/UploadJournal.ts"
import { multipart, type Representation } from "../../transfer/Representation.ts"
import type { Inspected } from "../LocalArchive.ts"
import type { Content } from "../StoredArchive.ts"
import type { Findings, Hashing, ReadingError } from "./hashing.ts"

/** What is uploaded where. It is known before the server is asked, and never changes. */
export class Subject extends Context.Tag("effect-elastic-extensions/upload/Subject")<
  Subject,
  {
    readonly extensionId: ExtensionId
    readonly inspected: Inspected
    readonly hashing: Hashing
  }
>() {}

/**
 * How much of an archive is read at a time, in bytes: half as much would hardly be slower, and twice as much only takes
 * more memory. An archive of one such piece is hashed before it is sent: there is nothing to send meanwhile.
 */
export class PieceBytes extends Context.Reference<PieceBytes>()(
  "effect-elastic-extensions/upload/PieceBytes",
  { defaultValue: () => 2 * 1024 * 1024 }
) {}

/** The archive's content, to compare with. It is read if it was not yet. */
export const content: Effect.Effect<Content, ReadingError, Subject> = Effect.flatMap(Subject, ({ hashing }) =>
  Effect.map(hashing.whole, ({ digest }) => ({ size: digest.stat.size, sha256: digest.sha256 }))
)

/** How an archive travels: as it is, or as a form with the given boundary. */
export const framed = <E>(
  { archive, stat }: Inspected,
  boundary: string | undefined,
  read: Representation<E>["read"]
): Representation<E> => {
  const file: Representation<E> = { contentType: "application/zip", size: stat.size, read }
  return boundary === undefined ? file : multipart({ boundary, field: "file", filename: archive.name, file })
}

/**
 * What is sent. What the reading finds out is journaled before the bytes that it is about can leave. No request begins to carry
 * content before it is certain that nobody else has taken over; whoever sends the last bytes makes sure once more.
 */
export const representation = (
  boundary: string | undefined,
  buffers: Pick<Archive.ReadOptions, "recycle" | "chunkBytes">
): Effect.Effect<Representation<ReadingError | JournalError>, never, Subject | Progress> =>
  Effect.gen(function* () {
    const { hashing, inspected } = yield* Subject
    const progress = yield* Progress
    const findings: Findings<JournalError> = {
      onHashed: (checkpoint) => noteHashed(progress, checkpoint),
      onDigested: (digest) => updateRecordOf(progress, (record) => withDigest(record, digest))
    }
    const { read, ...whole } = framed(inspected, boundary, (offset) =>
      hashing.read({ ...buffers, offset }, findings)
    )
    return {
      ...whole,
      read: (offset) => ByteStream.unwrap(Effect.as(progress.journal.confirm, read(offset)))
    }
  })

/** The record of an upload whose archive is known to the end. */
export const withDigest = (
  record: JournalRecord,
  { checkpoints, sha256 }: ArchiveDigest.ArchiveDigest
): JournalRecord => ({ ...record, archive: { ...record.archive, sha256 }, checkpoints })

/** What has come of an upload so far. */
export class Progress extends Context.Tag("effect-elastic-extensions/upload/Progress")<
  Progress,
  {
    readonly journal: JournalSession
    /** What the journal holds, or will hold after the next write. */
    readonly record: Ref.Ref<JournalRecord>
    /** One write at a time, so that the journal never goes back to an earlier record. */
    readonly writing: Effect.Semaphore
    readonly counters: Ref.Ref<Counters>
  }
>() {}

export interface Counters {
  readonly attempts: number
  /** Body bytes handed to the transport over all attempts. */
  readonly bytesSent: number
  /** How far the present request has come, as an offset in the representation. */
  readonly written: number
  /** Whether the present attempt has begun a request with content, */
  readonly hasPart: boolean
  /** and where: 0 at the start of the representation. */
  readonly bytesResumed: number
  readonly acknowledged: number
  /** Whether this run has begun again because the server had lost the upload resource. */
  readonly hasStartedOver: boolean
}

export const noCounts: Counters = {
  attempts: 0,
  bytesSent: 0,
  written: 0,
  hasPart: false,
  bytesResumed: 0,
  acknowledged: 0,
  hasStartedOver: false
}

export const counters: Effect.Effect<Counters, never, Progress> = Effect.flatMap(Progress, ({ counters }) =>
  Ref.get(counters)
)

export const count = (change: (counters: Counters) => Counters): Effect.Effect<void, never, Progress> =>
  Effect.flatMap(Progress, ({ counters }) => Ref.update(counters, change))

export const record: Effect.Effect<JournalRecord, never, Progress> = Effect.flatMap(Progress, ({ record }) =>
  Ref.get(record)
)

/** Changes the record here alone: the journal gets it with the next write. */
export const changeRecord = (
  change: (record: JournalRecord) => JournalRecord
): Effect.Effect<void, never, Progress> =>
  Effect.flatMap(Progress, (progress) => Ref.update(progress.record, change))

/** Changes the record, here and in the journal. */
export const updateRecord = (
  change: (record: JournalRecord) => JournalRecord
): Effect.Effect<void, JournalError, Progress> =>
  Effect.flatMap(Progress, (progress) => updateRecordOf(progress, change))

type Written = typeof Progress.Service

const updateRecordOf = (progress: Written, change: (record: JournalRecord) => JournalRecord) =>
  Effect.zipRight(Ref.update(progress.record, change), write(progress))

const write = ({ journal, record, writing }: Written) =>
  writing.withPermits(1)(Effect.flatMap(Ref.get(record), journal.save))

/**
 * What an upload resource may have has to be known to whoever resumes it. Without one nobody can, and the journal need
 * not be troubled: the record that names the resource, when there is one, takes the checkpoint along.
 */
const noteHashed = (progress: Written, checkpoint: ArchiveDigest.Checkpoint) =>
  Effect.flatMap(
    Ref.updateAndGet(progress.record, (record) => ({ ...record, checkpoints: [checkpoint] })),
    ({ upload }) => (upload === undefined ? Effect.void : write(progress))
  )
