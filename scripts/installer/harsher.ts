/**
 * What is an error here though the JDK installs it, and why. An error that is not listed fails the run, and so does a
 * reason that no archive needs.
 */
import type { Problem, ProblemCode } from "../../src/archive/ArchiveProblem.ts"

export interface Reason {
  readonly code: ProblemCode
  /** Part of the message, where only some problems of this code are meant. */
  readonly says?: RegExp
  readonly why: string
}

export const covers = (reason: Reason, problem: Problem): boolean =>
  reason.code === problem.code && (reason.says?.test(problem.message) ?? true)

export const reasons: ReadonlyArray<Reason> = []
