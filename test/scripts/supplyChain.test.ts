/** What this repository is made of is known by its content, and may be used. */
import { existsSync, readFileSync } from "node:fs"
import * as FileSystem from "@effect/platform/FileSystem"
import * as NodeContext from "@effect/platform-node/NodeContext"
import { describe, expect, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { buildCommandPackage } from "../../scripts/support/command.ts"
import { problemsIn } from "../../scripts/support/licences.ts"
import { sbomOfCommand, sbomOfLibrary } from "../../scripts/support/sbom.ts"
import { commandName } from "../../src/cli/Project.ts"
import { packageVersion } from "../../src/cloud/PackageVersion.ts"

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

describe("the account of what a package consists of", () => {
  const parts = ({ components }: { readonly components: ReadonlyArray<{ readonly name: string }> }) =>
    components.map(({ name }) => name)

  it.effect("has the library's dependencies and theirs, and nothing that it is developed with", () =>
    Effect.gen(function* () {
      const sbom = yield* sbomOfLibrary
      expect(parts(sbom)).toEqual(
        expect.arrayContaining(["https-proxy-agent", "agent-base", "structured-headers"])
      )
      expect(parts(sbom)).not.toEqual(expect.arrayContaining(["vitest"]))
      expect(sbom.metadata.component).toMatchObject({ name: "effect-elastic-extensions" })
    }).pipe(Effect.provide(NodeContext.layer))
  )

  it.effect("has what is in the command's program, by name, version and hash", () =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const folder = yield* fs.makeTempDirectoryScoped()
      const bundled = yield* buildCommandPackage(folder)
      const sbom = yield* sbomOfCommand(folder, bundled)
      expect(sbom.components).toHaveLength(bundled.length)
      expect(parts(sbom)).toEqual(expect.arrayContaining(["effect", "@effect/cli", "structured-headers"]))
      for (const part of sbom.components) expect(part["hashes"]).toMatchObject([{ alg: "SHA-512" }])
      expect(sbom.metadata.component).toMatchObject({ name: commandName, version: packageVersion })
    }).pipe(Effect.scoped, Effect.provide(NodeContext.layer))
  )
})

describe("SECURITY.md", () => {
  const page = readFileSync("SECURITY.md", "utf8")
  const [promised = ""] = page.split(/^## (?!What is promised)/m)
  const rows = promised.match(/^\| .* \|$/gm)?.slice(2) ?? []
  const promises = rows.map((row) => {
    const [, promise = "", tests = ""] =
      row.split(" | ").length === 2 ? (/^\| (.*) \| (.*) \|$/.exec(row) ?? []) : []
    return [promise, [...tests.matchAll(/`(.*?)`/g)].map(([, file = ""]) => file)] as const
  })

  it("promises something", () => expect(promises.length).toBeGreaterThan(8))

  const { scripts } = JSON.parse(readFileSync("package.json", "utf8"))
  const isThere = (held: string) => existsSync(held) || held.replace(/^npm run /, "") in scripts

  it.each(promises)("%s is held by tests that there are", (_, tests) => {
    expect(tests.length).toBeGreaterThan(0)
    expect(tests.filter((held) => !isThere(held))).toEqual([])
  })

  it("names no command that cannot be run", () => {
    const files = page.match(/\btest\/[\w./-]+\.ts\b/g) ?? []
    const commands = page.match(/npm run [\w:-]+/g) ?? []
    expect(files.length).toBeGreaterThan(30)
    expect([...files, ...commands].filter((named) => !isThere(named))).toEqual([])
  })
})
