/**
 * The upload of one archive, from the first look into it to the proof that it arrived.
 *
 * @since 0.1.0
 */
import type * as FileSystem from "@effect/platform/FileSystem"
import type * as HttpClient from "@effect/platform/HttpClient"
import type * as Path from "@effect/platform/Path"
import type * as ConfigError from "effect/ConfigError"
import * as Effect from "effect/Effect"
import type * as Either from "effect/Either"
import { identity } from "effect/Function"
import * as Layer from "effect/Layer"
import * as Mailbox from "effect/Mailbox"
import * as Option from "effect/Option"
import * as ParseResult from "effect/ParseResult"
import * as Ref from "effect/Ref"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as Archive from "../archive/Archive.ts"
import { ArchiveChanged } from "../archive/ArchiveError.ts"
import { contentCodes, type ExpectedExtension } from "../archive/ArchiveInspection.ts"
import { ExtensionId } from "../cloud/ExtensionId.ts"
import * as ExtensionsClient from "../cloud/ExtensionsClient.ts"
import type { ExtensionsError } from "../cloud/ExtensionsError.ts"
import type { JournalBaseline, JournalRecord } from "../journal/JournalRecord.ts"
import * as UploadJournal from "../journal/UploadJournal.ts"
import { shown } from "../outsideText.ts"
import { attribute, spanned } from "../telemetry.ts"
import * as Monotonic from "../transfer/Monotonic.ts"
import * as ResumableUpload from "../transfer/ResumableUpload.ts"
import * as RetryPolicy from "../transfer/RetryPolicy.ts"
import type { TransferError } from "../transfer/TransferError.ts"
import * as UploadHttpClient from "../transfer/UploadHttpClient.ts"
import { decide, hasBegun, isOfArchive, isOfDate } from "./internal/decide.ts"
import { deliver, withAttempt } from "./internal/deliver.ts"
import { makeHashing } from "./internal/hashing.ts"
import * as Run from "./internal/run.ts"
import * as LocalArchive from "./LocalArchive.ts"
import * as StoredArchive from "./StoredArchive.ts"
import {
  conflictBetween,
  InvalidExtensionId,
  keepsRecord,
  type UploadConflict,
  type UploadError,
  VerificationFailed
} from "./UploadError.ts"
import { emit, retrying, type UploadEvent, UploadEvents, type UploadObserver } from "./UploadEvent.ts"
import * as UploadMetrics from "./UploadMetrics.ts"
import { PlannedDigest, type UploadPlan } from "./UploadPlan.ts"
import { AlreadyCurrent, type Proof, Uploaded, type UploadReceipt } from "./UploadReceipt.ts"
import * as UploadSettings from "./UploadSettings.ts"

/**
 * What to upload where. Options that are not given are those of `UploadSettings`.
 *
 * @since 0.1.0
 * @category models
 */
export interface UploadRequest<out R = never> extends UploadSettings.UploadOverrides {
  readonly extensionId: string
  readonly archive: Archive.Archive<R>
  /** Type and version that the archive must suit. By default those that the service tells of the extension. */
  readonly expected?: ExpectedExtension | undefined
  /** Runs for every event, in order; the upload waits for it. Takes the place of `UploadEvents`. */
  readonly onEvent?: ((event: UploadEvent) => Effect.Effect<void>) | undefined
}

/**
 * What an upload needs, besides what its archive needs to be read.
 *
 * @since 0.1.0
 * @category models
 */
export type UploadRequirements = ExtensionsClient.ExtensionsClient | UploadJournal.UploadJournal

/**
 * Uploads an archive to an extension that exists, and proves that it arrived.
 *
 * The archive is inspected (one that cannot be used is an `InvalidArchive`, before anything is asked), the extension read
 * (the same content already there ends it: `AlreadyCurrent`), the intent journaled, the archive sent under the
 * `RetryPolicy`, and the result verified. Where the extension cannot hold this archive already, it is hashed and the
 * content of its entries checked while it is sent: its last bytes leave only when all of it was found to be sound. Interrupting it pauses: the journal is kept, and running the same upload
 * again goes on where the server allows it. One upload per extension runs at a time.
 *
 * @example
 * ```ts
 * import { Archive, ExtensionUpload } from "effect-elastic-extensions"
 *
 * const program = ExtensionUpload.upload({
 *   extensionId: "882519870",
 *   archive: Archive.file("dist/analysis-acme-2.1.0.zip")
 * })
 * ```
 *
 * @since 0.1.0
 * @category uploading
 */
export const upload = <R>(
  request: UploadRequest<R>
): Effect.Effect<UploadReceipt, UploadError, R | UploadRequirements> => run(request, Option.none())

/** The story of one upload. With `begun`, only the archive that an earlier run began with will do. */
const run = <R>(request: UploadRequest<R>, begun: Option.Option<JournalRecord>) =>
  Effect.flatMap(Ref.make(Run.noCounts), (counters) =>
    story(request, begun, counters).pipe(
      UploadMetrics.observed(
        { extensionId: request.extensionId, archiveName: request.archive.name },
        Ref.get(counters)
      )
    )
  ).pipe(
    withOptions(request),
    spanned("ExtensionUpload.upload", {
      captureStackTrace: true,
      attributes: {
        [attribute.extensionId]: shown(request.extensionId),
        [attribute.archiveName]: shown(request.archive.name)
      }
    })
  )

const story = <R>(
  request: UploadRequest<R>,
  begun: Option.Option<JournalRecord>,
  counters: Ref.Ref<Run.Counters>
) =>
  Effect.gen(function* () {
    const elapsed = yield* Monotonic.stopwatch
    // 1. Inspect the archive, holding the one journal entry of this extension, and digest it where that has to come first.
    const extensionId = yield* decodeId(request.extensionId)
    const inspected = yield* LocalArchive.inspect(request.archive)
    yield* Effect.annotateCurrentSpan(attribute.archiveSize, inspected.stat.size)
    const journal = yield* openJournal(extensionId)
    const known = yield* journal.record
    const subject = yield* prepare(extensionId, inspected, known)
    return yield* Effect.gen(function* () {
      yield* requireSameArchive(begun)
      // 2. Decide what to do, by what the journal and the server know, while the upload's connection is opened.
      yield* connectAhead(extensionId)
      const plan = yield* spanned("ExtensionUpload.decide")(
        decide(known, Option.fromNullable(request.expected))
      )
      // 3. to 5. Journal the intent, transfer the archive, which may be digested only now, verify what the server holds.
      const result = yield* carryOut(plan, journal, counters)
      yield* emit({ _tag: "Verified", proof: result.proof })
      // 6. Say what is known, and forget the rest.
      const receipt = makeReceipt(plan, yield* Run.content, result, yield* elapsed)
      const { proof, stored } = result
      // Where nothing was sent, a record that is there is of another archive.
      yield* plan._tag === "AlreadyCurrent" ? journal.remove : journal.complete({ proof, told: stored.told })
      yield* emit({ _tag: "Completed", receipt })
      return receipt
    }).pipe(
      Effect.tapError((error) =>
        discardUnless(journal, (record) => keepsRecord(error, mayGoOn(record, known)))
      ),
      Effect.provideService(Run.Subject, subject)
    )
  }).pipe(Effect.scoped)

/**
 * What `upload` would do with this request, by the very decisions that it makes. Reads the archive, the journal and the
 * server, and changes none of them. Fails where the upload would fail before it sends anything.
 *
 * @example
 * ```ts
 * import { Archive, ExtensionUpload } from "effect-elastic-extensions"
 * import { Console, Effect } from "effect"
 *
 * const program = ExtensionUpload.plan({
 *   extensionId: "882519870",
 *   archive: Archive.file("dist/analysis-acme-2.1.0.zip")
 * }).pipe(Effect.flatMap((plan) => Console.log(plan._tag)))
 * ```
 *
 * @since 0.1.0
 * @category uploading
 */
export const plan = <R>(
  request: UploadRequest<R>
): Effect.Effect<UploadPlan, UploadError, R | UploadRequirements> => look(request, Option.none())

/** With `begun`, only the archive that an earlier run began with will do, as in `run`. */
const look = <R>(request: UploadRequest<R>, begun: Option.Option<JournalRecord>) =>
  Effect.gen(function* () {
    const extensionId = yield* decodeId(request.extensionId)
    const inspected = yield* LocalArchive.inspect(request.archive)
    const known = yield* peekJournal(extensionId)
    const subject = yield* prepare(extensionId, inspected, known)
    return yield* requireSameArchive(begun).pipe(
      Effect.zipRight(decide(known, Option.fromNullable(request.expected))),
      Effect.flatMap(readAllTheSame),
      Effect.provideService(Run.Subject, subject)
    )
  }).pipe(withOptions(request), spanned("ExtensionUpload.plan", { captureStackTrace: true }))

/**
 * Uploads an archive, as a stream of what happens. The last event is `Completed`, with the receipt. Whoever reads the
 * stream slowly slows the upload down: no more than 16 events wait to be read.
 *
 * @example
 * ```ts
 * import { Archive, ExtensionUpload } from "effect-elastic-extensions"
 * import { Console, Stream } from "effect"
 *
 * const program = ExtensionUpload.events({
 *   extensionId: "882519870",
 *   archive: Archive.file("dist/analysis-acme-2.1.0.zip")
 * }).pipe(
 *   Stream.runForEach((event) =>
 *     event._tag === "BytesWritten"
 *       ? Console.log(`${event.offset} of ${event.total} bytes`)
 *       : Console.log(event._tag)
 *   )
 * )
 * ```
 *
 * @since 0.1.0
 * @category uploading
 */
export const events = <R>(
  request: Omit<UploadRequest<R>, "onEvent">
): Stream.Stream<UploadEvent, UploadError, R | UploadRequirements> =>
  Stream.unwrapScoped(
    Effect.gen(function* () {
      const mailbox = yield* Mailbox.make<UploadEvent, UploadError>({ capacity: 16 })
      yield* upload({ ...request, onEvent: (event) => mailbox.offer(event) }).pipe(
        Mailbox.into(mailbox),
        Effect.forkScoped
      )
      return Mailbox.toStream(mailbox)
    })
  )

/**
 * Finishes the upload that an earlier process left unfinished, with the very archive it was begun with: one that has
 * changed since is an `ArchiveChanged`, and its upload is given up. `None` where nothing was left unfinished.
 *
 * @since 0.1.0
 * @category managing
 */
export const resume = (
  extensionId: string,
  options: ResumeOptions = {}
): Effect.Effect<Option.Option<UploadReceipt>, UploadError, UploadRequirements | FileSystem.FileSystem> =>
  Effect.gen(function* () {
    const record = yield* peekJournal(yield* decodeId(extensionId))
    return yield* Effect.transposeMapOption(record, resumeRecord(options))
  })

/**
 * What `resume` would do, as `plan` tells it.
 *
 * @since 0.1.0
 * @category managing
 */
export const planResume = (
  extensionId: string,
  options: ResumeOptions = {}
): Effect.Effect<Option.Option<UploadPlan>, UploadError, UploadRequirements | FileSystem.FileSystem> =>
  Effect.gen(function* () {
    const record = yield* peekJournal(yield* decodeId(extensionId))
    return yield* Effect.transposeMapOption(record, (begun) =>
      look(requestOf(begun, options), Option.some(begun))
    )
  })

/**
 * Options of an upload that goes on. Its content type is the one that it was begun with.
 *
 * @since 0.1.0
 * @category models
 */
export type ResumeOptions = UploadSettings.UploadOverrides & Pick<UploadRequest, "onEvent">

/**
 * One unfinished upload, and how finishing it went.
 *
 * @since 0.1.0
 * @category models
 */
export interface PendingResult {
  readonly record: JournalRecord
  readonly result: Either.Either<UploadReceipt, UploadError>
}

/**
 * Finishes the uploads that earlier processes left unfinished at this endpoint, one after the other. Each is finished
 * with the very archive it was begun with: one that has changed since is an `ArchiveChanged`, and its upload is given up.
 * The archive is inspected again, and what it was allowed has to be allowed again: a record excuses nothing.
 *
 * @example
 * ```ts
 * import { ExtensionUpload } from "effect-elastic-extensions"
 * import { Console, Effect, Either } from "effect"
 *
 * const program = Effect.gen(function* () {
 *   for (const { record, result } of yield* ExtensionUpload.resumePending()) {
 *     const outcome = Either.match(result, { onLeft: (error) => error.message, onRight: (receipt) => receipt._tag })
 *     yield* Console.log(`${record.extensionId}: ${outcome}`)
 *   }
 * }).pipe(Effect.provide(ExtensionUpload.layerConfig))
 * ```
 *
 * @since 0.1.0
 * @category managing
 */
export const resumePending = (
  options: ResumeOptions = {}
): Effect.Effect<ReadonlyArray<PendingResult>, UploadError, UploadRequirements | FileSystem.FileSystem> =>
  Effect.gen(function* () {
    const { baseUrl } = yield* ExtensionsClient.ExtensionsClient
    const { records } = yield* (yield* UploadJournal.UploadJournal).list
    return yield* Effect.forEach(
      records.filter(({ origin }) => origin === baseUrl),
      (record) => Effect.map(Effect.either(resumeRecord(options)(record)), (result) => ({ record, result }))
    )
  })

/**
 * Gives up the unfinished upload to an extension: the server is told to forget what it has, and the record is removed.
 * Returns whether there was one.
 *
 * @since 0.1.0
 * @category managing
 */
export const cancel = (
  extensionId: string
): Effect.Effect<boolean, UploadError, ExtensionsClient.ExtensionsClient | UploadJournal.UploadJournal> =>
  Effect.gen(function* () {
    const journal = yield* openJournal(yield* decodeId(extensionId))
    const isUnfinished = Option.isSome(yield* journal.record)
    yield* discard(journal)
    return isUnfinished
  }).pipe(Effect.scoped)

/**
 * Whether the extension still holds what an upload has put there, and how that is known. The version tells cheaply that
 * nothing has changed. Where something has, for instance the description, the content is compared.
 *
 * @since 0.1.0
 * @category managing
 */
export const verify = (
  receipt: UploadReceipt
): Effect.Effect<
  Proof,
  UploadConflict | VerificationFailed | ExtensionsError | TransferError,
  ExtensionsClient.ExtensionsClient
> =>
  Effect.gen(function* () {
    const { archive, extensionId, resourceVersion } = receipt
    const found = yield* StoredArchive.read(extensionId)
    const now = found.told.resourceVersion
    if (now !== undefined && now === resourceVersion.after) return receipt.proof
    const { match, stored } = yield* StoredArchive.compare(found, archive).pipe(
      retrying,
      Effect.catchTag("VerificationLinkRefused", () =>
        Effect.succeed({ match: StoredArchive.matchSize(found, archive), stored: found })
      )
    )
    switch (match._tag) {
      case "Same":
        return match.proof
      case "Unknown":
        return "response"
      case "Different":
        return yield* noLonger(receipt, stored, match)
    }
  })

const noLonger = (
  { archive, extensionId, lastModified, resourceVersion }: UploadReceipt,
  stored: StoredArchive.StoredArchive,
  { actual, reason }: Extract<StoredArchive.Match, { _tag: "Different" }>
): UploadConflict | VerificationFailed =>
  stored.told.resourceVersion !== undefined && resourceVersion.after !== null
    ? conflictBetween(
        extensionId,
        {
          resourceVersion: resourceVersion.after,
          file: { size: archive.size },
          ...(lastModified === null ? {} : { lastModified })
        },
        stored.told
      )
    : new VerificationFailed({
        extensionId,
        reason,
        expected: reason === "Size" ? String(archive.size) : archive.sha256,
        actual
      })

/**
 * Everything `upload` needs, configured from the environment, over any `HttpClient`. With one that does not show interim
 * responses, resumption costs an extra request and refusals cost a whole upload; nothing else is lost.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerConfigWithoutHttpClient: Layer.Layer<
  | ExtensionsClient.ExtensionsClient
  | UploadJournal.UploadJournal
  | RetryPolicy.RetryPolicy
  | UploadSettings.UploadSettings,
  ConfigError.ConfigError,
  HttpClient.HttpClient | FileSystem.FileSystem | Path.Path
> = Layer.mergeAll(
  ExtensionsClient.layerConfig,
  UploadJournal.layerConfig,
  RetryPolicy.layerConfig,
  UploadSettings.layerConfig
)

/**
 * Everything `upload` needs, configured from the environment. A `RetryPolicy` or `UploadSettings` of your own has to come
 * after it: `Layer.merge(layerConfig, mine)` keeps yours, `Layer.merge(mine, layerConfig)` these.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerConfig: Layer.Layer<
  | ExtensionsClient.ExtensionsClient
  | UploadJournal.UploadJournal
  | RetryPolicy.RetryPolicy
  | UploadSettings.UploadSettings,
  ConfigError.ConfigError,
  FileSystem.FileSystem | Path.Path
> = Layer.provide(layerConfigWithoutHttpClient, UploadHttpClient.layerConfig)

/**
 * The text as the id of an extension, if it can be one.
 *
 * @since 0.1.0
 * @category constructors
 */
export const decodeId = (extensionId: string): Effect.Effect<ExtensionId, InvalidExtensionId> =>
  Effect.mapError(
    Schema.decode(ExtensionId)(extensionId),
    (error) => new InvalidExtensionId({ extensionId, detail: detailOf(error) })
  )

const detailOf = (error: ParseResult.ParseError): string =>
  ParseResult.ArrayFormatter.formatErrorSync(error)
    .map(({ message }) => message)
    .join(" ")

/** Around an effect: the options and the observer of a request, over those in the context. */
const withOptions =
  ({
    archive: _archive,
    expected: _expected,
    extensionId: _extensionId,
    onEvent,
    ...options
  }: UploadRequest<unknown>) =>
  <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    self.pipe(UploadSettings.override(options), onEvent === undefined ? identity : observedBy({ onEvent }))

const observedBy =
  (observer: UploadObserver) =>
  <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.provideService(self, UploadEvents, observer)

const keyOf = (extensionId: ExtensionId) =>
  Effect.map(ExtensionsClient.ExtensionsClient, ({ baseUrl: origin }) => ({ origin, extensionId }))

/** One upload per extension at a time: the journal is held until the scope closes. */
const openJournal = (extensionId: ExtensionId) =>
  Effect.flatMap(keyOf(extensionId), (key) =>
    Effect.flatMap(UploadJournal.UploadJournal, (journal) => journal.open(key))
  )

/** What the journal holds, as `openJournal` would find it: locked by another upload is locked for a plan as well. */
const peekJournal = Effect.fnUntraced(function* (extensionId: ExtensionId) {
  const journal = yield* UploadJournal.UploadJournal
  const { lockedBy, record } = yield* journal.peek(yield* keyOf(extensionId))
  return Option.isSome(lockedBy) ? yield* lockedBy.value : record
})

/**
 * The archive has to be usable, whatever a record says of it. The digest tells whether an upload that has begun is of this
 * archive; else, whether the digest is worth a reading of its own is for the extension to tell.
 */
const prepare = Effect.fnUntraced(function* (
  extensionId: ExtensionId,
  inspected: LocalArchive.Inspected,
  known: Option.Option<JournalRecord>
) {
  const begun = Option.filter(known, hasBegun)
  const leftOffAt = Option.match(begun, {
    onNone: () => [],
    onSome: ({ checkpoints }) => checkpoints.map(({ offset }) => offset)
  })
  const hashing = yield* makeHashing(inspected, leftOffAt)
  yield* LocalArchive.requireUsable(inspected.inspection)
  if (Option.isSome(begun) || (yield* mustBeHashedFirst(inspected))) yield* hashing.whole
  return { extensionId, inspected, hashing }
})

/**
 * Whether the digest has to come first, whatever the extension holds: for an archive that is read in one piece; for one of
 * which nothing but its bytes could tell that it is no longer the one that was inspected; and for one that may be damaged.
 */
const mustBeHashedFirst = Effect.fnUntraced(function* ({
  stat: { etag, modifiedMillis, size }
}: LocalArchive.Inspected) {
  const { allow } = yield* UploadSettings.UploadSettings
  return (
    size <= (yield* Run.PieceBytes) ||
    (modifiedMillis === undefined && etag === undefined) ||
    allow.some((code) => contentCodes.includes(code))
  )
})

/** Whoever asks for a plan has time, and wants to know whether the archive can be used. */
const readAllTheSame = Effect.fnUntraced(function* (plan: UploadPlan) {
  if (plan._tag !== "Send" || plan.digest._tag !== "WhileSending") return plan
  const { hashing } = yield* Run.Subject
  const { digest, inspection } = yield* hashing.whole
  yield* LocalArchive.requireUsable(inspection)
  return { ...plan, digest: PlannedDigest.WhileSending({ sha256: Option.some(digest.sha256) }) }
})

/** What came of a plan. */
interface Result {
  readonly proof: Proof
  /** What the extension held before, */
  readonly before: JournalBaseline
  /** and holds now. */
  readonly stored: StoredArchive.StoredArchive
  readonly counters: Run.Counters
}

const carryOut = (
  plan: UploadPlan,
  journal: UploadJournal.JournalSession,
  counters: Ref.Ref<Run.Counters>
): Effect.Effect<Result, UploadError, Run.Subject | ExtensionsClient.ExtensionsClient> => {
  switch (plan._tag) {
    case "AlreadyCurrent": {
      const { stored } = plan
      return Effect.succeed({ proof: "hash", before: stored.told, stored, counters: Run.noCounts })
    }
    case "AlreadyApplied": {
      const { proof, record, stored } = plan
      return Effect.as(continued(record), {
        proof,
        before: record.baseline,
        stored,
        counters: Run.noCounts
      })
    }
    case "Continue":
    case "SendAgain":
      return Effect.zipRight(continued(plan.record), sendAs(plan.record, journal, counters))
    case "Send":
      return discard(journal).pipe(
        Effect.zipRight(plan.digest._tag === "WhileSending" ? hashWhileSending : Effect.void),
        Effect.zipRight(sendAs(plan.record, journal, counters)),
        // Found out while it was sent: what the server has of it is of no use.
        Effect.tapErrorTag("InvalidArchive", () => Effect.ignore(discard(journal)))
      )
  }
}

const hashWhileSending = Effect.flatMap(Run.Subject, ({ hashing }) => hashing.whileSending)

const continued = ({ representationSize: total, upload }: JournalRecord) =>
  emit({ _tag: "UploadContinued", acknowledged: upload?.offset ?? 0, total })

/** The intent is journaled together with the first attempt: until then nothing has happened that anybody has to know of. */
const sendAs = (
  planned: JournalRecord,
  journal: UploadJournal.JournalSession,
  counters: Ref.Ref<Run.Counters>
) =>
  Effect.gen(function* () {
    const record = withAttempt(planned)
    yield* journal.save(record)
    const progress = {
      journal,
      record: yield* Ref.make(record),
      writing: yield* Effect.makeSemaphore(1),
      counters
    }
    const { proof, stored } = yield* Effect.provideService(deliver, Run.Progress, progress)
    const { baseline: before } = yield* Ref.get(progress.record)
    return { proof, before, stored, counters: yield* Ref.get(counters) }
  })

/** Whether the server has kept some of an upload, or an earlier run has left its end open. */
const mayGoOn = (record: JournalRecord, known: Option.Option<JournalRecord>): boolean =>
  record.upload !== undefined ||
  Option.exists(
    known,
    (before) =>
      hasBegun(before) &&
      before.delivered === undefined &&
      before.archive.sha256 !== undefined &&
      before.archive.sha256 === record.archive.sha256
  )

/** A failure that running the upload again cannot change ends it for good. */
const discardUnless = (journal: UploadJournal.JournalSession, isKept: (record: JournalRecord) => boolean) =>
  Effect.flatMap(journal.record, (record) =>
    Option.exists(record, isKept) ? Effect.void : Effect.ignore(discard(journal))
  )

/** The journal forgets its record, if it has one. The server is told, as a courtesy. */
const discard = Effect.fnUntraced(function* (journal: UploadJournal.JournalSession) {
  const record = yield* journal.record
  if (Option.isNone(record)) return
  const { archive, extensionId, upload } = record.value
  if (upload !== undefined) {
    const client = yield* ExtensionsClient.ExtensionsClient
    const { request, transport } = client.uploadTarget(yield* decodeId(extensionId))
    yield* Effect.ignore(ResumableUpload.cancel({ client: transport.client, request }, upload))
  }
  yield* journal.remove
  yield* emit({ _tag: "StaleUploadDiscarded", name: archive.name })
})

const connectAhead = (extensionId: ExtensionId) =>
  Effect.flatMap(ExtensionsClient.ExtensionsClient, (client) => {
    const { request, transport } = client.uploadTarget(extensionId)
    return transport.capabilities.connectAhead(request.url)
  })

const makeReceipt = (
  { _tag, archive: { name }, extensionId }: UploadPlan,
  content: StoredArchive.Content,
  { before, counters, proof, stored: { told } }: Result,
  durationMillis: number
): UploadReceipt => {
  const { attempts, bytesResumed, bytesSent } = counters
  const fields = {
    extensionId,
    archive: { name, ...content },
    proof,
    attempts,
    bytesSent,
    bytesResumed,
    resourceVersion: { before: before.resourceVersion ?? null, after: told.resourceVersion ?? null },
    lastModified: told.lastModified ?? null,
    durationMillis
  }
  return _tag === "AlreadyCurrent" ? new AlreadyCurrent(fields) : new Uploaded(fields)
}

const resumeRecord = (options: ResumeOptions) => (record: JournalRecord) =>
  run(requestOf(record, options), Option.some(record))

const requestOf = (record: JournalRecord, options: ResumeOptions): UploadRequest<FileSystem.FileSystem> => ({
  ...options,
  contentType: record.multipartBoundary === undefined ? "raw" : "multipart",
  extensionId: record.extensionId,
  archive: Archive.file(record.archive.path)
})

/** Where the digest of what was begun is not known, the beginning and the date have to be the same. */
const requireSameArchive = Effect.fnUntraced(function* (begun: Option.Option<JournalRecord>) {
  if (Option.isNone(begun)) return
  const { hashing } = yield* Run.Subject
  const { digest } = yield* hashing.whole
  const { archive } = begun.value
  const isSame =
    isOfArchive(begun.value, digest) && (archive.sha256 !== undefined || isOfDate(archive, digest.stat))
  if (isSame) return
  return yield* new ArchiveChanged({
    path: archive.path,
    reason: "Modified",
    detail: "it is not the archive that the unfinished upload was begun with"
  })
})
