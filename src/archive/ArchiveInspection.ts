/**
 * Looks into an archive before it travels: what kind of extension it is, for which Elasticsearch, and what would keep
 * Elastic Cloud from taking it.
 *
 * A plugin is judged as Elasticsearch's installer judges it, which unpacks the local headers from byte 0 on and never reads
 * the ZIP's directory, and as the directory tells of it. Where the two disagree, that is an error.
 *
 * @since 0.1.0
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Schema from "effect/Schema"
import type * as Stream from "effect/Stream"
import * as ByteStream from "../byteStream.ts"
import type { Archive, ArchiveStat, ReadOptions } from "./Archive.ts"
import * as ArchiveDigest from "./ArchiveDigest.ts"
import type { ArchiveError } from "./ArchiveError.ts"
import { describe, Problem, type ProblemCode } from "./ArchiveProblem.ts"
import { ArchiveType, type ExpectedExtension } from "./ArchiveType.ts"
import { type Content, type EntryCheck, makeEntryCheck } from "./internal/archiveInspection/content.ts"
import { mismatches, sizeProblems } from "./internal/archiveInspection/expectation.ts"
import { look } from "./internal/archiveInspection/look.ts"
import { errorsFirst, isError, Problems, plural } from "./internal/archiveInspection/problems.ts"

/**
 * What an archive is, and what an extension wants it to be.
 *
 * @since 0.1.0
 * @category models
 */
export type { ArchiveType, ExpectedExtension } from "./ArchiveType.ts"

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
  /** The descriptor's keys and values as Java reads them; empty for a bundle. */
  descriptor: Schema.Record({ key: Schema.String, value: Schema.String }),
  /** The version of Elasticsearch a plugin was built for. */
  elasticsearchVersion: Schema.optionalWith(Schema.String, { exact: true }),
  /** Entries read, folders included. */
  entryCount: Schema.Number,
  /** Sum over the entries, in bytes, as the ZIP's directory gives it. */
  compressedBytes: Schema.Number,
  uncompressedBytes: Schema.Number,
  /** Whether the content of every entry was unpacked and compared with its checksum, as far as it can be read at all. */
  contentChecked: Schema.Boolean,
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

  /** The codes by which the errors can be allowed. */
  get codes(): ReadonlyArray<ProblemCode> {
    return [...new Set(this.problems.map((problem) => problem.code))]
  }

  /** The next step. */
  get remedy(): string {
    return `Fix it, or allow by name: ${this.codes.join(", ")}.`
  }

  override get message(): string {
    const shown = this.problems.slice(0, 5).map(describe)
    const more = this.problems.length - shown.length
    const rest = more > 0 ? ` And ${more} more.` : ""
    return `The archive "${this.path}" cannot be used: ${shown.join(" ")}${rest} ${this.remedy}`
  }
}

/**
 * What an archive is held against, how deep the look goes, and where it stops.
 *
 * @since 0.1.0
 * @category models
 */
export interface InspectOptions {
  /** The extension the archive is meant for, compared as by `against`. */
  readonly expected?: ExpectedExtension | undefined
  /**
   * Whether to unpack every entry and compare it with its checksum, which reads the whole archive. Default: for archives
   * of up to `contentByDefaultBytes`, 5,000 entries and 256 MiB unpacked. `false` is for those who go on to `digest`, which
   * does it in the same reading.
   */
  readonly content?: boolean | undefined
  /** Above this many bytes Elastic Cloud wants a download URL instead of an upload. Default `directUploadLimitBytes`. */
  readonly directUploadLimitBytes?: number | undefined
  /** Reading stops after this many entries. Default 100 000. */
  readonly maxEntries?: number | undefined
}

/**
 * The length in bytes up to which `inspect` checks the content unless told otherwise: less than 0.3 seconds of work.
 *
 * @since 0.1.0
 * @category limits
 */
export const contentByDefaultBytes = 16 * 1024 * 1024

/** More entries than these, or more bytes in them, take longer to unpack than is to be done unasked. */
const contentByDefault = { entries: 5000, uncompressedBytes: 256 * 1024 * 1024 } as const

const defaultEntries = 100_000

/**
 * Inspects an archive in constant memory, whatever its length: the ZIP's directory, the headers of its entries, the
 * descriptor, and the content of small archives. Whatever is wrong with it is a problem in the result; only an archive
 * that cannot be read fails.
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
export const inspect = Effect.fn("ArchiveInspection.inspect")(function* <R>(
  archive: Archive<R>,
  options: InspectOptions = {}
): Effect.fn.Return<ArchiveInspection, ArchiveError, R> {
  const stat = yield* archive.stat
  const problems = new Problems()
  for (const finding of sizeProblems(stat.size, {
    extensionBytes: extensionLimitBytes,
    directUploadBytes: options.directUploadLimitBytes ?? directUploadLimitBytes
  })) {
    problems.add(finding)
  }
  const seen = yield* look(archive, stat, options.maxEntries ?? defaultEntries, problems)
  const { compressedBytes, count, uncompressedBytes } = seen.contents
  const version = seen.descriptor.get("elasticsearch.version")
  const inspection = new ArchiveInspection({
    path: archive.path,
    size: stat.size,
    type: seen.type,
    descriptor: Object.fromEntries(seen.descriptor),
    ...(version === undefined ? {} : { elasticsearchVersion: version }),
    entryCount: count,
    compressedBytes,
    uncompressedBytes,
    contentChecked: false,
    problems: problems.all(seen.type)
  })
  if (seen.entries !== undefined) entriesOf.set(inspection, seen.entries)
  const isSmall =
    stat.size <= contentByDefaultBytes &&
    count <= contentByDefault.entries &&
    uncompressedBytes <= contentByDefault.uncompressedBytes
  const checked =
    seen.isZip && (options.content ?? isSmall)
      ? withProblems(inspection, contentProblems(inspection, yield* readContent(archive, stat)))
      : inspection
  return options.expected === undefined ? checked : against(checked, options.expected)
})

/** The entries of an inspected archive as one number, to recognise them in its content. They live in memory only. */
const entriesOf = new WeakMap<ArchiveInspection, Pick<Content, "count" | "sum">>()

const readContent = Effect.fnUntraced(function* <R>(
  archive: Archive<R>,
  stat: ArchiveStat
): Effect.fn.Return<Content, ArchiveError, R> {
  return yield* Effect.scoped(
    Effect.flatMap(makeEntryCheck, ({ accept, finish }) =>
      Effect.zipRight(
        ByteStream.forEach(archive.read({ offset: 0, expected: stat, recycle: 1 }), accept),
        finish
      )
    )
  )
})

/**
 * An archive's digest, and what the same reading told about its content.
 *
 * @since 0.1.0
 * @category models
 */
export interface Digested {
  readonly digest: ArchiveDigest.ArchiveDigest
  /** The inspection, with what is wrong with the content of the entries, as by the option `content` of `inspect`. */
  readonly inspection: ArchiveInspection
  /** The problems that were added. */
  readonly found: ReadonlyArray<Problem>
}

/**
 * What may be wrong with the content of an entry: only a reading of the whole archive tells.
 *
 * @since 0.1.0
 * @category models
 */
export const contentCodes: ReadonlyArray<ProblemCode> = ["damaged-entry", "bomb-like", "hidden-entry"]

/**
 * How an archive is digested and checked while it goes by.
 *
 * @since 0.1.0
 * @category models
 */
export interface DigestingOptions<out E>
  extends Omit<ReadOptions, "offset" | "end">,
    ArchiveDigest.RunningOptions {
  /** Runs after a chunk was digested, and before it is emitted. */
  readonly onChunk?: ((digest: ArchiveDigest.RunningDigest) => Effect.Effect<void, E>) | undefined
  /** Runs when all is known, and before the last chunk is emitted. */
  readonly onDigested: (digested: Digested) => Effect.Effect<void, E>
}

/**
 * The archive from its first byte to its last, digested as it is read, and the content of its entries checked. The last
 * chunk is emitted only after `onDigested`: a receiver who counts bytes never has a whole archive that was not found to be
 * one.
 *
 * @since 0.1.0
 * @category combinators
 */
export const digesting = <R, E = never>(
  inspection: ArchiveInspection,
  archive: Archive<R>,
  options: DigestingOptions<E>
): Stream.Stream<Uint8Array, ArchiveError | E, R> =>
  ByteStream.make(
    Effect.gen(function* () {
      const { expected, recycle } = options
      const check: EntryCheck = yield* makeEntryCheck
      const digest = ArchiveDigest.running(expected, options)
      const scope = yield* Effect.scope
      const { onChunk = () => Effect.void, onDigested } = options
      let checked: Effect.Effect<void> = Effect.void

      const finish = Effect.gen(function* () {
        yield* checked
        const found = contentProblems(inspection, yield* check.finish)
        yield* onDigested({
          digest: digest.finish(),
          inspection: withProblems(inspection, found),
          found
        })
      })
      const digested = (bytes: Uint8Array) => {
        digest.update(bytes)
        const told = onChunk(digest)
        return Effect.as(digest.position < expected.size ? told : Effect.zipRight(told, finish), bytes)
      }
      const take = (bytes: Uint8Array) => {
        if (check.isOver()) return digested(bytes)
        if (bytes.length < worthAFiber) {
          return Effect.flatMap(Effect.zipRight(checked, check.accept(bytes)), () => digested(bytes))
        }
        // Entries are unpacked beside the event loop, while this chunk is digested and sent.
        return checked.pipe(
          Effect.zipRight(Effect.forkIn(check.accept(bytes), scope)),
          Effect.flatMap((checking) => {
            // Awaited and not joined: it has nothing to hand over.
            checked = Effect.flatten(Fiber.await(checking))
            return Effect.yieldNow()
          }),
          Effect.flatMap(() => digested(bytes))
        )
      }
      // The chunk before is still being checked while the next one is read.
      const reused = recycle === undefined ? {} : { recycle: Math.max(2, recycle) }
      return yield* ByteStream.begin(
        ByteStream.mapEffect(archive.read({ ...options, ...reused, offset: 0 }), take)
      )
    })
  )

/** Smaller chunks come where many archives are read at a time, and there is always another one to go on with. */
const worthAFiber = 1024 * 1024

/**
 * What `digest` is told besides.
 *
 * @since 0.1.0
 * @category models
 */
export interface DigestOptions extends Partial<ArchiveDigest.RunningOptions> {
  /** What the archive was when it was inspected. Default: what it is now. */
  readonly expected?: ArchiveStat | undefined
  /** Runs after every chunk with the bytes digested so far. */
  readonly onProgress?: ((bytes: number) => Effect.Effect<void>) | undefined
}

/** As large as still makes a difference. */
const chunkBytes = 2 * 1024 * 1024

/**
 * Digests an archive and checks the content of its entries in the same reading.
 *
 * @example
 * ```ts
 * import { Archive, ArchiveInspection } from "effect-elastic-extensions"
 * import { Effect } from "effect"
 *
 * const program = Effect.gen(function* () {
 *   const archive = Archive.file("dist/analysis-acme-2.1.0.zip")
 *   const before = yield* ArchiveInspection.inspect(archive, { content: false })
 *   const { digest, inspection } = yield* ArchiveInspection.digest(before, archive)
 *   yield* ArchiveInspection.check(inspection)
 *   return digest.sha256
 * })
 * ```
 *
 * @since 0.1.0
 * @category combinators
 */
export const digest = Effect.fn("ArchiveInspection.digest")(function* <R>(
  inspection: ArchiveInspection,
  archive: Archive<R>,
  options: DigestOptions = {}
): Effect.fn.Return<Digested, ArchiveError, R> {
  const { onProgress = () => Effect.void } = options
  const expected = options.expected ?? (yield* archive.stat)
  const done = yield* Deferred.make<Digested>()
  const digested = digesting(inspection, archive, {
    willBeReadAgain: true,
    ...options,
    expected,
    recycle: 2,
    chunkBytes,
    onChunk: ({ position }) => onProgress(position),
    onDigested: (digested) => Deferred.succeed(done, digested)
  })
  yield* ByteStream.forEach(digested, () => Effect.void)
  return yield* Deferred.await(done)
})

/** What the content tells, but for what was said already. */
const contentProblems = (inspection: ArchiveInspection, content: Content): ReadonlyArray<Problem> => {
  const wrongOffsets = new Set(inspection.errors.map(({ offset }) => offset))
  const problems = new Problems()
  for (const finding of content.findings) if (!wrongOffsets.has(finding.offset)) problems.add(finding)
  const entries = entriesOf.get(inspection)
  const isOther = entries !== undefined && (entries.count !== content.count || entries.sum !== content.sum)
  // After a damaged entry, other numbers are what follows from it.
  if (isOther && content.isWhole && content.findings.length === 0) {
    problems.add({
      code: "hidden-entry",
      severity: "error",
      message: `Unpacked from its beginning, as Elasticsearch does it, the ZIP holds ${plural(content.count, "entry", "entries")}, which are not those that its directory lists.`,
      remedy: "Pack the ZIP again, with another tool.",
      source: "java.util.zip.ZipInputStream"
    })
  }
  return problems.all(inspection.type)
}

const withProblems = (inspection: ArchiveInspection, found: ReadonlyArray<Problem>): ArchiveInspection =>
  remade(inspection, { contentChecked: true, problems: errorsFirst([...inspection.problems, ...found]) })

/** The same inspection but for some fields, of the same entries. */
const remade = (
  inspection: ArchiveInspection,
  changes: Partial<Pick<ArchiveInspection, "contentChecked" | "problems">>
): ArchiveInspection => {
  const changed = new ArchiveInspection({ ...inspection, ...changes })
  const entries = entriesOf.get(inspection)
  if (entries !== undefined) entriesOf.set(changed, entries)
  return changed
}

/**
 * Adds what is wrong with the archive as that of a certain extension: its type, and for a plugin its version of
 * Elasticsearch. Nothing is read again.
 *
 * @since 0.1.0
 * @category combinators
 */
export const against = (inspection: ArchiveInspection, expected: ExpectedExtension): ArchiveInspection =>
  remade(inspection, {
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
