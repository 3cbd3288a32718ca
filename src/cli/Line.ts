/**
 * Every line that `--json` prints, as schemas: the contract with the programs that read them.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"
import { PublishEvent } from "../publish/PublishEvent.ts"
import { PublishReceipt } from "../publish/PublishReceipt.ts"
import { UploadReceipt } from "../upload/UploadReceipt.ts"
import type { Failure } from "./Failure.ts"
import * as Results from "./internal/results.ts"

export {
  /**
   * @since 0.1.0
   * @category constants
   */
  linesVersion
} from "./internal/results.ts"

/**
 * What is on every line beside the fields of its kind. `time` is when it was written.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Envelope = Schema.Struct({ time: Schema.DateTimeUtc })

/**
 * What every error says beside its own fields.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Told = Schema.Struct({
  /** What happened, and what to do. */
  message: Schema.String,
  /** What to do. */
  remedy: Schema.String,
  /** The command that resumes, where something can be resumed. */
  resume: Schema.optional(Schema.String),
  /** Whether the same command, run again, may succeed. */
  isRetryable: Schema.Boolean,
  exitCode: Schema.Number
})

/**
 * What each command writes of its own, the last line among it. `upload`, `publish` and `resume` write events before.
 *
 * @since 0.1.0
 * @category schemas
 */
export const resultsOf = {
  upload: Schema.Union(UploadReceipt, Results.UploadPlan),
  publish: Schema.Union(PublishReceipt, Results.PublishPlan),
  inspect: Results.Inspected,
  list: Results.Listed,
  show: Results.Shown,
  create: Schema.Union(Results.Created, Results.WouldCreate),
  update: Results.Updated,
  delete: Results.Deleted,
  pending: Results.Pending,
  resume: Schema.Union(
    UploadReceipt,
    Results.UploadPlan,
    Results.Resuming,
    Results.Resumed,
    Results.WouldResume
  ),
  cancel: Results.Cancelled,
  doctor: Schema.Union(Results.Found, Results.Diagnosis),
  cloud: Results.LocalCloud,
  "releases submit": Schema.Union(Results.ReleaseSubmitted, Results.ReleaseShown),
  "releases list": Results.ReleasesListed,
  "releases show": Results.ReleaseShown,
  "releases watch": Results.ReleaseShown,
  "releases approve": Results.ReleaseDecided,
  "releases reject": Results.ReleaseDecided,
  "releases cancel": Results.ReleaseCancelling,
  "releases retry": Results.ReleaseSubmitted,
  runner: Schema.Union(Results.RunnerStarted, Results.LogLine, Results.RunnerStopped),
  version: Results.Version
}

/**
 * What happens during an upload or a publishing. `Completed` is not written: the receipt is the last line.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Event = PublishEvent

/**
 * What a line holds beside `time`, as it is written.
 *
 * @since 0.1.0
 * @category models
 */
export type Line =
  | Schema.Schema.Encoded<(typeof resultsOf)[keyof typeof resultsOf]>
  | Schema.Schema.Encoded<typeof Event>
  | (Schema.Schema.Encoded<typeof Failure> & Schema.Schema.Encoded<typeof Told>)
