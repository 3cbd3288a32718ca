/** The runner and the commands of its releases, as processes of their own that share a file or a PostgreSQL. */
import { existsSync, mkdtempSync, readFileSync, statSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import * as NodeContext from "@effect/platform-node/NodeContext"
import { describe, expect, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Layer } from "effect"
import { answerTo } from "../../../src/cli/internal/answer.ts"
import { releasePolicies, releaseStates } from "../../../src/cli/internal/definitions.ts"
import * as Fault from "../../../src/testing/Fault.ts"
import * as LocalElasticCloud from "../../../src/testing/LocalElasticCloud.ts"
import { ReleasePolicy } from "../../../src/workflow/ReleasePayload.ts"
import { ReleaseState } from "../../../src/workflow/ReleaseRecord.ts"
import { type Environment, objects, type RunningCommand, spawned } from "../../support/cli/program.ts"
import { fileWith, zipOf } from "../../support/upload/archives.ts"
import { detour } from "../../support/workflow/gateway.ts"
import { canPostgres, freePort, postgres } from "../../support/workflow/postgres.ts"

const World = LocalElasticCloud.layer().pipe(Layer.provideMerge(NodeContext.layer), Layer.orDie)

const until = (isSo: () => boolean) =>
  Effect.repeat(Effect.delay(Effect.sync(isSo), "50 millis"), { until: (so) => so })

const makePlace = Effect.gen(function* () {
  const cloud = yield* LocalElasticCloud.LocalElasticCloud
  const state = yield* Effect.acquireRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "runner-"))),
    () => Effect.void
  )
  const env: Environment = {
    EC_API_KEY: "local-key",
    EC_ENDPOINT: cloud.url,
    EC_UPLOAD_RECONCILE_WINDOW: "50 millis",
    XDG_STATE_HOME: state
  }
  return { cloud, env, file: join(state, "effect-elastic-extensions/releases.db") }
})

/** Returns when the runner is at work. */
const startRunner = (env: Environment, ...args: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const running = yield* Deferred.make<RunningCommand>()
    const fiber = yield* Effect.forkScoped(
      spawned(["runner", ...args], {
        env,
        meanwhile: (child) => Effect.asVoid(Deferred.succeed(running, child))
      })
    )
    const child = yield* Deferred.await(running)
    yield* Effect.raceFirst(
      until(() => child.out().includes("The runner is at work")),
      Effect.flatMap(Fiber.join(fiber), (ran) => Effect.dieMessage(JSON.stringify(ran)))
    )
    return { ...child, ended: Fiber.join(fiber) }
  })

const hasPostgres = await Effect.runPromise(canPostgres)

const bundle = ["--name", "words", "--type", "bundle", "--version", "*"]

it("help lists the states and policies there are", () => {
  expect(releaseStates).toEqual(ReleaseState.literals)
  expect(releasePolicies).toEqual(ReleasePolicy.literals)
})

it("the commands of docs/workflow.md are ones that there are", () => {
  const page = readFileSync(fileURLToPath(new URL("../../../docs/workflow.md", import.meta.url)), "utf8")
  const lines = page.match(/^elastic-extensions .*$/gm) ?? []
  expect(lines.length).toBeGreaterThan(5)
  for (const line of lines) {
    const words = (line.match(/'[^']*'|\S+/g) ?? []).slice(1).map((word) => word.replaceAll("'", ""))
    expect(answerTo(words)._tag).toBe("Run")
  }
})

describe("on a file", () => {
  it.scopedLive(
    "a release is submitted, held, approved and done, and the runner stops when it is told to",
    () =>
      Effect.gen(function* () {
        const { cloud, env, file } = yield* makePlace
        const archive = yield* fileWith(yield* zipOf(5000), "words-2.1.0.zip")
        const releases = (...args: ReadonlyArray<string>) => spawned(["releases", ...args, "--json"], { env })

        // Nobody is there yet: it waits for a runner.
        const submitted = yield* releases("submit", archive, ...bundle, "--hold")
        expect(submitted).toMatchObject({ code: 0, err: "" })
        expect(objects(submitted)).toMatchObject([{ _tag: "ReleaseSubmitted", releaseId: "words-2.1.0" }])

        const runner = yield* startRunner(env)
        expect(statSync(`${file}-runner`).mode & 0o077).toBe(0)
        const watching = yield* Effect.fork(releases("watch", "words-2.1.0"))
        yield* Effect.repeat(releases("list", "--state", "held"), {
          until: (ran) => ran.out.includes("words-2.1.0")
        })
        const approved = yield* releases("approve", "words-2.1.0", "--by", "ada", "--note", "fine")
        expect(objects(approved)).toMatchObject([{ isFirst: true, inForce: { by: "ada", note: "fine" } }])
        const watched = yield* Fiber.join(watching)
        expect(watched.code).toBe(0)
        expect(objects(watched).at(-1)).toMatchObject({
          _tag: "Release",
          summary: { state: "done", decision: { by: "ada" } },
          receipt: { proof: "hash" }
        })
        expect(yield* releases("approve", "words-2.1.0")).toMatchObject({ code: 6 })
        expect(yield* releases("show", "nothing")).toMatchObject({ code: 4 })
        expect(yield* cloud.extensions).toMatchObject([{ name: "words", uploads: 1 }])

        runner.signal("SIGTERM")
        const ended = yield* runner.ended
        expect(ended.code).toBe(0)
        expect(ended.out).toContain("Nothing was cut off.")
        expect(existsSync(`${file}-runner`)).toBe(false)
        expect(yield* releases("show", "words-2.1.0")).toMatchObject({ code: 0 })
      }).pipe(Effect.provide(World))
  )

  it.scopedLive(
    "releases are submitted attempt by attempt, and listed page by page, by whoever has no runner",
    () =>
      Effect.gen(function* () {
        const { env } = yield* makePlace
        const archive = yield* fileWith(yield* zipOf(1000), "words.zip")
        const releases = (...args: ReadonlyArray<string>) => spawned(["releases", ...args, "--json"], { env })
        const submit = (...args: ReadonlyArray<string>) => releases("submit", archive, ...bundle, ...args)
        expect(yield* submit("--allow", "nonsense")).toMatchObject({ code: 64 })
        expect(yield* submit("--attempt", "0")).toMatchObject({ code: 64 })
        yield* submit("--allow", "hidden-entry")
        yield* submit("--attempt", "2")
        const [first] = objects(yield* releases("list", "--limit", "1"))
        expect(first).toMatchObject({
          releases: [{ releaseId: "words", attempt: 2 }],
          next: expect.any(String)
        })
        const [second] = objects(yield* releases("list", "--limit", "1", "--after", String(first?.["next"])))
        expect(second).toMatchObject({ releases: [{ releaseId: "words", attempt: 1 }], next: null })
        const listed = yield* spawned(["releases", "list", "--limit", "1"], { env })
        expect(listed.out).toContain(`list again with --after ${first?.["next"]}`)
        expect(yield* releases("list", "--after", "nowhere")).toMatchObject({ code: 64 })
      }).pipe(Effect.provide(World))
  )

  it.scopedLive("a transfer that is under way ends before the runner does, and no further step begins", () =>
    Effect.gen(function* () {
      const { cloud, env } = yield* makePlace
      const archive = yield* fileWith(yield* zipOf(100_000), "slow.zip")
      const reached = yield* Deferred.make<void>()
      yield* cloud.plan({
        method: "PUT",
        fault: [
          Fault.run({ afterBodyBytes: 1000 }, Effect.asVoid(Deferred.succeed(reached, undefined))),
          Fault.readSlowly(50_000)
        ]
      })
      const runner = yield* startRunner(env)
      yield* spawned(["releases", "submit", archive, ...bundle], { env })
      yield* Deferred.await(reached)
      runner.signal("SIGTERM")
      expect(yield* runner.ended).toMatchObject({ code: 0 })
      const shown = objects(yield* spawned(["releases", "show", "slow", "--json"], { env }))
      expect(shown).toMatchObject([
        {
          steps: [{ state: "done" }, {}, {}, { step: "transfer", state: "done" }, { state: "interrupted" }]
        }
      ])
      expect(yield* cloud.extensions).toMatchObject([{ uploads: 1 }])
    }).pipe(Effect.provide(World))
  )
})

describe("a database that cannot be used", () => {
  it.scopedLive("is an error at the start, without its password", () =>
    Effect.gen(function* () {
      const { env } = yield* makePlace
      const port = yield* freePort
      const DATABASE_URL = `postgres://ada:hunter2@127.0.0.1:${port}/releases`
      const there = { ...env, DATABASE_URL, EC_RUNNER_ADDRESS: `127.0.0.1:${yield* freePort}` }
      for (const args of [["runner"], ["releases", "list"]]) {
        const ran = yield* spawned(args, { env: there })
        expect(ran.code).toBe(1)
        expect(ran.err).toContain("EngineUnavailable")
        expect(ran.out + ran.err).not.toContain("hunter2")
      }
      expect(yield* spawned(["runner"], { env: { ...env, DATABASE_URL } })).toMatchObject({ code: 64 })
    }).pipe(Effect.provide(World))
  )

  it.scopedLive.runIf(hasPostgres)("any more does not keep a runner from stopping in time", () =>
    Effect.gen(function* () {
      const { env } = yield* makePlace
      const { url } = yield* postgres
      const lines = yield* detour(url)
      const runner = yield* startRunner(
        { ...env, DATABASE_URL: lines.url },
        "--address",
        `127.0.0.1:${yield* freePort}`,
        "--listen",
        "127.0.0.1:0"
      )
      const [at = ""] = /http:\S+/.exec(runner.out()) ?? []
      const probe = (path: string) =>
        Effect.promise(async () => {
          const answer = await fetch(`${at}${path}`)
          return { status: answer.status, text: await answer.text() }
        })
      expect(yield* probe("/readyz")).toMatchObject({ status: 200 })
      expect((yield* probe("/metrics")).text).toContain("elastic_extensions_release")
      yield* lines.partition
      expect(yield* probe("/healthz")).toMatchObject({ status: 200 })
      expect(yield* probe("/readyz")).toMatchObject({ status: 503 })
      const before = performance.now()
      runner.signal("SIGTERM")
      expect(yield* runner.ended).toMatchObject({ code: 0 })
      expect(performance.now() - before).toBeLessThan(40_000)
    }).pipe(Effect.provide(World))
  )
})
