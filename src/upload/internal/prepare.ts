/** What an upload run needs before it looks at the server: its id, its lock, and the archive's digest. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Ref from "effect/Ref"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import type * as Archive from "../../archive/Archive.ts"
import * as ArchiveDigest from "../../archive/ArchiveDigest.ts"
import { ExtensionId } from "../../cloud/ExtensionId.ts"
import { ExtensionsClient } from "../../cloud/ExtensionsClient.ts"
import type { UploadRequest } from "../ExtensionUpload.ts"
import { ArchiveTooLarge, InvalidExtensionId } from "../UploadError.ts"
import { UploadJournal } from "../UploadJournal.ts"
import { type UploadOptions, UploadSettings } from "../UploadSettings.ts"
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
    yield* checkSize(archive, settings, emit)
    const journal = yield* (yield* UploadJournal).open({ origin: client.baseUrl, extensionId })
    const { size: total } = yield* archive.stat
    const digest = yield* ArchiveDigest.compute(archive, {
      onProgress: (bytes) => emit({ _tag: "DigestProgress", bytes, total })
    })
    yield* emit({ _tag: "DigestComputed", sha256: digest.sha256, size: digest.stat.size })
    const counters = yield* Ref.make(Run.noCounts)
    return { startedAtMillis, extensionId, client, settings, emit, archive, journal, digest, counters }
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
    (error) => new InvalidExtensionId({ extensionId, detail: error.message })
  )

/** Above this, Elastic documents no way to upload at all. */
const largestArchive = 8_000_000_000

const checkSize = (archive: Archive.Archive, settings: UploadOptions, emit: Run.Run["emit"]) =>
  Effect.gen(function* () {
    const { size } = yield* archive.stat
    if (size > largestArchive) {
      return yield* new ArchiveTooLarge({ path: archive.path, size, limit: largestArchive })
    }
    if (size > settings.directUploadLimit) {
      yield* emit({
        _tag: "Warning",
        code: "LargeArchive",
        message: `The archive has ${size} bytes. Elastic documents ${settings.directUploadLimit} as the limit of direct uploads and may refuse it; a download URL is the documented way.`
      })
    }
  })
