/** The pages as a site has them, and terminals as pictures have them. */
import { readdirSync, readFileSync } from "node:fs"
import { describe, expect, it } from "@effect/vitest"
import { forSite, pageOf } from "../../scripts/support/docs/pages.ts"
import { pictureOf, screenAfter } from "../../scripts/support/terminal.ts"

const source = "https://example.org/blob/v1"

describe("forSite", () => {
  it.each([
    ["README.md", "docs/cli.md#exit-codes", "./cli#exit-codes"],
    ["README.md", "CHANGELOG.md", "./changelog"],
    ["README.md", "docs/pictures/receipt.svg", "./pictures/receipt.svg"],
    ["docs/cli.md", "testing.md", "./testing"],
    ["docs/cli.md", "../README.md#configuration", "./index#configuration"],
    ["docs/cli.md", "../examples/upload.ts", `${source}/examples/upload.ts`],
    ["docs/performance.md", "performance.svg", "./performance.svg"],
    ["CONTRIBUTING.md", "src/cloud/Extension.ts", `${source}/src/cloud/Extension.ts`],
    ["docs/cli.md", "#exit-codes", "#exit-codes"],
    ["docs/cli.md", "https://effect.website", "https://effect.website"]
  ])("of %s, %s leads to %s", (path, target, expected) =>
    expect(forSite(path, `[a](${target})`, source)).toBe(`[a](${expected})`)
  )

  it("is for every page, each with a name of its own, and a place in the site's menu", () => {
    const paths = [
      ...readdirSync(".").filter((name) => name.endsWith(".md")),
      ...readdirSync("docs").flatMap((name) => (name.endsWith(".md") ? [`docs/${name}`] : []))
    ]
    const names = paths.map((path) => pageOf(path) ?? path)
    expect(new Set(names).size).toBe(paths.length)
    const menu = readFileSync("scripts/site/.vitepress/config.mjs", "utf8")
    const inMenu = [...menu.matchAll(/page\("[^"]+", "([^"]*)"\)/g)].map(([, name]) => name || "index")
    expect(names.filter((name) => !inMenu.includes(name))).toEqual([])
  })
})

const textOf = (output: string) => screenAfter(output).map((cells) => cells.map(({ text }) => text).join(""))

describe("screenAfter", () => {
  it("shows the last of a line that is drawn again and again, however many rows it took", () => {
    expect(textOf("one\r\n10 %\r\u001b[2K20 %\r\u001b[2Ktwo\r\n")).toEqual(["one", "two"])
    expect(textOf("a\r\nb\r\n\u001b[2K\u001b[1A\r\u001b[2Kc")).toEqual(["a", "c"])
  })

  it("keeps looks until they end", () => {
    expect(screenAfter("\u001b[32m\u001b[1mdone\u001b[22m!\u001b[39m.")).toEqual([
      [
        { text: "done", codes: "32;1" },
        { text: "!", codes: "32" },
        { text: ".", codes: "" }
      ]
    ])
  })
})

describe("pictureOf", () => {
  it("is text that nothing is lost of, with what was typed first", () => {
    const picture = pictureOf("run <it>", screenAfter("\u001b[32ma & b\u001b[39m"), "A run")
    expect(picture).toContain("<title>A\u00a0run</title>")
    expect(picture).toContain("run\u00a0&#60;it&#62;")
    expect(picture).toContain('<tspan fill="#7ee2a8">a\u00a0&#38;\u00a0b</tspan>')
  })
})
