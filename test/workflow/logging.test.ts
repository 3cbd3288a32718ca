/** What a runner writes into its log about its releases, for whoever has to find out in the night what went on. */
import { expect, it } from "@effect/vitest"
import { Deferred, Effect } from "effect"
import * as Fault from "../../src/testing/Fault.ts"
import { LocalElasticCloud } from "../../src/testing/LocalElasticCloud.ts"
import { logs } from "../support/workflow/logs.ts"
import { begin, inMemory, newRelease, untilStatus } from "../support/workflow/releases.ts"

it.scopedLive(
  "a runner tells of each start, failure, wait and end, with the release and its extension",
  () => {
    const { layer, lines } = logs()
    return Effect.gen(function* () {
      const cloud = yield* LocalElasticCloud
      const refused = yield* Deferred.make<void>()
      yield* cloud.plan({
        method: "PUT",
        fault: [Fault.run("body", Deferred.await(refused)), Fault.answer({ status: 503 })]
      })
      const older = yield* newRelease({ releaseId: "older" })
      const newer = yield* newRelease({ releaseId: "newer" })
      const first = yield* begin(older.payload)
      const second = yield* begin(newer.payload)
      yield* untilStatus(newer.executionId, "Waiting")
      yield* Deferred.succeed(refused, undefined)
      yield* Effect.all([first, second])

      const told = (of: typeof older) =>
        lines.flatMap(({ annotations, level, text }) =>
          level !== "DEBUG" && annotations["elastic.release.execution"] === of.executionId
            ? [
                {
                  level,
                  text,
                  id: annotations["elastic.release.id"],
                  of: annotations["elastic.release.extension"]
                }
              ]
            : []
        )
      const line = (id: string, level: string, text: RegExp) => ({
        level,
        id,
        of: "bundle words",
        text: expect.stringMatching(text)
      })
      const begun = /^The release is at work here\.$/
      const done = [/^The upload is done, proved by hash\.$/, /^The release is done, proved by hash\.$/]
      expect(told(older)).toEqual([
        line("older", "INFO", begun),
        line("older", "WARN", /^The upload failed: .*status 503/),
        line("older", "WARN", /^Step transfer failed, attempt 1: .*status 503/),
        line("older", "INFO", /^Waits 20ms, then tries step transfer again\.$/),
        line("older", "INFO", begun),
        ...done.map((text) => line("older", "INFO", text))
      ])
      expect(told(newer)).toEqual([
        line("newer", "INFO", begun),
        line(
          "newer",
          "INFO",
          new RegExp(`^Waits for its turn: release ${older.executionId} of the same extension is ahead\\.$`)
        ),
        line("newer", "INFO", begun),
        ...done.map((text) => line("newer", "INFO", text))
      ])
    }).pipe(Effect.provide(inMemory()), Effect.provide(layer))
  }
)
