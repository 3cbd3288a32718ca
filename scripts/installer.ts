/**
 * Our verdicts on plugins beside those of an installer that nobody here wrote:
 * `npm run test:installer [-- --write] [--keep DIR] [--seed N] [--each N]`.
 *
 * The archives of the tests, those of every ZIP tool that is here, and many that were crafted or damaged at random go to
 * the JDK and to us. Ours may not be milder; it may be harsher for the reasons in `installer/harsher.ts`. Without a JDK
 * nothing is judged, which is said and is no failure. With `--write` the table of tools goes into `docs/archives.md`;
 * without, it has to be there already.
 */

import * as Command from "@effect/cli/Command"
import * as Options from "@effect/cli/Options"
import * as FileSystem from "@effect/platform/FileSystem"
import * as Path from "@effect/platform/Path"
import * as NodeContext from "@effect/platform-node/NodeContext"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Arr from "effect/Array"
import * as Cause from "effect/Cause"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Archive from "../src/archive/Archive.ts"
import * as ArchiveInspection from "../src/archive/ArchiveInspection.ts"
import { describe, disagreements, type Judged, unused } from "./installer/comparison.ts"
import { crafted } from "./installer/crafted.ts"
import { reasons } from "./installer/harsher.ts"
import { InstallerRunFailed } from "./installer/InstallerRunFailed.ts"
import { markdown } from "./installer/mistakes.ts"
import { mutationsOf } from "./installer/mutations.ts"
import * as oracle from "./installer/oracle.ts"
import * as page from "./installer/page.ts"
import { origins, type Sample } from "./installer/sample.ts"
import { suite } from "./installer/suite.ts"
import { isHere, missing, pack, writers } from "./installer/tools.ts"

/** As many as have to be judged beside those of the tests. */
const fewestGenerated = 500

const options = {
  write: Options.boolean("write").pipe(
    Options.withDescription("Put what was found into docs/archives.md; every tool has to be here.")
  ),
  keep: Options.directory("keep", { exists: "no" }).pipe(
    Options.optional,
    Options.withDescription("Leave the archives in this new folder, numbered as in the output.")
  ),
  seed: Options.integer("seed").pipe(
    Options.withDefault(1),
    Options.withDescription("For other random archives than usual.")
  ),
  each: Options.integer("each").pipe(
    Options.withDefault(3),
    Options.withDescription("How often each sound archive is damaged. 3 unless given.")
  )
}

const witnesses = reasons.map(
  ({ code, witness }, index): Sample => ({
    name: `the witness for ${code}, the ${index}th reason`,
    origin: "crafted",
    bytes: witness
  })
)

/** All samples as both see them, in order. */
const judge = (samples: ReadonlyArray<Sample>, folder: string) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const path = yield* Path.Path
    const files = samples.map((_, index) => path.join(folder, `${index}.zip`))
    yield* Effect.forEach(Arr.zip(files, samples), ([file, { bytes }]) => fs.writeFile(file, bytes), {
      discard: true
    })
    const inspections = Effect.forEach(files, (file) =>
      ArchiveInspection.inspect(Archive.file(file), { expected: { type: "plugin" } })
    )
    const [theirs, ours] = yield* Effect.all([oracle.judge(files), inspections], { concurrency: 2 })
    return Arr.zipWith(
      Arr.zip(theirs, ours),
      samples,
      ([verdict, inspection], sample): Judged => ({
        sample,
        verdict,
        inspection
      })
    )
  })

const run = ({ each, folder, seed, write }: { folder: string; each: number; seed: number; write: boolean }) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const path = yield* Path.Path
    const absent = yield* missing
    if (write && absent.length > 0)
      return yield* new InstallerRunFailed({ message: `--write takes ${absent.join(", ")}` })
    const present = writers.filter(({ command }) => !Option.exists(command, (one) => absent.includes(one)))
    const jdk = yield* oracle.version
    const isStrict = jdk.release < oracle.milderFrom
    yield* Console.log(`The oracle is ${jdk.name}.`)
    if (!isStrict) yield* aloud(`${page.page} IS NOT CHECKED: that takes a JDK before ${oracle.milderFrom}`)
    if (write && !isStrict)
      return yield* new InstallerRunFailed({ message: `--write takes a JDK before ${oracle.milderFrom}` })
    if (absent.length > 0) yield* aloud(`LEFT OUT, for they are not installed: ${absent.join(", ")}`)

    const [ofTests, packed] = yield* Effect.all(
      [suite(path.join(folder, "tests")), pack(present, path.join(folder, "tools"))],
      { concurrency: 2 }
    )
    const fromTools = packed.map(({ sample }) => sample)
    const made = crafted({ seed, each: 200 })
    const sound = packed.filter(({ writer }) => Option.isNone(writer.instead)).map(({ sample }) => sample)
    const damaged = mutationsOf(sound, { seed, each })
    const samples = [...ofTests, ...witnesses, ...fromTools, ...made, ...damaged]
    const judged = yield* judge(samples, folder)

    const found = judged.flatMap((one, index) =>
      disagreements(one, reasons).map(
        (disagreement) => `${index}.zip, ${one.sample.name}: ${describe(disagreement)}`
      )
    )
    const idle = unused(judged, reasons).map(
      ({ code, says }) =>
        `installer/harsher.ts: the witness does not need the reason for ${code} ${says ?? ""}`
    )
    const rows = page.rows(judged, packed)
    const odd = rows
      .filter(page.isOdd)
      .map((row) => `installer/: a way out is missing, or not needed: ${page.render(row)}`)
    yield* Console.log(summary(judged))
    const messages = yield* markdown
    if (write) yield* page.write(rows, messages)
    const text = yield* fs.readFileString(page.page)
    const wrong = isStrict ? [...odd, ...page.differences(text, rows, messages, absent)] : []
    const problems = [...found, ...idle, ...wrong]
    for (const problem of problems) yield* Console.error(problem)

    const generated = judged.filter(({ sample }) => sample.origin !== "suite").length
    if (generated < fewestGenerated)
      return yield* new InstallerRunFailed({ message: `only ${generated} generated archives` })
    if (problems.length > 0) return yield* new InstallerRunFailed({ message: `${problems.length} problems` })
  })

const summary = (judged: ReadonlyArray<Judged>): string =>
  origins
    .map((origin) => {
      const ofOrigin = judged.filter(({ sample }) => sample.origin === origin)
      const refused = ofOrigin.filter(({ verdict }) => verdict._tag === "Refused").length
      const stopped = ofOrigin.filter(({ inspection }) => inspection.errors.length > 0).length
      return `${origin}: ${ofOrigin.length} archives, ${refused} refused by the oracle, ${stopped} by us`
    })
    .join("\n")

/** So that nobody takes it for a pass. */
const aloud = (text: string) => Console.error(`\n${"!".repeat(72)}\n!!! ${text}\n${"!".repeat(72)}\n`)

const main = Command.make("installer", options, ({ each, keep, seed, write }) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const absent = yield* Effect.filter(oracle.needs, (program) => Effect.negate(isHere(program)))
    if (absent.length > 0) {
      const what = `SKIPPED, no archive was judged: ${absent.join(" and ")} not found`
      return yield* aloud(`${what}. Debian has it in default-jdk-headless.`)
    }
    if (Option.isSome(keep)) yield* fs.makeDirectory(keep.value, { recursive: true })
    const folder = Option.isSome(keep)
      ? keep.value
      : yield* fs.makeTempDirectoryScoped({ prefix: "installer-" })
    yield* run({ folder, each, seed, write })
  }).pipe(
    Effect.scoped,
    Effect.tapError(({ message }) => Console.error(message)),
    Effect.tapDefect((cause) => Console.error(Cause.pretty(cause)))
  )
)

Command.run(main, { name: "installer", version: "0.1.0" })(process.argv).pipe(
  Effect.provide(NodeContext.layer),
  NodeRuntime.runMain({ disableErrorReporting: true })
)
