/** How a command reports: for people, as JSON, or with its exit code alone. */
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type { Problem } from "../../archive/ArchiveProblem.ts"
import { byTag, exitCodes } from "../ExitCode.ts"
import type { Failure } from "../Failure.ts"
import type { OutputOptions } from "./parameters.ts"
import { type Sink, Stdio, type Style, styleOf } from "./terminal.ts"
import { commandLine, commandName, hanging, indent, wrap } from "./text.ts"

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

/** The command is over, and everything has been said. */
export class Exited extends Data.TaggedError("Exited")<{ readonly code: number }> {}

/** A failure for good. */
export class Failed extends Data.TaggedError("Failed")<{ readonly failure: Failure }> {}

/** A failure after which the work can be resumed, and the command line that does. */
export class Resumable extends Data.TaggedError("Resumable")<{
  readonly failure: Failure
  readonly resume: string
}> {}

/** How a command ends instead of with a result. */
export type Ending = Failed | Resumable

export class Output extends Context.Tag("effect-elastic-extensions/cli/Output")<
  Output,
  {
    readonly options: OutputOptions
    /** For what is written to standard output. */
    readonly style: Style
    /** The last thing on standard output, unless a failure follows. */
    readonly result: <A, I extends Tagged>(result: Result<A, I>) => Effect.Effect<void>
    /** A part of the result that people get as soon as it is known. With `--json` an object of its own. */
    readonly part: <A, I extends Tagged>(part: Result<A, I>) => Effect.Effect<void>
    /** One line on standard error, for people only. */
    readonly note: (line: string) => Effect.Effect<void>
    /** One object on standard output, with `--json` only. */
    readonly event: <A, I extends Tagged>(schema: Schema.Schema<A, I>, event: A) => Effect.Effect<void>
    /** Prints a failure and returns the exit code. */
    readonly ending: (ending: Ending) => Effect.Effect<number>
  }
>() {}

export const layer = (options: OutputOptions): Layer.Layer<Output, never, Stdio> =>
  Layer.effect(
    Output,
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
      const event = <A, I extends Tagged>(schema: Schema.Schema<A, I>, event: A) =>
        options.json && !options.quiet ? writeJson(schema, event) : Effect.void
      const forPeople = <A, I extends Tagged>({ lines, quietLines = [] }: Result<A, I>) =>
        writeLines(out, options.quiet ? quietLines : lines)
      return {
        options,
        style,
        event,
        result: (result) => (options.json ? writeJson(result.schema, result.value) : forPeople(result)),
        part: (part) => (options.json ? event(part.schema, part.value) : forPeople(part)),
        note: (line) =>
          isForPeople
            ? Effect.flatMap(err.columns, (width) => writeLines(err, hanging(line, width)))
            : Effect.void,
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

const writeLines = (sink: Sink, lines: ReadonlyArray<string>): Effect.Effect<void> =>
  lines.length === 0 ? Effect.void : sink.write(`${lines.join("\n")}\n`)

/** Work that can be resumed is told from work that failed for good, unless a code says something more important. */
const codeOf = ({ _tag, failure }: Ending): number => {
  const name = byTag[failure._tag]
  return exitCodes[_tag === "Resumable" && name === "failed" ? "resumable" : name]
}

const EndingJson = Schema.Struct({
  _tag: Schema.String,
  message: Schema.String,
  remedy: Schema.String,
  resume: Schema.optional(Schema.String),
  isRetryable: Schema.Boolean,
  exitCode: Schema.Number
})

const endingJson = (ending: Ending, exitCode: number): typeof EndingJson.Type => {
  const { failure } = ending
  const { happened, remedy } = accountOf(failure)
  return {
    _tag: failure._tag,
    message: `${happened} ${remedy}`,
    remedy,
    resume: ending._tag === "Resumable" ? ending.resume : undefined,
    isRetryable: failure.isRetryable,
    exitCode
  }
}

const endingLines = (ending: Ending, style: Style, width: number): ReadonlyArray<string> => {
  const { happened, remedy } = accountOf(ending.failure)
  return [
    style.red(style.bold(ending.failure._tag)),
    ...[happened, remedy].flatMap((text) => indent(wrap(text, width - 2), 2)),
    ...(ending._tag === "Resumable" ? ["To resume:", `  ${style.bold(ending.resume)}`] : [])
  ]
}

/** A failure told once: what happened, and the next step. */
export interface Account {
  readonly happened: string
  readonly remedy: string
}

/** An error's message ends with its remedy. Where the command line has words of its own for that step, they replace it. */
export const accountOf = (failure: Failure): Account => {
  const { message, remedy } = failure
  return {
    happened: message.endsWith(remedy) ? message.slice(0, message.length - remedy.length).trimEnd() : message,
    remedy: Option.getOrElse(remedyHere(failure), () => remedy)
  }
}

/** The options that let an archive pass despite its errors. */
export const allowing = (problems: ReadonlyArray<Problem>): string =>
  [...new Set(problems.map(({ code }) => `--allow ${code}`))].join(" ")

/** The next step by commands and options, where the library speaks of code. */
const remedyHere = (failure: Failure): Option.Option<string> => {
  switch (failure._tag) {
    case "InvalidArchive":
      return Option.some(`Fix the archive, or upload it anyway with: ${allowing(failure.problems)}`)
    case "UploadConflict":
      return Option.some("To replace their archive with yours, run it again with: --on-conflict overwrite")
    case "ExtensionProtected":
      return Option.some(
        "Upload to another extension and move the deployments to that one, or replace the archive anyway: without --protect-in-use (EC_UPLOAD_PROTECT_IN_USE)."
      )
    case "ResumptionUnsupported":
      return Option.some("To upload without resumption where it is not offered, use: --resumable auto")
    case "AmbiguousExtension":
      return Option.some(
        `Upload to one of them (${commandName} upload <id> <archive>), or delete the others and publish again.`
      )
    case "ExtensionNotFound":
      return Option.some(`To see which extensions there are: ${commandLine("list")}`)
    default:
      return Option.none()
  }
}
