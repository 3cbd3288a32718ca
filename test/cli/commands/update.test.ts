/** `update`: what differs is sent, and nothing else. */
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Fault from "../../../src/testing/Fault.ts"
import * as LocalElasticCloud from "../../../src/testing/LocalElasticCloud.ts"
import { cli, plugin, stored } from "../../support/cli/managing.ts"
import { objects } from "../../support/cli/program.ts"
import { world } from "../../support/cli/world.ts"
import { seed, traffic } from "../../support/upload/world.ts"

describe("update", () => {
  it.scopedLive("sends what differs with what the service wants to have again", () =>
    Effect.gen(function* () {
      const id = yield* seed({ ...plugin, description: "Acme" })
      const ran = yield* cli("update", id, "--version", "8.17.1", "--name", "analysis-acme")
      expect(ran).toEqual({
        code: 0,
        out: `Updated ${id} (analysis-acme).\n  version: 8.17.0 → 8.17.1\n`,
        err: ""
      })
      expect(yield* stored(id)).toEqual({
        name: "analysis-acme",
        type: "plugin",
        version: "8.17.1",
        description: "Acme",
        resourceVersion: 2
      })
    }).pipe(Effect.provide(world()))
  )

  it.scopedLive("sends nothing where nothing differs, and nothing in a dry run", () =>
    Effect.gen(function* () {
      const id = yield* seed(plugin)
      expect(yield* cli("update", id, "--version", "8.17.0", "--description", "")).toMatchObject({
        code: 0,
        out: `Nothing to change in ${id} (analysis-acme).\n`
      })
      expect(objects(yield* cli("update", id, "--description", "New", "--dry-run", "--json"))).toEqual([
        {
          _tag: "WouldUpdateExtension",
          extension: expect.objectContaining({ id, description: null }),
          changes: [{ field: "description", before: null, after: "New" }]
        }
      ])
      expect(yield* traffic).toEqual(["GET 200", "GET 200"])
    }).pipe(Effect.provide(world()))
  )

  it.scopedLive("names the deployments that a change may not fit", () =>
    Effect.gen(function* () {
      const id = yield* seed({ ...plugin, deployments: ["d1"] })
      const { err } = yield* cli("update", id, "--version", "8.17.1")
      expect(err).toBe("Used by d1: check that the change suits it.\n")
      expect((yield* cli("update", id, "--version", "8.17.1")).err).toBe("")
    }).pipe(Effect.provide(world()))
  )

  it.scopedLive("wants to know what to change, and a version that fits", () =>
    Effect.gen(function* () {
      const id = yield* seed(plugin)
      const nothing = yield* cli("update", id)
      expect(nothing).toMatchObject({ code: 64 })
      expect(nothing.err).toContain("give at least one of --name")
      for (const dryRun of [[], ["--dry-run"]]) {
        expect(yield* cli("update", id, "--version", "8.*", ...dryRun)).toMatchObject({ code: 64 })
      }
      expect(yield* stored(id)).toMatchObject({ resourceVersion: 1 })
    }).pipe(Effect.provide(world()))
  )

  it.scopedLive("of somebody else's change in between is a conflict", () =>
    Effect.gen(function* () {
      const id = yield* seed(plugin)
      const cloud = yield* LocalElasticCloud.LocalElasticCloud
      yield* cloud.plan({ method: "POST", fault: Fault.refuse(409, "extensions.version_conflict") })
      const ran = yield* cli("update", id, "--version", "8.17.1")
      expect(ran).toMatchObject({ code: 6, out: "" })
      expect(ran.err).toContain("VersionConflict")
    }).pipe(Effect.provide(world()))
  )
})
