/**
 * Measures durable releases: what an engine adds to one, how many a minute on 1, 2 and 4 runners, what PostgreSQL sees of
 * them, and a runner on a full database. `npm run bench:workflow [-- --quick] [--write]`; `--write` puts the tables into `docs/workflow-scale.md`.
 */
import * as Command from "@effect/cli/Command"
import * as Options from "@effect/cli/Options"
import * as NodeContext from "@effect/platform-node/NodeContext"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import { bundleRunner, clusterRun } from "./bench-workflow/cluster.ts"
import { overhead } from "./bench-workflow/overhead.ts"
import { scaleRun } from "./bench-workflow/scale.ts"
import * as Tables from "./bench-workflow/tables.ts"
import { fillMarks } from "./support/docs/marks.ts"

const runners = [1, 2, 4] as const
/** How long the server takes to read an archive, in the runs where the line is what takes the time. */
const slow = 2

const options = {
  quick: Options.boolean("quick").pipe(Options.withDescription("A tenth of the releases: good for a look.")),
  write: Options.boolean("write").pipe(Options.withDescription("Put the tables into docs/workflow-scale.md."))
}

const bench = Command.make("bench-workflow", options, ({ quick, write }) =>
  Effect.gen(function* () {
    const releases = quick ? 40 : 400
    const program = yield* bundleRunner
    const tables: Array<readonly [section: string, markdown: string]> = []
    const tell = (section: string, markdown: string) => {
      tables.push([section, markdown])
      return Console.log(`\n## ${section}\n\n${markdown}`)
    }
    yield* tell("overhead", Tables.overhead(yield* overhead(quick ? 5 : 40)))
    const small = yield* Effect.forEach(runners, (count) => clusterRun({ program, runners: count, releases }))
    yield* tell("small", Tables.throughput(small))
    yield* tell("processor", Tables.processor(small))
    yield* tell("database", Tables.database(small))
    const waiting = yield* Effect.forEach(runners, (count) =>
      clusterRun({ program, runners: count, releases: releases / 4, slow })
    )
    yield* tell("waiting", Tables.throughput(waiting))
    const [first] = small
    yield* tell("days", Tables.days(first, [1_000, 10_000, 100_000]))
    const [finished, held] = quick ? [10_000, 1_000] : [100_000, 10_000]
    yield* tell("full", Tables.scale(yield* scaleRun(program, finished, held)))
    if (write) yield* fillMarks("docs/workflow-scale.md", tables)
  }).pipe(Effect.scoped)
)

Command.run(bench, { name: "bench-workflow", version: "0.1.0" })(process.argv).pipe(
  Effect.provide(NodeContext.layer),
  Effect.provide(Logger.remove(Logger.defaultLogger)),
  NodeRuntime.runMain({ disablePrettyLogger: true })
)
