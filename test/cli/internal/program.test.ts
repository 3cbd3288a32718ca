/** What every command has in common: help, options and variables, complaints about the command line, JSON, colours. */
import { spawnSync } from "node:child_process"
import { existsSync } from "node:fs"
import * as NodeContext from "@effect/platform-node/NodeContext"
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { node } from "../../../scripts/support/node.ts"
import { byTag, exitCodes } from "../../../src/cli/ExitCode.ts"
import { linesVersion } from "../../../src/cli/Line.ts"
import { documentation } from "../../../src/cli/Project.ts"
import { packageVersion } from "../../../src/cloud/PackageVersion.ts"
import { linesIn } from "../../support/cli/lines.ts"
import { executable, objects, run } from "../../support/cli/program.ts"
import { fileWith } from "../../support/upload/archives.ts"

const commands = [
  "upload",
  "publish",
  "inspect",
  "list",
  "show",
  "create",
  "update",
  "delete",
  "pending",
  "resume",
  "cancel",
  "doctor",
  "cloud"
]

/** An address at which nobody answers. */
const env = {
  EC_API_KEY: "a-key",
  EC_ENDPOINT: "http://127.0.0.1:1",
  EC_UPLOAD_JOURNAL: "/nowhere",
  EC_UPLOAD_RETRIES: "0"
}

describe("help", () => {
  it.effect.each([[], ["--help"], ["-h"]])("lists the commands (%s)", (args) =>
    Effect.gen(function* () {
      const { code, err, out } = yield* run(args)
      expect({ code, err }).toEqual({ code: 0, err: "" })
      for (const command of commands) expect(out).toMatch(new RegExp(`^  ${command} `, "m"))
      expect(out).toContain("EC_API_KEY")
    })
  )

  it.effect.each(commands)("%s: fits 80 columns, has examples, and no escapes in a pipe", (command) =>
    Effect.gen(function* () {
      const { code, out } = yield* run([command, "--help"])
      expect(code).toBe(0)
      expect(out).toContain(`elastic-extensions ${command}`)
      expect(out).toContain("\nExamples\n")
      expect(out).not.toContain("\u001b")
      expect(out.split("\n").filter((line) => line.length > 80)).toEqual([])
    })
  )

  it.effect("names the variable of every setting", () =>
    Effect.gen(function* () {
      const { out } = yield* run(["upload", "--help"])
      const settings = ["endpoint", "journal", "retries", "bandwidth", "resumable", "allow", "protect-in-use"]
      for (const option of settings) {
        expect(out).toMatch(new RegExp(`  --${option}[^[]*\\[EC_[A-Z_]+\\]`))
      }
    })
  )

  it.effect("says what cannot be left out", () =>
    Effect.gen(function* () {
      const { out } = yield* run(["publish", "--help"])
      expect(out.split("\n\n")[0]?.replace(/\s+/g, " ")).toBe(
        "elastic-extensions publish [<archive>] --name name --type plugin|bundle --version version [options]"
      )
    })
  )

  it.effect("is bold on a terminal, unless NO_COLOR is set", () =>
    Effect.gen(function* () {
      expect((yield* run(["--help"], { columns: 80 })).out).toContain("\u001b[1m")
      expect((yield* run(["--help"], { columns: 80, env: { NO_COLOR: "1" } })).out).not.toContain("\u001b")
      expect((yield* run(["--help"], { columns: 80, env: { NO_COLOR: "" } })).out).toContain("\u001b[1m")
    })
  )

  it.effect.each(["version", "--version", "-v", "-V"])("tells the version (%s)", (word) =>
    Effect.gen(function* () {
      expect(yield* run([word])).toEqual({ code: 0, out: `${packageVersion}\n`, err: "" })
      expect(objects(yield* run([word, "--json"]))).toEqual([
        { _tag: "Version", version: packageVersion, lines: linesVersion }
      ])
    })
  )

  it.effect("is there by the word help, too", () =>
    Effect.gen(function* () {
      expect(yield* run(["help"])).toEqual(yield* run([]))
      expect(yield* run(["help", "upload"])).toEqual(yield* run(["upload", "--help"]))
    })
  )

  it.effect.each([30, 45, 60, 80, 100, 200])("is as wide as a terminal of %i columns", (columns) =>
    Effect.gen(function* () {
      const { out } = yield* run(["upload", "--help"], { columns, env: { NO_COLOR: "1" } })
      const prose = out.split("\n").filter((line) => !/https:|elastic-|EC_|\|/.test(line))
      const longest = Math.max(...prose.map((line) => line.length))
      expect(longest).toBeLessThanOrEqual(Math.min(columns, 100))
      expect(longest).toBeGreaterThan(Math.min(columns, 100) - 15)
    })
  )

  it.effect("leads to the documentation", () =>
    Effect.gen(function* () {
      for (const args of [[], ["list"]]) {
        expect((yield* run([...args, "--help"])).out).toContain(documentation)
      }
    })
  )
})

describe("the command line", () => {
  const refused: ReadonlyArray<readonly [args: ReadonlyArray<string>, reason: string]> = [
    [["upload", "1"], "Missing: <archive>."],
    [
      ["upload", "1", "a.zip", "b.zip"],
      'The command upload takes <extension> <archive> and no more: "b.zip" is too much.'
    ],
    [["upload", "1", "--", "-a.zip", "-b.zip"], '"-b.zip" is too much'],
    [["doctor", "now"], 'The command doctor takes no argument: "now" is too much.'],
    [["upload", "1", "a.zip", "--jsn"], "There is no option --jsn. Did you mean --json?"],
    [["upload", "1", "a.zip", "--retries"], "The option --retries needs a value: --retries n."],
    [
      ["upload", "1", "a.zip", "--resumable", "maybe"],
      'The option --resumable takes auto, never or required, not "maybe".'
    ],
    [["list", "--type=bndle"], 'The option --type takes plugin or bundle, not "bndle". Did you mean bundle?'],
    [["upload", "1", "a.zip", "--api-key-file", "/no/such/file"], "/no/such/file"],
    [["publish", "a.zip", "--name=words"], "Missing: --type plugin|bundle, --version version."],
    [["uplaod", "1", "a.zip"], "There is no command uplaod. Did you mean upload?"],
    [["frobnicate"], "There is no command frobnicate. For help"],
    [["help", "lst"], "There is no command lst. Did you mean list?"],
    [["--quiet", "list"], "Options follow the command: elastic-extensions list --quiet"],
    [["--verison"], "There is no option --verison. Did you mean --version?"],
    [["list", "--verison"], "There is no option --verison. Did you mean --version?"],
    [["upload", "1", "a.zip", "-n"], "There is no option -n. For help"],
    [["publish", "a.zip", "-n"], "There is no option -n. Did you mean --name?"],
    [
      ["list", "--bandwidth", "5"],
      "The command list has no option --bandwidth; upload, publish, resume and runner have."
    ],
    [["list", "--wizard"], "There is no option --wizard."],
    [["list", "--log-level", "all"], "There is no option --log-level."],
    [["--completions", "sh"], 'The option --completions takes bash, fish or zsh, not "sh".'],
    [["--completions"], "The option --completions needs the name of a shell: bash, fish or zsh."],
    [["upload", "a/b", "a.zip"], "it contains a slash"]
  ]

  it.effect.each(refused)("%j is refused, and why", ([args, reason]) =>
    Effect.gen(function* () {
      const { code, err, out } = yield* run(args, { env })
      expect({ code, out }).toEqual({ code: 64, out: "" })
      expect(err.replace(/\s+/g, " ")).toContain(reason)
      expect(err).toContain("--help")
    })
  )

  it.effect("is refused as the one object on standard output when JSON was asked for", () =>
    Effect.gen(function* () {
      const ran = yield* run(["upload", "1", "--json"])
      expect(objects(ran)).toEqual([expect.objectContaining({ _tag: "UsageError", exitCode: 64 })])
      expect(ran.err).toBe("")
    })
  )

  it.scoped("takes values after an equals sign, and flags before an argument that reads like a value", () =>
    Effect.gen(function* () {
      const broken = yield* fileWith(new TextEncoder().encode("none"), "1")
      const ran = yield* run(["inspect", "--json", broken, "--type=bundle"])
      expect(objects(ran)).toEqual([expect.objectContaining({ _tag: "ArchiveInspection", path: broken })])
      const problems = ["not-a-zip", "no-entries"].map((code) => `--allow=${code}`)
      const one = yield* run(["upload", "--json", "1", broken, ...problems], {
        env: { ...env, EC_UPLOAD_JOURNAL: `${broken}.journal` }
      })
      expect(objects(one).at(-1)).toMatchObject({ _tag: "ConnectionFailed" })
    }).pipe(Effect.provide(NodeContext.layer))
  )
})

describe("configuration", () => {
  it.effect.each(["list", "doctor"])("%s without any says what is missing and where to get it", (command) =>
    Effect.gen(function* () {
      const ran = yield* run([command], { env: { EC_ENDPOINT: env.EC_ENDPOINT } })
      expect(ran.code).toBe(64)
      expect(ran.out + ran.err).toContain("EC_API_KEY")
    })
  )

  it.effect("an option that is refused is named, and the variable does not stand in for it", () =>
    Effect.gen(function* () {
      const { code, err } = yield* run(["list", "--connect-timeout", "soon"], {
        env: { ...env, EC_UPLOAD_CONNECT_TIMEOUT: "1 second" }
      })
      expect(code).toBe(64)
      expect(err).toContain("--connect-timeout")
    })
  )

  it.effect("a variable that is refused is named", () =>
    Effect.gen(function* () {
      const { code, err } = yield* run(["list"], { env: { ...env, EC_UPLOAD_CONNECT_TIMEOUT: "soon" } })
      expect(code).toBe(64)
      expect(err).toContain("EC_UPLOAD_CONNECT_TIMEOUT")
    })
  )

  it.live("an option goes before its variable", () =>
    Effect.gen(function* () {
      const { code, err } = yield* run(["list", "--endpoint", "http://127.0.0.1:2"], { env })
      expect(code).toBe(1)
      expect(err).toContain("http://127.0.0.1:2")
    })
  )

  it.scopedLive("the key may come from a file, and is told to nobody", () =>
    Effect.gen(function* () {
      const file = yield* fileWith(new TextEncoder().encode("secret in two words\n"), "key")
      const { code, err, out } = yield* run(["list", "--api-key-file", file], {
        env: { EC_ENDPOINT: env.EC_ENDPOINT }
      })
      expect(code).toBe(64)
      expect(err).toContain("--api-key-file")
      expect(out + err).not.toContain("secret")
    }).pipe(Effect.provide(NodeContext.layer))
  )
})

describe("a process", () => {
  const shell = (line: string, env: Readonly<Record<string, string>> = {}) =>
    Effect.map(executable, (file) => {
      const command = `'${node}' '${file}'`
      const { status, stderr, stdout } = spawnSync(
        "bash",
        ["--norc", "-c", line.replaceAll("CMD", command)],
        {
          encoding: "utf8",
          env: { PATH: String(process.env["PATH"]), ...env }
        }
      )
      return { code: status, out: stdout, err: stderr.replace(/\s+/g, " ") }
    })

  it.effect.skipIf(!existsSync("/dev/full"))("whose standard output is full does not end well", () =>
    Effect.gen(function* () {
      const full = yield* shell("CMD --help > /dev/full")
      expect(full.code).toBe(74)
      expect(full.err).toContain("standard output cannot be written: ENOSPC")
    })
  )

  it.effect("whose reader has gone ends quietly", () =>
    Effect.gen(function* () {
      const { code, err } = yield* shell("set -o pipefail; CMD --help | true; CMD --help | head -1")
      expect({ code, err }).toEqual({ code: 0, err: "" })
    })
  )

  it.effect("of Deno that may not use the network says so, and tries no second time", () =>
    Effect.gen(function* () {
      const permissions = ["--no-prompt", "--allow-read", "--allow-env", "--allow-sys"]
      const { stdout } = spawnSync(
        "node_modules/.bin/deno",
        ["run", ...permissions, yield* executable, "list", "--json"],
        { encoding: "utf8", env: { PATH: String(process.env["PATH"]), ...env } }
      )
      expect(linesIn(stdout)).toEqual([
        expect.objectContaining({
          _tag: "ConnectionFailed",
          isRetryable: false,
          remedy: "Run Deno with --allow-net."
        })
      ])
    })
  )

  it.effect("takes the key from a pipe", () =>
    Effect.gen(function* () {
      const { code, err } = yield* shell("CMD list --tries 1 --api-key-file <(echo a-key)", {
        EC_ENDPOINT: env.EC_ENDPOINT
      })
      expect(code).toBe(1)
      expect(err).toContain("ConnectionFailed")
    })
  )
})

describe("exit codes", () => {
  it("are these, and every error has one", () => {
    expect(exitCodes).toEqual({
      done: 0,
      failed: 1,
      resumable: 2,
      notAllowed: 3,
      notFound: 4,
      archiveRefused: 5,
      conflict: 6,
      outcomeUnknown: 7,
      usage: 64,
      outputLost: 74,
      interrupted: 130
    })
    for (const name of Object.values(byTag)) expect(exitCodes[name]).toBeGreaterThan(0)
  })
})
