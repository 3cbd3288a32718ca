/**
 * Everything a command can fail with, and how it is told.
 *
 * @since 0.1.0
 */
import * as ConfigError from "effect/ConfigError"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { ExtensionType } from "../cloud/Extension.ts"
import { printable } from "../outsideText.ts"
import { PublishError } from "../publish/PublishError.ts"
import { AccessTokenRefused, AccessTokenRequired, ListenFailed } from "../runner/RunnerError.ts"
import {
  AddressInUse,
  AmbiguousRelease,
  EngineLocked,
  EngineMismatch,
  EngineUnavailable,
  NothingToDecide,
  ReleaseUnfinished,
  UnknownExecution
} from "../workflow/EngineError.ts"
import { InvalidPayload } from "../workflow/ReleaseError.ts"
import { commandLine, commandName, helpRemedy, plural } from "./internal/text.ts"
import type { Given } from "./internal/variables.ts"
import { issues } from "./Project.ts"

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

  /** The next step. */
  get remedy(): string {
    return this.problems.some(({ name }) => name === "EC_API_KEY")
      ? "Create a key at https://cloud.elastic.co/account/keys, then: export EC_API_KEY=… (or use --api-key-file <path>)."
      : `To see every option with its variable: ${commandName} <command> --help`
  }

  override get message(): string {
    const problems = this.problems.map(({ name, problem }) =>
      problem.startsWith(name) ? problem : `${name}: ${problem}`
    )
    return `${problems.join(" ")} ${this.remedy}`
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

  /** The next step. */
  get remedy(): string {
    return helpRemedy(this.command)
  }

  override get message(): string {
    return `${this.problem} ${this.remedy}`
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

  /** The next step. */
  get remedy(): string {
    return "Run the same command again when you are ready."
  }

  override get message(): string {
    return `Interrupted before anything was sent; nothing has changed. ${this.remedy}`
  }
}

/**
 * A signal stopped an upload that had begun. The journal has what is needed to finish it.
 *
 * @since 0.1.0
 * @category errors
 */
export class UploadPaused extends Schema.TaggedError<UploadPaused>(
  "effect-elastic-extensions/cli/UploadPaused"
)("UploadPaused", {
  /** Whether the server has offered to resume this upload. */
  canResume: Schema.Boolean
}) {
  readonly isRetryable = true

  /** The next step. */
  get remedy(): string {
    return this.canResume
      ? "The next run asks the server what it has kept, and sends only the rest."
      : "The server has not offered to resume it: the next run asks whether the archive arrived, and else sends it again from its start."
  }

  override get message(): string {
    return `The upload is interrupted. ${this.remedy}`
  }
}

/**
 * The command was carried out, but a part of its output is lost: standard output, or the file for its JSON, took no more.
 *
 * @since 0.1.0
 * @category errors
 */
export class OutputUnwritable extends Schema.TaggedError<OutputUnwritable>(
  "effect-elastic-extensions/cli/OutputUnwritable"
)("OutputUnwritable", {
  /** What was written to, such as "standard output". */
  target: Schema.String,
  /** The system's code, such as `ENOSPC`, where there is one. */
  code: Schema.optionalWith(Schema.String, { exact: true }),
  detail: Schema.String
}) {
  readonly isRetryable = false

  /** The next step. */
  get remedy(): string {
    return "What the command did is done; only its report is lost. Make room, or write it elsewhere. To see how things are now, ask with list, show or pending."
  }

  override get message(): string {
    return `A part of the output is lost, because ${this.target} cannot be written: ${this.detail}. ${this.remedy}`
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

  /** The next step. */
  get remedy(): string {
    return `Please report it at ${issues}, with the command and what it printed.`
  }

  override get message(): string {
    return `This is a mistake in ${commandName}: ${this.detail} ${this.remedy}`
  }
}

/**
 * Deployments use the extension, so its deletion was not requested.
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

  /** The next step. */
  get remedy(): string {
    return "Remove it from the plan of every deployment first."
  }

  override get message(): string {
    const users = plural(this.deployments.length, "deployment still uses it", "deployments still use it")
    const ids = this.deployments.map(printable).join(", ")
    return `Extension ${this.extensionId} was not deleted, because ${users}: ${ids}. ${this.remedy}`
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
  /** Address of the API; unfinished uploads are remembered per address. */
  endpoint: Schema.String
}) {
  readonly isRetryable = false

  /** The next step. */
  get remedy(): string {
    return "It may have been finished or cancelled; if it was begun with another journal or endpoint, use the same EC_UPLOAD_JOURNAL and EC_ENDPOINT."
  }

  override get message(): string {
    return `There is no unfinished upload to extension ${this.extensionId} at ${this.endpoint}. ${this.remedy}`
  }
}

/**
 * No extension has this id or name.
 *
 * @since 0.1.0
 * @category errors
 */
export class NameNotFound extends Schema.TaggedError<NameNotFound>(
  "effect-elastic-extensions/cli/NameNotFound"
)("NameNotFound", {
  name: Schema.String,
  /** The type it was to have, where that was said. */
  type: Schema.optionalWith(ExtensionType, { exact: true }),
  /** A name that may have been meant, if there is one. */
  near: Schema.Array(Schema.String)
}) {
  readonly isRetryable = false

  /** The next step. */
  get remedy(): string {
    const guess = this.near.map((name) => `Did you mean ${JSON.stringify(name)}? `).join("")
    return `${guess}To see which extensions there are: ${commandLine("list")}`
  }

  override get message(): string {
    return `There is no ${this.type ?? "extension"} with the id or name ${JSON.stringify(this.name)}. ${this.remedy}`
  }
}

/**
 * Several extensions have this name, so it does not tell which one is meant. Nothing was changed.
 *
 * @since 0.1.0
 * @category errors
 */
export class AmbiguousName extends Schema.TaggedError<AmbiguousName>(
  "effect-elastic-extensions/cli/AmbiguousName"
)("AmbiguousName", {
  name: Schema.String,
  /** All that have it, at least two. */
  candidates: Schema.Array(Schema.Struct({ id: Schema.String, type: ExtensionType, version: Schema.String }))
}) {
  readonly isRetryable = false

  /** The next step. */
  get remedy(): string {
    const types = new Set(this.candidates.map(({ type }) => type))
    return types.size === this.candidates.length
      ? `Say which one with --type ${[...types].join(" or --type ")}, or give its id.`
      : "Give the id of the one that is meant."
  }

  override get message(): string {
    const list = this.candidates.map(
      ({ id, type, version }) => `${printable(id)} (${type}, ${printable(version)})`
    )
    return `${this.candidates.length} extensions have the name ${JSON.stringify(this.name)}: ${list.join(", ")}. ${this.remedy}`
  }
}

/**
 * What was asked for needs a package that is not part of the command.
 *
 * @since 0.1.0
 * @category errors
 */
export class PackageMissing extends Schema.TaggedError<PackageMissing>(
  "effect-elastic-extensions/cli/PackageMissing"
)("PackageMissing", {
  name: Schema.String,
  /** Which versions of it will do. */
  version: Schema.String
}) {
  readonly isRetryable = false

  /** The next step. */
  get remedy(): string {
    return `Install it where the command is installed: npm install ${this.name}@${this.version} (with -g for a global one); or use PostgreSQL by DATABASE_URL.`
  }

  override get message(): string {
    return `Releases in a file need the package ${this.name}, which is not installed. ${this.remedy}`
  }
}

/**
 * Deno was started without a permission that the command cannot do without. What it was about to do is not done.
 *
 * @since 0.1.0
 * @category errors
 */
export class PermissionMissing extends Schema.TaggedError<PermissionMissing>(
  "effect-elastic-extensions/cli/PermissionMissing"
)("PermissionMissing", {
  /** Deno's option that gives it, such as `--allow-env`. */
  permission: Schema.String,
  /** What was to be had, in Deno's words. */
  detail: Schema.String
}) {
  readonly isRetryable = false

  /** The next step. */
  get remedy(): string {
    return `Run Deno with ${this.permission}.`
  }

  override get message(): string {
    return `Deno keeps from ${commandName} what it needs: ${this.detail}. ${this.remedy}`
  }
}

/**
 * What Deno threw, where it threw for want of a permission.
 *
 * @since 0.1.0
 * @category constructors
 */
export const fromDefect = (defect: unknown): Option.Option<PermissionMissing> => {
  if (!(defect instanceof Error) || defect.name !== "NotCapable") return Option.none()
  const [permission = "--allow-all"] = /--allow-[a-z]+/.exec(defect.message) ?? []
  return Option.some(new PermissionMissing({ permission, detail: defect.message }))
}

/**
 * The runner that was to be asked does not answer, or not as a runner does.
 *
 * @since 0.1.0
 * @category errors
 */
export class RunnerUnreachable extends Schema.TaggedError<RunnerUnreachable>(
  "effect-elastic-extensions/cli/RunnerUnreachable"
)("RunnerUnreachable", {
  url: Schema.String,
  detail: Schema.String
}) {
  readonly isRetryable = true

  /** The next step. */
  get remedy(): string {
    return "Check that a runner is at work there and serves its API, which needs --listen and a token, and that EC_RUNNER_URL is its address."
  }

  override get message(): string {
    return `The runner at ${this.url} cannot be asked: ${this.detail.replace(/\.$/, "")}. ${this.remedy}`
  }
}

/**
 * All errors of the command line, as one schema.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Failure = Schema.Union(
  PublishError,
  InvalidConfiguration,
  UsageError,
  Interrupted,
  UploadPaused,
  OutputUnwritable,
  Defect,
  DeletionRefused,
  NoPendingUpload,
  NameNotFound,
  AmbiguousName,
  PackageMissing,
  PermissionMissing,
  RunnerUnreachable,
  AmbiguousRelease,
  UnknownExecution,
  NothingToDecide,
  ReleaseUnfinished,
  InvalidPayload,
  AccessTokenRefused,
  AddressInUse,
  EngineLocked,
  EngineMismatch,
  EngineUnavailable,
  AccessTokenRequired,
  ListenFailed
)

/**
 * Everything a command can end with instead of its result.
 *
 * @since 0.1.0
 * @category errors
 */
export type Failure = typeof Failure.Type

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
    problems: leaves(error).map(({ isMissing, message, path }) => {
      // A check of a value repeats the name that reading it has put there.
      const variable = [...new Set(path)].join("_")
      return {
        name: optionOf.get(variable) ?? variable,
        // Where to get a key is the remedy's to say.
        problem: isMissing && variable === "EC_API_KEY" ? `${variable} is not set.` : sentence(message)
      }
    })
  })
}

interface Leaf {
  readonly path: ReadonlyArray<string>
  readonly message: string
  readonly isMissing: boolean
}

const leaves = (error: ConfigError.ConfigError): ReadonlyArray<Leaf> =>
  ConfigError.isAnd(error) || ConfigError.isOr(error)
    ? [...leaves(error.left), ...leaves(error.right)]
    : [{ path: error.path, message: error.message, isMissing: ConfigError.isMissingData(error) }]

const sentence = (text: string): string => (/[.!?]$/.test(text) ? text : `${text}.`)
