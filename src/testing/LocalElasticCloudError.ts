/**
 * Why the stand-in could not start.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"

const Reason = Schema.Literal("PortInUse", "ListenFailed", "DataFolderUnusable", "StateUnreadable")

/** What happened, before and after the detail, and what to do about it. */
const reasons: Readonly<
  Record<typeof Reason.Type, { readonly happened: (detail: string) => string; readonly remedy: string }>
> = {
  PortInUse: {
    happened: (detail) => `cannot listen: ${detail} is taken.`,
    remedy: "Choose another port, or 0 for any free one."
  },
  ListenFailed: {
    happened: (detail) => `cannot listen: ${detail}.`,
    remedy: "Check the host name and the port."
  },
  DataFolderUnusable: {
    happened: (detail) => `cannot use its data folder ${detail}.`,
    remedy: "Check that it is a folder this user may write to."
  },
  StateUnreadable: {
    happened: (detail) => `cannot read its state.json: ${detail}.`,
    remedy: "Move the file away to start afresh."
  }
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

  /** The next step, in plain words. */
  get remedy(): string {
    return reasons[this.reason].remedy
  }

  override get message(): string {
    return `The local Elastic Cloud ${reasons[this.reason].happened(this.detail)} ${this.remedy}`
  }
}
