/**
 * The descriptor at the root of a plugin.
 *
 * @internal
 */
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import type { ArchiveError } from "../ArchiveError.ts"
import { parse } from "./javaProperties.ts"
import { type Problems, quoted } from "./problems.ts"
import type { ZipDirectory, ZipEntry } from "./zipDirectory.ts"

export const fileNames = {
  classic: "plugin-descriptor.properties",
  stable: "stable-plugin-descriptor.properties"
} as const

export type PluginKind = keyof typeof fileNames

const requiredKeys = {
  classic: ["name", "description", "version", "java.version", "elasticsearch.version", "classname"],
  stable: ["name", "description", "version", "java.version", "elasticsearch.version"]
} as const

/** Over 5 GB, Elastic Cloud looks for the descriptor in the first entry only. */
const mustBeFirstAbove = 5_000_000_000

/** The descriptors met on the way through the directory. */
export class FoundDescriptors {
  readonly atRoot: Partial<Record<PluginKind, ZipEntry>> = {}
  firstNested: ZipEntry | undefined

  add(entry: ZipEntry): void {
    const base = entry.name.slice(entry.name.lastIndexOf("/") + 1)
    const kind = base === fileNames.classic ? "classic" : base === fileNames.stable ? "stable" : undefined
    if (kind === undefined) return
    if (base === entry.name) this.atRoot[kind] ??= entry
    else this.firstNested ??= entry
  }
}

/** Reads the one descriptor of a plugin; whatever is wrong with it becomes a problem. */
export const read = (
  zip: ZipDirectory,
  kind: PluginKind,
  entry: ZipEntry,
  problems: Problems
): Effect.Effect<ReadonlyMap<string, string>, ArchiveError> =>
  zip.content(entry, 64 * 1024).pipe(
    Effect.map((bytes) => Either.flatMap(decodeUtf8(bytes), parse)),
    Effect.catchTag("ZipError", (error) => Effect.succeed(Either.left(error.detail))),
    Effect.map((parsed) => {
      if (Either.isLeft(parsed)) {
        const message = `The descriptor ${quoted(entry.name)} cannot be read: ${parsed.left}.`
        problems.error("descriptor-unreadable", message, entry.name)
        return new Map<string, string>()
      }
      checkFields(kind, entry, parsed.right, problems)
      return parsed.right
    })
  )

/** Where the descriptor has to lie, for an archive of this size. */
export const checkPlace = (
  entry: ZipEntry,
  firstOffset: number,
  archiveBytes: number,
  problems: Problems
): void => {
  if (archiveBytes > mustBeFirstAbove && entry.offset > firstOffset) {
    const message = `The descriptor ${quoted(entry.name)} is not the first entry, as it must be in a ZIP over 5 GB. Pack it first.`
    problems.error("descriptor-not-first", message, entry.name)
  }
}

const checkFields = (
  kind: PluginKind,
  entry: ZipEntry,
  fields: ReadonlyMap<string, string>,
  problems: Problems
): void => {
  for (const key of requiredKeys[kind]) {
    if ((fields.get(key) ?? "").trim() === "") {
      const message = `The descriptor ${quoted(entry.name)} lacks "${key}".`
      problems.error("descriptor-incomplete", message, entry.name)
    }
  }
  const version = fields.get("elasticsearch.version")?.trim()
  if (version !== undefined && version !== "" && !isExactVersion(version)) {
    const message = `The descriptor ${quoted(entry.name)} gives elasticsearch.version ${quoted(version)}; a plugin is built for one full version, such as 8.17.0.`
    problems.error("version-not-exact", message, entry.name)
  }
}

/** A full version of Elasticsearch: `8.17.0`, `9.0.0-beta1`, `8.18.0-SNAPSHOT`. */
export const isExactVersion = (version: string): boolean =>
  /^\d+\.\d+\.\d+(-(alpha|beta|rc)\d+)?(-SNAPSHOT)?$/.test(version)

const decodeUtf8 = (bytes: Uint8Array): Either.Either<string, string> =>
  Either.try({
    try: () => new TextDecoder("utf-8", { fatal: true }).decode(bytes),
    catch: () => "it is not UTF-8"
  })
