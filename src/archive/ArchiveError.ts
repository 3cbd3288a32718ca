/**
 * What can go wrong with the archive itself, before and while it is read.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"

/** One sentence for what happened, one for what to do, per reason. */
const advice = {
  NotFound: (path) =>
    `The archive ${path} does not exist. Check the path, relative to the working directory.`,
  PermissionDenied: (path) => `The archive ${path} may not be read by this user. Check its permissions.`,
  IsDirectory: (path) => `${path} is a directory, not an archive. Pack it into a ZIP file first.`,
  Empty: (path) => `The archive ${path} is empty (0 bytes). Check the step that builds it.`,
  ReadFailed: (path, detail) =>
    `The archive ${path} could not be read${detail === undefined ? "" : `: ${detail.replace(/\.$/, "")}`}. Check the disk or source it comes from.`
} as const satisfies Record<string, (path: string, detail: string | undefined) => string>

/**
 * The archive could not be read at all.
 *
 * `path` is the path as the caller gave it, or the name of an archive that is not a file.
 *
 * @since 0.1.0
 * @category errors
 */
export class ArchiveUnreadable extends Schema.TaggedError<ArchiveUnreadable>(
  "effect-elastic-extensions/archive/ArchiveUnreadable"
)("ArchiveUnreadable", {
  path: Schema.String,
  reason: Schema.Literal("NotFound", "PermissionDenied", "IsDirectory", "Empty", "ReadFailed"),
  detail: Schema.optionalWith(Schema.String, { exact: true })
}) {
  readonly isRetryable = false

  override get message(): string {
    return advice[this.reason](`"${this.path}"`, this.detail)
  }
}

/**
 * The archive is not what it was when the upload began: it shrank, grew or was modified while it was being read, or
 * between two readings. Nothing of the changed content counts as uploaded.
 *
 * @since 0.1.0
 * @category errors
 */
export class ArchiveChanged extends Schema.TaggedError<ArchiveChanged>(
  "effect-elastic-extensions/archive/ArchiveChanged"
)("ArchiveChanged", {
  path: Schema.String,
  reason: Schema.Literal("Shrank", "Grew", "Modified"),
  detail: Schema.String
}) {
  readonly isRetryable = false

  override get message(): string {
    const what = { Shrank: "shrank", Grew: "grew", Modified: "was modified" }[this.reason]
    return `The archive "${this.path}" ${what} while it was being uploaded (${this.detail}). Let the build finish, then upload again.`
  }
}

/**
 * Everything that reading an archive can fail with.
 *
 * @since 0.1.0
 * @category errors
 */
export type ArchiveError = ArchiveUnreadable | ArchiveChanged
