/** A command that can be run: its definition with what it does, and what is common to every run of one. */
import * as Args from "@effect/cli/Args"
import type * as CliApp from "@effect/cli/CliApp"
import * as CliCommand from "@effect/cli/Command"
import * as HelpDoc from "@effect/cli/HelpDoc"
import * as Options from "@effect/cli/Options"
import * as ValidationError from "@effect/cli/ValidationError"
import * as FileSystem from "@effect/platform/FileSystem"
import * as Arr from "effect/Array"
import * as Cause from "effect/Cause"
import * as ConfigError from "effect/ConfigError"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import { packageVersion } from "../../cloud/PackageVersion.ts"
import { spanned } from "../../telemetry.ts"
import { Defect, type Failure, fromConfigError, fromDefect, Interrupted } from "../Failure.ts"
import type { Definition, Page, Takes } from "./definitions.ts"
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
import type { Stdio } from "./terminal.ts"
import { commandName } from "./text.ts"
import type * as Variables from "./variables.ts"

/** What a command may fail with. `Exited` is for one that has said all there is to say. */
export type CommandError = Failure | Resumable | ConfigError.ConfigError | Exited

/** The process around a command. */
export type Environment = CliApp.CliApp.Environment | Stdio

type Parsers<T extends Takes> = { readonly [K in keyof T]: ReturnType<T[K]["parser"]> }

/** What a command does with what it was given. */
export type Run<D extends Definition> = (
  taken: CliCommand.Command.ParseConfig<{ readonly taken: Parsers<D["takes"]> }>["taken"],
  givens: ReadonlyArray<Variables.Given>
) => Effect.Effect<void, CommandError, Environment | Output>

/** A command, ready to be run. */
export interface Command {
  readonly page: Page
  /** The words are those after the command's name. */
  readonly parseAndRun: (
    words: ReadonlyArray<string>
  ) => Effect.Effect<void, Exited | ValidationError.ValidationError, Environment>
}

/** What it does is loaded when it is about to do it. A failure is printed, and becomes the exit code. */
export const make = <T extends Takes>(
  definition: Definition<T>,
  load: () => Promise<{ readonly run: Run<Definition<T>> }>
): Command => ({
  page: definition,
  parseAndRun: (words) => {
    const command = CliCommand.make(
      definition.name,
      {
        taken: parsersOf(definition.takes),
        output: Parameters.output.parser(library),
        givens: definition.variables.parser(library)
      },
      ({ givens, output, taken }) =>
        reported(
          spanned(`${commandName} ${definition.name}`)(
            Effect.flatMap(Effect.promise(load), ({ run }) => run(taken, givens))
          ),
          output,
          givens
        )
    )
    const program = { name: commandName, version: packageVersion, executable: commandName }
    return CliCommand.run(command, program)([commandName, commandName, ...words])
  }
})

/** What a file holds, or what comes out of a pipe, as of `<(command)`. */
const fileText = (name: string): Options.Options<readonly [path: string, content: string]> =>
  Options.mapEffect(Options.text(name), (path) =>
    Effect.flatMap(FileSystem.FileSystem, (fs) => fs.readFileString(path)).pipe(
      Effect.map((content) => [path, content] as const),
      Effect.mapError(({ message }) =>
        ValidationError.invalidValue(HelpDoc.p(`--${name}: ${path} cannot be read: ${message}`))
      )
    )
  )

const library: Parameters.Library = { Args, Options, fileText }

/** Each under its name; the compiler cannot follow a type through `Object.fromEntries`. */
const parsersOf = <T extends Takes>(takes: T): Parsers<T> =>
  Object.fromEntries(Object.entries(takes).map(([name, { parser }]) => [name, parser(library)])) as Parsers<T>

/** A variable that was given as an option is that option's value, for everything that reads the configuration. */
const withGivens =
  (givens: ReadonlyArray<Variables.Given>) =>
  <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.configProviderWith((environment) => Effect.withConfigProvider(self, over(environment, givens)))

/** Unlike with `ConfigProvider.orElse`, a value that is refused is not silently replaced by the environment's. */
const over = (
  environment: ConfigProvider.ConfigProvider,
  givens: ReadonlyArray<Variables.Given>
): ConfigProvider.ConfigProvider => {
  const values = new Map(givens.map(({ value, variable }) => [variable, value]))
  const options = ConfigProvider.fromMap(values).flattened
  return ConfigProvider.fromFlat({
    ...environment.flattened,
    load: (path, primitive, split) =>
      (values.has(path.join("_")) ? options : environment.flattened).load(path, primitive, split)
  })
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
    // Where to export to is read before the command begins.
    Effect.catchSomeDefect((defect) =>
      Option.map(fromDefect(defect), (failure) => exit(new Failed({ failure })))
    ),
    withGivens(givens),
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
            : Option.getOrElse(
                Arr.findFirst(Cause.defects(cause), fromDefect),
                () => new Defect({ detail: Cause.pretty(cause) })
              )
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
