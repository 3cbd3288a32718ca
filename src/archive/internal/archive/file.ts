/** Reading an archive from disk. */
import type { PlatformError } from "@effect/platform/Error"
import * as FileSystem from "@effect/platform/FileSystem"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import type * as Stream from "effect/Stream"
import * as ByteStream from "../../../byteStream.ts"
import { type ArchiveChanged, type ArchiveError, ArchiveUnreadable } from "../../ArchiveError.ts"
import type { ArchiveStat, ReadOptions } from "./models.ts"
import { BufferPool } from "./pool.ts"
import * as source from "./source.ts"

export const stat = (path: string): Effect.Effect<ArchiveStat, ArchiveUnreadable, FileSystem.FileSystem> =>
  Effect.flatMap(FileSystem.FileSystem, (fs) =>
    // By path, not by descriptor: opening a pipe would wait for a writer that may never come.
    fs.stat(path).pipe(
      Effect.mapError(unreadable(path)),
      Effect.flatMap((info) => regularFile(path, info))
    )
  )

export const read =
  (path: string) =>
  (options: ReadOptions): Stream.Stream<Uint8Array, ArchiveError, FileSystem.FileSystem> =>
    ByteStream.make(
      Effect.suspend(() => {
        const reading = source.within(options)
        return reading.into === undefined ? readLent(path, reading) : readInto(path, reading, reading.into)
      })
    )

/** Buffers are taken before the file is opened: whoever has to wait for them holds nothing. */
const readLent = (path: string, options: source.Reading) =>
  Effect.flatMap(bufferSource(options), (nextBuffer) =>
    Effect.flatMap(openUnchanged(path, options), (file) =>
      readingAhead(options, (position) => readChunk(path, file, options, position, nextBuffer(position)))
    )
  )

const readInto = (path: string, options: source.Reading, into: Effect.Effect<Uint8Array>) =>
  Effect.map(openUnchanged(path, options), (file) =>
    inOrder(options, (position) =>
      Effect.flatMap(into, (buffer) => readWhole(path, file, options, position, buffer))
    )
  )

const inOrder = (
  { end, offset }: source.Reading,
  readAt: (position: number) => Effect.Effect<Uint8Array, ArchiveError>
): ByteStream.Pull<ArchiveError> => {
  let position = offset
  return Effect.suspend(() =>
    position === end
      ? Effect.fail(Option.none())
      : Effect.mapBoth(readAt(position), {
          onFailure: Option.some,
          onSuccess: (bytes) => {
            position += bytes.length
            return bytes
          }
        })
  )
}

/**
 * Begins to read a chunk before it hands out the one before, so that the disk works while the chunk is hashed or sent. Small
 * chunks come where the archive is small, or where many are read at a time and the disk has enough to do. The read under way
 * is waited for at the end: until then the operating system still writes to its buffer.
 */
const readingAhead = (
  { end, offset }: source.Reading,
  readAt: (position: number) => Effect.Effect<Uint8Array, ArchiveError>
): Effect.Effect<ByteStream.Pull<ArchiveError>, never, Scope.Scope> =>
  Effect.suspend(() => {
    let position = offset
    let ahead: Fiber.Fiber<Exit.Exit<Uint8Array, ArchiveError>> | undefined

    const current = () => {
      if (ahead === undefined) return readAt(position)
      // Awaited and not joined: it has nothing to hand over but its result.
      return Effect.flatten(Effect.flatten(Fiber.await(ahead)))
    }
    const begin = (bytes: Uint8Array) =>
      Effect.flatMap(Effect.forkDaemon(Effect.exit(readAt(position))), (fiber) => {
        ahead = fiber
        // The read reaches the operating system only when this fiber pauses: before the chunk is used, not after.
        return Effect.as(Effect.yieldNow(), bytes)
      })
    const take = (bytes: Uint8Array) => {
      position += bytes.length
      ahead = undefined
      return bytes.length < worthReadingAhead || position === end ? Effect.succeed(bytes) : begin(bytes)
    }
    const pull = Effect.suspend(() =>
      position === end
        ? Effect.fail(Option.none())
        : Effect.mapError(Effect.flatMap(current(), take), Option.some)
    )
    return Effect.as(
      Effect.addFinalizer(() => (ahead === undefined ? Effect.void : Fiber.await(ahead))),
      pull
    )
  })

/** In bytes. */
const worthReadingAhead = 256 * 1024

const openUnchanged = (
  path: string,
  options: ReadOptions
): Effect.Effect<FileSystem.File, ArchiveError, FileSystem.FileSystem | Scope.Scope> =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const file = yield* Effect.mapError(fs.open(path), unreadable(path))
    yield* assertUnchanged(path, file, options.expected)
    yield* file.seek(options.offset, "start")
    return file
  })

const assertUnchanged = (
  path: string,
  file: FileSystem.File,
  expected: ArchiveStat
): Effect.Effect<void, ArchiveError> =>
  file.stat.pipe(
    Effect.mapError(unreadable(path)),
    Effect.flatMap((info): Effect.Effect<void, ArchiveChanged> => {
      const change = source.changeBetween(path, expected, identity(info))
      return change === undefined ? Effect.void : Effect.fail(change)
    })
  )

/**
 * One buffer's worth of bytes. The read itself is not interruptible: the descriptor would be closed, and the buffer
 * lent out again, while the operating system still writes to it.
 */
const readChunk = (
  path: string,
  file: FileSystem.File,
  { end, expected }: source.Reading,
  position: number,
  buffer: Uint8Array
): Effect.Effect<Uint8Array, ArchiveError> =>
  Effect.suspend(() => {
    const wanted = buffer.subarray(0, Math.min(buffer.length, end - position))
    return Effect.flatMap(
      Effect.mapError(Effect.uninterruptible(file.read(wanted)), unreadable(path)),
      (read): Effect.Effect<Uint8Array, ArchiveError> => {
        const count = Number(read)
        if (count === 0) return source.endedEarly(path, expected, position)
        const bytes = Effect.succeed(wanted.subarray(0, count))
        return position + count === end
          ? Effect.zipRight(assertUnchanged(path, file, expected), bytes)
          : bytes
      }
    )
  })

/** The same until the buffer is full, or the archive at its end: the operating system may give less than it was asked for. */
const readWhole = (
  path: string,
  file: FileSystem.File,
  options: source.Reading,
  position: number,
  buffer: Uint8Array
): Effect.Effect<Uint8Array, ArchiveError> => {
  const wanted = buffer.subarray(0, Math.min(buffer.length, options.end - position))
  const rest = (filled: number): Effect.Effect<Uint8Array, ArchiveError> =>
    Effect.flatMap(
      readChunk(path, file, options, position + filled, wanted.subarray(filled)),
      ({ length }) => (filled + length < wanted.length ? rest(filled + length) : Effect.succeed(wanted))
    )
  return rest(0)
}

/** A ring of buffers, one of them to read ahead, or a fresh one each time. Never larger than what is left to read. */
const bufferSource = ({
  chunkBytes = source.chunkBytes,
  end,
  offset,
  recycle
}: source.Reading): Effect.Effect<(position: number) => Uint8Array, never, Scope.Scope> => {
  if (recycle === undefined) {
    return Effect.succeed((position) => new Uint8Array(Math.min(chunkBytes, end - position)))
  }
  const bufferBytes = Math.min(chunkBytes, end - offset)
  return Effect.flatMap(BufferPool, ({ ring }) =>
    ring({ buffers: Math.max(1, recycle) + 1, bufferBytes })
  ).pipe(
    Effect.map(
      ({ next }) =>
        (position) =>
          next(end - position)
    )
  )
}

const identity = (info: FileSystem.File.Info): ArchiveStat => ({
  size: Number(info.size),
  modifiedMillis: Option.getOrUndefined(Option.map(info.mtime, (date) => date.getTime())),
  file: Option.getOrUndefined(Option.map(info.ino, (inode) => `${info.dev}:${inode}`))
})

const regularFile = (
  path: string,
  info: FileSystem.File.Info
): Effect.Effect<ArchiveStat, ArchiveUnreadable> => {
  if (info.type === "Directory") return new ArchiveUnreadable({ path, reason: "IsDirectory" })
  if (info.type !== "File") {
    return new ArchiveUnreadable({
      path,
      reason: "ReadFailed",
      detail: `it is a ${info.type}, not a regular file`
    })
  }
  const found = identity(info)
  return found.size === 0 ? new ArchiveUnreadable({ path, reason: "Empty" }) : Effect.succeed(found)
}

const unreadable =
  (path: string) =>
  (error: PlatformError): ArchiveUnreadable => {
    if (
      error._tag === "SystemError" &&
      (error.reason === "NotFound" || error.reason === "PermissionDenied")
    ) {
      return new ArchiveUnreadable({ path, reason: error.reason })
    }
    // The platform names its own module and method; the operating system's words say more to a reader.
    const detail = error.description ?? source.describe(error.cause ?? error)
    return new ArchiveUnreadable({ path, reason: "ReadFailed", detail })
  }
