/**
 * What can go wrong with the engine that releases run on, rather than with a release.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"

const optional = <A, I>(schema: Schema.Schema<A, I>) => Schema.optionalWith(schema, { exact: true })

/**
 * Another process runs releases on this database file. Two runners on one file would both do all the work.
 *
 * @since 0.1.0
 * @category errors
 */
export class EngineLocked extends Schema.TaggedError<EngineLocked>(
  "effect-elastic-extensions/workflow/EngineLocked"
)("EngineLocked", {
  file: Schema.String,
  /** Whoever holds it, as far as it told. */
  pid: optional(Schema.Int),
  hostname: optional(Schema.String),
  /** In milliseconds since the epoch. */
  sinceMillis: optional(Schema.Int)
}) {
  readonly isRetryable = true

  get remedy(): string {
    return "Stop it, use another file, or run several processes on PostgreSQL. The lock of a process that died is free at once."
  }

  override get message(): string {
    const who = this.pid === undefined ? "another process" : `process ${this.pid}`
    const where = this.hostname === undefined ? "" : ` on ${this.hostname}`
    const since = this.sinceMillis === undefined ? "" : ` since ${new Date(this.sinceMillis).toISOString()}`
    return `The releases in "${this.file}" are run by ${who}${where}${since}. ${this.remedy}`
  }
}

/**
 * What the engine stands on cannot be used: at the start, or for a question to it later.
 *
 * @since 0.1.0
 * @category errors
 */
export class EngineUnavailable extends Schema.TaggedError<EngineUnavailable>(
  "effect-elastic-extensions/workflow/EngineUnavailable"
)("EngineUnavailable", {
  /** Which database, or which address to listen on. */
  resource: Schema.String,
  /** What it or the system said, without what could open it. */
  detail: Schema.String
}) {
  readonly isRetryable = true

  get remedy(): string {
    return "Make it available again: releases that were begun are kept, and go on when a runner can use it."
  }

  override get message(): string {
    return `The workflow engine cannot use ${this.resource}: ${this.detail}. ${this.remedy}`
  }
}

/**
 * The database holds the releases of another endpoint or namespace: run here, they would go to the wrong place.
 *
 * @since 0.1.0
 * @category errors
 */
export class EngineMismatch extends Schema.TaggedError<EngineMismatch>(
  "effect-elastic-extensions/workflow/EngineMismatch"
)("EngineMismatch", {
  /** Which database. */
  resource: Schema.String,
  what: Schema.Literal("endpoint", "namespace"),
  /** What this process is for. */
  given: Schema.String,
  /** What the database is for. */
  found: Schema.String
}) {
  readonly isRetryable = false

  get remedy(): string {
    return "Use a database of its own for each endpoint and namespace, or correct what this process is for."
  }

  override get message(): string {
    return `The releases in ${this.resource} are for the ${this.what} "${this.found}", not "${this.given}". ${this.remedy}`
  }
}

/**
 * Another runner of the same database says that it is found at this address. Messages for the one would reach the other.
 *
 * @since 0.1.0
 * @category errors
 */
export class AddressInUse extends Schema.TaggedError<AddressInUse>(
  "effect-elastic-extensions/workflow/AddressInUse"
)("AddressInUse", {
  /** Host and port. */
  address: Schema.String,
  /** Which database. */
  resource: Schema.String
}) {
  readonly isRetryable = true

  get remedy(): string {
    return "Give each runner an address of its own, at which the others reach it. That of a runner that died is free within half a minute."
  }

  override get message(): string {
    return `A living runner of ${this.resource} has the address ${this.address}. ${this.remedy}`
  }
}

/**
 * What is stored of the release cannot be read by this version: another version stored it, or it was spoilt. It concerns this
 * release alone, which waits.
 *
 * @since 0.1.0
 * @category errors
 */
export class UnreadableRelease extends Schema.TaggedError<UnreadableRelease>(
  "effect-elastic-extensions/workflow/UnreadableRelease"
)("UnreadableRelease", { executionId: Schema.String }) {
  readonly isRetryable = true

  get remedy(): string {
    return "Update the runners. If they are all of the newest version, run it with the next attempt: what was done is found and not done again."
  }

  override get message(): string {
    return `What is stored of release ${this.executionId} cannot be read by this version. ${this.remedy}`
  }
}

/**
 * Why an engine does not start.
 *
 * @since 0.1.0
 * @category errors
 */
export type EngineStartError = AddressInUse | EngineLocked | EngineMismatch | EngineUnavailable

/**
 * No release with this id was ever given to the engine.
 *
 * @since 0.1.0
 * @category errors
 */
export class UnknownExecution extends Schema.TaggedError<UnknownExecution>(
  "effect-elastic-extensions/workflow/UnknownExecution"
)("UnknownExecution", { executionId: Schema.String }) {
  readonly isRetryable = false

  get remedy(): string {
    return "Check the id, which ExtensionRelease.submit returns and executionId tells from the payload, and that this is the engine that was given the release; an engine in memory forgets its releases with its process."
  }

  override get message(): string {
    return `The engine knows no release ${JSON.stringify(this.executionId)}. ${this.remedy}`
  }
}

/**
 * Several releases have this release id, so it does not tell which one is meant.
 *
 * @since 0.1.0
 * @category errors
 */
export class AmbiguousRelease extends Schema.TaggedError<AmbiguousRelease>(
  "effect-elastic-extensions/workflow/AmbiguousRelease"
)("AmbiguousRelease", {
  releaseId: Schema.String,
  /** All that have it, at least two. */
  executionIds: Schema.Array(Schema.String)
}) {
  readonly isRetryable = false

  get remedy(): string {
    return "Give the execution id of the one that is meant."
  }

  override get message(): string {
    return `${this.executionIds.length} releases have the id ${JSON.stringify(this.releaseId)}: ${this.executionIds.join(", ")}. ${this.remedy}`
  }
}

/**
 * The release is to be run once more, and has not ended yet.
 *
 * @since 0.1.0
 * @category errors
 */
export class ReleaseUnfinished extends Schema.TaggedError<ReleaseUnfinished>(
  "effect-elastic-extensions/workflow/ReleaseUnfinished"
)("ReleaseUnfinished", {
  executionId: Schema.String,
  /** Where it is. */
  state: Schema.String
}) {
  readonly isRetryable = true

  get remedy(): string {
    return "Wait for its end, or cancel it first."
  }

  override get message(): string {
    return `Release ${this.executionId} is ${this.state}, and cannot be run once more as long as it has not ended. ${this.remedy}`
  }
}

/**
 * There is nothing to decide about: the release has ended without waiting for a decision.
 *
 * @since 0.1.0
 * @category errors
 */
export class NothingToDecide extends Schema.TaggedError<NothingToDecide>(
  "effect-elastic-extensions/workflow/NothingToDecide"
)("NothingToDecide", { executionId: Schema.String }) {
  readonly isRetryable = false

  get remedy(): string {
    return "Ask ExtensionRelease.poll how it ended."
  }

  override get message(): string {
    return `Release ${this.executionId} has ended without a decision, and the one given now has no effect. ${this.remedy}`
  }
}
