/**
 * Following an archive's bytes, and noticing where they are no longer those that were digested.
 *
 * @internal
 */
import * as Effect from "effect/Effect"
import type { Checkpoint, DigestRecord } from "../ArchiveDigest.ts"
import { ArchiveChanged } from "../ArchiveError.ts"
import { piecesOf } from "./pieces.ts"
import { emptyState, type HashState, RunningHash } from "./runningHash.ts"
import { type Seals, SegmentSealer } from "./segmentSeals.ts"

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
