/** The rules of the house are worth something only if breaking them is noticed. */
import { spawnSync } from "node:child_process"
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join, resolve } from "node:path"
import { fileURLToPath } from "node:url"
import { afterAll, describe, expect, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
import { byTag } from "../src/cli/ExitCode.ts"
import { PublishError } from "../src/index.ts"
import * as EngineError from "../src/workflow/EngineError.ts"
import { InvalidPayload, ReleaseError } from "../src/workflow/ReleaseError.ts"

const root = resolve(fileURLToPath(import.meta.url), "../..")
const readme = readFileSync(join(root, "README.md"), "utf8")
const errorsPage = readFileSync(join(root, "docs/errors.md"), "utf8")

/** A copy of the linter's configuration beside files that break its rules. */
const sandbox = mkdtempSync(join(tmpdir(), "house-"))

const lint = (file: string, code: string): string => {
  rmSync(sandbox, { recursive: true, force: true })
  const path = join(sandbox, file)
  mkdirSync(dirname(path), { recursive: true })
  const config: unknown = JSON.parse(readFileSync(join(root, "biome.json"), "utf8"))
  const {
    $schema: _,
    vcs: __,
    ...rules
  } = Schema.decodeUnknownSync(Schema.Record({ key: Schema.String, value: Schema.Unknown }))(config)
  writeFileSync(join(sandbox, "biome.json"), JSON.stringify({ ...rules, root: true }))
  writeFileSync(path, code)
  const { stderr, stdout } = spawnSync(
    join(root, "node_modules/.bin/biome"),
    ["lint", "--colors=off", "--max-diagnostics=50", "src"],
    { cwd: sandbox, encoding: "utf8" }
  )
  return stdout + stderr
}

afterAll(() => rmSync(sandbox, { recursive: true, force: true }))

describe("floors", () => {
  const forbidden: ReadonlyArray<readonly [from: string, to: string]> = [
    ["archive", "transfer"],
    ["archive", "cloud"],
    ["transfer", "archive"],
    ["transfer", "cloud"],
    ["transfer", "upload"],
    ["cloud", "archive"],
    ["cloud", "upload"],
    ["upload", "testing"],
    ["upload", "cli"],
    ["testing", "transfer"],
    ["testing", "upload"],
    ["testing", "cloud"],
    ["workflow", "cli"]
  ]
  it.each(forbidden)("%s/ may not import %s/", (from, to) => {
    const output = lint(`src/${from}/Here.ts`, `export { there } from "../${to}/There.ts"\n`)
    expect(output).toContain("lint/style/noRestrictedImports")
  })

  it("the stand-in may import the schemas of cloud/, and a lower floor may be imported", () => {
    const schemas = 'export { Extension } from "../cloud/Extension.ts"\n'
    expect(lint("src/testing/Here.ts", schemas)).not.toContain("noRestrictedImports")
    const lower = 'export { Archive } from "../archive/Archive.ts"\n'
    expect(lint("src/upload/Here.ts", lower)).not.toContain("noRestrictedImports")
  })

  it("the barrels, the environment and the console stay outside", () => {
    const code =
      'import { Effect } from "effect"\nexport const a = Effect.sync(() => console.log(process.env.A))\n'
    const output = lint("src/cloud/Here.ts", code)
    expect(output).toContain("noRestrictedImports")
    expect(output).toContain("noProcessEnv")
    expect(output).toContain("noConsole")
  })
})

interface Members {
  readonly members: ReadonlyArray<Members | { readonly _tag: string }>
}

const tagsOf = ({ members }: Members): ReadonlyArray<string> =>
  members.flatMap((member) => ("members" in member ? tagsOf(member) : [member._tag]))

const sources = readdirSync(join(root, "src"), { recursive: true, encoding: "utf8" })
  .filter((name) => name.endsWith(".ts"))
  .map((name) => readFileSync(join(root, "src", name), "utf8"))

/** A row of a table that names it. */
const rowOf = (name: string) => new RegExp(`^\\|.*\`${name}\`.*\\|`, "m")

describe("docs/errors.md", () => {
  const tags = new Set([
    ...tagsOf(PublishError.PublishError),
    ...tagsOf(ReleaseError),
    InvalidPayload._tag,
    ...Object.keys(EngineError),
    ...Object.keys(byTag)
  ])

  it("has every error to tell of", () => {
    expect(tags.size).toBeGreaterThan(50)
  })
  it.each([...tags])("says what to do about %s", (tag) => expect(errorsPage).toMatch(rowOf(tag)))
  it("names no error that does not exist", () => {
    const named = [...errorsPage.matchAll(/^\| (`.*?`) \|/gm)].flatMap(([, cell = ""]) =>
      cell.split(", ").map((name) => name.replaceAll("`", ""))
    )
    const known = new Set([...tags, "InvalidElasticCloudConfig", "LocalElasticCloudError"])
    expect(named.filter((name) => !known.has(name))).toEqual([])
  })
})

describe("the README", () => {
  const variables = new Set(sources.flatMap((text) => text.match(/\bEC_[A-Z_]+[A-Z]\b/g) ?? []))

  it("has a table to be complete", () => {
    expect(variables.size).toBeGreaterThan(15)
  })
  it.each([...variables])("says what %s does", (name) => expect(readme).toMatch(rowOf(name)))
})
