/** Sending under the retry policy: each attempt checks first that nobody else has written, and settles an open end. */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Ref from "effect/Ref"
import * as Struct from "effect/Struct"
import * as ArchiveDigest from "../../archive/ArchiveDigest.ts"
import type { ArchiveError } from "../../archive/ArchiveError.ts"
import type { VersionedExtension } from "../../cloud/Extension.ts"
import type { JournalError } from "../../journal/JournalError.ts"
import type { JournalRecord } from "../../journal/JournalRecord.ts"
import * as ResumableUpload from "../../transfer/ResumableUpload.ts"
import * as RetryPolicy from "../../transfer/RetryPolicy.ts"
import { chunksInUse } from "../../transfer/UploadHttpClient.ts"
import type * as ServerState from "../StoredArchive.ts"
import type { UploadError } from "../UploadError.ts"
import type { Proof } from "../UploadReceipt.ts"
import { isOpenEnded } from "./openEnd.ts"
import * as Reconciliation from "./reconciliation.ts"
import * as Run from "./run.ts"

/** How the content got there: the service answered, or it was found applied after an answer was lost. @internal */
export type Delivered =
  | { readonly _tag: "Answered"; readonly versioned: VersionedExtension }
  | { readonly _tag: "Found"; readonly proof: Proof; readonly state: ServerState.ServerState }

/** 2 MiB a read: half as many would hardly be faster, and twice the memory. */
const reusedBuffers = { recycle: chunksInUse, chunkBytes: 2 * 1024 * 1024 }

/** A failed attempt, in the shape the retry policy reads. */
interface Failed extends RetryPolicy.Retryable {
  readonly error: UploadError
}

/** @internal */
export const deliver = (run: Run.Run): Effect.Effect<Delivered, UploadError> =>
  attempt(run).pipe(
    RetryPolicy.retry<Failed>(({ delayMillis, error: { error } }) =>
      Effect.flatMap(Ref.get(run.counters), ({ attempts }) =>
        run.emit({
          _tag: "RetryScheduled",
          attempt: attempts,
          delayMillis,
          reason: error._tag,
          message: error.message
        })
      )
    ),
    Effect.mapError(({ error }) => error)
  )

const attempt = (run: Run.Run): Effect.Effect<Delivered, Failed> =>
  Effect.gen(function* () {
    const before = yield* Ref.get(run.counters)
    const found =
      before.attempts > 0 ? yield* Effect.mapError(beforeSendingAgain(run), failedWith(false)) : undefined
    if (found !== undefined) return found
    yield* Ref.update(run.counters, (counts) => ({
      ...counts,
      attempts: counts.attempts + 1,
      resumedAt: undefined,
      written: 0
    }))
    return yield* send(run).pipe(
      Effect.map((versioned): Delivered => ({ _tag: "Answered", versioned })),
      Effect.catchAll((error) => settle(run, before.bytesSent, error)),
      Effect.catchAll((error) =>
        Effect.flatMap(Ref.get(run.counters), ({ acknowledged }) =>
          Effect.fail(failedWith(acknowledged > before.acknowledged)(error))
        )
      )
    )
  })

const failedWith =
  (madeProgress: boolean) =>
  (error: UploadError): Failed => ({
    error,
    isRetryable: error.isRetryable,
    retryAfterMillis: "retryAfterMillis" in error ? error.retryAfterMillis : undefined,
    madeProgress
  })

/** PUT is idempotent, so the danger in sending again is somebody else's archive. */
const beforeSendingAgain = (run: Run.Run): Effect.Effect<Delivered | undefined, UploadError> =>
  Effect.gen(function* () {
    const { baseline } = yield* Ref.get(run.record)
    const outcome = yield* Reconciliation.reconcile(run, baseline, 0)
    return yield* act(run, baseline, outcome, "the attempt before it failed")
  })

/** What an outcome means: delivered, go on (`undefined`), or an error. @internal */
export const act = (
  run: Run.Run,
  baseline: JournalRecord["baseline"],
  outcome: Reconciliation.Outcome,
  cause: string
): Effect.Effect<Delivered | undefined, UploadError> => {
  switch (outcome._tag) {
    case "NotApplied":
      return Effect.succeed(undefined)
    case "Applied":
      return Effect.succeed({ _tag: "Found", proof: outcome.proof, state: outcome.state })
    case "Unknown":
      return Effect.fail(Reconciliation.unknownError(run, cause, outcome.detail))
    case "Conflict": {
      const conflict = Reconciliation.conflictError(run, baseline, outcome.state.told)
      return run.settings.onConflict === "fail"
        ? Effect.fail(conflict)
        : overwrite(run, conflict.message, outcome.state)
    }
  }
}

const overwrite = (run: Run.Run, message: string, state: ServerState.ServerState) =>
  run
    .emit({ _tag: "Warning", code: "OverwritingConflict", message })
    .pipe(
      Effect.zipRight(Run.updateRecord(run, (record) => ({ ...record, baseline: state.told }))),
      Effect.as(undefined)
    )

/** An attempt with an open end is settled before anything else is decided; an upload resource settles its own. */
const settle = (
  run: Run.Run,
  sentBefore: number,
  error: UploadError
): Effect.Effect<Delivered, UploadError> =>
  Effect.gen(function* () {
    const { baseline, representationSize, upload } = yield* Ref.get(run.record)
    const { bytesSent, written } = yield* Ref.get(run.counters)
    const isOpen = upload === undefined && isOpenEnded(error, written >= representationSize)
    yield* note(run, (record) => ({
      ...record,
      phase: isOpen ? "Sent" : record.phase,
      bytesSent: record.bytesSent + bytesSent - sentBefore
    }))
    if (!isOpen) return yield* Effect.fail(error)
    const cause = `${error._tag}: ${error.message}`
    yield* run.emit({ _tag: "ReconciliationStarted", reason: error._tag, message: error.message })
    const window = Duration.toMillis(run.settings.reconcileWindow)
    const outcome = yield* Reconciliation.reconcile(run, baseline, window)
    yield* run.emit({ _tag: "Reconciled", outcome: outcome._tag })
    const delivered = yield* act(run, baseline, outcome, cause)
    return delivered === undefined ? yield* Effect.fail(error) : delivered
  })

/** For people who look at the journal: nothing is decided by it, so a failure is no harm. */
const note = (run: Run.Run, change: (record: JournalRecord) => JournalRecord) =>
  Effect.ignore(Run.updateRecord(run, change))

const send = (run: Run.Run): Effect.Effect<VersionedExtension, UploadError> =>
  Effect.gen(function* () {
    const { attempts } = yield* Ref.get(run.counters)
    yield* Run.updateRecord(run, (record) => ({ ...record, phase: "Sending", attempts: record.attempts + 1 }))
    const record = yield* Ref.get(run.record)
    yield* run.emit({ _tag: "AttemptStarted", attempt: attempts, total: record.representationSize })
    return yield* run.client.uploadWith(run.extensionId, (transport, request) =>
      ResumableUpload.send<JournalError | ArchiveError>({
        client: transport.client,
        interimResponses: transport.capabilities.interimResponses,
        request,
        representation: Run.representationOf(
          run,
          record.multipartBoundary,
          // Only a transport of known habits may be given buffers that are used again.
          transport.capabilities.interimResponses ? reusedBuffers : {}
        ),
        mode: run.settings.resumable,
        interopVersion: run.settings.interopVersion,
        reprDigest:
          record.multipartBoundary === undefined ? ArchiveDigest.toReprDigest(run.digest) : undefined,
        resource: record.upload,
        onResource: (resource) => keepResource(run, resource),
        onPart: (offset) => beginPart(run, offset, record.representationSize),
        onWritten: (offset) => countWritten(run, offset, record.representationSize),
        onAcknowledged: (offset) => countAcknowledged(run, offset, record.representationSize)
      })
    )
  })

const keepResource = (run: Run.Run, resource: ResumableUpload.UploadResource | undefined) =>
  Effect.gen(function* () {
    const { upload } = yield* Ref.get(run.record)
    yield* Run.updateRecord(run, (record) =>
      resource === undefined ? Struct.omit(record, "upload") : { ...record, upload: resource }
    )
    if (upload === undefined && resource !== undefined) yield* run.emit({ _tag: "ResumptionOffered" })
  })

const beginPart = (run: Run.Run, offset: number, total: number) =>
  Effect.zipRight(
    Ref.update(run.counters, (counts) => ({
      ...counts,
      written: offset,
      resumedAt: counts.resumedAt ?? offset
    })),
    run.emit({ _tag: "SendingStarted", offset, total })
  )

const countWritten = (run: Run.Run, offset: number, total: number) =>
  Effect.zipRight(
    Ref.update(run.counters, (counts) => ({
      ...counts,
      bytesSent: counts.bytesSent + offset - counts.written,
      written: offset
    })),
    run.emit({ _tag: "BytesWritten", offset, total })
  )

const countAcknowledged = (run: Run.Run, offset: number, total: number) =>
  Effect.gen(function* () {
    const { acknowledged } = yield* Ref.getAndUpdate(run.counters, (counts) => ({
      ...counts,
      acknowledged: Math.max(counts.acknowledged, offset)
    }))
    if (offset > acknowledged) yield* run.emit({ _tag: "BytesAcknowledged", offset, total })
    const { upload } = yield* Ref.get(run.record)
    if (upload !== undefined && offset - upload.offset >= journalEveryBytes) {
      // The server itself knows the offset better.
      yield* note(run, (record) => ({ ...record, upload: { ...upload, offset } }))
    }
  })

const journalEveryBytes = 16 * 1024 * 1024
