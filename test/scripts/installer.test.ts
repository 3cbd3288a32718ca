/** What `npm run test:installer` finds where there is a JDK rests on this, which needs none. */
import { readFileSync } from "node:fs"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import {
  disagreements,
  describe as inWords,
  type Judged,
  unused
} from "../../scripts/installer/comparison.ts"
import { crafted } from "../../scripts/installer/crafted.ts"
import { markdown } from "../../scripts/installer/mistakes.ts"
import { mutationsOf } from "../../scripts/installer/mutations.ts"
import type { Verdict } from "../../scripts/installer/oracle.ts"
import * as page from "../../scripts/installer/page.ts"
import { writers } from "../../scripts/installer/tools.ts"
import type { Writer } from "../../scripts/installer/writer.ts"
import * as Archive from "../../src/archive/Archive.ts"
import * as ArchiveInspection from "../../src/archive/ArchiveInspection.ts"
import { classic, descriptor, jar, zip } from "../support/archive/zip.ts"

const good = zip([classic(), jar])
const escaping = zip([classic(), jar, { name: "../evil.txt" }])

const installed = (descriptor: Record<string, string>): Verdict => ({
  _tag: "Installed",
  entries: 2,
  descriptor
})
const refused: Verdict = { _tag: "Refused", step: "unzip", reason: "java.util.zip.ZipException: no" }

const judged = (bytes: Uint8Array, verdict: Verdict): Effect.Effect<Judged> =>
  Effect.map(
    Effect.orDie(ArchiveInspection.inspect(Archive.bytes({ name: "acme.zip", bytes }))),
    (inspection) => ({ sample: { name: "acme", origin: "crafted", bytes }, verdict, inspection })
  )

const properties = {
  name: "analysis-acme",
  description: "Analysis for Acme",
  version: "2.1.0",
  "java.version": "17",
  "elasticsearch.version": "8.17.0",
  classname: "com.acme.Plugin"
}

describe("a verdict of ours", () => {
  const reason = {
    code: "unsafe-path",
    says: /leaves its folder/,
    why: "because",
    witness: escaping
  } as const

  it.effect("agrees with the oracle's: taken and read alike, or stopped by both", () =>
    Effect.gen(function* () {
      expect(descriptor()).toContain("name=analysis-acme")
      expect(disagreements(yield* judged(good, installed(properties)), [])).toEqual([])
      expect(disagreements(yield* judged(escaping, refused), [])).toEqual([])
    })
  )

  it.effect("may not be milder", () =>
    Effect.gen(function* () {
      const found = disagreements(yield* judged(good, refused), [reason])
      expect(found.map(inWords)).toEqual([
        "milder than the oracle, which refuses it (unzip: java.util.zip.ZipException: no)"
      ])
    })
  )

  it.effect("may be harsher for a listed reason alone, and the list holds no other", () =>
    Effect.gen(function* () {
      const harsh = yield* judged(escaping, installed(properties))
      const other = { ...reason, says: /absolute/ }
      expect(disagreements(harsh, [reason])).toEqual([])
      expect(unused([harsh], [reason])).toEqual([])
      expect(disagreements(harsh, [other]).map(({ _tag }) => _tag)).toEqual(["Harsher"])
      expect(unused([harsh], [reason, other])).toEqual([other])
      expect(unused([yield* judged(escaping, refused)], [reason])).toEqual([reason])
    })
  )

  it.effect("reads the descriptor as the oracle does, key by key", () =>
    Effect.gen(function* () {
      const found = disagreements(yield* judged(good, installed({ ...properties, version: "2.1.0 " })), [])
      expect(found.map(inWords)).toEqual(['reads "version" as "2.1.0", the oracle as "2.1.0 "'])
    })
  )
})

describe("the archives to judge", () => {
  it("are the same for the same seed, others for another, and leave what they come from as it was", () => {
    const some = crafted({ seed: 1, each: 5 })
    expect(crafted({ seed: 1, each: 5 })).toEqual(some)
    expect(crafted({ seed: 2, each: 5 })).not.toEqual(some)

    const before = good.slice()
    const sample = { name: "good", origin: "tool" as const, bytes: good }
    const damaged = mutationsOf([sample], { seed: 1, each: 50 })
    expect(mutationsOf([sample], { seed: 1, each: 50 })).toEqual(damaged)
    expect(good).toEqual(before)
    expect(damaged.filter(({ bytes }) => !Buffer.from(bytes).equals(good)).length).toBeGreaterThan(45)
  })
})

describe("docs/archives.md", () => {
  const text = readFileSync(page.page, "utf8")
  const row = (writer: Writer, refused: ReadonlyArray<string>): page.Row => ({ writer, refused })

  it.effect("has a row for every tool, and the messages as they are", () =>
    Effect.gen(function* () {
      const table = page.sectionOf(text, "tools")
      expect(table.split("\n").length).toBe(writers.length + 2)
      const rows = writers.map((writer) => {
        const taken = page.render(row(writer, []))
        return table.includes(taken) ? row(writer, []) : row(writer, ["a plugin"])
      })
      expect(rows.filter(page.isOdd)).toEqual([])
      expect(page.sectionOf(text, "mistakes")).toBe(yield* markdown)
    })
  )

  it("is held against what was found, but for tools that are not there", () => {
    const [first, ...others] = writers.map((writer) =>
      row(writer, Option.isSome(writer.instead) ? ["a plugin"] : [])
    )
    if (first === undefined) throw new Error("there are no writers")
    const tools = [first, ...others].map(page.render).join("\n")
    const written = `<!-- figures tools -->\n\n| head |\n| --- |\n${tools}\n\n<!-- /figures tools -->\n<!-- figures mistakes -->\n\nNone.\n\n<!-- /figures mistakes -->\n`
    expect(page.differences(written, [first, ...others], "None.", [])).toEqual([])

    const turned = row(first.writer, ["an empty file"])
    const found = page.differences(written, [turned, ...others], "Some.", [])
    expect(found.map((line) => line.slice(0, 30))).toEqual([
      "docs/archives.md: it lacks: | ",
      "docs/archives.md: it says: | z",
      "docs/archives.md: other messag"
    ])
    const withoutZip = others.filter(({ writer }) => writer.tool !== first.writer.tool)
    expect(page.differences(written, withoutZip, "None.", [first.writer.tool])).toEqual([])
  })
})
