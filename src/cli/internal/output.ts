/** How a command reports: for people, as JSON, or hardly at all. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import { byTag, exitCodes } from "../ExitCode.ts"
import type { Failure } from "../Failure.ts"
import { hanging, indent, wrap } from "./layout.ts"
import type { OutputOptions } from "./options.ts"
import { remedyFor } from "./remedy.ts"
import { type Sink, Stdio } from "./stdio.ts"
import { type Style, styleOf } from "./style.ts"

/** What every line of JSON is. */
interface Tagged {
  readonly _tag: string
}

/** What a command found or did. */
export interface Result<A, I extends Tagged> {
  readonly schema: Schema.Schema<A, I>
  readonly value: NoInfer<A>
  /** For people. */
  readonly lines: ReadonlyArray<string>
  /** With `--quiet`; default none: the exit code says it all. */
  readonly quietLines?: ReadonlyArray<string> | undefined
}

/** How a failure ends the command. */
export interface Ending {
  readonly failure: Failure
  /** The command that goes on with what was begun. */
  readonly resume?: string | undefined
}

export class Output extends Context.Tag("effect-elastic-extensions/cli/Output")<
  Output,
  {
    readonly options: OutputOptions
    /** For what is written to standard output. */
    readonly style: Style
    /** The last thing on standard output, unless a failure follows. */
    readonly result: <A, I extends Tagged>(result: Result<A, I>) => Effect.Effect<void>
    /** One line on standard error, for people only. */
    readonly note: (line: string) => Effect.Effect<void>
    /** One object on standard output, with `--json` only. */
    readonly event: <A, I extends Tagged>(schema: Schema.Schema<A, I>, event: A) => Effect.Effect<void>
    /** Prints a failure and returns the exit code. */
    readonly ending: (ending: Ending) => Effect.Effect<number>
  }
>() {
  static readonly layer = (options: OutputOptions): Layer.Layer<Output, never, Stdio> =>
    Layer.effect(
      this,
      Effect.gen(function* () {
        const { err, out } = yield* Stdio
        const style = yield* styleOf(out)
        const errStyle = yield* styleOf(err)
        const isForPeople = !options.json && !options.quiet
        // The tag comes first, where a person who reads along looks for it.
        const writeJson = <A, I extends Tagged>(schema: Schema.Schema<A, I>, value: A) =>
          Effect.flatMap(Effect.orDie(Schema.encode(schema)(value)), ({ _tag, ...fields }) =>
            writeLines(out, [JSON.stringify({ _tag, ...fields })])
          )
        return {
          options,
          style,
          result: ({ lines, quietLines, schema, value }) =>
            options.json
              ? writeJson(schema, value)
              : writeLines(out, options.quiet ? (quietLines ?? []) : lines),
          note: (line) =>
            isForPeople
              ? Effect.flatMap(err.columns, (width) => writeLines(err, hanging(line, width)))
              : Effect.void,
          event: (schema, event) => (options.json && !options.quiet ? writeJson(schema, event) : Effect.void),
          ending: (ending) => {
            const code = codeOf(ending)
            const print = options.json
              ? writeJson(EndingJson, endingJson(ending, code))
              : Effect.flatMap(err.columns, (width) => writeLines(err, endingLines(ending, errStyle, width)))
            return Effect.as(print, code)
          }
        }
      })
    )
}

const writeLines = (sink: Sink, lines: ReadonlyArray<string>): Effect.Effect<void> =>
  lines.length === 0 ? Effect.void : sink.write(`${lines.join("\n")}\n`)

/** What can go on is told from what has failed for good; what is more important than that keeps its own code. */
const codeOf = ({ failure, resume }: Ending): number => {
  const name = byTag[failure._tag]
  return exitCodes[resume !== undefined && name === "failed" ? "resumable" : name]
}

const EndingJson = Schema.Struct({
  _tag: Schema.String,
  message: Schema.String,
  remedy: Schema.optional(Schema.String),
  resume: Schema.optional(Schema.String),
  isRetryable: Schema.Boolean,
  exitCode: Schema.Number
})

const endingJson = ({ failure, resume }: Ending, exitCode: number): typeof EndingJson.Type => ({
  _tag: failure._tag,
  message: failure.message,
  remedy: remedyFor(failure),
  resume,
  isRetryable: failure.isRetryable,
  exitCode
})

const endingLines = ({ failure, resume }: Ending, style: Style, width: number): ReadonlyArray<string> => {
  const remedy = remedyFor(failure)
  return [
    style.red(style.bold(failure._tag)),
    ...indent(wrap(failure.message, width - 2), 2),
    ...(remedy === undefined ? [] : indent(wrap(remedy, width - 2), 2)),
    ...(resume === undefined ? [] : ["To go on:", `  ${style.bold(resume)}`])
  ]
}
