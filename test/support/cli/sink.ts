/** What a command writes and how it ends, kept in memory. */
import { Cause, Effect, Exit, Option } from "effect"
import type { Exited } from "../../../src/cli/internal/output.ts"
import type { Sink } from "../../../src/cli/internal/terminal.ts"

export interface Ran {
  readonly code: number | null
  readonly out: string
  readonly err: string
}

/** A stream that keeps what is written to it. `columns` makes it a terminal. */
export const memorySink = (columns?: () => number) => {
  const written: Array<string> = []
  const sink: Sink = {
    isTerminal: columns !== undefined,
    columns: Effect.sync(() => columns?.() ?? 80),
    write: (text) => Effect.sync(() => void written.push(text))
  }
  return { sink, written, text: () => written.join("") }
}

/** The exit code; anything that a command must not end with is thrown. */
export const codeOf = (exit: Exit.Exit<void, Exited>): number =>
  Exit.match(exit, {
    onSuccess: () => 0,
    onFailure: (cause) =>
      Option.getOrThrowWith(
        Option.map(Cause.failureOption(cause), ({ code }) => code),
        () => new Error(Cause.pretty(cause))
      )
  })
