/** Where the bytes of a part are while it is on its way: in the file that they came from, or in memory. */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type { Archive, ReadOptions } from "../../../archive/Archive.ts"
import type { ArchiveDigest } from "../../../archive/ArchiveDigest.ts"
import type { ArchiveError } from "../../../archive/ArchiveError.ts"
import * as ByteStream from "../../../byteStream.ts"
import { chunksInUse } from "../../../transfer/UploadHttpClient.ts"
import { offsetOfPart, type Plan, sizeOfPart } from "./parts.ts"

/** Room for one part at a time, used again by the next one. */
export interface PartSource<out R> {
  /** Takes the next bytes of the part, which may be overwritten afterwards. `at` is where in the part they begin. */
  readonly accept: (bytes: Uint8Array, at: number) => void
  /** All bytes of the part that was accepted, as often as they are wanted, but not twice at a time. */
  readonly bytesOf: (number: number) => Stream.Stream<Uint8Array, ArchiveError, R>
}

/** As many as parts may be under way. */
export interface PartSources<R> {
  /** How the archive is to be read, once, for its parts to be accepted. */
  readonly reading: Pick<ReadOptions, "into">
  /** Waits until one is free. */
  readonly take: Effect.Effect<PartSource<R>>
  readonly give: (source: PartSource<R>) => Effect.Effect<void>
}

/** How much of a file is read at a time to be hashed, in bytes. */
const hashedAtOnce = 512 * 1024

/** And to be sent: larger pieces hardly take less time. */
const sentAtOnce = 256 * 1024

/** Made per run, inside an Effect. */
export const make = <R>(archive: Archive<R>, { stat }: ArchiveDigest, plan: Plan): PartSources<R> => {
  const permits = Effect.unsafeMakeSemaphore(plan.concurrency)
  const free: Array<PartSource<R>> = []
  const { makeSource, reading } =
    stat.file === undefined
      ? { makeSource: () => inMemory(plan), reading: {} }
      : { makeSource: () => inFile(archive, stat, plan), reading: { into: turns(1, hashedAtOnce, plan) } }
  return {
    reading,
    take: Effect.map(permits.take(1), () => free.pop() ?? makeSource()),
    give: (source) =>
      Effect.suspend(() => {
        free.push(source)
        return permits.release(1)
      })
  }
}

/** A source that is no file may be far away, or not be there a second time. */
const inMemory = (plan: Plan): PartSource<never> => {
  const buffer = new Uint8Array(sizeOfPart(plan, 1))
  return {
    accept: (bytes, at) => buffer.set(bytes, at),
    bytesOf: (number) => Stream.succeed(buffer.subarray(0, sizeOfPart(plan, number)))
  }
}

/**
 * The part is read again, soon enough for the operating system to have it in memory still. What is read is not certain to be
 * what was accepted: the store has to tell, which knows the hash.
 *
 * The buffers are its own. Those of the pool that readings share would be new ones for each part; and a reading that is sent
 * would wait for those of another that is hashed, while that one waits for its part to be sent.
 */
const inFile = <R>(archive: Archive<R>, expected: ArchiveDigest["stat"], plan: Plan): PartSource<R> => {
  const into = turns(chunksInUse, sentAtOnce, plan)
  return {
    accept: () => undefined,
    bytesOf: (number) =>
      ByteStream.take(
        archive.read({ offset: offsetOfPart(plan, number), expected, into }),
        sizeOfPart(plan, number)
      )
  }
}

/** Buffers that are used in turn, each made when it is first needed. */
const turns = (count: number, bytes: number, plan: Plan): Effect.Effect<Uint8Array> => {
  const buffers: Array<Uint8Array> = []
  let turn = 0
  return Effect.sync(() => {
    const index = turn++ % count
    const buffer = buffers[index] ?? new Uint8Array(Math.min(bytes, sizeOfPart(plan, 1)))
    buffers[index] = buffer
    return buffer
  })
}
