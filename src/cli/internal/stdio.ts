/** Where the command line writes: the only module that touches the process's streams. */
import process from "node:process"
import type { WriteStream } from "node:tty"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

/** One stream of text. */
export interface Sink {
  readonly isTerminal: boolean
  /** Of the terminal as it is now; 80 where nothing tells. */
  readonly columns: Effect.Effect<number>
  /** Returns when the text has left the process, so that an exit right after cannot cut it off. */
  readonly write: (text: string) => Effect.Effect<void>
}

const fromStream = (stream: WriteStream): Sink => ({
  isTerminal: stream.isTTY === true,
  columns: Effect.sync(() => stream.columns || 80),
  // A reader that has gone (`… | head -1`) is no failure of the command.
  write: (text) => Effect.async<void>((resume) => void stream.write(text, () => resume(Effect.void)))
})

const ignoreBrokenPipe = (stream: WriteStream): void => void stream.on("error", () => {})

export class Stdio extends Context.Tag("effect-elastic-extensions/cli/Stdio")<
  Stdio,
  { readonly out: Sink; readonly err: Sink }
>() {
  static readonly layerProcess: Layer.Layer<Stdio> = Layer.sync(this, () => {
    ignoreBrokenPipe(process.stdout)
    ignoreBrokenPipe(process.stderr)
    return { out: fromStream(process.stdout), err: fromStream(process.stderr) }
  })
}
