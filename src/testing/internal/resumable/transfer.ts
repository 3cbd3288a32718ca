/** How content gets into an upload, and a whole upload to the extension it is for. */
import * as Crypto from "node:crypto"
import * as Fs from "node:fs"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import { parseDictionary } from "structured-headers"
import * as Access from "../access.ts"
import * as ArchiveBody from "../archiveBody.ts"
import { Exchange } from "../exchange.ts"
import * as Extensions from "../extensions.ts"
import { documented, type Reply, refused } from "../reply.ts"
import * as RequestBody from "../requestBody.ts"
import { Settings } from "../settings.ts"
import * as Draft from "./draft.ts"
import { type Upload, Uploads } from "./uploads.ts"

/**
 * Appends the request's content as it arrives and returns the offset behind it. However it ends, what has been appended
 * stays, except content that is not what its digest says: that is never acknowledged before it is known, because an
 * offset must not go back.
 */
export const receive = Effect.fnUntraced(function* (upload: Upload) {
  const { request } = yield* Exchange
  const { content } = yield* Uploads
  const digest = makeDigestCheck(Draft.field(request, "content-digest"))
  const progress = yield* makeProgress(upload)
  const append = yield* content.appender(upload.token)
  let offset = upload.offset
  yield* Stream.runForEach(
    RequestBody.stream,
    Effect.fnUntraced(function* (chunk: Uint8Array) {
      yield* checkRoom(upload, offset, chunk, append)
      yield* append(chunk)
      offset += chunk.length
      digest.update(chunk)
      if (!digest.isAsked) yield* progress(offset)
    })
  )
  if (digest.matches()) return offset
  yield* content.resize(upload.token, upload.offset)
  return yield* Draft.wrongDigest(upload.offset)
}, Effect.scoped)

/**
 * Hands a whole upload to the extension it is for, as an ordinary request would have been, and keeps the answer. That
 * the archive was applied and that it was answered are one step: no interruption comes between.
 */
export const complete = Effect.fnUntraced(function* (upload: Upload, offset: number) {
  if (upload.length !== null && upload.length !== offset) {
    return yield* Draft.inconsistentLength(`The upload was to have ${upload.length} bytes and has ${offset}.`)
  }
  const { complete } = yield* Uploads
  const { tellsWhereItStands } = Draft.iteration(yield* Draft.versionFor(upload))
  return yield* Effect.uninterruptibleMask((restore) =>
    restore(Effect.zipRight(isStillOwned(upload), extract(upload))).pipe(
      Effect.flatMap((file) => Extensions.finishUpload(upload.extensionId, file)),
      Effect.catchTag("Refusal", (refusal) => Effect.succeed(refused(refusal))),
      Effect.map((reply) => fromTarget(reply, tellsWhereItStands ? { "upload-offset": String(offset) } : {})),
      Effect.tap((reply) => complete(upload, offset, reply))
    )
  )
})

/** An answer of the extension itself, as opposed to one of the upload. */
export const fromTarget = (reply: Reply, headers: Readonly<Record<string, string>> = {}): Reply => ({
  ...reply,
  headers: { ...reply.headers, "upload-complete": Draft.boolean(true), ...headers }
})

/** Tells the offset whenever another so many bytes have come. */
const makeProgress = Effect.fnUntraced(function* (upload: Upload) {
  const { progressEveryBytes } = yield* Draft.Draft
  let told = upload.offset
  return (offset: number) =>
    Effect.suspend(() => {
      if (progressEveryBytes === 0 || offset - told < progressEveryBytes) return Effect.void
      told = offset
      return Draft.announce({ "Upload-Offset": String(offset) })
    })
})

const checkRoom = Effect.fnUntraced(function* (
  upload: Upload,
  before: number,
  chunk: Uint8Array,
  append: (bytes: Uint8Array) => Effect.Effect<void>
) {
  const { maxArchiveBytes } = yield* Settings
  const { limits } = yield* Draft.Draft
  const { remove } = yield* Uploads
  const offset = before + chunk.length
  if (upload.length !== null && offset > upload.length) {
    const { keepsUpToLength } = Draft.iteration(yield* Draft.versionFor(upload))
    yield* keepsUpToLength ? append(chunk.subarray(0, upload.length - before)) : remove(upload.token)
    return yield* Draft.inconsistentLength(
      `The upload has more than the ${upload.length} bytes it was to have.`
    )
  }
  const maxBytes = Math.min(maxArchiveBytes, limits.maxSize ?? Number.POSITIVE_INFINITY)
  if (offset > maxBytes) {
    yield* remove(upload.token)
    return yield* Draft.tooLarge(
      `The upload is larger than ${maxBytes} bytes.`,
      yield* Draft.uploadLimitOf(upload, { ...limits, maxSize: maxBytes })
    )
  }
  const { maxAppendSize = Number.POSITIVE_INFINITY } = limits
  if (offset - upload.offset > maxAppendSize) {
    return yield* Draft.tooLarge(
      `The content is larger than ${maxAppendSize} bytes.`,
      yield* Draft.uploadLimitOf(upload, limits)
    )
  }
})

/** Who began the upload may have lost the right to finish it. */
const isStillOwned = ({ extensionId }: Upload) =>
  Effect.flatMap(Access.authenticate, (account) => Access.owned(account, extensionId))

/** Takes the archive out of the uploaded representation, if that is what it was announced to be. */
const extract = Effect.fnUntraced(function* (upload: Upload) {
  const { content } = yield* Uploads
  const digest = makeDigestCheck(Option.fromNullable(upload.reprDigest))
  const bytes = Stream.tap(bytesOf(content.pathOf(upload.token)), (chunk) =>
    Effect.sync(() => digest.update(chunk))
  )
  const file = yield* ArchiveBody.extract(upload.contentType, bytes)
  return digest.matches() ? file : yield* documented.failed("The content is not what Repr-Digest says.")
})

const bytesOf = (path: string): Stream.Stream<Uint8Array> =>
  Stream.suspend(() =>
    Stream.orDie(Stream.fromAsyncIterable<Uint8Array, unknown>(Fs.createReadStream(path), (cause) => cause))
  )

/** Compares bytes with what `Content-Digest` or `Repr-Digest` (RFC 9530) says of them, if it is there. */
const makeDigestCheck = (field: Option.Option<string>) => {
  const checks = Option.match(field, { onNone: () => [], onSome: expectedBy })
  return {
    /** Whether there is anything to compare with. */
    isAsked: checks.length > 0,
    update: (bytes: Uint8Array) => {
      for (const { hash } of checks) hash.update(bytes)
    },
    matches: () => checks.every(({ expected, hash }) => hash.digest().equals(expected))
  }
}

const dictionary = Option.liftThrowable(parseDictionary)

/** The active algorithms of the registry. Others say nothing about the bytes. */
const algorithms = new Map([
  ["sha-256", "sha256"],
  ["sha-512", "sha512"]
])

const expectedBy = (field: string) =>
  [...Option.getOrElse(dictionary(field), () => new Map<string, never>())].flatMap(([key, [value]]) => {
    const algorithm = algorithms.get(key)
    return algorithm !== undefined && value instanceof ArrayBuffer
      ? [{ hash: Crypto.createHash(algorithm), expected: Buffer.from(value) }]
      : []
  })
