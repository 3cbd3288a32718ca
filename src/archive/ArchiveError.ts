/**
 * What can go wrong with the archive itself, before and while it is read.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"

const reasons = {
  NotFound: {
    what: (path) => `The archive ${path} does not exist.`,
    remedy: "Check the path, relative to the working directory."
  },
  PermissionDenied: {
    what: (path) => `The archive ${path} may not be read by this user.`,
    remedy: "Check its permissions."
  },
  IsDirectory: {
    what: (path) => `${path} is a directory, not an archive.`,
    remedy: "Pack it into a ZIP file first."
  },
  Empty: {
    what: (path) => `The archive ${path} is empty (0 bytes).`,
    remedy: "Check the step that builds it."
  },
  ReadFailed: {
    what: (path, detail) =>
      `The archive ${path} could not be read${detail === undefined ? "" : `: ${detail.replace(/\.$/, "")}`}.`,
    remedy: "Check the disk or source it comes from."
  }
} as const satisfies Record<
  string,
  { readonly what: (path: string, detail: string | undefined) => string; readonly remedy: string }
>

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

  /** The next step. */
  get remedy(): string {
    return this.detail?.includes("--allow-read") === true
      ? "Run Deno with --allow-read for it."
      : reasons[this.reason].remedy
  }

  override get message(): string {
    return `${reasons[this.reason].what(`"${this.path}"`, this.detail)} ${this.remedy}`
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

  /** The next step. */
  get remedy(): string {
    return "Let the build finish, then upload again."
  }

  override get message(): string {
    const what = { Shrank: "shrank", Grew: "grew", Modified: "was modified" }[this.reason]
    return `The archive "${this.path}" ${what} while it was being uploaded (${this.detail}). ${this.remedy}`
  }
}

/**
 * Everything that reading an archive can fail with.
 *
 * @since 0.1.0
 * @category errors
 */
export type ArchiveError = ArchiveUnreadable | ArchiveChanged
