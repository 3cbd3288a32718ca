/** What every command has around it: its settings in force, its output, its failures told, its help. */
import * as Command from "@effect/cli/Command"
import * as HelpDoc from "@effect/cli/HelpDoc"
import * as Cause from "effect/Cause"
import * as ConfigError from "effect/ConfigError"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { Defect, type Failure, fromConfigError, Interrupted } from "../Failure.ts"
import type { OutputOptions } from "./options.ts"
import { type Ending, Output } from "./output.ts"
import * as Settings from "./settings.ts"
import type { Stdio } from "./stdio.ts"

/** The command is over, and everything has been said. */
export class Exited extends Data.TaggedError("Exited")<{ readonly code: number }> {}

/** A failure whose work can be gone on with, by a command that is told. */
export class Resumable extends Data.TaggedError("Resumable")<{
  readonly failure: Failure
  readonly resume: string
}> {}

/** What a command's options hold beside its own. */
export interface Framed {
  readonly output: OutputOptions
  readonly settings: ReadonlyArray<Settings.Given>
}

export interface About {
  /** One sentence, which the list of commands shows as well. */
  readonly summary: string
  /** Paragraphs. */
  readonly details?: ReadonlyArray<string>
  /** Command lines without the program's name, each with what it does. */
  readonly examples: ReadonlyArray<readonly [line: string, what: string]>
}

/** What a command may fail with. `Exited` is for one that has said all there is to say. */
export type CommandError = Failure | Resumable | ConfigError.ConfigError | Exited

/** Puts the frame around a command. A failure is printed, and becomes the exit code. */
export const framed =
  (help: About) =>
  <Name extends string, R, E extends CommandError, A extends Framed>(
    command: Command.Command<Name, R, E, A>
  ): Command.Command<Name, Exclude<R, Output> | Stdio, Exited, A> =>
    command.pipe(
      Command.withHandler((input: A) => run(command.handler(input), input)),
      about(help)
    )

/** Help alone, for a command without a handler. */
export const about = (help: About) => Command.withDescription(describe(help))

const run = <R, E extends CommandError>(
  effect: Effect.Effect<void, E, R>,
  { output, settings }: Framed
): Effect.Effect<void, Exited, Exclude<R, Output> | Stdio> =>
  Effect.interruptible(effect).pipe(
    Effect.catchAllCause((cause) =>
      Effect.gen(function* () {
        const ending = endingOf(cause, settings)
        if (ending instanceof Exited) return yield* ending
        return yield* new Exited({ code: yield* (yield* Output).ending(ending) })
      })
    ),
    Effect.provide(Output.layer(output)),
    Settings.provide(settings),
    Effect.uninterruptible
  )

/** A failure says more than the interruption that may have come with it. */
const endingOf = (cause: Cause.Cause<CommandError>, givens: ReadonlyArray<Settings.Given>): Ending | Exited =>
  Option.match(Cause.failureOption(cause), {
    onNone: () => ({
      failure: Cause.isInterruptedOnly(cause)
        ? new Interrupted()
        : new Defect({ detail: Cause.pretty(cause) })
    }),
    onSome: (error) => {
      if (ConfigError.isConfigError(error)) return { failure: fromConfigError(error, givens) }
      return error._tag === "Resumable" || error._tag === "Exited" ? error : { failure: error }
    }
  })

const describe = ({ details = [], examples, summary }: About): HelpDoc.HelpDoc =>
  HelpDoc.blocks([
    HelpDoc.p(summary),
    ...details.map((detail) => HelpDoc.p(detail)),
    HelpDoc.h2("EXAMPLES"),
    ...examples.flatMap(([line, what]) => [HelpDoc.h3(line), HelpDoc.p(what)])
  ])
