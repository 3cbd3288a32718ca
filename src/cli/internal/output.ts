/** How a command reports: for people, as JSON, or with its exit code alone. */
import type { PlatformError } from "@effect/platform/Error"
import * as FileSystem from "@effect/platform/FileSystem"
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Ref from "effect/Ref"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import type { Problem } from "../../archive/ArchiveProblem.ts"
import { bounded } from "../../outsideText.ts"
import { byTag, exitCodes } from "../ExitCode.ts"
import { Failure, OutputUnwritable, UsageError } from "../Failure.ts"
import type { Line } from "../Line.ts"
import type { OutputOptions } from "./parameters.ts"
import { jsonLine, lines, type Shown } from "./shown.ts"
import { accountLines, type Style } from "./style.ts"
import { type Sink, Stdio, styleOf } from "./terminal.ts"
import { commandLine, commandName, hanging, pageWidthOf } from "./text.ts"

/** What a command found or did. */
export interface Result<A, I extends Line> {
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
    readonly options: Pick<OutputOptions, "json" | "quiet">
    /** For what is written to standard output. */
    readonly style: Style
    /** Columns for a page on standard output. */
    readonly width: number
    /** The last thing on standard output, unless a failure follows. */
    readonly result: <A, I extends Line>(result: Result<A, I>) => Effect.Effect<void>
    /** A part of the result that people get as soon as it is known. With `--json` an object of its own. */
    readonly part: <A, I extends Line>(part: Result<A, I>) => Effect.Effect<void>
    /** One line on standard error, for people only. */
    readonly note: (line: string) => Effect.Effect<void>
    /** One object on standard output, with `--json` only. */
    readonly event: <A, I extends Line>(schema: Schema.Schema<A, I>, event: A) => Effect.Effect<void>
    /** Fails if a part of what was to be written before is lost. */
    readonly written: Effect.Effect<void, OutputUnwritable>
    /** Prints a failure and returns the exit code. */
    readonly ending: (ending: Ending) => Effect.Effect<number>
  }
>() {}

/** `file` gets the lines of JSON, whatever the streams are for. */
export const layer = (
  options: Pick<OutputOptions, "json" | "quiet">,
  file: Option.Option<Lines> = Option.none()
): Layer.Layer<Output, never, Stdio> =>
  Layer.effect(
    Output,
    Effect.gen(function* () {
      const { err, out } = yield* Stdio
      const style = yield* styleOf(out)
      const width = pageWidthOf(yield* out.columns)
      const errStyle = yield* styleOf(err)
      const isForPeople = !options.json && !options.quiet
      const firstLoss = yield* Ref.make(Option.none<OutputUnwritable>())

      /** The work goes on when nobody can be told of it. */
      const write = (sink: Lines, text: Shown): Effect.Effect<void> =>
        Effect.catchAll(sink.write(text), (loss) =>
          Ref.update(firstLoss, (first) => Option.orElseSome(first, () => loss))
        )
      const writeLines = (sink: Lines, texts: ReadonlyArray<string>): Effect.Effect<void> =>
        texts.length === 0 ? Effect.void : write(sink, lines(texts))
      const jsonSinks = (onOut: boolean): ReadonlyArray<Lines> => [
        ...(options.json && onOut ? [out] : []),
        ...Option.toArray(file)
      ]
      const writeJson = <A, I extends object>(
        sinks: ReadonlyArray<Lines>,
        schema: Schema.Schema<A, I>,
        value: A
      ) =>
        Effect.gen(function* () {
          if (sinks.length === 0) return
          const fields = yield* Effect.orDie(Schema.encode(schema)(value))
          const line = lineOf(fields, yield* DateTime.now)
          yield* Effect.forEach(sinks, (sink) => write(sink, jsonLine(line)), { discard: true })
        })
      const forPeople = <A, I extends Line>({ lines, quietLines = [] }: Result<A, I>) =>
        options.json ? Effect.void : writeLines(out, options.quiet ? quietLines : lines)
      const event = <A, I extends Line>(schema: Schema.Schema<A, I>, event: A) =>
        writeJson(jsonSinks(!options.quiet), schema, event)
      const tell = (ending: Ending) =>
        Effect.flatMap(err.columns, (width) => writeLines(err, endingLines(ending, errStyle, width)))
      const written = Effect.flatMap(Ref.get(firstLoss), (loss) =>
        Effect.transposeOption(Option.map(loss, Effect.fail))
      )
      return {
        options,
        style,
        width,
        event,
        written,
        result: (result) =>
          Effect.zipRight(writeJson(jsonSinks(true), result.schema, result.value), forPeople(result)),
        part: (part) => Effect.zipRight(event(part.schema, part.value), forPeople(part)),
        note: (line) =>
          isForPeople
            ? Effect.flatMap(err.columns, (width) => writeLines(err, hanging(bounded(line), width)))
            : Effect.void,
        ending: (ending) =>
          Effect.gen(function* () {
            const code = codeOf(ending)
            yield* writeJson(jsonSinks(true), Schema.Object, yield* endingJson(ending, code))
            if (!options.json) yield* tell(ending)
            // Where JSON was to be written and could not be, a person may still read this.
            else yield* Effect.catchAll(written, (failure) => tell(new Failed({ failure })))
            return code
          })
      }
    })
  )

/** What takes text, line by line. */
type Lines = Pick<Sink<OutputUnwritable>, "write">

/** A file for the lines of JSON, empty at first. */
export const openFile = (
  path: string
): Effect.Effect<Lines, UsageError, FileSystem.FileSystem | Scope.Scope> =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const file = yield* Effect.mapError(
      fs.open(path, { flag: "w" }),
      (error) => new UsageError({ problem: `--json-file: ${path} cannot be written: ${detailOf(error)}.` })
    )
    return {
      write: (text: Shown) =>
        Effect.mapError(
          file.writeAll(new TextEncoder().encode(text)),
          (error) => new OutputUnwritable({ target: path, detail: detailOf(error) })
        )
    }
  })

const detailOf = (error: PlatformError): string =>
  error._tag === "SystemError" ? (error.description ?? error.reason) : error.message

/** The tag comes first, where a person who reads along looks for it. */
const lineOf = (fields: object, time: DateTime.Utc): string => {
  const { _tag, ...others } = { _tag: "", ...fields }
  return JSON.stringify({ _tag, time: DateTime.formatIso(time), ...others })
}

/** Work that can be resumed is told from work that failed for good, unless a code says something more important. */
const codeOf = ({ _tag, failure }: Ending): number => {
  const name = byTag[failure._tag]
  return exitCodes[_tag === "Resumable" && name === "failed" ? "resumable" : name]
}

/** The error's own fields, and what every error says. */
const endingJson = (ending: Ending, exitCode: number): Effect.Effect<object> => {
  const { failure } = ending
  const { happened, remedy } = accountOf(failure)
  return Effect.map(Effect.orDie(Schema.encode(Failure)(failure)), (fields) => ({
    ...fields,
    message: `${happened} ${remedy}`,
    remedy,
    ...(ending._tag === "Resumable" ? { resume: ending.resume } : {}),
    isRetryable: failure.isRetryable,
    exitCode
  }))
}

const endingLines = (ending: Ending, style: Style, width: number): ReadonlyArray<string> => {
  const { happened, remedy } = accountOf(ending.failure)
  // Only our own mistakes have an account of several lines.
  const accounts = ending.failure._tag === "Defect" ? happened.split("\n") : [happened]
  return [
    ...accountLines(ending.failure._tag, [...accounts, remedy], style, width),
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
    case "UnknownExecution":
      return Option.some(`To see which releases there are: ${commandLine("releases", "list")}`)
    case "NothingToDecide":
      return Option.some(`To see how it ended: ${commandLine("releases", "show", failure.executionId)}`)
    case "EngineLocked":
      return Option.some(
        "Stop it, or ask it: by EC_RUNNER_URL and EC_RUNNER_TOKEN if it serves its API. The lock of a process that died is free at once."
      )
    case "ExtensionNotFound":
      return Option.some(`To see which extensions there are: ${commandLine("list")}`)
    default:
      return Option.none()
  }
}
