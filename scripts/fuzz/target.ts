/** One thing that reads what others have written, and the inputs it is given. */
import type * as Effect from "effect/Effect"
import type * as FastCheck from "effect/FastCheck"

export interface Target {
  readonly name: string
  /** Inputs, each with the work that reads it: typed errors are its business, defects and silence are not. */
  readonly cases: FastCheck.Arbitrary<Case>
}

export interface Case {
  /** Shown and kept when it fails. */
  readonly input: unknown
  readonly read: Effect.Effect<unknown, unknown>
}

export const target = <A>(
  name: string,
  arbitrary: FastCheck.Arbitrary<A>,
  read: (input: A) => Effect.Effect<unknown, unknown>
): Target => ({ name, cases: arbitrary.map((input) => ({ input, read: read(input) })) })
