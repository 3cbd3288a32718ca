/**
 * What can go wrong with the HTTP API of a runner, rather than with a release or with the engine.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"

/**
 * The API was to be reached from other machines without a token, so that anybody there could release and approve; or its token is
 * short enough to be guessed.
 *
 * @since 0.1.0
 * @category errors
 */
export class AccessTokenRequired extends Schema.TaggedError<AccessTokenRequired>(
  "effect-elastic-extensions/runner/AccessTokenRequired"
)("AccessTokenRequired", {
  /** Where it was to listen. */
  host: Schema.String,
  reason: Schema.Literal("Missing", "TooShort")
}) {
  readonly isRetryable = false

  get remedy(): string {
    return "Put a random one of at least 16 characters into EC_RUNNER_TOKEN, or into a file that EC_RUNNER_TOKEN_FILE names, or listen on 127.0.0.1 without one."
  }

  override get message(): string {
    const what =
      this.reason === "Missing" ? "without an access token" : "with an access token that can be guessed"
    return `The API does not listen on ${JSON.stringify(this.host)} ${what}. ${this.remedy}`
  }
}

/**
 * The address cannot be listened on: it is taken, not of this machine, or reserved.
 *
 * @since 0.1.0
 * @category errors
 */
export class ListenFailed extends Schema.TaggedError<ListenFailed>(
  "effect-elastic-extensions/runner/ListenFailed"
)("ListenFailed", {
  host: Schema.String,
  port: Schema.Int,
  /** What the system said, such as `EADDRINUSE`. */
  detail: Schema.String
}) {
  readonly isRetryable = true

  get remedy(): string {
    return "Choose another host or port, or stop whatever listens there."
  }

  override get message(): string {
    return `The runner cannot listen on ${this.host}, port ${this.port}: ${this.detail}. ${this.remedy}`
  }
}

/**
 * The request carries no access token, or another one than the runner's.
 *
 * @since 0.1.0
 * @category errors
 */
export class AccessTokenRefused extends Schema.TaggedError<AccessTokenRefused>(
  "effect-elastic-extensions/runner/AccessTokenRefused"
)("AccessTokenRefused", { reason: Schema.Literal("Missing", "Wrong") }) {
  readonly isRetryable = false

  get remedy(): string {
    return 'Send the runner\'s token in the header "Authorization: Bearer …".'
  }

  override get message(): string {
    const what = this.reason === "Missing" ? "carries no access token" : "carries a wrong access token"
    return `The request ${what}. ${this.remedy}`
  }
}

/**
 * The address of the request holds an access token, right or wrong. Addresses are kept by histories, logs and proxies, so it is
 * never taken from there.
 *
 * @since 0.1.0
 * @category errors
 */
export class AccessTokenInUrl extends Schema.TaggedError<AccessTokenInUrl>(
  "effect-elastic-extensions/runner/AccessTokenInUrl"
)("AccessTokenInUrl", {}) {
  readonly isRetryable = false

  get remedy(): string {
    return 'Send it in the header "Authorization: Bearer …". If it was the right one, replace it: others may have seen it.'
  }

  override get message(): string {
    return `The address of the request holds an access token, which is not read from there. ${this.remedy}`
  }
}

/**
 * The request was made by a page of another site, or under a name that is not the runner's.
 *
 * @since 0.1.0
 * @category errors
 */
export class ForeignRequest extends Schema.TaggedError<ForeignRequest>(
  "effect-elastic-extensions/runner/ForeignRequest"
)("ForeignRequest", { header: Schema.Literal("Host", "Origin", "Sec-Fetch-Site") }) {
  readonly isRetryable = false

  get remedy(): string {
    return "Open the runner by the address that it prints. Where a proxy gives it another name, tell the runner that name."
  }

  override get message(): string {
    return `The header ${this.header} names another site than this runner. ${this.remedy}`
  }
}

/**
 * What the path, the query, a header or the body of a request holds cannot be used.
 *
 * @since 0.1.0
 * @category errors
 */
export class MalformedRequest extends Schema.TaggedError<MalformedRequest>(
  "effect-elastic-extensions/runner/MalformedRequest"
)("MalformedRequest", {
  /** What is wrong, by field. What the fields hold stays out. */
  problems: Schema.Array(Schema.Struct({ field: Schema.String, problem: Schema.String }))
}) {
  readonly isRetryable = false

  get remedy(): string {
    return "Correct it; /openapi.json describes every request."
  }

  override get message(): string {
    const problems = this.problems.map(({ field, problem }) => `${field}: ${problem}`).join("; ")
    return `The request cannot be used: ${problems}. ${this.remedy}`
  }
}

/**
 * The body of a request is longer than any that means something.
 *
 * @since 0.1.0
 * @category errors
 */
export class BodyTooLarge extends Schema.TaggedError<BodyTooLarge>(
  "effect-elastic-extensions/runner/BodyTooLarge"
)("BodyTooLarge", {
  /** In bytes. */
  limit: Schema.Int
}) {
  readonly isRetryable = false

  get remedy(): string {
    return "Send less. An archive is named by its path or address, and not sent here."
  }

  override get message(): string {
    return `The body of the request is longer than ${this.limit} bytes. ${this.remedy}`
  }
}

/**
 * The body of a request did not arrive in time.
 *
 * @since 0.1.0
 * @category errors
 */
export class BodyTooSlow extends Schema.TaggedError<BodyTooSlow>(
  "effect-elastic-extensions/runner/BodyTooSlow"
)("BodyTooSlow", {
  /** In milliseconds. */
  limitMillis: Schema.Int
}) {
  readonly isRetryable = true

  get remedy(): string {
    return "Send the whole body at once."
  }

  override get message(): string {
    return `The body of the request was not complete within ${this.limitMillis} ms. ${this.remedy}`
  }
}

/**
 * Nothing is served at this path, or not by this method.
 *
 * @since 0.1.0
 * @category errors
 */
export class NothingHere extends Schema.TaggedError<NothingHere>(
  "effect-elastic-extensions/runner/NothingHere"
)("NothingHere", {}) {
  readonly isRetryable = false

  get remedy(): string {
    return "See /openapi.json for what there is."
  }

  override get message(): string {
    return `The runner serves nothing at this path by this method. ${this.remedy}`
  }
}

/**
 * The runner could not answer, by a mistake of its own.
 *
 * @since 0.1.0
 * @category errors
 */
export class RunnerFault extends Schema.TaggedError<RunnerFault>(
  "effect-elastic-extensions/runner/RunnerFault"
)("RunnerFault", {}) {
  readonly isRetryable = true

  get remedy(): string {
    return "Look into the runner's log, which says more."
  }

  override get message(): string {
    return `The runner could not answer this request. ${this.remedy}`
  }
}
