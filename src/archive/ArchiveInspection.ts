/**
 * Looks into an archive before it travels: what kind of extension it is, for which Elasticsearch, and what would keep
 * Elastic Cloud from taking it.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import type { Archive, ArchiveStat } from "./Archive.ts"
import type { ArchiveError } from "./ArchiveError.ts"
import { Problem, type ProblemCode } from "./ArchiveProblem.ts"
import * as descriptors from "./internal/descriptor.ts"
import { EntryRules } from "./internal/entryRules.ts"
import { mismatches } from "./internal/expectation.ts"
import { type Found, type Limits, Rules } from "./internal/extensionRules.ts"
import { errorsFirst, isError, Problems } from "./internal/problems.ts"
import { withDirectory, type ZipDirectory, type ZipError } from "./internal/zipDirectory.ts"

/**
 * The length in bytes up to which Elastic documents that an archive can be uploaded directly.
 *
 * @since 0.1.0
 * @category limits
 */
export const directUploadLimitBytes = 200_000_000

/**
 * The length in bytes above which Elastic documents no way to hand an archive over.
 *
 * @since 0.1.0
 * @category limits
 */
export const extensionLimitBytes = 8_000_000_000

/**
 * A plugin with a classic or a stable descriptor, a bundle of configuration files, or something that is none of them.
 *
 * @since 0.1.0
 * @category schemas
 */
export const ArchiveType = Schema.Literal("plugin-classic", "plugin-stable", "bundle", "unknown")

/**
 * What kind of extension an archive holds.
 *
 * @since 0.1.0
 * @category models
 */
export type ArchiveType = typeof ArchiveType.Type

/**
 * What was found in an archive.
 *
 * @since 0.1.0
 * @category models
 */
export class ArchiveInspection extends Schema.Class<ArchiveInspection>(
  "effect-elastic-extensions/archive/ArchiveInspection"
)({
  /** The archive's path, or its name where it is not a file. */
  path: Schema.String,
  /** Length of the archive in bytes. */
  size: Schema.Number,
  type: ArchiveType,
  /** The descriptor's keys and values; empty for a bundle. */
  descriptor: Schema.Record({ key: Schema.String, value: Schema.String }),
  /** The version of Elasticsearch a plugin was built for. */
  elasticsearchVersion: Schema.optionalWith(Schema.String, { exact: true }),
  /** Entries read, folders included. */
  entryCount: Schema.Number,
  /** Sum over the entries, in bytes, as the ZIP's directory gives it. */
  compressedBytes: Schema.Number,
  uncompressedBytes: Schema.Number,
  /** Errors first. */
  problems: Schema.Array(Problem)
}) {
  /** The problems that keep the archive from being used, unless they are allowed by name. */
  get errors(): ReadonlyArray<Problem> {
    return this.problems.filter(isError)
  }

  get warnings(): ReadonlyArray<Problem> {
    return this.problems.filter((problem) => !isError(problem))
  }
}

/**
 * The archive has errors that were not allowed by name. Nothing was sent.
 *
 * @since 0.1.0
 * @category errors
 */
export class InvalidArchive extends Schema.TaggedError<InvalidArchive>(
  "effect-elastic-extensions/archive/InvalidArchive"
)("InvalidArchive", {
  path: Schema.String,
  /** The errors alone, at least one. */
  problems: Schema.Array(Problem)
}) {
  readonly isRetryable = false

  override get message(): string {
    const shown = this.problems.slice(0, 5).map((problem) => problem.message)
    const more = this.problems.length - shown.length
    const rest = more > 0 ? ` And ${more} more.` : ""
    const codes = [...new Set(this.problems.map((problem) => problem.code))].join(", ")
    return `The archive "${this.path}" cannot be used: ${shown.join(" ")}${rest} Mend it, or allow by name: ${codes}.`
  }
}

/**
 * The extension an archive is meant for.
 *
 * @since 0.1.0
 * @category models
 */
export interface ExpectedExtension {
  readonly type: "plugin" | "bundle"
  /** The extension's version: of Elasticsearch for a plugin, possibly with wildcards for a bundle. */
  readonly version?: string | undefined
}

/**
 * What an archive is held against, and where its inspection stops.
 *
 * @since 0.1.0
 * @category models
 */
export interface InspectOptions {
  /** The extension the archive is meant for, compared as by `against`. */
  readonly expected?: ExpectedExtension | undefined
  /** Above this many bytes Elastic Cloud wants a download URL instead of an upload. Default `directUploadLimitBytes`. */
  readonly directUploadLimitBytes?: number | undefined
  /** Reading stops after this many entries. Default 100 000. */
  readonly maxEntries?: number | undefined
}

/**
 * Inspects an archive. Reads the ZIP's directory and the descriptor only, in constant memory, whatever the archive's
 * length. Whatever is wrong with the content is a problem in the result; only an archive that cannot be read fails.
 *
 * @example
 * ```ts
 * import { Archive, ArchiveInspection } from "effect-elastic-extensions"
 * import { Effect } from "effect"
 *
 * // Fails with `InvalidArchive` unless this is a plugin for Elasticsearch 8.17.0 that can be used.
 * const program = ArchiveInspection.inspect(Archive.file("dist/analysis-acme-2.1.0.zip"), {
 *   expected: { type: "plugin", version: "8.17.0" }
 * }).pipe(Effect.flatMap(ArchiveInspection.check))
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const inspect = <R>(
  archive: Archive<R>,
  options: InspectOptions = {}
): Effect.Effect<ArchiveInspection, ArchiveError, R> =>
  Effect.gen(function* () {
    const stat = yield* archive.stat
    const limits: Limits = {
      extensionBytes: extensionLimitBytes,
      directUploadBytes: options.directUploadLimitBytes ?? directUploadLimitBytes,
      entries: options.maxEntries ?? defaultEntries
    }
    const problems = new Problems()
    const entries = new EntryRules(stat, problems)
    const rules = new Rules(problems, limits)

    rules.checkSize(stat.size)
    const found = yield* withDirectory(archive, stat, (zip) => scan(zip, stat, entries, rules, limits)).pipe(
      Effect.catchTag("ZipError", (error) => Effect.as(explain(archive, stat, error, problems), nothing))
    )

    const { compressedBytes, count, uncompressedBytes } = entries.totals
    const version = found.descriptor.get("elasticsearch.version")?.trim()
    const inspection = new ArchiveInspection({
      path: archive.path,
      size: stat.size,
      type: found.type,
      descriptor: Object.fromEntries(found.descriptor),
      ...(version === undefined ? {} : { elasticsearchVersion: version }),
      entryCount: count,
      compressedBytes,
      uncompressedBytes,
      problems: problems.all
    })
    return options.expected === undefined ? inspection : against(inspection, options.expected)
  })

const defaultEntries = 100_000
const nothing: Found = { type: "unknown", descriptor: new Map() }

/** Reads entry after entry, then the descriptor. */
const scan = (
  zip: ZipDirectory,
  stat: ArchiveStat,
  entries: EntryRules,
  rules: Rules,
  limits: Limits
): Effect.Effect<Found, ZipError | ArchiveError> =>
  Effect.gen(function* () {
    const found = new descriptors.FoundDescriptors()
    yield* zip.entries.pipe(
      Stream.takeWhile(() => entries.totals.count < limits.entries || rules.tooManyEntries()),
      Stream.runForEach((entry) =>
        Effect.sync(() => {
          entries.add(entry)
          found.add(entry)
        })
      )
    )
    entries.finish()
    return yield* rules.recognise(zip, stat, entries.totals, found)
  })

/** Says what a file is that could not be read as a ZIP: cut off, damaged, or something else altogether. */
const explain = <R>(
  archive: Archive<R>,
  stat: ArchiveStat,
  error: ZipError,
  problems: Problems
): Effect.Effect<void, ArchiveError, R> =>
  archive.read({ offset: 0, expected: stat }).pipe(
    Stream.take(1),
    Stream.runForEach((start) =>
      Effect.sync(() => {
        const beginsLikeZip = start[0] === 0x50 && start[1] === 0x4b
        const noEnd = error.detail.startsWith("End of central directory")
        if (!noEnd) {
          problems.error("unreadable-directory", `The ZIP's directory is damaged: ${error.detail}.`)
        } else if (beginsLikeZip) {
          problems.error(
            "truncated",
            "The ZIP is cut off: it begins like one, but its directory is missing at the end."
          )
        } else {
          problems.error("not-a-zip", "The file is not a ZIP: it neither begins nor ends like one.")
        }
      })
    )
  )

/**
 * Adds what is wrong with the archive as that of a certain extension: its type, and for a plugin its version of
 * Elasticsearch. Nothing is read again.
 *
 * @since 0.1.0
 * @category combinators
 */
export const against = (inspection: ArchiveInspection, expected: ExpectedExtension): ArchiveInspection =>
  new ArchiveInspection({
    ...inspection,
    problems: errorsFirst([...inspection.problems, ...mismatches(inspection, expected)])
  })

/**
 * Refuses an archive with errors, but for those whose codes are in `allow`.
 *
 * @since 0.1.0
 * @category combinators
 */
export const check = (
  inspection: ArchiveInspection,
  options: { readonly allow?: ReadonlyArray<ProblemCode> | undefined } = {}
): Effect.Effect<ArchiveInspection, InvalidArchive> => {
  const allowed = new Set(options.allow)
  const refused = inspection.errors.filter((problem) => !allowed.has(problem.code))
  return refused.length === 0
    ? Effect.succeed(inspection)
    : Effect.fail(new InvalidArchive({ path: inspection.path, problems: refused }))
}
