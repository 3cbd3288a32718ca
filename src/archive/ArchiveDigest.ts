/**
 * What an archive contains, as one SHA-256, and the means to notice when it no longer does.
 *
 * @since 0.1.0
 */
import { Buffer } from "node:buffer"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as ByteStream from "../byteStream.ts"
import type { Archive, ArchiveStat, ReadOptions } from "./Archive.ts"
import type { ArchiveError } from "./ArchiveError.ts"
import { changeBetween } from "./internal/archive/source.ts"
import {
  checkFrom,
  Digester,
  type Evidence,
  evidence,
  hashCheck,
  RunningHash,
  stopsOf
} from "./internal/archiveDigest.ts"

/**
 * A SHA-256 as 64 lower-case hex digits.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Sha256 = Schema.String.pipe(Schema.pattern(/^[0-9a-f]{64}$/, { identifier: "Sha256" }))

/**
 * The SHA-256 of bytes 0 to `offset` of an archive.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Checkpoint = Schema.Struct({
  /** In bytes from the start of the archive. */
  offset: Schema.NonNegativeInt,
  sha256: Sha256
})

/**
 * A point on the way through an archive, and the digest up to it.
 *
 * @since 0.1.0
 * @category models
 */
export type Checkpoint = typeof Checkpoint.Type

/**
 * The part of a digest that can be written down and checked by another process: see `verifyPrefix`.
 *
 * @since 0.1.0
 * @category schemas
 */
export const DigestRecord = Schema.Struct({
  sha256: Sha256,
  /** Length of the archive in bytes. */
  size: Schema.NonNegativeInt,
  /** In ascending order, all of them inside the archive. */
  checkpoints: Schema.Array(Checkpoint)
})

/**
 * A digest that was written down.
 *
 * @since 0.1.0
 * @category models
 */
export type DigestRecord = typeof DigestRecord.Type

/**
 * The digest of an archive's content, with intermediate digests on the way. In memory it carries what `verifying` compares
 * with, so that a check can begin in the middle of the archive.
 *
 * @since 0.1.0
 * @category models
 */
export interface ArchiveDigest {
  /** The SHA-256 of the whole content, 64 lower-case hex digits. */
  readonly sha256: string
  /** What the archive was while it was digested. */
  readonly stat: ArchiveStat
  readonly checkpoints: ReadonlyArray<Checkpoint>
  /** Of each part of the archive, where that was asked for. */
  readonly parts?: PartDigests | undefined
  readonly [evidence]: Evidence
}

/**
 * The SHA-256 of each part by itself: an object store takes an archive in parts, and wants to know what each of them is.
 *
 * @since 0.1.0
 * @category models
 */
export interface PartDigests {
  /** Of every part but the last, which may be shorter. */
  readonly partBytes: number
  /** In order, 64 lower-case hex digits each. */
  readonly sha256: ReadonlyArray<string>
}

/**
 * A digest with those of the archive's parts.
 *
 * @since 0.1.0
 * @category models
 */
export interface DigestInParts extends ArchiveDigest {
  readonly parts: PartDigests
}

/**
 * Where a digest is noted on its way, and what for.
 *
 * @since 0.1.0
 * @category models
 */
export interface RunningOptions {
  /** Distance between checkpoints in bytes: the most that is read again to continue a check. Default 8 MiB. */
  readonly checkpointBytes?: number | undefined
  /** Further offsets to note the digest at: those at which an earlier reading has left off. */
  readonly alsoAt?: ReadonlyArray<number> | undefined
  /**
   * Whether each stretch of `checkpointBytes` is a part, whose SHA-256 is noted by itself as well. That takes as much time as
   * the digest does.
   */
  readonly parts?: boolean | undefined
  /**
   * Whether `verifying` is going to read the archive again: then each stretch between two checkpoints is sealed with a
   * secret of this process, which takes a fifth of the time of a second SHA-256.
   */
  readonly willBeReadAgain: boolean
}

/**
 * A digest under way, which is fed by hand. Mutable: make one per reading, inside an Effect.
 *
 * @since 0.1.0
 * @category models
 */
export interface RunningDigest {
  /** Bytes digested so far. */
  readonly position: number
  /** The digest of everything so far. */
  readonly checkpoint: Checkpoint
  /** What was noted so far. */
  readonly checkpoints: ReadonlyArray<Checkpoint>
  /** Takes the next bytes, which may be overwritten afterwards. */
  readonly update: (bytes: Uint8Array) => void
  /** The digest of the whole. Call it once, after the last byte. */
  readonly finish: () => ArchiveDigest
}

/**
 * Begins a digest of an archive that somebody else reads.
 *
 * @since 0.1.0
 * @category constructors
 */
export const running = (stat: ArchiveStat, options: RunningOptions): RunningDigest =>
  new Digester(stat, options)

/**
 * How an archive is digested.
 *
 * @since 0.1.0
 * @category models
 */
export interface ComputeOptions extends Partial<RunningOptions> {
  /** Runs after every chunk with the bytes hashed so far. */
  readonly onProgress?: ((bytesHashed: number) => Effect.Effect<void>) | undefined
}

/** Half as much takes a little longer, twice as much only more memory. */
const digestChunkBytes = 2 * 1024 * 1024

/**
 * Digests an archive in one streaming pass and in constant memory.
 *
 * @since 0.1.0
 * @category constructors
 */
export const compute = <R>(
  archive: Archive<R>,
  options: ComputeOptions = {}
): Effect.Effect<ArchiveDigest, ArchiveError, R> =>
  Effect.gen(function* () {
    const stat = yield* archive.stat
    const digest = running(stat, { willBeReadAgain: true, ...options })
    const bytes = archive.read({ offset: 0, expected: stat, recycle: 1, chunkBytes: digestChunkBytes })
    yield* ByteStream.forEach(bytes, (chunk) => {
      digest.update(chunk)
      return options.onProgress?.(digest.position) ?? Effect.void
    })
    return digest.finish()
  })

/**
 * The archive from `offset` on, hashed again as it is read. It fails with `ArchiveChanged` at the first checkpoint that
 * differs from the digest, and emits the last chunk only after the whole content was found to be what it was: a changed
 * archive is never sent to its end.
 *
 * The check begins at the nearest checkpoint before `offset`; the bytes between the two are read but not emitted. At the
 * end of the archive nothing is emitted and the rest is still checked. What is read up to an `end` is checked up to the last
 * checkpoint before it.
 *
 * @since 0.1.0
 * @category combinators
 */
export const verifying = <R>(
  digest: ArchiveDigest,
  archive: Archive<R>,
  /** Those of `Archive.read`; what is expected is known from the digest. */
  options: Omit<ReadOptions, "expected">
): Stream.Stream<Uint8Array, ArchiveError, R> =>
  ByteStream.suspend(() => {
    const check = checkFrom(
      archive.path,
      { ...toRecord(digest), [evidence]: digest[evidence] },
      options.offset
    )
    let position = check.from
    const checked = ByteStream.mapEffect(
      archive.read({ ...options, offset: check.from, expected: digest.stat }),
      (bytes) =>
        Effect.map(check.accept(bytes), () => {
          const start = position
          position += bytes.length
          return bytes.subarray(Math.max(0, options.offset - start))
        })
    )
    return ByteStream.withoutEmpty(checked)
  })

/**
 * The digest with the SHA-256 of each part of `partBytes`. Where it was computed with them nothing is read; otherwise the archive
 * is read once more, and has to be what was digested.
 *
 * @since 0.1.0
 * @category combinators
 */
export const withParts = <R>(
  digest: ArchiveDigest,
  archive: Archive<R>,
  partBytes: number
): Effect.Effect<DigestInParts, ArchiveError, R> =>
  Effect.suspend(() => {
    const checkpointBytes = Math.max(1, Math.trunc(partBytes))
    if (isInParts(digest, checkpointBytes)) return Effect.succeed(digest)
    const again = running(digest.stat, { checkpointBytes, parts: true, willBeReadAgain: true })
    const bytes = verifying(digest, archive, { offset: 0, recycle: 1, chunkBytes: digestChunkBytes })
    return Effect.zipRight(
      ByteStream.forEach(bytes, (chunk) => Effect.sync(() => again.update(chunk))),
      Effect.suspend(() => withParts(again.finish(), archive, checkpointBytes))
    )
  })

const isInParts = (digest: ArchiveDigest, partBytes: number): digest is DigestInParts =>
  digest.parts?.partBytes === partBytes

/**
 * Checks that an archive still begins with what was recorded, up to the first checkpoint at or after `offset`, and makes
 * a digest that `verifying` can continue from there. Reads no more than that prefix, once.
 *
 * The modification time is not compared: content decides, and a file restored from a cache is still the same archive.
 *
 * @since 0.1.0
 * @category constructors
 */
export const verifyPrefix = <R>(
  archive: Archive<R>,
  recorded: DigestRecord,
  offset: number
): Effect.Effect<ArchiveDigest, ArchiveError, R> =>
  Effect.gen(function* () {
    const stat = yield* archive.stat
    const change = changeBetween(archive.path, { size: recorded.size, modifiedMillis: undefined }, stat)
    if (change !== undefined) return yield* change

    const end =
      offset === 0 ? 0 : (stopsOf(recorded).find((stop) => stop.offset >= offset)?.offset ?? stat.size)
    const running = new RunningHash()
    const states = [running.state]
    const check = hashCheck(archive.path, recorded, running, (state) => states.push(state))

    yield* archive.read({ offset: 0, expected: stat, recycle: 1 }).pipe(
      Stream.mapEffect((bytes) => check.accept(bytes.subarray(0, end - running.position))),
      Stream.takeUntil(() => running.position >= end),
      Stream.runDrain
    )
    return {
      sha256: recorded.sha256,
      stat,
      checkpoints: recorded.checkpoints,
      [evidence]: { _tag: "States", states }
    }
  })

/**
 * Whether the digest was noted at the offset of a checkpoint, and was the same there.
 *
 * @since 0.1.0
 * @category predicates
 */
export const hasCheckpoint = (
  digest: DigestRecord | ArchiveDigest,
  { offset, sha256 }: Checkpoint
): boolean => digest.checkpoints.some((noted) => noted.offset === offset && noted.sha256 === sha256)

/**
 * Hashes any stream of bytes in constant memory and counts them, for instance what a server gives back.
 *
 * @since 0.1.0
 * @category constructors
 */
export const hashStream = <E, R>(
  stream: Stream.Stream<Uint8Array, E, R>
): Effect.Effect<{ readonly sha256: string; readonly size: number }, E, R> =>
  Effect.suspend(() => {
    const running = new RunningHash()
    return stream.pipe(
      Stream.runForEach((bytes) => Effect.sync(() => running.update(bytes))),
      Effect.map(() => ({ sha256: running.hex, size: running.position }))
    )
  })

/**
 * The part of a digest worth writing down.
 *
 * @since 0.1.0
 * @category conversions
 */
export const toRecord = (digest: ArchiveDigest): DigestRecord => ({
  sha256: digest.sha256,
  size: digest.stat.size,
  checkpoints: digest.checkpoints
})

/**
 * The SHA-256 as 64 lower-case hex digits, as `sha256sum` prints it.
 *
 * @since 0.1.0
 * @category conversions
 */
export const toHex = (digest: { readonly sha256: string }): string => digest.sha256

/**
 * The value of a `Repr-Digest` or `Content-Digest` field (RFC 9530): `sha-256=:<base64>:`.
 *
 * @since 0.1.0
 * @category conversions
 */
export const toReprDigest = (digest: { readonly sha256: string }): string =>
  `sha-256=:${Buffer.from(digest.sha256, "hex").toString("base64")}:`
