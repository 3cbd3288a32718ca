/** Following an archive's bytes, and noticing where they are no longer those that were digested. */

import { Buffer } from "node:buffer"
import { type CipherGCM, createCipheriv, createHash, type Hash, randomBytes } from "node:crypto"
import * as Effect from "effect/Effect"
import type { ArchiveStat } from "../Archive.ts"
import type {
  ArchiveDigest,
  Checkpoint,
  DigestRecord,
  RunningDigest,
  RunningOptions
} from "../ArchiveDigest.ts"
import { ArchiveChanged } from "../ArchiveError.ts"

/** What a check compares with: seals made in this process, or the hash's states before each recorded checkpoint. */
export type Evidence =
  | { readonly _tag: "Seals"; readonly seals: Seals }
  | { readonly _tag: "States"; readonly states: ReadonlyArray<HashState> }

/** The key under which a digest carries its evidence: it lives in memory only and is never encoded. */
export const evidence: unique symbol = Symbol.for("effect-elastic-extensions/archive/ArchiveDigest/evidence")

/** Mutable: make one per run, inside an Effect. */
export interface ContentCheck {
  /** Where the first chunk has to begin, in bytes from the start of the archive. */
  readonly from: number
  /** Takes the next chunk; fails at the first stop whose bytes differ. */
  readonly accept: (chunk: Uint8Array) => Effect.Effect<void, ArchiveChanged>
}

interface Digested extends DigestRecord {
  readonly [evidence]: Evidence
}

/** A check that begins as near before `offset` as the evidence allows. */
export const checkFrom = (path: string, digest: Digested, offset: number): ContentCheck => {
  const found = digest[evidence]
  if (found._tag === "Seals") return sealCheck(path, digest.size, found.seals, offset)
  const from = found.states.findLast((state) => state.offset <= offset) ?? emptyState()
  return hashCheck(path, digest, new RunningHash(from))
}

const sealCheck = (
  path: string,
  size: number,
  { interval, key, tags }: Seals,
  offset: number
): ContentCheck => {
  let segment = Math.min(Math.floor(offset / interval), tags.length - 1)
  const from = segment * interval
  const sealer = new SegmentSealer(key, segment)
  const stopAfter = () => Math.min(size, (segment + 1) * interval)
  return checkStops(path, from, {
    stopAfter,
    update: (bytes) => sealer.update(bytes),
    isSame: () => {
      const same = sealer.seal() === tags[segment]
      segment += 1
      return same
    }
  })
}

/** Compares the running hash with every recorded checkpoint that follows, and with the recorded end. */
export const hashCheck = (
  path: string,
  recorded: DigestRecord,
  running: RunningHash,
  onCheckpoint: (state: HashState) => void = () => undefined
): ContentCheck => {
  const stops = stopsOf(recorded).filter((stop) => stop.offset > running.position)
  let index = 0
  return checkStops(path, running.position, {
    stopAfter: () => stops[index]?.offset,
    update: (bytes) => running.update(bytes),
    isSame: () => {
      const same = running.hex === stops[index]?.sha256
      if (same) onCheckpoint(running.state)
      index += 1
      return same
    }
  })
}

/** The checkpoints and the end, in order, whatever a file from elsewhere may have held. */
export const stopsOf = (recorded: DigestRecord): ReadonlyArray<Checkpoint> => [
  ...recorded.checkpoints
    .filter(({ offset }) => offset > 0 && offset < recorded.size)
    .sort((one, other) => one.offset - other.offset),
  { offset: recorded.size, sha256: recorded.sha256 }
]

const checkStops = (
  path: string,
  from: number,
  {
    isSame,
    stopAfter,
    update
  }: {
    readonly stopAfter: (position: number) => number | undefined
    readonly update: (bytes: Uint8Array) => void
    /** Asked at a stop, once. */
    readonly isSame: () => boolean
  }
): ContentCheck => {
  let position = from
  let verified = from
  return {
    from,
    accept: (chunk) =>
      Effect.suspend(() => {
        for (const { bytes, end, isStop } of piecesOf(chunk, position, stopAfter)) {
          update(bytes)
          if (!isStop) continue
          if (!isSame()) {
            const detail = `bytes ${verified} to ${end} are not those that were digested`
            return new ArchiveChanged({ path, reason: "Modified", detail })
          }
          verified = end
        }
        position += chunk.length
        return Effect.void
      })
  }
}

/** A part of a chunk. */
export interface Piece {
  readonly bytes: Uint8Array
  /** Where it ends, in bytes from the start of the archive. */
  readonly end: number
  /** Whether it ends at a stop. */
  readonly isStop: boolean
}

/**
 * Cuts a chunk that begins at `position` at each stop on its way. `stopAfter` gives the first stop beyond a position, or
 * `undefined` when there is none.
 */
export function* piecesOf(
  chunk: Uint8Array,
  position: number,
  stopAfter: (position: number) => number | undefined
): Generator<Piece> {
  let from = 0
  while (from < chunk.length) {
    const start = position + from
    const stop = stopAfter(start) ?? Number.POSITIVE_INFINITY
    const to = Math.min(chunk.length, from + stop - start)
    yield { bytes: chunk.subarray(from, to), end: position + to, isStop: position + to === stop }
    from = to
  }
}

const defaultCheckpointBytes = 8 * 1024 * 1024

/** Digests what it is given, from the first byte to the last. Mutable: make one per run, inside an Effect. */
export class Digester implements RunningDigest {
  private readonly stat: ArchiveStat
  private readonly interval: number
  private readonly stops: ReadonlyArray<number>
  private readonly key: Uint8Array | undefined
  private readonly sealer: SegmentSealer | undefined
  private readonly running = new RunningHash()
  private readonly noted: Array<Checkpoint> = []
  private readonly states = [emptyState()]
  private readonly tags: Array<string> = []
  private readonly parts: PartHasher | undefined

  constructor(
    stat: ArchiveStat,
    { alsoAt = [], checkpointBytes, parts = false, willBeReadAgain }: RunningOptions
  ) {
    this.stat = stat
    this.interval = Math.max(1, Math.trunc(checkpointBytes ?? defaultCheckpointBytes))
    this.stops = alsoAt.filter((offset) => offset < stat.size).sort((one, other) => one - other)
    this.key = willBeReadAgain ? makeKey() : undefined
    this.sealer = this.key === undefined ? undefined : new SegmentSealer(this.key, 0)
    this.parts = parts ? new PartHasher() : undefined
  }

  get position(): number {
    return this.running.position
  }

  get checkpoint(): Checkpoint {
    return { offset: this.running.position, sha256: this.running.hex }
  }

  get checkpoints(): ReadonlyArray<Checkpoint> {
    return this.noted
  }

  update(chunk: Uint8Array): void {
    for (const { bytes, end, isStop } of piecesOf(chunk, this.position, (position) =>
      this.stopAfter(position)
    )) {
      this.running.update(bytes)
      this.sealer?.update(bytes)
      this.parts?.update(bytes)
      if (!isStop) continue
      this.noted.push(this.checkpoint)
      if (end % this.interval !== 0) continue
      this.parts?.end()
      if (this.sealer === undefined) this.states.push(this.running.state)
      else this.tags.push(this.sealer.seal())
    }
  }

  finish(): ArchiveDigest {
    const { interval, key, parts, states, tags } = this
    if (this.sealer !== undefined) tags.push(this.sealer.seal())
    parts?.end()
    return {
      sha256: this.running.hex,
      stat: this.stat,
      checkpoints: this.noted,
      ...(parts === undefined ? {} : { parts: { partBytes: interval, sha256: parts.sha256 } }),
      [evidence]:
        key === undefined ? { _tag: "States", states } : { _tag: "Seals", seals: { key, interval, tags } }
    }
  }

  private stopAfter(position: number): number | undefined {
    const multiple = position + this.interval - (position % this.interval)
    const stop = Math.min(multiple, this.stops.find((offset) => offset > position) ?? multiple)
    return stop < this.stat.size ? stop : undefined
  }
}

/** Hashes one part after the other. Mutable: make one per run, inside an Effect. */
class PartHasher {
  readonly sha256: Array<string> = []
  private hash = createHash("sha256")

  update(bytes: Uint8Array): void {
    this.hash.update(bytes)
  }

  /** The next part begins. */
  end(): void {
    this.sha256.push(this.hash.digest("hex"))
    this.hash = createHash("sha256")
  }
}

/** The hash of bytes 0 to `offset`. Never updated, only copied, so that it can be continued many times. */
export interface HashState {
  readonly offset: number
  readonly hash: Hash
}

/** Where every archive begins. */
export const emptyState = (): HashState => ({ offset: 0, hash: createHash("sha256") })

/** Mutable: make one per run, inside an Effect, or a retry would continue the hash of the attempt before it. */
export class RunningHash {
  private readonly hash: Hash
  private offset: number

  constructor(from: HashState = emptyState()) {
    this.hash = from.hash.copy()
    this.offset = from.offset
  }

  /** Bytes hashed so far, counted from the start of the archive. */
  get position(): number {
    return this.offset
  }

  /** The hash of everything so far, in hex. */
  get hex(): string {
    return this.hash.copy().digest("hex")
  }

  get state(): HashState {
    return { offset: this.offset, hash: this.hash.copy() }
  }

  update(bytes: Uint8Array): void {
    this.hash.update(bytes)
    this.offset += bytes.length
  }
}

/** The seals of segments of `interval` bytes each; the last segment may be shorter. */
export interface Seals {
  readonly key: Uint8Array
  readonly interval: number
  readonly tags: ReadonlyArray<string>
}

/** Seals one segment after the other. Mutable: make one per run, inside an Effect. */
export class SegmentSealer {
  private readonly key: Uint8Array
  private segment: number
  private cipher: CipherGCM

  constructor(key: Uint8Array, firstSegment: number) {
    this.key = key
    this.segment = firstSegment
    this.cipher = cipherFor(key, firstSegment)
  }

  update(bytes: Uint8Array): void {
    this.cipher.setAAD(bytes)
  }

  /** The seal of the segment that ends here; the next one begins. */
  seal(): string {
    const tag = tagOf(this.cipher)
    this.segment += 1
    this.cipher = cipherFor(this.key, this.segment)
    return tag
  }
}

/** The nonce is the segment's number: seals are compared in memory and never shown, so they may be made again under it. */
const cipherFor = (key: Uint8Array, segment: number): CipherGCM => {
  const nonce = Buffer.alloc(12)
  nonce.writeUInt32BE(segment, 8)
  return createCipheriv("aes-128-gcm", key, nonce)
}

const tagOf = (cipher: CipherGCM): string => {
  cipher.final()
  return cipher.getAuthTag().toString("base64")
}

/** A new key, or `undefined` on a runtime whose ciphers cannot seal a segment that comes in several chunks. */
export const makeKey = (): Uint8Array | undefined => {
  sealsChunks ??= tryOut()
  return sealsChunks ? randomBytes(16) : undefined
}

let sealsChunks: boolean | undefined

/** Deno's `setAAD` replaces what an earlier call gave instead of adding to it: its seals would cover the last chunk only. */
const tryOut = (): boolean => {
  const sealOf = (...chunks: ReadonlyArray<string>) => {
    const cipher = cipherFor(new Uint8Array(16), 0)
    for (const chunk of chunks) cipher.setAAD(Buffer.from(chunk))
    return tagOf(cipher)
  }
  return sealOf("in", "chunks") === sealOf("inchunks")
}
