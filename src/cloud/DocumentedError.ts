/**
 * One error for each code the extensions API documents. The code decides, whatever status it comes with.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"
import { answerFields, describe } from "./internal/errorContext.ts"

/**
 * `extensions.request_execution_failed` (400): the file could not be accepted, or not be fetched from its download URL.
 *
 * @since 0.1.0
 * @category errors
 */
export class RequestExecutionFailed extends Schema.TaggedError<RequestExecutionFailed>(
  "effect-elastic-extensions/cloud/RequestExecutionFailed"
)("RequestExecutionFailed", answerFields) {
  readonly isRetryable = false

  override get message(): string {
    return this.operation === "upload"
      ? describe(
          this,
          "the file was not accepted",
          "Check that it is an intact ZIP file that holds one plugin or one bundle."
        )
      : describe(
          this,
          "the archive could not be fetched from the download URL",
          "Check that the address is reachable from the internet without credentials and serves a ZIP file."
        )
  }
}

/**
 * `extensions.unauthorised` (401): the extension belongs to someone else.
 *
 * @since 0.1.0
 * @category errors
 */
export class Unauthorised extends Schema.TaggedError<Unauthorised>(
  "effect-elastic-extensions/cloud/Unauthorised"
)("Unauthorised", answerFields) {
  readonly isRetryable = false

  override get message(): string {
    return describe(
      this,
      "the extension does not belong to the owner of this API key",
      "Check the extension's id, or use an API key of the user who created it."
    )
  }
}

/**
 * `extensions.no_user_id` (401, but 404 when creating): the API key is tied to no user.
 *
 * @since 0.1.0
 * @category errors
 */
export class NoUserId extends Schema.TaggedError<NoUserId>("effect-elastic-extensions/cloud/NoUserId")(
  "NoUserId",
  answerFields
) {
  readonly isRetryable = false

  override get message(): string {
    return describe(
      this,
      "the session behind this API key has no user id",
      "Use an API key that a user created in the Elastic Cloud console."
    )
  }
}

/**
 * `extensions.not_found` (404): there is no such extension.
 *
 * @since 0.1.0
 * @category errors
 */
export class ExtensionNotFound extends Schema.TaggedError<ExtensionNotFound>(
  "effect-elastic-extensions/cloud/ExtensionNotFound"
)("ExtensionNotFound", answerFields) {
  readonly isRetryable = false

  override get message(): string {
    return describe(
      this,
      "there is no such extension",
      "Check its id against the list of extensions, and that the endpoint is the right region; or create it first."
    )
  }
}

/**
 * `extensions.version_conflict` (409): the extension changed since it was read.
 *
 * @since 0.1.0
 * @category errors
 */
export class VersionConflict extends Schema.TaggedError<VersionConflict>(
  "effect-elastic-extensions/cloud/VersionConflict"
)("VersionConflict", answerFields) {
  /** Sending the same again could undo what someone else just did. */
  readonly isRetryable = false

  override get message(): string {
    return describe(
      this,
      "someone else changed the extension in the meantime",
      "Read it again and decide whether your change still applies."
    )
  }
}

/**
 * `extensions.id_already_exists` (409): the id that the service generated is taken.
 *
 * @since 0.1.0
 * @category errors
 */
export class IdAlreadyExists extends Schema.TaggedError<IdAlreadyExists>(
  "effect-elastic-extensions/cloud/IdAlreadyExists"
)("IdAlreadyExists", answerFields) {
  /** The documentation itself says "Please try again": nothing was created, and the next id is another one. */
  readonly isRetryable = true

  override get message(): string {
    return describe(this, "the id that the service generated is already taken", "Try again.")
  }
}

/**
 * `extensions.extension_in_use` (400): deployments still refer to the extension.
 *
 * @since 0.1.0
 * @category errors
 */
export class ExtensionInUse extends Schema.TaggedError<ExtensionInUse>(
  "effect-elastic-extensions/cloud/ExtensionInUse"
)("ExtensionInUse", answerFields) {
  readonly isRetryable = false

  override get message(): string {
    return describe(
      this,
      "deployments still use the extension",
      "Remove it from their plans first; reading it with its deployments tells which they are."
    )
  }
}
