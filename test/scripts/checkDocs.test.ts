/** What `npm run check:docs` looks for, it finds. */
import { describe, expect, it } from "@effect/vitest"
import { blocksIn } from "../../scripts/support/docs/blocks.ts"
import { gapsIn } from "../../scripts/support/docs/docstrings.ts"
import { anchorsIn, brokenLinksIn } from "../../scripts/support/docs/links.ts"

describe("TypeScript blocks", () => {
  it("are those marked as such, in a page and in a docstring", () => {
    const page = "# Page\n\n```ts\nconst a = 1\n```\n\n```sh\nls\n```\n"
    expect(blocksIn(page, "markdown")).toEqual([{ line: 3, code: "const a = 1\n" }])
    const source =
      "/**\n * Text.\n *\n * @example\n * ```ts\n * const a = {\n *   b: 1\n * }\n * ```\n */\nexport {}\n"
    expect(blocksIn(source, "source")).toEqual([{ line: 5, code: "const a = {\n  b: 1\n}\n" }])
  })
})

describe("docstrings", () => {
  const head = "/**\n * A module.\n *\n * @since 0.1.0\n */\n"
  const tags = " * @since 0.1.0\n * @category models\n */\n"

  it.each([
    [`${head}/**\n * A number.\n *\n${tags}export const a = 1\n`],
    [`${head}/** A number. @since 0.1.0 @category models */\nexport const a = 1\n`],
    [`${head}const a = 1\n`]
  ])("that are complete are left alone: %j", (source) => {
    expect(gapsIn(source)).toEqual([])
  })

  it("without a description, a version or a category are named", () => {
    expect(gapsIn(`${head}/**\n${tags}export interface A {}\n`)).toEqual([
      { line: 10, name: "A", missing: ["description"] }
    ])
    expect(gapsIn(`${head}/** @since 0.1.0 @category models */\nexport const a = 1\n`)).toEqual([
      { line: 7, name: "a", missing: ["description"] }
    ])
    expect(gapsIn(`${head}/** A class. */\nexport class A {}\n`)).toEqual([
      { line: 7, name: "A", missing: ["@since", "@category"] }
    ])
    expect(gapsIn(`${head}export type A = 1\n`)).toEqual([
      { line: 6, name: "A", missing: ["description", "@since", "@category"] }
    ])
    expect(gapsIn("export {}\n")).toEqual([{ line: 1, name: "module", missing: ["description", "@since"] }])
  })

  it("of something else do not count", () => {
    const source = `${head}/**\n * Of b.\n *\n${tags}const b = 1\n\nexport const a = 1\n`
    expect(gapsIn(source).map(({ name }) => name)).toEqual(["a"])
  })
})

describe("links", () => {
  const pages = new Map([
    ["docs/cli.md", "# The command line\n\n## Exit codes\n\n## `--json`, and what it says\n"],
    ["src/cli/main.ts", ""]
  ])
  const brokenIn = (markdown: string) => brokenLinksIn("docs/here.md", markdown, (path) => pages.get(path))

  it("that lead somewhere are left alone", () => {
    expect(anchorsIn(pages.get("docs/cli.md") ?? "")).toContain("--json-and-what-it-says")
    const markdown =
      "# Here\n[a](cli.md) [b](cli.md#exit-codes) [c](#here) [d](../src/cli/main.ts) [e](https://example.org/x)\n"
    expect(brokenIn(markdown)).toEqual([])
    expect(brokenIn("```md\n[a](nowhere.md)\n```\n")).toEqual([])
  })

  it("to a page or a heading that does not exist are named", () => {
    expect(brokenIn("# Here\n\n[a](nowhere.md) and [b](cli.md#entry-codes) and [c](#there)\n")).toEqual([
      { line: 3, target: "nowhere.md" },
      { line: 3, target: "cli.md#entry-codes" },
      { line: 3, target: "#there" }
    ])
  })
})
