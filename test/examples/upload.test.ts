import { spawn } from "node:child_process"
import { readFileSync } from "node:fs"
import { dirname, resolve } from "node:path"
import * as FileSystem from "@effect/platform/FileSystem"
import * as NodeContext from "@effect/platform-node/NodeContext"
import { describe, expect, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Schema, Struct } from "effect"
import { node } from "../../scripts/support/node.ts"
import * as Fault from "../../src/testing/Fault.ts"
import * as LocalElasticCloud from "../../src/testing/LocalElasticCloud.ts"
import { UploadReceipt } from "../../src/upload/UploadReceipt.ts"
import { fileWith, zipOf } from "../support/upload/archives.ts"
import { apiKey, held, puts, seed, sha256, traffic } from "../support/upload/world.ts"

const runtimes = ["tsx", "bun", "deno"] as const
type Runtime = (typeof runtimes)[number]

interface Place {
  readonly url: string
  readonly archive: string
  readonly journal: string
}

/** What `deno run` has to be allowed, and no more. */
const denoPermissions = ({ archive, journal, url }: Place) => [
  `--allow-net=${new URL(url).host}`,
  `--allow-read=${archive},${journal}`,
  `--allow-write=${journal}`,
  "--allow-env"
]

const command = (runtime: Runtime, place: Place): ReadonlyArray<string> => {
  const bin = `node_modules/.bin/${runtime}`
  return runtime === "deno" ? [bin, "run", "--no-prompt", ...denoPermissions(place)] : [bin]
}

interface Ran {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** Runs the script as a user would, in an environment that holds nothing but what it needs. */
const run = (
  runtime: Runtime,
  place: Place,
  args: ReadonlyArray<string>,
  options: {
    readonly env?: Record<string, string>
    readonly onStart?: (pid: number) => Effect.Effect<void>
    /** Of the runtime, besides those it always gets. */
    readonly flags?: ReadonlyArray<string>
  } = {}
) =>
  Effect.gen(function* () {
    const [program = "", ...before] = command(runtime, place)
    const child = spawn(program, [...before, ...(options.flags ?? []), "examples/upload.ts", ...args], {
      stdio: ["ignore", "pipe", "pipe"],
      env: {
        PATH: dirname(node),
        DENO_DIR: resolve("node_modules/.cache/deno"),
        NO_COLOR: "1",
        ...(options.env ?? {
          EC_API_KEY: apiKey,
          EC_ENDPOINT: place.url,
          EC_UPLOAD_JOURNAL: place.journal,
          EC_UPLOAD_RETRY_BASE_DELAY: "10 millis",
          EC_UPLOAD_RECONCILE_WINDOW: "60 millis"
        })
      }
    })
    const output = { stdout: "", stderr: "" }
    child.stdout.on("data", (bytes: Buffer) => {
      output.stdout += bytes.toString()
    })
    child.stderr.on("data", (bytes: Buffer) => {
      output.stderr += bytes.toString()
    })
    const ended = new Promise<number | null>((resolve) => child.once("close", resolve))
    yield* Effect.addFinalizer(() => Effect.sync(() => child.kill("SIGKILL")))
    if (options.onStart !== undefined) yield* options.onStart(child.pid ?? 0)
    return { code: yield* Effect.promise(() => ended), ...output } satisfies Ran
  })

const Live = LocalElasticCloud.layer().pipe(Layer.provideMerge(NodeContext.layer), Layer.orDie)

/** A stand-in of its own, so that every runtime finds the same. */
const scene = (bytes = 100_000) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const { url } = yield* LocalElasticCloud.LocalElasticCloud
    const content = yield* zipOf(bytes)
    const place: Place = {
      url,
      archive: yield* fileWith(content),
      journal: yield* fs.makeTempDirectoryScoped({ prefix: "journal-" })
    }
    const id = yield* seed({ id: "882519870" })
    return { content, id, place, cloud: yield* LocalElasticCloud.LocalElasticCloud }
  })

/** Standard output, as the one JSON object that it has to be. */
const onlyJson = ({ stdout }: Ran): unknown => {
  expect(stdout.trimEnd().split("\n")).toHaveLength(1)
  return JSON.parse(stdout)
}

const decodeReceipt = (ran: Ran) => Schema.decodeUnknown(UploadReceipt)(onlyJson(ran))

/** The rights that the manual gives to Deno, by their names. */
const documentedRights = [
  ...(
    readFileSync("docs/examples.md", "utf8").match(/^deno run [\s\S]*?examples\/upload\.ts/m)?.[0] ?? ""
  ).matchAll(/--(allow-\w+)/g)
].map(([, name]) => name)

const timeless = (receipt: UploadReceipt) => Struct.omit(receipt, "durationMillis", "lastModified")

describe("examples/upload.ts", () => {
  it.scopedLive("needs no more rights on Deno, over https as well, than the manual gives it", () =>
    Effect.gen(function* () {
      const { place } = yield* scene()
      const away = { ...place, url: "https://127.0.0.1:1" }
      const rights = [...denoPermissions(away), "--allow-sys"]
      expect(rights.map((right) => /allow-\w+/.exec(right)?.[0]).sort()).toEqual(documentedRights.sort())
      const ran = yield* run("deno", away, ["882519870", away.archive], { flags: ["--allow-sys"] })
      expect(ran.code).toBe(1)
      expect(ran.stderr).toContain("ECONNREFUSED")
    }).pipe(Effect.provide(Live))
  )

  it.scopedLive("gives the same receipts on tsx, Bun and Deno", () =>
    Effect.gen(function* () {
      const content = yield* zipOf(100_000)
      const archive = yield* fileWith(content)
      const receiptsOn = (runtime: Runtime) =>
        Effect.gen(function* () {
          const { id, place } = yield* scene()
          const here = { ...place, archive }
          const first = yield* run(runtime, here, [id, archive, "--json"])
          const again = yield* run(runtime, here, [id, archive, "--json"])
          expect([first.code, first.stderr, again.code, again.stderr]).toEqual([0, "", 0, ""])
          expect(yield* traffic).toEqual([
            "GET 200",
            `PUT ${content.length}/${content.length} whole 200`,
            "GET 200",
            "LINK 200",
            "GET 200",
            "LINK 200"
          ])
          expect(yield* held(id)).toMatchObject({ sha256: sha256(content), uploads: 1 })
          return [timeless(yield* decodeReceipt(first)), timeless(yield* decodeReceipt(again))]
        }).pipe(Effect.provide(LocalElasticCloud.layer()))

      const [onTsx, ...others] = yield* Effect.forEach(runtimes, receiptsOn)
      const archiveFields = { name: "words.zip", size: content.length, sha256: sha256(content) }
      const common = { extensionId: "882519870", archive: archiveFields, proof: "hash", bytesResumed: 0 }
      expect(onTsx).toEqual([
        {
          ...common,
          _tag: "Uploaded",
          attempts: 1,
          bytesSent: content.length,
          resourceVersion: { before: "1", after: "2" }
        },
        {
          ...common,
          _tag: "AlreadyCurrent",
          attempts: 0,
          bytesSent: 0,
          resourceVersion: { before: "2", after: "2" }
        }
      ])
      expect(others).toEqual([onTsx, onTsx])
    }).pipe(Effect.provide(Live))
  )

  it.scopedLive("recovers from a lost connection, and shows what happens on standard error", () =>
    Effect.gen(function* () {
      const { cloud, content, id, place } = yield* scene()
      yield* cloud.plan({ method: "PUT", fault: Fault.cut("body") })
      const { code, stderr, stdout } = yield* run("tsx", place, [id, place.archive])
      expect(code).toBe(0)
      expect(stdout).toMatch(/^Uploaded\n/)
      expect(stdout).toContain(sha256(content))
      expect(stdout).toMatch(/attempts +2\n/)
      expect(stdout).toContain("version    1 → 2")
      for (const said of [
        "attempt 1",
        "attempt 2",
        "100 %",
        "asking the server",
        "NotApplied",
        "verified by hash"
      ]) {
        expect(stderr).toContain(said)
      }
      expect(`${stdout}${stderr}`).not.toContain(apiKey)
      expect((yield* puts).map(({ bodyBytes, status }) => [bodyBytes, status])).toEqual([
        [content.length, undefined],
        [content.length, 200]
      ])
    }).pipe(Effect.provide(Live))
  )

  it.scopedLive("lets one of two processes at a time upload to an extension: the other sends nothing", () =>
    Effect.gen(function* () {
      const { cloud, content, id, place } = yield* scene()
      const sending = yield* Effect.makeLatch(false)
      const go = yield* Effect.makeLatch(false)
      yield* cloud.plan({
        method: "PUT",
        fault: Fault.run("body", Effect.zipRight(sending.open, go.await))
      })
      const first = yield* Effect.fork(run("tsx", place, [id, place.archive, "--json"]))
      yield* sending.await
      for (const runtime of ["bun", "deno"] as const) {
        const second = yield* run(runtime, place, [id, place.archive, "--json"])
        expect(second.code).toBe(1)
        expect(onlyJson(second)).toMatchObject({
          _tag: "JournalLocked",
          message: expect.stringMatching(/^Extension "882519870" is in use by process \d+ on /)
        })
      }
      yield* go.open
      expect(yield* decodeReceipt(yield* Fiber.join(first))).toMatchObject({ _tag: "Uploaded" })
      expect(yield* traffic).toEqual([
        "GET 200",
        `PUT ${content.length}/${content.length} whole 200`,
        "GET 200",
        "LINK 200"
      ])
      expect(yield* held(id)).toMatchObject({ sha256: sha256(content), uploads: 1 })
    }).pipe(Effect.provide(Live))
  )

  it.scopedLive.each(runtimes)("fails with one JSON object and exit code 1: %s", (runtime) =>
    Effect.gen(function* () {
      const { place } = yield* scene()
      const ran = yield* run(runtime, place, ["4711", place.archive, "--json"])
      expect(ran.code).toBe(1)
      expect(onlyJson(ran)).toEqual({
        _tag: "ExtensionNotFound",
        message: expect.stringContaining("there is no such extension")
      })
      expect(ran.stderr).toBe("")
      expect(yield* traffic).toEqual(["GET 404"])
    }).pipe(Effect.provide(Live))
  )

  it.scopedLive("fails on standard error, and says nothing on standard output, without --json", () =>
    Effect.gen(function* () {
      const { place } = yield* scene()
      const { code, stderr, stdout } = yield* run("bun", place, ["4711", place.archive])
      expect([code, stdout]).toEqual([1, ""])
      expect(stderr).toMatch(/^ExtensionNotFound: .*there is no such extension/m)
      expect(stderr).not.toMatch(/^\s+at /m)
    }).pipe(Effect.provide(Live))
  )

  it.scopedLive.each(runtimes)("refuses an archive that cannot be used, and asks nobody: %s", (runtime) =>
    Effect.gen(function* () {
      const { content, id, place } = yield* scene()
      const archive = yield* fileWith(content.subarray(0, -1))
      const ran = yield* run(runtime, { ...place, archive }, [id, archive, "--json"])
      expect(ran.code).toBe(1)
      expect(onlyJson(ran)).toEqual({
        _tag: "InvalidArchive",
        message: expect.stringContaining("allow by name: truncated")
      })
      expect(yield* traffic).toEqual([])
    }).pipe(Effect.provide(Live))
  )

  it.scopedLive.each([
    ["a missing archive", ["882519870", "no/such/file.zip"], "ArchiveUnreadable", "does not exist"],
    ["an id that is none", ["a/b", "no/such/file.zip"], "InvalidExtensionId", "cannot be uploaded to"]
  ] as const)("asks nobody about %s", ([, args, tag, message]) =>
    Effect.gen(function* () {
      const { place } = yield* scene()
      const ran = yield* run("bun", place, [...args, "--json"])
      expect(ran.code).toBe(1)
      expect(onlyJson(ran)).toEqual({ _tag: tag, message: expect.stringContaining(message) })
      expect(yield* traffic).toEqual([])
    }).pipe(Effect.provide(Live))
  )

  it.scopedLive.each(["bun", "deno"] as const)("names the missing key: %s", (runtime) =>
    Effect.gen(function* () {
      const { id, place } = yield* scene()
      const env = { EC_ENDPOINT: place.url, EC_UPLOAD_JOURNAL: place.journal }
      const ran = yield* run(runtime, place, [id, place.archive, "--json"], { env })
      expect(ran.code).toBe(1)
      expect(onlyJson(ran)).toEqual({
        _tag: "ConfigError",
        message: expect.stringContaining("EC_API_KEY is not set")
      })
      expect(yield* traffic).toEqual([])
    }).pipe(Effect.provide(Live))
  )

  it.scopedLive.each([
    ["no arguments", []],
    ["one argument", ["882519870"]],
    ["three arguments", ["882519870", "a.zip", "b.zip"]],
    ["an unknown option", ["882519870", "a.zip", "--jsno"]]
  ] as const)("shows how it is used, without asking for a key first: %s", ([, args]) =>
    Effect.gen(function* () {
      const { place } = yield* scene()
      const { code, stderr, stdout } = yield* run("bun", place, args, { env: {} })
      expect([code, stdout]).toEqual([1, ""])
      expect(stderr).toContain("usage: npx tsx examples/upload.ts <extension-id> <archive> [--json]")
    }).pipe(Effect.provide(Live))
  )

  it.scopedLive.each([
    ["tsx", []],
    ["bun", []],
    ["deno", ["--json"]]
  ] as const)("pauses at Ctrl-C, says how to resume, and resumes: %s %j", ([runtime, options]) =>
    Effect.gen(function* () {
      const { cloud, content, id, place } = yield* scene(2_000_000)
      const sending = yield* Effect.makeLatch(false)
      const middle = { afterBodyBytes: 1_000_000 }
      yield* cloud.plan({
        method: "PUT",
        fault: [Fault.run(middle, Effect.asVoid(sending.open)), Fault.hang(middle)]
      })
      const paused = yield* run(runtime, place, [id, place.archive, ...options], {
        onStart: (pid) =>
          Effect.zipRight(
            sending.await,
            Effect.sync(() => process.kill(pid, "SIGINT"))
          )
      })
      expect(paused.code).toBe(1)
      const said = options.length === 0 ? paused.stderr : JSON.stringify(onlyJson(paused))
      expect(said).toContain("Interrupted")
      expect(said).toContain("Run the same command again")
      expect(yield* held(id)).toMatchObject({ uploads: 0 })

      const ran = yield* run(runtime, place, [id, place.archive])
      expect(ran.code).toBe(0)
      expect(ran.stderr).toContain("resuming the upload")
      expect((yield* puts).map(({ bodyBytes, status }) => [bodyBytes, status])).toEqual([
        [1_000_000, undefined],
        [content.length, 200]
      ])
      expect(yield* held(id)).toMatchObject({ sha256: sha256(content), uploads: 1 })
    }).pipe(Effect.provide(Live))
  )
})

describe("Deno", () => {
  it.scopedLive("needs leave to write the journal, and says so where it is missing", () =>
    Effect.gen(function* () {
      const { id, place } = yield* scene()
      const ran = yield* run(
        "deno",
        { ...place, journal: `${place.journal}/elsewhere` },
        [id, place.archive, "--json"],
        {
          env: { EC_API_KEY: apiKey, EC_ENDPOINT: place.url, EC_UPLOAD_JOURNAL: place.journal }
        }
      )
      expect(ran.code).toBe(1)
      expect(onlyJson(ran)).toMatchObject({
        _tag: "JournalUnavailable",
        message: expect.stringContaining("Run Deno with --allow-read and --allow-write for this folder.")
      })
      expect(yield* puts).toEqual([])
    }).pipe(Effect.provide(Live))
  )
})
