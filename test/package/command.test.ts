/** The command as others get it: packed, installed into empty folders and beside other versions of Effect, and run there. */
import { readdirSync, readFileSync, statSync } from "node:fs"
import { join } from "node:path"
import * as NodeContext from "@effect/platform-node/NodeContext"
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { afterAll, beforeAll } from "vitest"
import { compileSingleFile, platformNames } from "../../scripts/support/singleFiles.ts"
import { LocalElasticCloud } from "../../src/testing/LocalElasticCloud.ts"
import { install, needed } from "../support/package/consumer.ts"
import { emptyFolder, packCommand, remove, root, run, type Tarball, write } from "../support/package/pack.ts"
import { newestNode } from "../support/package/places.ts"
import { zipOf } from "../support/upload/archives.ts"
import { apiKey, held, seed, sha256, world } from "../support/upload/world.ts"

const names = ["elastic-extensions", "elext"] as const

let folder: string
let tarball: Tarball

/** Projects with the command in them: nothing else, an application on this version of Effect, one on the next. */
const projects = {
  "an empty folder": { installer: "npm", others: [] },
  "an empty folder, installed by Bun": { installer: "bun", others: [] },
  "an application on Effect 3": { installer: "npm", others: needed },
  "an application on Effect 4": { installer: "npm", others: ["effect@^4.0.0"] }
} as const
type Project = keyof typeof projects
const projectNames = Object.keys(projects).filter((name): name is Project => name in projects)

const folderOf = (project: Project) => join(folder, project.replace(/\W+/g, "-"))
const installed = (project: Project, name: string) => join(folderOf(project), "node_modules", name)

beforeAll(async () => {
  folder = await emptyFolder()
  tarball = await packCommand(folder)
  for (const project of projectNames) {
    const { installer, others } = projects[project]
    await install(folderOf(project), tarball, installer, others)
  }
})

afterAll(() => remove(folder))

describe("the tarball", () => {
  it("holds one program with its launcher, what explains it, and nothing else", () => {
    const paths = tarball.files.map(({ path }) => path)
    expect(paths.filter((path) => !/^chunks\/[\w-]+\.js$/.test(path)).sort()).toEqual([
      "LICENSE",
      "README.md",
      "THIRD-PARTY-LICENSES",
      "elastic-extensions.js",
      "json-lines.schema.json",
      "launcher.js",
      "package.json"
    ])
  })

  it("stays below 640 kB with the runner of releases, which other commands do not load, and its programs can be executed", () => {
    expect(tarball.size).toBeLessThan(640_000)
    const executables = tarball.files.filter(({ mode }) => (mode & 0o111) !== 0)
    expect(executables.map(({ path }) => path).sort()).toEqual(["elastic-extensions.js", "launcher.js"])
  })

  it("asks for nothing to be installed beside it, and is of the library's version", () => {
    const manifest = JSON.parse(
      readFileSync(join(installed("an empty folder", tarball.name), "package.json"), "utf8")
    )
    const library = JSON.parse(readFileSync(join(root, "package.json"), "utf8"))
    expect(Object.keys(manifest).filter((key) => /dependencies|scripts/i.test(key))).toEqual([])
    expect(Object.keys(manifest.bin)).toEqual(names)
    for (const field of ["version", "license", "homepage", "bugs", "repository", "engines"])
      expect(manifest[field]).toEqual(library[field])
  })

  it("names the licences of what is in its program", () => {
    const text = readFileSync(
      join(installed("an empty folder", tarball.name), "THIRD-PARTY-LICENSES"),
      "utf8"
    )
    for (const name of ["effect", "@effect/cli", "@effect/platform-node", "https-proxy-agent"])
      expect(text).toMatch(new RegExp(`^${name} \\d[\\w.-]*: MIT$`, "m"))
  })

  it("is all good to publint", async () => {
    const said = await run(root, "npx", ["--no-install", "publint", "run", tarball.path, "--strict"])
    expect(said).toContain("All good!")
  })
})

describe.each(projectNames)("in %s", (project) => {
  it("it is the only package that it brings", () => {
    const packages = readdirSync(join(folderOf(project), "node_modules")).filter(
      (name) => !name.startsWith(".")
    )
    expect(packages).toContain(tarball.name)
    if (projects[project].others.length === 0) expect(packages).toEqual([tarball.name])
  })

  it.each(names)("%s runs", async (name) => {
    const bin = join(folderOf(project), "node_modules/.bin", name)
    expect(statSync(bin).mode & 0o111).not.toBe(0)
    expect(await run(folderOf(project), bin, ["--version"])).toBe(`${tarball.version}\n`)
  })
})

describe("beside Effect 4", () => {
  it("each keeps its own version of Effect", async () => {
    const { version } = JSON.parse(
      readFileSync(join(installed("an application on Effect 4", "effect"), "package.json"), "utf8")
    )
    expect(version).toMatch(/^4\./)
    const tree = await run(folderOf("an application on Effect 4"), "npm", ["ls", "--all"])
    expect(tree).not.toMatch(/invalid|UNMET/)
  })
})

/** Of the platform that this is. */
const platform = platformNames.find(
  (name) => name === `${process.platform === "darwin" ? "macos" : process.platform}-${process.arch}`
)

describe.runIf(platform !== undefined)("the single file", () => {
  it.scopedLive("runs without Node, and takes no settings from the folder in which it is started", () =>
    Effect.gen(function* () {
      const file = join(folder, "single-file")
      yield* compileSingleFile(
        join(installed("an empty folder", tarball.name), "elastic-extensions.js"),
        platform ?? "linux-x64",
        file,
        true
      )
      const place = join(folder, "elsewhere")
      yield* Effect.promise(() => write(place, { ".env": "EC_API_KEY=planted\n" }))
      const ask = (...args: ReadonlyArray<string>) =>
        Effect.promise(() => run(place, file, args, { PATH: "" }).catch(({ message }: Error) => message))
      expect(yield* ask("--version")).toBe(`${tarball.version}\n`)
      expect(yield* ask("list")).toContain("EC_API_KEY is not set.")
    }).pipe(Effect.provide(NodeContext.layer))
  )
})

describe("the container", () => {
  const lines = readFileSync(join(root, "scripts/command/Containerfile"), "utf8")
    .split("\n")
    .filter((line) => line !== "" && !line.startsWith("#"))
  const valuesOf = (instruction: string) =>
    lines.flatMap((line) => (line.startsWith(`${instruction} `) ? [line.slice(instruction.length + 1)] : []))

  it("is made of the command's tarball of this version, without a step that builds", () => {
    expect(lines.map((line) => line.split(" ")[0])).toEqual([
      "FROM",
      "ARG",
      "ADD",
      "ENV",
      "WORKDIR",
      "USER",
      "ENTRYPOINT"
    ])
    expect(valuesOf("ARG")).toEqual([`VERSION=${tarball.version}`])
    const [added = ""] = valuesOf("ADD")
    expect(join(folder, added.replace(/\$\{VERSION\}/, tarball.version).replace(" /opt/", ""))).toBe(
      tarball.path
    )
  })

  it("starts the command, and not as root", () => {
    expect(valuesOf("USER")).toEqual(["node"])
    const [entrypoint = "[]"] = valuesOf("ENTRYPOINT")
    const [executable, program] = JSON.parse(entrypoint)
    expect(executable).toBe("node")
    expect(tarball.files.map(({ path }) => `/opt/package/${path}`)).toContain(program)
  })
})

const bin = (name: string) => join(root, "node_modules/.bin", name)
const runtimes: ReadonlyArray<readonly [string, (program: string) => ReadonlyArray<string>]> = [
  ["this Node", (program) => [process.execPath, program]],
  ["the newest Node", (program) => [newestNode, program]],
  ["Bun", (program) => [bin("bun"), program]],
  ["Deno", (program) => [bin("deno"), "run", "--allow-all", "--no-prompt", program]]
]

describe.each(runtimes)("on %s", (_, command) => {
  it.scopedLive("it uploads, with a receipt for machines", () =>
    Effect.gen(function* () {
      const { url } = yield* LocalElasticCloud
      const id = yield* seed()
      const content = yield* zipOf(100_000)
      const place = folderOf("an empty folder")
      yield* Effect.promise(() => write(place, { "dist/words.zip": content }))
      const program = join(installed("an empty folder", tarball.name), "elastic-extensions.js")
      const [executable = "", ...args] = [...command(program), "upload", id, "dist/words.zip", "--json"]
      const said = yield* Effect.promise(() =>
        run(place, executable, args, {
          PATH: process.env["PATH"],
          EC_API_KEY: apiKey,
          EC_ENDPOINT: url,
          EC_UPLOAD_JOURNAL: join(place, "journal")
        })
      )
      expect(JSON.parse(said.trimEnd().split("\n").at(-1) ?? "")).toMatchObject({
        _tag: "Uploaded",
        proof: "hash",
        archive: { sha256: sha256(content) }
      })
      expect(yield* held(id)).toMatchObject({ sha256: sha256(content), uploads: 1 })
    }).pipe(Effect.provide(world()))
  )
})
