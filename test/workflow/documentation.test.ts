/** The programs of docs/workflow.md, run as they are written. */
import { type ChildProcess, spawn } from "node:child_process"
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { join, resolve } from "node:path"
import { fileURLToPath } from "node:url"
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { node } from "../../scripts/support/node.ts"
import { LocalElasticCloud } from "../../src/testing/LocalElasticCloud.ts"
import { zipOf } from "../support/upload/archives.ts"
import { apiKey, sha256, world } from "../support/upload/world.ts"
import { canPostgres, freePort, postgres } from "../support/workflow/postgres.ts"

const root = resolve(fileURLToPath(import.meta.url), "../../..")
const onNode = [node, join(root, "node_modules/tsx/dist/cli.mjs")] as const
const onBun = [join(root, "node_modules/.bin/bun")] as const
const cache = join(root, "node_modules/.cache")

const programs = [
  ...readFileSync(join(root, "docs/workflow.md"), "utf8").matchAll(/^```ts\n([\s\S]*?)^```$/gm)
]
  .map(([, code]) => code ?? "")
  .filter((code) => code.includes("NodeRuntime.runMain"))

const programThat = (text: string): string => {
  const [program, ...others] = programs.filter((code) => code.includes(text))
  if (program === undefined || others.length > 0) throw new Error(`no one program says ${text}`)
  return program
}

/** A folder where this library is installed, unbuilt, with an archive to release; gone with the scope. */
const makeProject = Effect.gen(function* () {
  const content = yield* zipOf(1000)
  const folder = yield* Effect.acquireRelease(
    Effect.sync(() => {
      mkdirSync(cache, { recursive: true })
      return mkdtempSync(join(cache, "documentation-"))
    }),
    (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true }))
  )
  mkdirSync(join(folder, "dist"))
  writeFileSync(join(folder, "dist/dictionaries.zip"), content)
  const installed = join(folder, "node_modules/effect-elastic-extensions")
  mkdirSync(installed, { recursive: true })
  symlinkSync(join(root, "src"), join(installed, "src"))
  const exports = { ".": "./src/index.ts", "./*": "./src/*.ts" }
  writeFileSync(join(installed, "package.json"), JSON.stringify({ type: "module", exports }))
  // Without one of its own the project would be a part of this package, whose name Bun then takes for the built one.
  writeFileSync(join(folder, "package.json"), JSON.stringify({ name: "project" }))
  return { content, folder }
})

interface Run {
  readonly child: ChildProcess
  /** Its exit code and all it wrote. */
  readonly ended: Effect.Effect<{ readonly code: number | null; readonly output: string }>
}

/** Ended with the scope, if it has not ended by itself. */
const start = (
  folder: string,
  name: string,
  code: string,
  env: Record<string, string> = {},
  [command, ...flags]: typeof onNode | typeof onBun = onNode
) =>
  Effect.gen(function* () {
    const { url } = yield* LocalElasticCloud
    const file = join(folder, `${name}.mts`)
    writeFileSync(file, code)
    const environment = {
      PATH: process.env["PATH"],
      EC_API_KEY: apiKey,
      EC_ENDPOINT: url,
      EC_UPLOAD_JOURNAL: join(folder, "journal"),
      ...env
    }
    return yield* Effect.acquireRelease(
      Effect.sync((): Run => {
        const child = spawn(command, [...flags, file], {
          cwd: folder,
          env: environment
        })
        let output = ""
        child.stdout.on("data", (chunk) => (output += String(chunk)))
        child.stderr.on("data", (chunk) => (output += String(chunk)))
        const closed = new Promise<number | null>((done) => child.on("close", done))
        return { child, ended: Effect.promise(() => closed.then((code) => ({ code, output }))) }
      }),
      ({ child, ended }) =>
        Effect.zipRight(
          Effect.sync(() => child.kill("SIGTERM")),
          ended
        )
    )
  })

/** One extension, which holds the archive after one upload. */
const expectReleased = (content: Uint8Array) =>
  Effect.gen(function* () {
    const cloud = yield* LocalElasticCloud
    expect(yield* cloud.extensions).toMatchObject([
      { name: "dictionaries", uploads: 1, file: { sha256: sha256(content) } }
    ])
  })

describe("docs/workflow.md", () => {
  it.scopedLive("releases in memory", () =>
    Effect.gen(function* () {
      const { content, folder } = yield* makeProject
      const { ended } = yield* start(folder, "memory", programThat("EngineMemory.layer"))
      expect(yield* ended).toMatchObject({
        code: 0,
        output: expect.stringContaining("released, proved by hash\n")
      })
      yield* expectReleased(content)
    }).pipe(Effect.provide(world()))
  )

  for (const [name, runtime] of Object.entries({ Node: onNode, Bun: onBun })) {
    it.scopedLive(`releases in one file, once, on ${name}`, () =>
      Effect.gen(function* () {
        const { content, folder } = yield* makeProject
        const run = Effect.flatMap(
          start(folder, "sqlite", programThat("EngineSqlite.layer("), {}, runtime),
          ({ ended }) => ended
        )
        expect(yield* run).toMatchObject({
          code: 0,
          output: expect.stringContaining("released, proved by hash\n")
        })
        expect(yield* run).toMatchObject({ code: 0, output: "" })
        yield* expectReleased(content)
      }).pipe(Effect.provide(world()))
    )
  }

  const hasPostgres = Effect.runPromise(canPostgres)
  it.scopedLive("releases in a cluster, asked from another process", (context) =>
    Effect.gen(function* () {
      if (!(yield* Effect.promise(() => hasPostgres))) return context.skip("there is no PostgreSQL")
      const { content, folder } = yield* makeProject
      const { url } = yield* postgres
      const env = {
        DATABASE_URL: url,
        RUNNER_HOST: "127.0.0.1",
        RUNNER_PORT: String(yield* freePort)
      }
      yield* start(folder, "runner", programThat("EnginePostgres.layer({"), env)
      const { ended } = yield* start(folder, "client", programThat("EnginePostgres.layerClient({"), env)
      expect(yield* ended).toMatchObject({ code: 0, output: "released, proved by hash\n" })
      yield* expectReleased(content)
    }).pipe(Effect.provide(world()))
  )
})
