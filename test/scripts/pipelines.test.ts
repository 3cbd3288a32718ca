/** The examples of docs/pipelines.md do what the page says. */
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import * as FileSystem from "@effect/platform/FileSystem"
import * as NodeContext from "@effect/platform-node/NodeContext"
import { describe, expect, layer } from "@effect/vitest"
import { Context, Effect, Layer, Schema } from "effect"
import { parse } from "yaml"
import { makeArchive, noise } from "../../scripts/support/transcripts/archives.ts"
import { type Environment, makeShell, type Shell } from "../../scripts/support/transcripts/shell.ts"
import { exitCodes } from "../../src/cli/ExitCode.ts"
import * as Project from "../../src/cli/Project.ts"
import { packageVersion } from "../../src/cloud/PackageVersion.ts"
import * as Fault from "../../src/testing/Fault.ts"
import * as LocalElasticCloud from "../../src/testing/LocalElasticCloud.ts"
import { action, interpolate, Runner } from "../support/scripts/runner.ts"
import { held, seed } from "../support/upload/world.ts"

const page = readFileSync("docs/pipelines.md", "utf8")

const files = new Map(
  [...page.matchAll(/<!-- file: (\S+) -->\n```sh\n([\s\S]*?)```/g)].map(
    ([, name = "", text = ""]) => [name, text] as const
  )
)

const Texts = Schema.Record({ key: Schema.String, value: Schema.String })

const GitHub = Schema.Struct({
  permissions: Schema.Struct({ contents: Schema.Literal("read") }),
  jobs: Schema.Struct({
    publish: Schema.Struct({
      steps: Schema.Array(
        Schema.Struct({
          id: Schema.optional(Schema.String),
          uses: Schema.optional(Schema.String),
          run: Schema.optional(Schema.String),
          with: Schema.optional(Schema.Record({ key: Schema.String, value: Schema.Unknown })),
          env: Schema.optional(Texts)
        })
      )
    })
  })
})

const GitLab = Schema.Struct({
  upload: Schema.Struct({
    variables: Texts,
    script: Schema.Array(Schema.String),
    after_script: Schema.Array(Schema.String),
    cache: Schema.Struct({
      key: Schema.String,
      paths: Schema.Array(Schema.String),
      when: Schema.Literal("always")
    }),
    retry: Schema.Struct({ max: Schema.Number, exit_codes: Schema.Array(Schema.Number) })
  })
})

const [github = "", gitlab = ""] = [...page.matchAll(/```yaml\n([\s\S]*?)```/g)].map(([, text]) => text ?? "")

/** A runner: a shell with the command installed, in a workspace with the archive and the scripts of the page. */
class Pipeline extends Context.Tag("test/Pipeline")<
  Pipeline,
  { readonly shell: Shell; readonly work: string }
>() {
  static readonly layer = Layer.scoped(
    Pipeline,
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const folder = yield* fs.makeTempDirectoryScoped({ prefix: "pipeline-" })
      const shell = yield* makeShell(folder, {
        EC_UPLOAD_RETRIES: "0",
        EC_UPLOAD_RECONCILE_WINDOW: "60 millis",
        PAUSE: "0"
      })
      // What the package manager would do is done already.
      yield* fs.writeFileString(join(folder, "bin/npm"), "#!/bin/sh\n")
      yield* fs.chmod(join(folder, "bin/npm"), 0o755)
      return { shell, work: join(folder, "work") }
    })
  ).pipe(Layer.provide(NodeContext.layer), Layer.orDie)
}

const bytes = 300_000

/** A checked out workspace, and an extension to release to. Nothing is left of the job before but what is in `kept`. */
const checkout = Effect.gen(function* () {
  const { work } = yield* Pipeline
  const archive = join(work, "dist/words.zip")
  yield* Effect.sync(() => {
    rmSync(work, { recursive: true, force: true })
    mkdirSync(join(work, "dist"), { recursive: true })
    for (const [name, text] of files) writeFileSync(join(work, name), text)
  })
  yield* makeArchive(archive, { "hunspell/en_US/en_US.dic": noise(bytes, 1) })
  return { archive, work }
})

const secrets = Effect.map(LocalElasticCloud.LocalElasticCloud, ({ url }) => ({
  EC_API_KEY: "local-key",
  EC_ENDPOINT: url
}))

/** Runs a script of the page as a job would. */
const job = (line: string, extensionId: string, env: Environment = {}) =>
  Effect.gen(function* () {
    const { shell } = yield* Pipeline
    return yield* shell.run(line, {
      env: {
        ...(yield* secrets),
        ARCHIVE: "dist/words.zip",
        EC_UPLOAD_JOURNAL: ".upload-journal",
        EXTENSION_ID: extensionId,
        ...env
      }
    })
  })

const release = 'sh release.sh upload "$EXTENSION_ID" "$ARCHIVE"'

const last = (output: string): unknown => JSON.parse(output.trimEnd().split("\n").at(-1) ?? "")

const putsOf = Effect.flatMap(LocalElasticCloud.LocalElasticCloud, (cloud) =>
  Effect.map(cloud.requests, (requests) => requests.filter(({ method }) => method === "PUT"))
)

const lineCut = (times: number) =>
  Effect.flatMap(LocalElasticCloud.LocalElasticCloud, (cloud) =>
    cloud.plan({ method: "PUT", fault: Fault.cut({ afterBodyBytes: bytes / 2 }, "reset"), times })
  )

const plain = Effect.provide(LocalElasticCloud.layer())
const gateway = Effect.provide(LocalElasticCloud.layer({ resumable: { progressEveryBytes: 10_000 } }))

layer(Layer.merge(Pipeline.layer, Runner.layer), { excludeTestServices: true })("docs/pipelines.md", (it) => {
  describe("release.sh", () => {
    it.scoped("uploads, and prints the receipt", () =>
      Effect.gen(function* () {
        yield* checkout
        const id = yield* seed()
        const ran = yield* job(release, id)
        expect(ran.code).toBe(0)
        expect(last(ran.output)).toMatchObject({ _tag: "Uploaded", extensionId: id, proof: "hash" })
      }).pipe(plain)
    )

    it.scoped("runs again what stopped half-way, three times at most", () =>
      Effect.gen(function* () {
        yield* checkout
        const id = yield* seed()
        yield* lineCut(2)
        const ran = yield* job(release, id)
        expect(ran.code).toBe(0)
        expect(yield* putsOf).toHaveLength(3)
        expect(yield* held(id)).toMatchObject({ uploads: 1 })

        const other = yield* seed({ name: "other" })
        yield* lineCut(3)
        expect((yield* job(release, other)).code).toBe(exitCodes.resumable)
      }).pipe(plain)
    )

    it.scoped("runs again what nobody knows the outcome of, and finds it done", () =>
      Effect.gen(function* () {
        yield* checkout
        const cloud = yield* LocalElasticCloud.LocalElasticCloud
        const id = yield* seed()
        yield* cloud.plan({
          method: "PUT",
          fault: [
            Fault.run("arrival", cloud.plan({ method: "GET", fault: Fault.answer({ status: 503 }) })),
            Fault.cut("applied")
          ]
        })
        const ran = yield* job(release, id)
        expect(last(ran.output)).toMatchObject({ _tag: "Uploaded", attempts: 0, bytesSent: 0 })
        expect(yield* putsOf).toHaveLength(1)
        expect(ran.code).toBe(0)
        expect(yield* held(id)).toMatchObject({ uploads: 1 })
      }).pipe(plain)
    )

    it.scoped("publishes by name, and creates the extension once", () =>
      Effect.gen(function* () {
        yield* checkout
        const publish = "sh release.sh publish \"$ARCHIVE\" --name words --type bundle --version '8.*'"
        const results = yield* Effect.replicateEffect(job(publish, ""), 2)
        expect(results.map(({ output }) => last(output))).toEqual([
          expect.objectContaining({ _tag: "Published", name: "words", version: "8.*" }),
          expect.objectContaining({ _tag: "AlreadyPublished" })
        ])
        const cloud = yield* LocalElasticCloud.LocalElasticCloud
        expect(yield* cloud.extensions).toHaveLength(1)
      }).pipe(plain)
    )

    it.scoped("hands a signal on, and ends when the upload has", () =>
      Effect.gen(function* () {
        const { work } = yield* checkout
        const cloud = yield* LocalElasticCloud.LocalElasticCloud
        const id = yield* seed()
        const terminate = Effect.sync(() =>
          process.kill(Number(readFileSync(join(work, "script.pid"), "utf8")), "SIGTERM")
        )
        yield* cloud.plan({
          method: "PUT",
          fault: [
            Fault.run({ afterBodyBytes: bytes / 2 }, terminate),
            Fault.hang({ afterBodyBytes: bytes / 2 })
          ]
        })
        const ran = yield* job(`${release} & echo $! > script.pid; wait $!`, id)
        expect(ran.code).toBe(exitCodes.resumable)
        expect(last(ran.output)).toMatchObject({ _tag: "UploadPaused" })
        expect(yield* putsOf).toHaveLength(1)
      }).pipe(plain)
    )

    it.scoped("stops at once where only a person can help", () =>
      Effect.gen(function* () {
        const { archive } = yield* checkout
        writeFileSync(archive, "not a ZIP")
        const id = yield* seed()
        const ran = yield* job(release, id)
        expect(ran.code).toBe(exitCodes.archiveRefused)
        expect(ran.output.trimEnd().split("\n")).toHaveLength(1)
        expect(last(ran.output)).toMatchObject({ _tag: "InvalidArchive" })
        expect((yield* job(release, id, { EC_API_KEY: undefined })).code).toBe(exitCodes.usage)
        expect(yield* putsOf).toEqual([])
      }).pipe(plain)
    )
  })

  it.scoped("finish.sh shows what a job has left, and finishes it", () =>
    Effect.gen(function* () {
      yield* checkout
      const id = yield* seed()
      yield* lineCut(1)
      const upload = 'npx elastic-extensions upload "$EXTENSION_ID" "$ARCHIVE"'
      expect((yield* job(upload, id)).code).toBe(exitCodes.resumable)
      const ran = yield* job("sh finish.sh", id)
      expect(ran.code).toBe(0)
      expect(ran.output).toMatch(new RegExp(`^EXTENSION.*\n${id} `))
      expect(yield* held(id)).toMatchObject({ uploads: 1 })
    }).pipe(gateway)
  )

  it.scoped("check.sh changes nothing", () =>
    Effect.gen(function* () {
      yield* checkout
      const cloud = yield* LocalElasticCloud.LocalElasticCloud
      const id = yield* seed()
      const before = yield* cloud.extensions
      const ran = yield* job("set -e; . ./check.sh", id)
      expect(ran.code).toBe(0)
      expect(ran.output).toContain("Would upload it")
      expect(yield* cloud.extensions).toEqual(before)
    }).pipe(plain)
  )

  describe("GitHub Actions", () => {
    const steps = Effect.map(Schema.decodeUnknown(GitHub)(parse(github)), ({ jobs }) => jobs.publish.steps)

    it.scoped("pins every action, the own one to this version", () =>
      Effect.gen(function* () {
        const used = (yield* steps).flatMap(({ uses = [] }) => uses)
        const own = used.filter((uses) => uses.startsWith("effect-elastic-extensions/"))
        expect(own).toEqual([`${Project.repository.replace("https://github.com/", "")}@v${packageVersion}`])
        for (const uses of used.filter((each) => !own.includes(each))) expect(uses).toMatch(/@[0-9a-f]{40}$/)
      })
    )

    it.scoped("publishes with the action of this repository, and knows its outputs", () =>
      Effect.gen(function* () {
        const { shell } = yield* Pipeline
        const runner = yield* Runner
        const { url } = yield* LocalElasticCloud.LocalElasticCloud
        const publish = (yield* steps).find(({ id }) => id === "words")
        const inputs = new Map(
          Object.entries(publish?.with ?? {}).map(([name, value]) => [
            name,
            interpolate(String(value), new Map([["secrets.EC_API_KEY", "local-key"]]))
          ])
        )
        expect([...inputs.keys()].filter((name) => !(name in action.inputs))).toEqual([])
        yield* runner.clean
        mkdirSync(join(runner.workspace, "dist"))
        yield* makeArchive(join(runner.workspace, inputs.get("archive") ?? ""), {
          "hunspell/en_US/en_US.dic": noise(bytes, 1)
        })
        const { code, outputs } = yield* runner.play({
          inputs: Object.fromEntries(inputs),
          env: { EC_ENDPOINT: url }
        })
        expect(code).toBe(0)
        const scope = new Map(
          Object.entries(outputs).map(([name, value]) => [`steps.words.outputs.${name}`, value])
        )
        const say = (yield* steps).at(-1)
        const env = Object.entries(say?.env ?? {}).map(([name, text]) => [name, interpolate(text, scope)])
        const said = yield* shell.run(say?.run ?? "", { env: Object.fromEntries(env) })
        expect(said.output).toMatch(/^words is the extension \d+, proved by hash\n$/)
      }).pipe(plain)
    )

    it("describes every input and every output of the action", () => {
      const named = (rows: RegExpMatchArray | null) =>
        [...(rows?.[0] ?? "").matchAll(/^\| (`.*?) \|/gm)].flatMap(([, cell = ""]) =>
          cell.split(", ").map((name) => name.replaceAll("`", ""))
        )
      expect(named(/\| input \|[\s\S]*?\n\n/.exec(page)).sort()).toEqual(Object.keys(action.inputs).sort())
      expect(named(/\| output \|[\s\S]*?\n\n/.exec(page)).sort()).toEqual(Object.keys(action.outputs).sort())
    })
  })

  it.scoped("GitLab CI uploads, and runs again after the exit codes that the page names", () =>
    Effect.gen(function* () {
      const { work } = yield* checkout
      const { upload } = yield* Schema.decodeUnknown(GitLab)(parse(gitlab))
      expect(upload.retry.exit_codes).toEqual([exitCodes.resumable, exitCodes.outcomeUnknown])
      expect(upload.cache.paths).toEqual([upload.variables["EC_UPLOAD_JOURNAL"]])
      expect(upload.cache.key).toContain("$CI_COMMIT_SHA")
      expect(upload.script[0]).toBe(`npm install --global elastic-extensions@${packageVersion}`)
      const id = yield* seed()
      yield* lineCut(1)
      const script = upload.script.join(" &&\n")
      const first = yield* job(script, id, upload.variables)
      expect(upload.retry.exit_codes).toContain(first.code)
      expect((yield* job(script, id, upload.variables)).code).toBe(0)
      const after = yield* job(upload.after_script.join("\n"), id)
      expect(last(after.output)).toMatchObject({ _tag: "Uploaded" })
      expect(existsSync(join(work, "report.jsonl"))).toBe(true)
    }).pipe(gateway)
  )
})
