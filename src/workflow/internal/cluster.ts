/** What the message store of a cluster knows about a release: every question and signal is a message, kept under its name. */
import * as ClusterSchema from "@effect/cluster/ClusterSchema"
import { EntityAddress } from "@effect/cluster/EntityAddress"
import * as EntityId from "@effect/cluster/EntityId"
import { EntityType } from "@effect/cluster/EntityType"
import * as MessageStorage from "@effect/cluster/MessageStorage"
import * as Sharding from "@effect/cluster/Sharding"
import * as SqlClient from "@effect/sql/SqlClient"
import type * as Workflow from "@effect/workflow/Workflow"
import type { WorkflowEngine } from "@effect/workflow/WorkflowEngine"
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import * as SqlJournal from "../../journal/SqlJournal.ts"
import { UploadJournal } from "../../journal/UploadJournal.ts"
import { EngineMismatch, type EngineUnavailable } from "../EngineError.ts"
import * as Database from "./database.ts"
import { type EndOf, EngineInsight, type Insight, toUnavailable } from "./engine.ts"
import { makeSharedSlot, noSharedSlot } from "./slots.ts"
import { makeRecords } from "./sqlRecords.ts"

/** As `Workflow.executionId` makes them. Others may not even be fit for an address. */
const executionIds = /^[0-9a-f]{32}$/

/** What the database of an engine is for, beside the engine. */
export class EngineDatabase extends Context.Tag("effect-elastic-extensions/workflow/EngineDatabase")<
  EngineDatabase,
  Pick<Insight, "claim" | "journal" | "records" | "sharedSlot" | "turns"> & {
    readonly tend: (
      workflow: Workflow.Any,
      ended: EndOf
    ) => Effect.Effect<void, never, WorkflowEngine | Sharding.Sharding | Scope.Scope>
  }
>() {}

export interface DatabaseOptions {
  /** Which database, for people. */
  readonly resource: string
  readonly namespace: string
  readonly retention: Duration.DurationInput
  /** Who works here, for people. */
  readonly runner: string
  /** How long a dead holder keeps an upload, and a slot. */
  readonly lease: Duration.Duration
  /** How many archives all runners send at once, if that has a limit. */
  readonly transfersAtOnce?: number | undefined
}

/** Whatever else goes wrong there means that the database cannot be used. */
export const unlessMismatched =
  (resource: string) =>
  <A, E, R>(layer: Layer.Layer<A, E, R>): Layer.Layer<A, EngineMismatch | EngineUnavailable, R> =>
    Layer.catchAllCause(layer, (cause) => {
      const mismatch = Option.filter(Cause.failureOption(cause), (error) => error instanceof EngineMismatch)
      return Layer.fail(Option.getOrElse(mismatch, () => toUnavailable(resource)(Cause.squash(cause))))
    })

/** Tables of this library in the engine's database, made and checked. */
export const layerDatabase = ({
  lease,
  namespace,
  resource,
  retention,
  runner,
  transfersAtOnce: atOnce
}: DatabaseOptions) =>
  Layer.scoped(
    EngineDatabase,
    Effect.gen(function* () {
      const sql = (yield* SqlClient.SqlClient).withoutTransforms()
      const records = yield* makeRecords(sql, { now: Database.nowOf(sql), resource, runner })
      return {
        records,
        journal: Option.some(yield* UploadJournal),
        turns: Database.makeTurns(sql),
        sharedSlot:
          atOnce === undefined
            ? Effect.succeed(noSharedSlot)
            : makeSharedSlot(sql, { atOnce, lease, now: Database.millisNow(sql) }),
        claim: (endpoint: string) => Database.claim(sql, resource, "endpoint", endpoint),
        tend: (workflow: Workflow.Any, ended: EndOf) =>
          Database.tend({ records, retention })(sql, workflow, ended)
      }
    })
  ).pipe(Layer.provide(SqlJournal.layer({ lease })), Layer.provide(Database.layerTables(resource, namespace)))

/**
 * The engine addresses the messages of a workflow so, and tells nobody how: `poll` says the same of a release that has no result yet
 * and of one that it never saw.
 */
export const addressOf = (
  sharding: Sharding.Sharding["Type"],
  workflow: Workflow.Any,
  executionId: string
): EntityAddress => {
  const entityId = EntityId.make(executionId)
  const group = Context.get(workflow.annotations, ClusterSchema.ShardGroup)(entityId)
  return new EntityAddress({
    entityType: EntityType.make(`Workflow/${workflow.name}`),
    entityId,
    shardId: sharding.getShardId(entityId, group)
  })
}

const make = Effect.gen(function* () {
  const storage = yield* MessageStorage.MessageStorage
  const sharding = yield* Sharding.Sharding

  const isStored = (workflow: Workflow.Any, executionId: string, tag: string, id: string) =>
    Effect.map(
      storage.requestIdForPrimaryKey({ address: addressOf(sharding, workflow, executionId), tag, id }),
      Option.isSome
    )

  const own = yield* EngineDatabase

  return EngineInsight.of({
    ...own,
    isShared: true,
    tend: (workflow, ended) => Effect.provideService(own.tend(workflow, ended), Sharding.Sharding, sharding),
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
  MessageStorage.MessageStorage | Sharding.Sharding | EngineDatabase
> = Layer.effect(EngineInsight, make)
