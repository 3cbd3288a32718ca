/** `upload`: what it says to people, to programs and to nobody, what it would do, and how it goes on. */
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Fault from "../../../src/testing/Fault.ts"
import { LocalElasticCloud } from "../../../src/testing/LocalElasticCloud.ts"
import { objects, type Ran } from "../../support/cli/program.ts"
import { resumable, scene } from "../../support/cli/unfinished.ts"
import { changes, place, world } from "../../support/cli/world.ts"
import { held, seed, sha256 } from "../../support/upload/world.ts"

const tags = (ran: Ran) => objects(ran).map(({ _tag }) => _tag)

describe("upload", () => {
  it.scopedLive("tells people the receipt on standard output, and what happens on standard error", () =>
    Effect.gen(function* () {
      const { archive, cli, content } = yield* place()
      const id = yield* seed()
      const { code, err, out } = yield* cli(["upload", id, archive])
      expect(code).toBe(0)
      expect(out).toMatch(/^Uploaded\.\n/)
      for (const fact of [id, sha256(content), `${content.length} bytes`, "1 → 2"])
        expect(out).toContain(fact)
      expect(err).toContain("verified by its hash\n")
      expect(out + err).not.toContain("\u001b")

      const again = yield* cli(["upload", id, archive])
      expect(again.out).toMatch(/^Already current: nothing was sent\.\n/)
      expect(yield* held(id)).toMatchObject({ sha256: sha256(content), uploads: 1 })
    }).pipe(Effect.provide(world()))
  )

  it.scopedLive("tells programs every event, and last the receipt", () =>
    Effect.gen(function* () {
      const { archive, cli, content } = yield* place()
      const id = yield* seed()
      const ran = yield* cli(["upload", id, archive, "--json"])
      expect(ran.err).toBe("")
      expect(new Set(tags(ran))).toEqual(
        new Set([
          "ArchiveInspected",
          "DigestProgress",
          "DigestComputed",
          "AttemptStarted",
          "SendingStarted",
          "BytesWritten",
          "VerificationProgress",
          "Verified",
          "Uploaded"
        ])
      )
      expect(objects(ran).at(-1)).toMatchObject({
        _tag: "Uploaded",
        extensionId: id,
        archive: { size: content.length, sha256: sha256(content) },
        proof: "hash"
      })
    }).pipe(Effect.provide(world()))
  )

  it.scopedLive("says nothing when asked to be quiet, or the receipt alone", () =>
    Effect.gen(function* () {
      const { archive, cli } = yield* place()
      const id = yield* seed()
      expect(yield* cli(["upload", id, archive, "--quiet"])).toEqual({ code: 0, out: "", err: "" })
      const ran = yield* cli(["upload", id, archive, "-q", "--json"])
      expect(tags(ran)).toEqual(["AlreadyCurrent"])
      expect(ran.err).toBe("")
    }).pipe(Effect.provide(world()))
  )

  it.scopedLive("draws a bar on a terminal, and takes it away", () =>
    Effect.gen(function* () {
      const { archive, cli } = yield* place(1_000_000)
      const id = yield* seed()
      const { err, out } = yield* cli(["upload", id, archive, "--bandwidth", "2000000"], { columns: 80 })
      expect(err).toMatch(/sending {2}\[[█·]+\] +\d+ %/)
      const lines = err.replaceAll("\r", "").replaceAll("\u001b[2K", "\n").split("\n")
      expect(lines.filter((line) => line.length > 80)).toEqual([])
      expect(err.endsWith("verified by its hash\n") || err.endsWith("\u001b[2K")).toBe(true)
      expect(out).toContain("\u001b[32mUploaded.\u001b[39m")
    }).pipe(Effect.provide(world()))
  )

  it.scopedLive("keeps a retry in sight", () =>
    Effect.gen(function* () {
      const cloud = yield* LocalElasticCloud
      const { archive, cli } = yield* place()
      const id = yield* seed()
      yield* cloud.plan({ method: "PUT", fault: Fault.answer({ status: 503 }) })
      const { code, err, out } = yield* cli(["upload", id, archive])
      expect(code).toBe(0)
      expect(err).toMatch(/^! [\s\S]*status 503[\s\S]*Trying again in \d+ ms\.\n/m)
      expect(err).toContain("attempt 2\n")
      expect(out).toContain("in 2 attempts")
    }).pipe(Effect.provide(world()))
  )

  it.scopedLive("goes on at the offset the server has kept, by the command it has printed", () =>
    Effect.gen(function* () {
      const cloud = yield* LocalElasticCloud
      const { archive, cli, content } = yield* place(3_000_000)
      const id = yield* seed()
      yield* cloud.plan({ method: "PUT", times: 9, fault: Fault.cut({ afterBodyBytes: 1_000_000 }) })
      yield* cloud.plan({ method: "HEAD", times: 99, fault: Fault.answer({ status: 503 }) })
      const ran = yield* cli(["upload", id, archive, "--json", "--retries", "1"])
      expect(ran.code).toBe(2)
      const [, ...command] = String(objects(ran).at(-1)?.["resume"]).split(" ")
      expect(command).toEqual(["resume", id, "--retries", "1"])
      yield* cloud.clearPlan
      const resumed = yield* cli([...command, "--json"])
      expect(resumed.code).toBe(0)
      expect(objects(resumed)).toContainEqual(expect.objectContaining({ _tag: "UploadContinued" }))
      expect(yield* held(id)).toMatchObject({ sha256: sha256(content), uploads: 1 })
    }).pipe(Effect.provide(world({ resumable: {} })))
  )

  it.scopedLive("holds the archive against the extension it is for", () =>
    Effect.gen(function* () {
      const { archive, cli } = yield* place()
      const id = yield* seed({ extension_type: "plugin", version: "8.17.0" })
      const { code, err } = yield* cli(["upload", id, archive])
      expect(code).toBe(5)
      expect(err).toContain("--allow type-mismatch")
      expect(yield* changes).toEqual([])
      expect(yield* cli(["upload", id, archive, "--allow", "type-mismatch", "-q"])).toMatchObject({ code: 0 })
    }).pipe(Effect.provide(world()))
  )
})

describe("upload --dry-run", () => {
  it.scopedLive("says whether anything would be sent, and why", () =>
    Effect.gen(function* () {
      const { archive, cli, content } = yield* place()
      const [empty, same, other] = [
        yield* seed(),
        yield* seed({ file: content }),
        yield* seed({ file: new Uint8Array(9) })
      ]
      const plan = (id: string) => Effect.map(cli(["upload", id, archive, "--dry-run", "--json"]), objects)
      const planned = (id: string, action: string, because: string) => [
        {
          _tag: "UploadPlan",
          extensionId: id,
          archive: { name: "words.zip", size: content.length, sha256: sha256(content) },
          action,
          because,
          stage: null,
          cancels: null,
          deployments: []
        }
      ]
      expect(yield* plan(empty)).toEqual(planned(empty, "upload", "the extension holds no archive yet"))
      expect(yield* plan(same)).toEqual(planned(same, "nothing", "the extension holds this very archive"))
      expect(yield* plan(other)).toEqual(planned(other, "upload", "the extension does not hold this archive"))
      expect((yield* cli(["upload", other, archive, "--dry-run"])).out).toMatch(/^Would upload it: /)
      expect(yield* changes).toEqual([])
    }).pipe(Effect.provide(world()))
  )

  it.scopedLive("names the deployments, and refuses as the upload would", () =>
    Effect.gen(function* () {
      const { archive, cli } = yield* place()
      const used = yield* seed({ deployments: ["d1", "d2"] })
      const plugin = yield* seed({ extension_type: "plugin", version: "8.17.0" })
      expect((yield* cli(["upload", used, archive, "--dry-run"])).out).toContain("d1, d2")
      const refused = [
        yield* cli(["upload", used, archive, "--dry-run", "--protect-in-use"]),
        yield* cli(["upload", plugin, archive, "--dry-run"]),
        yield* cli(["upload", "4040404040", archive, "--dry-run"])
      ]
      expect(refused.map(({ code }) => code)).toEqual([6, 5, 4])
      expect(yield* changes).toEqual([])
    }).pipe(Effect.provide(world()))
  )

  it.scopedLive("knows of an upload that was left unfinished", () =>
    Effect.gen(function* () {
      const cloud = yield* LocalElasticCloud
      const { archive, cli } = yield* place()
      const id = yield* seed()
      yield* cloud.plan({ method: "PUT", times: 9, fault: Fault.cut({ afterBodyBytes: 1000 }) })
      expect(yield* cli(["upload", id, archive, "--retries", "0"])).toMatchObject({ code: 2 })
      const [plan] = objects(yield* cli(["upload", id, archive, "--dry-run", "--json"]))
      expect(plan).toMatchObject({ action: "upload", because: expect.stringContaining("an earlier run") })
    }).pipe(Effect.provide(world()))
  )

  it.scopedLive("starts over where the upload would: with another framing, or resumption switched off", () =>
    Effect.gen(function* () {
      const { breakOff, cli } = yield* scene
      const id = yield* seed()
      const { archive: file } = yield* breakOff(id, 200_000)
      for (const option of ["--content-type=multipart", "--resumable=never"]) {
        const [plan] = objects(yield* cli("upload", id, file, option, "--dry-run", "--json"))
        expect(plan).toMatchObject({ _tag: "UploadPlan", action: "upload", cancels: "words.zip" })
      }
      const again = yield* cli("upload", id, file, "--content-type=multipart", "--json")
      expect(tags(again)).toContain("StaleUploadDiscarded")
      expect(tags(again)).not.toContain("UploadContinued")
    }).pipe(Effect.provide(resumable))
  )

  it.scopedLive("allows what was allowed when the upload was begun, as the upload does", () =>
    Effect.gen(function* () {
      const { breakOff, cli } = yield* scene
      const id = yield* seed({ extension_type: "plugin", version: "8.17.0" })
      const { archive, content } = yield* breakOff(id, 200_000, "--allow", "type-mismatch")
      const dry = yield* cli("upload", id, archive, "--dry-run", "--json")
      expect(dry.code).toBe(0)
      expect(objects(dry)).toEqual([expect.objectContaining({ action: "continue", cancels: null })])
      const ran = yield* cli("upload", id, archive, "--json")
      expect(ran.code).toBe(0)
      expect(tags(ran)).toContain("UploadContinued")
      expect(yield* held(id)).toMatchObject({ sha256: sha256(content), uploads: 1 })
      const other = yield* breakOff(id, 1000, "--allow", "type-mismatch")
      expect(yield* cli("upload", id, other.archive, "--resumable=never", "--dry-run")).toMatchObject({
        code: 5
      })
    }).pipe(Effect.provide(resumable))
  )

  it.scopedLive("is refused while another process uploads, as the upload is", () =>
    Effect.gen(function* () {
      const { breakOff, cli, hold } = yield* scene
      const id = yield* seed()
      const { archive } = yield* breakOff(id, 100_000)
      yield* hold(id)
      const refused = [
        yield* cli("upload", id, archive, "--dry-run"),
        yield* cli("resume", id, "--dry-run"),
        yield* cli("cancel", id, "--dry-run")
      ]
      expect(refused.map(({ code }) => code)).toEqual([6, 6, 6])
      for (const { err } of refused) expect(err).toContain("JournalLocked")
    }).pipe(Effect.provide(resumable))
  )
})
