/** A shell in its own folder, where only the command is installed. */
import { spawn } from "node:child_process"
import { chmodSync, mkdirSync, writeFileSync } from "node:fs"
import { dirname, join, resolve } from "node:path"
import { fileURLToPath } from "node:url"
import * as Effect from "effect/Effect"
import { node } from "../node.ts"
import { bundleProgram } from "../program.ts"

const root = resolve(fileURLToPath(import.meta.url), "../../../..")

/** Variables; one that is `undefined` is not set. */
export type Environment = Readonly<Record<string, string | undefined>>

/** What a command wrote, to either stream in the order of writing, and how it ended. */
export interface Ran {
  readonly output: string
  readonly code: number | null
}

export interface Shell {
  /** Runs a line as `sh` would. `onStart` gets what sends it a signal. */
  readonly run: (
    line: string,
    options?: {
      readonly env?: Environment
      readonly onStart?: (kill: (signal: NodeJS.Signals) => void) => void
    }
  ) => Effect.Effect<Ran>
}

/** Bundled, as users install it: it starts four times as fast. */
const bundle = (target: string) => Effect.promise(() => bundleProgram(join(root, "src/cli/bin.ts"), target))

/** Installs the command below `folder` and returns a shell that works in `folder/work`. */
export const makeShell = (folder: string, env: Readonly<Record<string, string>>): Effect.Effect<Shell> =>
  Effect.gen(function* () {
    const program = join(folder, "lib/cli.mjs")
    const bin = join(folder, "bin")
    const work = join(folder, "work")
    yield* bundle(program)
    yield* Effect.sync(() => {
      for (const each of [bin, work]) mkdirSync(each, { recursive: true })
      for (const [name, before] of [
        ["elastic-extensions", ""],
        ["npx", "shift\n"]
      ]) {
        writeFileSync(join(bin, `${name}`), `#!/bin/sh\n${before}exec '${node}' '${program}' "$@"\n`)
        chmodSync(join(bin, `${name}`), 0o755)
      }
    })
    const path = [bin, dirname(node), "/usr/bin", "/bin"].join(":")
    return {
      run: (line, options = {}) =>
        Effect.async<Ran>((resume) => {
          const child = spawn("sh", ["-c", `exec 2>&1; trap : INT\n${line}`], {
            cwd: work,
            stdio: ["ignore", "pipe", "inherit"],
            // A group of its own: a signal is for all that the line has started, as Ctrl-C is.
            detached: true,
            env: { PATH: path, HOME: join(folder, "home"), TZ: "UTC", ...env, ...options.env }
          })
          const kill = (signal: NodeJS.Signals) => {
            if (child.pid !== undefined && child.exitCode === null) process.kill(-child.pid, signal)
          }
          let output = ""
          child.stdout.setEncoding("utf8").on("data", (text: string) => {
            output += text
          })
          child.once("close", (code) => resume(Effect.succeed({ output, code })))
          options.onStart?.(kill)
          return Effect.sync(() => kill("SIGKILL"))
        })
    }
  })
