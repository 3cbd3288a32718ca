/** Uploads in processes of their own, killed at random moments and started again until they are done. */
import { type ChildProcess, spawn } from "node:child_process"
import { join, resolve } from "node:path"
import { fileURLToPath } from "node:url"
import { Effect, Schema } from "effect"
import { node } from "../../../scripts/support/node.ts"
import { bundleProgram } from "../../../scripts/support/program.ts"
import { UploadReceipt } from "../../../src/upload/UploadReceipt.ts"

const root = resolve(fileURLToPath(import.meta.url), "../../../..")

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

/** One file that starts fast, so that most kills strike the upload and not the start of the program. */
export const bundleChild = (folder: string): Effect.Effect<string> =>
  Effect.promise(async () => {
    const outfile = join(folder, "child.mjs")
    await bundleProgram(join(root, "test/support/faults/crashChild.ts"), outfile, { minify: true })
    return outfile
  })

export interface ChildOptions {
  readonly runtime: Runtime
  readonly program: string
  readonly env: Readonly<Record<string, string>>
}

export type Ending =
  | { readonly _tag: "Killed" }
  | { readonly _tag: "Done"; readonly receipt: UploadReceipt; readonly millis: number }
  | { readonly _tag: "Failed"; readonly output: string }

const decodeReceipt = Schema.decodeSync(Schema.parseJson(UploadReceipt))

/** Runs until it ends, or for so many milliseconds until it is killed without warning. */
export const runChild = (options: ChildOptions, killAfterMillis: number | undefined): Effect.Effect<Ending> =>
  Effect.async<Ending>((resume) => {
    const [command, ...flags] = runtimes[options.runtime]
    const startedAt = performance.now()
    const child: ChildProcess = spawn(command, [...flags, options.program], {
      env: { PATH: process.env["PATH"], HOME: process.env["HOME"], ...options.env },
      stdio: ["ignore", "pipe", "pipe"]
    })
    let stdout = ""
    let stderr = ""
    child.stdout?.on("data", (chunk: Buffer) => (stdout += chunk))
    child.stderr?.on("data", (chunk: Buffer) => (stderr += chunk))
    const timer =
      killAfterMillis === undefined ? undefined : setTimeout(() => child.kill("SIGKILL"), killAfterMillis)
    child.on("close", (code, signal) => {
      clearTimeout(timer)
      if (signal === "SIGKILL") return resume(Effect.succeed({ _tag: "Killed" }))
      if (code !== 0) return resume(Effect.succeed({ _tag: "Failed", output: stdout + stderr }))
      const millis = performance.now() - startedAt
      resume(Effect.succeed({ _tag: "Done", receipt: decodeReceipt(stdout), millis }))
    })
    return Effect.sync(() => child.kill("SIGKILL"))
  })
