/** Asking a person before something is gone for good. */
import process from "node:process"
import { createInterface } from "node:readline/promises"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"

interface Terminal {
  /** Whether somebody is there to answer. */
  readonly isThere: boolean
  /** The line that was typed. Standard output stays free for what the command has to say. */
  readonly ask: (question: string) => Effect.Effect<string>
}

const askProcess = (question: string): Effect.Effect<string> =>
  Effect.acquireUseRelease(
    Effect.sync(() => createInterface({ input: process.stdin, output: process.stderr })),
    (lines) =>
      // The end of the input is no answer, and no answer is no.
      Effect.async<string>((resume, signal) => {
        lines.once("close", () => resume(Effect.succeed("")))
        lines.question(question, { signal }).then(
          (answer) => resume(Effect.succeed(answer)),
          () => resume(Effect.succeed(""))
        )
      }),
    (lines) => Effect.sync(() => lines.close())
  )

export class Confirmation extends Context.Reference<Confirmation>()(
  "effect-elastic-extensions/cli/Confirmation",
  {
    defaultValue: (): Terminal => ({
      isThere: process.stdin.isTTY === true && process.stderr.isTTY === true,
      ask: askProcess
    })
  }
) {}

/** Whether the answer was yes, in full or its first letter. */
export const confirm = (question: string): Effect.Effect<boolean> =>
  Effect.flatMap(Confirmation, ({ ask }) =>
    Effect.map(ask(`${question} [y/N] `), (answer) => /^y(es)?$/i.test(answer.trim()))
  )
