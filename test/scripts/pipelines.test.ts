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
import * as Fault from "../../src/testing/Fault.ts"
import * as LocalElasticCloud from "../../src/testing/LocalElasticCloud.ts"
import { held, seed } from "../support/upload/world.ts"

const page = readFileSync("docs/pipelines.md", "utf8")

const files = new Map(
  [...page.matchAll(/<!-- file: (\S+) -->\n```sh\n([\s\S]*?)```/g)].map(
    ([, name = "", text = ""]) => [name, text] as const
  )
)

const Step = Schema.Struct({
  name: Schema.optional(Schema.String),
  uses: Schema.optional(Schema.String),
  run: Schema.optional(Schema.String),
  if: Schema.optional(Schema.String),
  with: Schema.optional(Schema.Record({ key: Schema.String, value: Schema.Unknown })),
  env: Schema.optional(Schema.Record({ key: Schema.String, value: Schema.String }))
})

const GitHub = Schema.Struct({
  jobs: Schema.Struct({
    upload: Schema.Struct({
      env: Schema.Record({ key: Schema.String, value: Schema.String }),
      steps: Schema.Array(Step)
    })
  })
})

const GitLab = Schema.Struct({
  upload: Schema.Struct({
    variables: Schema.Record({ key: Schema.String, value: Schema.String }),
    script: Schema.Array(Schema.String),
    after_script: Schema.Array(Schema.String),
    cache: Schema.Struct({ paths: Schema.Array(Schema.String), when: Schema.Literal("always") }),
    retry: Schema.Struct({ max: Schema.Number, exit_codes: Schema.Array(Schema.Number) })
  })
})

const [github = "", gitlab = ""] = [...page.matchAll(/```yaml\n([\s\S]*?)```/g)].map(([, text]) => text ?? "")

/** A runner: a shell with the command installed, in a workspace with the archive and the scripts of the page. */
class Runner extends Context.Tag("test/Runner")<Runner, { readonly shell: Shell; readonly work: string }>() {
  static readonly layer = Layer.scoped(
    Runner,
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
  const { work } = yield* Runner
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
    const { shell } = yield* Runner
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

layer(Runner.layer, { timeout: 60_000, excludeTestServices: true })("docs/pipelines.md", (it) => {
  describe("release.sh", () => {
    it.scoped("uploads, and prints the receipt", () =>
      Effect.gen(function* () {
        yield* checkout
        const id = yield* seed()
        const ran = yield* job("sh release.sh", id)
        expect(ran.code).toBe(0)
        expect(last(ran.output)).toMatchObject({ _tag: "Uploaded", extensionId: id, proof: "hash" })
      }).pipe(plain)
    )

    it.scoped("runs again what stopped half-way, three times at most", () =>
      Effect.gen(function* () {
        yield* checkout
        const id = yield* seed()
        yield* lineCut(2)
        const ran = yield* job("sh release.sh", id)
        expect(ran.code).toBe(0)
        expect(yield* putsOf).toHaveLength(3)
        expect(yield* held(id)).toMatchObject({ uploads: 1 })

        const other = yield* seed({ name: "other" })
        yield* lineCut(3)
        expect((yield* job("sh release.sh", other)).code).toBe(exitCodes.resumable)
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
        const ran = yield* job("sh release.sh", id)
        expect(last(ran.output)).toMatchObject({ _tag: "Uploaded", attempts: 0, bytesSent: 0 })
        expect(yield* putsOf).toHaveLength(1)
        expect(ran.code).toBe(0)
        expect(yield* held(id)).toMatchObject({ uploads: 1 })
      }).pipe(plain)
    )

    it.scoped("stops at once where only a person can help", () =>
      Effect.gen(function* () {
        const { archive } = yield* checkout
        writeFileSync(archive, "not a ZIP")
        const id = yield* seed()
        const ran = yield* job("sh release.sh", id)
        expect(ran.code).toBe(exitCodes.archiveRefused)
        expect(ran.output.trimEnd().split("\n")).toHaveLength(1)
        expect(last(ran.output)).toMatchObject({ _tag: "InvalidArchive" })
        expect((yield* job("sh release.sh", id, { EC_API_KEY: undefined })).code).toBe(exitCodes.usage)
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

  it.scoped("publish.sh creates the extension once", () =>
    Effect.gen(function* () {
      const { work } = yield* checkout
      const results = yield* Effect.replicateEffect(
        Effect.zipRight(
          job("sh publish.sh", ""),
          Effect.sync(() => last(readFileSync(join(work, "publish.jsonl"), "utf8")))
        ),
        2
      )
      expect(results).toEqual([
        expect.objectContaining({ _tag: "Published", name: "words", version: "8.*" }),
        expect.objectContaining({ _tag: "AlreadyPublished" })
      ])
      const cloud = yield* LocalElasticCloud.LocalElasticCloud
      expect(yield* cloud.extensions).toHaveLength(1)
    }).pipe(plain)
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
    /** Plays a job: its shell steps in order, those after a failure only if they say so. */
    const play = (id: string) =>
      Effect.gen(function* () {
        const { work } = yield* Runner
        const { steps, env } = (yield* Schema.decodeUnknown(GitHub)(parse(github))).jobs.upload
        const summary = join(work, "summary.md")
        rmSync(summary, { force: true })
        let code: number | null = 0
        for (const step of steps) {
          if (step.run === undefined || (code !== 0 && step.if === undefined)) continue
          const ran = yield* job(step.run, id, { ...env, GITHUB_STEP_SUMMARY: summary })
          if (code === 0) code = ran.code
        }
        return { code, summary: readFileSync(summary, "utf8") }
      })

    it.scoped("uploads and writes a summary", () =>
      Effect.gen(function* () {
        yield* checkout
        const id = yield* seed()
        const { code, summary } = yield* play(id)
        expect(code).toBe(0)
        expect(summary).toMatch(/^### Uploaded: words\.zip\n\n\| extension \|/)
        expect(summary).toContain(`| ${id} | ${(yield* held(id)).size} |`)
      }).pipe(plain)
    )

    it.scoped("goes on in the next attempt with what the cache has kept", () =>
      Effect.gen(function* () {
        const { work } = yield* checkout
        const cloud = yield* LocalElasticCloud.LocalElasticCloud
        const id = yield* seed()
        yield* lineCut(1)
        yield* cloud.plan({ method: "PATCH", fault: Fault.cut("arrival"), times: 2 })
        const first = yield* play(id)
        expect(first.code).toBe(exitCodes.resumable)
        expect(first.summary).toMatch(/^### ConnectionFailed\n/)
        expect(existsSync(join(work, ".upload-journal"))).toBe(true)
        const second = yield* play(id)
        expect(second.code).toBe(0)
        expect(last(readFileSync(join(work, "upload.jsonl"), "utf8"))).toMatchObject({ _tag: "Uploaded" })
        const sent = (yield* cloud.requests).filter(
          ({ method, status }) => method === "PATCH" && status === 200
        )
        expect(sent.map(({ bodyBytes }) => bodyBytes < bytes)).toEqual([true])
      }).pipe(gateway)
    )

    it.scoped("keeps and fetches the same things under keys that find each other", () =>
      Effect.gen(function* () {
        const { env, steps } = (yield* Schema.decodeUnknown(GitHub)(parse(github))).jobs.upload
        const using = (action: string) => steps.find(({ uses }) => uses?.startsWith(action))?.with ?? {}
        const [restore, save] = [using("actions/cache/restore@"), using("actions/cache/save@")]
        expect(save).toEqual({ path: restore["path"], key: restore["key"] })
        expect(String(save["key"]).startsWith(String(restore["restore-keys"]))).toBe(true)
        expect(String(save["path"]).trim().split("\n")).toEqual([env["EC_UPLOAD_JOURNAL"], env["ARCHIVE"]])
        const withKey = steps.filter((step) => "EC_API_KEY" in (step.env ?? {}))
        expect(withKey.map(({ name }) => name)).toEqual(["Upload"])
      })
    )
  })

  it.scoped("GitLab CI uploads, and runs again after the exit codes that the page names", () =>
    Effect.gen(function* () {
      const { work } = yield* checkout
      const { upload } = yield* Schema.decodeUnknown(GitLab)(parse(gitlab))
      expect(upload.retry.exit_codes).toEqual([exitCodes.resumable, exitCodes.outcomeUnknown])
      expect(upload.cache.paths).toEqual([upload.variables["EC_UPLOAD_JOURNAL"]])
      const id = yield* seed()
      yield* lineCut(1)
      const script = upload.script.join(" &&\n")
      const first = yield* job(script, id, upload.variables)
      expect(upload.retry.exit_codes).toContain(first.code)
      expect((yield* job(script, id, upload.variables)).code).toBe(0)
      const after = yield* job(upload.after_script.join("\n"), id)
      expect(last(after.output)).toMatchObject({ _tag: "Uploaded" })
      expect(existsSync(join(work, "upload.jsonl"))).toBe(true)
    }).pipe(gateway)
  )
})
