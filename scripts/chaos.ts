/**
 * Runners that share nothing but a PostgreSQL, to which everything happens that can happen to machines: `npm run chaos`.
 *
 *   -- --minutes 2         instead of 10
 *   -- --seed 42           does the same things to the same runners again
 *   -- --runners 5         instead of 3
 *   -- --quick             notices in seconds what is lost, and so has more happen in the same time
 *
 * Every release has to be applied once, in the order of its extension, with its own content, announced under one key, and
 * none may be lost, stuck, or sent whole twice. If that is not so, the logs of the runners are kept under `build/chaos`.
 */
import * as Command from "@effect/cli/Command"
import * as Options from "@effect/cli/Options"
import * as FileSystem from "@effect/platform/FileSystem"
import * as NodeContext from "@effect/platform-node/NodeContext"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Clock, Console, Data, Duration, Effect, Layer, Logger, Option } from "effect"
import * as LocalElasticCloud from "../src/testing/LocalElasticCloud.ts"
import { type ChaosReport, chaos, layerPrograms } from "../test/support/workflow/chaos.ts"
import { markdownTable } from "./bench/format.ts"

class ChaosWon extends Data.TaggedError("ChaosWon")<{ readonly message: string }> {}

const tableOf = ({ counts }: ChaosReport) =>
  markdownTable(
    ["what", "how often"],
    [...counts]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([what, count]) => [what, count.toLocaleString("en")])
  )

const options = {
  minutes: Options.float("minutes").pipe(Options.withDefault(10)),
  seed: Options.text("seed").pipe(Options.optional),
  runners: Options.integer("runners").pipe(Options.withDefault(3)),
  quick: Options.boolean("quick")
}

const command = Command.make("chaos", options, ({ minutes, quick, runners, seed: given }) =>
  Effect.gen(function* () {
    const seed = yield* Option.match(given, {
      onNone: () => Effect.map(Clock.currentTimeMillis, String),
      onSome: Effect.succeed
    })
    yield* Console.log(`seed ${seed}, ${minutes} minutes, ${runners} runners${quick ? ", quick" : ""}`)
    const report = yield* chaos({ seed, runners, quick, storm: Duration.minutes(minutes) })
    yield* Console.log(tableOf(report))
    if (report.violations.length > 0) {
      const fs = yield* FileSystem.FileSystem
      const folder = `build/chaos/${seed}`
      yield* fs.makeDirectory(folder, { recursive: true })
      yield* Effect.forEach(report.logs, ([machine, output], index) =>
        fs.writeFileString(`${folder}/${index}-${machine}.log`, output)
      )
      return yield* new ChaosWon({ message: [`Seed ${seed}:`, ...report.violations].join("\n") })
    }
  }).pipe(
    Effect.scoped,
    Effect.provide(
      Layer.merge(LocalElasticCloud.layer({ resumable: { progressEveryBytes: 64 * 1024 } }), layerPrograms)
    ),
    Effect.tapErrorCause((cause) => Console.error(String(cause)))
  )
)

Command.run(command, { name: "chaos", version: "0.1.0" })(process.argv).pipe(
  Effect.provide(NodeContext.layer),
  Effect.provide(Logger.remove(Logger.defaultLogger)),
  (effect) => NodeRuntime.runMain(effect, { disableErrorReporting: true })
)
