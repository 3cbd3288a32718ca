/** The upload under way: what is uploaded where, and what has come of it so far. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Ref from "effect/Ref"
import * as Stream from "effect/Stream"
import type * as Archive from "../../archive/Archive.ts"
import * as ArchiveDigest from "../../archive/ArchiveDigest.ts"
import type { ArchiveError } from "../../archive/ArchiveError.ts"
import type { ArchiveInspection } from "../../archive/ArchiveInspection.ts"
import type { ExtensionId } from "../../cloud/ExtensionId.ts"
import type { JournalError } from "../../journal/JournalError.ts"
import type { JournalRecord } from "../../journal/JournalRecord.ts"
import type { JournalSession } from "../../journal/UploadJournal.ts"
import { multipart, type Representation } from "../../transfer/Representation.ts"
import type { Content } from "../StoredArchive.ts"

/** What is uploaded where. It is known before the server is asked, and never changes. */
export class Subject extends Context.Tag("effect-elastic-extensions/upload/Subject")<
  Subject,
  {
    readonly extensionId: ExtensionId
    readonly archive: Archive.Archive
    readonly inspection: ArchiveInspection
    readonly digest: ArchiveDigest.ArchiveDigest
  }
>() {}

/** The archive's content, to compare with. */
export const content: Effect.Effect<Content, never, Subject> = Effect.map(Subject, ({ digest }) => ({
  size: digest.stat.size,
  sha256: digest.sha256
}))

/** The archive as it travels: as it is, or as a form with the given boundary. */
export const representation = (
  boundary: string | undefined,
  buffers: Pick<Archive.ReadOptions, "recycle" | "chunkBytes"> = {}
): Effect.Effect<Representation<ArchiveError>, never, Subject> =>
  Effect.map(Subject, ({ archive, digest }) => {
    const file: Representation<ArchiveError> = {
      contentType: "application/zip",
      size: digest.stat.size,
      read: (offset) => ArchiveDigest.verifying(digest, archive, { ...buffers, offset })
    }
    return boundary === undefined
      ? file
      : multipart({ boundary, field: "file", filename: archive.name, file })
  })

/**
 * The same for sending. Neither does a request begin to carry content nor do the last bytes leave before it is certain that
 * nobody else has taken over: a process that was frozen in the middle finds out here.
 */
export const confirmedRepresentation = (
  ...options: Parameters<typeof representation>
): Effect.Effect<Representation<ArchiveError | JournalError>, never, Subject | Progress> =>
  Effect.zipWith(representation(...options), Progress, (whole, { journal }) =>
    confirmed(whole, journal.confirm)
  )

/** Small enough to leave at once, so that nothing comes between the confirmation and the end. */
const lastBytes = 4096

const confirmed = <E, E2>(
  { contentType, read, size }: Representation<E>,
  confirm: Effect.Effect<void, E2>
): Representation<E | E2> => ({
  contentType,
  size,
  read: (offset) => {
    let at = offset
    const parts = (chunk: Uint8Array): Stream.Stream<Uint8Array, E2> => {
      at += chunk.length
      if (at < size) return Stream.succeed(chunk)
      const body = chunk.subarray(0, Math.max(0, chunk.length - lastBytes))
      const end = Stream.fromEffect(Effect.as(confirm, chunk.subarray(body.length)))
      return body.length === 0 ? end : Stream.concat(Stream.succeed(body), end)
    }
    return Stream.unwrap(Effect.as(confirm, Stream.flatMap(read(offset), parts)))
  }
})

/** What has come of an upload so far. */
export class Progress extends Context.Tag("effect-elastic-extensions/upload/Progress")<
  Progress,
  {
    readonly journal: JournalSession
    /** What the journal holds, or will hold from the first attempt on. */
    readonly record: Ref.Ref<JournalRecord>
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
}

export const noCounts: Counters = {
  attempts: 0,
  bytesSent: 0,
  written: 0,
  hasPart: false,
  bytesResumed: 0,
  acknowledged: 0
}

export const counters: Effect.Effect<Counters, never, Progress> = Effect.flatMap(Progress, ({ counters }) =>
  Ref.get(counters)
)

export const count = (change: (counters: Counters) => Counters): Effect.Effect<void, never, Progress> =>
  Effect.flatMap(Progress, ({ counters }) => Ref.update(counters, change))

export const record: Effect.Effect<JournalRecord, never, Progress> = Effect.flatMap(Progress, ({ record }) =>
  Ref.get(record)
)

/** Changes the record, here and in the journal. */
export const updateRecord = (
  change: (record: JournalRecord) => JournalRecord
): Effect.Effect<void, JournalError, Progress> =>
  Effect.flatMap(Progress, ({ journal, record }) =>
    Effect.flatMap(Ref.updateAndGet(record, change), journal.save)
  )
