import { execFile, spawn } from "node:child_process"
import { closeSync, existsSync, mkdtempSync, openSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { promisify } from "node:util"
import { afterAll, beforeAll, describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { bundleLauncher } from "../../scripts/support/command.ts"
import { node } from "../../scripts/support/node.ts"
import { definitions } from "../../src/cli/internal/definitions.ts"
import { commandName } from "../../src/cli/Project.ts"
import { packageVersion } from "../../src/cloud/PackageVersion.ts"
import { run } from "../support/cli/program.ts"

const folder = mkdtempSync(join(tmpdir(), "launcher-"))
const launcher = join(folder, "bin.js")
const command = join(folder, `${commandName}.js`)
const cache = join(folder, ".cache", commandName)

const launch = (...args: ReadonlyArray<string>) =>
  promisify(execFile)(node, [launcher, ...args], { env: { ...process.env, HOME: folder } })

/** As `launch`, whatever the exit code. */
const ended = (args: ReadonlyArray<string>) =>
  launch(...args).then(
    ({ stderr, stdout }) => ({ code: 0, stdout, stderr }),
    ({
      code,
      stderr,
      stdout
    }: {
      readonly code: number
      readonly stdout: string
      readonly stderr: string
    }) => ({
      code,
      stdout,
      stderr
    })
  )

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

  /** What both say to the same arguments, the launcher without the command. */
  const compare = (args: ReadonlyArray<string>) =>
    Effect.gen(function* () {
      rmSync(command, { force: true })
      const launched = yield* Effect.promise(() => ended(args))
      const { code, err, out } = yield* run(args)
      expect(launched).toEqual({ code, stdout: out, stderr: err })
    })

  it.effect.each([
    [],
    ["--help"],
    ...definitions.map(({ name }) => [name, "--help"]),
    ...["bash", "fish", "zsh"].map((shell) => ["--completions", shell])
  ])("answers as the command does: %j", (args) => compare(args))

  it.effect.each([
    ["uplaod"],
    ["upload", "--bandwith", "1"],
    ["upload", "882519870"],
    ["show", "\u001b[31m882519870", "::error::too much"],
    ["--completions", "tcsh"],
    ["list", "--type", "widget"]
  ])("refuses as the command does: %j", (args) => compare(args))

  it("runs the command beside it for everything else, with its arguments and exit code", async () => {
    writeFileSync(command, "console.log(process.argv.slice(2).join()); process.exitCode = 7")
    for (const args of [
      ["--version", "--json"],
      ["uplaod", "--json"],
      ["list", "--json-file=x", "y"],
      ["list"]
    ])
      expect(await ended(args)).toEqual({ code: 7, stdout: `${args.join()}\n`, stderr: "" })
  })

  it("keeps what was compiled in the user's own folder, where the runtime can", async () => {
    writeFileSync(command, "")
    await launch("list")
    const { stdout } = await promisify(execFile)(node, ["-p", "typeof module.constructor.enableCompileCache"])
    expect(existsSync(cache)).toBe(stdout === "function\n")
  })

  it("leaves it to the command to say that standard output takes nothing", async () => {
    writeFileSync(command, "console.error('asked'); process.exitCode = 74")
    const full = openSync("/dev/full", "w")
    const child = spawn(node, [launcher, "--help"], {
      stdio: ["ignore", full, "pipe"],
      env: { HOME: folder }
    })
    const said: Array<string> = []
    child.stderr?.on("data", (bytes: Buffer) => said.push(bytes.toString()))
    const code = await new Promise((resolve) => child.once("close", resolve))
    closeSync(full)
    expect({ code, said: said.join("") }).toEqual({ code: 74, said: "asked\n" })
  })
})
