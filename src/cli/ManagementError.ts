/**
 * What can go wrong with managing extensions and unfinished uploads that no request would find.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"

/**
 * Deployments use the extension, so its deletion was not asked for.
 *
 * @since 0.1.0
 * @category errors
 */
export class DeletionRefused extends Schema.TaggedError<DeletionRefused>(
  "effect-elastic-extensions/cli/DeletionRefused"
)("DeletionRefused", {
  extensionId: Schema.String,
  /** Ids of the deployments, at least one. */
  deployments: Schema.Array(Schema.String)
}) {
  readonly isRetryable = false

  override get message(): string {
    const ids = this.deployments.map((id) => JSON.stringify(id).slice(1, -1)).join(", ")
    const users =
      this.deployments.length === 1
        ? "a deployment still uses"
        : `${this.deployments.length} deployments still use`
    return `Extension ${this.extensionId} was not deleted, because ${users} it: ${ids}. Remove it from every plan first.`
  }
}

/**
 * There is no unfinished upload to the extension.
 *
 * @since 0.1.0
 * @category errors
 */
export class NoPendingUpload extends Schema.TaggedError<NoPendingUpload>(
  "effect-elastic-extensions/cli/NoPendingUpload"
)("NoPendingUpload", {
  extensionId: Schema.String,
  /** Address of the API, which unfinished uploads are kept apart by. */
  endpoint: Schema.String
}) {
  readonly isRetryable = false

  override get message(): string {
    return `No upload to extension ${this.extensionId} at ${this.endpoint} was left unfinished. It may have been finished or given up since, or begun with another journal (EC_UPLOAD_JOURNAL) or endpoint.`
  }
}
