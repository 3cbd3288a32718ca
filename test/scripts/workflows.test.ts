/** What runs elsewhere is what runs here. */
import { readFileSync } from "node:fs"
import { describe, expect, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { parse } from "yaml"
import * as Project from "../../src/cli/Project.ts"
import { packageVersion as version } from "../../src/cloud/PackageVersion.ts"

const Manifest = Schema.Struct({
  version: Schema.String,
  homepage: Schema.String,
  bugs: Schema.Struct({ url: Schema.String }),
  repository: Schema.Struct({ type: Schema.String, url: Schema.String }),
  engines: Schema.Struct({ node: Schema.String }),
  scripts: Schema.Record({ key: Schema.String, value: Schema.String })
})
const Workflow = Schema.Struct({
  on: Schema.Struct({
    push: Schema.Struct({
      branches: Schema.optional(Schema.Array(Schema.String)),
      tags: Schema.optional(Schema.Array(Schema.String))
    })
  }),
  permissions: Schema.Struct({ contents: Schema.Literal("read") }),
  jobs: Schema.Record({
    key: Schema.String,
    value: Schema.Struct({
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
    ({ jobs, on }) => ({
      on,
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

  it.effect("release.yml publishes a tag that has passed the same", () =>
    Effect.gen(function* () {
      const release = yield* workflow("release")
      expect(release.on.push.tags).toEqual(["v*"])
      const commands = release.commands("publish")
      expect(commands[1]).toBe("bash .ci/run")
      expect(commands.at(-1)).toMatch(/^npm publish --provenance /)
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
