/**
 * What can be wrong with an archive, as data: a stable code, where it was found, whose rule it breaks, and the next step.
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
  "ambiguous-name",
  "bomb-like",
  "bytes-after-zip",
  "bytes-before-zip",
  "bytes-between-entries",
  "damaged-entry",
  "descriptor-byte-order-mark",
  "descriptor-incomplete",
  "descriptor-invalid-value",
  "descriptor-missing",
  "descriptor-nested",
  "descriptor-not-at-root",
  "descriptor-not-first",
  "descriptor-placeholder",
  "descriptor-unknown-property",
  "descriptor-unreadable",
  "duplicate-entry",
  "elasticsearch-folder",
  "encrypted-entry",
  "entry-out-of-bounds",
  "folder-in-config",
  "geoip-name",
  "header-mismatch",
  "hidden-entry",
  "invalid-data-descriptor",
  "invalid-java-version",
  "invalid-plugin-name",
  "jar-file",
  "jar-hell",
  "jar-not-at-root",
  "name-not-utf8",
  "name-too-long",
  "native-controller",
  "no-entries",
  "not-a-zip",
  "over-direct-upload-limit",
  "over-extension-limit",
  "over-smaller-limit",
  "overlapping-entries",
  "path-conflict",
  "plugin-and-bundle",
  "plugin-inside",
  "plugin-without-jar",
  "size-mismatch",
  "source-code",
  "source-file",
  "special-file",
  "stable-plugin-unsupported",
  "stored-data-descriptor",
  "symbolic-link",
  "too-many-entries",
  "truncated",
  "two-descriptors",
  "type-mismatch",
  "unreachable-entry",
  "unreadable-directory",
  "unreadable-jar",
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
  /** What is wrong, in a sentence that names the entry where there is one. */
  message: Schema.String,
  /** The next step, in a sentence. */
  remedy: Schema.optionalWith(Schema.String, { exact: true }),
  /** The entry's name, made safe to print. */
  entry: Schema.optionalWith(Schema.String, { exact: true }),
  /** Where it was found, in bytes from the start of the archive: for an entry, its local header. */
  offset: Schema.optionalWith(Schema.NonNegativeInt, { exact: true }),
  /** Whose rule it is: a class of elastic/elasticsearch or of Java, or a page of Elastic's documentation. */
  source: Schema.optionalWith(Schema.String, { exact: true })
})

/**
 * One thing wrong with an archive.
 *
 * @since 0.1.0
 * @category models
 */
export type Problem = typeof Problem.Type

/**
 * A problem in words: what is wrong, and the next step.
 *
 * @since 0.1.0
 * @category conversions
 */
export const describe = ({ message, remedy }: Problem): string =>
  remedy === undefined ? message : `${message} ${remedy}`
