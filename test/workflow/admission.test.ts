/** A runner that is given more releases than it may have at work at once. */
import * as FileSystem from "@effect/platform/FileSystem"
import { expect, it } from "@effect/vitest"
import { Deferred, Effect, Layer, Ref } from "effect"
import * as Fault from "../../src/testing/Fault.ts"
import { LocalElasticCloud } from "../../src/testing/LocalElasticCloud.ts"
import * as EngineSqlite from "../../src/workflow/EngineSqlite.ts"
import * as ExtensionRelease from "../../src/workflow/ExtensionRelease.ts"
import * as ReleaseEvents from "../../src/workflow/ReleaseEvents.ts"
import * as ReleaseTarget from "../../src/workflow/ReleaseTarget.ts"
import { newRelease, place, runner, untilStatus } from "../support/workflow/releases.ts"

it.scopedLive(
  "leaves the others in the database, begins them in order as there is room, and passes one that is cancelled",
  () =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const cloud = yield* LocalElasticCloud
      const file = `${yield* fs.makeTempDirectoryScoped({ prefix: "releases-" })}/releases.db`
      const begun: Array<string> = []
      const events = ReleaseEvents.layer((event) =>
        Effect.sync(() => {
          if (event._tag === "StepStarted" && event.step === "inspect") begun.push(event.executionId)
        })
      )
      const [arrived, letGo] = yield* Effect.all([Ref.make(0), Deferred.make<void>()])
      const hold = Effect.zipRight(
        Ref.update(arrived, (n) => n + 1),
        Deferred.await(letGo)
      )
      yield* cloud.plan({ method: "PUT", times: 6, fault: Fault.run("body", hold) })
      const names = ["a", "b", "c", "d", "e", "f"]
      const releases = yield* Effect.forEach(names, (name) =>
        newRelease({
          releaseId: name,
          extension: ReleaseTarget.named({ name, type: "bundle", version: "*" })
        })
      )
      const ids = releases.map(({ executionId }) => executionId)
      yield* Effect.gen(function* () {
        yield* Effect.forEach(releases, ({ payload }) => ExtensionRelease.submit(payload))
        yield* Effect.repeat(Effect.delay(Ref.get(arrived), "20 millis"), { until: (n) => n === 2 })
        const last = ids.at(-1) ?? ""
        yield* ExtensionRelease.cancel(last)
        const status = yield* untilStatus(last, "Done")
        expect(status).toMatchObject({ exit: { cause: { error: { _tag: "ReleaseCancelled" } } } })
        expect(begun).toEqual([...ids.slice(0, 2), last])
        yield* Deferred.succeed(letGo, undefined)
        yield* Effect.forEach(ids, (id) => untilStatus(id, "Done"))
        expect(begun.filter((id) => id !== last)).toEqual(ids.slice(0, -1))
        expect((yield* cloud.extensions).map(({ uploads }) => uploads)).toEqual([1, 1, 1, 1, 1])
      }).pipe(
        Effect.provide(
          runner(events).pipe(
            Layer.provideMerge(EngineSqlite.layer(file, { pollInterval: "100 millis", releasesAtOnce: 2 }))
          )
        )
      )
    }).pipe(Effect.provide(place()))
)
