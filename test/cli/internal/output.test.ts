/** What a failure says: what happened once, what to do once, and the command that resumes. */

import * as FileSystem from "@effect/platform/FileSystem"
import * as NodeContext from "@effect/platform-node/NodeContext"
import { describe, expect, it } from "@effect/vitest"
import { Effect, Exit, Layer, Option, Ref } from "effect"
import { InvalidArchive } from "../../../src/archive/ArchiveInspection.ts"
import {
  type Failure,
  InvalidConfiguration,
  OutputUnwritable,
  UploadPaused,
  UsageError
} from "../../../src/cli/Failure.ts"
import { reported } from "../../../src/cli/internal/command.ts"
import * as Output from "../../../src/cli/internal/output.ts"
import * as Results from "../../../src/cli/internal/results.ts"
import { Stdio } from "../../../src/cli/internal/terminal.ts"
import { PublishError } from "../../../src/publish/PublishError.ts"
import { ExtensionProtected, UploadConflict } from "../../../src/upload/UploadError.ts"
import { run } from "../../support/cli/program.ts"
import { memorySink } from "../../support/cli/sink.ts"
import { fileWith } from "../../support/upload/archives.ts"

const told = (ending: Output.Ending, json = false) =>
  Effect.gen(function* () {
    const [out, err] = [memorySink(), memorySink()]
    const code = yield* Effect.flatMap(Output.Output, (output) => output.ending(ending)).pipe(
      Effect.provide(Output.layer({ json, quiet: false })),
      Effect.provide(Layer.succeed(Stdio, { out: out.sink, err: err.sink }))
    )
    return { code, lines: err.text(), words: err.text().replace(/\s+/g, " "), out: out.text() }
  })

const occurrences = (text: string, part: string): number => text.split(part).length - 1

const conflict = new UploadConflict({
  extensionId: "1",
  before: { resourceVersion: "1", lastModified: null, size: 1 },
  now: { resourceVersion: "2", lastModified: null, size: 2 }
})

const inUse = new ExtensionProtected({ extensionId: "1", deployments: ["d1"] })

const unfit = new InvalidArchive({
  path: "a.zip",
  problems: [{ code: "truncated", severity: "error", message: "It ends early." }]
})

const failures: ReadonlyArray<readonly [Failure, remedy: string]> = [
  [conflict, "--on-conflict overwrite"],
  [inUse, "--protect-in-use"],
  [unfit, "--allow truncated"],
  [new UsageError({ problem: "There is no option --x.", command: "list" }), "list --help"],
  [
    new InvalidConfiguration({ problems: [{ name: "EC_API_KEY", problem: "EC_API_KEY is not set." }] }),
    "https://cloud.elastic.co/account/keys"
  ]
]

/** Standard output that takes nothing. */
const full = {
  ...memorySink().sink,
  write: () => new OutputUnwritable({ target: "standard output", code: "ENOSPC", detail: "no space left" })
}

describe("output that is lost", () => {
  const Lost = Results.Cancelled.members[0]
  const cancelled = (extensionId: string) => Lost.make({ extensionId })
  const report = Effect.flatMap(Output.Output, ({ event, result }) =>
    Effect.zipRight(
      event(Lost, cancelled("1")),
      result({ schema: Lost, value: cancelled("2"), lines: ["Cancelled."] })
    )
  )
  const on = (json: boolean, work: Effect.Effect<void, Failure, Output.Output>) =>
    Effect.gen(function* () {
      const err = memorySink()
      const options = { json, jsonFile: Option.none(), quiet: false }
      const exit = yield* Effect.exit(reported(work, options, [])).pipe(
        Effect.provideService(Stdio, { out: full, err: err.sink }),
        Effect.provide(NodeContext.layer)
      )
      return { exit, err: err.text().replace(/\s+/g, " ") }
    })

  it.effect.each([true, false])("does not stop the work, but is no success (JSON: %s)", (json) =>
    Effect.gen(function* () {
      const done = yield* Ref.make(false)
      const { err, exit } = yield* on(json, Effect.zipRight(report, Ref.set(done, true)))
      expect(yield* Ref.get(done)).toBe(true)
      expect(exit).toEqual(Exit.fail(new Output.Exited({ code: 74 })))
      expect(occurrences(err, "standard output cannot be written: no space left")).toBe(1)
    })
  )

  it.effect("leaves a failure its exit code, and tells a person that its JSON is lost", () =>
    Effect.gen(function* () {
      const { err, exit } = yield* on(true, Effect.fail(unfit))
      expect(exit).toEqual(Exit.fail(new Output.Exited({ code: 5 })))
      expect(err).toContain("OutputUnwritable")
    })
  )
})

describe("--json-file", () => {
  it.scoped("has the lines of JSON, and the streams what people read", () =>
    Effect.gen(function* () {
      const file = `${yield* fileWith(new Uint8Array(1))}.jsonl`
      const ran = yield* run(["inspect", "/no/such.zip", "--json-file", file])
      expect(ran).toMatchObject({ code: 5, out: "", err: expect.stringContaining("ArchiveUnreadable\n") })
      const lines = yield* Effect.flatMap(FileSystem.FileSystem, (fs) => fs.readFileString(file))
      expect(JSON.parse(lines)).toMatchObject({
        _tag: "ArchiveUnreadable",
        path: "/no/such.zip",
        exitCode: 5
      })
    }).pipe(Effect.provide(NodeContext.layer))
  )

  it.scoped("has what is wrong with a command line", () =>
    Effect.gen(function* () {
      const file = `${yield* fileWith(new Uint8Array(1))}.jsonl`
      yield* run(["inspect", `--json-file=${file}`])
      const lines = yield* Effect.flatMap(FileSystem.FileSystem, (fs) => fs.readFileString(file))
      expect(JSON.parse(lines)).toMatchObject({ _tag: "UsageError", command: "inspect" })
    }).pipe(Effect.provide(NodeContext.layer))
  )

  it.effect("that cannot be written stops the command before it begins", () =>
    Effect.gen(function* () {
      const { code, err } = yield* run(["inspect", "/no/such.zip", "--json-file", "/no/such/folder/file"])
      expect(code).toBe(64)
      expect(err.replace(/\s+/g, " ")).toContain(
        "--json-file: /no/such/folder/file cannot be written: ENOENT"
      )
    })
  )
})

describe("a failure", () => {
  it.effect.each(failures)("advises once: $_tag", ([failure, remedy]) =>
    Effect.gen(function* () {
      const { lines, words } = yield* told(new Output.Failed({ failure }))
      expect(lines.split("\n")[0]).toBe(failure._tag)
      expect(occurrences(words, remedy)).toBe(1)
      // The library's own words for the same step are gone.
      expect(words).not.toContain("onConflict")
      expect(words).not.toContain("protectInUse")
      const { out } = yield* told(new Output.Failed({ failure }), true)
      const { message, remedy: advice } = JSON.parse(out)
      expect(advice).toContain(remedy)
      expect(occurrences(message, remedy)).toBe(1)
      expect(message.endsWith(advice)).toBe(true)
    })
  )

  it.prop("of any kind is told whole, its remedy last", [PublishError], ([failure]) => {
    expect(failure.message.endsWith(failure.remedy)).toBe(true)
    const { happened, remedy } = Output.accountOf(failure)
    expect(happened.length).toBeGreaterThan(0)
    expect(remedy.length).toBeGreaterThan(0)
    expect(happened).not.toContain(remedy)
  })

  it.effect("that can be resumed names the command, and has a code of its own", () =>
    Effect.gen(function* () {
      const ending = new Output.Resumable({
        failure: new UploadPaused({ canResume: true }),
        resume: "effect … resume 1"
      })
      const { code, lines } = yield* told(ending)
      expect(code).toBe(2)
      expect(lines.endsWith("To resume:\n  effect … resume 1\n")).toBe(true)
      expect(JSON.parse((yield* told(ending, true)).out)).toMatchObject({
        _tag: "UploadPaused",
        resume: "effect … resume 1",
        exitCode: 2
      })
    })
  )
})
