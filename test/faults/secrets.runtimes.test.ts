/** The same as `secrets.test.ts`, on the other runtimes: each has its own words for what went wrong. */
import * as NodeContext from "@effect/platform-node/NodeContext"
import { describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { expectNoLeak } from "../support/faults/secrets.ts"

describe("secrets", () => {
  it.scopedLive.each(["bun", "deno"] as const)("are in nothing that a process on %s tells", (runtime) =>
    expectNoLeak(runtime).pipe(Effect.provide(NodeContext.layer))
  )
})
