import * as Fs from "node:fs/promises"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"

/** Why a file is not a ZIP archive. */
export class NotAZip extends Data.TaggedError("NotAZip")<{ readonly detail: string }> {}

const LOCAL_HEADER = 0x04034b50
const CENTRAL_HEADER = 0x02014b50
const END = 0x06054b50
const END_64 = 0x06064b50
const END_64_LOCATOR = 0x07064b50

const CENTRAL_HEADER_BYTES = 46
const END_BYTES = 22
const END_64_BYTES = 56
const LOCATOR_BYTES = 20
const MAX_COMMENT_BYTES = 0xffff
const IN_ZIP64 = 0xffffffff

const WINDOW_BYTES = 64 * 1024

const refuse = (detail: string) => Effect.fail(new NotAZip({ detail }))

/** Reads exact ranges, a window at a time; a range that leaves the file is a refusal. */
type ReadAt = (position: number, length: number) => Effect.Effect<Buffer, NotAZip>

const makeReader = (file: Fs.FileHandle, size: number, windowBytes: number): ReadAt => {
  let start = 0
  let window = Buffer.alloc(0)
  return Effect.fnUntraced(function* (position, length) {
    if (position + length > size) return yield* refuse("it ends too early")
    if (position < start || position + length > start + window.length) {
      const buffer = Buffer.alloc(Math.min(Math.max(length, windowBytes), size - position))
      const { bytesRead } = yield* Effect.promise(() => file.read(buffer, 0, buffer.length, position))
      start = position
      window = buffer.subarray(0, bytesRead)
    }
    return window.subarray(position - start, position - start + length)
  })
}

const endRecordIn = (tail: Buffer): Option.Option<number> => {
  for (let at = tail.length - END_BYTES; at >= 0; at -= 1) {
    if (tail.readUInt32LE(at) === END && at + END_BYTES + tail.readUInt16LE(at + 20) === tail.length) {
      return Option.some(at)
    }
  }
  return Option.none()
}

const directory64 = Effect.fnUntraced(function* (read: ReadAt, end: number) {
  if (end < LOCATOR_BYTES) return yield* refuse("its Zip64 locator is missing")
  const locator = yield* read(end - LOCATOR_BYTES, LOCATOR_BYTES)
  if (locator.readUInt32LE(0) !== END_64_LOCATOR) return yield* refuse("its Zip64 locator is missing")
  const record = yield* read(Number(locator.readBigUInt64LE(8)), END_64_BYTES)
  if (record.readUInt32LE(0) !== END_64) return yield* refuse("its Zip64 end record is missing")
  return {
    entries: Number(record.readBigUInt64LE(32)),
    size: Number(record.readBigUInt64LE(40)),
    offset: Number(record.readBigUInt64LE(48))
  }
})

const readDirectory = Effect.fnUntraced(function* (read: ReadAt, size: number) {
  const tailBytes = Math.min(size, END_BYTES + MAX_COMMENT_BYTES)
  const tail = yield* read(size - tailBytes, tailBytes)
  const at = yield* Option.match(endRecordIn(tail), {
    onNone: () => refuse("it has no end of central directory"),
    onSome: Effect.succeed
  })
  const end = size - tailBytes + at
  const entries = tail.readUInt16LE(at + 10)
  const directory = { entries, size: tail.readUInt32LE(at + 12), offset: tail.readUInt32LE(at + 16) }
  const isZip64 = entries === 0xffff || directory.size === IN_ZIP64 || directory.offset === IN_ZIP64
  const { offset, size: length, ...rest } = isZip64 ? yield* directory64(read, end) : directory
  if (offset + length > end) return yield* refuse("its central directory does not lie where it says")
  return { offset, size: length, ...rest }
})

/** Checks one entry and returns the length of its record in the directory. */
const checkEntry = Effect.fnUntraced(function* (readCentral: ReadAt, readLocal: ReadAt, position: number) {
  const header = yield* readCentral(position, CENTRAL_HEADER_BYTES)
  if (header.readUInt32LE(0) !== CENTRAL_HEADER) return yield* refuse("its central directory is damaged")
  const localOffset = header.readUInt32LE(42)
  if (localOffset !== IN_ZIP64) {
    const local = yield* readLocal(localOffset, 4)
    if (local.readUInt32LE(0) !== LOCAL_HEADER)
      return yield* refuse("an entry is not where the directory says")
  }
  return CENTRAL_HEADER_BYTES + header.readUInt16LE(28) + header.readUInt16LE(30) + header.readUInt16LE(32)
})

const checkFile = Effect.fnUntraced(function* (file: Fs.FileHandle, size: number) {
  if (size < END_BYTES) return yield* refuse("it is too short")
  const readCentral = makeReader(file, size, WINDOW_BYTES)
  const readLocal = makeReader(file, size, 4)
  const start = yield* readLocal(0, 4)
  if (start.readUInt32LE(0) !== LOCAL_HEADER) return yield* refuse("it does not begin with an entry")
  const directory = yield* readDirectory(readCentral, size)
  let position = directory.offset
  for (let entry = 0; entry < directory.entries; entry += 1) {
    position += yield* checkEntry(readCentral, readLocal, position)
  }
  if (directory.entries === 0) return yield* refuse("it holds no entries")
  if (position !== directory.offset + directory.size) return yield* refuse("its central directory is damaged")
})

/**
 * Checks that a file is one whole ZIP archive: entries first, a readable central directory, nothing after its end.
 * Contents are not unpacked. Memory does not grow with the archive.
 */
export const check = (path: string, size: number): Effect.Effect<void, NotAZip> =>
  Effect.acquireUseRelease(
    Effect.promise(() => Fs.open(path, "r")),
    (file) => checkFile(file, size),
    (file) => Effect.promise(() => file.close())
  )
