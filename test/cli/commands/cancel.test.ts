/** `cancel`: the server and the journal forget an unfinished upload. */
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import * as LocalElasticCloud from "../../../src/testing/LocalElasticCloud.ts"
import { objects } from "../../support/cli/program.ts"
import { resumable, scene } from "../../support/cli/unfinished.ts"
import { seed } from "../../support/upload/world.ts"

describe("cancel", () => {
  it.scopedLive("cancels an upload, on the server as well, and not in a dry run", () =>
    Effect.gen(function* () {
      const cloud = yield* LocalElasticCloud.LocalElasticCloud
      const { breakOff, cli } = yield* scene
      const id = yield* seed()
      yield* breakOff(id, 100_000)
      expect(yield* cli("cancel", id, "--dry-run")).toMatchObject({
        code: 0,
        out: `Would cancel the unfinished upload to extension ${id}.\n`
      })
      expect(yield* cloud.uploads).toHaveLength(1)
      expect(objects(yield* cli("cancel", id, "--json"))).toEqual([
        { _tag: "UploadCancelled", extensionId: id }
      ])
      expect(yield* cloud.uploads).toEqual([])
      expect(yield* cli("pending")).toMatchObject({ out: "There are no unfinished uploads.\n" })
      for (const dryRun of [[], ["--dry-run"]]) {
        expect(yield* cli("cancel", id, ...dryRun)).toMatchObject({ code: 4, out: "" })
      }
    }).pipe(Effect.provide(resumable))
  )

  it.scopedLive("leaves an upload alone that is at work", () =>
    Effect.gen(function* () {
      const { breakOff, cli, hold } = yield* scene
      const id = yield* seed()
      yield* breakOff(id, 100_000)
      yield* hold(id)
      const ran = yield* cli("cancel", id)
      expect(ran).toMatchObject({ code: 6, out: "" })
      expect(ran.err).toContain("JournalLocked")
      expect((yield* cli("pending", "--quiet")).out).toBe(`${id}\n`)
    }).pipe(Effect.provide(resumable))
  )
})
