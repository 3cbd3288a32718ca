/**
 * Measures uploads: `npx tsx scripts/bench.ts [--quick] [--runs N] [--size 1GiB] [--only SECTION] [--write] [--out DIR]`.
 *
 * Prints a table for each section as it is done; with `--write` also puts them into `docs/performance.md` and draws
 * `docs/performance.svg`. That page says how everything is measured.
 */
import * as Command from "@effect/cli/Command"
import * as Options from "@effect/cli/Options"
import * as ValidationError from "@effect/cli/ValidationError"
import * as NodeContext from "@effect/platform-node/NodeContext"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Cause from "effect/Cause"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { describeMachine, write } from "./bench/document.ts"
import { sections } from "./bench/sections/all.ts"
import type { Figures, Section } from "./bench/sections/section.ts"
import { Workbench } from "./bench/workbench.ts"

const units = { KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3 } as const

const Size = Schema.TemplateLiteralParser(
  Schema.compose(Schema.NumberFromString, Schema.Positive),
  Schema.Literal("KiB", "MiB", "GiB")
).annotations({ message: () => ({ message: "Expected a size such as 64MiB or 1GiB", override: true }) })

const options = {
  quick: Options.boolean("quick").pipe(
    Options.withDescription("64 MiB and one run: under a minute, and good for nothing but a look.")
  ),
  runs: Options.integer("runs").pipe(
    Options.withSchema(Schema.Positive),
    Options.optional,
    Options.withDescription("Runs of each contender, 5 unless given.")
  ),
  size: Options.text("size").pipe(
    Options.withSchema(Size),
    Options.map(([amount, unit]) => Math.round(amount * units[unit])),
    Options.optional,
    Options.withDescription("Payload of the archive, such as 256MiB. 1GiB unless given.")
  ),
  only: Options.choiceWithValue(
    "only",
    sections.map((section) => [section.name, section])
  ).pipe(Options.optional, Options.withDescription("One section alone.")),
  write: Options.boolean("write").pipe(
    Options.withDescription("Put the figures into performance.md and draw performance.svg.")
  ),
  out: Options.directory("out", { exists: "yes" }).pipe(
    Options.withDefault("docs"),
    Options.withDescription("The folder of performance.md.")
  )
}

const figuresOf = (section: Section) =>
  Effect.gen(function* () {
    yield* Effect.logDebug(section.name)
    const figures = yield* Effect.catchTag(section.run, "DiskTooFull", ({ message }) =>
      Effect.succeed<Figures>({ markdown: message })
    )
    yield* Console.log(`\n## ${section.name}\n\n${figures.markdown}`)
    return [section.name, figures] as const
  })

const bench = Command.make("bench", options, ({ only, out, quick, runs, size, write: isWritten }) =>
  Effect.gen(function* () {
    const plan = {
      runs: Option.getOrElse(runs, () => (quick ? 1 : 5)),
      size: Option.getOrElse(size, () => (quick ? 64 * units.MiB : units.GiB))
    }
    const machine: Figures = { markdown: describeMachine(plan) }
    yield* Console.log(machine.markdown)
    const chosen = Option.match(only, { onNone: () => sections, onSome: (section) => [section] })
    const figures = yield* Effect.forEach(chosen, figuresOf).pipe(Effect.provide(Workbench.layer(plan)))
    if (isWritten) yield* write(out, [["machine", machine], ...figures])
  })
).pipe(Command.withDescription("Measures uploads against other programs that upload."))

const run = Command.run(bench, { name: "bench", version: "0" })

/** Progress goes to standard error, so that standard output holds only the tables. */
const Progress = Layer.merge(
  Logger.replace(Logger.defaultLogger, Logger.withConsoleError(Logger.make(({ message }) => message))),
  Logger.minimumLogLevel(LogLevel.Debug)
)

const program = run(process.argv).pipe(
  // The command line has already said what is wrong with it.
  Effect.tapErrorCause((cause) =>
    Option.exists(Cause.failureOption(cause), ValidationError.isValidationError)
      ? Effect.void
      : Console.error(Cause.pretty(cause))
  ),
  Effect.provide(Layer.merge(NodeContext.layer, Progress))
)

NodeRuntime.runMain(program, { disableErrorReporting: true })
