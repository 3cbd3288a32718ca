/** What one upload run carries from step to step. */
import * as Effect from "effect/Effect"
import * as Ref from "effect/Ref"
import type * as Archive from "../../archive/Archive.ts"
import * as ArchiveDigest from "../../archive/ArchiveDigest.ts"
import type { ArchiveError } from "../../archive/ArchiveError.ts"
import type { ArchiveInspection } from "../../archive/ArchiveInspection.ts"
import type { ExtensionId } from "../../cloud/ExtensionId.ts"
import type { ExtensionsClientService } from "../../cloud/ExtensionsClient.ts"
import type { JournalError } from "../../journal/JournalError.ts"
import type { JournalRecord } from "../../journal/JournalRecord.ts"
import type { JournalSession } from "../../journal/UploadJournal.ts"
import type { Representation } from "../../transfer/Representation.ts"
import { multipart } from "../../transfer/Representation.ts"
import * as RetryPolicy from "../../transfer/RetryPolicy.ts"
import * as ServerState from "../StoredArchive.ts"
import type { UploadEvent } from "../UploadEvent.ts"
import type { UploadOptions } from "../UploadSettings.ts"

/** @internal */
export interface Run {
  readonly startedAtMillis: number
  readonly extensionId: ExtensionId
  readonly client: ExtensionsClientService
  readonly settings: UploadOptions
  readonly emit: (event: UploadEvent) => Effect.Effect<void>
  readonly archive: Archive.Archive
  readonly inspection: ArchiveInspection
  readonly digest: ArchiveDigest.ArchiveDigest
  readonly journal: JournalSession
  /** What the journal holds, or will hold from the first attempt on. */
  readonly record: Ref.Ref<JournalRecord>
  readonly counters: Ref.Ref<Counters>
}

/** @internal */
export interface Counters {
  readonly attempts: number
  /** Body bytes handed to the transport over all attempts. */
  readonly bytesSent: number
  /** How far the present request has come, as an offset in the representation. */
  readonly written: number
  /** Where the present attempt went on; 0 when it began at the start. */
  readonly resumedAt: number | undefined
  readonly acknowledged: number
}

/** @internal */
export const noCounts: Counters = {
  attempts: 0,
  bytesSent: 0,
  written: 0,
  resumedAt: undefined,
  acknowledged: 0
}

/** The archive as it travels under the framing that the journal remembers. @internal */
export const representationOf = (
  run: Pick<Run, "archive" | "digest">,
  boundary: string | undefined,
  buffers: Pick<Archive.ReadOptions, "recycle" | "chunkBytes">
): Representation<ArchiveError> => {
  const file: Representation<ArchiveError> = {
    contentType: "application/zip",
    size: run.digest.stat.size,
    read: (offset) => ArchiveDigest.verifying(run.digest, run.archive, { ...buffers, offset })
  }
  return boundary === undefined
    ? file
    : multipart({ boundary, field: "file", filename: run.archive.name, file })
}

/** What only asks may be asked again: lost answers and full queues are tried again under the retry policy. @internal */
export const persistently =
  (run: Pick<Run, "emit">) =>
  <A, E extends RetryPolicy.Retryable & { readonly _tag: string; readonly message: string }>(
    self: Effect.Effect<A, E>
  ): Effect.Effect<A, E> =>
    self.pipe(
      RetryPolicy.retry(({ delayMillis, error }) =>
        run.emit({
          _tag: "RetryScheduled",
          attempt: 0,
          delayMillis,
          reason: error._tag,
          message: error.message
        })
      )
    )

/** The extension as it is now, with the deployments that use it. @internal */
export const readWithDeployments = (run: Pick<Run, "client" | "extensionId" | "emit">) =>
  run.client.get(run.extensionId, { includeDeployments: true }).pipe(persistently(run))

/** The extension as it is now. @internal */
export const readState = (run: Pick<Run, "client" | "extensionId" | "emit">) =>
  run.client.get(run.extensionId).pipe(persistently(run), Effect.map(ServerState.fromExtension))

/** @internal */
export const matchContent = (run: Pick<Run, "client" | "digest" | "emit">, state: ServerState.ServerState) =>
  ServerState.matchContent(run.client, state, contentOf(run), (bytes) =>
    run.emit({ _tag: "VerificationProgress", bytes, total: Math.max(bytes, run.digest.stat.size) })
  )

/** By its size alone, with a warning that says why. @internal */
export const matchSize = (run: Pick<Run, "digest" | "emit">, state: ServerState.ServerState, why: string) =>
  Effect.as(warnOfWeakerProof(run, why), ServerState.matchSize(state, contentOf(run)))

/** @internal */
export const warnOfWeakerProof = (run: Pick<Run, "emit">, why: string) =>
  run.emit({
    _tag: "Warning",
    code: "WeakerProof",
    message: `The upload could not be verified by its hash: ${why}`
  })

/** @internal */
export const contentOf = ({ digest }: Pick<Run, "digest">): ServerState.Content => ({
  size: digest.stat.size,
  sha256: digest.sha256
})

/** Changes the record, here and in the journal. @internal */
export const updateRecord = (
  run: Run,
  change: (record: JournalRecord) => JournalRecord
): Effect.Effect<void, JournalError> =>
  Effect.flatMap(Ref.updateAndGet(run.record, change), (record) => run.journal.save(record))
