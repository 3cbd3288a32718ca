/** What an upload run needs before it looks at the server: its id, its lock, the archive's inspection and its digest. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as ParseResult from "effect/ParseResult"
import * as Ref from "effect/Ref"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import type * as Archive from "../../archive/Archive.ts"
import * as ArchiveDigest from "../../archive/ArchiveDigest.ts"
import { ArchiveChanged } from "../../archive/ArchiveError.ts"
import { extensionLimitBytes } from "../../archive/ArchiveInspection.ts"
import { ExtensionId } from "../../cloud/ExtensionId.ts"
import { ExtensionsClient } from "../../cloud/ExtensionsClient.ts"
import { UploadJournal } from "../../journal/UploadJournal.ts"
import type { UploadRequest } from "../ExtensionUpload.ts"
import { ArchiveTooLarge, InvalidExtensionId } from "../UploadError.ts"
import { type UploadOptions, UploadSettings } from "../UploadSettings.ts"
import { hasBegun } from "./begin.ts"
import { inspect, requireUsable } from "./inspection.ts"
import * as Run from "./run.ts"

/** @internal */
export const prepare = <R>(request: UploadRequest<R>) =>
  Effect.gen(function* () {
    const startedAtMillis = yield* Clock.currentTimeMillis
    const extensionId = yield* decodeId(request.extensionId)
    const client = yield* ExtensionsClient
    const settings = { ...(yield* UploadSettings), ...given(request) }
    const emit = request.onEvent ?? (() => Effect.void)
    const archive = yield* withoutRequirements(request.archive)
    const stat = yield* Effect.tap(archive.stat, requireSize(archive))
    const inspection = yield* inspect({ archive, emit, settings })
    const journal = yield* (yield* UploadJournal).open({ origin: client.baseUrl, extensionId })
    // The digest tells whether an upload that has begun is of this archive: only then may it go on as it is.
    if (!Option.exists(yield* journal.record, hasBegun)) yield* requireUsable({ inspection, settings })
    const digest = yield* ArchiveDigest.compute(archive, {
      onProgress: (bytes) => emit({ _tag: "DigestProgress", bytes, total: stat.size })
    })
    yield* requireUnchanged(archive, stat, digest.stat)
    yield* emit({ _tag: "DigestComputed", sha256: digest.sha256, size: digest.stat.size })
    const counters = yield* Ref.make(Run.noCounts)
    return {
      startedAtMillis,
      extensionId,
      client,
      settings,
      emit,
      archive,
      inspection,
      journal,
      digest,
      counters
    }
  })

/** The options that the request names itself, without the `undefined`s. */
const given = ({
  archive,
  extensionId,
  onEvent,
  ...options
}: UploadRequest<unknown>): Partial<UploadOptions> =>
  Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined))

const withoutRequirements = <R>(archive: Archive.Archive<R>): Effect.Effect<Archive.Archive, never, R> =>
  Effect.map(Effect.context<R>(), (context) => ({
    ...archive,
    stat: Effect.provide(archive.stat, context),
    read: (options) => Stream.provideContext(archive.read(options), context)
  }))

/** @internal */
export const decodeId = (extensionId: string) =>
  Effect.mapError(
    Schema.decode(ExtensionId)(extensionId),
    (error) => new InvalidExtensionId({ extensionId, detail: problemOf(error) })
  )

const problemOf = (error: ParseResult.ParseError): string =>
  ParseResult.ArrayFormatter.formatErrorSync(error)
    .map(({ message }) => message)
    .join(" ")

const requireSize =
  ({ path }: Archive.Archive) =>
  ({ size }: Archive.ArchiveStat) =>
    size > extensionLimitBytes
      ? Effect.fail(new ArchiveTooLarge({ path, size, limit: extensionLimitBytes }))
      : Effect.void

/** What was inspected has to be what was digested, and so what is sent. */
const requireUnchanged = (
  { path }: Archive.Archive,
  inspected: Archive.ArchiveStat,
  digested: Archive.ArchiveStat
) =>
  inspected.size === digested.size && inspected.modifiedMillis === digested.modifiedMillis
    ? Effect.void
    : new ArchiveChanged({ path, reason: "Modified", detail: "after it was inspected" })
