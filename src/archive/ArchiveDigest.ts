/**
 * What an archive contains, as one SHA-256, and the means to notice when it no longer does.
 *
 * @since 0.1.0
 */
import { Buffer } from "node:buffer"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import type { Archive, ArchiveStat } from "./Archive.ts"
import { ArchiveChanged, type ArchiveError } from "./ArchiveError.ts"
import { changeBetween } from "./internal/archiveSource.ts"
import { emptyState, type HashState, RunningHash, states } from "./internal/runningHash.ts"

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
 * @since 0.1.0
 * @category models
 */
export type DigestRecord = typeof DigestRecord.Type

/**
 * The digest of an archive's content, with intermediate digests on the way. It carries the hash's own states in memory,
 * so that a check can begin in the middle of the archive.
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
  readonly [states]: ReadonlyArray<HashState>
}

/**
 * @since 0.1.0
 * @category models
 */
export interface ComputeOptions {
  /** Runs after every chunk with the bytes hashed so far. */
  readonly onProgress?: ((bytesHashed: number) => Effect.Effect<void>) | undefined
  /** Distance between checkpoints in bytes: the most that is read again to continue a check. Default 8 MiB. */
  readonly checkpointBytes?: number | undefined
}

const defaultCheckpointBytes = 8 * 1024 * 1024

/** One chunk being hashed, one ready, one being read: hashing and reading overlap, and no chunk is overwritten early. */
const readAhead = { recycle: 3, capacity: 1 } as const

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
    const interval = Math.max(1, Math.trunc(options.checkpointBytes ?? defaultCheckpointBytes))
    const nextMultiple = (position: number) => {
      const next = position + interval - (position % interval)
      return next < stat.size ? next : undefined
    }

    const running = new RunningHash()
    const checkpoints: Array<Checkpoint> = []
    const hashStates = [emptyState()]
    const hash = (bytes: Uint8Array) => {
      for (const offset of running.walk(bytes, nextMultiple)) {
        checkpoints.push({ offset, sha256: running.hex })
        hashStates.push(running.state)
      }
      return options.onProgress?.(running.position) ?? Effect.void
    }

    yield* archive.read({ offset: 0, expected: stat, recycle: readAhead.recycle }).pipe(
      Stream.bufferChunks({ capacity: readAhead.capacity }),
      Stream.runForEach((bytes) => Effect.suspend(() => hash(bytes)))
    )
    return { sha256: running.hex, stat, checkpoints, [states]: hashStates }
  })

/**
 * The archive from `offset` on, hashed again as it is read. It fails with `ArchiveChanged` at the first checkpoint that
 * differs from the digest, and emits the last chunk only after the whole content was found to be what it was: a changed
 * archive is never sent to its end.
 *
 * The check begins at the nearest checkpoint before `offset`; the bytes between the two are read but not emitted. At the
 * end of the archive nothing is emitted and the rest is still checked.
 *
 * @since 0.1.0
 * @category combinators
 */
export const verifying = <R>(
  digest: ArchiveDigest,
  archive: Archive<R>,
  options: {
    /** First byte to emit, in bytes from the start of the archive. */
    readonly offset: number
    /** As in `Archive.ReadOptions`. */
    readonly recycle?: number | undefined
  }
): Stream.Stream<Uint8Array, ArchiveError, R> =>
  Stream.suspend(() => {
    const from = digest[states].findLast((state) => state.offset <= options.offset) ?? emptyState()
    const running = new RunningHash(from)
    const check = checkAgainst(archive.path, toRecord(digest), running)

    return archive.read({ offset: from.offset, expected: digest.stat, recycle: options.recycle }).pipe(
      Stream.mapEffect((bytes) =>
        Effect.suspend(() => {
          const start = running.position
          return Effect.as(check(bytes), bytes.subarray(Math.max(0, options.offset - start)))
        })
      ),
      Stream.filter((bytes) => bytes.length > 0)
    )
  })

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
    const hashStates = [running.state]
    const check = checkAgainst(archive.path, recorded, running, (state) => hashStates.push(state))

    yield* archive.read({ offset: 0, expected: stat, recycle: readAhead.recycle }).pipe(
      Stream.bufferChunks({ capacity: readAhead.capacity }),
      Stream.mapEffect((bytes) => check(bytes.subarray(0, end - running.position))),
      Stream.takeUntil(() => running.position >= end),
      Stream.runDrain
    )
    return { sha256: recorded.sha256, stat, checkpoints: recorded.checkpoints, [states]: hashStates }
  })

/** The checkpoints and the end, in order, whatever a file from elsewhere may have held. */
const stopsOf = (recorded: DigestRecord): ReadonlyArray<Checkpoint> => [
  ...recorded.checkpoints
    .filter(({ offset }) => offset > 0 && offset < recorded.size)
    .sort((one, other) => one.offset - other.offset),
  { offset: recorded.size, sha256: recorded.sha256 }
]

/** Hashes chunk after chunk and fails at the first recorded checkpoint, or the recorded end, that differs. */
const checkAgainst = (
  path: string,
  recorded: DigestRecord,
  running: RunningHash,
  onCheckpoint: (state: HashState) => void = () => undefined
): ((bytes: Uint8Array) => Effect.Effect<void, ArchiveChanged>) => {
  const stops = stopsOf(recorded).filter((stop) => stop.offset > running.position)
  let index = 0
  let verified = running.position

  return (bytes) =>
    Effect.suspend(() => {
      for (const offset of running.walk(bytes, () => stops[index]?.offset)) {
        if (running.hex !== stops[index]?.sha256) {
          const detail = `bytes ${verified} to ${offset} are not those that were digested`
          return new ArchiveChanged({ path, reason: "Modified", detail })
        }
        onCheckpoint(running.state)
        verified = offset
        index += 1
      }
      return Effect.void
    })
}

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
