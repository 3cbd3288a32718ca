/** Deno gives a program what it was started with. Without it, a command says which permission is missing, and never just ends. */
import * as FileSystem from "@effect/platform/FileSystem"
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import * as LocalElasticCloud from "../../src/testing/LocalElasticCloud.ts"
import type { Told } from "../support/cli/permissionsChild.ts"
import { world } from "../support/cli/world.ts"
import { bundleChild, startChild } from "../support/runtimes/child.ts"
import { fileWith, zipOf } from "../support/upload/archives.ts"

/** How every command ends on Deno with one permission less than the documentation names, or those of one name. */
const endings = (denied: string, { isJournalThere = true, only = "" } = {}) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const { url } = yield* LocalElasticCloud.LocalElasticCloud
    const folder = yield* fs.makeTempDirectoryScoped({ prefix: "permissions-" })
    const journal = `${folder}/journal`
    if (isJournalThere) yield* fs.makeDirectory(journal, { mode: 0o700 })
    const child = yield* startChild({
      runtime: "deno",
      program: yield* bundleChild(folder, "cli/permissionsChild.ts"),
      args: [yield* fileWith(yield* zipOf(500)), `${folder}/releases.db`, only],
      rights: [denied],
      env: {
        EC_API_KEY: "local-key",
        EC_ENDPOINT: url,
        EC_UPLOAD_JOURNAL: journal,
        EC_UPLOAD_RETRIES: "0",
        EC_UPLOAD_READ_TRIES: "1",
        EC_RUNNER_URL: "http://127.0.0.1:1"
      }
    })
    const ending = yield* child.ended
    if (ending._tag !== "Done") return yield* Effect.dieMessage(JSON.stringify(ending))
    const told = ending.stdout
      .trim()
      .split("\n")
      .map((line): Told => JSON.parse(line))
    for (const { err } of told) expect(err).not.toContain("Defect")
    return told
  })

const first = ({ command }: Told) => command.split(" ")[0] ?? ""

/** The commands that name the permission they lack, by their first words. */
const naming = (told: ReadonlyArray<Told>, permission: string) => {
  const does = ({ err, out }: Told) => `${out}${err}`.replace(/\s+/g, " ").includes(permission)
  return [...new Set(told.filter(does).map(first))].sort()
}

describe("on Deno, without the permission", () => {
  it.scopedLive("to learn who its user is, everything works", () =>
    Effect.gen(function* () {
      const told = yield* endings("--deny-sys")
      expect(naming(told, "--allow-")).toEqual([])
      const doctor = told.filter((one) => first(one) === "doctor")
      expect(doctor).toMatchObject([{ code: 0, out: expect.stringMatching(/✓ journal .* can be written/) }])
      expect(told.at(-1)).toMatchObject({
        code: 64,
        err: expect.stringContaining("Say with --by who decides")
      })
    }).pipe(Effect.provide(world()))
  )

  it.scopedLive("to learn who its user is, doctor does not know whether a journal can be created", () =>
    Effect.gen(function* () {
      const [told] = yield* endings("--deny-sys", { isJournalThere: false, only: "doctor" })
      expect(told).toMatchObject({ code: 0, out: expect.stringMatching(/! journal .*--allow-sys=uid,gid/s) })
    }).pipe(Effect.provide(world()))
  )

  it.scopedLive("to read variables, every command says so", () =>
    Effect.gen(function* () {
      const told = yield* endings("--deny-env")
      for (const { code, err } of told) {
        expect(code).toBe(64)
        expect(err).toMatch(/^PermissionMissing\n.*\n.*\n {2}Run Deno with --allow-env\.\n$/)
      }
    }).pipe(Effect.provide(world()))
  )

  it.scopedLive("to use the network, those say so that do", () =>
    Effect.gen(function* () {
      const told = yield* endings("--deny-net")
      expect(naming(told, "Run Deno with --allow-net")).toEqual([
        "cloud",
        "create",
        "delete",
        "doctor",
        "list",
        "publish",
        "releases",
        "runner",
        "show",
        "update",
        "upload"
      ])
    }).pipe(Effect.provide(world()))
  )

  it.scopedLive("to read, those say so that do", () =>
    Effect.gen(function* () {
      const told = yield* endings("--deny-read")
      expect(naming(told, "Run Deno with --allow-read")).toEqual([
        "cancel",
        "cloud",
        "doctor",
        "inspect",
        "pending",
        "publish",
        "releases",
        "resume",
        "upload"
      ])
    }).pipe(Effect.provide(world()))
  )

  it.scopedLive("to write, those say so that do", () =>
    Effect.gen(function* () {
      const told = yield* endings("--deny-write")
      expect(naming(told, "--allow-write")).toEqual(["cancel", "cloud", "doctor", "publish", "upload"])
    }).pipe(Effect.provide(world()))
  )
})
