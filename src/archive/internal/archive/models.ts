/** What an archive is known by, and how it is read. */
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type * as Redacted from "effect/Redacted"
import type * as Schedule from "effect/Schedule"

/**
 * The identity of an archive's content as far as its source can tell without reading it.
 */
export interface ArchiveStat {
  /** Length in bytes, always greater than zero. */
  readonly size: number
  /** Last modification in milliseconds since the epoch, where the source knows one. */
  readonly modifiedMillis: number | undefined
  /** The strong HTTP entity tag, with its quotes, where the source has one: as long as it is the same, so are the bytes. */
  readonly etag?: string | undefined
  /** Device and number of the file, where it is one: another file put in its place has another one. */
  readonly file?: string | undefined
}

/**
 * Where to begin reading, and what the archive has to be.
 */
export interface ReadOptions {
  /** First byte to read, in bytes from the start of the archive. At most the expected size; at it, nothing is read. */
  readonly offset: number
  /** Where to stop, in bytes from the start of the archive, not before `offset`. Default: at the expected size. */
  readonly end?: number | undefined
  /** What the archive was when the upload began; the stream fails with `ArchiveChanged` when it no longer is. */
  readonly expected: ArchiveStat
  /**
   * When given, buffers are used in turn: a chunk's bytes are valid only until that many further chunks have been pulled.
   * At most one buffer more than this is allocated, to read ahead. When absent, every chunk owns its bytes.
   *
   * The buffers of files come out of one pool for the whole process: the more is read at a time, the smaller they are.
   */
  readonly recycle?: number | undefined
  /**
   * The largest chunk the reader can use, in bytes. A source may hand out smaller ones. Default 1 MiB; larger reads of a
   * file take less time in all, and more memory.
   */
  readonly chunkBytes?: number | undefined
  /**
   * Gives the buffer for the next chunk, which is filled to its end or to that of the reading; nothing is read ahead. Then
   * `recycle` and `chunkBytes` say nothing.
   */
  readonly into?: Effect.Effect<Uint8Array> | undefined
}

/**
 * How an archive is read from its address.
 */
export interface UrlOptions {
  /** The file name sent to the server. Default: the last segment of the address, or `archive.zip` for a redacted one. */
  readonly name?: string | undefined
  /** Sent to the origin of the address only: a redirect to another one goes without them. */
  readonly headers?: Readonly<Record<string, Redacted.Redacted<string>>> | undefined
  /** The longest silence while an answer is awaited or read, before the connection counts as lost. Default 60 seconds. */
  readonly stallTimeout?: Duration.DurationInput | undefined
  /**
   * When to ask again after a lost connection, a 408, a 429 or a passing 5xx. It starts over whenever bytes have arrived.
   * Default: six times, with delays that double from 500 milliseconds to 15 seconds.
   */
  readonly retry?: Schedule.Schedule<unknown, unknown> | undefined
}
