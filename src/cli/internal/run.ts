/** One run of the program: help, or a command, and what the parser has to say about the arguments. */
import type * as CliApp from "@effect/cli/CliApp"
import * as Command from "@effect/cli/Command"
import type * as Descriptor from "@effect/cli/CommandDescriptor"
import * as ValidationError from "@effect/cli/ValidationError"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import { version } from "../../cloud/internal/version.ts"
import { UsageError } from "../Failure.ts"
import { Exited } from "./frame.ts"
import * as help from "./help.ts"
import { Output } from "./output.ts"
import { commandName } from "./remedy.ts"
import { Stdio } from "./stdio.ts"
import { styleOf, withoutAnsi } from "./style.ts"
import * as versionOption from "./versionOption.ts"

type AnyCommand = Descriptor.Command<unknown>

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
    const command = commands.find((command) => words.includes(help.nameOf(command)))
    if (words.length === 0 || words.includes("--help") || words.includes("-h")) {
      return showHelp(root.descriptor, commands, command)
    }
    return parseAndRun([commandName, commandName, ...separated(args)]).pipe(
      Effect.catchIf(ValidationError.isValidationError, (error) => refuse(error, words, command)),
      withPlainConsole
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

const refuse = (
  error: ValidationError.ValidationError,
  words: ReadonlyArray<string>,
  command: AnyCommand | undefined
) =>
  Effect.gen(function* () {
    const failure = new UsageError({
      problem: versionOption.takeOut(help.sentenceOf(error.error)),
      ...(command === undefined ? {} : { command: help.nameOf(command) })
    })
    return yield* new Exited({ code: yield* (yield* Output).ending({ failure }) })
  }).pipe(Effect.provide(Output.layer({ json: words.includes("--json"), quiet: false })))

const beforeDashes = (args: ReadonlyArray<string>): ReadonlyArray<string> => {
  const dashes = args.indexOf("--")
  return dashes === -1 ? args : args.slice(0, dashes)
}

/** `--option=value` as two words: the parser does not take an option that repeats otherwise. */
const separated = (args: ReadonlyArray<string>): ReadonlyArray<string> => {
  const words = beforeDashes(args)
  return [
    ...versionOption.put(
      words.flatMap((word) => {
        const [, option, value] = /^(--[a-z-]+)=(.*)$/s.exec(word) ?? []
        return option === undefined || value === undefined ? [word] : [option, value]
      })
    ),
    ...args.slice(words.length)
  ]
}

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
