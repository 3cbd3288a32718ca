/** Runs a script unbuilt on every runtime of the table, with no more rights than it needs. */
import { spawn } from "node:child_process"
import { tmpdir } from "node:os"
import { resolve } from "node:path"
import { node } from "../../../scripts/support/node.ts"

const root = resolve(import.meta.dirname, "../../..")
const bin = (name: string) => resolve(root, "node_modules/.bin", name)

export type Runtime = "node" | "bun" | "deno"
export const runtimes: ReadonlyArray<Runtime> = ["node", "bun", "deno"]

/** `node:https` reads the system's certificate authorities, a right that Deno can grant only with all of `sys`. */
const denoRights = [
  "--no-prompt",
  "--allow-net=127.0.0.1",
  "--allow-env",
  "--allow-sys",
  `--allow-read=${root},${tmpdir()}`
]

const command = (runtime: Runtime, script: string): ReadonlyArray<string> => {
  switch (runtime) {
    case "node":
      return [node, "--import", "tsx", script]
    case "bun":
      return [bin("bun"), script]
    case "deno":
      return [bin("deno"), "run", ...denoRights, script]
  }
}

/** The script's standard output. */
export const run = (
  runtime: Runtime,
  script: string,
  args: ReadonlyArray<string>,
  env: Readonly<Record<string, string>>
): Promise<string> =>
  new Promise((done, fail) => {
    const [executable = "", ...rest] = command(runtime, resolve(root, script))
    const child = spawn(executable, [...rest, ...args], {
      cwd: root,
      env: { ...process.env, DENO_NO_UPDATE_CHECK: "1", ...env }
    })
    let out = ""
    let err = ""
    child.stdout.on("data", (data) => {
      out += data
    })
    child.stderr.on("data", (data) => {
      err += data
    })
    child.on("error", fail)
    child.on("close", (code) =>
      code === 0 ? done(out) : fail(new Error(`${runtime} ended with ${code}: ${err}`))
    )
  })
