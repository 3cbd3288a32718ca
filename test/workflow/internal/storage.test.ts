import * as MessageStorage from "@effect/cluster/MessageStorage"
import * as Snowflake from "@effect/cluster/Snowflake"
import { describe, expect, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { layerLasting } from "../../../src/workflow/internal/storage.ts"

const request = Snowflake.Snowflake("1")

/** What is asked of a store that holds this result of a run, when the run is woken. */
const askedOf = Effect.fnUntraced(function* (value: unknown) {
  const asked: Array<string> = []
  // As it comes from a database.
  const stored = JSON.stringify([
    { _tag: "WithExit", id: "2", requestId: "1", exit: { _tag: "Success", value } }
  ])
  const inner = Layer.succeed(MessageStorage.MessageStorage, {
    ...MessageStorage.noop,
    repliesForUnfiltered: () => Effect.sync(() => JSON.parse(stored)),
    clearReplies: (id) => Effect.sync(() => asked.push(`clear ${id}`))
  })
  yield* Effect.flatMap(MessageStorage.MessageStorage, ({ clearReplies }) => clearReplies(request)).pipe(
    Effect.provide(layerLasting(inner, { exclusively: Effect.succeed(() => (effect) => effect) }))
  )
  return asked
})

describe("waking a run", () => {
  it.effect("that waits forgets that it does", () =>
    Effect.map(askedOf({ _tag: "Suspended" }), (asked) => expect(asked).toEqual(["clear 1"]))
  )

  it.effect("that has come to its end meanwhile leaves the end where it is", () =>
    Effect.map(askedOf({ _tag: "Complete", exit: { _tag: "Success", value: null } }), (asked) =>
      expect(asked).toEqual([])
    )
  )
})
