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
  // The file, and the ZIP as a whole
  "bytes-after-zip",
  "bytes-before-zip",
  "bytes-between-entries",
  "no-entries",
  "not-a-zip",
  "too-many-entries",
  "truncated",
  "unreadable-directory",
  // The two accounts a ZIP gives of its entries: local headers and central directory
  "header-mismatch",
  "hidden-entry",
  "overlapping-entries",
  "unreachable-entry",
  // One entry
  "ambiguous-name",
  "bomb-like",
  "damaged-entry",
  "duplicate-entry",
  "encrypted-entry",
  "entry-out-of-bounds",
  "invalid-data-descriptor",
  "name-not-utf8",
  "name-too-long",
  "path-conflict",
  "size-mismatch",
  "special-file",
  "stored-data-descriptor",
  "symbolic-link",
  "unsafe-path",
  "unsupported-compression",
  // A plugin's descriptor
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
  "invalid-java-version",
  "invalid-plugin-name",
  "native-controller",
  "stable-plugin-unsupported",
  "two-descriptors",
  "version-mismatch",
  "version-not-exact",
  // A plugin's files
  "elasticsearch-folder",
  "folder-in-config",
  "jar-hell",
  "jar-not-at-root",
  "plugin-and-bundle",
  "plugin-without-jar",
  "source-file",
  "unreadable-jar",
  // What is no plugin
  "geoip-name",
  "jar-file",
  "plugin-inside",
  "source-code",
  "type-mismatch",
  "unusual-bundle",
  // What Elastic Cloud takes
  "over-direct-upload-limit",
  "over-extension-limit",
  "over-smaller-limit"
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
