/** Half a minute of everything at once: `npm run chaos` takes longer. `CHAOS_SEED` repeats one. */
import * as NodeContext from "@effect/platform-node/NodeContext"
import { describe, expect, it } from "@effect/vitest"
import { Duration, Effect, Layer } from "effect"
import * as LocalElasticCloud from "../../src/testing/LocalElasticCloud.ts"
import { chaos, layerPrograms } from "../support/workflow/chaos.ts"
import { canOwnPostgres } from "../support/workflow/postgres.ts"

const seed = process.env["CHAOS_SEED"] ?? String(Date.now())

describe.skipIf(!(await Effect.runPromise(canOwnPostgres)))("three runners in a storm", () => {
  it.scopedLive(
    "release everything once, in order, with its content, announced under one key, and nothing is stuck",
    () =>
      Effect.gen(function* () {
        const report = yield* chaos({ seed, storm: Duration.seconds(25), runners: 3, quick: true })
        expect(report.violations, `CHAOS_SEED=${seed}`).toEqual([])
        expect(report.counts.get("ended as Released")).toBeGreaterThan(0)
      }).pipe(
        Effect.provide(
          Layer.merge(
            LocalElasticCloud.layer({ resumable: { progressEveryBytes: 64 * 1024 } }),
            layerPrograms
          ).pipe(Layer.provideMerge(NodeContext.layer))
        )
      ),
    { timeout: 300_000 }
  )
})
