/** What this repository is made of is known by its content, and may be used. */
import { existsSync, readFileSync } from "node:fs"
import { describe, expect, it } from "@effect/vitest"
import { Schema } from "effect"
import { problemsIn } from "../../scripts/support/licences.ts"

const Lock = Schema.parseJson(
  Schema.Struct({
    packages: Schema.Record({
      key: Schema.String,
      value: Schema.Struct({
        integrity: Schema.optional(Schema.String),
        resolved: Schema.optional(Schema.String),
        link: Schema.optional(Schema.Boolean),
        hasInstallScript: Schema.optional(Schema.Boolean)
      })
    })
  })
)

/** The packages of other platforms, which the registry of this repository does not give; nothing else may be without a hash. */
const unknown = /^node_modules\/@effect\/tsgo-(darwin|linux-arm|win32)/

describe.each(["package-lock.json", "test/runtimes/package-lock.json", "scripts/site/package-lock.json"])(
  "%s",
  (file) => {
    const { packages } = Schema.decodeUnknownSync(Lock)(readFileSync(file, "utf8"))
    const installed = Object.entries(packages).filter(
      ([path, { link }]) => path.includes("node_modules/") && link !== true
    )

    it("knows every package by its content", () => {
      expect(installed.length).toBeGreaterThan(3)
      const without = installed.filter(([, { integrity = "" }]) => !/^sha512-[\w+/]{86}==$/.test(integrity))
      expect(without.map(([path]) => path).filter((path) => !unknown.test(path))).toEqual([])
    })

    it("names no place to fetch them from", () => {
      const placed = installed.filter(([, { resolved }]) => resolved !== undefined)
      expect(placed.map(([path]) => path)).toEqual([])
    })
  }
)

describe("licences", () => {
  const part = (license?: string, dev = false) => [["node_modules/a", { license, dev }]] as const

  it.each(["MIT", "Apache-2.0", "(MIT AND Zlib)", "(MIT OR GPL-3.0-or-later)"])("%s is welcome", (license) =>
    expect(problemsIn(part(license))).toEqual([])
  )

  it.each(["GPL-3.0-or-later", "(MIT AND GPL-3.0-only)", "UNLICENSED", "SEE LICENSE IN x"])(
    "%s is not",
    (license) => expect(problemsIn(part(license))).toEqual([`a has the licence ${license}`])
  )

  it("none is not, but for known packages that are not published", () => {
    expect(problemsIn(part())).toEqual(["a has no licence"])
    const known = (dev: boolean) => [["node_modules/combine-errors", { dev }]] as const
    expect(problemsIn(known(true))).toEqual([])
    expect(problemsIn(known(false))).toEqual(["combine-errors has no licence"])
  })
})

describe("SECURITY.md", () => {
  const rows =
    readFileSync("SECURITY.md", "utf8")
      .match(/^\| .* \|$/gm)
      ?.slice(2) ?? []
  const promises = rows.map((row) => {
    const [, promise = "", tests = ""] =
      row.split(" | ").length === 2 ? (/^\| (.*) \| (.*) \|$/.exec(row) ?? []) : []
    return [promise, [...tests.matchAll(/`(.*?)`/g)].map(([, file = ""]) => file)] as const
  })

  it("promises something", () => expect(promises.length).toBeGreaterThan(8))

  it.each(promises)("%s is held by tests that there are", (_, tests) => {
    expect(tests.length).toBeGreaterThan(0)
    expect(tests.filter((file) => !existsSync(file))).toEqual([])
  })
})
