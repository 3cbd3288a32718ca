/** What the commands that manage extensions have in common: they need a key, and say so. */
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Fault from "../../../src/testing/Fault.ts"
import * as LocalElasticCloud from "../../../src/testing/LocalElasticCloud.ts"
import { cli, environment, stored } from "../../support/cli/managing.ts"
import { objects, run } from "../../support/cli/program.ts"
import { place, world } from "../../support/cli/world.ts"
import { held, seed, traffic } from "../../support/upload/world.ts"

describe("an extension", () => {
  const words = (extension_type: "bundle" | "plugin") => ({
    ...{ name: "words", extension_type },
    version: extension_type === "bundle" ? "*" : "8.17.0"
  })

  it.scopedLive("may be meant by its name, by each command that takes one", () =>
    Effect.gen(function* () {
      const { archive, cli: uploading } = yield* place()
      const id = yield* seed(words("bundle"))
      expect((yield* cli("show", "words")).out).toContain(id)
      expect((yield* uploading(["upload", "words", archive])).out).toContain(id)
      expect(yield* held(id)).toMatchObject({ uploads: 1 })
      expect(yield* cli("update", "words", "--description", "All of them")).toMatchObject({ code: 0 })
      expect((yield* stored(id)).description).toBe("All of them")
      expect((yield* cli("delete", "words", "--yes")).out).toContain(id)
      expect(yield* cli("show", id)).toMatchObject({ code: 4 })
    }).pipe(Effect.provide(world()))
  )

  it.scopedLive("is not guessed where several have the name, and --type may decide", () =>
    Effect.gen(function* () {
      const bundle = yield* seed(words("bundle"))
      const plugin = yield* seed(words("plugin"))
      const [failure] = objects(yield* cli("delete", "words", "--yes", "--json"))
      expect(failure).toMatchObject({ _tag: "AmbiguousName", name: "words", exitCode: 6 })
      expect(failure?.["candidates"]).toEqual(
        expect.arrayContaining([
          { id: bundle, type: "bundle", version: "*" },
          { id: plugin, type: "plugin", version: "8.17.0" }
        ])
      )
      expect(failure?.["remedy"]).toContain("--type")
      expect((yield* cli("show", "words", "--type", "plugin")).out).toContain(plugin)
      yield* seed(words("plugin"))
      const again = yield* cli("show", "words", "--type", "plugin")
      expect(again).toMatchObject({ code: 6, err: expect.stringContaining("Give the id") })
    }).pipe(Effect.provide(world()))
  )

  it.scopedLive("that is nowhere is told with a name that may have been meant", () =>
    Effect.gen(function* () {
      yield* seed(words("bundle"))
      const ran = yield* cli("show", "wrods", "--json")
      expect(objects(ran)).toEqual([
        expect.objectContaining({ _tag: "NameNotFound", name: "wrods", near: ["words"], exitCode: 4 })
      ])
      expect((yield* cli("show", "words", "--type", "plugin")).err).toContain("There is no plugin")
    }).pipe(Effect.provide(world()))
  )

  it.scopedLive("whose name looks like an id is found by it with its type", () =>
    Effect.gen(function* () {
      const id = yield* seed({ ...words("bundle"), name: "2024" })
      expect(yield* cli("show", "2024")).toMatchObject({ code: 4 })
      expect((yield* cli("show", "2024", "--type", "bundle")).out).toContain(id)
    }).pipe(Effect.provide(world()))
  )
})

describe("an error as JSON", () => {
  it.scopedLive("has the fields of its own, and no key that the service echoes", () =>
    Effect.gen(function* () {
      const cloud = yield* LocalElasticCloud.LocalElasticCloud
      const echo = Fault.answer({
        status: 418,
        headers: { "x-echo": "local-key" },
        body: "You are local-key."
      })
      yield* cloud.plan({ fault: echo, times: 3 })
      const ran = yield* cli("list", "--json", "--tries", "1")
      expect(objects(ran)).toEqual([
        expect.objectContaining({ _tag: "UnexpectedResponse", operation: "list", status: 418, exitCode: 1 })
      ])
      expect(ran.out + ran.err).not.toContain("local-key")
    }).pipe(Effect.provide(world()))
  )
})

describe("every one of them", () => {
  it.scopedLive.each([
    [["list"]],
    [["show", "1"]],
    [["create", "--name", "a", "--type", "bundle", "--version", "*"]],
    [["update", "1", "--name", "b"]],
    [["delete", "1", "--yes"]]
  ])("%s needs a key, and tells where to get one", ([args = []]) =>
    Effect.gen(function* () {
      const { EC_API_KEY: _, ...env } = yield* environment()
      const ran = yield* run(args, { env })
      expect(ran).toMatchObject({ code: 64, out: "" })
      expect(ran.err).toContain("EC_API_KEY")
      expect(ran.err).toContain("Create a key at")
      expect(yield* traffic).toEqual([])
    }).pipe(Effect.provide(world()))
  )

  it.scopedLive("tells a key that is refused from one that has no user", () =>
    Effect.gen(function* () {
      const env = yield* environment({ EC_API_KEY: "userless" })
      const create = ["create", "--name", "a", "--type", "bundle", "--version", "*"]
      const userless = yield* run(create, { env })
      expect(userless).toMatchObject({ code: 3 })
      expect(userless.err).toContain("NoUserId")
      const refused = yield* cli("list")
      expect(refused).toMatchObject({ code: 3 })
      expect(refused.err).toContain("AuthenticationFailed")
    }).pipe(Effect.provide(world({ accounts: [{ apiKey: "userless", owner: undefined }] })))
  )
})
