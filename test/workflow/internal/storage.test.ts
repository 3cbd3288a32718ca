import { EntityAddress } from "@effect/cluster/EntityAddress"
import * as EntityId from "@effect/cluster/EntityId"
import { EntityType } from "@effect/cluster/EntityType"
import * as Envelope from "@effect/cluster/Envelope"
import * as Message from "@effect/cluster/Message"
import * as MessageStorage from "@effect/cluster/MessageStorage"
import * as Reply from "@effect/cluster/Reply"
import * as ShardId from "@effect/cluster/ShardId"
import * as Sharding from "@effect/cluster/Sharding"
import * as Snowflake from "@effect/cluster/Snowflake"
import * as Headers from "@effect/platform/Headers"
import type * as Rpc from "@effect/rpc/Rpc"
import { describe, expect, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Layer, Option, type Schema } from "effect"
import { layerLasting, layerLateSharding } from "../../../src/workflow/internal/storage.ts"

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

const shard = ShardId.make("default", 1)

const run = new Message.IncomingRequest({
  envelope: Envelope.makeRequest<Rpc.Rpc<"run", typeof Schema.Void>>({
    requestId: request,
    address: new EntityAddress({
      entityType: EntityType.make("Workflow/release"),
      entityId: EntityId.make("one"),
      shardId: shard
    }),
    tag: "run",
    payload: undefined,
    headers: Headers.empty
  }),
  lastSentReply: Option.none(),
  respond: () => Effect.void
})

const answer = Reply.ReplyWithContext.fromDefect({
  id: Snowflake.Snowflake("2"),
  requestId: request,
  defect: "whatever"
})

describe("a run that is woken right after it was answered", () => {
  it.effect(
    "is kept from the reading in which the cluster would pass over it, and handed out soon after",
    () =>
      Effect.gen(function* () {
        const isReading = yield* Deferred.make<void>()
        const isWoken = yield* Deferred.make<void>()
        const wokenMeanwhile = Deferred.succeed(isReading, undefined).pipe(
          Effect.zipRight(Deferred.await(isWoken)),
          Effect.as([run])
        )
        const readings = [Effect.succeed([run]), wokenMeanwhile].values()
        let asks = 0
        const inner = Layer.succeed(MessageStorage.MessageStorage, {
          ...MessageStorage.noop,
          unprocessedMessages: () => Effect.suspend(() => readings.next().value ?? Effect.succeed([])),
          unprocessedMessagesById: (ids) => Effect.succeed(Array.from(ids).includes(request) ? [run] : [])
        })
        const sharding = Layer.mock(Sharding.Sharding, {
          getShardId: () => shard,
          hasShardId: () => true,
          pollStorage: Effect.sync(() => {
            asks += 1
          })
        })
        yield* Effect.gen(function* () {
          const { unprocessedMessages } = yield* MessageStorage.MessageStorage
          const reading = Effect.map(unprocessedMessages([shard]), (messages) =>
            messages.flatMap((message) => (message._tag === "IncomingRequest" ? [message] : []))
          )
          const [handedOut] = yield* reading
          expect(handedOut?.envelope.requestId).toBe(request)
          const second = yield* Effect.fork(reading)
          yield* Deferred.await(isReading)
          yield* handedOut?.respond(answer) ?? Effect.void
          yield* Deferred.succeed(isWoken, undefined)
          expect(yield* Fiber.join(second)).toEqual([])

          let readAgain = 0
          const found = yield* Effect.repeat(
            Effect.suspend(() => {
              // Each time the cluster was asked to read, and does not wait for its next turn.
              readAgain += 1
              expect(asks).toBe(readAgain)
              return reading
            }),
            { until: (messages) => messages.length > 0 }
          )
          expect(found.map(({ envelope }) => envelope.requestId)).toEqual([request])
          expect(yield* reading).toEqual([])
          expect(asks).toBe(readAgain)
        }).pipe(
          Effect.provide(
            layerLateSharding.pipe(
              Layer.provide(sharding),
              Layer.provideMerge(
                layerLasting(inner, { exclusively: Effect.succeed(() => (effect) => effect) })
              )
            )
          )
        )
      })
  )
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
