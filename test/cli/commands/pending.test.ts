/** Unfinished uploads from the command line: listed, resumed, cancelled. */

import * as FileSystem from "@effect/platform/FileSystem"
import * as NodeContext from "@effect/platform-node/NodeContext"
import { describe, expect, it } from "@effect/vitest"
import { Effect, Layer, Option } from "effect"
import * as UploadJournal from "../../../src/journal/UploadJournal.ts"
import * as Fault from "../../../src/testing/Fault.ts"
import * as LocalElasticCloud from "../../../src/testing/LocalElasticCloud.ts"
import { objects, run } from "../../support/cli/program.ts"
import { fileWith, zipOf } from "../../support/upload/archives.ts"
import { held, seed, sha256 } from "../../support/upload/world.ts"

const at = (options?: LocalElasticCloud.LocalElasticCloudOptions) =>
  LocalElasticCloud.layer(options).pipe(Layer.provideMerge(NodeContext.layer), Layer.orDie)

/** A server that acknowledges often, so that it is known where a broken upload stands. */
const resumable = at({ resumable: { progressEveryBytes: 10_000 } })

const scene = Effect.gen(function* () {
  const fs = yield* FileSystem.FileSystem
  const { url } = yield* LocalElasticCloud.LocalElasticCloud
  const journal = yield* fs.makeTempDirectoryScoped({ prefix: "journal-" })
  const env = {
    EC_API_KEY: "local-key",
    EC_ENDPOINT: url,
    EC_UPLOAD_JOURNAL: journal,
    EC_UPLOAD_RETRIES: "0",
    EC_UPLOAD_RETRY_BASE_DELAY: "5 millis",
    EC_UPLOAD_RECONCILE_WINDOW: "60 millis",
    EC_UPLOAD_CONTINUE_TIMEOUT: "200 millis"
  }
  const cli = (...args: ReadonlyArray<string>) => run(args, { env })

  /** Leaves an upload unfinished, as a line that breaks does to somebody who does not retry. */
  const breakOff = (id: string, bytes: number) =>
    Effect.gen(function* () {
      const cloud = yield* LocalElasticCloud.LocalElasticCloud
      const content = yield* zipOf(bytes)
      const archive = yield* fileWith(content)
      yield* cloud.plan({ method: "PUT", fault: Fault.cut({ afterBodyBytes: bytes / 2 }, "reset") })
      expect(yield* cli("upload", id, archive)).toMatchObject({ code: 2, out: "" })
      return { archive, content }
    })

  return { breakOff, cli, env, journal, url }
})

const uploaded = (content: Uint8Array) => ({ sha256: sha256(content), uploads: 1 })

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
      expect(row).toMatch(/^1111111111 {2}sending {2}≥ 0 B of 200\.\d kB {2}0:\d\d ago {5}\//)
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
        const { breakOff, cli, env, journal, url } = yield* scene
        const [changed, gone] = [yield* seed({ id: "1111111111" }), yield* seed({ id: "2222222222" })]
        const { archive } = yield* breakOff(changed, 100_000)
        yield* fs.writeFile(archive, yield* zipOf(10))
        yield* fs.remove((yield* breakOff(gone, 100_000)).archive)
        const session = yield* UploadJournal.UploadJournal.pipe(
          Effect.flatMap((service) => service.open({ origin: `${url}/api/v1`, extensionId: gone })),
          Effect.provide(UploadJournal.layerFileSystem(journal))
        )
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
    }).pipe(Effect.provide(at()))
  )
})

describe("resume", () => {
  it.scopedLive("continues where the server has kept the beginning", () =>
    Effect.gen(function* () {
      const { breakOff, cli } = yield* scene
      const id = yield* seed()
      const { archive, content } = yield* breakOff(id, 400_000)
      const dry = yield* cli("resume", id, "--dry-run")
      expect(dry.out).toBe(`Would resume ${archive} to extension ${id}, from where the server stands.
`)
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
      expect((yield* cli("pending")).out).toMatch(/ sent {3}- /)
      expect((yield* cli("resume", id, "--dry-run")).out).toMatch(/, from its start\.\n$/)
      const ran = yield* cli("resume", id)
      expect(ran).toMatchObject({ code: 0 })
      expect(ran.out).toMatch(/^Uploaded\.\n/)
      expect(yield* held(id)).toMatchObject(uploaded(content))
    }).pipe(Effect.provide(at()))
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
      const { breakOff, cli } = yield* scene
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
        expect(ran.err).toContain(`To resume:\n  effect-elastic-extensions resume ${id}\n`)
      }
    }).pipe(Effect.provide(resumable))
  )

  it.scopedLive("cancels an upload whose archive is another one by now", () =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const { breakOff, cli } = yield* scene
      const id = yield* seed()
      const { archive } = yield* breakOff(id, 100_000)
      yield* fs.writeFile(archive, yield* zipOf(100_000))
      const ran = yield* cli("resume", id)
      expect(ran).toMatchObject({ code: 5, out: "" })
      expect(ran.err).toContain("ArchiveChanged")
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
    }).pipe(Effect.provide(at()))
  )
})

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
      const { breakOff, cli, journal, url } = yield* scene
      const id = yield* seed()
      yield* breakOff(id, 100_000)
      yield* UploadJournal.UploadJournal.pipe(
        Effect.flatMap((service) => service.open({ origin: `${url}/api/v1`, extensionId: id })),
        Effect.provide(UploadJournal.layerFileSystem(journal))
      )
      const ran = yield* cli("cancel", id)
      expect(ran).toMatchObject({ code: 6, out: "" })
      expect(ran.err).toContain("JournalLocked")
      expect((yield* cli("pending", "--quiet")).out).toBe(`${id}\n`)
    }).pipe(Effect.provide(resumable))
  )
})
