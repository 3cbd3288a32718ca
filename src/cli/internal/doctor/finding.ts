/** One line of a diagnosis. */
import * as Option from "effect/Option"
import type { Failure } from "../../Failure.ts"
import { accountOf } from "../output.ts"

/** What was examined, whether it works, and what to do if it does not. */
export interface Finding {
  /** Stable name of what was examined, one word. */
  readonly check: string
  readonly verdict: "ok" | "warning" | "problem"
  readonly says: string
  /** What to do, where something has to be done. */
  readonly remedy: Option.Option<string>
  /** What a problem is an instance of: decides the exit code. */
  readonly failure: Option.Option<Failure>
}

export const ok = (check: string, says: string): Finding => ({
  check,
  verdict: "ok",
  says,
  remedy: Option.none(),
  failure: Option.none()
})

export const warning = (check: string, says: string, remedy?: string): Finding => ({
  ...ok(check, says),
  verdict: "warning",
  remedy: Option.fromNullable(remedy)
})

/** A failure in words of its own. */
export const problem = (check: string, says: string, failure: Failure, remedy: string): Finding => ({
  check,
  verdict: "problem",
  says,
  remedy: Option.some(remedy),
  failure: Option.some(failure)
})

/** A failure, as it would be told of an upload. */
export const failed = (check: string, failure: Failure): Finding => {
  const { happened, remedy } = accountOf(failure)
  return problem(check, happened, failure, remedy)
}
