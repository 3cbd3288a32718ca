import { execFile } from "node:child_process"
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { promisify } from "node:util"
import { afterAll, beforeAll, describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { bundleLauncher } from "../../scripts/support/command.ts"
import { node } from "../../scripts/support/node.ts"
import { commandName } from "../../src/cli/Project.ts"
import { packageVersion } from "../../src/cloud/PackageVersion.ts"

const folder = mkdtempSync(join(tmpdir(), "launcher-"))
const launcher = join(folder, "bin.js")
const command = join(folder, `${commandName}.js`)
const cache = join(folder, ".cache", commandName)

const launch = (...args: ReadonlyArray<string>) =>
  promisify(execFile)(node, [launcher, ...args], { env: { ...process.env, HOME: folder } })

beforeAll(async () => {
  writeFileSync(join(folder, "package.json"), '{"type":"module"}')
  await Effect.runPromise(bundleLauncher(launcher))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

describe("the launcher", () => {
  it("tells the version without the command", async () => {
    rmSync(command, { force: true })
    expect((await launch("--version")).stdout).toBe(`${packageVersion}\n`)
    expect(existsSync(cache)).toBe(false)
  })

  it("runs the command beside it for everything else, with its arguments and exit code", async () => {
    writeFileSync(command, "console.log(process.argv.slice(2).join()); process.exitCode = 7")
    const failed = await launch("--version", "--json").then(
      () => undefined,
      (error: { readonly code: number; readonly stdout: string }) => error
    )
    expect(failed).toMatchObject({ code: 7, stdout: "--version,--json\n" })
  })

  it("keeps what was compiled in the user's own folder, where the runtime can", async () => {
    writeFileSync(command, "")
    await launch()
    const { stdout } = await promisify(execFile)(node, ["-p", "typeof module.constructor.enableCompileCache"])
    expect(existsSync(cache)).toBe(stdout === "function\n")
  })
})
