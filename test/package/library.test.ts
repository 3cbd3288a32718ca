/** The library as others get it: packed, installed into empty folders, compiled there, bundled there and run. */
import { readdirSync } from "node:fs"
import { join, relative } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { build } from "esbuild"
import { afterAll, beforeAll } from "vitest"
import { LocalElasticCloud } from "../../src/testing/LocalElasticCloud.ts"
import {
  allPeers,
  compile,
  complaints,
  example,
  importsOf,
  install,
  needed,
  resolutions
} from "../support/package/consumer.ts"
import { emptyFolder, packLibrary, remove, root, run, type Tarball, write } from "../support/package/pack.ts"
import { places } from "../support/package/places.ts"
import { zipOf } from "../support/upload/archives.ts"
import { apiKey, held, seed, sha256, world } from "../support/upload/world.ts"

const rooms = [
  "archive",
  "journal",
  "transfer",
  "staging",
  "cloud",
  "upload",
  "publish",
  "testing",
  "workflow",
  "runner"
] as const
const modulesOf = (room: string): ReadonlyArray<string> =>
  readdirSync(join(root, "src", room))
    .filter((name) => name.endsWith(".ts"))
    .map((name) => `${room}/${name.replace(/\.ts$/, "")}`)
const filesBelow = (folder: string): ReadonlyArray<string> =>
  readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(root, join(entry.parentPath, entry.name)))
const withoutOptionalPeers = rooms
  .filter((room) => room !== "workflow" && room !== "runner")
  .flatMap(modulesOf)
const allModules = rooms.flatMap(modulesOf)

/** Where the test keeps everything; `consumers` are the projects in it. */
let folder: string
let tarball: Tarball
let consumers: Readonly<Record<"npm" | "bun" | "everything", string>>

beforeAll(async () => {
  folder = await emptyFolder()
  tarball = await packLibrary(folder)
  consumers = {
    npm: join(folder, "npm"),
    bun: join(folder, "bun"),
    everything: join(folder, "everything")
  }
  const program = await example()
  await install(consumers.npm, tarball, "npm", needed)
  await install(consumers.bun, tarball, "bun", needed)
  await install(consumers.everything, tarball, "npm", allPeers)
  for (const consumer of [consumers.npm, consumers.bun]) {
    await write(consumer, { "program.ts": program, "imports.ts": importsOf(withoutOptionalPeers) })
  }
  await write(consumers.everything, { "imports.ts": importsOf(allModules) })
})

afterAll(() => remove(folder))

describe("the tarball", () => {
  it("holds the modules with their declarations, maps and sources, what explains them, and nothing else", () => {
    const modules = readdirSync(join(root, "src"), { recursive: true, encoding: "utf8" })
      .filter((name) => name.endsWith(".ts") && !name.startsWith("cli/"))
      .map((name) => name.replace(/\.ts$/, ""))
    const expected = [
      ...["package.json", "README.md", "CHANGELOG.md", "LICENSE"],
      // Photographs weigh more than the rest: the pages show those of the repository.
      ...filesBelow("docs").filter((path) => !path.endsWith(".png")),
      ...filesBelow("examples"),
      ...modules.flatMap((name) => [
        `src/${name}.ts`,
        ...[".js", ".js.map", ".d.ts", ".d.ts.map"].map((ending) => `dist/${name}${ending}`)
      ])
    ]
    expect(tarball.files.map(({ path }) => path).sort()).toEqual(expected.sort())
  })

  it("stays below 1.2 MB, documentation and the schema of the lines included, and has nothing to execute", () => {
    expect(tarball.size).toBeLessThan(1_200_000)
    expect(tarball.files.filter(({ mode }) => (mode & 0o111) !== 0)).toEqual([])
  })

  it("is all good to publint", async () => {
    const said = await run(root, "npx", ["--no-install", "publint", "run", tarball.path, "--strict"])
    expect(said).toContain("All good!")
  })

  it("has the right types, to Are the types wrong?, in every one of its modules", async () => {
    const entries = [".", ...allModules.map((name) => `./${name}`)]
    const looks = ["--profile", "esm-only", "--format", "json", "--entrypoints", ...entries]
    const said = JSON.parse(await run(root, "npx", ["--no-install", "attw", tarball.path, ...looks]))
    expect(Object.keys(said.analysis.entrypoints)).toHaveLength(entries.length)
    const kinds = ["NoResolution", "CJSResolvesToESM"]
    const wrong = said.analysis.problems.filter(
      ({ kind, resolutionKind }: { kind: string; resolutionKind: string }) =>
        !(kinds.includes(kind) && ["node10", "node16-cjs"].includes(resolutionKind))
    )
    expect(wrong).toEqual([])
  })
})

describe("a consumer in TypeScript", () => {
  it.each(resolutions)("compiles the README's example and every module with %s", async (resolution) => {
    await compile(consumers.npm, resolution)
    await compile(consumers.everything, resolution)
  })

  it.each(resolutions)("finds nothing to complain of in the declarations with %s", async (resolution) => {
    expect(await complaints(consumers.everything, resolution)).toEqual([])
  })

  it("cannot reach what is internal", async () => {
    const inner = "effect-elastic-extensions/upload/internal/reconciliation"
    await write(consumers.bun, { "inner/inner.mjs": `await import("${inner}")` })
    await expect(run(consumers.bun, process.execPath, ["inner/inner.mjs"])).rejects.toThrow(
      "ERR_PACKAGE_PATH_NOT_EXPORTED"
    )
  })
})

describe("a consumer that bundles", () => {
  const bundled = async (code: string) => {
    const { metafile, outputFiles } = await build({
      stdin: { contents: code, resolveDir: consumers.npm },
      bundle: true,
      minify: true,
      write: false,
      metafile: true,
      platform: "node",
      format: "esm",
      external: ["effect", "@effect/platform"]
    })
    const inputs = Object.keys(metafile.outputs["stdin.js"]?.inputs ?? {})
    return {
      bytes: outputFiles.reduce((sum, file) => sum + file.contents.length, 0),
      rooms: new Set(
        inputs.flatMap((name) => /effect-elastic-extensions\/dist\/(\w+)\//.exec(name)?.[1] ?? [])
      )
    }
  }

  it("gets of the whole only what it uses", async () => {
    const upload = await bundled(
      `import { ExtensionUpload } from "effect-elastic-extensions"; export const { upload } = ExtensionUpload`
    )
    expect(upload.bytes).toBeLessThan(270_000)
    expect([...upload.rooms].sort()).toEqual(["archive", "cloud", "journal", "transfer", "upload"])
    const id = await bundled(
      `import { ExtensionId } from "effect-elastic-extensions"; console.log(ExtensionId.ExtensionId)`
    )
    expect(id.bytes).toBeLessThan(2_000)
    expect(id.rooms).toEqual(new Set(["cloud"]))
  })
})

describe.each(places)("on $name", ({ command, installer }) => {
  /** Runs a program of the consumer with the environment that the README asks for, against a server. */
  const output = (program: string, url: string) => {
    const consumer = consumers[installer]
    const journal = join(consumer, "journal")
    const [executable, ...args] = command(program, { host: new URL(url).host, journal })
    const env = { EC_API_KEY: apiKey, EC_ENDPOINT: url, EC_UPLOAD_JOURNAL: journal }
    return Effect.promise(() => run(consumer, executable, args, { PATH: process.env["PATH"], ...env }))
  }

  it.scopedLive("every module that needs no optional peer loads", () =>
    Effect.gen(function* () {
      expect(yield* output("imports", "http://127.0.0.1:9")).toBe(`${withoutOptionalPeers.length}\n`)
    })
  )

  it.scopedLive("the README's example uploads", () =>
    Effect.gen(function* () {
      const { url } = yield* LocalElasticCloud
      const id = yield* seed({ id: "882519870" })
      const content = yield* zipOf(100_000)
      yield* Effect.promise(() => write(consumers[installer], { "dist/analysis-acme-2.1.0.zip": content }))
      expect(yield* output("program", url)).toBe("Uploaded, proved by hash\n")
      expect(yield* held(id)).toMatchObject({ sha256: sha256(content), uploads: 1 })
    }).pipe(Effect.provide(world()))
  )
})
