/** The way by an object store: the archive is staged, resumably, and the service fetches it from there. */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Ref from "effect/Ref"
import type * as Archive from "../../archive/Archive.ts"
import { ArchiveChanged } from "../../archive/ArchiveError.ts"
import type { ExpectedExtension } from "../../archive/ArchiveInspection.ts"
import type { VersionedExtension } from "../../cloud/Extension.ts"
import type { ExtensionId } from "../../cloud/ExtensionId.ts"
import { ExtensionsClient } from "../../cloud/ExtensionsClient.ts"
import * as JournalRecord from "../../journal/JournalRecord.ts"
import { type JournalSession, UploadJournal } from "../../journal/UploadJournal.ts"
import * as ArchiveStaging from "../../staging/ArchiveStaging.ts"
import { ObjectStore, type ObjectStoreService } from "../../staging/ObjectStore.ts"
import { StagingEvents } from "../../staging/StagingEvent.ts"
import { spanned } from "../../telemetry.ts"
import * as Monotonic from "../../transfer/Monotonic.ts"
import { deploymentsOf, requireReplaceable } from "../../upload/Deployments.ts"
import * as ExtensionUpload from "../../upload/ExtensionUpload.ts"
import * as LocalArchive from "../../upload/LocalArchive.ts"
import * as StoredArchive from "../../upload/StoredArchive.ts"
import { conflictBetween } from "../../upload/UploadError.ts"
import { retrying } from "../../upload/UploadEvent.ts"
import * as UploadMetrics from "../../upload/UploadMetrics.ts"
import {
  AlreadyCurrent,
  type Proof,
  type StagedReceipt,
  Uploaded,
  type UploadReceipt
} from "../../upload/UploadReceipt.ts"
import * as UploadSettings from "../../upload/UploadSettings.ts"
import { type DeliveryError, StagingNotConfigured } from "../PublishError.ts"
import { emit } from "../PublishEvent.ts"
import { StagePlan } from "../PublishPlan.ts"
import { type Aim, update } from "./ensure.ts"
import * as Fetch from "./fetch.ts"
import * as Preflight from "./preflight.ts"

/** How an archive that is here gets to the service. */
export type Way =
  | { readonly _tag: "Direct" }
  | { readonly _tag: "Staged"; readonly store: ObjectStoreService }

/** Sending to the service is preferred, since it takes one step; what is too large for that is staged where it can be. */
export const chooseWay = Effect.fnUntraced(function* (
  size: number
): Effect.fn.Return<Way, StagingNotConfigured> {
  const { directUploadLimitBytes, staging } = yield* UploadSettings.UploadSettings
  const store = yield* Effect.serviceOption(ObjectStore)
  if (staging === "always") {
    return Option.isSome(store) ? { _tag: "Staged", store: store.value } : yield* new StagingNotConfigured({})
  }
  return staging === "auto" && size > directUploadLimitBytes && Option.isSome(store)
    ? { _tag: "Staged", store: store.value }
    : { _tag: "Direct" }
})

/** What is staged for which extension. */
export interface Request<R> {
  readonly extensionId: string
  readonly archive: Archive.Archive<R>
  readonly expected: Option.Option<ExpectedExtension>
  /** How long the link lives, and the service is waited for. */
  readonly timeout: Duration.Duration
  /** Whether to look at the link before the service does. */
  readonly preflight: boolean
  /** What an earlier run was begun with: only that archive will do. */
  readonly begun: Option.Option<JournalRecord.JournalRecord>
}

/** What a run is about, once the archive was read. */
interface Subject {
  readonly extensionId: ExtensionId
  readonly archive: Archive.Archive
  readonly digested: Effect.Effect.Success<ReturnType<typeof LocalArchive.digest>>
}

const contentOf = ({ archive, digested: { digest } }: Subject) => ({
  name: archive.name,
  size: digest.stat.size,
  sha256: digest.sha256
})

/** The limit of direct uploads is none here. */
const unlimited = UploadSettings.override({ directUploadLimitBytes: Number.POSITIVE_INFINITY })

const read = Effect.fnUntraced(function* <R>({ archive, begun, extensionId }: Request<R>) {
  const id = yield* ExtensionUpload.decodeId(extensionId)
  const inspected = yield* LocalArchive.inspect(archive)
  // What the archive was allowed when its upload began need not be allowed again.
  const requireUsable = Option.isSome(begun) ? Effect.succeed : LocalArchive.requireUsable
  yield* requireUsable(inspected.inspection)
  const inParts = yield* ArchiveStaging.digestOptions(inspected.stat.size)
  const digested = yield* LocalArchive.digest(inspected, inParts)
  yield* requireUsable(digested.inspection)
  if (Option.exists(begun, (record) => record.archive.sha256 !== digested.digest.sha256)) {
    return yield* new ArchiveChanged({
      path: archive.path,
      reason: "Modified",
      detail: "it is not the archive that the unfinished upload was begun with"
    })
  }
  return { extensionId: id, archive: inspected.archive, digested } satisfies Subject
}, unlimited)

const decide = Effect.fnUntraced(function* (
  subject: Subject,
  known: Option.Option<JournalRecord.JournalRecord>,
  expected: Option.Option<ExpectedExtension>
) {
  const versioned = yield* StoredArchive.readExtension(subject.extensionId)
  const { extension } = versioned
  const stored = StoredArchive.fromExtension(versioned)
  const content = contentOf(subject)
  const planned = {
    extensionId: subject.extensionId,
    archive: content,
    deployments: deploymentsOf(extension)
  }
  const { location } = yield* ObjectStore
  const own = Option.filter(known, isStaged(content, location))
  const proof = yield* proofOf(stored, content, own)
  if (Option.isSome(proof)) {
    return StagePlan.AlreadyCurrent({ ...planned, found: versioned, proof: proof.value })
  }
  yield* LocalArchive.requireMatch(
    subject.digested.inspection,
    Option.getOrElse(expected, () => extension)
  )
  yield* requireReplaceable(extension)
  const standing = yield* ArchiveStaging.look(content)
  // What came after a delivery is not of this run.
  const unfinished = Option.filter(own, ({ delivered }) => delivered === undefined)
  const record = yield* Option.match(unfinished, {
    onNone: () => newRecord(subject, stored),
    onSome: Effect.succeed
  })
  return StagePlan.Stage({ ...planned, standing, record })
})

/**
 * How it is known that the extension holds this archive, if it does. Where nobody can fetch what it holds, the size of a file
 * that came since will do for a run that may have had it fetched before it was cut off.
 */
const proofOf = Effect.fnUntraced(function* (
  stored: StoredArchive.StoredArchive,
  content: StoredArchive.Content,
  own: Option.Option<JournalRecord.JournalRecord>
): Effect.fn.Return<Option.Option<Proof>, never, ExtensionsClient> {
  const noted = Option.flatMap(own, ({ delivered }) => Option.fromNullable(delivered))
  if (Option.exists(noted, ({ told }) => StoredArchive.isUntouched(told, stored.told))) {
    return Option.map(noted, ({ proof }) => proof)
  }
  const isReplaced = Option.exists(
    own,
    ({ baseline, delivered, phase }) =>
      phase === "Sending" &&
      delivered === undefined &&
      StoredArchive.replacement(baseline, stored.told) === "Changed"
  )
  if (!isReplaced) {
    return (yield* StoredArchive.isProvedSame(stored, content)) ? Option.some("hash") : Option.none()
  }
  const { match } = yield* StoredArchive.compareBy("hash", stored, content)
  return match._tag === "Same" ? Option.some(match.proof) : Option.none()
})

/** Whether a record is of this archive, on its way by this store. */
const isStaged =
  ({ sha256 }: Pick<StoredArchive.Content, "sha256">, location: string) =>
  ({ archive, staging }: JournalRecord.JournalRecord): boolean =>
    staging === location && archive.sha256 === sha256

const newRecord = Effect.fnUntraced(function* (subject: Subject, { told }: StoredArchive.StoredArchive) {
  const { baseUrl: origin } = yield* ExtensionsClient
  const { location: staging } = yield* ObjectStore
  const { archive, digested, extensionId } = subject
  const { modifiedMillis, size } = digested.digest.stat
  return yield* JournalRecord.prepare({
    origin,
    extensionId,
    archive: {
      path: archive.path,
      ...contentOf(subject),
      ...(modifiedMillis === undefined ? {} : { modifiedMillis })
    },
    contentType: "application/zip",
    representationSize: size,
    baseline: told,
    staging
  })
})

/** What a run would do. Nothing is changed. */
export const plan = Effect.fnUntraced(function* <R>(request: Request<R>) {
  const extensionId = yield* ExtensionUpload.decodeId(request.extensionId)
  const { lockedBy, record } = yield* peek(extensionId)
  if (Option.isSome(lockedBy)) return yield* lockedBy.value
  return yield* decide(yield* read(request), record, request.expected)
})

export const peek = Effect.fnUntraced(function* (extensionId: ExtensionId) {
  const { baseUrl: origin } = yield* ExtensionsClient
  return yield* (yield* UploadJournal).peek({ origin, extensionId })
})

/** Stages the archive, has the service fetch it, proves it, and leaves nothing behind. */
export const run = <R>(request: Request<R>) =>
  Effect.gen(function* () {
    const sent = yield* Ref.make(0)
    const { onEvent } = yield* StagingEvents
    return yield* story(request).pipe(
      Effect.provideService(StagingEvents, {
        onEvent: (event) =>
          event._tag === "PartSent"
            ? Effect.zipRight(
                Ref.update(sent, (bytes) => bytes + event.bytes),
                onEvent(event)
              )
            : onEvent(event)
      }),
      UploadMetrics.observed(
        { extensionId: request.extensionId, archiveName: request.archive.name },
        Effect.map(Ref.get(sent), (bytesSent) => ({ attempts: bytesSent > 0 ? 1 : 0, bytesSent }))
      )
    )
  })

const story = Effect.fnUntraced(function* <R>(request: Request<R>) {
  const elapsed = yield* Monotonic.stopwatch
  const extensionId = yield* ExtensionUpload.decodeId(request.extensionId)
  yield* discardDirect(extensionId)
  const { baseUrl: origin } = yield* ExtensionsClient
  const journal = yield* (yield* UploadJournal).open({ origin, extensionId })
  return yield* Effect.gen(function* () {
    const known = yield* journal.record
    const subject = yield* read(request)
    const content = contentOf(subject)
    const plan = yield* decide(subject, known, request.expected)
    const { location } = yield* ObjectStore
    const isOwn = Option.exists(known, isStaged(content, location))
    if (!isOwn) yield* discard(journal)
    const outcome =
      plan._tag === "AlreadyCurrent"
        ? yield* found(plan.found, content, plan.proof, isOwn)
        : yield* deliver(subject, plan.record, journal, request)
    const { after: told, proof } = outcome
    // Where there was nothing to do, no record says what was done.
    yield* plan._tag === "AlreadyCurrent" && !isOwn ? journal.remove : journal.complete({ proof, told })
    const receipt = receiptOf(extensionId, content, outcome, yield* elapsed)
    yield* emit({ _tag: "Completed", receipt })
    return receipt
  }).pipe(Effect.tapErrorTag("ArchiveChanged", () => Effect.ignore(discard(journal))))
}, Effect.scoped)

/** What came of a run. */
interface Outcome {
  readonly proof: Proof
  readonly before: JournalRecord.JournalBaseline
  readonly after: JournalRecord.JournalBaseline
  readonly attempts: number
  readonly staged: Option.Option<StagedOutcome>
}

interface StagedOutcome {
  readonly archive: ArchiveStaging.StagedArchive
  readonly receipt: StagedReceipt
}

type Content = ReturnType<typeof contentOf>

/** The archive is there. An earlier run may have been cut off before it had put everything away. */
const found = Effect.fnUntraced(function* (
  versioned: VersionedExtension,
  content: Content,
  proof: Proof,
  isBegun: boolean
) {
  const { told } = StoredArchive.fromExtension(versioned)
  const { after } = yield* update(versioned.extension, aimAt(content))
  if (isBegun) {
    yield* Effect.ignore(ArchiveStaging.abandon(content))
    yield* removeUnlessKept(content)
  }
  yield* emit({ _tag: "Verified", proof })
  return {
    proof,
    before: told,
    after: Option.match(after, {
      onNone: () => told,
      onSome: (after) => StoredArchive.fromExtension(after).told
    }),
    attempts: 0,
    staged: Option.none()
  } satisfies Outcome
})

/** The metadata is left as it is. Whoever else notes links to this very archive has staged it as we do. */
const aimAt = ({ sha256 }: Content): Aim => ({
  changesOf: () => ({}),
  isSpent: (noted) => noted.includes(`/${sha256}/`) && noted.includes("?")
})

/**
 * Whoever else stages the same archive takes the object away when they are done. Then the archive is there, or it is staged
 * once more.
 */
const deliver = <R>(
  subject: Subject,
  record: JournalRecord.JournalRecord,
  journal: JournalSession,
  request: Request<R>
) => {
  const once = stageAndFetch(subject, record, journal, request)
  const content = contentOf(subject)
  return once.pipe(
    Effect.catchIf(isAboutTheLink, (error) =>
      Effect.gen(function* () {
        const now = yield* StoredArchive.readExtension(subject.extensionId)
        if (yield* StoredArchive.isProvedSame(StoredArchive.fromExtension(now), content)) {
          return yield* found(now, content, "hash", true)
        }
        return (yield* ArchiveStaging.look(content))._tag === "Staged" ? yield* error : yield* once
      })
    )
  )
}

const isAboutTheLink = (
  error: DeliveryError
): error is Extract<DeliveryError, { readonly _tag: "DownloadUrlUnusable" | "DownloadFailed" }> =>
  error._tag === "DownloadUrlUnusable" || (error._tag === "DownloadFailed" && error.reason === "NotFetched")

const stageAndFetch = Effect.fnUntraced(function* <R>(
  subject: Subject,
  record: JournalRecord.JournalRecord,
  journal: JournalSession,
  { preflight, timeout }: Request<R>
) {
  yield* journal.save(record)
  const content = contentOf(subject)
  const link = linkTo(yield* ObjectStore, content, timeout)
  // It dies with the credentials that sign it: better to learn now that they are about to expire.
  const { origin } = new URL(Redacted.value(yield* link))
  const archive = yield* ArchiveStaging.stage(subject.archive, { digest: subject.digested.digest })
  const sent = { ...record, bytesSent: record.bytesSent + archive.bytesSent }
  yield* journal.save(sent)
  const before = yield* StoredArchive.readExtension(subject.extensionId)
  const proofSoFar = yield* judge(subject.extensionId, content, record, before)
  if (Option.isSome(proofSoFar)) return yield* found(before, content, proofSoFar.value, true)
  if (preflight)
    yield* retrying(Effect.flatMap(link, (url) => Preflight.check(url, Option.some(content.size))))
  yield* journal.save({ ...sent, phase: "Sending", attempts: record.attempts + 1 })
  const { download, proof, stored } = yield* Fetch.byLink(
    before,
    { link, origin, content: Option.some(content), timeout },
    aimAt(content)
  ).pipe(spanned("ArchiveDelivery.fetch"))
  const isKept = yield* removeUnlessKept(content)
  return {
    proof,
    before: record.baseline,
    after: stored.told,
    attempts: 1,
    staged: Option.some({ archive, receipt: { location: archive.location, isKept, ...download } })
  } satisfies Outcome
})

/** As long as it is waited for: a service that is cut off may fetch again in that time. */
const linkTo = (store: ObjectStoreService, content: Content, lifetime: Duration.Duration) =>
  ArchiveStaging.link(
    { key: ArchiveStaging.keyOf(content) },
    { lifetime, atLeast: Duration.min(lifetime, Duration.minutes(10)) }
  ).pipe(
    Effect.map(({ url }) => url),
    Effect.provideService(ObjectStore, store)
  )

/**
 * Staging takes its time, and somebody else may have written meanwhile. How what is there now is known to be our archive;
 * another one is not overwritten unasked.
 */
const judge = Effect.fnUntraced(function* (
  extensionId: ExtensionId,
  content: Content,
  record: JournalRecord.JournalRecord,
  versioned: VersionedExtension
) {
  const { baseline } = record
  const stored = StoredArchive.fromExtension(versioned)
  const { file } = stored.told
  // Where nothing is told of a file there is none to lose; the version may count a link alone.
  if (file?.size === undefined || StoredArchive.replacement(baseline, stored.told) !== "Changed") {
    return Option.none<Proof>()
  }
  const proof = yield* proofOf(stored, content, Option.some(record))
  if (Option.isSome(proof)) return proof
  const conflict = conflictBetween(extensionId, baseline, stored.told)
  const { onConflict } = yield* UploadSettings.UploadSettings
  if (onConflict === "fail") return yield* conflict
  yield* emit({ _tag: "Warning", code: "OverwritingConflict", message: conflict.message })
  return Option.none<Proof>()
})

/** The archive is where it belongs, so what goes wrong here is no failure. Whether the object is there still. */
const removeUnlessKept = Effect.fnUntraced(function* (content: Content) {
  const { keepStaged } = yield* UploadSettings.UploadSettings
  if (keepStaged) return true
  const { locationOf } = yield* ObjectStore
  const key = ArchiveStaging.keyOf(content)
  return yield* ArchiveStaging.remove({ key }).pipe(
    Effect.as(false),
    Effect.catchAll(({ message }) =>
      Effect.as(
        emit({
          _tag: "Warning",
          code: "StagedArchiveKept",
          message: `The archive has arrived, and ${locationOf(key)} could not be removed: ${message}`
        }),
        true
      )
    )
  )
})

const receiptOf = (
  extensionId: ExtensionId,
  archive: Content,
  { after, attempts, before, proof, staged }: Outcome,
  durationMillis: number
): UploadReceipt => {
  const fields = {
    extensionId,
    archive,
    proof,
    attempts,
    resourceVersion: { before: before.resourceVersion ?? null, after: after.resourceVersion ?? null },
    lastModified: after.lastModified ?? null,
    durationMillis
  }
  return Option.match(staged, {
    onNone: () => new AlreadyCurrent({ ...fields, bytesSent: 0, bytesResumed: 0 }),
    onSome: ({ archive: { bytesKept, bytesSent }, receipt }) =>
      new Uploaded({ ...fields, bytesSent, bytesResumed: bytesKept, staged: receipt })
  })
}

/** An upload to the service itself that an earlier run has left: it is of no use on this way. */
const discardDirect = Effect.fnUntraced(function* (extensionId: ExtensionId) {
  const { record } = yield* peek(extensionId)
  if (Option.exists(record, ({ staging }) => staging === undefined))
    yield* ExtensionUpload.cancel(extensionId)
})

/** Forgets what the journal knows of a staging, and drops what the store has of it. */
const discard = Effect.fnUntraced(function* (journal: JournalSession) {
  const record = yield* journal.record
  if (Option.isNone(record)) return
  yield* Effect.ignore(drop(record.value))
  yield* journal.remove
  yield* emit({ _tag: "StaleUploadDiscarded", name: record.value.archive.name })
})

/** Drops the parts and the object that were staged for this upload. */
export const drop = Effect.fnUntraced(function* ({ archive, staging }: JournalRecord.JournalRecord) {
  // What is staged was hashed before.
  const { name, sha256 } = archive
  if (staging === undefined || sha256 === undefined) return
  const content = { name, sha256 }
  const store = Option.filter(
    yield* Effect.serviceOption(ObjectStore),
    ({ location }) => location === staging
  )
  if (Option.isNone(store)) return yield* new StagingNotConfigured({ location: staging })
  yield* Effect.provideService(
    Effect.zipRight(
      ArchiveStaging.abandon(content),
      ArchiveStaging.remove({ key: ArchiveStaging.keyOf(content) })
    ),
    ObjectStore,
    store.value
  )
})
