/** The rules of the house are worth something only if breaking them is noticed. */
import { execFile } from "node:child_process"
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join, resolve } from "node:path"
import { fileURLToPath } from "node:url"
import { afterAll, describe, expect, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
import { circlesIn, crossingsIn, isPair, modulesIn } from "../scripts/support/modules.ts"
import { byTag } from "../src/cli/ExitCode.ts"
import { PublishError } from "../src/index.ts"
import * as RunnerError from "../src/runner/RunnerError.ts"
import * as EngineError from "../src/workflow/EngineError.ts"
import { InvalidPayload, ReleaseError } from "../src/workflow/ReleaseError.ts"

const root = resolve(fileURLToPath(import.meta.url), "../..")
const readme = readFileSync(join(root, "README.md"), "utf8")
const errorsPage = readFileSync(join(root, "docs/errors.md"), "utf8")
const modules = modulesIn(join(root, "src"))

/** A copy of the linter's configuration beside files that break its rules. */
const sandbox = mkdtempSync(join(tmpdir(), "house-"))

/** What the linter says about these files, by their paths. */
const lint = (files: Readonly<Record<string, string>>): Promise<string> => {
  rmSync(sandbox, { recursive: true, force: true })
  const write = (file: string, text: string) => {
    mkdirSync(dirname(join(sandbox, file)), { recursive: true })
    writeFileSync(join(sandbox, file), text)
  }
  const config: unknown = JSON.parse(readFileSync(join(root, "biome.json"), "utf8"))
  const {
    $schema: _,
    vcs: __,
    ...rules
  } = Schema.decodeUnknownSync(Schema.Record({ key: Schema.String, value: Schema.Unknown }))(config)
  write("biome.json", JSON.stringify({ ...rules, root: true }))
  for (const [file, text] of Object.entries(files)) write(file, text)
  const args = ["lint", "--colors=off", "--max-diagnostics=none", "."]
  return new Promise((resolve) =>
    execFile(
      join(root, "node_modules/.bin/biome"),
      args,
      { cwd: sandbox, encoding: "utf8", maxBuffer: 10 * 1024 * 1024 },
      (_, stdout, stderr) => resolve(stdout + stderr)
    )
  )
}

/** Of these files, those with an import that the linter refuses. */
const refused = async (files: Readonly<Record<string, string>>): Promise<ReadonlyArray<string>> => {
  const output = await lint(files)
  return Object.keys(files).filter((file) =>
    new RegExp(`^${file}:\\d+:\\d+ lint/style/noRestrictedImports`, "m").test(output)
  )
}

afterAll(() => rmSync(sandbox, { recursive: true, force: true }))

/** Which folders of `src` each of them may import from. */
const floors: Readonly<Record<string, ReadonlyArray<string>>> = {
  archive: [],
  journal: [],
  transfer: [],
  staging: ["archive", "transfer"],
  cloud: ["transfer"],
  upload: ["archive", "journal", "transfer", "cloud"],
  publish: ["archive", "journal", "transfer", "staging", "cloud", "upload"],
  workflow: ["archive", "journal", "transfer", "staging", "cloud", "upload", "publish"],
  runner: ["archive", "journal", "transfer", "staging", "cloud", "upload", "publish", "workflow"],
  cli: [
    "archive",
    "journal",
    "transfer",
    "staging",
    "cloud",
    "upload",
    "publish",
    "workflow",
    "runner",
    "testing"
  ],
  testing: []
}
const folders = Object.keys(floors)

describe("floors", () => {
  it("are all the folders there are", () => {
    const present = readdirSync(join(root, "src"), { withFileTypes: true }).filter((entry) =>
      entry.isDirectory()
    )
    expect(present.map(({ name }) => name).sort()).toEqual([...folders].sort())
  })

  it.each(folders)("%s/ imports from the floors below it only, at every depth", async (from) => {
    const others = folders.filter((to) => to !== from)
    const above = others.filter((to) => !floors[from]?.includes(to))
    const files = (place: string, up: string) =>
      Object.fromEntries(
        others.map((to) => [`src/${from}/${place}${to}.ts`, `export { there } from "${up}${to}/There.ts"\n`])
      )
    expect(await refused({ ...files("", "../"), ...files("internal/here/", "../../../") })).toEqual([
      ...above.map((to) => `src/${from}/${to}.ts`),
      ...above.map((to) => `src/${from}/internal/here/${to}.ts`)
    ])
  })

  it("let the stand-in have the schemas of cloud/, and nothing else of it", async () => {
    const schemas = 'export { Extension } from "../cloud/Extension.ts"\n'
    expect(await refused({ "src/testing/Here.ts": schemas })).toEqual([])
  })
})

describe("internal/", () => {
  it.each([...folders, "index"])("of another folder is closed to %s", async (from) => {
    const others = folders.filter((to) => to !== from)
    const [place, up] = from === "index" ? ["src/", "./"] : [`src/${from}/`, "../"]
    const files = Object.fromEntries(
      others.flatMap((to) => [
        [`${place}${to}.ts`, `export { there } from "${up}${to}/internal/there.ts"\n`],
        [`${place}${to}-deep.ts`, `export { there } from "${up}${to}/internal/deep/there.ts"\n`]
      ])
    )
    expect(await refused(files)).toEqual(Object.keys(files))
  })

  it.each(["examples", "scripts", "scripts/support"])("is closed to %s/", async (from) => {
    const up = "../".repeat(from.split("/").length)
    const files = Object.fromEntries(
      folders.map((to) => [`${from}/${to}.ts`, `export { there } from "${up}src/${to}/internal/there.ts"\n`])
    )
    expect(await refused(files)).toEqual(Object.keys(files))
  })

  it.each(folders)("of %s/ is open to itself", async (folder) => {
    const files = {
      [`src/${folder}/Here.ts`]: 'export { there } from "./internal/there.ts"\n',
      [`src/${folder}/internal/here.ts`]: 'export { there } from "./deep/there.ts"\n'
    }
    expect(await refused(files)).toEqual([])
  })

  it("is entered by nobody else", () => expect(crossingsIn(modules)).toEqual([]))
})

describe("imports", () => {
  it("of the barrels, the environment and the console stay outside of src", async () => {
    const code =
      'import { Effect } from "effect"\nexport const a = Effect.sync(() => console.log(process.env.A))\n'
    const output = await lint({ "src/cloud/Here.ts": code })
    expect(output).toContain("noRestrictedImports")
    expect(output).toContain("noProcessEnv")
    expect(output).toContain("noConsole")
  })

  it("make no circles, those of types included, but of a module and its own implementation", () => {
    expect(circlesIn(modules).filter((circle) => !isPair(circle))).toEqual([])
  })
})

describe("test/", () => {
  const testsOf = (folder: string) =>
    readdirSync(join(root, "test", folder), { recursive: true, encoding: "utf8" }).filter((name) =>
      name.endsWith(".test.ts")
    )
  /** `UploadJournal` of `UploadJournal.file.test.ts`. Names in lower case are topics of the folder as a whole. */
  const subjectOf = (test: string) => test.replace(/\..*$/, "")

  it.each(folders)("mirrors src/%s", (folder) => {
    const subjects = testsOf(folder).map(subjectOf)
    expect(subjects.length).toBeGreaterThan(0)
    const named = subjects.filter((subject) => /^[A-Z]|\//.test(subject))
    const known = new Set(modules.map(({ path }) => path.replace(/\.ts$/, "")))
    const isPart = (subject: string) => known.has(`${folder}/${subject}`) || isFolder(`${folder}/${subject}/`)
    const isFolder = (place: string) => [...known].some((path) => path.startsWith(place))
    expect(named.filter((subject) => !isPart(subject))).toEqual([])
  })

  it("keeps helpers in test/support/ only", () => {
    const helpers = readdirSync(join(root, "test"), { recursive: true, encoding: "utf8" }).filter(
      (name) => name.endsWith(".ts") && !/^support\/|\.test\.ts$|^runtimes\//.test(name)
    )
    expect(helpers).toEqual([])
  })
})

interface Members {
  readonly members: ReadonlyArray<Members | { readonly _tag: string }>
}

const tagsOf = ({ members }: Members): ReadonlyArray<string> =>
  members.flatMap((member) => ("members" in member ? tagsOf(member) : [member._tag]))

/** A row of a table that names it. */
const rowOf = (name: string) => new RegExp(`^\\|.*\`${name}\`.*\\|`, "m")

describe("docs/errors.md", () => {
  const tags = new Set([
    ...tagsOf(PublishError.PublishError),
    ...tagsOf(ReleaseError),
    InvalidPayload._tag,
    ...Object.keys(EngineError),
    ...Object.keys(RunnerError),
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
    const known = new Set([
      ...tags,
      "InvalidElasticCloudConfig",
      "InvalidStoreConfig",
      "LocalElasticCloudError"
    ])
    expect(named.filter((name) => !known.has(name))).toEqual([])
  })
})

describe("the README", () => {
  const variables = new Set(modules.flatMap(({ text }) => text.match(/\bEC_[A-Z_]+[A-Z]\b/g) ?? []))

  it("has a table to be complete", () => {
    expect(variables.size).toBeGreaterThan(15)
  })
  it.each([...variables])("says what %s does", (name) => expect(readme).toMatch(rowOf(name)))
})
