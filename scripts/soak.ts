/**
 * Uploads without a pause on each runtime, while one request in five is hit by a fault: `npm run soak`.
 *
 *   -- --seconds 20        on each runtime, instead of 180
 *   -- --at-a-time 50      uploads at once, instead of 200
 *   -- --only bun          one runtime
 *   -- --write             puts the figures into docs/reliability.md
 *
 * Every upload has to end with a receipt or a typed error, every extension has to hold what was proved last, and the process
 * has to have no more open files, sockets and listeners than before, and no heap that grows.
 */
import { availableParallelism, platform } from "node:os"
import { join } from "node:path"
import * as CliCommand from "@effect/cli/Command"
import * as Options from "@effect/cli/Options"
import * as Command from "@effect/platform/Command"
import * as FileSystem from "@effect/platform/FileSystem"
import * as NodeContext from "@effect/platform-node/NodeContext"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Array as Arr, Cause, Console, Data, Effect, Option, Schedule, Schema, Stream } from "effect"
import * as Fault from "../src/testing/Fault.ts"
import * as LocalElasticCloud from "../src/testing/LocalElasticCloud.ts"
import { root, runtimes } from "./runtimes/columns.ts"
import { complaintsOf, type Ended, Line, type Soaked, tableOf, type Usage } from "./soak/report.ts"
import { fillMarks } from "./support/docs/marks.ts"

class SoakFailed extends Data.TaggedError("SoakFailed")<{ readonly message: string }> {}

const programs = {
  node: { name: "Node", command: [...runtimes.node.command, "--expose-gc", "--import", "tsx"] },
  bun: { name: "Bun", command: [...runtimes.bun.command] },
  deno: {
    name: "Deno",
    // Nothing less lets it read what the process has open.
    command: [runtimes.deno.command[0], "run", "--no-prompt", "--allow-all", "--v8-flags=--expose-gc"]
  }
} as const

/** What one request in five meets, in turn. */
const faults: ReadonlyArray<Fault.Fault> = [
  Fault.cut({ afterBodyBytes: 3000 }, "reset"),
  Fault.cut("applied"),
  Fault.refuse(503, "root.unavailable"),
  Fault.cut("arrival", "end"),
  Fault.delay(300),
  Fault.cutAnswer(20),
  Fault.retryAfter(429, 0),
  Fault.answer({ status: 502, headers: { "content-type": "text/html" }, body: "<html>Bad gateway</html>" })
]

/** Keeps requests planned ahead, as many as `rate` a second would need. */
const planFaults = (cloud: LocalElasticCloud.LocalElasticCloudService, count: number) =>
  Effect.forEach(
    Arr.range(1, count),
    (n) => {
      const fault = n % 5 === 0 ? faults[(n / 5) % faults.length] : undefined
      return cloud.plan({ method: "PUT", fault: fault === undefined ? [] : [fault] })
    },
    { discard: true }
  )

const soak = Effect.fnUntraced(function* (
  program: keyof typeof programs,
  { atATime, seconds }: { readonly atATime: number; readonly seconds: number }
) {
  const {
    command: [executable, ...args],
    name
  } = programs[program]
  const cloud = yield* LocalElasticCloud.make({ resumable: {} })
  const seeded = yield* Effect.forEach(Arr.range(1, atATime), (n) =>
    cloud.seed({ name: `words-${n}`, extension_type: "bundle", version: "*" })
  )
  yield* planFaults(cloud, 400)
  yield* Effect.forkScoped(
    Effect.schedule(
      cloud.clearRequests.pipe(Effect.zipRight(cloud.clearPlan), Effect.zipRight(planFaults(cloud, 400))),
      Schedule.spaced("1 second")
    )
  )
  const lines = yield* Command.make(executable, ...args, join(root, "scripts/soak/soakProcess.ts")).pipe(
    Command.env({
      ...cloud.variables,
      SOAK_SECONDS: String(seconds),
      SOAK_EXTENSIONS: seeded.map(({ id }) => id).join(","),
      EC_UPLOAD_RETRY_BASE_DELAY: "20 millis",
      EC_UPLOAD_RETRY_MAX_DELAY: "500 millis",
      EC_UPLOAD_RECONCILE_WINDOW: "200 millis"
    }),
    Command.workingDirectory(root),
    Command.stderr("inherit"),
    Command.streamLines,
    Stream.mapEffect((line) => Schema.decode(Line)(line)),
    Stream.runCollect,
    Effect.timeoutFail({
      duration: (seconds + 300) * 1000,
      onTimeout: () => new SoakFailed({ message: `${name}: it never ended` })
    })
  )
  const all = Arr.fromIterable(lines)
  const ended = all.filter((line): line is Ended => line._tag === "Ended")
  const usage = (tag: Usage["_tag"]) =>
    Option.getOrThrowWith(
      Arr.findFirst(all, (line): line is Usage => line._tag === tag),
      () => new SoakFailed({ message: `${name} told nothing of what it uses` })
    )
  const mixedUp = yield* Effect.filter(seeded, ({ id }) =>
    Effect.map(cloud.extension(id), (held) => {
      const last = ended.filter(({ extensionId }) => extensionId === id).at(-1)
      const isProved = last?.proof === "hash"
      return isProved && Option.getOrUndefined(held)?.file?.sha256 !== last.sha256
    })
  )
  const soaked: Soaked = {
    name,
    ended,
    before: usage("Before"),
    after: usage("After"),
    mixedUp: mixedUp.map(({ id }) => id)
  }
  return soaked
}, Effect.scoped)

const command = CliCommand.make(
  "soak",
  {
    seconds: Options.integer("seconds").pipe(Options.withDefault(180)),
    atATime: Options.integer("at-a-time").pipe(Options.withDefault(200)),
    only: Options.choice("only", ["node", "bun", "deno"]).pipe(Options.optional),
    write: Options.boolean("write")
  },
  ({ only, write, ...options }) =>
    Effect.gen(function* () {
      const chosen = Option.match(only, {
        onNone: () => ["node", "bun", "deno"] as const,
        onSome: (one) => [one] as const
      })
      const all = yield* Effect.forEach(chosen, (program) =>
        Effect.tap(soak(program, options), (soaked) => Console.error(tableOf([soaked])))
      )
      const machine = `${options.atATime} uploads at a time for ${options.seconds} s, one PUT in five with a fault; ${availableParallelism()} processors, ${platform()}.`
      const figures = `${machine}\n\n${tableOf(all)}`
      yield* Console.log(figures)
      const complaints = all.flatMap(complaintsOf)
      if (complaints.length > 0) return yield* new SoakFailed({ message: complaints.join("\n") })
      const fs = yield* FileSystem.FileSystem
      const page = join(root, "docs/reliability.md")
      if (write && (yield* fs.exists(page))) yield* fillMarks(page, [["soak", figures]])
    }).pipe(Effect.tapErrorCause((cause) => Console.error(Cause.pretty(cause))))
)

CliCommand.run(command, { name: "soak", version: "0.1.0" })(process.argv).pipe(
  Effect.provide(NodeContext.layer),
  (effect) => NodeRuntime.runMain(effect, { disableErrorReporting: true })
)
