/** Steps 4 and 5 of an upload: sending under the retry policy, each attempt settled by what the server holds. */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as Ref from "effect/Ref"
import * as Struct from "effect/Struct"
import * as ArchiveDigest from "../../archive/ArchiveDigest.ts"
import { ExtensionsClient } from "../../cloud/ExtensionsClient.ts"
import type { JournalError } from "../../journal/JournalError.ts"
import type { JournalRecord } from "../../journal/JournalRecord.ts"
import { attribute, spanned } from "../../telemetry.ts"
import * as ResumableUpload from "../../transfer/ResumableUpload.ts"
import type { UploadResourceLost } from "../../transfer/ResumableUploadError.ts"
import * as RetryPolicy from "../../transfer/RetryPolicy.ts"
import { chunksInUse } from "../../transfer/UploadHttpClient.ts"
import * as StoredArchive from "../StoredArchive.ts"
import { conflictBetween, isOutcomeOpen, type UploadError, VerificationFailed } from "../UploadError.ts"
import { emit } from "../UploadEvent.ts"
import type { Proof } from "../UploadReceipt.ts"
import { UploadSettings } from "../UploadSettings.ts"
import type { ReadingError } from "./hashing.ts"
import { judgeOutcome, type Outcome, reconcile } from "./reconcile.ts"
import * as Run from "./run.ts"

/** The archive is there, and this is how that is known. */
export interface Delivered {
  readonly proof: Proof
  readonly stored: StoredArchive.StoredArchive
}

/** A failed attempt, in the shape that the retry policy reads. */
interface Failed extends RetryPolicy.Retryable {
  readonly error: UploadError
}

/**
 * Attempt after attempt, until the server is known to hold the archive or there is no use in trying. The journal knows of the
 * first one already: see `withAttempt`.
 */
export const deliver: Effect.Effect<Delivered, UploadError, Run.Subject | Run.Progress | ExtensionsClient> =
  Effect.suspend(() => attempt()).pipe(
    RetryPolicy.retry(
      Effect.fnUntraced(function* ({ delayMillis, error: { error }, retry }: RetryPolicy.Retry<Failed>) {
        const { attempts } = yield* Run.counters
        const { _tag: reason, message } = error
        yield* emit({ _tag: "RetryScheduled", attempt: attempts, retry, delayMillis, reason, message })
      })
    ),
    Effect.mapError(({ error }) => error)
  )

const attempt = Effect.fnUntraced(function* () {
  const before = yield* Run.counters
  return yield* (before.attempts === 0 ? sendAndProve : sendUnlessSettled).pipe(
    Effect.catchIf(isGone, startOver),
    Effect.catchAll((error) =>
      Effect.flatMap(Run.counters, ({ acknowledged }) =>
        Effect.fail(failedWith(error, acknowledged > before.acknowledged))
      )
    )
  )
})

/** By the server's own word, or by the time that it has announced. */
const isGone = (error: UploadError): error is UploadResourceLost =>
  error._tag === "UploadResourceLost" && (error.reason === "Gone" || error.reason === "Expired")

/**
 * What was lost is no attempt that failed, and so costs none: one that begins anew follows at once, if nothing else than before
 * is found. A server may lose a second one in the same run only at the price of a retry.
 */
const startOver = (error: UploadResourceLost) =>
  Effect.flatMap(Run.counters, ({ hasStartedOver }) =>
    hasStartedOver
      ? Effect.fail(error)
      : Effect.zipRight(
          Run.count((counts) => ({ ...counts, hasStartedOver: true })),
          sendUnlessSettled
        )
  )

const failedWith = (error: UploadError, madeProgress: boolean): Failed => ({
  _tag: error._tag,
  error,
  isRetryable: error.isRetryable,
  retryAfterMillis: "retryAfterMillis" in error ? error.retryAfterMillis : undefined,
  madeProgress
})

/** PUT is idempotent, so the danger in sending again is somebody else's archive. */
const sendUnlessSettled = Effect.gen(function* () {
  const { hashing } = yield* Run.Subject
  yield* hashing.settled
  const { baseline } = yield* Run.record
  const verdict = yield* act(yield* reconcile(baseline, 0), "the attempt before it failed")
  if (verdict._tag === "Delivered") return verdict
  const digested = yield* hashing.known
  yield* Run.updateRecord((record) =>
    withAttempt(
      Option.match(digested, {
        onNone: () => record,
        onSome: ({ digest }) => Run.withDigest(record, digest)
      })
    )
  )
  return yield* sendAndProve
})

/** A record that says that bytes may leave from now on. */
export const withAttempt = (record: JournalRecord): JournalRecord => ({
  ...record,
  phase: "Sending",
  attempts: record.attempts + 1
})

/** What was found out about the server's archive is the baseline from then on. */
const act = Effect.fnUntraced(function* (outcome: Outcome, cause: string) {
  const { baseline } = yield* Run.record
  const verdict = yield* judgeOutcome(outcome, baseline, cause)
  if (verdict._tag === "MaySendOver") {
    // Whatever an upload resource says from now on is older than what it would overwrite.
    yield* Run.updateRecord((record) => ({
      ...Struct.omit(record, "upload"),
      baseline: verdict.stored.told
    }))
  }
  return verdict
})

const sendAndProve: Effect.Effect<Delivered, UploadError, Run.Subject | Run.Progress | ExtensionsClient> =
  Effect.gen(function* () {
    const before = yield* Run.counters
    yield* Run.count((counts) => ({
      ...counts,
      attempts: counts.attempts + 1,
      bytesResumed: 0,
      hasPart: false,
      written: 0
    }))
    const end = yield* send
    const { bytesSent } = yield* Run.counters
    // A success is about to be forgotten.
    yield* (end._tag === "Answered" ? Run.changeRecord : note)((record) => ({
      ...record,
      phase: end._tag === "Open" ? "Sent" : record.phase,
      bytesSent: record.bytesSent + bytesSent - before.bytesSent
    }))
    switch (end._tag) {
      case "Answered":
        yield* emit({ _tag: "VerificationStarted" })
        return yield* spanned("ExtensionUpload.verify")(prove(end.answered))
      case "Open":
        return yield* settleOpenEnd(end.error)
      case "Refused":
        return yield* end.error
    }
  })

/** How a request ended. */
type End =
  /** With success, after the whole body. */
  | { readonly _tag: "Answered"; readonly answered: StoredArchive.StoredArchive }
  /** In a way that leaves open whether it took effect. */
  | { readonly _tag: "Open"; readonly error: UploadError }
  /** In a way that says that it did not, or with an upload resource that will say. */
  | { readonly _tag: "Refused"; readonly error: UploadError }

const send = Effect.gen(function* () {
  const { extensionId } = yield* Run.Subject
  const answer = yield* Effect.either(tracedAttempt)
  const { representationSize, upload } = yield* Run.record
  const { written } = yield* Run.counters
  const wholeBodySent = written >= representationSize
  return Either.match(answer, {
    onLeft: (error): End =>
      upload === undefined && isOutcomeOpen(error, wholeBodySent)
        ? { _tag: "Open", error }
        : { _tag: "Refused", error },
    onRight: (versioned): End =>
      wholeBodySent
        ? { _tag: "Answered", answered: StoredArchive.fromExtension(versioned) }
        : { _tag: "Open", error: answeredEarly(extensionId, written, representationSize) }
  })
})

/** An attempt as a span of its own, with what it brought to its way. */
const tracedAttempt = Effect.gen(function* () {
  const { attempts, bytesSent } = yield* Run.counters
  const tell = Effect.flatMap(Run.counters, (now) =>
    Effect.annotateCurrentSpan({
      [attribute.uploadBytesSent]: now.bytesSent - bytesSent,
      [attribute.uploadBytesResumed]: now.bytesResumed
    })
  )
  return yield* exchange.pipe(
    Effect.ensuring(tell),
    spanned("ExtensionUpload.attempt", { attributes: { [attribute.uploadAttempt]: attempts } })
  )
})

const answeredEarly = (extensionId: string, written: number, size: number) =>
  new VerificationFailed({
    extensionId,
    reason: "Incomplete",
    expected: `${size} bytes`,
    actual: `${written} bytes`
  })

/** For people who look at the journal: nothing is decided by it, so a failure does no harm. */
const note = (change: (record: JournalRecord) => JournalRecord) => Effect.ignore(Run.updateRecord(change))

/** An attempt with an open end is settled before anything else is decided. */
const settleOpenEnd = Effect.fnUntraced(function* (error: UploadError) {
  const { reconcileWindow } = yield* UploadSettings
  yield* emit({ _tag: "ReconciliationStarted", reason: error._tag, message: error.message })
  const { baseline } = yield* Run.record
  const outcome = yield* Effect.delay(
    reconcile(baseline, reconcileWindow),
    Duration.min(retryAfterOf(error), reconcileWindow)
  )
  yield* emit({ _tag: "Reconciled", outcome: outcome._tag })
  const verdict = yield* act(outcome, `${error._tag}: ${error.message}`)
  return verdict._tag === "Delivered" ? verdict : yield* error
})

/** A server that asks for a pause is not asked before it is over, as long as the window is open. */
const retryAfterOf = (error: UploadError): Duration.DurationInput =>
  ("retryAfterMillis" in error ? error.retryAfterMillis : undefined) ?? 0

/**
 * Success needs evidence: bytes that hash to ours, or an archive that was replaced since the baseline and does not
 * contradict. An answer that says otherwise than the extension shows has an open end like any other.
 */
const prove = Effect.fnUntraced(function* (answered: StoredArchive.StoredArchive) {
  const { extensionId } = yield* Run.Subject
  const { baseline } = yield* Run.record
  const { verification } = yield* UploadSettings
  const content = yield* Run.content
  const { match, stored }: StoredArchive.Compared =
    verification === "response"
      ? { match: { _tag: "Unknown" }, stored: answered }
      : yield* StoredArchive.compareBy(verification, yield* StoredArchive.read(extensionId), content)
  if (match._tag === "Same" && match.proof === "hash") return { proof: match.proof, stored }
  const [said, shown] = [answered, stored].map(({ told }) => StoredArchive.replacement(baseline, told))
  // What the extension shows goes before what the answer says: that may be a lie, or the extension a moment behind.
  const isReplaced = shown === "Changed" || (shown === "Unknown" && said === "Changed")
  if (!isReplaced) return yield* settleOpenEnd(unchanged(extensionId))
  switch (match._tag) {
    case "Same":
      return { proof: match.proof, stored }
    case "Unknown":
      if (verification !== "response") {
        yield* StoredArchive.warnOfWeakerProof("the service does not tell the size of what it holds")
      }
      return { proof: "response" as const, stored }
    case "Different":
      return yield* contradiction(extensionId, content, answered, stored, match)
  }
})

const unchanged = (extensionId: string) =>
  new VerificationFailed({
    extensionId,
    reason: "Unchanged",
    expected: "a new version or date",
    actual: "the extension as it was before"
  })

/** Other content than ours under a version that is not ours either was written by someone else after us. */
const contradiction = (
  extensionId: string,
  content: StoredArchive.Content,
  answered: StoredArchive.StoredArchive,
  stored: StoredArchive.StoredArchive,
  { actual, reason }: Extract<StoredArchive.Match, { _tag: "Different" }>
) =>
  StoredArchive.movement(versionOf(answered), versionOf(stored)) === "Changed"
    ? conflictBetween(extensionId, answered.told, stored.told)
    : new VerificationFailed({
        extensionId,
        reason,
        expected: reason === "Size" ? String(content.size) : content.sha256,
        actual
      })

const versionOf = ({ told }: StoredArchive.StoredArchive) =>
  Struct.pick(told, "resourceVersion", "lastModified")

/** One exchange: a PUT that becomes resumable where the server can, or the rest of one that was. */
const exchange = Effect.gen(function* () {
  const { extensionId, hashing } = yield* Run.Subject
  const client = yield* ExtensionsClient
  const { interopVersion, resumable } = yield* UploadSettings
  const chunkBytes = yield* Run.PieceBytes
  const { attempts } = yield* Run.counters
  const digest = Option.map(yield* hashing.known, (known) => known.digest)
  const {
    attempts: attemptsSoFar,
    bytesSent,
    multipartBoundary,
    representationSize: total,
    upload
  } = yield* Run.record
  yield* emit({ _tag: "AttemptStarted", attempt: attempts, total })
  const progress = yield* Run.Progress
  // Of a form, the digest is another one.
  const reprDigest =
    multipartBoundary === undefined ? Option.map(digest, ArchiveDigest.toReprDigest) : Option.none()
  return yield* client.uploadWith(extensionId, (transport, request) =>
    Effect.flatMap(
      // Only a transport of known habits may be given buffers that are used again.
      Run.representation(
        multipartBoundary,
        transport.capabilities.interimResponses ? { recycle: chunksInUse, chunkBytes } : { chunkBytes }
      ),
      (representation) =>
        ResumableUpload.send<JournalError | ReadingError>({
          client: transport.client,
          interimResponses: transport.capabilities.interimResponses,
          request,
          representation,
          mode: resumable,
          interopVersion,
          reprDigest: Option.getOrUndefined(reprDigest),
          resource: upload,
          // Asked once: a server that cannot resume says the same every time.
          afterFailure: attemptsSoFar === 2 && bytesSent > 0,
          observe: (event) =>
            // Many times a second, and so without a context of its own.
            event._tag === "BytesWritten"
              ? countWritten(progress, event.offset, total)
              : Effect.provideService(observe(event, total), Run.Progress, progress)
        })
    )
  )
})

const observe = (
  event: Exclude<ResumableUpload.SendEvent, { _tag: "BytesWritten" }>,
  total: number
): Effect.Effect<void, JournalError, Run.Progress> => {
  switch (event._tag) {
    case "ResourceKnown":
      return keepResource(event.resource)
    case "ResourceGone":
      return Run.updateRecord(Struct.omit("upload"))
    case "ResourceIgnored":
      return emit({ _tag: "Warning", code: "ResumptionIgnored", message: ignoredBecause(event) })
    case "PartStarted":
      return beginPart(event.offset, total)
    case "BytesAcknowledged":
      return countAcknowledged(event.offset, total)
    case "Completing":
      return confirmed
  }
}

/** A process that was frozen in the middle finds out here that somebody else has taken over. */
const confirmed = Effect.flatMap(Run.Progress, ({ journal }) => journal.confirm)

const ignoredBecause = ({
  origin,
  reason
}: Extract<ResumableUpload.SendEvent, { _tag: "ResourceIgnored" }>) => {
  const consequence = "The upload goes on, but cannot be resumed."
  switch (reason) {
    case "AnotherOrigin":
      return `The server offered to resume the upload at ${origin}, which is another origin than its own. ${consequence}`
    case "NotAnUploadResource":
      return `The server offered to resume the upload at an address that is an extension, not an upload. ${consequence}`
    case "Malformed":
      return `The server offered to resume the upload at an address that cannot be used. ${consequence}`
  }
}

const keepResource = Effect.fnUntraced(function* (resource: ResumableUpload.UploadResource) {
  const { upload } = yield* Run.record
  yield* Run.updateRecord((record) => ({ ...record, upload: resource }))
  if (upload === undefined) yield* emit({ _tag: "ResumptionOffered" })
})

const beginPart = (offset: number, total: number) =>
  Effect.zipRight(
    Run.count((counts) => ({
      ...counts,
      written: offset,
      hasPart: true,
      bytesResumed: counts.hasPart ? counts.bytesResumed : offset
    })),
    emit({ _tag: "SendingStarted", offset, total })
  )

const countWritten = ({ counters }: typeof Run.Progress.Service, offset: number, total: number) =>
  Effect.zipRight(
    Ref.update(counters, (counts) => ({
      ...counts,
      bytesSent: counts.bytesSent + offset - counts.written,
      written: offset
    })),
    emit({ _tag: "BytesWritten", offset, total })
  )

const countAcknowledged = Effect.fnUntraced(function* (offset: number, total: number) {
  const { acknowledged } = yield* Run.counters
  if (offset > acknowledged) {
    yield* Run.count((counts) => ({ ...counts, acknowledged: offset }))
    yield* emit({ _tag: "BytesAcknowledged", offset, total })
  }
  const { upload } = yield* Run.record
  if (upload !== undefined && offset - upload.offset >= journalEveryBytes) {
    // The server itself knows the offset better.
    yield* note((record) => ({ ...record, upload: { ...upload, offset } }))
  }
})

const journalEveryBytes = 16 * 1024 * 1024
