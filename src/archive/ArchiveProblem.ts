/**
 * What can be wrong with an archive's content.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"

/**
 * The name of a kind of problem, by which it can be allowed.
 *
 * @since 0.1.0
 * @category schemas
 */
export const ProblemCode = Schema.Literal(
  "bomb-like",
  "descriptor-incomplete",
  "descriptor-nested",
  "descriptor-not-at-root",
  "descriptor-not-first",
  "descriptor-unreadable",
  "duplicate-entry",
  "encrypted-entry",
  "entry-out-of-bounds",
  "no-entries",
  "not-a-zip",
  "over-direct-upload-limit",
  "over-extension-limit",
  "over-smaller-limit",
  "overlapping-entries",
  "plugin-and-bundle",
  "plugin-without-jar",
  "size-mismatch",
  "source-file",
  "special-file",
  "symbolic-link",
  "too-many-entries",
  "truncated",
  "two-descriptors",
  "type-mismatch",
  "unreadable-directory",
  "unsafe-path",
  "unsupported-compression",
  "unusual-bundle",
  "version-mismatch",
  "version-not-exact"
)

/**
 * The name of a kind of problem.
 *
 * @since 0.1.0
 * @category models
 */
export type ProblemCode = typeof ProblemCode.Type

/**
 * One thing wrong with an archive. An error keeps Elastic Cloud or Elasticsearch from using it, or could harm who unpacks
 * it; a warning is worth a look.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Problem = Schema.Struct({
  code: ProblemCode,
  severity: Schema.Literal("error", "warning"),
  /** A sentence that names the entry, where there is one. */
  message: Schema.String,
  /** The entry's name, made safe to print. */
  entry: Schema.optionalWith(Schema.String, { exact: true })
})

/**
 * One thing wrong with an archive.
 *
 * @since 0.1.0
 * @category models
 */
export type Problem = typeof Problem.Type
