/**
 * Why the stand-in could not start.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"

const Reason = Schema.Literal("PortInUse", "ListenFailed", "DataFolderUnusable", "StateUnreadable")

const remedies: Readonly<Record<typeof Reason.Type, (detail: string) => string>> = {
  PortInUse: (detail) => `cannot listen: ${detail} is taken. Choose another port, or 0 for any free one.`,
  ListenFailed: (detail) => `cannot listen: ${detail}. Check the host name and the port.`,
  DataFolderUnusable: (detail) =>
    `cannot use its data folder ${detail}. Check that it is a folder this user may write to.`,
  StateUnreadable: (detail) => `cannot read its state.json: ${detail}. Move the file away to start afresh.`
}

/**
 * The stand-in could not start: its port is taken, or its data folder cannot be used.
 *
 * @since 0.1.0
 * @category errors
 */
export class LocalElasticCloudError extends Schema.TaggedError<LocalElasticCloudError>(
  "effect-elastic-extensions/testing/LocalElasticCloudError"
)("LocalElasticCloudError", {
  reason: Reason,
  detail: Schema.String
}) {
  readonly isRetryable = false

  override get message(): string {
    return `The local Elastic Cloud ${remedies[this.reason](this.detail)}`
  }
}
