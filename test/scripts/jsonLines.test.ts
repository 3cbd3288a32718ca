/** The published contract of `--json` is what the command line is made of, and catches lines that break it. */
import { readFileSync } from "node:fs"
import { describe, expect, it } from "@effect/vitest"
import { kinds, publishedSchema, tables } from "../../scripts/support/lines.ts"
import { staleIn } from "../../scripts/support/transcripts/document.ts"
import { byTag } from "../../src/cli/ExitCode.ts"
import { linesIn } from "../support/cli/lines.ts"

const time = "2026-11-24T01:02:03.004Z"
const told = { message: "It failed. Do this.", remedy: "Do this.", isRetryable: false, exitCode: 1 }

describe("the contract", () => {
  it("is written down as it is (to write it anew: npm run docs:json)", () => {
    expect(readFileSync("docs/json-lines.schema.json", "utf8")).toBe(publishedSchema)
    expect(staleIn(readFileSync("docs/json.md", "utf8"), tables)).toEqual([])
  })

  it("tells every kind of line by its tag, every error among them", () => {
    const tags = kinds.map(({ tag }) => tag)
    expect(new Set(tags).size).toBe(tags.length)
    expect(tags).toEqual(expect.arrayContaining(Object.keys(byTag)))
  })

  it("lets readers meet fields that they do not know", () => {
    expect(publishedSchema).not.toContain('"additionalProperties": false')
  })
})

describe("a line", () => {
  it.each([
    { _tag: "UploadPaused", time, canResume: true, ...told, resume: "again" },
    { _tag: "Verified", time, proof: "hash" },
    { _tag: "UploadCancelled", time, extensionId: "1" }
  ])("as it is written passes: $_tag", (line) => expect(linesIn(`${JSON.stringify(line)}\n`)).toEqual([line]))

  it.each([
    { _tag: "Verified", proof: "hash" },
    { _tag: "Verified", time, proof: "guess" },
    { _tag: "Verified", time: "now", proof: "hash" },
    { _tag: "Verified", time, proof: "hash", further: 1 },
    { _tag: "Interrupted", time, message: "It failed." },
    { _tag: "Surprise", time }
  ])("that breaks it does not: %j", (line) =>
    expect(() => linesIn(`${JSON.stringify(line)}\n`)).toThrow("no line of the contract")
  )
})
