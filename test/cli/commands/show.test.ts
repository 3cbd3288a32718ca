/** `show`: everything known of one extension, by id. */
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { cli, plugin } from "../../support/cli/managing.ts"
import { objects } from "../../support/cli/program.ts"
import { world } from "../../support/cli/world.ts"
import { seed, traffic } from "../../support/upload/world.ts"

describe("show", () => {
  it.scopedLive("tells everything, and who uses it when asked to", () =>
    Effect.gen(function* () {
      const id = yield* seed({
        ...plugin,
        id: "1111111111",
        description: "Acme's analysis",
        deployments: ["d1", "d2"]
      })
      const { out } = yield* cli("show", id)
      expect(out).toMatch(/^analysis-acme\n {2}id {11}1111111111\n {2}type {9}plugin\n/)
      expect(out).toContain("description  Acme's analysis")
      expect(out).toContain("file         none")
      expect(out).not.toContain("used by")
      expect((yield* cli("show", id, "--deployments")).out).toContain("used by      d1, d2")
      expect(objects(yield* cli("show", id, "--deployments", "--json"))).toEqual([
        {
          _tag: "Extension",
          extension: expect.objectContaining({ id, deployments: ["d1", "d2"], version: "8.17.0" }),
          resource: expect.objectContaining({ version: "1" })
        }
      ])
    }).pipe(Effect.provide(world()))
  )

  it.scopedLive("fails by its exit code alone with --quiet, and in words without", () =>
    Effect.gen(function* () {
      const known = yield* seed()
      expect(yield* cli("show", known, "--quiet")).toEqual({ code: 0, out: "", err: "" })
      const unknown = yield* cli("show", "4040404040")
      expect(unknown).toMatchObject({ code: 4, out: "" })
      expect(unknown.err).toContain("ExtensionNotFound")
      expect(objects(yield* cli("show", "4040404040", "--json"))).toEqual([
        expect.objectContaining({ _tag: "ExtensionNotFound", extensionId: "4040404040", exitCode: 4 })
      ])
    }).pipe(Effect.provide(world()))
  )

  it.scopedLive("refuses what is no id before it asks", () =>
    Effect.gen(function* () {
      const ran = yield* cli("show", "../secrets")
      expect(ran).toMatchObject({ code: 64, out: "" })
      expect(ran.err).toContain("it contains a slash")
      expect(yield* traffic).toEqual([])
    }).pipe(Effect.provide(world()))
  )
})
