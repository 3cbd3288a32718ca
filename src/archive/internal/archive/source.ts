/** What every source of an archive shares: names, changes noticed, and a length that is kept to the byte. */
import * as Channel from "effect/Channel"
import * as Chunk from "effect/Chunk"
import * as Predicate from "effect/Predicate"
import * as Stream from "effect/Stream"
import { ArchiveChanged } from "../../ArchiveError.ts"
import type { ArchiveStat } from "./models.ts"

/** The largest chunk a reader is handed unless it asks for larger ones, in bytes; also the size of a file's read buffers. */
export const chunkBytes = 1024 * 1024

/** Folders are separated by either slash: a Windows path may be given on any system, and no server wants a folder. */
export const baseName = (path: string): string => path.split(/[\\/]/).findLast((part) => part !== "") ?? path

/** A line about an unknown failure, without its stack. */
export const describe = (cause: unknown): string =>
  Predicate.isError(cause) || (Predicate.hasProperty(cause, "message") && Predicate.isString(cause.message))
    ? String(cause.message)
    : String(cause)

export const assertOffset = (offset: number, expected: ArchiveStat): void => {
  if (!(Number.isSafeInteger(offset) && offset >= 0 && offset <= expected.size)) {
    throw new RangeError(`offset ${offset} is outside an archive of ${expected.size} bytes`)
  }
}

/** The change from what was expected to what is there now, if there is one. */
export const changeBetween = (
  path: string,
  expected: ArchiveStat,
  actual: ArchiveStat
): ArchiveChanged | undefined => {
  if (actual.size !== expected.size) {
    const reason = actual.size < expected.size ? "Shrank" : "Grew"
    return new ArchiveChanged({ path, reason, detail: `from ${expected.size} to ${actual.size} bytes` })
  }
  const [before, now] = [expected.modifiedMillis, actual.modifiedMillis]
  if (before !== undefined && now !== undefined && before !== now) {
    const [from, to] = [new Date(before).toISOString(), new Date(now).toISOString()]
    return new ArchiveChanged({ path, reason: "Modified", detail: `last modified ${from}, now ${to}` })
  }
  if (expected.file !== undefined && actual.file !== undefined && expected.file !== actual.file) {
    return new ArchiveChanged({ path, reason: "Modified", detail: "another file was put in its place" })
  }
  if (expected.etag !== undefined && actual.etag !== undefined && expected.etag !== actual.etag) {
    return new ArchiveChanged({
      path,
      reason: "Modified",
      detail: `its ETag was ${expected.etag}, now ${actual.etag}`
    })
  }
  return undefined
}

export const endedEarly = (path: string, expected: ArchiveStat, position: number): ArchiveChanged =>
  new ArchiveChanged({
    path,
    reason: "Shrank",
    detail: `it ended at byte ${position} of ${expected.size}`
  })

/**
 * Keeps a stream to the expected length: fails when it ends early or runs long, cuts large chunks, drops empty ones, and
 * holds the last chunk back until the source has said that nothing follows.
 */
export const ofLength =
  (path: string, expected: ArchiveStat, offset: number) =>
  <E, R>(source: Stream.Stream<Uint8Array, E, R>): Stream.Stream<Uint8Array, E | ArchiveChanged, R> => {
    const grew = new ArchiveChanged({
      path,
      reason: "Grew",
      detail: `there is more than ${expected.size} bytes`
    })

    type Bytes = Chunk.Chunk<Uint8Array>
    const pass = (
      position: number,
      last: Bytes
    ): Channel.Channel<Bytes, Bytes, E | ArchiveChanged, E, void, unknown> =>
      Channel.readWithCause({
        onInput: (input: Bytes) => {
          const pieces = Chunk.flatMap(input, cut)
          const end = Chunk.reduce(pieces, position, (sum, piece) => sum + piece.length)
          if (end > expected.size) return Channel.fail(grew)
          if (end < expected.size) return Channel.zipRight(Channel.write(pieces), pass(end, last))
          return end === position ? pass(end, last) : pass(end, pieces)
        },
        onFailure: Channel.failCause,
        onDone: () =>
          position === expected.size
            ? Channel.write(last)
            : Channel.fail(endedEarly(path, expected, position))
      })

    return Stream.pipeThroughChannel(source, pass(offset, Chunk.empty()))
  }

const cut = (bytes: Uint8Array): Chunk.Chunk<Uint8Array> =>
  bytes.length <= chunkBytes
    ? bytes.length === 0
      ? Chunk.empty()
      : Chunk.of(bytes)
    : Chunk.makeBy(Math.ceil(bytes.length / chunkBytes), (index) =>
        bytes.subarray(index * chunkBytes, (index + 1) * chunkBytes)
      )
