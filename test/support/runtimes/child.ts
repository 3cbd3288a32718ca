/** Programs in processes of their own on any runtime, bundled so that they start fast, and killed without warning. */
import { spawn } from "node:child_process"
import { basename, join, resolve } from "node:path"
import { Deferred, Effect, type Scope } from "effect"
import { node } from "../../../scripts/support/node.ts"
import { bundleProgram } from "../../../scripts/support/program.ts"

const root = resolve(import.meta.dirname, "../../..")

/** How each runtime starts a bundled program. */
const runtimes = {
  node: [node],
  bun: [join(root, "node_modules/.bin/bun")],
  deno: [
    join(root, "node_modules/.bin/deno"),
    "run",
    "--allow-net",
    "--allow-read",
    "--allow-write",
    "--allow-env",
    "--allow-sys=hostname"
  ]
} as const

export type Runtime = keyof typeof runtimes

/** A program of `test/support` as one file in the folder, so that most kills strike its work and not its start. */
export const bundleChild = (folder: string, program: string): Effect.Effect<string> =>
  Effect.promise(async () => {
    const outfile = join(folder, `${basename(program, ".ts")}.mjs`)
    await bundleProgram(join(root, "test/support", program), outfile, { minify: true })
    return outfile
  })

export interface ChildOptions {
  readonly runtime: Runtime
  /** A bundled program. */
  readonly program: string
  readonly args?: ReadonlyArray<string>
  readonly env: Readonly<Record<string, string>>
  /** What Deno has to allow besides. */
  readonly rights?: ReadonlyArray<string>
}

export type Ended =
  | { readonly _tag: "Killed" }
  | { readonly _tag: "Done"; readonly stdout: string; readonly millis: number }
  | { readonly _tag: "Failed"; readonly output: string }

export interface Child {
  /** At once: what runs next finds the process without another chance. */
  readonly kill: () => void
  readonly ended: Effect.Effect<Ended>
}

/** Runs until it ends, is killed, or the scope is closed. */
export const startChild = (options: ChildOptions): Effect.Effect<Child, never, Scope.Scope> =>
  Effect.gen(function* () {
    const ended = yield* Deferred.make<Ended>()
    const [command, ...flags] = runtimes[options.runtime]
    const startedAt = performance.now()
    const rights = options.runtime === "deno" ? (options.rights ?? []) : []
    const child = spawn(command, [...flags, ...rights, options.program, ...(options.args ?? [])], {
      env: { PATH: process.env["PATH"], HOME: process.env["HOME"], ...options.env },
      stdio: ["ignore", "pipe", "pipe"]
    })
    let stdout = ""
    let stderr = ""
    child.stdout.on("data", (chunk: Buffer) => (stdout += chunk))
    child.stderr.on("data", (chunk: Buffer) => (stderr += chunk))
    const endingOf = (code: number | null, signal: string | null): Ended => {
      if (signal === "SIGKILL") return { _tag: "Killed" }
      if (code !== 0) return { _tag: "Failed", output: stdout + stderr }
      return { _tag: "Done", stdout, millis: performance.now() - startedAt }
    }
    child.on("close", (code, signal) => Deferred.unsafeDone(ended, Effect.succeed(endingOf(code, signal))))
    const kill = () => void child.kill("SIGKILL")
    yield* Effect.addFinalizer(() => Effect.zipRight(Effect.sync(kill), Deferred.await(ended)))
    return { kill, ended: Deferred.await(ended) }
  })
