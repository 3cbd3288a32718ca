/** What every source of an archive shares: names, changes noticed, and a length that is kept to the byte. */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import type * as Stream from "effect/Stream"
import * as ByteStream from "../../../byteStream.ts"
import { ArchiveChanged } from "../../ArchiveError.ts"
import type { ArchiveStat, ReadOptions } from "./models.ts"

/** The largest chunk a reader is handed unless it asks for larger ones, in bytes; also the size of a file's read buffers. */
export const chunkBytes = 1024 * 1024

/** Folders are separated by either slash: a Windows path may be given on any system, and no server wants a folder. */
export const baseName = (path: string): string => path.split(/[\\/]/).findLast((part) => part !== "") ?? path

/** A line about an unknown failure, without its stack. */
export const describe = (cause: unknown): string =>
  Predicate.isError(cause) || (Predicate.hasProperty(cause, "message") && Predicate.isString(cause.message))
    ? String(cause.message)
    : String(cause)

/** A reading whose end is known. */
export interface Reading extends ReadOptions {
  readonly end: number
}

/** Throws where a reading begins or stops outside the archive. */
export const within = (options: ReadOptions): Reading => {
  const { end = options.expected.size, expected, offset } = options
  assertWithin("offset", offset, 0, expected)
  assertWithin("end", end, offset, expected)
  return { ...options, end }
}

const assertWithin = (what: string, position: number, from: number, { size }: ArchiveStat): void => {
  if (Number.isSafeInteger(position) && position >= from && position <= size) return
  const place =
    position < from && from > 0 ? `before the offset ${from}` : `outside an archive of ${size} bytes`
  throw new RangeError(`${what} ${position} is ${place}`)
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
 * Keeps what a source gives to what a reading asks for: chunks are cut and empty ones dropped, and where the reading goes to the
 * end of the archive, its length is kept to the byte.
 */
export const keptTo =
  (path: string, { end, expected, into, offset }: Reading) =>
  <E, R>(source: Stream.Stream<Uint8Array, E, R>): Stream.Stream<Uint8Array, E | ArchiveChanged, R> => {
    const whole = ofLength(path, expected, offset)(source)
    const wanted = end === expected.size ? whole : ByteStream.take(whole, end - offset)
    return into === undefined ? wanted : ByteStream.into(wanted, into)
  }

/**
 * Keeps a stream to the expected length: fails when it ends early or runs long, cuts large chunks, drops empty ones, and
 * holds the last chunk back until the source has said that nothing follows.
 */
const ofLength =
  (path: string, expected: ArchiveStat, offset: number) =>
  <E, R>(source: Stream.Stream<Uint8Array, E, R>): Stream.Stream<Uint8Array, E | ArchiveChanged, R> =>
    ByteStream.make(
      Effect.map(ByteStream.begin<E | ArchiveChanged, R>(source), (pull) => {
        const grew = new ArchiveChanged({
          path,
          reason: "Grew",
          detail: `there is more than ${expected.size} bytes`
        })
        let position = offset
        let rest: Uint8Array = new Uint8Array(0)
        let isOver = false

        const piece: ByteStream.Pull<E | ArchiveChanged> = Effect.suspend(() => {
          if (rest.length === 0) return Effect.flatMap(pull, keep)
          const bytes = rest.subarray(0, chunkBytes)
          rest = rest.subarray(chunkBytes)
          return Effect.succeed(bytes)
        })
        const keep = (bytes: Uint8Array) => {
          rest = bytes
          return piece
        }
        const nothing = Effect.matchEffect(piece, {
          onFailure: Option.match({
            onNone: () => Effect.void,
            onSome: (error) => Effect.fail(Option.some(error))
          }),
          onSuccess: () => Effect.fail(Option.some(grew))
        })
        const next = Effect.flatMap(piece, (bytes) => {
          position += bytes.length
          if (position < expected.size) return Effect.succeed(bytes)
          if (position > expected.size) return Effect.fail(Option.some(grew))
          isOver = true
          return Effect.as(nothing, bytes)
        })
        return Effect.suspend(() => {
          if (isOver) return Effect.fail(Option.none())
          if (position === expected.size) return Effect.zipRight(nothing, Effect.fail(Option.none()))
          return Effect.mapError(
            next,
            Option.orElseSome(() => endedEarly(path, expected, position))
          )
        })
      })
    )
