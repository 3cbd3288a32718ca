/** Servers that repeat every secret in every notation: nothing that the command or the library tells holds one. */
import * as NodeContext from "@effect/platform-node/NodeContext"
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { expectNoLeak, leaksIn, notations } from "../support/faults/secrets.ts"

describe("secrets", () => {
  it.each(Object.entries(notations))("would be found as %s", (_, text) => {
    expect(leaksIn(`before ${text} after`)).not.toEqual([])
  })

  it.scopedLive("are in nothing that a process tells", () =>
    expectNoLeak("node").pipe(Effect.provide(NodeContext.layer))
  )
})
