/** What the message store of a cluster knows about a release: every question and signal is a message, kept under its name. */
import * as ClusterSchema from "@effect/cluster/ClusterSchema"
import { EntityAddress } from "@effect/cluster/EntityAddress"
import * as EntityId from "@effect/cluster/EntityId"
import { EntityType } from "@effect/cluster/EntityType"
import * as MessageStorage from "@effect/cluster/MessageStorage"
import * as Sharding from "@effect/cluster/Sharding"
import type * as Workflow from "@effect/workflow/Workflow"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { EngineInsight } from "./engine.ts"

/** As `Workflow.executionId` makes them. Others may not even be fit for an address. */
const executionIds = /^[0-9a-f]{32}$/

const make = Effect.gen(function* () {
  const storage = yield* MessageStorage.MessageStorage
  const sharding = yield* Sharding.Sharding

  // The engine addresses its messages so, and tells nobody how: `poll` says the same of a release that has no result yet
  // and of one that it never saw.
  const addressOf = (workflow: Workflow.Any, executionId: string) => {
    const entityId = EntityId.make(executionId)
    const group = Context.get(workflow.annotations, ClusterSchema.ShardGroup)(entityId)
    return new EntityAddress({
      entityType: EntityType.make(`Workflow/${workflow.name}`),
      entityId,
      shardId: sharding.getShardId(entityId, group)
    })
  }

  const isStored = (workflow: Workflow.Any, executionId: string, tag: string, id: string) =>
    Effect.map(
      storage.requestIdForPrimaryKey({ address: addressOf(workflow, executionId), tag, id }),
      Option.isSome
    )

  return EngineInsight.of({
    isKnown: (workflow, executionId) =>
      executionIds.test(executionId)
        ? Effect.orDie(isStored(workflow, executionId, "run", ""))
        : Effect.succeed(false),
    // Asked again and again by steps under way, which a database that is away for a moment must not end.
    isGiven: (workflow, executionId, signal) =>
      Effect.orElseSucceed(isStored(workflow, executionId, "deferred", signal.name), () => false)
  })
})

export const layerInsight: Layer.Layer<
  EngineInsight,
  never,
  MessageStorage.MessageStorage | Sharding.Sharding
> = Layer.effect(EngineInsight, make)
