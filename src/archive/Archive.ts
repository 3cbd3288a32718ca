/**
 * What is uploaded: a source of known length that can be opened again at any offset.
 *
 * @since 0.1.0
 */
import type * as FileSystem from "@effect/platform/FileSystem"
import type * as HttpClient from "@effect/platform/HttpClient"
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import type * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import { type ArchiveChanged, ArchiveUnreadable } from "./ArchiveError.ts"
import * as internalFile from "./internal/archive/file.ts"
import type { ArchiveStat, ReadOptions, UrlOptions } from "./internal/archive/models.ts"
import * as internalSource from "./internal/archive/source.ts"
import * as internalUrl from "./internal/archive/url.ts"

/**
 * What marks a value as an `Archive`.
 *
 * @since 0.1.0
 * @category symbols
 */
export const TypeId: unique symbol = Symbol.for("effect-elastic-extensions/archive/Archive")

/**
 * The type of that mark.
 *
 * @since 0.1.0
 * @category symbols
 */
export type TypeId = typeof TypeId

/**
 * What an archive is known by, and how it is read.
 *
 * @since 0.1.0
 * @category models
 */
export type { ArchiveStat, ReadOptions, UrlOptions } from "./internal/archive/models.ts"

/**
 * A source of known length that can be read from any offset, any number of times.
 *
 * @since 0.1.0
 * @category models
 */
export interface Archive<out R = never> {
  readonly [TypeId]: TypeId
  /** The file name sent to the server: no folders. */
  readonly name: string
  /** How the archive is named in errors and the journal: the path as given, or the name. */
  readonly path: string
  /** Fails when the source is missing, unreadable, a directory or empty. */
  readonly stat: Effect.Effect<ArchiveStat, ArchiveUnreadable, R>
  /**
   * The bytes from `offset` to `end`, which is the expected size where it is not given; never more, in chunks of at most
   * 1 MiB and never an empty one. The chunk that ends the archive is emitted only after the source was found unchanged at its
   * end, so a receiver that counts bytes can not take a changed archive for whole.
   */
  readonly read: (options: ReadOptions) => Stream.Stream<Uint8Array, ArchiveUnreadable | ArchiveChanged, R>
}

/**
 * Whether a value is an `Archive`, whatever it requires.
 *
 * @since 0.1.0
 * @category guards
 */
export const isArchive = (u: unknown): u is Archive<unknown> => Predicate.hasProperty(u, TypeId)

/**
 * An archive on disk. Nothing is touched until it is read; the path is relative to the working directory.
 *
 * @example
 * ```ts
 * import { Archive, ArchiveInspection } from "effect-elastic-extensions"
 *
 * const archive = Archive.file("dist/analysis-acme-2.1.0.zip")
 *
 * // What is in it, before anything is uploaded.
 * const inspection = ArchiveInspection.inspect(archive)
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const file = (path: string): Archive<FileSystem.FileSystem> => ({
  [TypeId]: TypeId,
  name: internalSource.baseName(path),
  path,
  stat: internalFile.stat(path),
  read: internalFile.read(path)
})

/**
 * An archive at an http or https address, read by ranges: any machine that reaches the address can begin, or go on at any
 * offset. Nothing is requested until it is read.
 *
 * Its identity is its length, its strong `ETag` and its `Last-Modified`, as far as the server tells them; a reading that
 * meets another one fails with `ArchiveChanged`. A connection lost in the middle is taken up by a range request at the
 * byte that was reached, so the server has to support ranges. Content codings are refused.
 *
 * The address appears in errors and in the journal without its query, and a redacted one as its origin alone. Credentials
 * go into `headers`, never into the address. Redirects are followed for at most ten steps, and never from https to http.
 *
 * Any `HttpClient` will do. For `FetchHttpClient`, redirects are switched to manual through its `RequestInit`: one of your
 * own is kept when it is provided to the program rather than to the client's layer.
 *
 * @example
 * ```ts
 * import { Archive, ExtensionUpload } from "effect-elastic-extensions"
 * import { Redacted } from "effect"
 *
 * // Straight from where it was built: nothing is written to this machine's disk.
 * const program = ExtensionUpload.upload({
 *   extensionId: "882519870",
 *   archive: Archive.url("https://builds.example/analysis-acme-2.1.0.zip", {
 *     headers: { authorization: Redacted.make("Bearer …") }
 *   })
 * })
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const url = (
  address: URL | string | Redacted.Redacted<string>,
  options: UrlOptions = {}
): Archive<HttpClient.HttpClient> => {
  const source = internalUrl.makeSource(address, options)
  return {
    [TypeId]: TypeId,
    name: source.name,
    path: source.path,
    stat: internalUrl.stat(source),
    read: internalUrl.read(source)
  }
}

/**
 * Any other source of known length, for instance an object in a store or a build held in memory.
 *
 * `size` is in bytes. `open` is called once per reading, with the offset of the first byte wanted; a failure of the
 * stream it returns becomes `ArchiveUnreadable`, and a stream that ends early or runs long becomes `ArchiveChanged`.
 * Its chunks are passed on as they are, so they must not be overwritten later.
 *
 * @example
 * ```ts
 * import { Archive } from "effect-elastic-extensions"
 * import { Stream } from "effect"
 *
 * const archive = Archive.make({
 *   name: "dictionaries.zip",
 *   size: 22,
 *   open: (offset) => Stream.make(new Uint8Array(22).subarray(offset))
 * })
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = <E, R>(options: {
  readonly name: string
  readonly size: number
  readonly open: (offset: number) => Stream.Stream<Uint8Array, E, R>
  readonly modifiedMillis?: number | undefined
}): Archive<R> => {
  const actual: ArchiveStat = { size: options.size, modifiedMillis: options.modifiedMillis }
  const unreadable = (reason: ArchiveUnreadable["reason"], detail: string): ArchiveUnreadable =>
    new ArchiveUnreadable({ path: options.name, reason, detail })

  const stat =
    options.size === 0
      ? Effect.fail(unreadable("Empty", "the source says so"))
      : Number.isSafeInteger(options.size) && options.size > 0
        ? Effect.succeed(actual)
        : Effect.fail(unreadable("ReadFailed", `${options.size} is not a size in bytes`))

  return {
    [TypeId]: TypeId,
    name: internalSource.baseName(options.name),
    path: options.name,
    stat,
    read: (wanted) =>
      Stream.suspend(() => {
        const change = internalSource.changeBetween(options.name, wanted.expected, actual)
        if (change !== undefined) return Stream.fail(change)
        const reading = internalSource.within(wanted)
        return options.open(reading.offset).pipe(
          Stream.mapError((cause) => unreadable("ReadFailed", internalSource.describe(cause))),
          internalSource.keptTo(options.name, reading)
        )
      })
  }
}

/**
 * An archive held in memory. The bytes are not copied.
 *
 * @since 0.1.0
 * @category constructors
 */
export const bytes = (options: { readonly name: string; readonly bytes: Uint8Array }): Archive =>
  make({
    name: options.name,
    size: options.bytes.length,
    open: (offset) => Stream.make(options.bytes.subarray(offset))
  })
