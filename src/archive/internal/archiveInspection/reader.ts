/** Ranged reads of an archive: forwards in one stream as long as that is cheaper than to begin another. */
import { Buffer } from "node:buffer"
import type * as Chunk from "effect/Chunk"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { Archive, ArchiveStat } from "../../Archive.ts"
import type { ArchiveError } from "../../ArchiveError.ts"

/** The archive can be read but is not a ZIP, or not one that holds together. */
export class ZipError extends Data.TaggedError("ZipError")<{
  readonly detail: string
  readonly offset?: number
}> {}

const chunkBytes = 256 * 1024

/** Further than this, another request or another open file is cheaper than to read what lies between. */
const skipBytes = 2 * 1024 * 1024

/** The one stretch of the archive that is kept in memory, and the stream that it comes from. */
export class Reader<R> {
  readonly size: number
  /** Where the bytes lie that `find` has found. */
  bytes: Buffer = Buffer.alloc(0)
  private readonly archive: Archive<R>
  private readonly stat: ArchiveStat
  private start = 0
  private window: Buffer = Buffer.alloc(0)
  private next: Effect.Effect<Chunk.Chunk<Uint8Array>, Option.Option<ArchiveError>, R> | undefined
  private scope: Scope.CloseableScope | undefined
  private readonly pinned: Array<{ readonly start: number; readonly bytes: Buffer }> = []

  constructor(archive: Archive<R>, stat: ArchiveStat) {
    this.archive = archive
    this.stat = stat
    this.size = stat.size
  }

  /**
   * Where in `bytes` a stretch begins that is in memory, or -1. It is valid until the next `read`. For those who look at
   * many thousand headers, each of which would else cost an object.
   */
  find(position: number, length: number): number {
    const from = position - this.start
    if (from >= 0 && from + length <= this.window.length) {
      this.bytes = this.window
      return from
    }
    for (const { bytes, start } of this.pinned) {
      const at = position - start
      if (at < 0 || at + length > bytes.length) continue
      this.bytes = bytes
      return at
    }
    return -1
  }

  /** The bytes, if they are in memory. They are valid until the next `read`. */
  held(position: number, length: number): Buffer | undefined {
    const at = this.find(position, length)
    return at < 0 ? undefined : this.bytes.subarray(at, at + length)
  }

  /** Reads a stretch and keeps it: what is needed again later is not asked for again. */
  pin(position: number, length: number): Effect.Effect<Buffer, ZipError | ArchiveError, R> {
    return Effect.map(this.read(position, length), (held) => {
      const bytes = Buffer.from(held)
      this.pinned.push({ start: position, bytes })
      return bytes
    })
  }

  /** The bytes. They are valid until the next `read`. */
  read(position: number, length: number): Effect.Effect<Buffer, ZipError | ArchiveError, R> {
    return Effect.suspend(() => {
      const held = this.held(position, length)
      if (held !== undefined) return Effect.succeed(held)
      if (!(Number.isSafeInteger(position) && position >= 0 && position + length <= this.size)) {
        const detail = `it refers to ${length} bytes at byte ${position}, beyond its ${this.size} bytes`
        return new ZipError({ detail, offset: Math.max(0, Math.min(position, this.size) || 0) })
      }
      const end = this.start + this.window.length
      const isNear = this.next !== undefined && position >= this.start && position - end <= skipBytes
      return Effect.zipRight(isNear ? Effect.void : this.open(position), this.fill(position, length))
    })
  }

  readonly close: Effect.Effect<void> = Effect.suspend(() => {
    const { scope } = this
    this.scope = undefined
    this.next = undefined
    return scope === undefined ? Effect.void : Scope.close(scope, Exit.void)
  })

  private open(position: number): Effect.Effect<void, never, R> {
    return Effect.gen(this, function* () {
      yield* this.close
      const scope = yield* Scope.make()
      this.scope = scope
      this.start = position
      this.window = Buffer.alloc(0)
      const bytes = this.archive.read({ offset: position, expected: this.stat, recycle: 1, chunkBytes })
      this.next = yield* Scope.extend(Stream.toPull(bytes), scope)
    })
  }

  /** Pulls until the bytes are there; what lies before them is let go. */
  private fill(position: number, length: number): Effect.Effect<Buffer, ZipError | ArchiveError, R> {
    return Effect.gen(this, function* () {
      // A copy: the buffer that it lies in is filled again by the next pull.
      const rest = Buffer.from(this.window.subarray(Math.max(0, position - this.start)))
      const parts: Array<Buffer> = rest.length === 0 ? [] : [rest]
      let start = rest.length === 0 ? this.start + this.window.length : position
      let end = start + rest.length
      while (end < position + length && this.next !== undefined) {
        const chunk = yield* Effect.mapError(this.next, (error) =>
          Option.getOrElse(error, () => new ZipError({ detail: `it ends at byte ${end}`, offset: end }))
        )
        for (const bytes of chunk) {
          end += bytes.length
          if (end <= position) continue
          if (parts.length === 0) start = end - bytes.length
          parts.push(end < position + length ? Buffer.from(bytes) : asBuffer(bytes))
        }
      }
      this.start = start
      this.window = parts.length === 1 && parts[0] !== undefined ? parts[0] : Buffer.concat(parts)
      return this.window.subarray(position - start, position - start + length)
    })
  }
}

const asBuffer = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
