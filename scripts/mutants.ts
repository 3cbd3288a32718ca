/**
 * Changes the source in small ways, and counts which changes the tests notice: `npm run mutants`.
 *
 *   -- --folder upload     one folder, instead of six
 *   -- --mutants 60        at least so many in each, instead of 40
 *   -- --seed 42           other places; the same seed means the same ones
 *   -- --again             only what was not killed in the last run, and places that are new; the rest is taken from there
 *   -- --only figures      what the last runs have found, of each folder and of the mistakes; nothing is run
 *   -- --tests <file>      these test files alone (more than once), where they are meant to notice what survived
 *   -- --concurrency 1     so many at a time, instead of one for each processor
 *   -- --write             puts the figures into docs/reliability.md
 *
 * Before that it makes mistakes that were made, or nearly, one after the other: each has a test that has to fail.
 *
 * The changes are of logic only: conditions, comparisons, calculations, calls left out, blocks emptied. Texts, regular
 * expressions, lists and objects stay as they are: most of such changes show in a message alone, and tests that held each
 * word of each message would be in the way of whoever improves one. An arrow function that returns nothing is left out as
 * well: the compiler refuses nearly all of them.
 */
import { availableParallelism } from "node:os"
import { join, relative } from "node:path"
import process from "node:process"
import * as CliCommand from "@effect/cli/Command"
import * as Options from "@effect/cli/Options"
import * as Command from "@effect/platform/Command"
import * as FileSystem from "@effect/platform/FileSystem"
import * as NodeContext from "@effect/platform-node/NodeContext"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Cause, Console, Data, Effect, Option, Schema } from "effect"
import { type Mistake, mistakes } from "./mutants/mistakes.ts"
import {
  figuresOf,
  isSettled,
  type Judged,
  listOf,
  Report,
  Verdicts,
  verdictsOf,
  withKilled
} from "./mutants/report.ts"
import { type Named, Places, rangeOf, sample } from "./mutants/sample.ts"
import { root } from "./runtimes/columns.ts"
import { fillMarks } from "./support/docs/marks.ts"

class MutantsFailed extends Data.TaggedError("MutantsFailed")<{ readonly message: string }> {}

const excluded = ["StringLiteral", "Regex", "ArrayDeclaration", "ObjectLiteral", "ArrowFunction"]

/** Folders of the source. The tests that hold what they promise are in the folder of the same name. */
const folders = ["transfer", "upload", "journal", "publish", "staging", "cloud"] as const

type Folder = (typeof folders)[number]

/** Tests that take minutes, or need processes of their own. */
const left = [
  "test/upload/ExtensionUpload.model.test.ts",
  "test/upload/UploadError.test.ts",
  "test/journal/UploadJournal.process.test.ts"
]

const here = join(root, "scripts/mutants")
const stryker = join(here, "node_modules/@stryker-mutator")
const work = join(root, "build/mutants")

const run = (command: string, ...args: ReadonlyArray<string>) =>
  Command.make(command, ...args).pipe(
    Command.workingDirectory(root),
    Command.stdout("inherit"),
    Command.stderr("inherit"),
    Command.exitCode
  )

const places = (files: ReadonlyArray<string>) =>
  Command.make("node", join(here, "places.mjs"), excluded.join(","), ...files).pipe(
    Command.workingDirectory(root),
    Command.string,
    Effect.flatMap(Schema.decode(Places))
  )

const filesIn = (folder: string, ending: string) =>
  Effect.flatMap(FileSystem.FileSystem, (fs) =>
    Effect.map(fs.readDirectory(join(root, folder), { recursive: true }), (names) =>
      names
        .filter((name) => name.endsWith(ending))
        .sort()
        .map((name) => `${folder}/${name}`)
    )
  )

interface Judging {
  readonly mutants: number
  readonly seed: number
  readonly again: boolean
  readonly concurrency: number
  readonly tests: ReadonlyArray<string>
}

/** What StrykerJS makes of the tests when it changes these places of a folder. */
const stryked = Effect.fnUntraced(function* (
  folder: Folder,
  chosen: ReadonlyArray<Named>,
  { concurrency, tests: named }: Pick<Judging, "concurrency" | "tests">
) {
  const fs = yield* FileSystem.FileSystem
  const tests = yield* filesIn(`test/${folder}`, ".test.ts")
  const [settings, report] = [join(work, `${folder}.config.json`), join(work, `${folder}.json`)]
  yield* fs.writeFileString(
    settings,
    JSON.stringify({
      testRunner: "vitest",
      plugins: [join(stryker, "vitest-runner/dist/src/index.js")],
      vitest: { configFile: "scripts/mutants/vitest.config.ts", related: false },
      testFiles: tests.filter((file) => !left.includes(file) && (named.length === 0 || named.includes(file))),
      mutate: chosen.map(rangeOf),
      mutator: { excludedMutations: excluded },
      coverageAnalysis: "perTest",
      ignoreStatic: true,
      concurrency,
      timeoutMS: 60_000,
      timeoutFactor: 2,
      dryRunTimeoutMinutes: 20,
      // Tests of memory count what is in use, and not what could be collected.
      testRunnerNodeArgs: ["--expose-gc"],
      reporters: ["progress-append-only", "json"],
      jsonReporter: { fileName: report },
      ignorePatterns: ["/build", "/dist", "/docs", "/coverage", ".git"],
      tempDirName: join(work, `${folder}.sandbox`),
      tsconfigFile: "none",
      disableTypeChecks: false
    })
  )
  yield* run("node", join(stryker, "core/bin/stryker.js"), "run", relative(root, settings)).pipe(
    Effect.filterOrFail(
      (code) => code === 0,
      (code) => new MutantsFailed({ message: `${folder}: StrykerJS ended with ${code}` })
    )
  )
  return verdictsOf(yield* Effect.flatMap(fs.readFileString(report), Schema.decode(Report)), chosen)
})

const verdictsFile = (folder: Folder) => join(work, `${folder}.verdicts.json`)

/** What the last run made of the places of a folder. */
const lastVerdicts = Effect.fnUntraced(function* (folder: Folder) {
  const fs = yield* FileSystem.FileSystem
  const file = verdictsFile(folder)
  return (yield* fs.exists(file))
    ? yield* Effect.flatMap(fs.readFileString(file), Schema.decode(Verdicts))
    : []
})

const sampleOf = (folder: Folder, { mutants, seed }: Pick<Judging, "mutants" | "seed">) =>
  filesIn(`src/${folder}`, ".ts").pipe(
    Effect.flatMap(places),
    Effect.map((all) => sample(all, mutants, `${seed} ${folder}`))
  )

/** What the tests make of the sampled places of a folder. What they made of each place is kept for the next run. */
const judge = Effect.fnUntraced(function* (folder: Folder, options: Judging) {
  const fs = yield* FileSystem.FileSystem
  yield* fs.makeDirectory(work, { recursive: true })
  const earlier = options.again ? yield* lastVerdicts(folder) : []
  const settled = earlier.filter(isSettled)
  const chosen = yield* sampleOf(folder, options)
  const open = chosen.filter(({ name }) => !settled.some((verdict) => verdict.name === name))
  const fresh = open.length === 0 ? [] : yield* stryked(folder, open, options)
  const known = new Map([...settled, ...withKilled(fresh, earlier)].map((verdict) => [verdict.name, verdict]))
  const verdicts = chosen.flatMap(({ name }) => known.get(name) ?? [])
  yield* fs.writeFileString(verdictsFile(folder), yield* Schema.encode(Verdicts)(verdicts))
  const judged: Judged = { folder, verdicts }
  return judged
})

/** The same as the last run has left it. */
const recall = Effect.fnUntraced(function* (folder: Folder, options: Judging) {
  const known = new Map((yield* lastVerdicts(folder)).map((verdict) => [verdict.name, verdict]))
  const verdicts = yield* Effect.forEach(yield* sampleOf(folder, options), ({ name }) =>
    Option.match(Option.fromNullable(known.get(name)), {
      onNone: () => new MutantsFailed({ message: `not judged yet, which --again does: ${name}` }),
      onSome: Effect.succeed
    })
  )
  const judged: Judged = { folder, verdicts }
  return judged
})

/** Makes one mistake in the source of a copy, and runs the test that has to fail. */
const tryMistake = Effect.fnUntraced(function* (copy: string, { file, find, name, replace, test }: Mistake) {
  const fs = yield* FileSystem.FileSystem
  const path = join(copy, file)
  const before = yield* fs.readFileString(path)
  if (before.split(find).length !== 2) {
    return yield* new MutantsFailed({ message: `${name}: ${file} does not hold this once: ${find}` })
  }
  const [testFile, testName] = test
  const vitest = [join(root, "node_modules/vitest/vitest.mjs"), "run", "--project", "suite", testFile]
  const code = yield* Effect.acquireUseRelease(
    fs.writeFileString(
      path,
      before.replace(find, () => replace)
    ),
    () =>
      Command.make("node", ...vitest, "-t", testName).pipe(Command.workingDirectory(copy), Command.exitCode),
    () => Effect.orDie(fs.writeFileString(path, before))
  )
  const isNoticed = code === 1
  yield* Console.log(`${isNoticed ? "noticed" : "UNNOTICED"}  ${name}`)
  return { name, isNoticed }
})

/** The source and its tests in a folder of their own, where mistakes harm nobody. */
const copied = Effect.gen(function* () {
  const fs = yield* FileSystem.FileSystem
  const copy = join(work, "copy")
  yield* fs.remove(copy, { recursive: true, force: true })
  yield* fs.makeDirectory(copy, { recursive: true })
  for (const name of ["src", "test", "examples", "scripts/support", "package.json", "vitest.config.ts"]) {
    yield* fs.makeDirectory(join(copy, name, ".."), { recursive: true })
    yield* fs.copy(join(root, name), join(copy, name))
  }
  yield* fs.symlink(join(root, "node_modules"), join(copy, "node_modules"))
  return copy
})

const Made = Schema.parseJson(Schema.Array(Schema.Struct({ name: Schema.String, isNoticed: Schema.Boolean })))
const madeFile = join(work, "mistakes.verdicts.json")

const tryMistakes = Effect.gen(function* () {
  const fs = yield* FileSystem.FileSystem
  const copy = yield* copied
  const made = yield* Effect.forEach(mistakes, (mistake) => tryMistake(copy, mistake))
  yield* fs.writeFileString(madeFile, yield* Schema.encode(Made)(made))
  return made
})

/** Of mistakes that were not made the figures say nothing. */
const recallMistakes = Effect.flatMap(FileSystem.FileSystem, (fs) =>
  Effect.if(fs.exists(madeFile), {
    onTrue: () => Effect.flatMap(fs.readFileString(madeFile), Schema.decode(Made)),
    onFalse: () => Effect.succeed([])
  })
)

const parts = ["mistakes", "folders", "figures"] as const

const command = CliCommand.make(
  "mutants",
  {
    folder: Options.choice("folder", folders).pipe(Options.optional),
    mutants: Options.integer("mutants").pipe(Options.withDefault(40)),
    seed: Options.integer("seed").pipe(Options.withDefault(1)),
    again: Options.boolean("again"),
    concurrency: Options.integer("concurrency").pipe(Options.withDefault(availableParallelism())),
    tests: Options.repeated(Options.text("tests")),
    only: Options.choice("only", parts).pipe(Options.optional),
    write: Options.boolean("write")
  },
  ({ folder, only, write, ...options }) =>
    Effect.gen(function* () {
      const isOnly = (part: (typeof parts)[number]) => Option.contains(only, part)
      const made = isOnly("folders") ? [] : yield* isOnly("figures") ? recallMistakes : tryMistakes
      const chosen = Option.match(folder, {
        onNone: (): ReadonlyArray<Folder> => (isOnly("mistakes") ? [] : folders),
        onSome: (one) => [one]
      })
      const judged = yield* Effect.forEach(chosen, (one) =>
        isOnly("figures") ? recall(one, options) : judge(one, options)
      )
      const figures = figuresOf(judged, made, options.seed)
      yield* Console.log(`${figures}\n\n${listOf(judged)}`)
      if (write) yield* fillMarks(join(root, "docs/reliability.md"), [["mutants", figures]])
      const unnoticed = made.filter(({ isNoticed }) => !isNoticed)
      if (unnoticed.length > 0) {
        return yield* new MutantsFailed({
          message: `no test noticed: ${unnoticed.map(({ name }) => name).join(", ")}`
        })
      }
    }).pipe(Effect.tapErrorCause((cause) => Console.error(Cause.pretty(cause))))
)

CliCommand.run(command, { name: "mutants", version: "0.1.0" })(process.argv).pipe(
  Effect.provide(NodeContext.layer),
  (effect) => NodeRuntime.runMain(effect, { disableErrorReporting: true })
)
