/** What `upload`, `publish` and `inspect` end with, and what the stand-in received by then. */
import * as NodeContext from "@effect/platform-node/NodeContext"
import { describe, expect, it } from "@effect/vitest"
import { Effect, Layer, Schedule } from "effect"
import * as Fault from "../../src/testing/Fault.ts"
import * as LocalElasticCloud from "../../src/testing/LocalElasticCloud.ts"
import { type Environment, objects, run, spawned } from "../support/cli/program.ts"
import { fileWith, zipOf } from "../support/upload/archives.ts"
import { puts, seed, sha256 } from "../support/upload/world.ts"

const World = LocalElasticCloud.layer().pipe(Layer.provideMerge(NodeContext.layer), Layer.orDie)

/** A stand-in's address, and a journal of its own. */
const environment = (changes: Environment = {}) =>
  Effect.gen(function* () {
    const { url } = yield* LocalElasticCloud.LocalElasticCloud
    return {
      EC_API_KEY: "local-key",
      EC_ENDPOINT: url,
      EC_UPLOAD_JOURNAL: `${yield* fileWith(new Uint8Array(1))}.journal`,
      EC_UPLOAD_RETRY_BASE_DELAY: "5 millis",
      ...changes
    }
  })

const cli = (args: ReadonlyArray<string>, changes: Environment = {}) =>
  Effect.flatMap(environment(changes), (env) => run(args, { env }))

const received = Effect.map(puts, (requests) => requests.length)

describe("upload", () => {
  it.scopedLive("0: the extension holds the archive; again, nothing is sent", () =>
    Effect.gen(function* () {
      const content = yield* zipOf(5000)
      const path = yield* fileWith(content)
      const id = yield* seed()
      const first = yield* cli(["upload", id, path, "--json"])
      expect(first).toMatchObject({ code: 0, err: "" })
      const last = objects(first).at(-1)
      expect(last).toMatchObject({ extensionId: id, proof: "hash", archive: { sha256: sha256(content) } })
      expect(yield* cli(["upload", id, path])).toMatchObject({ code: 0 })
      expect(yield* received).toBe(1)
    }).pipe(Effect.provide(World))
  )

  it.scopedLive("0: a dry run sends nothing", () =>
    Effect.gen(function* () {
      const path = yield* fileWith(yield* zipOf(5000))
      const id = yield* seed()
      expect(yield* cli(["upload", id, path, "--dry-run"])).toMatchObject({ code: 0 })
      expect(yield* received).toBe(0)
    }).pipe(Effect.provide(World))
  )

  it.scopedLive("3: the key was not accepted", () =>
    Effect.gen(function* () {
      const path = yield* fileWith(yield* zipOf(5000))
      const ran = yield* cli(["upload", yield* seed(), path], { EC_API_KEY: "wrong-key" })
      expect(ran).toMatchObject({ code: 3 })
      expect(ran.out + ran.err).not.toContain("wrong-key")
      expect(yield* received).toBe(0)
    }).pipe(Effect.provide(World))
  )

  it.scopedLive("4: there is no such extension", () =>
    Effect.gen(function* () {
      const path = yield* fileWith(yield* zipOf(5000))
      const ran = yield* cli(["upload", "4040404040", path, "--json"])
      expect(ran).toMatchObject({ code: 4 })
      expect(objects(ran).at(-1)).toMatchObject({ _tag: "ExtensionNotFound" })
    }).pipe(Effect.provide(World))
  )

  it.scopedLive("5: the archive is missing, or not fit; nobody was asked", () =>
    Effect.gen(function* () {
      const cloud = yield* LocalElasticCloud.LocalElasticCloud
      const id = yield* seed()
      const broken = yield* fileWith(new TextEncoder().encode("no archive at all"))
      expect(yield* cli(["upload", id, broken])).toMatchObject({ code: 5 })
      expect(yield* cli(["upload", id, `${broken}.missing`])).toMatchObject({ code: 5 })
      expect(yield* cloud.requests).toEqual([])
    }).pipe(Effect.provide(World))
  )

  it.scopedLive("6: deployments use the extension, and it was to be protected", () =>
    Effect.gen(function* () {
      const path = yield* fileWith(yield* zipOf(5000))
      const id = yield* seed({ deployments: ["11112222333344445555666677778888"] })
      const ran = yield* cli(["upload", id, path, "--protect-in-use"])
      expect(ran).toMatchObject({ code: 6 })
      expect(ran.out + ran.err).toContain("11112222333344445555666677778888")
      expect(yield* received).toBe(0)
    }).pipe(Effect.provide(World))
  )

  it.scopedLive("64: no key, or an option that does not exist", () =>
    Effect.gen(function* () {
      const path = yield* fileWith(yield* zipOf(5000))
      const keyless = yield* run(["upload", "1234567890", path])
      expect(keyless).toMatchObject({ code: 64 })
      expect(keyless.err).toContain("EC_API_KEY")
      expect(yield* cli(["upload", "1234567890", path, "--resumeable", "auto"])).toMatchObject({ code: 64 })
      expect(yield* received).toBe(0)
    }).pipe(Effect.provide(World))
  )

  it.scopedLive("2: interrupted in the middle; the command that goes on is printed, and does", () =>
    Effect.gen(function* () {
      const cloud = yield* LocalElasticCloud.LocalElasticCloud
      const content = yield* zipOf(16 * 1024 * 1024)
      const path = yield* fileWith(content)
      const id = yield* seed()
      yield* cloud.plan({ method: "PUT", fault: Fault.readSlowly(8 * 1024 * 1024) })
      const env = yield* environment()
      const started = Effect.repeat(cloud.requests, {
        until: (requests) => requests.some(({ bodyBytes, method }) => method === "PUT" && bodyBytes > 0),
        schedule: Schedule.spaced("20 millis")
      })
      const ran = yield* spawned(["upload", id, path], {
        env,
        meanwhile: ({ signal }) =>
          Effect.andThen(
            started,
            Effect.sync(() => signal("SIGINT"))
          )
      })
      expect(ran).toMatchObject({ code: 2 })
      expect(ran.err + ran.out).toContain(`resume ${id}`)
      yield* cloud.settled
      expect(yield* run(["resume", id], { env })).toMatchObject({ code: 0 })
      const bodies = (yield* puts).filter(({ complete }) => complete)
      expect(bodies.map(({ bodySha256 }) => bodySha256)).toEqual([sha256(content)])
    }).pipe(Effect.provide(World))
  )
})

describe("publish", () => {
  it.scopedLive("0: creates the extension once, however often it runs", () =>
    Effect.gen(function* () {
      const cloud = yield* LocalElasticCloud.LocalElasticCloud
      const path = yield* fileWith(yield* zipOf(5000))
      const env = yield* environment()
      const publish = run(["publish", path, "--name", "words", "--type", "bundle", "--version", "*"], { env })
      expect(yield* publish).toMatchObject({ code: 0 })
      expect(yield* publish).toMatchObject({ code: 0 })
      expect(yield* cloud.extensions).toHaveLength(1)
      expect(yield* received).toBe(1)
    }).pipe(Effect.provide(World))
  )

  it.scopedLive("6: several extensions have this name", () =>
    Effect.gen(function* () {
      const path = yield* fileWith(yield* zipOf(5000))
      const ids = [yield* seed({ name: "twice" }), yield* seed({ name: "twice" })]
      const ran = yield* cli(["publish", path, "--name", "twice", "--type", "bundle", "--version", "*"])
      expect(ran).toMatchObject({ code: 6 })
      for (const id of ids) expect(ran.out + ran.err).toContain(id)
      expect(yield* received).toBe(0)
    }).pipe(Effect.provide(World))
  )
})

describe("inspect", () => {
  it.scopedLive("0: fit; 5: not fit, and why", () =>
    Effect.gen(function* () {
      expect(yield* run(["inspect", yield* fileWith(yield* zipOf(5000))])).toMatchObject({ code: 0, err: "" })
      const broken = yield* run(["inspect", yield* fileWith(new TextEncoder().encode("none"))])
      expect(broken).toMatchObject({ code: 5 })
      expect(broken.out + broken.err).toContain("not-a-zip")
    }).pipe(Effect.provide(NodeContext.layer))
  )
})
