import type * as ConfigError from "effect/ConfigError"
import type { Failure } from "../../Failure.ts"

type Cause = Failure | ConfigError.ConfigError

/**
 * One line of a diagnosis: what was looked at, whether it works, and what to do if it does not.
 *
 * @internal
 */
export interface Finding {
  /** Stable name of what was looked at, one word. */
  readonly check: string
  readonly verdict: "ok" | "warning" | "problem"
  readonly says: string
  /** What to do. Nothing where nothing has to be done, or where `says` tells it. */
  readonly remedy?: string
  /** What a problem is an instance of: decides the exit code. */
  readonly error?: Cause
}

/** @internal */
export const ok = (check: string, says: string): Finding => ({ check, verdict: "ok", says })

/** @internal */
export const warning = (check: string, says: string, remedy?: string): Finding => ({
  check,
  verdict: "warning",
  says,
  ...(remedy === undefined ? {} : { remedy })
})

/** @internal */
export const problem = (check: string, says: string, error: Cause, remedy?: string): Finding => ({
  check,
  verdict: "problem",
  says,
  error,
  ...(remedy === undefined ? {} : { remedy })
})

/**
 * An error of this library says in its message what happened and what to do.
 *
 * @internal
 */
export const failed = (check: string, error: Failure): Finding => problem(check, error.message, error)
