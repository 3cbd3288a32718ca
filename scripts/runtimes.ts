/**
 * Runs the whole suite on every runtime, with the source and with the built modules:
 * `npm run test:runtimes [-- --only RUNTIME] [--subject source|built] [--write] [PART OF A FILE NAME…]`.
 *
 * `runtimes/exclusions.ts` lists what cannot run somewhere, with the reason. Any other failure fails the run, and so does an
 * entry that is no longer needed. With `--write` the tables go into `docs/runtimes.md`; with `--only` as well, only the
 * row of that runtime.
 */
import * as Args from "@effect/cli/Args"
import * as Command from "@effect/cli/Command"
import * as Options from "@effect/cli/Options"
import * as FileSystem from "@effect/platform/FileSystem"
import * as NodeContext from "@effect/platform-node/NodeContext"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { runtimeNames, runtimes, subjectNames } from "./runtimes/columns.ts"
import { run, versionOf } from "./runtimes/run.ts"
import { type Column, matrix, outdated, reasons, unexpected } from "./runtimes/table.ts"
import { fillMarks } from "./support/docs/marks.ts"

class RunFailed extends Schema.TaggedError<RunFailed>()("RunFailed", { message: Schema.String }) {}

const page = "docs/runtimes.md"

const options = {
  only: Options.choice("only", runtimeNames).pipe(
    Options.optional,
    Options.withDescription("One runtime instead of all.")
  ),
  subject: Options.choice("subject", subjectNames).pipe(
    Options.optional,
    Options.withDescription("The source or the built modules instead of both.")
  ),
  write: Options.boolean("write").pipe(Options.withDescription("Put the tables into docs/runtimes.md.")),
  filters: Args.repeated(Args.text({ name: "file" }))
}

const problemsOf = (column: Column, isWhole: boolean): ReadonlyArray<string> => [
  ...unexpected(column).map(({ file, message, test }) => `${file} > ${test}\n    ${message}`),
  ...(isWhole ? outdated(column) : []).map(
    ({ file, tests }) => `${file} > ${tests.source} passes now: take it from the exclusions`
  )
]

const main = Command.make("runtimes", options, ({ filters, only, subject, write }) =>
  Effect.gen(function* () {
    const isWhole = filters.length === 0 && Option.isNone(subject)
    if (write && !isWhole) {
      return yield* new RunFailed({ message: "--write needs all tests of a runtime" })
    }
    const columns: Array<Column> = []
    let problems = 0
    for (const runtime of Option.match(only, { onNone: () => runtimeNames, onSome: (one) => [one] })) {
      const version = yield* versionOf(runtime)
      for (const form of Option.match(subject, { onNone: () => subjectNames, onSome: (one) => [one] })) {
        const column = { runtime, version, subject: form, results: yield* run(runtime, form, filters) }
        const found = problemsOf(column, filters.length === 0)
        columns.push(column)
        problems += found.length
        yield* Console.log(
          [`${runtimes[runtime].name} ${version}, ${form}: ${column.results.length} tests`, ...found].join(
            "\n  "
          )
        )
      }
    }
    const before = yield* Effect.flatMap(FileSystem.FileSystem, (fs) => fs.readFileString(page))
    const rows = matrix(columns, before)
    yield* Console.log(`\n${rows}\n\n${reasons(columns)}`)
    if (problems > 0) return yield* new RunFailed({ message: `${problems} problems, and nothing written` })
    if (write) yield* fillMarks(page, [["matrix", rows]])
    // One runtime alone does not know the reasons of the others.
    if (write && Option.isNone(only)) yield* fillMarks(page, [["reasons", reasons(columns)]])
  }).pipe(Effect.tapError(({ message }) => Console.error(message)))
)

Command.run(main, { name: "runtimes", version: "0.1.0" })(process.argv).pipe(
  Effect.provide(NodeContext.layer),
  NodeRuntime.runMain({ disableErrorReporting: true })
)
