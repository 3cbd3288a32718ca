import * as Fs from "node:fs"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as Access from "./access.ts"
import * as ArchiveBody from "./archiveBody.ts"
import * as DigestCheck from "./digestCheck.ts"
import type * as Disk from "./disk.ts"
import type { Exchange } from "./exchange.ts"
import { type Cloud, finishUpload } from "./operations.ts"
import * as Problem from "./problem.ts"
import { documented, type Refusal, type Reply, refused } from "./reply.ts"
import type { Resumable } from "./resumableSettings.ts"
import type { Upload } from "./uploads.ts"

/**
 * An answer of the extension itself, as opposed to one of the upload.
 *
 * @internal
 */
export const fromTarget = (reply: Reply): Reply => ({
  ...reply,
  headers: { ...reply.headers, "upload-complete": "?1" }
})

const contentOf = (path: string): Stream.Stream<Uint8Array> =>
  Stream.suspend(() =>
    Stream.orDie(Stream.fromAsyncIterable<Uint8Array, unknown>(Fs.createReadStream(path), (cause) => cause))
  )

/** Takes the archive out of the uploaded representation, if that is what it was announced to be. */
const extract = (
  cloud: Cloud,
  { uploads }: Resumable,
  exchange: Exchange,
  upload: Upload
): Effect.Effect<Disk.ReceivedFile, Refusal, Scope.Scope> =>
  Effect.gen(function* () {
    const digest = DigestCheck.make(Option.fromNullable(upload.reprDigest))
    const content = Stream.tap(contentOf(uploads.folder.contentOf(upload.token)), (chunk) =>
      Effect.sync(() => digest.update(chunk))
    )
    const file = yield* ArchiveBody.extract(exchange, cloud.disk, upload.contentType, content)
    return digest.matches() ? file : yield* documented.failed("The content is not what Repr-Digest says.")
  })

/** Who began the upload may have lost the right to finish it. */
const isStillOwned = (cloud: Cloud, exchange: Exchange, { extensionId }: Upload) =>
  Effect.flatMap(Access.authenticate(exchange, cloud.accounts), (account) =>
    Access.owned(cloud.store, account, extensionId)
  )

/**
 * Hands a whole upload to the extension it is for, as an ordinary request would have been, and keeps the answer. That
 * the archive was applied and that it was answered are one step: no interruption comes between.
 *
 * @internal
 */
export const complete = (
  cloud: Cloud,
  resumable: Resumable,
  exchange: Exchange,
  upload: Upload,
  offset: number
): Effect.Effect<Reply, Problem.Problem, Scope.Scope> =>
  upload.length !== null && upload.length !== offset
    ? Effect.fail(
        Problem.inconsistentLength(`The upload was to have ${upload.length} bytes and has ${offset}.`)
      )
    : Effect.uninterruptibleMask((restore) =>
        restore(
          Effect.zipRight(isStillOwned(cloud, exchange, upload), extract(cloud, resumable, exchange, upload))
        ).pipe(
          Effect.flatMap((file) => finishUpload(cloud, exchange, upload.extensionId, file)),
          Effect.catchTag("Refusal", (refusal) => Effect.succeed(refused(refusal))),
          Effect.map(fromTarget),
          Effect.tap((reply) => resumable.uploads.complete(upload, offset, reply))
        )
      )
