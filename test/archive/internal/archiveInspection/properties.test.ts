import { assert, describe, it } from "@effect/vitest"
import * as Either from "effect/Either"
import { parse as parseBytes } from "../../../../src/archive/internal/archiveInspection/properties.ts"

const parse = (text: string) => parseBytes(Buffer.from(text, "latin1"))

const entries = (text: string) => [...Either.getOrThrow(parse(text))]

describe("java properties", () => {
  // The cases of the documentation of java.util.Properties.load, and those that trip simpler readers.
  const cases: Record<
    string,
    readonly [text: string, ...expected: ReadonlyArray<readonly [string, string]>]
  > = {
    "separators of three kinds": ["a=1\nb:2\nc 3\nd\t4", ["a", "1"], ["b", "2"], ["c", "3"], ["d", "4"]],
    "white space around them": [
      "  Truth = Beauty\n\tTruth2:Beauty",
      ["Truth", "Beauty"],
      ["Truth2", "Beauty"]
    ],
    "one separator only": ["a == b\nc=:d", ["a", "= b"], ["c", ":d"]],
    "white space at the end of a value": ["a=b  ", ["a", "b  "]],
    "keys without a value": ["cheeses\nb=", ["cheeses", ""], ["b", ""]],
    "comments and blanks": ["# a=1\n  ! b=2\n\n   \nc=3", ["c", "3"]],
    "a hash inside": ["a=1 # one", ["a", "1 # one"]],
    "lines that continue": ["fruits  apple, banana, \\\n        pear", ["fruits", "apple, banana, pear"]],
    "a continuation that looks like a comment": ["a=b\\\n#c", ["a", "b#c"]],
    "an escaped backslash at the end": ["a=b\\\\\nc=d", ["a", "b\\"], ["c", "d"]],
    "a backslash at the very end": ["a=b\\", ["a", "b"]],
    "every line end": ["a=1\r\nb=2\rc=3\n", ["a", "1"], ["b", "2"], ["c", "3"]],
    escapes: ["a\\ b\\:c\\=d=\\t\\n\\u00e9\\q\\\\u0041", ["a b:c=d", "\t\n\u00e9q\\u0041"]],
    "the last of two": ["a=1\na=2", ["a", "2"]],
    "a key of nothing": ["=x", ["", "x"]],
    "a key that is a trap": ["__proto__=x", ["__proto__", "x"]]
  }

  for (const [what, [text, ...expected]] of Object.entries(cases)) {
    it(`reads ${what}`, () => {
      assert.deepStrictEqual(entries(text), expected)
    })
  }

  it("refuses a malformed escape, as Java does", () => {
    for (const text of ["a=\\u12", "a=\\uxyzw", "\\u=1", "a=\\\\\\u1"]) {
      assert.include(Either.getOrThrow(Either.flip(parse(text))), "malformed \\u escape")
    }
  })

  it("reads hostile text in no time", () => {
    const start = performance.now()
    for (const unit of ["\\", "\\\n", "a\\\n", "= ", " \t", "\\\\u"]) parse(`${unit.repeat(20_000)}x`)
    assert.isBelow(performance.now() - start, 1000)
  })
})
