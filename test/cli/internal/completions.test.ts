/** Completions in real shells: keys are typed, and what the shell then runs is what counts. */
import { spawn } from "node:child_process"
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { delimiter, join } from "node:path"
import * as FileSystem from "@effect/platform/FileSystem"
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { node } from "../../../scripts/support/node.ts"
import { commandName } from "../../../src/cli/internal/text.ts"
import * as LocalElasticCloud from "../../../src/testing/LocalElasticCloud.ts"
import { environment } from "../../support/cli/managing.ts"
import { executable, isInstalled, run } from "../../support/cli/program.ts"
import { world } from "../../support/cli/world.ts"

/** How to start a shell that reads no settings of its user, and what to tell it first. */
const shells = {
  bash: { start: "bash --norc --noprofile -i", setUp: `source <(${commandName} --completions bash)` },
  zsh: {
    start: "zsh -f -i",
    setUp: `autoload -U compinit; compinit -u -D; source <(${commandName} --completions zsh)`
  },
  fish: { start: "fish --no-config -i", setUp: `${commandName} --completions fish | source` }
} as const

/** A folder with two files, and on the path the command, which writes down what it is asked for by hand. */
const stage = Effect.gen(function* () {
  const fs = yield* FileSystem.FileSystem
  const folder = yield* fs.makeTempDirectoryScoped({ prefix: "completions-" })
  const bin = join(folder, "bin")
  mkdirSync(bin)
  mkdirSync(join(folder, "dist"))
  writeFileSync(join(folder, "dist/words.zip"), "")
  writeFileSync(join(folder, "lines.jsonl"), "")
  const record = join(folder, "record")
  const program = join(bin, commandName)
  writeFileSync(
    program,
    `#!/bin/sh
case "$*" in
  --completions\\ *|list\\ --quiet\\ *) exec '${node}' '${yield* executable}' "$@" ;;
esac
for word in "$@"; do printf '%s\\n' "$word"; done >> '${record}'
echo >> '${record}'
echo "REC""ORDED"
`
  )
  chmodSync(program, 0o755)
  return { bin, folder, record }
})

/** What the command was run with, line by line, after these keys were typed into a shell. */
const typed = (shell: keyof typeof shells, lines: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const { bin, folder, record } = yield* stage
    const env = yield* environment({
      TERM: "xterm",
      HOME: folder,
      PATH: [bin, process.env["PATH"]].join(delimiter)
    })
    const { setUp, start } = shells[shell]
    yield* Effect.async<void>((resume) => {
      const terminal = spawn("script", ["-qfec", start, "/dev/null"], { cwd: folder, env })
      const next = [...lines.map((keys) => `${commandName} ${keys}`), "exit"]
      let text = ""
      terminal.stdout.on("data", (bytes: Buffer) => {
        text += bytes.toString()
        // What is typed is echoed; these words are put together by the shell.
        if (!/(SET UP|RECORDED)\r\n/.test(text)) return
        text = ""
        const keys = next.shift()
        if (keys !== undefined) terminal.stdin.write(`${keys}\r`)
      })
      terminal.once("close", () => resume(Effect.void))
      terminal.stdin.write(`${setUp}; echo "SET"" UP"\r`)
      return Effect.sync(() => terminal.kill("SIGKILL"))
    })
    const runs = readFileSync(record, "utf8").split("\n\n").slice(0, -1)
    return runs.map((words) => words.split("\n"))
  }).pipe(Effect.scoped)

const cases: ReadonlyArray<readonly [keys: string, words: ReadonlyArray<string>]> = [
  ["pub\t", ["publish"]],
  ["list --ty\tbun\t", ["list", "--type", "bundle"]],
  ["upload 1 a.zip --resu\treq\t", ["upload", "1", "a.zip", "--resumable", "required"]],
  ["cancel 1 --dr\t", ["cancel", "1", "--dry-run"]],
  ["inspect dist/w\t", ["inspect", "dist/words.zip"]],
  ["inspect --es-version 8.17.0 dist/w\t", ["inspect", "--es-version", "8.17.0", "dist/words.zip"]],
  ["list --json-file li\t", ["list", "--json-file", "lines.jsonl"]],
  ["show 882\t", ["show", "882519870"]],
  ["upload 882\tdist/w\t", ["upload", "882519870", "dist/words.zip"]],
  ["help doc\t", ["help", "doctor"]]
]

describe.each(["bash", "zsh", "fish"] as const)("%s", (shell) => {
  const missing = ["script", shell].filter((program) => !isInstalled(program))
  const why = missing.length === 0 ? "" : ` (not run: ${missing.join(" and ")} not installed)`

  it.scopedLive.skipIf(missing.length > 0)(`completes commands, options, values, files and ids${why}`, () =>
    Effect.gen(function* () {
      const cloud = yield* LocalElasticCloud.LocalElasticCloud
      yield* cloud.seed({ id: "882519870", name: "words", extension_type: "bundle", version: "*" })
      const runs = yield* typed(
        shell,
        cases.map(([keys]) => keys)
      )
      // An option and its value may be one word or two.
      const words = runs.map((run) => run.flatMap((word) => word.split(/(?<=^--[a-z-]+)=/)))
      expect(words).toEqual(cases.map(([, words]) => words))
    }).pipe(Effect.provide(world()))
  )
})

describe("a script", () => {
  it.effect.each(["bash", "zsh", "fish"])("for %s goes to standard output, without colours", (shell) =>
    Effect.gen(function* () {
      const { code, err, out } = yield* run(["--completions", shell], { columns: 80 })
      expect({ code, err }).toEqual({ code: 0, err: "" })
      expect(out).not.toContain("\u001b")
      expect(yield* run([`--completions=${shell}`])).toMatchObject({ out })
    })
  )
})
