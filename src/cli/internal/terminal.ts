/** The process's streams and the person behind them: whether there are colours, and what is asked. */
import process from "node:process"
import { createInterface } from "node:readline/promises"
import type { WriteStream } from "node:tty"
import * as Config from "effect/Config"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { OutputUnwritable } from "../Failure.ts"
import { coloured, type Shown, unended } from "./shown.ts"
import { plain, type Style } from "./style.ts"

/** One stream of text. */
export interface Sink<out E = never> {
  readonly isTerminal: boolean
  /** Of the terminal as it is now; 80 where nothing tells. */
  readonly columns: Effect.Effect<number>
  /** Returns when the text has left the process, so that an exit right after cannot cut it off. */
  readonly write: (text: Shown) => Effect.Effect<void, E>
}

/** Where the command line writes: what it was run for, and what happens meanwhile, which may get lost. */
export class Stdio extends Context.Tag("effect-elastic-extensions/cli/Stdio")<
  Stdio,
  { readonly out: Sink<OutputUnwritable>; readonly err: Sink }
>() {}

/** Standard output and standard error. */
export const layerProcess: Layer.Layer<Stdio> = Layer.sync(Stdio, () => {
  const err = fromStream(process.stderr, "standard error")
  return {
    out: fromStream(process.stdout, "standard output"),
    err: { ...err, write: (text) => Effect.ignore(err.write(text)) }
  }
})

const fromStream = (stream: WriteStream, name: string): Sink<OutputUnwritable> => {
  // A stream that has failed says of every later write only that it is closed.
  let first: NodeJS.ErrnoException | undefined
  stream.on("error", (error) => {
    first ??= error
  })
  return {
    isTerminal: stream.isTTY === true,
    columns: Effect.sync(() => stream.columns || 80),
    write: (text) =>
      Effect.tryPromise({
        try: () =>
          new Promise<void>((resolve, reject) => {
            stream.write(text, (error) => (error ? reject(error) : resolve()))
          }),
        catch: (error) => unwritable(name, first ?? error)
      }).pipe(
        // A reader that has gone (`… | head -1`) is no failure of the command.
        Effect.catchIf(
          ({ code }) => code === "EPIPE",
          () => Effect.void
        )
      )
  }
}

const unwritable = (target: string, error: unknown): OutputUnwritable =>
  error instanceof Error && "code" in error && typeof error.code === "string"
    ? new OutputUnwritable({ target, code: error.code, detail: error.message })
    : new OutputUnwritable({ target, detail: String(error) })

/** Colours, or none: where a stream is no terminal, and where `NO_COLOR` is set to anything. */
export const styleOf = (sink: Sink<unknown>): Effect.Effect<Style> =>
  Effect.map(noColor, (isOff) => (isOff || !sink.isTerminal ? plain : coloured))

const noColor = Config.option(Config.string("NO_COLOR")).pipe(
  Config.map(Option.exists((value) => value !== "")),
  // Nothing in its value can be wrong. Where Deno may not read it, whoever says so needs a style as well.
  Effect.catchAllCause(() => Effect.succeed(false))
)

/** Somebody who can be asked before something is gone for good. */
interface Person {
  readonly isThere: boolean
  /**
   * The line that was typed; Ctrl-C interrupts. The question goes to standard error: standard output is for results.
   */
  readonly ask: (question: Shown) => Effect.Effect<string>
}

const askProcess = (question: string): Effect.Effect<string> =>
  Effect.acquireUseRelease(
    Effect.sync(() => createInterface({ input: process.stdin, output: process.stderr })),
    (lines) =>
      // The end of the input is no answer, and no answer is no.
      Effect.async<string>((resume, signal) => {
        // The terminal hands Ctrl-C to who reads from it, and no signal comes.
        lines.once("SIGINT", () => resume(Effect.interrupt))
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
    defaultValue: (): Person => ({
      isThere: process.stdin.isTTY === true && process.stderr.isTTY === true,
      ask: askProcess
    })
  }
) {}

/** Whether the answer was yes, in full or its first letter. */
export const confirm = (question: string): Effect.Effect<boolean> =>
  Effect.flatMap(Confirmation, ({ ask }) =>
    Effect.map(ask(unended(`${question} [y/N] `)), (answer) => /^y(es)?$/i.test(answer.trim()))
  )
