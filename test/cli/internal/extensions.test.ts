/** What the commands that manage extensions have in common: they need a key, and say so. */
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { cli, environment } from "../../support/cli/managing.ts"
import { run } from "../../support/cli/program.ts"
import { world } from "../../support/cli/world.ts"
import { traffic } from "../../support/upload/world.ts"

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
