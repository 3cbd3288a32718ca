/**
 * Undoing what a release that ends without success has left behind. Nothing here fails: what cannot be undone is logged,
 * and the release keeps the error that it ended with.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { Extension } from "../cloud/Extension.ts"
import type { ExtensionId } from "../cloud/ExtensionId.ts"
import { ExtensionsClient } from "../cloud/ExtensionsClient.ts"
import { UploadJournal } from "../journal/UploadJournal.ts"
import * as RetryPolicy from "../transfer/RetryPolicy.ts"
import * as ExtensionUpload from "../upload/ExtensionUpload.ts"
import type { UploadError } from "../upload/UploadError.ts"

const orLog =
  (what: string) =>
  <A, R>(self: Effect.Effect<A, UploadError, R>): Effect.Effect<void, never, R> =>
    self.pipe(
      RetryPolicy.retry(),
      Effect.catchAll((error) => Effect.logWarning(`${what}: ${error.message}`)),
      Effect.asVoid
    )

/**
 * Gives up an unfinished upload, here and on the server.
 *
 * @since 0.1.0
 * @category compensation
 */
export const abandonUpload = (
  extensionId: ExtensionId
): Effect.Effect<void, never, ExtensionsClient | UploadJournal> =>
  ExtensionUpload.cancel(extensionId).pipe(
    orLog(`The unfinished upload to extension ${extensionId} could not be given up`)
  )

/**
 * Deletes an extension that never got an archive. One that holds anything, or that somebody is uploading to, is left
 * alone.
 *
 * @since 0.1.0
 * @category compensation
 */
export const deleteUnfilled = (
  extensionId: ExtensionId
): Effect.Effect<void, never, ExtensionsClient | UploadJournal> =>
  Effect.gen(function* () {
    const client = yield* ExtensionsClient
    const journal = yield* (yield* UploadJournal).open({ origin: client.baseUrl, extensionId })
    const { extension } = yield* client.get(extensionId)
    if (mayHoldAnArchive(extension)) return
    yield* client.delete(extensionId)
    yield* journal.remove
  }).pipe(
    Effect.scoped,
    Effect.catchTag("ExtensionNotFound", () => Effect.void),
    orLog(`Extension ${extensionId} was not deleted, though the release that made it has ended`)
  )

/** Any trace of an archive is reason enough to keep it. */
const mayHoldAnArchive = ({ downloadUrl, fileMetadata }: Extension): boolean =>
  Option.isSome(downloadUrl) ||
  Option.exists(
    fileMetadata,
    ({ lastModifiedDate, size, url }) =>
      Option.isSome(lastModifiedDate) || Option.isSome(size) || Option.isSome(url)
  )
