/** The action of this repository, played through its own steps with the runner's environment files. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, layer } from "@effect/vitest"
import { Deferred, Effect } from "effect"
import { makeArchive, noise } from "../../scripts/support/transcripts/archives.ts"
import { exitCodes } from "../../src/cli/ExitCode.ts"
import { commandName } from "../../src/cli/Project.ts"
import { packageVersion } from "../../src/cloud/PackageVersion.ts"
import * as Fault from "../../src/testing/Fault.ts"
import * as LocalElasticCloud from "../../src/testing/LocalElasticCloud.ts"
import { action, type Job, Runner } from "../support/scripts/runner.ts"
import { held, seed, sha256 } from "../support/upload/world.ts"

const bytes = 300_000

/** A new machine with the workspace checked out and built. A seed of its own is another archive. */
const checkout = (seed = 1) =>
  Effect.gen(function* () {
    const { clean, workspace } = yield* Runner
    yield* clean
    mkdirSync(join(workspace, "dist"), { recursive: true })
    const archive = join(workspace, "dist/words.zip")
    yield* makeArchive(archive, { "hunspell/en_US/en_US.dic": noise(bytes, seed) })
    return { archive, sha256: sha256(readFileSync(archive)) }
  })

const play = ({ env, inputs, ...job }: Job) =>
  Effect.gen(function* () {
    const { url } = yield* LocalElasticCloud.LocalElasticCloud
    const runner = yield* Runner
    return yield* runner.play({
      ...job,
      inputs: { archive: "dist/words.zip", "api-key": "local-key", pause: "0", ...inputs },
      env: {
        EC_ENDPOINT: url,
        EC_UPLOAD_RETRIES: "0",
        EC_UPLOAD_RECONCILE_WINDOW: "60 millis",
        ...env
      }
    })
  })

const cutHalfWay = (method: string, times: number) =>
  Effect.flatMap(LocalElasticCloud.LocalElasticCloud, (cloud) =>
    cloud.plan({ method, fault: Fault.cut({ afterBodyBytes: bytes / 2 }, "reset"), times })
  )

const plain = Effect.provide(LocalElasticCloud.layer())
const gateway = Effect.provide(LocalElasticCloud.layer({ resumable: { progressEveryBytes: 10_000 } }))

const bundle = { name: "words", type: "bundle", version: "8.*" }
const keeping = "Keep what the next attempt needs"

layer(Runner.layer, { excludeTestServices: true })("action.yml", (it) => {
  describe("its text", () => {
    it("gives no script an input but through the environment", () => {
      for (const { run } of action.runs.steps) expect(run ?? "").not.toContain("${{")
    })

    it("gives the key to the step that uploads alone", () => {
      const withKey = action.runs.steps.filter((step) => JSON.stringify(step).includes("inputs.api-key }}"))
      expect(withKey.map(({ name }) => name)).toEqual(["Upload"])
    })

    it("pins every action to a commit", () => {
      const used = action.runs.steps.flatMap(({ uses = [] }) => uses)
      expect(used).toHaveLength(2)
      for (const uses of used) expect(uses).toMatch(/^actions\/cache\/(restore|save)@[0-9a-f]{40}$/)
    })

    it("installs the command of its own version", () => {
      expect(action.inputs["command-version"]?.default).toBe(packageVersion)
    })
  })

  it.scoped("publishes by name, and says how it is known", () =>
    Effect.gen(function* () {
      const archive = yield* checkout()
      const runner = yield* Runner
      const played = yield* play({ inputs: bundle })
      expect(played.code).toBe(0)
      expect(runner.installed().at(-1)).toMatch(
        new RegExp(`--ignore-scripts.* ${commandName}@${packageVersion}$`)
      )
      expect(played.outputs).toMatchObject({
        outcome: "Published",
        sha256: archive.sha256,
        proof: "hash",
        "exit-code": "0"
      })
      expect(yield* held(played.outputs["extension-id"] ?? "")).toMatchObject({ sha256: archive.sha256 })
      expect(played.summary).toMatch(/^### ✅ Published\n\n\| \| \|\n/)
      expect(played.summary).toContain(`<code>${archive.sha256}</code>`)
      expect(played.summary).toContain("🔒 by hash")

      const again = yield* play({ inputs: bundle })
      expect(again.outputs).toMatchObject({ outcome: "AlreadyPublished", proof: "hash" })
      expect(again.outputs["extension-id"]).toBe(played.outputs["extension-id"])
    }).pipe(plain)
  )

  it.scoped("uploads by id, and keeps all that was said in a report", () =>
    Effect.gen(function* () {
      const archive = yield* checkout()
      const id = yield* seed()
      const { code, outputs, steps } = yield* play({ inputs: { "extension-id": id } })
      expect(code).toBe(0)
      expect(outputs).toMatchObject({ outcome: "Uploaded", "extension-id": id, sha256: archive.sha256 })
      const lines = readFileSync(outputs["report"] ?? "", "utf8")
        .trimEnd()
        .split("\n")
      expect(JSON.parse(lines.at(-1) ?? "")).toMatchObject({ _tag: "Uploaded" })
      expect(steps).not.toContain(keeping)
    }).pipe(plain)
  )

  it.scoped("runs again what stopped half-way, as often as it may", () =>
    Effect.gen(function* () {
      yield* checkout()
      const cloud = yield* LocalElasticCloud.LocalElasticCloud
      const id = yield* seed()
      yield* cutHalfWay("PUT", 2)
      const { code, log, summary } = yield* play({ inputs: { "extension-id": id } })
      expect(code).toBe(0)
      expect(log).toContain("Trying again in 0 s: 3 of 3")
      expect(summary).toMatch(/^### ✅ Uploaded\n/)
      expect((yield* cloud.requests).filter(({ method }) => method === "PUT")).toHaveLength(3)

      const other = yield* seed({ name: "other" })
      yield* cutHalfWay("PUT", 1)
      const once = yield* play({ inputs: { "extension-id": other, attempts: "1" } })
      expect(once.code).toBe(exitCodes.resumable)
      expect(once.outputs).toMatchObject({ "exit-code": "2", proof: "" })
      expect(once.summary).toContain("**Re-run this job:**")
    }).pipe(plain)
  )

  it.scoped("goes on in a re-run of the job with what the cache has kept", () =>
    Effect.gen(function* () {
      yield* checkout()
      const cloud = yield* LocalElasticCloud.LocalElasticCloud
      const id = yield* seed()
      yield* cutHalfWay("PUT", 1)
      yield* cloud.plan({ method: "PATCH", fault: Fault.cut("arrival"), times: 1 })
      const first = yield* play({ inputs: { "extension-id": id, attempts: "2" } })
      expect(first.code).toBe(exitCodes.resumable)
      expect(first.steps).toContain(keeping)

      yield* checkout()
      const second = yield* play({ inputs: { "extension-id": id }, attempt: 2 })
      expect(second.code).toBe(0)
      const sent = (yield* cloud.requests).filter(
        ({ method, status }) => method === "PATCH" && status === 200
      )
      expect(sent.map(({ bodyBytes }) => bodyBytes < bytes)).toEqual([true])
      expect(second.summary).toContain("were there already")
    }).pipe(gateway)
  )

  it.scoped(
    "cannot bring back an archive of before, nor a journal of another archive, commit or extension",
    () =>
      Effect.gen(function* () {
        const { cache, workspace } = yield* Runner
        cache.clear()
        yield* checkout()
        const id = yield* seed()
        yield* cutHalfWay("PUT", 1)
        yield* play({ inputs: { "extension-id": id, attempts: "1" } })
        expect(cache.size).toBe(1)

        const rebuilt = yield* checkout(2)
        const { code, outputs } = yield* play({ inputs: { "extension-id": id, attempts: "1" }, attempt: 2 })
        expect(code).toBe(0)
        expect(outputs["sha256"]).toBe(rebuilt.sha256)
        expect(sha256(readFileSync(join(workspace, "dist/words.zip")))).toBe(rebuilt.sha256)
        expect(yield* held(id)).toMatchObject({ sha256: rebuilt.sha256 })

        const keys = new Set<string>()
        for (const job of [
          { inputs: { "extension-id": id, attempts: "1" } },
          { inputs: { "extension-id": id, attempts: "1" }, commit: "decaf" },
          { inputs: { "extension-id": yield* seed({ name: "other" }), attempts: "1" } }
        ]) {
          yield* checkout(3)
          cache.clear()
          yield* cutHalfWay("PUT", 1)
          yield* play(job)
          for (const key of cache.keys()) keys.add(key)
        }
        expect(keys.size).toBe(3)
      }).pipe(plain)
  )

  it.scoped("keeps nothing in the cache where only a person can help, and says what to do", () =>
    Effect.gen(function* () {
      const { archive } = yield* checkout()
      writeFileSync(archive, "not a ZIP")
      const id = yield* seed()
      const { code, log, outputs, steps, summary } = yield* play({ inputs: { "extension-id": id } })
      expect(code).toBe(exitCodes.archiveRefused)
      expect(outputs).toMatchObject({ outcome: "InvalidArchive", "extension-id": id })
      expect(steps).not.toContain(keeping)
      expect(summary).toMatch(/^### ❌ InvalidArchive\n\n> /)
      expect(summary).toContain("**What to do:**")
      expect(log).toMatch(/^::error title=InvalidArchive::/m)
    }).pipe(plain)
  )

  it.scoped("lets a cancelled job save where it is", () =>
    Effect.gen(function* () {
      yield* checkout()
      const cloud = yield* LocalElasticCloud.LocalElasticCloud
      const id = yield* seed()
      const halfWay = yield* Deferred.make<void>()
      yield* cloud.plan({
        method: "PUT",
        fault: [
          Fault.run({ afterBodyBytes: bytes / 2 }, Effect.asVoid(Deferred.succeed(halfWay, undefined))),
          Fault.hang({ afterBodyBytes: bytes / 2 })
        ]
      })
      const signalled = Deferred.unsafeMake<(signal: NodeJS.Signals) => void>(yield* Effect.fiberId)
      const { played } = yield* Effect.all(
        {
          played: play({
            inputs: { "extension-id": id },
            onStep: (name, kill) => {
              if (name === "Upload") Deferred.unsafeDone(signalled, Effect.succeed(kill))
            }
          }),
          cancelled: Effect.zipWith(Deferred.await(signalled), Deferred.await(halfWay), (kill) =>
            kill("SIGINT")
          )
        },
        { concurrency: "unbounded" }
      )
      expect(played.outputs).toMatchObject({ outcome: "UploadPaused", "exit-code": "2" })
      expect(played.steps).toContain(keeping)
      expect((yield* cloud.requests).filter(({ method }) => method === "PUT")).toHaveLength(1)
    }).pipe(plain)
  )

  it.scoped("takes what it is given for data, whatever is in it", () =>
    Effect.gen(function* () {
      const { archive } = yield* checkout()
      const { workspace } = yield* Runner
      const cloud = yield* LocalElasticCloud.LocalElasticCloud
      const evil = 'words$(touch gone)`touch gone`"; touch gone #'
      const played = yield* play({ inputs: { ...bundle, description: evil } })
      expect(played.code).toBe(0)
      expect((yield* cloud.extensions).map(({ description }) => description)).toEqual([evil])
      expect(() => readFileSync(join(workspace, "gone"))).toThrow("ENOENT")

      yield* cloud.plan({
        method: "PUT",
        fault: Fault.answer({
          status: 400,
          body: JSON.stringify({
            errors: [
              { code: "x\n::add-mask::y", message: "<img src=x> | `a` **b**\r\n::set-output name=z::1" }
            ]
          })
        })
      })
      yield* makeArchive(archive, { "hunspell/en_US/en_US.dic": noise(1_000, 9) })
      const refused = yield* play({ inputs: { ...bundle, description: evil } })
      expect(refused.code).not.toBe(0)
      expect(refused.summary).not.toMatch(/<img|\*\*b\*\*|^::/m)
      const commands = refused.log.split("\n").filter((line) => line.startsWith("::"))
      expect(commands).toHaveLength(1)
      expect(commands[0]).toMatch(/^::error title=\w+::/)
    }).pipe(plain)
  )

  it.scoped.each([
    ["no key", { "api-key": "", "extension-id": "1" }, "The input api-key is empty."],
    ["no archive", { archive: "dist/none.zip", "extension-id": "1" }, "There is no file dist/none.zip."],
    ["no extension", {}, "Say where the archive goes"],
    [
      "two extensions",
      { ...bundle, "extension-id": "1" },
      "Give either extension-id, or name, type and version."
    ]
  ] as const)("says what is wrong with %s before it installs anything", ([, inputs, problem]) =>
    Effect.gen(function* () {
      yield* checkout()
      const { code, log, steps } = yield* play({ inputs })
      expect(code).toBe(exitCodes.usage)
      expect(steps).toEqual(["Look at the inputs"])
      expect(log).toContain(`::error title=Elastic Cloud extension::${problem}`)
    }).pipe(plain)
  )

  it.scoped("hands the object store on to the command", () =>
    Effect.gen(function* () {
      yield* checkout()
      const { outputs } = yield* play({
        inputs: { "extension-id": yield* seed(), stage: "no-such-scheme://x" }
      })
      expect(outputs["outcome"]).not.toBe("Uploaded")
      expect(outputs["exit-code"]).toBe(String(exitCodes.usage))
    }).pipe(plain)
  )
})
