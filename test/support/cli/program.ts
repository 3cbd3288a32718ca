/** The command line, run in this process or as one of its own. */
import { spawn, spawnSync } from "node:child_process"
import { dirname, resolve } from "node:path"
import * as NodeContext from "@effect/platform-node/NodeContext"
import { ConfigProvider, Effect } from "effect"
import { bundleCommand } from "../../../scripts/support/command.ts"
import { node } from "../../../scripts/support/node.ts"
import { ended } from "./commands.ts"
import { linesIn } from "./lines.ts"
import { codeOf, memorySink, type Ran } from "./sink.ts"

export type { Ran } from "./sink.ts"

export type Environment = Readonly<Record<string, string>>

/** Runs a command in this process: quick, and with an environment that holds nothing else. */
export const run = (
  args: ReadonlyArray<string>,
  options: { readonly env?: Environment; readonly columns?: number } = {}
): Effect.Effect<Ran> =>
  Effect.gen(function* () {
    const columns = options.columns === undefined ? undefined : () => options.columns ?? 80
    const out = memorySink(columns)
    const err = memorySink(columns)
    const exit = yield* ended(args, { out: out.sink, err: err.sink }).pipe(
      Effect.withConfigProvider(ConfigProvider.fromMap(new Map(Object.entries(options.env ?? {}))))
    )
    const ran = { code: codeOf(exit), out: out.text(), err: err.text() }
    if (args.includes("--json")) objects(ran)
    return ran
  }).pipe(Effect.provide(NodeContext.layer))

/** Every line of standard output as the object it has to be, without the time, which is another in every run. */
export const objects = ({ out }: Ran): ReadonlyArray<Readonly<Record<string, unknown>>> =>
  linesIn(out).map(({ time: _, ...fields }) => fields)

/** The command as it is published, made once in each process of the tests. */
export const executable = Effect.runSync(
  Effect.cached(
    Effect.suspend(() => {
      const file = resolve("node_modules/.cache/command", String(process.pid), "bin.js")
      return Effect.as(bundleCommand(file), file)
    })
  )
)

/** Runs the command in a process of its own, with an environment that holds nothing else. */
export const spawned = (
  args: ReadonlyArray<string>,
  options: {
    readonly env?: Environment
    /** Runs beside the command; what it may do to the process is up to it. */
    readonly meanwhile?: (child: RunningCommand) => Effect.Effect<void>
  } = {}
): Effect.Effect<Ran> =>
  Effect.gen(function* () {
    const child = spawn(node, [yield* executable, ...args], {
      stdio: ["ignore", "pipe", "pipe"],
      env: { PATH: dirname(node), ...options.env }
    })
    yield* Effect.addFinalizer(() => Effect.sync(() => child.kill("SIGKILL")))
    const output = { out: "", err: "" }
    child.stdout.on("data", (bytes: Buffer) => {
      output.out += bytes.toString()
    })
    child.stderr.on("data", (bytes: Buffer) => {
      output.err += bytes.toString()
    })
    const ended = new Promise<number | null>((resolve) => child.once("close", resolve))
    if (options.meanwhile !== undefined) {
      yield* options.meanwhile({
        out: () => output.out,
        err: () => output.err,
        signal: (signal) => void process.kill(child.pid ?? 0, signal)
      })
    }
    const ran = { code: yield* Effect.promise(() => ended), ...output }
    if (args.includes("--json")) objects(ran)
    return ran
  }).pipe(Effect.scoped)

/** Whether this machine has a program that some tests need. */
export const isInstalled = (program: string): boolean => spawnSync("which", [program]).status === 0

export interface RunningCommand {
  /** What it has written so far. */
  readonly out: () => string
  readonly err: () => string
  readonly signal: (signal: NodeJS.Signals) => void
}
