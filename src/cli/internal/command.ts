/** A command: what it takes, what help says of it, and what is common to every run of one. */
import * as CliCommand from "@effect/cli/Command"
import * as Cause from "effect/Cause"
import * as ConfigError from "effect/ConfigError"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import { spanned } from "../../telemetry.ts"
import { Defect, type Failure, fromConfigError, Interrupted } from "../Failure.ts"
import {
  type Ending,
  Exited,
  Failed,
  Output,
  openFile,
  layer as outputLayer,
  type Resumable
} from "./output.ts"
import * as Parameters from "./parameters.ts"
import { exported } from "./telemetry.ts"
import { commandName } from "./text.ts"
import * as Variables from "./variables.ts"

export interface About {
  /** One sentence, which the list of commands shows as well. */
  readonly summary: string
  /** Paragraphs. */
  readonly details?: ReadonlyArray<string>
  /** Command lines without the program's name, each with what it does. */
  readonly examples: ReadonlyArray<readonly [line: string, what: string]>
}

/** What help shows of a command. */
export interface Page extends About {
  readonly name: string
  readonly entries: ReadonlyArray<Parameters.Entry>
}

/** What a command may fail with. `Exited` is for one that has said all there is to say. */
export type CommandError = Failure | Resumable | ConfigError.ConfigError | Exited

interface Taken {
  readonly [name: string]: Parameters.Argument<unknown> | Parameters.Parameter<unknown>
}

interface Definition<Name extends string, T extends Taken, R, E> extends About {
  readonly name: Name
  /** Arguments and options of its own; how to report is an option of every command. */
  readonly takes: T
  readonly variables: Variables.Variables
  readonly run: (
    taken: CliCommand.Command.ParseConfig<{ readonly taken: T }>["taken"],
    givens: ReadonlyArray<Variables.Given>
  ) => Effect.Effect<void, E, R>
}

/** Defines a command. A failure is printed, and becomes the exit code. */
export const define = <Name extends string, const T extends Taken, R, E extends CommandError>({
  name,
  run,
  takes,
  variables,
  ...about
}: Definition<Name, T, R, E>) => {
  const command = CliCommand.make(
    name,
    { taken: takes, output: Parameters.output, givens: variables },
    ({ givens, output, taken }) =>
      reported(spanned(`${commandName} ${name}`)(run(taken, givens)), output, givens)
  ).pipe(CliCommand.withDescription(about.summary))
  const entries = [...Object.values(takes), Parameters.output, variables].flatMap(({ entries }) => entries)
  return Object.assign(command, { page: { name, ...about, entries } satisfies Page })
}

/** Runs with the options in force. A signal interrupts the command, not the account of it. */
export const reported = <R, E extends CommandError>(
  effect: Effect.Effect<void, E, R>,
  output: Parameters.OutputOptions,
  givens: ReadonlyArray<Variables.Given>
) =>
  Effect.interruptible(effect).pipe(
    Effect.zipRight(Effect.flatMap(Output, ({ written }) => written)),
    Effect.catchAllCause((cause) => Effect.flatMap(endingOf(cause, givens), exit)),
    exported,
    Variables.provide(givens),
    withOutput(output),
    Effect.uninterruptible
  )

/** Provides the output. Where a file for it cannot be had, it says so instead. */
export const withOutput =
  (options: Parameters.OutputOptions) =>
  <A, E, R>(self: Effect.Effect<A, E, R>) =>
    Effect.gen(function* () {
      const file = yield* Effect.either(Effect.transposeMapOption(options.jsonFile, openFile))
      return yield* Either.match(file, {
        onLeft: (failure) => Effect.provide(exit(new Failed({ failure })), outputLayer(options)),
        onRight: (file) => Effect.provide(self, outputLayer(options, file))
      })
    }).pipe(Effect.scoped)

/** Prints a failure. */
export const exit = (ending: Ending): Effect.Effect<never, Exited, Output> =>
  Effect.flatMap(Output, (output) =>
    Effect.flatMap(output.ending(ending), (code) => Effect.fail(new Exited({ code })))
  )

/** A failure says more than the interruption that may have come with it. */
const endingOf = (
  cause: Cause.Cause<CommandError>,
  givens: ReadonlyArray<Variables.Given>
): Effect.Effect<Ending, Exited> =>
  Option.match(Cause.failureOption(cause), {
    onNone: () =>
      Effect.succeed(
        new Failed({
          failure: Cause.isInterruptedOnly(cause)
            ? new Interrupted()
            : new Defect({ detail: Cause.pretty(cause) })
        })
      ),
    onSome: (error) => {
      if (ConfigError.isConfigError(error)) {
        return Effect.succeed(new Failed({ failure: fromConfigError(error, givens) }))
      }
      if (error._tag === "Exited") return Effect.fail(error)
      return Effect.succeed(error._tag === "Resumable" ? error : new Failed({ failure: error }))
    }
  })
