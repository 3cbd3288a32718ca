/** `publish`: what it says it did, what it would do, and what it never does twice. */
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Fault from "../../../src/testing/Fault.ts"
import { LocalElasticCloud } from "../../../src/testing/LocalElasticCloud.ts"
import { objects } from "../../support/cli/program.ts"
import { changes, place, world } from "../../support/cli/world.ts"
import { archiveHost } from "../../support/publish/publishing.ts"
import { held, seed, sha256 } from "../../support/upload/world.ts"

const words = ["--name", "words", "--type", "bundle"]

describe("publish", () => {
  it.scopedLive("creates, then changes only what differs, then nothing", () =>
    Effect.gen(function* () {
      const { archive, cli, content } = yield* place()
      const created = yield* cli(["publish", archive, ...words, "--version", "8.*"])
      expect(created.code).toBe(0)
      expect(created.out).toMatch(/^Published\.\n {2}extension {2}\d+ \(created\)\n/)
      const updated = yield* cli([
        "publish",
        archive,
        ...words,
        "--version",
        "9.*",
        "--description",
        "More words"
      ])
      expect(updated.out).toContain("(updated: version, description)")
      const again = yield* cli(["publish", archive, ...words, "--version=9.*"])
      expect(again.out).toMatch(/^Already published: nothing was changed\.\n/)

      const id = (yield* cli(["publish", archive, ...words, "--version=9.*", "--quiet"])).out.trim()
      expect(yield* held(id)).toMatchObject({ sha256: sha256(content), uploads: 1 })
      expect(yield* changes).toEqual(["POST", "PUT", "POST"])
    }).pipe(Effect.provide(world()))
  )

  it.scopedLive("tells programs the steps, and last the receipt", () =>
    Effect.gen(function* () {
      const { archive, cli } = yield* place()
      const ran = yield* cli(["publish", archive, ...words, "--version", "*", "--json"])
      expect(ran.err).toBe("")
      const steps = objects(ran)
      expect(steps[0]).toMatchObject({ _tag: "ExtensionCreated" })
      expect(steps.at(-1)).toMatchObject({ _tag: "Published", created: true, way: "upload", proof: "hash" })
    }).pipe(Effect.provide(world()))
  )

  it.scopedLive("has the service fetch what has no local archive, without telling the URL's signature", () =>
    Effect.gen(function* () {
      const { cli, content } = yield* place()
      const { url } = yield* archiveHost(content)
      const ran = yield* cli(["publish", ...words, "--version", "*", "--download-url", url])
      expect(ran.code).toBe(0)
      expect(ran.out).toContain("fetched by the service")
      expect(ran.out + ran.err).not.toContain("hush")
    }).pipe(Effect.provide(world()))
  )

  it.scopedLive("prints the command that goes on, which makes no second extension", () =>
    Effect.gen(function* () {
      const cloud = yield* LocalElasticCloud
      const { archive, cli } = yield* place()
      const args = ["publish", archive, ...words, "--version", "*", "--retries", "0"]
      yield* cloud.plan({ method: "PUT", fault: Fault.cut("arrival") })
      const cut = yield* cli([...args, "--json"])
      expect(cut.code).toBe(2)
      expect(objects(cut).at(-1)).toMatchObject({
        resume: `elastic-extensions publish ${archive} --name words --type bundle --version '*' --retries 0`
      })
      expect(yield* cli(args)).toMatchObject({ code: 0 })
      expect(yield* cloud.extensions).toHaveLength(1)
    }).pipe(Effect.provide(world()))
  )

  it.scopedLive("refuses before anything is changed", () =>
    Effect.gen(function* () {
      const { archive, cli } = yield* place()
      yield* Effect.all([seed({ name: "twice" }), seed({ name: "twice" })])
      const publish = (name: string, type: string, version: string) =>
        cli(["publish", archive, "--name", name, "--type", type, "--version", version])
      const refused = [
        yield* publish("twice", "bundle", "*"),
        yield* publish("words", "plugin", "8.17.0"),
        yield* publish("words", "plugin", "8.*"),
        yield* publish("no spaces", "bundle", "*"),
        yield* cli(["publish", ...words, "--version", "*"])
      ]
      expect(refused.map(({ code }) => code)).toEqual([6, 5, 64, 64, 64])
      expect(yield* changes).toEqual([])
    }).pipe(Effect.provide(world()))
  )
})

describe("publish --dry-run", () => {
  it.scopedLive("says what would be created, updated and sent", () =>
    Effect.gen(function* () {
      const { archive, cli, content } = yield* place()
      const id = yield* seed({ name: "known", version: "8.*", file: content })
      const plan = (...args: ReadonlyArray<string>) =>
        cli(["publish", archive, "--type", "bundle", "--dry-run", ...args])
      expect((yield* plan("--name", "words", "--version", "*")).out).toBe(
        "Would create the bundle words for Elasticsearch *.\nWould upload the archive.\n"
      )
      expect(objects(yield* plan("--name", "known", "--version", "9.*", "--json"))).toEqual([
        expect.objectContaining({
          _tag: "PublishPlan",
          extensionId: id,
          update: ["version"],
          way: "upload",
          upload: expect.objectContaining({ action: "nothing" })
        })
      ])
      expect(yield* changes).toEqual([])
    }).pipe(Effect.provide(world()))
  )

  it.scopedLive("refuses as publishing would", () =>
    Effect.gen(function* () {
      const { archive, cli } = yield* place()
      yield* Effect.all([seed({ name: "twice" }), seed({ name: "twice" })])
      const plan = (name: string, type: string, version: string) =>
        cli(["publish", archive, "--dry-run", "--name", name, "--type", type, "--version", version])
      const refused = [
        yield* plan("twice", "bundle", "*"),
        yield* plan("words", "plugin", "8.17.0"),
        yield* plan("no spaces", "bundle", "*")
      ]
      expect(refused.map(({ code }) => code)).toEqual([6, 5, 64])
    }).pipe(Effect.provide(world()))
  )
})
