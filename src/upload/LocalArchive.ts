/**
 * The archive on our side, before it travels: inspected, digested, and found to suit its extension.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import type * as Archive from "../archive/Archive.ts"
import type { ArchiveError } from "../archive/ArchiveError.ts"
import * as ArchiveInspection from "../archive/ArchiveInspection.ts"
import { describe, type Problem } from "../archive/ArchiveProblem.ts"
import * as ByteStream from "../byteStream.ts"
import { ArchiveTooLarge } from "./UploadError.ts"
import { emit } from "./UploadEvent.ts"
import { UploadSettings } from "./UploadSettings.ts"

/**
 * An archive whose directory was read.
 *
 * @since 0.1.0
 * @category models
 */
export interface Inspected {
  readonly archive: Archive.Archive
  /** What the archive was when it was inspected. */
  readonly stat: Archive.ArchiveStat
  readonly inspection: ArchiveInspection.ArchiveInspection
}

/**
 * Reads the archive's directory and tells what is in it. Problems that do not stop an upload are warnings. Fails for an
 * archive that is too large for Elastic Cloud.
 *
 * @since 0.1.0
 * @category steps
 */
export const inspect = Effect.fnUntraced(function* <R>(
  source: Archive.Archive<R>,
  expected?: ArchiveInspection.ExpectedExtension | undefined
): Effect.fn.Return<Inspected, ArchiveError | ArchiveTooLarge, R> {
  const { directUploadLimitBytes } = yield* UploadSettings
  const archive = yield* withoutRequirements(source)
  const stat = yield* archive.stat
  const limit = ArchiveInspection.extensionLimitBytes
  if (stat.size > limit) return yield* new ArchiveTooLarge({ path: archive.path, size: stat.size, limit })
  // The content is checked while the archive is digested.
  const options = { expected, directUploadLimitBytes, content: false }
  const inspection = yield* ArchiveInspection.inspect(archive, options)
  const { compressedBytes, elasticsearchVersion, entryCount, type, uncompressedBytes } = inspection
  yield* emit({
    _tag: "ArchiveInspected",
    type,
    ...(elasticsearchVersion === undefined ? {} : { elasticsearchVersion }),
    entryCount,
    compressedBytes,
    uncompressedBytes,
    errors: inspection.errors.length,
    warnings: inspection.warnings.length
  })
  yield* warn(inspection.problems)
  return { archive, stat, inspection }
})

const withoutRequirements = <R>(archive: Archive.Archive<R>): Effect.Effect<Archive.Archive, never, R> =>
  Effect.map(Effect.context<R>(), (context) => ({
    ...archive,
    stat: Effect.provide(archive.stat, context),
    read: (options) => ByteStream.provideContext(archive.read(options), context)
  }))

/**
 * Refuses an archive with errors that are not allowed by name.
 *
 * @since 0.1.0
 * @category steps
 */
export const requireUsable = (
  inspection: ArchiveInspection.ArchiveInspection
): Effect.Effect<ArchiveInspection.ArchiveInspection, ArchiveInspection.InvalidArchive> =>
  Effect.flatMap(UploadSettings, ({ allow }) => ArchiveInspection.check(inspection, { allow }))

/**
 * Refuses an archive that is not for this extension: of the other type, or for another version of Elasticsearch.
 *
 * @since 0.1.0
 * @category steps
 */
export const requireMatch = Effect.fnUntraced(function* (
  inspection: ArchiveInspection.ArchiveInspection,
  expected: ArchiveInspection.ExpectedExtension
) {
  // The problems that the archive has by itself were told when it was inspected.
  const mismatches = ArchiveInspection.against(
    new ArchiveInspection.ArchiveInspection({ ...inspection, problems: [] }),
    expected
  )
  yield* requireUsable(mismatches)
  yield* warn(mismatches.problems)
})

const warn = Effect.fnUntraced(function* (problems: ReadonlyArray<Problem>) {
  const { allow } = yield* UploadSettings
  const harmless = problems.filter(({ code, severity }) => severity === "warning" || allow.includes(code))
  yield* Effect.forEach(
    harmless,
    (problem) =>
      emit({ _tag: "Warning", code: "ArchiveProblem", problem: problem.code, message: describe(problem) }),
    { discard: true }
  )
})

/**
 * Refuses an archive for what a reading of the whole has found, unless that is allowed by name.
 *
 * @since 0.1.0
 * @category steps
 */
export const requireUsableContent = ({ found, inspection }: ArchiveInspection.Digested) =>
  requireUsable(new ArchiveInspection.ArchiveInspection({ ...inspection, problems: found }))

/**
 * Tells the digest, and what the reading has found that does not stop the upload.
 *
 * @since 0.1.0
 * @category steps
 */
export const tell = ({ digest, found }: ArchiveInspection.Digested): Effect.Effect<void> =>
  Effect.zipRight(
    emit({ _tag: "DigestComputed", sha256: digest.sha256, size: digest.stat.size }),
    warn(found)
  )

/**
 * Reads the whole archive once, and adds to its inspection what is wrong with the content of its entries. Fails with
 * `ArchiveChanged` if it is no longer what was inspected.
 *
 * @since 0.1.0
 * @category steps
 */
export const digest = Effect.fnUntraced(function* (
  { archive, inspection, stat }: Inspected,
  options: Pick<ArchiveInspection.DigestOptions, "alsoAt" | "checkpointBytes" | "parts"> = {}
) {
  yield* emit({ _tag: "DigestStarted", way: "BeforeSending" })
  const whole = yield* ArchiveInspection.digest(inspection, archive, {
    ...options,
    expected: stat,
    onProgress: (bytes) => emit({ _tag: "DigestProgress", bytes, total: stat.size })
  })
  yield* tell(whole)
  return whole
})
