/** `resume`: continues where the server can, starts over where it cannot, and tells of each. */
import * as FileSystem from "@effect/platform/FileSystem"
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { commandName } from "../../../src/cli/internal/text.ts"
import * as Fault from "../../../src/testing/Fault.ts"
import * as LocalElasticCloud from "../../../src/testing/LocalElasticCloud.ts"
import { objects, run } from "../../support/cli/program.ts"
import { resumable, scene, uploaded } from "../../support/cli/unfinished.ts"
import { world } from "../../support/cli/world.ts"
import { zipOf } from "../../support/upload/archives.ts"
import { held, seed } from "../../support/upload/world.ts"

describe("resume", () => {
  it.scopedLive("continues where the server has kept the beginning", () =>
    Effect.gen(function* () {
      const { breakOff, cli } = yield* scene
      const id = yield* seed()
      const { content } = yield* breakOff(id, 400_000)
      const dry = yield* cli("resume", id, "--dry-run")
      expect(dry.out).toMatch(/^Would resume the upload: /)
      expect(dry.out).toContain("archive    words.zip, ")
      expect(yield* held(id)).toMatchObject({ uploads: 0 })
      const receipts = objects(yield* cli("resume", id, "--json"))
      expect(receipts.at(-1)).toMatchObject({
        _tag: "Uploaded",
        extensionId: id,
        bytesResumed: expect.any(Number)
      })
      expect(Number(receipts.at(-1)?.["bytesResumed"])).toBeGreaterThan(0)
      expect(yield* held(id)).toMatchObject(uploaded(content))
      expect(yield* cli("pending")).toMatchObject({ out: "There are no unfinished uploads.\n" })
    }).pipe(Effect.provide(resumable))
  )

  it.scopedLive("sends all again where the server keeps nothing", () =>
    Effect.gen(function* () {
      const { breakOff, cli } = yield* scene
      const id = yield* seed()
      const { content } = yield* breakOff(id, 100_000)
      expect((yield* cli("pending")).out).toMatch(/ (sending|sent) +- /)
      expect((yield* cli("resume", id, "--dry-run")).out).toMatch(
        /^Would upload it: an earlier run was interrupted, and the server kept nothing to resume\.\n/
      )
      const ran = yield* cli("resume", id)
      expect(ran).toMatchObject({ code: 0 })
      expect(ran.out).toMatch(/^Uploaded\.\n/)
      expect(yield* held(id)).toMatchObject(uploaded(content))
    }).pipe(Effect.provide(world()))
  )

  it.scopedLive("finishes all, tells of each that cannot be, and exits by the first of those", () =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const { breakOff, cli } = yield* scene
      const [good, gone, late] = [yield* seed(), yield* seed({ name: "b" }), yield* seed({ name: "c" })]
      const first = yield* breakOff(good, 100_000)
      yield* fs.remove((yield* breakOff(gone, 100_000)).archive)
      const third = yield* breakOff(late, 100_000)
      const ran = yield* cli("resume", "--all", "--json")
      expect(ran).toMatchObject({ code: 5, err: "" })
      const lines = objects(ran)
      expect(
        lines.filter(({ _tag }) => _tag === "ResumingUpload").map(({ extensionId }) => extensionId)
      ).toEqual([good, gone, late])
      expect(lines.at(-1)).toMatchObject({
        _tag: "UploadsResumed",
        finished: [
          { _tag: "Uploaded", extensionId: good },
          { _tag: "Uploaded", extensionId: late }
        ],
        failed: [{ extensionId: gone, error: "ArchiveUnreadable" }]
      })
      expect(yield* held(good)).toMatchObject(uploaded(first.content))
      expect(yield* held(late)).toMatchObject(uploaded(third.content))
      expect(yield* held(gone)).toMatchObject({ uploads: 0 })
    }).pipe(Effect.provide(resumable))
  )

  it.scopedLive("prints the command that resumes where one breaks off again", () =>
    Effect.gen(function* () {
      const { breakOff, cli, env } = yield* scene
      const id = yield* seed()
      yield* breakOff(id, 100_000)
      const cloud = yield* LocalElasticCloud.LocalElasticCloud
      yield* cloud.plan({ method: "PATCH", fault: Fault.cut({ afterBodyBytes: 10 }, "reset"), times: 2 })
      for (const args of [
        ["resume", id],
        ["resume", "--all"]
      ]) {
        const ran = yield* cli(...args)
        expect(ran).toMatchObject({ code: 2, out: "" })
        expect(ran.err).toContain(`To resume:\n  ${commandName} resume ${id}\n`)
      }
      yield* cloud.plan({ method: "PATCH", fault: Fault.cut({ afterBodyBytes: 10 }, "reset") })
      const byNpx = yield* run(["resume", id], { env: { ...env, npm_command: "exec" } })
      expect(byNpx.err).toContain(`To resume:\n  npx ${commandName} resume ${id}\n`)
    }).pipe(Effect.provide(resumable))
  )

  it.scopedLive("cancels an upload whose archive is another one by now", () =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const { breakOff, cli } = yield* scene
      const id = yield* seed()
      const { archive } = yield* breakOff(id, 100_000)
      yield* fs.writeFile(archive, yield* zipOf(100_000))
      for (const args of [["--dry-run"], []]) {
        const ran = yield* cli("resume", id, ...args)
        expect(ran).toMatchObject({ code: 5, out: "" })
        expect(ran.err).toContain("ArchiveChanged")
      }
      expect(yield* held(id)).toMatchObject({ uploads: 0 })
      expect(yield* cli("pending")).toMatchObject({ out: "There are no unfinished uploads.\n" })
    }).pipe(Effect.provide(resumable))
  )

  it.scopedLive("has nothing to do, and knows", () =>
    Effect.gen(function* () {
      const { cli } = yield* scene
      const id = yield* seed()
      expect(yield* cli("resume", "--all")).toEqual({
        code: 0,
        out: "There are no unfinished uploads.\n",
        err: ""
      })
      const one = yield* cli("resume", id)
      expect(one).toMatchObject({ code: 4, out: "" })
      expect(one.err).toContain("NoPendingUpload")
      for (const args of [[], [id, "--all"]]) {
        const ran = yield* cli("resume", ...args)
        expect(ran).toMatchObject({ code: 64, out: "" })
        expect(ran.err).toContain("either the id of an extension or --all")
      }
    }).pipe(Effect.provide(world()))
  )
})
