/**
 * Everything a command can fail with, and how it is told.
 *
 * @since 0.1.0
 */
import * as ConfigError from "effect/ConfigError"
import * as Schema from "effect/Schema"
import type { PublishError } from "../publish/PublishError.ts"
import type { Given } from "./internal/settings.ts"
import type { DeletionRefused, NoPendingUpload } from "./ManagementError.ts"

/**
 * Settings that are missing or cannot be used. The values stay out of the message: one of them may be the API key.
 *
 * @since 0.1.0
 * @category errors
 */
export class InvalidConfiguration extends Schema.TaggedError<InvalidConfiguration>(
  "effect-elastic-extensions/cli/InvalidConfiguration"
)("InvalidConfiguration", {
  /** The variable, or the option that stands for it, and what is wrong with it. */
  problems: Schema.Array(Schema.Struct({ name: Schema.String, problem: Schema.String }))
}) {
  readonly isRetryable = false

  override get message(): string {
    return this.problems
      .map(({ name, problem }) => (problem.startsWith(name) ? problem : `${name}: ${problem}`))
      .join(" ")
  }
}

/**
 * The command line itself cannot be understood.
 *
 * @since 0.1.0
 * @category errors
 */
export class UsageError extends Schema.TaggedError<UsageError>("effect-elastic-extensions/cli/UsageError")(
  "UsageError",
  {
    problem: Schema.String,
    /** The command that was asked for, where it is known. */
    command: Schema.optionalWith(Schema.String, { exact: true })
  }
) {
  readonly isRetryable = false

  override get message(): string {
    return this.problem
  }
}

/**
 * A signal stopped the command before it had sent anything.
 *
 * @since 0.1.0
 * @category errors
 */
export class Interrupted extends Schema.TaggedError<Interrupted>("effect-elastic-extensions/cli/Interrupted")(
  "Interrupted",
  {}
) {
  readonly isRetryable = true

  override get message(): string {
    return "Interrupted before anything was sent. Nothing has changed."
  }
}

/**
 * A signal stopped an upload that can go on. The journal has what is needed.
 *
 * @since 0.1.0
 * @category errors
 */
export class UploadPaused extends Schema.TaggedError<UploadPaused>(
  "effect-elastic-extensions/cli/UploadPaused"
)("UploadPaused", {}) {
  readonly isRetryable = true

  override get message(): string {
    return "The upload is paused. Going on with it asks the server first, and sends only what is missing."
  }
}

/**
 * A mistake in this program. Please report it.
 *
 * @since 0.1.0
 * @category errors
 */
export class Defect extends Schema.TaggedError<Defect>("effect-elastic-extensions/cli/Defect")("Defect", {
  detail: Schema.String
}) {
  readonly isRetryable = false

  override get message(): string {
    return `This should not have happened, please report it: ${this.detail}`
  }
}

/**
 * Everything a command can end with instead of its result.
 *
 * @since 0.1.0
 * @category errors
 */
export type Failure =
  | PublishError
  | InvalidConfiguration
  | UsageError
  | Interrupted
  | UploadPaused
  | Defect
  | DeletionRefused
  | NoPendingUpload

/**
 * Reads an error of the library's `layerConfig`s; `givens` are the options that stood in for variables.
 *
 * @since 0.1.0
 * @category constructors
 */
export const fromConfigError = (
  error: ConfigError.ConfigError,
  givens: ReadonlyArray<Given>
): InvalidConfiguration => {
  const optionOf = new Map(givens.map(({ option, variable }) => [variable, option]))
  return new InvalidConfiguration({
    problems: leaves(error).map(({ message, path }) => {
      // A check of a value repeats the name that reading it has put there.
      const variable = [...new Set(path)].join("_")
      return { name: optionOf.get(variable) ?? variable, problem: sentence(message) }
    })
  })
}

interface Leaf {
  readonly path: ReadonlyArray<string>
  readonly message: string
}

const leaves = (error: ConfigError.ConfigError): ReadonlyArray<Leaf> =>
  ConfigError.isAnd(error) || ConfigError.isOr(error)
    ? [...leaves(error.left), ...leaves(error.right)]
    : [error]

const sentence = (text: string): string => (/[.!?]$/.test(text) ? text : `${text}.`)
