/** What a process costs before it does anything: on each runtime, beside a program of nothing. */
import { join } from "node:path"
import * as Command from "@effect/platform/Command"
import * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import { exitCodes } from "../../../src/cli/ExitCode.ts"
import { newestNode } from "../contender.ts"
import { contest, type Run } from "../contest.ts"
import { formatMillis, formatRatio, markdownTable, median } from "../format.ts"
import { measure } from "../usage.ts"
import { Workbench } from "../workbench.ts"
import type { Section } from "./section.ts"

const mebibyte = 1024 * 1024
const bun = join(import.meta.dirname, "../../../node_modules/.bin/bun")

/** Processes so short that a few more cost nothing. */
const timesAsMany = 3

type CommandLine = Arr.NonEmptyReadonlyArray<string>

/** The wall time of a command line, after a run that fills the caches. */
const wallMillis = ([executable, ...args]: CommandLine, exitCode = 0) =>
  Effect.gen(function* () {
    const { runs } = yield* Workbench
    const run = measure([Command.make(executable, ...args)], exitCode)
    yield* run
    return yield* Effect.forEach(Arr.range(1, runs * timesAsMany), () =>
      Effect.map(run, ({ wallMillis }) => wallMillis)
    )
  }).pipe(Effect.map(median), Effect.either)

/** From the start of the process to its first connection, in milliseconds. */
const untilConnected = (runs: Arr.NonEmptyReadonlyArray<Run>): number =>
  median(Arr.map(runs, ({ received, startedAt }) => (received[0]?.connectedAt ?? Number.NaN) - startedAt))

const runtimesOf = (launcher: string, deno: CommandLine) =>
  [
    {
      name: `Node ${process.versions.node}`,
      nothing: [process.execPath, "-e", "0"],
      run: [process.execPath, launcher]
    },
    { name: "Node, newest", nothing: [newestNode, "-e", "0"], run: [newestNode, launcher] },
    { name: "Bun", nothing: [bun, "-e", "0"], run: [bun, launcher] },
    { name: "Deno", nothing: [deno[0], "eval", "0"], run: [...deno, launcher] }
  ] as const

export const startup: Section = {
  name: "startup",
  run: Effect.gen(function* () {
    const { archive, contenders, deno, launcher } = yield* Workbench
    const { command, commandOnBun, commandOnDeno, commandOnNewestNode } = contenders
    const entered = yield* archive(mebibyte)
    const uploads = yield* contest(
      [command, commandOnNewestNode, commandOnBun, commandOnDeno].map((contender) => ({
        contender,
        archive: entered
      }))
    )
    const rows = yield* Effect.forEach(runtimesOf(launcher, deno), ({ name, nothing, run }, index) =>
      Effect.gen(function* () {
        const reference = yield* wallMillis(nothing)
        const version = yield* wallMillis([...run, "--version"])
        const help = yield* wallMillis([...run, "--help"])
        const refusal = yield* wallMillis([...run, "upload", "--no-such-option"], exitCodes.usage)
        const connected = Either.flatMap(
          Either.fromNullable(uploads[index], () => ({ message: "it was not run" })),
          ({ outcome }) =>
            Either.map(
              Either.mapLeft(outcome, (message) => ({ message })),
              untilConnected
            )
        )
        const beside = Either.match({
          onLeft: ({ message }: { readonly message: string }) => message,
          onRight: (millis: number) =>
            Either.match(reference, {
              onLeft: () => formatMillis(millis),
              onRight: (least) => `${formatMillis(millis)} (${formatRatio(millis / least)})`
            })
        })
        const least = Either.match(reference, { onLeft: ({ message }) => message, onRight: formatMillis })
        return [name, least, beside(version), beside(help), beside(refusal), beside(connected)]
      })
    )
    return {
      markdown: markdownTable(
        [
          "runtime",
          "a program of nothing",
          "`--version`",
          "`--help`",
          "error of usage",
          "`upload`: first connection"
        ],
        rows
      )
    }
  })
}
