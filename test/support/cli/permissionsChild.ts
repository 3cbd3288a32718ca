/** Runs every command where something may not be allowed, and tells how each ended: a line of JSON each. */
import process from "node:process"
import * as NodeContext from "@effect/platform-node/NodeContext"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Effect } from "effect"
import { commands, ended, ofFile } from "./commands.ts"
import { codeOf, memorySink, type Ran } from "./sink.ts"

export interface Told extends Ran {
  readonly command: string
}

const [, , archive = "", database = "", only = ""] = process.argv
const given = { archive, database }
// No runner gets to work on Deno, so none has to be stopped.
const all = [...commands(given), ...ofFile(given), ["releases", "approve", "words"]]

const program = Effect.forEach(
  all.filter(([name = ""]) => only === "" || name === only),
  (args) =>
    Effect.gen(function* () {
      const out = memorySink()
      const err = memorySink()
      const exit = yield* ended(args, { out: out.sink, err: err.sink })
      const told: Told = { command: args.join(" "), code: codeOf(exit), out: out.text(), err: err.text() }
      yield* Effect.sync(() => void process.stdout.write(`${JSON.stringify(told)}\n`))
    }),
  { discard: true }
).pipe(Effect.provide(NodeContext.layer))

NodeRuntime.runMain(program)
