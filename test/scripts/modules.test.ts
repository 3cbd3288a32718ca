/** What is counted about the modules of `src`, and held by `test/house.test.ts`. */
import { describe, expect, it } from "@effect/vitest"
import { circlesIn, crossingsIn, importsIn, isPair, type Module } from "../../scripts/support/modules.ts"

const module = (path: string, ...imports: ReadonlyArray<string>): Module => ({ path, text: "", imports })

describe("imports", () => {
  it("are all that lead to another module of the folder, those of types included", () => {
    const text = `import * as Effect from "effect/Effect"
import type { A } from "./A.ts"
import {
  b
} from "../other/b.ts"
import "./c.ts"
export * from "./d.ts"
const e = await import("./internal/e.ts")
const again = await import("./d.ts")
// import "./not.ts"
/**
 * import { not } from "./not.ts"
 */
`
    expect(importsIn("upload/Here.ts", text)).toEqual([
      "upload/A.ts",
      "other/b.ts",
      "upload/c.ts",
      "upload/d.ts",
      "upload/internal/e.ts"
    ])
  })

  it("into another folder's internal/ are named", () => {
    const modules = [
      module("a/A.ts", "a/internal/a.ts", "b/B.ts", "b/internal/b.ts"),
      module("a/internal/a.ts", "a/internal/deep/x.ts", "b/internal/deep/y.ts"),
      module("index.ts", "a/internal/a.ts")
    ]
    expect(crossingsIn(modules)).toEqual([
      "a/A.ts → b/internal/b.ts",
      "a/internal/a.ts → b/internal/deep/y.ts",
      "index.ts → a/internal/a.ts"
    ])
  })
})

describe("circles", () => {
  it("are the sets of modules that reach each other", () => {
    const modules = [
      module("a.ts", "b.ts", "nowhere.ts"),
      module("b.ts", "c.ts"),
      module("c.ts", "a.ts", "d.ts"),
      module("d.ts", "e.ts"),
      module("e.ts", "f.ts"),
      module("f.ts", "e.ts", "g.ts"),
      module("g.ts")
    ]
    expect(circlesIn(modules)).toEqual([
      ["e.ts", "f.ts"],
      ["a.ts", "b.ts", "c.ts"]
    ])
  })

  it("are found where two of them meet, and not where paths only meet again", () => {
    const meeting = [module("a.ts", "b.ts"), module("b.ts", "a.ts", "c.ts"), module("c.ts", "b.ts")]
    expect(circlesIn(meeting)).toEqual([["a.ts", "b.ts", "c.ts"]])
    const diamond = [
      module("a.ts", "b.ts", "c.ts"),
      module("b.ts", "d.ts"),
      module("c.ts", "d.ts"),
      module("d.ts")
    ]
    expect(circlesIn(diamond)).toEqual([])
  })

  it.each([
    [["journal/UploadJournal.ts", "journal/internal/uploadJournal.ts"]],
    [["upload/Plan.ts", "upload/internal/plan.ts", "upload/internal/plan/begin.ts"]],
    [["upload/Plan.ts", "upload/internal/plan/begin.ts"]]
  ])("of a module and its own implementation are pairs: %j", (circle) => expect(isPair(circle)).toBe(true))

  it.each([
    [["journal/UploadJournal.ts", "journal/internal/service.ts"]],
    [["archive/Archive.ts", "archive/ArchiveUrl.ts", "archive/internal/archive.ts"]],
    [["upload/internal/a.ts", "upload/internal/b.ts"]],
    [["archive/Archive.ts", "archive/internal/file.ts"]],
    [["archive/ArchiveDigest.ts", "archive/internal/digest.ts"]],
    [["upload/Plan.ts", "publish/internal/plan.ts"]]
  ])("of anything else are not: %j", (circle) => expect(isPair(circle)).toBe(false))
})
