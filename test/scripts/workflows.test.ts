/** What runs elsewhere is what runs here. */
import { readFileSync } from "node:fs"
import { describe, expect, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { parse } from "yaml"
import * as Project from "../../src/cli/Project.ts"
import { packageVersion as version } from "../../src/cloud/PackageVersion.ts"

const Manifest = Schema.Struct({
  name: Schema.String,
  version: Schema.String,
  homepage: Schema.String,
  bugs: Schema.Struct({ url: Schema.String }),
  repository: Schema.Struct({ type: Schema.String, url: Schema.String }),
  engines: Schema.Struct({ node: Schema.String }),
  scripts: Schema.Record({ key: Schema.String, value: Schema.String })
})
const Permissions = Schema.Record({ key: Schema.String, value: Schema.Literal("read", "write") })

const Workflow = Schema.Struct({
  on: Schema.Struct({
    push: Schema.Struct({
      branches: Schema.optional(Schema.Array(Schema.String)),
      tags: Schema.optional(Schema.Array(Schema.String))
    })
  }),
  permissions: Permissions,
  jobs: Schema.Record({
    key: Schema.String,
    value: Schema.Struct({
      needs: Schema.optional(Schema.String),
      permissions: Schema.optional(Permissions),
      "timeout-minutes": Schema.Number,
      steps: Schema.Array(
        Schema.Struct({
          uses: Schema.optional(Schema.String),
          run: Schema.optional(Schema.String),
          with: Schema.optional(Schema.Record({ key: Schema.String, value: Schema.Unknown }))
        })
      )
    })
  })
})

const manifest = Schema.decodeUnknownSync(Schema.parseJson(Manifest))(readFileSync("package.json", "utf8"))
const workflow = (name: string) =>
  Effect.map(
    Schema.decodeUnknown(Workflow)(parse(readFileSync(`.github/workflows/${name}.yml`, "utf8"))),
    ({ jobs, on, permissions }) => ({
      on,
      permissions,
      all: Object.entries(jobs),
      commands: (job: string) => (jobs[job]?.steps ?? []).flatMap(({ run }) => run ?? []),
      nodes: (job: string) => (jobs[job]?.steps ?? []).flatMap((step) => step.with?.["node-version"] ?? []),
      jobs: Object.keys(jobs)
    })
  )

/** The npm scripts that a text runs. */
const scriptsIn = (text: string) =>
  [...text.matchAll(/\bnpm (?:run (\S+)|(test)\b)/g)].map(([, named, test]) => named ?? test ?? "")

describe(".github/workflows", () => {
  it.effect("ci.yml runs .ci/run on the oldest Node, and the suite on every runtime", () =>
    Effect.gen(function* () {
      const ci = yield* workflow("ci")
      expect(ci.on.push.branches).toEqual(["main"])
      expect(ci.jobs).toEqual(["check", "runtimes"])
      expect(ci.commands("check")).toEqual(["bash .ci/run"])
      expect(ci.commands("runtimes")).toEqual(["npm ci", "npm run test:runtimes"])
      const oldest = Number(/\d+/.exec(manifest.engines.node)?.[0])
      expect([...ci.nodes("check"), ...ci.nodes("runtimes")]).toEqual([oldest, oldest])
    })
  )

  it.effect("release.yml publishes what has passed the same, from a tag", () =>
    Effect.gen(function* () {
      const release = yield* workflow("release")
      expect(release.on.push.tags).toEqual(["v*"])
      expect(release.commands("build").slice(1)).toEqual([
        "bash .ci/run",
        "npm run release:files",
        "npm run docs:site"
      ])
      const published = release.commands("publish").filter((command) => command.startsWith("npm publish"))
      expect(published.map((command) => /^npm publish "\.\/(.*)-\$/.exec(command)?.[1])).toEqual([
        manifest.name,
        Project.commandName
      ])
      for (const command of published) expect(command).toContain(" --provenance ")
    })
  )

  it.effect("no job can do more than it needs to, and none that can publish runs code of others", () =>
    Effect.gen(function* () {
      const { all, permissions } = yield* workflow("release")
      expect([permissions, (yield* workflow("ci")).permissions]).toEqual([
        { contents: "read" },
        { contents: "read" }
      ])
      expect(Object.fromEntries(all.map(([name, job]) => [name, job.permissions]))).toEqual({
        build: undefined,
        publish: { "id-token": "write" },
        files: { contents: "write" },
        site: { pages: "write", "id-token": "write" }
      })
      for (const [, { needs, steps }] of all.filter(([, { permissions }]) => permissions !== undefined)) {
        expect(needs).toMatch(/^(build|publish)$/)
        const text = steps.map(({ run = "", uses = "" }) => run + uses).join("\n")
        expect(text).not.toMatch(/npm (ci|install|run|test|exec)|npx|checkout/)
      }
      expect(all.find(([name]) => name === "publish")?.[1].steps.at(-3)?.run).toBe(
        "sha256sum --check --strict SHA256SUMS"
      )
    })
  )

  it.effect("every action is pinned to a commit, with the version that it is", () =>
    Effect.gen(function* () {
      const texts = [".github/workflows/ci.yml", ".github/workflows/release.yml", "action.yml"]
      const used = texts.flatMap((file) => readFileSync(file, "utf8").match(/uses:.*/g) ?? [])
      expect(used.length).toBeGreaterThan(8)
      for (const line of used) expect(line).toMatch(/^uses: [\w-]+\/[\w/-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/)
      const commits = new Map<string, Set<string>>()
      for (const line of used) {
        const [, action = "", commit = ""] = /^uses: ([\w-]+\/[\w-]+)\S*@(.*)$/.exec(line) ?? []
        commits.set(action, (commits.get(action) ?? new Set()).add(commit))
      }
      expect([...commits.values()].every(({ size }) => size === 1)).toBe(true)
    })
  )

  it.effect("no text from outside is part of a script, and no checkout leaves its token behind", () =>
    Effect.gen(function* () {
      for (const name of ["ci", "release"]) {
        const { all } = yield* workflow(name)
        for (const step of all.flatMap(([, { steps }]) => steps)) {
          expect(step.run ?? "").not.toContain("${{")
          if (step.uses?.startsWith("actions/checkout@") === true)
            expect(step.with).toMatchObject({ "persist-credentials": false })
        }
      }
    })
  )

  it.effect("and they and .ci/run name scripts that there are", () =>
    Effect.gen(function* () {
      const texts = ["ci", "release"].map((name) => readFileSync(`.github/workflows/${name}.yml`, "utf8"))
      const used = [readFileSync(".ci/run", "utf8"), ...texts].flatMap(scriptsIn)
      expect(used).toContain("test:package")
      expect(used.filter((name) => manifest.scripts[name] === undefined)).toEqual([])
    })
  )
})

describe("the manifest", () => {
  it.each([
    "README.md",
    "SECURITY.md",
    "scripts/command/README.md",
    "scripts/api/typedoc.json",
    "docs/pipelines.md"
  ])("gives the addresses that %s gives", (file) => {
    const named =
      readFileSync(file, "utf8").match(/https:\/\/[\w.]*[\w./-]*effect-elastic-extensions[\w./-]*/g) ?? []
    const known = [Project.repository, Project.documentation]
    expect(named.filter((address) => !known.some((start) => address.startsWith(start)))).toEqual([])
  })

  it("gives the addresses that the program gives", () => {
    expect(manifest).toMatchObject({
      homepage: Project.documentation,
      bugs: { url: Project.issues },
      repository: { type: "git", url: `git+${Project.repository}.git` }
    })
  })
})

describe("the version", () => {
  it("is the same in the manifest, in the code and in the changelog", () => {
    expect(version).toBe(manifest.version)
    expect(readFileSync("CHANGELOG.md", "utf8")).toMatch(
      new RegExp(`^## ${version.replaceAll(".", "\\.")} \\((\\d{4}-\\d{2}-\\d{2}|unreleased)\\)$`, "m")
    )
  })
})
