/**
 * Where an archive is, in a form that can be stored and sent: the payload of a workflow, never the bytes.
 *
 * @since 0.1.0
 */
import type * as FileSystem from "@effect/platform/FileSystem"
import type * as HttpClient from "@effect/platform/HttpClient"
import * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import * as Archive from "./Archive.ts"
import { parse } from "./internal/archive/url.ts"

/**
 * A file, for machines that share a folder. A relative path means another file in another working directory.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Path = Schema.TaggedStruct("Path", { path: Schema.NonEmptyString })

const withoutCredentials = Schema.String.pipe(
  Schema.filter((text) => Either.isRight(parse(text)), {
    identifier: "ArchiveAddress",
    // The default repeats the value, and the refused ones are those with a password in them.
    message: () => "Expected an http or https URL without a user name or password"
  })
)

/**
 * An address, for machines that share nothing. It is stored as it is, with its query: if that holds a signature, then
 * whoever can read the payload can read the archive for as long as the signature is valid. A user name or password is
 * refused.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Url = Schema.TaggedStruct("Url", { url: withoutCredentials })

/**
 * Where an archive is, in words that can be stored and read on another machine: a path or a URL.
 *
 * @since 0.1.0
 * @category schemas
 */
export const ArchiveLocator = Schema.Union(Path, Url)

/**
 * Where an archive is.
 *
 * @since 0.1.0
 * @category models
 */
export type ArchiveLocator = typeof ArchiveLocator.Type

/**
 * The place of a file, by its path.
 *
 * @example
 * ```ts
 * import { ArchiveLocator } from "effect-elastic-extensions"
 *
 * const locator = ArchiveLocator.path("/builds/analysis-acme-2.1.0.zip")
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const path = (path: string): typeof Path.Type => Path.make({ path })

/**
 * The place of an archive by its address. Throws where the schema refuses it, as other constructors of schemas do.
 *
 * @since 0.1.0
 * @category constructors
 */
export const url = (url: string | URL): typeof Url.Type => Url.make({ url: String(url) })

/**
 * The archive at that place. Nothing is touched until it is read.
 *
 * @since 0.1.0
 * @category conversions
 */
export const toArchive = (
  locator: ArchiveLocator
): Archive.Archive<FileSystem.FileSystem | HttpClient.HttpClient> =>
  locator._tag === "Path" ? Archive.file(locator.path) : Archive.url(locator.url)
