/**
 * The upload of one archive, from its digest to the proof that it arrived.
 *
 * @since 0.1.0
 */
import type * as FileSystem from "@effect/platform/FileSystem"
import type * as HttpClient from "@effect/platform/HttpClient"
import type * as Path from "@effect/platform/Path"
import type * as ConfigError from "effect/ConfigError"
import * as Effect from "effect/Effect"
import type * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import * as Archive from "../archive/Archive.ts"
import { ArchiveChanged } from "../archive/ArchiveError.ts"
import * as ExtensionsClient from "../cloud/ExtensionsClient.ts"
import type { JournalRecord } from "../journal/JournalRecord.ts"
import * as UploadJournal from "../journal/UploadJournal.ts"
import * as RetryPolicy from "../transfer/RetryPolicy.ts"
import * as UploadHttpClient from "../transfer/UploadHttpClient.ts"
import { deliver } from "./internal/attempts.ts"
import { begin, discardStale } from "./internal/begin.ts"
import { alreadyCurrent, prove } from "./internal/finish.ts"
import { isResumable } from "./internal/openEnd.ts"
import { decodeId, prepare } from "./internal/prepare.ts"
import type * as Run from "./internal/run.ts"
import type { UploadError } from "./UploadError.ts"
import type { UploadEvent } from "./UploadEvent.ts"
import type { UploadReceipt } from "./UploadReceipt.ts"
import {
  layerConfig as settingsLayerConfig,
  type UploadOptions,
  type UploadSettings
} from "./UploadSettings.ts"

/**
 * Options of one upload. Those that are not given, or `undefined`, are those of `UploadSettings`.
 *
 * @since 0.1.0
 * @category models
 */
export type UploadOverrides = { readonly [K in keyof UploadOptions]?: UploadOptions[K] | undefined }

/**
 * What to upload where. Options that are not given are those of `UploadSettings`.
 *
 * @since 0.1.0
 * @category models
 */
export interface UploadRequest<out R = never> extends UploadOverrides {
  readonly extensionId: string
  readonly archive: Archive.Archive<R>
  /** Runs for every event, in order; the upload waits for it. */
  readonly onEvent?: ((event: UploadEvent) => Effect.Effect<void>) | undefined
}

/**
 * Uploads an archive to an extension that exists, and proves that it arrived.
 *
 * The archive is inspected (one that cannot be used is an `InvalidArchive`, before anything is asked) and hashed, the
 * extension read (the same content already there ends it: `AlreadyCurrent`), the intent journaled, the archive sent under
 * the `RetryPolicy`, and the result verified. Interrupting it pauses: the journal is kept, and running the same upload
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
): Effect.Effect<
  UploadReceipt,
  UploadError,
  R | ExtensionsClient.ExtensionsClient | UploadJournal.UploadJournal
> => uploadFrom(request, undefined)

/** With `begun`, only the archive that an earlier run began with will do. */
const uploadFrom = <R>(
  request: UploadRequest<R>,
  begun: JournalRecord | undefined
): Effect.Effect<
  UploadReceipt,
  UploadError,
  R | ExtensionsClient.ExtensionsClient | UploadJournal.UploadJournal
> =>
  Effect.scoped(
    Effect.gen(function* () {
      const setup = yield* prepare(request)
      if (begun !== undefined) yield* requireSameArchive(setup, begun)
      const [run, beginning] = yield* begin(setup).pipe(forgetWhenOver(setup))
      const receipt = yield* complete(run, beginning).pipe(forgetWhenOver(setup))
      yield* setup.journal.remove
      yield* setup.emit({ _tag: "Completed", receipt })
      return receipt
    })
  ).pipe(
    Effect.withSpan("ExtensionUpload.upload", {
      attributes: { "elastic.extension.id": request.extensionId, "archive.name": request.archive.name }
    })
  )

/**
 * Everything `upload` needs, configured from the environment, over any `HttpClient`. With one that does not show interim
 * responses, resumption costs an extra request and refusals cost a whole upload; nothing else is lost.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerConfigWithoutHttpClient: Layer.Layer<
  ExtensionsClient.ExtensionsClient | UploadJournal.UploadJournal | RetryPolicy.RetryPolicy | UploadSettings,
  ConfigError.ConfigError,
  HttpClient.HttpClient | FileSystem.FileSystem | Path.Path
> = Layer.mergeAll(
  ExtensionsClient.layerConfig,
  UploadJournal.layerConfig,
  RetryPolicy.layerConfig,
  settingsLayerConfig
)

/**
 * Everything `upload` needs, configured from the environment.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerConfig: Layer.Layer<
  ExtensionsClient.ExtensionsClient | UploadJournal.UploadJournal | RetryPolicy.RetryPolicy | UploadSettings,
  ConfigError.ConfigError,
  FileSystem.FileSystem | Path.Path
> = Layer.provide(layerConfigWithoutHttpClient, UploadHttpClient.layerConfig)

/**
 * The same, as a stream of what happens. The last event is `Completed`, with the receipt.
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
): Stream.Stream<
  UploadEvent,
  UploadError,
  R | ExtensionsClient.ExtensionsClient | UploadJournal.UploadJournal
> =>
  Stream.asyncPush<
    UploadEvent,
    UploadError,
    R | ExtensionsClient.ExtensionsClient | UploadJournal.UploadJournal
  >((emit) =>
    upload({ ...request, onEvent: (event) => Effect.sync(() => emit.single(event)) }).pipe(
      Effect.matchCauseEffect({
        onFailure: (cause) => Effect.sync(() => emit.halt(cause)),
        onSuccess: () => Effect.sync(() => emit.end())
      }),
      Effect.forkScoped
    )
  )

const complete = (run: Run.Run, beginning: Effect.Effect.Success<ReturnType<typeof begin>>[1]) =>
  beginning?._tag === "AlreadyCurrent"
    ? alreadyCurrent(run, beginning.state)
    : Effect.flatMap(beginning === undefined ? deliver(run) : Effect.succeed(beginning), (delivered) =>
        prove(run, delivered)
      )

/** A failure that trying again cannot mend ends the upload, and its record; all others leave it to be resumed. */
const forgetWhenOver =
  (setup: Pick<Run.Run, "journal" | "client" | "extensionId" | "emit">) =>
  <A>(self: Effect.Effect<A, UploadError>): Effect.Effect<A, UploadError> =>
    Effect.tapError(self, (error) =>
      isResumable(error)
        ? Effect.void
        : Effect.flatMap(setup.journal.record, (record) =>
            Option.isNone(record) ? Effect.void : Effect.ignore(discardStale(setup, record.value))
          )
    )

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
  Effect.scoped(
    Effect.gen(function* () {
      const client = yield* ExtensionsClient.ExtensionsClient
      const id = yield* decodeId(extensionId)
      const journal = yield* (yield* UploadJournal.UploadJournal).open({
        origin: client.baseUrl,
        extensionId: id
      })
      const record = yield* journal.record
      if (Option.isNone(record)) return false
      yield* discardStale({ client, journal, extensionId: id, emit: () => Effect.void }, record.value)
      return true
    })
  )

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
 * What the archive was allowed when its first bytes left need not be allowed again.
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
  options: UploadOverrides & Pick<UploadRequest, "onEvent"> = {}
): Effect.Effect<
  ReadonlyArray<PendingResult>,
  UploadError,
  ExtensionsClient.ExtensionsClient | UploadJournal.UploadJournal | FileSystem.FileSystem
> =>
  Effect.gen(function* () {
    const { baseUrl } = yield* ExtensionsClient.ExtensionsClient
    const { records } = yield* (yield* UploadJournal.UploadJournal).list
    return yield* Effect.forEach(
      records.filter(({ origin }) => origin === baseUrl),
      (record) => Effect.map(Effect.either(resumeRecord(record, options)), (result) => ({ record, result }))
    )
  })

const resumeRecord = (record: JournalRecord, options: UploadOverrides & Pick<UploadRequest, "onEvent">) =>
  uploadFrom(
    {
      ...options,
      contentType: record.multipartBoundary === undefined ? "raw" : "multipart",
      extensionId: record.extensionId,
      archive: Archive.file(record.archive.path)
    },
    record
  )

const requireSameArchive = (
  setup: Pick<Run.Run, "journal" | "client" | "extensionId" | "emit" | "digest">,
  begun: JournalRecord
) =>
  setup.digest.sha256 === begun.archive.sha256
    ? Effect.void
    : Effect.zipRight(
        discardStale(setup, begun),
        new ArchiveChanged({
          path: begun.archive.path,
          reason: "Modified",
          detail: "it is not the archive that the unfinished upload was begun with"
        })
      )
