/** Every exit code as the shell sees it: over real processes, with a stand-in that does what it takes. */
import * as NodeContext from "@effect/platform-node/NodeContext"
import { describe, expect, it } from "@effect/vitest"
import { Deferred, Effect, Layer } from "effect"
import * as Fault from "../../src/testing/Fault.ts"
import * as LocalElasticCloud from "../../src/testing/LocalElasticCloud.ts"
import { objects, type Ran, type RunningCommand, spawned } from "../support/cli/program.ts"
import { fileWith, zipOf } from "../support/upload/archives.ts"
import { seed } from "../support/upload/world.ts"

const World = LocalElasticCloud.layer().pipe(Layer.provideMerge(NodeContext.layer), Layer.orDie)

/** Signals once a request has come to the moment at which the stand-in falls silent. */
const silentAt = (method: string, id: string, moment: Fault.Moment, by: NodeJS.Signals = "SIGINT") =>
  Effect.gen(function* () {
    const cloud = yield* LocalElasticCloud.LocalElasticCloud
    const reached = yield* Deferred.make<void>()
    const tell = Fault.run(moment, Effect.asVoid(Deferred.succeed(reached, undefined)))
    yield* cloud.plan({ method, path: id, fault: [tell, Fault.hang(moment)] })
    return ({ signal }: RunningCommand) =>
      Effect.zipRight(
        Deferred.await(reached),
        Effect.sync(() => signal(by))
      )
  })

const setup = Effect.gen(function* () {
  const cloud = yield* LocalElasticCloud.LocalElasticCloud
  const archive = yield* fileWith(yield* zipOf(200_000))
  const env = {
    EC_API_KEY: "local-key",
    EC_ENDPOINT: cloud.url,
    EC_UPLOAD_JOURNAL: `${archive}.journal`,
    EC_UPLOAD_RETRIES: "0",
    EC_UPLOAD_RECONCILE_WINDOW: "50 millis"
  }
  const upload = (
    id: string,
    changes: Readonly<Record<string, string>> = {},
    meanwhile: (child: RunningCommand) => Effect.Effect<void> = () => Effect.void
  ) => spawned(["upload", id, archive, "--json"], { env: { ...env, ...changes }, meanwhile })
  return { cloud, env, upload, archive }
})

const ending = (ran: Ran) => {
  const last = objects(ran).at(-1)
  return { code: ran.code, err: ran.err, tag: last?.["_tag"], exitCode: last?.["exitCode"] }
}

const expected = (code: number, tag: string) => ({ code, err: "", tag, exitCode: code })

describe("a process exits with", () => {
  it.scopedLive("0, 1, 3, 4, 5, 6, 7 and 64, and says the same last on standard output", () =>
    Effect.gen(function* () {
      const { cloud, env, upload } = yield* setup
      const [fine, used, lost] = [yield* seed(), yield* seed({ deployments: ["d1"] }), yield* seed()]
      yield* cloud.plan({ method: "PUT", path: lost, fault: Fault.cut("body") })
      yield* cloud.plan({ method: "GET", path: lost, fault: Fault.delay(0) })
      yield* cloud.plan({ method: "GET", path: lost, times: 100, fault: Fault.answer({ status: 503 }) })
      const broken = yield* fileWith(new TextEncoder().encode("no archive"))
      const endings = yield* Effect.forEach(
        [
          upload(fine),
          upload(fine, { EC_ENDPOINT: "http://127.0.0.1:1", EC_UPLOAD_JOURNAL: `${broken}.journal` }),
          upload(used, { EC_API_KEY: "another-key" }),
          upload("4040404040"),
          spawned(["upload", fine, broken, "--json"], { env }),
          upload(used, { EC_UPLOAD_PROTECT_IN_USE: "true" }),
          upload(lost),
          upload(fine, { EC_API_KEY: "" })
        ],
        Effect.map(ending),
        { concurrency: 2 }
      )
      expect(endings).toEqual([
        { code: 0, err: "", tag: "Uploaded", exitCode: undefined },
        expected(1, "ConnectionFailed"),
        expected(3, "AuthenticationFailed"),
        expected(4, "ExtensionNotFound"),
        expected(5, "InvalidArchive"),
        expected(6, "ExtensionProtected"),
        expected(7, "OutcomeUnknown"),
        expected(64, "InvalidConfiguration")
      ])
    }).pipe(Effect.provide(World))
  )

  it.scopedLive(
    "130 when a signal comes before anything was sent, and 2 with the command that goes on after that",
    () =>
      Effect.gen(function* () {
        const { upload } = yield* setup
        const [early, late, later] = [yield* seed(), yield* seed(), yield* seed()]
        const before = yield* silentAt("GET", early, "arrival")
        const after = yield* silentAt("PUT", late, { afterBodyBytes: 10_000 })
        // What a CI system sends to a job that it ends.
        const terminated = yield* silentAt("PUT", later, { afterBodyBytes: 10_000 }, "SIGTERM")
        const [unsent, paused, stopped] = yield* Effect.all(
          [upload(early, {}, before), upload(late, {}, after), upload(later, {}, terminated)],
          { concurrency: 2 }
        )
        expect(ending(stopped)).toEqual(expected(2, "UploadPaused"))
        expect(objects(stopped).at(-1)).toMatchObject({ resume: `elastic-extensions resume ${later}` })
        expect(ending(unsent)).toEqual(expected(130, "Interrupted"))
        expect(ending(paused)).toEqual(expected(2, "UploadPaused"))
        expect(objects(paused).at(-1)).toMatchObject({ resume: `elastic-extensions resume ${late}` })
        expect(objects(paused).at(-1)).toMatchObject({
          canResume: false,
          remedy: expect.stringContaining("sends it again from its start")
        })
        expect(objects(unsent).at(-1)).not.toHaveProperty("resume")
      }).pipe(Effect.provide(World))
  )

  it.scopedLive("2 when the line fails for good after something was sent", () =>
    Effect.gen(function* () {
      const { cloud, upload } = yield* setup
      const id = yield* seed()
      yield* cloud.plan({ method: "PUT", path: id, fault: Fault.cut({ afterBodyBytes: 10_000 }) })
      const ran = yield* upload(id)
      expect(ending(ran)).toEqual(expected(2, "ConnectionFailed"))
      expect(objects(ran).at(-1)).toMatchObject({ resume: `elastic-extensions resume ${id}` })
    }).pipe(Effect.provide(World))
  )
})
