/**
 * A ZIP's central directory, read at offsets from an archive in constant memory.
 *
 * @internal
 */
import * as zlib from "node:zlib"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as FiberSet from "effect/FiberSet"
import * as Stream from "effect/Stream"
import * as yauzl from "yauzl"
import type { Archive, ArchiveStat } from "../Archive.ts"
import type { ArchiveError } from "../ArchiveError.ts"
import { describe } from "./archiveSource.ts"

/** The archive can be read but is not a ZIP, or not one that holds together. */
export class ZipError extends Data.TaggedError("ZipError")<{ readonly detail: string }> {}

export interface ZipEntry {
  readonly name: string
  readonly encrypted: boolean
  /** 0 is stored, 8 is deflated. */
  readonly compressionMethod: number
  readonly compressedSize: number
  readonly uncompressedSize: number
  /** Where its local header lies, in bytes from the start of the archive. */
  readonly offset: number
  /** Unix file type and permissions; 0 where the ZIP was made by something else. */
  readonly mode: number
  readonly raw: yauzl.Entry
}

export interface ZipDirectory {
  readonly entries: Stream.Stream<ZipEntry, ZipError>
  /** The content of a small entry, checked against its CRC-32; never more than `maxBytes`. */
  readonly content: (entry: ZipEntry, maxBytes: number) => Effect.Effect<Uint8Array, ZipError | ArchiveError>
}

/** Opens the directory for as long as `use` runs. */
export const withDirectory = <R, A, E>(
  archive: Archive<R>,
  stat: ArchiveStat,
  use: (directory: ZipDirectory) => Effect.Effect<A, E>
): Effect.Effect<A, E | ZipError | ArchiveError, R> =>
  Effect.gen(function* () {
    const context = yield* Effect.context<R>()
    const window = new Window(archive, stat)
    const range = (position: number, length: number) =>
      Effect.provide(window.range(position, length), context)

    const reads = yield* FiberSet.make<void, ArchiveError>()
    const reader = new ArchiveReader(yield* FiberSet.runtime(reads)(), window, range)
    const read = Effect.flatMap(openZip(reader, stat.size), (zip) =>
      use({
        entries: Stream.map(
          Stream.fromAsyncIterable(zip.eachEntry(), (cause) => new ZipError({ detail: describe(cause) })),
          fromRaw
        ),
        content: (entry, maxBytes) => content(zip, range, entry, maxBytes)
      })
    )
    // The library takes callbacks, so a read that fails does so in a fiber of its own: joined, its error stays typed.
    return yield* Effect.raceFirst(read, Effect.zipRight(FiberSet.join(reads), Effect.never))
  }).pipe(Effect.scoped)

type Range = (position: number, length: number) => Effect.Effect<Uint8Array, ZipError | ArchiveError>

/** The one stretch of the archive that is kept in memory. The directory is read forwards, so it is seldom replaced. */
class Window<R> {
  private readonly archive: Archive<R>
  private readonly stat: ArchiveStat
  private start = 0
  private bytes: Uint8Array = new Uint8Array(0)

  constructor(archive: Archive<R>, stat: ArchiveStat) {
    this.archive = archive
    this.stat = stat
  }

  held(position: number, length: number): Uint8Array | undefined {
    const from = position - this.start
    return from >= 0 && from + length <= this.bytes.length
      ? this.bytes.subarray(from, from + length)
      : undefined
  }

  range(position: number, length: number): Effect.Effect<Uint8Array, ZipError | ArchiveError, R> {
    return Effect.suspend((): Effect.Effect<Uint8Array, ZipError | ArchiveError, R> => {
      if (!(Number.isSafeInteger(position) && position >= 0 && position + length <= this.stat.size)) {
        const detail = `it refers to ${length} bytes at byte ${position}, beyond its ${this.stat.size} bytes`
        return new ZipError({ detail })
      }
      const held = this.held(position, length)
      return held === undefined
        ? Effect.map(this.load(position, Math.max(length, windowBytes)), (bytes) => bytes.subarray(0, length))
        : Effect.succeed(held)
    })
  }

  private load(position: number, length: number): Effect.Effect<Uint8Array, ArchiveError, R> {
    const chunks: Array<Uint8Array> = []
    let total = 0
    return this.archive.read({ offset: position, expected: this.stat }).pipe(
      Stream.runForEachWhile((chunk) =>
        Effect.sync(() => {
          chunks.push(chunk)
          total += chunk.length
          return total < length
        })
      ),
      Effect.map(() => {
        const [only] = chunks
        this.start = position
        this.bytes = chunks.length === 1 && only !== undefined ? only : Buffer.concat(chunks)
        return this.bytes
      })
    )
  }
}

const windowBytes = 64 * 1024

class ArchiveReader<R> extends yauzl.RandomAccessReader {
  private readonly run: (effect: Effect.Effect<void, ArchiveError>) => unknown
  private readonly window: Window<R>
  private readonly range: Range

  constructor(run: (effect: Effect.Effect<void, ArchiveError>) => unknown, window: Window<R>, range: Range) {
    super()
    this.run = run
    this.window = window
    this.range = range
  }

  override read(
    buffer: Buffer,
    offset: number,
    length: number,
    position: number,
    callback: (error: Error | null) => void
  ): void {
    const held = this.window.held(position, length)
    if (held !== undefined) {
      buffer.set(held, offset)
      callback(null)
      return
    }
    this.run(
      this.range(position, length).pipe(
        Effect.tap((bytes) => {
          buffer.set(bytes, offset)
          callback(null)
        }),
        Effect.catchTag("ZipError", (error) => Effect.sync(() => callback(new Error(error.detail))))
      )
    )
  }
}

/** Names are left undecoded and sizes unchecked: the library would stop at the first bad one, and all are wanted. */
const openZip = (reader: yauzl.RandomAccessReader, size: number): Effect.Effect<yauzl.ZipFile, ZipError> =>
  Effect.async((resume) => {
    const options = { autoClose: false, lazyEntries: true, decodeStrings: false, validateEntrySizes: false }
    yauzl.fromRandomAccessReader(reader, size, options, (error, zip) =>
      resume(error === null ? Effect.succeed(zip) : new ZipError({ detail: error.message }))
    )
  })

const fromRaw = (raw: yauzl.Entry): ZipEntry => ({
  name: yauzl.getFileNameLowLevel(raw.generalPurposeBitFlag, raw.fileNameRaw, raw.extraFields, true),
  encrypted: raw.isEncrypted(),
  compressionMethod: raw.compressionMethod,
  compressedSize: raw.compressedSize,
  uncompressedSize: raw.uncompressedSize,
  offset: raw.relativeOffsetOfLocalHeader,
  mode: raw.externalFileAttributes >>> 16,
  raw
})

const content = (
  zip: yauzl.ZipFile,
  range: Range,
  entry: ZipEntry,
  maxBytes: number
): Effect.Effect<Uint8Array, ZipError | ArchiveError> =>
  Effect.gen(function* () {
    if (entry.encrypted) return yield* new ZipError({ detail: "it is encrypted" })
    if (entry.compressedSize > maxBytes || entry.uncompressedSize > maxBytes) {
      return yield* new ZipError({ detail: `it is larger than ${maxBytes} bytes` })
    }
    const header = yield* localHeader(zip, entry)
    if (!header.fileName.equals(entry.raw.fileNameRaw)) {
      return yield* new ZipError({ detail: "the directory and the entry itself disagree about its name" })
    }
    const packed = yield* range(header.fileDataStart, entry.compressedSize)
    const bytes = yield* unpack(packed, entry.compressionMethod, maxBytes)
    if (bytes.length !== entry.uncompressedSize || zlib.crc32(bytes) !== entry.raw.crc32) {
      return yield* new ZipError({ detail: "its bytes do not match its checksum" })
    }
    return bytes
  })

const localHeader = (zip: yauzl.ZipFile, entry: ZipEntry): Effect.Effect<yauzl.LocalFileHeader, ZipError> =>
  Effect.async((resume) =>
    zip.readLocalFileHeader(entry.raw, (error, header) =>
      resume(error === null ? Effect.succeed(header) : new ZipError({ detail: error.message }))
    )
  )

const unpack = (
  packed: Uint8Array,
  method: number,
  maxBytes: number
): Effect.Effect<Uint8Array, ZipError> => {
  if (method === 0) return Effect.succeed(packed)
  if (method !== 8) return new ZipError({ detail: `it is packed by method ${method}` })
  return Effect.async((resume) =>
    zlib.inflateRaw(packed, { maxOutputLength: maxBytes }, (error, bytes) =>
      resume(
        error === null
          ? Effect.succeed(bytes)
          : new ZipError({ detail: `it does not unpack (${error.message})` })
      )
    )
  )
}
