/** One run of the program: help, or a command, and what the parser has to say about the arguments. */
import type * as CliApp from "@effect/cli/CliApp"
import * as Command from "@effect/cli/Command"
import * as ValidationError from "@effect/cli/ValidationError"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import { version } from "../../cloud/internal/version.ts"
import { UsageError } from "../Failure.ts"
import { Exited } from "./frame.ts"
import * as help from "./help.ts"
import { Output } from "./output.ts"
import { type AnyCommand, nameOf, read, sentenceOf } from "./page.ts"
import { commandName } from "./remedy.ts"
import { Stdio } from "./stdio.ts"
import { styleOf, withoutAnsi } from "./style.ts"
import * as versionOption from "./versionOption.ts"
import { beforeDashes, forParser, problemWith } from "./words.ts"

/** Makes the program of a root command and the commands below it, in the order in which help lists them. */
export const makeProgram = <Name extends string, R, A>(
  root: Command.Command<Name, R, Exited, A>,
  commands: ReadonlyArray<AnyCommand>
) => {
  const parseAndRun = Command.run(root, { name: commandName, version, executable: commandName })
  return (
    args: ReadonlyArray<string>
  ): Effect.Effect<void, Exited, R | CliApp.CliApp.Environment | Stdio> => {
    const words = beforeDashes(args)
    const name = words.find((word) => !word.startsWith("-"))
    const command = commands.find((command) => nameOf(command) === name)
    if (words.length === 0 || words.includes("--help") || words.includes("-h")) {
      return showHelp(root.descriptor, commands, command)
    }
    const options = command === undefined ? [] : read(command).options
    return parseAndRun([commandName, commandName, ...forParser(args, options)]).pipe(
      Effect.catchIf(ValidationError.isValidationError, (error) =>
        refuse(problemWith(words, options) ?? versionOption.takeOut(sentenceOf(error.error)), words, command)
      ),
      withPlainConsole,
      // A signal interrupts the command, not the account of it: `framed` lets it in.
      Effect.uninterruptible
    )
  }
}

const showHelp = (root: AnyCommand, commands: ReadonlyArray<AnyCommand>, command: AnyCommand | undefined) =>
  Effect.gen(function* () {
    const { out } = yield* Stdio
    const style = yield* styleOf(out)
    yield* out.write(
      command === undefined ? help.overview(root, commands, style) : help.details(command, style)
    )
  })

const refuse = (problem: string, words: ReadonlyArray<string>, command: AnyCommand | undefined) =>
  Effect.gen(function* () {
    const failure = new UsageError({
      problem,
      ...(command === undefined ? {} : { command: nameOf(command) })
    })
    return yield* new Exited({ code: yield* (yield* Output).ending({ failure }) })
  }).pipe(Effect.provide(Output.layer({ json: words.includes("--json"), quiet: false })))

/** The parser writes colours into pipes, and its complaints beside ours. */
const withPlainConsole = <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R | Stdio> =>
  Effect.gen(function* () {
    const { out } = yield* Stdio
    return yield* Console.consoleWith((console) =>
      Effect.withConsole(self, {
        ...console,
        log: (...lines) => out.write(`${withoutAnsi(lines.join(" ")).trim()}\n`),
        error: () => Effect.void
      })
    )
  })
