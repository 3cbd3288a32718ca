/** `pending`: the unfinished uploads, by the journal alone. */
import * as FileSystem from "@effect/platform/FileSystem"
import { describe, expect, it } from "@effect/vitest"
import { Effect, Option } from "effect"
import * as LocalElasticCloud from "../../../src/testing/LocalElasticCloud.ts"
import { objects, run } from "../../support/cli/program.ts"
import { resumable, scene } from "../../support/cli/unfinished.ts"
import { world } from "../../support/cli/world.ts"
import { zipOf } from "../../support/upload/archives.ts"
import { seed, sha256 } from "../../support/upload/world.ts"

describe("pending", () => {
  it.scopedLive("shows what there is to resume, without a key", () =>
    Effect.gen(function* () {
      const { breakOff, env, url } = yield* scene
      const id = yield* seed({ id: "1111111111" })
      const { archive, content } = yield* breakOff(id, 200_000)
      const { EC_API_KEY: _, ...keyless } = env
      const table = yield* run(["pending"], { env: keyless })
      expect(table).toMatchObject({ code: 0, err: "" })
      const [headings, row, ...others] = table.out.trimEnd().split("\n")
      expect(headings).toMatch(/^EXTENSION {3}PHASE {4}KEPT {2,}LAST ACTIVE {2}ARCHIVE$/)
      expect(row).toMatch(/^1111111111 {2}sending {2}\? of 200\.\d kB {2}0:\d\d ago {5}\//)
      expect(row).toContain(archive)
      expect(others).toEqual([])
      const [listing] = objects(yield* run(["pending", "--json"], { env: keyless }))
      expect(listing).toMatchObject({
        _tag: "PendingUploads",
        endpoint: `${url}/api/v1`,
        elsewhere: 0,
        unreadable: 0,
        uploads: [
          {
            extensionId: id,
            archive: { path: archive, size: content.length, sha256: sha256(content), state: "unchanged" },
            phase: "Sending",
            total: content.length,
            attempts: 1,
            inUse: false
          }
        ]
      })
      const secrets = (yield* Effect.flatMap(
        LocalElasticCloud.LocalElasticCloud,
        (cloud) => cloud.uploads
      )).map(({ token }) => token)
      expect(secrets).toHaveLength(1)
      expect(JSON.stringify(listing)).not.toContain(secrets[0])
      expect((yield* run(["pending", "--quiet"], { env })).out).toBe("1111111111\n")
    }).pipe(Effect.provide(resumable))
  )

  it.scopedLive(
    "tells of archives that changed or are gone, of uploads at work, and of other endpoints",
    () =>
      Effect.gen(function* () {
        const fs = yield* FileSystem.FileSystem
        const { breakOff, cli, env, hold } = yield* scene
        const [changed, gone] = [yield* seed({ id: "1111111111" }), yield* seed({ id: "2222222222" })]
        const { archive } = yield* breakOff(changed, 100_000)
        yield* fs.writeFile(archive, yield* zipOf(10))
        yield* fs.remove((yield* breakOff(gone, 100_000)).archive)
        const session = yield* hold(gone)
        expect(Option.isSome(yield* session.record)).toBe(true)
        const { out } = yield* cli("pending")
        expect(out).toMatch(/1111111111 .* 0:\d\d ago .* \(changed\)\n/)
        expect(out).toMatch(/2222222222 .* now .* \(missing\)\n/)
        const elsewhere = yield* run(["pending", "--endpoint", "https://example.com"], { env })
        expect(elsewhere.out).toBe("There are no unfinished uploads.\n")
        expect(elsewhere.err).toBe("2 more at other endpoints: choose one with --endpoint.\n")
      }).pipe(Effect.provide(resumable))
  )

  it.scopedLive("speaks of records that it cannot read", () =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const { cli, journal } = yield* scene
      const record = `${"0".repeat(32)}.json`
      yield* fs.writeFileString(`${journal}/${record}`, "{")
      const ran = yield* cli("pending")
      expect(ran).toMatchObject({ code: 0, out: "There are no unfinished uploads.\n" })
      expect(ran.err).toContain(record)
      expect(objects(yield* cli("pending", "--json"))).toEqual([expect.objectContaining({ unreadable: 1 })])
    }).pipe(Effect.provide(world()))
  )
})
