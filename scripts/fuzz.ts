/**
 * Gives made-up input to everything that reads what others have written: `npm run fuzz`.
 *
 *   -- --seconds 60      altogether, instead of 600
 *   -- --only zip        one target
 *   -- --seed 42         the same inputs again; with --path, the very one
 *   -- --write           puts the figures into docs/reliability.md; with --only, the row of that target
 *
 * A defect, a read that does not end within ten seconds, or a heap that grows is a failure: it is printed, and kept under
 * build/fuzz with its seed and path.
 */
import { availableParallelism } from "node:os"
import { join } from "node:path"
import process from "node:process"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import * as CliCommand from "@effect/cli/Command"
import * as Options from "@effect/cli/Options"
import * as FileSystem from "@effect/platform/FileSystem"
import * as NodeContext from "@effect/platform-node/NodeContext"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Array as Arr, Cause, Console, Data, Effect, Exit, FastCheck, Option, Random } from "effect"
import type { Case, Target } from "./fuzz/target.ts"
import { targets } from "./fuzz/targets.ts"
import { root } from "./runtimes/columns.ts"
import { fillMarks } from "./support/docs/marks.ts"

class FuzzFailed extends Data.TaggedError("FuzzFailed")<{ readonly message: string }> {}

const readMillis = 10_000
const heapBytes = 64 * 1024 * 1024

/** Bytes in use after everything unused is gone. */
const heapUsed = Effect.sync(() => {
  setFlagsFromString("--expose-gc")
  runInNewContext("gc()")
  return process.memoryUsage().heapUsed
})

/** Fails with what went wrong, in words. */
const run = async ({ read }: Case): Promise<void> => {
  const exit = await Effect.runPromiseExit(
    Effect.timeoutFail(read, {
      duration: readMillis,
      onTimeout: () => new FuzzFailed({ message: `it did not end within ${readMillis} ms` })
    })
  )
  if (Exit.isSuccess(exit)) return
  const failure = Cause.failureOption(exit.cause)
  const isLate = Option.exists(failure, (error) => error instanceof FuzzFailed)
  if (isLate || Option.isSome(Cause.dieOption(exit.cause))) throw new Error(Cause.pretty(exit.cause))
}

interface Replay {
  readonly seed: number
  readonly path: Option.Option<string>
}

const fuzz = Effect.fnUntraced(function* ({ cases, name }: Target, seconds: number, { path, seed }: Replay) {
  const fs = yield* FileSystem.FileSystem
  const before = yield* heapUsed
  const details = yield* Effect.promise(() =>
    FastCheck.check(FastCheck.asyncProperty(cases, run), {
      seed,
      numRuns: Number.MAX_SAFE_INTEGER,
      interruptAfterTimeLimit: seconds * 1000,
      ...Option.match(path, { onNone: () => ({}), onSome: (known) => ({ path: known }) })
    })
  )
  const grown = (yield* heapUsed) - before
  yield* Console.log(
    `${name.padEnd(12)} seed ${seed}  ${details.numRuns} inputs  heap ${Math.round(grown / 1e6)} MB more`
  )
  if (grown > heapBytes)
    return yield* new FuzzFailed({ message: `${name}: the heap has grown by ${grown} bytes` })
  if (details.counterexample === null) return { name, inputs: details.numRuns, grown }
  const kept = join(root, "build/fuzz", `${name}-${seed}.json`)
  const [{ input }] = details.counterexample
  const what = {
    target: name,
    seed,
    path: details.counterexamplePath,
    input: FastCheck.stringify(input),
    error: String(details.errorInstance)
  }
  yield* fs.makeDirectory(join(root, "build/fuzz"), { recursive: true })
  yield* fs.writeFileString(kept, `${JSON.stringify(what, null, 2)}\n`)
  return yield* new FuzzFailed({
    message: `${name}: ${what.error}\n  input ${what.input.slice(0, 2000)}\n  again: npm run fuzz -- --only ${name} --seed ${seed} --path ${what.path}\n  kept in ${kept}`
  })
})

interface Fuzzed {
  readonly name: string
  readonly inputs: number
  /** Bytes. */
  readonly grown: number
}

/** As Markdown. A target that was not run keeps its row of the document. */
const tableOf = (
  all: ReadonlyArray<Fuzzed>,
  { document, seconds, seed }: { readonly document: string; readonly seconds: number; readonly seed: number }
): string => {
  const rows = targets.flatMap(({ name }) => {
    const fuzzed = all.find((one) => one.name === name)
    if (fuzzed === undefined) return document.split("\n").filter((line) => line.startsWith(`| ${name} | `))
    const megabytes = Math.round(fuzzed.grown / 1e6)
    const heap = `${megabytes < 0 ? "" : "+"}${megabytes} MB`
    return [`| ${name} | ${Math.round(seconds)} s | ${seed} | ${fuzzed.inputs} | ${heap} |`]
  })
  return ["| target | time | seed | inputs | heap |", "| --- | --- | --- | --- | --- |", ...rows].join("\n")
}

const page = join(root, "docs/reliability.md")

const command = CliCommand.make(
  "fuzz",
  {
    seconds: Options.integer("seconds").pipe(Options.withDefault(600)),
    only: Options.choice(
      "only",
      targets.map(({ name }) => name)
    ).pipe(Options.optional),
    seed: Options.integer("seed").pipe(Options.optional),
    path: Options.text("path").pipe(Options.optional),
    write: Options.boolean("write")
  },
  ({ only, path, seconds, seed, write }) =>
    Effect.gen(function* () {
      const chosen = targets.filter(({ name }) => Option.isNone(only) || only.value === name)
      const replay = {
        seed: Option.getOrElse(seed, () => 0) || (yield* Random.nextIntBetween(1, 2 ** 31)),
        path
      }
      const results = yield* Effect.forEach(chosen, (one) =>
        Effect.either(fuzz(one, seconds / chosen.length, replay))
      )
      const messages = results.flatMap((result) => (result._tag === "Left" ? [result.left] : []))
      yield* Effect.forEach(messages, (error) =>
        Console.error("message" in error ? error.message : String(error))
      )
      if (messages.length > 0) return yield* new FuzzFailed({ message: `${messages.length} targets failed` })
      if (!write) return
      const document = yield* Effect.flatMap(FileSystem.FileSystem, (fs) => fs.readFileString(page))
      const each = { document, seconds: seconds / chosen.length, seed: replay.seed }
      const figures = `On ${availableParallelism()} processors; nothing failed.\n\n${tableOf(Arr.getRights(results), each)}`
      yield* fillMarks(page, [["fuzz", figures]])
    }).pipe(Effect.tapDefect((cause) => Console.error(Cause.pretty(cause))))
)

CliCommand.run(command, { name: "fuzz", version: "0.1.0" })(process.argv).pipe(
  Effect.provide(NodeContext.layer),
  (effect) => NodeRuntime.runMain(effect, { disableErrorReporting: true })
)
