/**
 * Uploads on every runtime while the machine's clock is set by an hour in either direction: `npm run test:clocks`.
 *
 * It needs libfaketime (`apt-get install faketime`), which changes what a process takes for the time of day and leaves the
 * monotonic clock alone, as a person, NTP or a resumed virtual machine does. Each upload has to end as it would have,
 * with the same limits: an archive that arrives is verified and took as long as it took, and a silent server is given up.
 */
import { randomBytes } from "node:crypto"
import { join } from "node:path"
import { buffer } from "node:stream/consumers"
import * as Command from "@effect/platform/Command"
import * as FileSystem from "@effect/platform/FileSystem"
import * as NodeContext from "@effect/platform-node/NodeContext"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Console, Data, Effect, Either, Schema } from "effect"
import * as Yazl from "yazl"

import * as Fault from "../src/testing/Fault.ts"
import * as LocalElasticCloud from "../src/testing/LocalElasticCloud.ts"
import * as Monotonic from "../src/transfer/Monotonic.ts"
import { root, runtimes } from "./runtimes/columns.ts"

class ClockTestFailed extends Data.TaggedError("ClockTestFailed")<{ readonly message: string }> {}

const library = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1"

const programs = {
  Node: [...runtimes.node.command, "--import", "tsx"],
  Bun: [...runtimes.bun.command],
  Deno: [...runtimes.deno.command]
}

/** With `--json --quiet` a command prints one line: its receipt, or its error. */
const Outcome = Schema.parseJson(
  Schema.Struct({
    _tag: Schema.String,
    proof: Schema.optional(Schema.String),
    durationMillis: Schema.optionalWith(Schema.Number, { default: () => Number.NaN })
  })
)

interface Scenario {
  readonly name: string
  readonly faults: ReadonlyArray<Fault.Fault>
  readonly variables: Readonly<Record<string, string>>
  readonly isRight: (outcome: typeof Outcome.Type, tookMillis: number) => boolean
}

const size = 3_000_000

const scenarios: ReadonlyArray<Scenario> = [
  {
    name: "an upload at a limited rate",
    faults: [],
    variables: { EC_UPLOAD_BANDWIDTH: "1MB/s", EC_UPLOAD_STALL_TIMEOUT: "30s" },
    isRight: (outcome, took) =>
      outcome._tag === "Uploaded" &&
      outcome.proof === "hash" &&
      outcome.durationMillis >= 2000 &&
      outcome.durationMillis <= took
  },
  {
    name: "a server that falls silent",
    faults: [Fault.hang("body")],
    variables: { EC_UPLOAD_RESPONSE_TIMEOUT: "5s", EC_UPLOAD_STALL_TIMEOUT: "5s", EC_UPLOAD_RETRIES: "0" },
    isRight: (outcome, took) => outcome._tag === "UploadStalled" && took >= 5000 && took < 120_000
  }
]

const archive = Effect.promise(() => {
  const zip = new Yazl.ZipFile()
  zip.addBuffer(randomBytes(size), "dictionaries/words.dic", { compress: false })
  zip.end()
  return buffer(zip.outputStream)
})

const upload = Effect.fnUntraced(function* (
  [executable, ...args]: ReadonlyArray<string>,
  jump: string,
  scenario: Scenario
) {
  const fs = yield* FileSystem.FileSystem
  const folder = yield* fs.makeTempDirectoryScoped({ prefix: "clocks-" })
  yield* fs.writeFile(join(folder, "words.zip"), yield* archive)
  const clock = join(folder, "clock")
  yield* fs.writeFileString(clock, "+0")
  const cloud = yield* LocalElasticCloud.make()
  const { id } = yield* cloud.seed({ name: "words", extension_type: "bundle", version: "*" })
  const setClock = Effect.orDie(fs.writeFileString(clock, jump))
  yield* cloud.plan({
    method: "PUT",
    fault: [Fault.run({ afterBodyBytes: size / 2 }, setClock), ...scenario.faults]
  })
  const stopwatch = yield* Monotonic.stopwatch
  const words = [join(root, "src/cli/bin.ts"), "upload", id, join(folder, "words.zip"), "--json", "--quiet"]
  const out = yield* Command.make(executable ?? "", ...args, ...words).pipe(
    Command.env({
      ...cloud.variables,
      ...scenario.variables,
      EC_UPLOAD_JOURNAL: join(folder, "journal"),
      LD_PRELOAD: library,
      FAKETIME_TIMESTAMP_FILE: clock,
      FAKETIME_NO_CACHE: "1",
      FAKETIME_DONT_FAKE_MONOTONIC: "1"
    }),
    Command.workingDirectory(root),
    Command.string
  )
  const took = yield* stopwatch
  const outcome = Either.getOrUndefined(Schema.decodeEither(Outcome)(out.trim()))
  return outcome !== undefined && scenario.isRight(outcome, took)
    ? `ok     ${took} ms`
    : yield* new ClockTestFailed({ message: `after ${took} ms: ${out}` })
})

const program = Effect.gen(function* () {
  const fs = yield* FileSystem.FileSystem
  if (!(yield* fs.exists(library))) {
    return yield* new ClockTestFailed({ message: "There is no libfaketime: apt-get install faketime" })
  }
  let failures = 0
  for (const [name, command] of Object.entries(programs)) {
    for (const jump of ["-1h", "+1h"]) {
      for (const scenario of scenarios) {
        const result = yield* upload(command, jump, scenario).pipe(
          Effect.scoped,
          Effect.timeoutFail({
            duration: "3 minutes",
            onTimeout: () => new ClockTestFailed({ message: "it never ended" })
          }),
          Effect.catchTag("ClockTestFailed", ({ message }) => {
            failures += 1
            return Effect.succeed(`FAILED ${message}`)
          })
        )
        yield* Console.log(`${name}, clock set by ${jump}, ${scenario.name}: ${result}`)
      }
    }
  }
  if (failures > 0) return yield* new ClockTestFailed({ message: `${failures} uploads noticed the clock` })
}).pipe(Effect.tapErrorTag("ClockTestFailed", ({ message }) => Console.error(message)))

NodeRuntime.runMain(Effect.provide(program, NodeContext.layer), { disableErrorReporting: true })
