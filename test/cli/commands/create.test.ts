/** `create`: one request, checked before it is sent, and never sent twice. */
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Fault from "../../../src/testing/Fault.ts"
import * as LocalElasticCloud from "../../../src/testing/LocalElasticCloud.ts"
import { cli, plugin, stored } from "../../support/cli/managing.ts"
import { objects } from "../../support/cli/program.ts"
import { world } from "../../support/cli/world.ts"
import { seed, traffic } from "../../support/upload/world.ts"

describe("create", () => {
  const words = ["create", "--name", "words", "--type", "bundle", "--version", "8.*"]

  it.scopedLive("creates one, and says how to go on", () =>
    Effect.gen(function* () {
      const { code, out } = yield* cli(...words, "--description", "Hunspell, en_US")
      expect(code).toBe(0)
      const [, id = ""] = /^Created the bundle words with the id (\S+)\.\n/.exec(out) ?? []
      expect(out).toContain(`To upload its archive: elastic-extensions upload ${id} <archive>`)
      expect(yield* stored(id)).toEqual({
        name: "words",
        type: "bundle",
        version: "8.*",
        description: "Hunspell, en_US",
        resourceVersion: 1
      })
    }).pipe(Effect.provide(world()))
  )

  it.scopedLive("gives the id to a script, and the whole with --json", () =>
    Effect.gen(function* () {
      const { out } = yield* cli(...words, "--quiet")
      expect(yield* stored(out.trim())).toMatchObject({ name: "words" })
      const [created, ...others] = objects(yield* cli(...words, "--json"))
      expect(others).toEqual([])
      expect(created).toMatchObject({
        _tag: "ExtensionCreated",
        extension: { name: "words", version: "8.*" }
      })
    }).pipe(Effect.provide(world()))
  )

  it.scopedLive("points at one of the same name and type", () =>
    Effect.gen(function* () {
      const id = yield* seed({ name: "words" })
      yield* seed({ ...plugin, name: "words" })
      const { err } = yield* cli(...words)
      expect(err).toBe(`There is a bundle of this name already, with the id ${id}.\n`)
    }).pipe(Effect.provide(world()))
  )

  it.scopedLive("writes nothing in a dry run", () =>
    Effect.gen(function* () {
      expect(yield* cli(...words, "--dry-run")).toMatchObject({
        code: 0,
        out: "Would create the bundle words, version 8.*.\n"
      })
      expect(objects(yield* cli(...words, "--dry-run", "--json"))).toEqual([
        { _tag: "WouldCreateExtension", request: { name: "words", type: "bundle", version: "8.*" } }
      ])
      expect(yield* traffic).toEqual(["GET 200", "GET 200"])
    }).pipe(Effect.provide(world()))
  )

  it.scopedLive.each([
    { what: "a wildcard in a plugin's version", type: "plugin", name: "acme", version: "8.*" },
    { what: "a name with a space", type: "bundle", name: "my words", version: "*" }
  ])("refuses $what before anything is sent, dry or not", ({ name, type, version }) =>
    Effect.gen(function* () {
      const args = ["create", "--name", name, "--type", type, "--version", version]
      for (const ran of [yield* cli(...args), yield* cli(...args, "--dry-run")]) {
        expect(ran).toMatchObject({ code: 64, out: "" })
        expect(ran.err).toContain("InvalidRequest")
      }
      expect(yield* traffic).toEqual([])
    }).pipe(Effect.provide(world()))
  )

  it.scopedLive("is not sent again when its answer was lost", () =>
    Effect.gen(function* () {
      const cloud = yield* LocalElasticCloud.LocalElasticCloud
      yield* cloud.plan({ method: "POST", fault: Fault.cut("applied") })
      const ran = yield* cli(...words)
      expect(ran).toMatchObject({ code: 1, out: "" })
      expect(ran.err).toContain("ConnectionFailed")
      yield* cloud.settled
      expect(yield* cloud.extensions).toHaveLength(1)
    }).pipe(Effect.provide(world()))
  )
})
