/** What a failure says: what happened once, what to do once, and the command that resumes. */
import { describe, expect, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { InvalidArchive } from "../../../src/archive/ArchiveInspection.ts"
import { type Failure, InvalidConfiguration, UploadPaused, UsageError } from "../../../src/cli/Failure.ts"
import * as Output from "../../../src/cli/internal/output.ts"
import { Stdio } from "../../../src/cli/internal/terminal.ts"
import { PublishError } from "../../../src/publish/PublishError.ts"
import { ExtensionProtected, UploadConflict } from "../../../src/upload/UploadError.ts"
import { memorySink } from "../../support/cli/program.ts"

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
      const ending = new Output.Resumable({ failure: new UploadPaused(), resume: "effect … resume 1" })
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
