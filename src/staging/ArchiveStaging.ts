/**
 * Brings an archive into an object store, resumably, so that a service can fetch it from there.
 *
 * What is known of an upload is in the store alone: the archive's key is `<sha256>/<name>` below the store's prefix, and the
 * parts that arrived are listed by the store. So any process on any machine goes on where another one stopped, and what is
 * written twice is the same both times.
 *
 * @since 0.1.0
 */
import { Buffer } from "node:buffer"
import * as Arr from "effect/Array"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import type * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type { Archive } from "../archive/Archive.ts"
import * as ArchiveDigest from "../archive/ArchiveDigest.ts"
import type { ArchiveError } from "../archive/ArchiveError.ts"
import { spanned } from "../telemetry.ts"
import * as Parts from "./internal/archiveStaging/parts.ts"
import { probing } from "./internal/archiveStaging/probe.ts"
import * as Sending from "./internal/archiveStaging/sending.ts"
import { type Link, type LinkOptions, ObjectStore } from "./ObjectStore.ts"
import type { Operation, StagingError } from "./StagingError.ts"
import { retrying } from "./StagingEvent.ts"

/**
 * An archive that is in the store, and what it took to bring it there.
 *
 * @since 0.1.0
 * @category schemas
 */
export const StagedArchive = Schema.Struct({
  /** For people, such as `s3://bucket/prefix/<sha256>/<name>`. */
  location: Schema.String,
  /** For the store: `<sha256>/<name>`. */
  key: Schema.String,
  /** In bytes. */
  size: Schema.NonNegativeInt,
  sha256: ArchiveDigest.Sha256,
  /** Bytes of parts that left this process, those of failed attempts included. */
  bytesSent: Schema.NonNegativeInt,
  /** Bytes that did not have to be sent: an earlier run or somebody else had. */
  bytesKept: Schema.NonNegativeInt,
  /** Zero where the whole archive was there already. */
  partsSent: Schema.NonNegativeInt,
  partsKept: Schema.NonNegativeInt
})

/**
 * An archive that is in the store.
 *
 * @since 0.1.0
 * @category models
 */
export type StagedArchive = typeof StagedArchive.Type

/**
 * What an archive is known by in the store.
 *
 * @since 0.1.0
 * @category models
 */
export interface Content {
  /** The SHA-256 of the archive, 64 lower-case hex digits. */
  readonly sha256: string
  /** Its file name. */
  readonly name: string
}

/**
 * How an archive is staged.
 *
 * @since 0.1.0
 * @category models
 */
export interface StageOptions {
  /**
   * The archive's digest, if it is known already: best computed with `digestOptions`, because the archive is read once more where
   * it does not tell of the parts.
   */
  readonly digest?: ArchiveDigest.ArchiveDigest | undefined
  /**
   * Size of a part in bytes, within what the store takes. Default 8 MiB; larger for an archive that would have too many parts,
   * with fewer of them at once.
   */
  readonly partBytes?: number | undefined
  /** How many parts are read and on their way at once. Default 4. */
  readonly concurrency?: number | undefined
}

/**
 * The key of an archive in the store: `<sha256>/<name>`. Control characters in the name, which no list of a store can hold,
 * and names that are steps in a path become underscores.
 *
 * @since 0.1.0
 * @category keys
 */
export const keyOf = ({ name, sha256 }: Content): string => `${sha256}/${objectName(name)}`

const objectName = (name: string): string => {
  // Half a surrogate pair has no UTF-8.
  const wellFormed = Buffer.from(name, "utf8").toString("utf8")
  const plain = wellFormed.replace(/[\p{Cc}/\\\ufffe\uffff]/gu, "_")
  return /^\.{0,2}$/.test(plain) ? plain.padEnd(2, "_").replaceAll(".", "_") : plain
}

/**
 * Brings the archive into the store, unless it is there. Parts that an earlier run or another machine has sent are kept when
 * their bytes are the right ones; nothing that arrived whole is sent again. Two machines may stage the same archive at once.
 *
 * An archive is read twice: once for its digest, and then each part as it is sent, checked against the digest. No part is held in
 * memory. A part that the store may have already is read to be compared, and one that has to be sent again is read again.
 *
 * A failure leaves the parts in the store for the next run: `abandon` drops them. `ArchiveChanged` where the archive is no
 * longer what was digested; then no object is made.
 *
 * @example
 * ```ts
 * import { Archive, ArchiveStaging, S3ObjectStore, UploadHttpClient } from "effect-elastic-extensions"
 * import { NodeContext } from "@effect/platform-node"
 * import { Effect, Layer } from "effect"
 *
 * const program = Effect.gen(function* () {
 *   const staged = yield* ArchiveStaging.stage(Archive.file("dist/analysis-acme-2.1.0.zip"))
 *   // Whoever has the link can read the archive for an hour.
 *   const { url } = yield* ArchiveStaging.link(staged, { lifetime: "1 hour" })
 *   return { staged, url }
 * }).pipe(
 *   Effect.provide(Layer.provide(S3ObjectStore.layerConfig, UploadHttpClient.layerConfig)),
 *   Effect.provide(NodeContext.layer)
 * )
 * ```
 *
 * @since 0.1.0
 * @category operations
 */
export const stage: <R>(
  archive: Archive<R>,
  options?: StageOptions
) => Effect.Effect<StagedArchive, StagingError | ArchiveError, R | ObjectStore> = Effect.fn(
  "ArchiveStaging.stage"
)(function* <R>(archive: Archive<R>, options: StageOptions = {}) {
  const digest = options.digest ?? (yield* digestFor(archive, options))
  return yield* Sending.stage(archive, digest, keyOf({ sha256: digest.sha256, name: archive.name }), options)
})

const digestFor = <R>(archive: Archive<R>, options: StageOptions) =>
  Effect.flatMap(archive.stat, ({ size }) =>
    Effect.flatMap(digestOptions(size, options), (inParts) => ArchiveDigest.compute(archive, inParts))
  )

/**
 * How an archive of so many bytes is digested with the parts that `stage` sends.
 *
 * @since 0.1.0
 * @category operations
 */
export const digestOptions = (
  size: number,
  options: Pick<StageOptions, "partBytes"> = {}
): Effect.Effect<{ readonly checkpointBytes: number; readonly parts: true }, never, ObjectStore> =>
  Effect.map(ObjectStore, ({ limits }) => ({
    checkpointBytes: Parts.planOf(size, limits, options).partBytes,
    parts: true
  }))

/**
 * How far an archive is in the store: `Staged` where the store has all of it, `Unfinished` where it has parts, else `Absent`.
 *
 * @since 0.1.0
 * @category models
 */
export type Standing =
  | { readonly _tag: "Staged"; readonly location: string; readonly key: string }
  | {
      readonly _tag: "Unfinished"
      readonly location: string
      readonly key: string
      /** Of the upload that `stage` would go on with. Which of them are kept, their bytes decide. */
      readonly parts: number
      readonly bytes: number
    }
  | { readonly _tag: "Absent"; readonly location: string; readonly key: string }

/**
 * Tells how far an archive of this content and size (in bytes) is. Nothing is changed.
 *
 * @since 0.1.0
 * @category operations
 */
export const look = Effect.fn("ArchiveStaging.look")(function* (
  content: Content & { readonly size: number },
  options: Pick<StageOptions, "partBytes"> = {}
): Effect.fn.Return<Standing, StagingError, ObjectStore> {
  const store = yield* ObjectStore
  const key = keyOf(content)
  const place = { key, location: store.locationOf(key) }
  if (yield* Parts.isThere(key, content.size)) return { _tag: "Staged", ...place }
  const [best] = yield* Parts.candidates(key, Parts.planOf(content.size, store.limits, options))
  return best === undefined
    ? { _tag: "Absent", ...place }
    : { _tag: "Unfinished", ...place, ...Parts.sumOf(best.fitting) }
})

/**
 * A link from which anyone who has it can read the archive. Make it just before it is used, to live as short as is safe: it
 * cannot be called back. Where the credentials that sign it are temporary it dies with them; they are renewed first where they
 * can be, and `LinkTooShort` is the failure where it would live too short.
 *
 * @since 0.1.0
 * @category operations
 */
export const link = (
  staged: Pick<StagedArchive, "key">,
  options: LinkOptions
): Effect.Effect<Link, StagingError, ObjectStore> =>
  Effect.flatMap(ObjectStore, (store) => retrying(store.link(staged.key, options)))

/**
 * Removes the archive from the store, if it is there. Unfinished uploads of it stay: see `abandon`.
 *
 * @since 0.1.0
 * @category operations
 */
export const remove = (staged: Pick<StagedArchive, "key">): Effect.Effect<void, StagingError, ObjectStore> =>
  Effect.flatMap(ObjectStore, (store) => retrying(store.remove(staged.key)))

/**
 * Gives up every unfinished upload of an archive and drops its parts. Tells how many there were.
 *
 * @since 0.1.0
 * @category operations
 */
export const abandon = Effect.fn("ArchiveStaging.abandon")(function* (content: Content) {
  const store = yield* ObjectStore
  const uploads = yield* retrying(store.unfinishedOf(keyOf(content)))
  yield* Effect.forEach(uploads, (upload) => retrying(store.abort(upload)), { discard: true })
  return uploads.length
})

/**
 * An unfinished upload that the store keeps parts of, and has paid for until it is finished or given up.
 *
 * @since 0.1.0
 * @category models
 */
export interface PendingUpload extends Content {
  readonly location: string
  readonly key: string
  /** Where the store tells it. */
  readonly initiated: Option.Option<DateTime.Utc>
  readonly parts: number
  /** Sum of the parts. */
  readonly bytes: number
}

/**
 * The unfinished uploads of archives below the store's prefix, the latest last. A store that lists by exact key only (MinIO)
 * tells none.
 *
 * @since 0.1.0
 * @category operations
 */
export const pending: Effect.Effect<ReadonlyArray<PendingUpload>, StagingError, ObjectStore> = Effect.gen(
  function* () {
    const store = yield* ObjectStore
    const uploads = Arr.filterMap(yield* retrying(store.unfinished), (upload) =>
      Option.map(contentOf(upload.key), (content) => ({ upload, content }))
    )
    const found = yield* Effect.forEach(
      uploads,
      ({ content, upload }) =>
        Effect.map(Parts.listed(upload), (parts) => ({
          ...content,
          key: upload.key,
          location: store.locationOf(upload.key),
          initiated: upload.initiated,
          ...Parts.sumOf(parts)
        })),
      { concurrency: 4 }
    )
    return Arr.sortWith(found, ({ initiated }) => initiated, Option.getOrder(DateTime.Order))
  }
).pipe(spanned("ArchiveStaging.pending"))

/** Other things may lie below the same prefix. */
const contentOf = (key: string): Option.Option<Content> =>
  Option.map(Option.fromNullable(/^([0-9a-f]{64})\/([^/]+)$/.exec(key)), ([, sha256 = "", name = ""]) => ({
    sha256,
    name
  }))

/**
 * One thing that staging needs to be allowed, and what became of trying it. A step that could not be tried, because one before
 * it failed, is not there.
 *
 * @since 0.1.0
 * @category models
 */
export interface ProbeStep {
  readonly operation: Operation
  readonly result: Either.Either<void, StagingError>
}

/**
 * Tries everything that staging needs to be allowed, one by one, on a small object below the prefix, and removes it: begin an
 * upload, send a part, list the uploads, list the parts, give up, put the parts together, read, remove. For a diagnosis: each
 * is asked once, without retries, and a failure ends only what stands on it.
 *
 * @since 0.1.0
 * @category operations
 */
export const probe: Effect.Effect<ReadonlyArray<ProbeStep>, never, ObjectStore> = probing
