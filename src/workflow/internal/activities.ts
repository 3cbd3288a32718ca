/**
 * Runs the activities of a workflow where the workflow is at work, and stores at once that there was one and how it ended.
 *
 * The engine of the cluster has a workflow send each of them to itself, as a message that is stored, read, handed out and answered.
 * What the database holds in the end is the same, so runners that do it in either way go on with each other's workflows. One that
 * was sent in that way, and has no end yet, is left to the engine, and so is every one while it is not certain that nobody else has
 * taken over: the engine finds out as it stores the message.
 */
import { type MalformedMessage, PersistenceError } from "@effect/cluster/ClusterError"
import * as ClusterWorkflowEngine from "@effect/cluster/ClusterWorkflowEngine"
import type { EntityAddress } from "@effect/cluster/EntityAddress"
import * as Envelope from "@effect/cluster/Envelope"
import type * as MessageStorage from "@effect/cluster/MessageStorage"
import * as Sharding from "@effect/cluster/Sharding"
import * as SqlClient from "@effect/sql/SqlClient"
import * as Activity from "@effect/workflow/Activity"
import * as Workflow from "@effect/workflow/Workflow"
import { WorkflowEngine, WorkflowInstance } from "@effect/workflow/WorkflowEngine"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type * as ParseResult from "effect/ParseResult"
import * as Schema from "effect/Schema"
import { addressOf } from "./cluster.ts"
import { HeldShards } from "./shardLocks.ts"
import { untilStored } from "./storing.ts"

/** How an activity has ended, its result encoded. */
type End = Workflow.Complete<unknown, unknown>

/** The answers to activities by the names of their messages, as they are stored. Null for one that has none. */
type Answers = Map<string, string | null>

/** One that is stored under another name, because its own is too long for the database, is left to the engine. */
const longestName = 255

const tag = "activity"

/** As the engine of the cluster answers one. */
const Answer = Schema.parseJson(
  Schema.Exit({
    success: Workflow.Result({ success: Schema.Unknown, error: Schema.Unknown }),
    failure: Schema.Never,
    defect: Schema.Defect
  })
)

interface NewEnd {
  readonly address: EntityAddress
  readonly name: string
  readonly payload: { readonly name: string; readonly attempt: number }
  readonly answer: string
  readonly messageId: string
  readonly replyId: string
}

const makeStore = Effect.map(SqlClient.SqlClient, (client) => {
  const sql = client.withoutTransforms()

  /** Of all activities of one execution. */
  const answers = ({ entityId, entityType }: EntityAddress): Effect.Effect<Answers, PersistenceError> =>
    sql<{ message_id: string; payload: string | null }>`
      SELECT m.message_id, r.payload FROM cluster_messages m
      LEFT JOIN cluster_replies r ON r.request_id = m.id AND r.kind = 0
      WHERE m.entity_id = ${entityId} AND m.entity_type = ${entityType} AND m.tag = ${tag}`.pipe(
      Effect.map((rows) => new Map(rows.map(({ message_id, payload }) => [message_id, payload]))),
      Effect.withTracerEnabled(false),
      PersistenceError.refail
    )

  const rowOf = ({ address, messageId, name, payload, replyId }: NewEnd) => ({
    id: messageId,
    message_id: name,
    shard_id: address.shardId.toString(),
    entity_type: address.entityType,
    entity_id: address.entityId,
    kind: 0,
    tag,
    payload: JSON.stringify(payload),
    headers: "{}",
    processed: sql.onDialectOrElse({ pg: () => true, orElse: () => 1 }),
    request_id: messageId,
    last_reply_id: replyId
  })

  const insertMessage = (end: NewEnd) =>
    sql`INSERT INTO cluster_messages ${sql.insert(rowOf(end))} ON CONFLICT (message_id) DO NOTHING RETURNING id`

  const insertReply = ({ answer, messageId, replyId }: NewEnd) =>
    sql`INSERT INTO cluster_replies ${sql.insert({ id: replyId, kind: 0, request_id: messageId, payload: answer })}`

  const insertBoth = sql.onDialectOrElse({
    // One statement, because each step of a release waits for it.
    pg: () => (end: NewEnd) =>
      sql`WITH message AS (${insertMessage(end)})
        INSERT INTO cluster_replies (id, kind, request_id, payload)
        SELECT CAST(${end.replyId} AS BIGINT), 0, id, ${end.answer} FROM message
        RETURNING id`,
    orElse: () => (end: NewEnd) =>
      insertMessage(end).pipe(
        Effect.tap((inserted) => Effect.when(insertReply(end), () => inserted.length > 0)),
        sql.withTransaction
      )
  })

  /** Whether it is stored now: not where the activity was there already. */
  const save = (end: NewEnd): Effect.Effect<boolean, PersistenceError> =>
    insertBoth(end).pipe(
      Effect.map((inserted) => inserted.length > 0),
      Effect.withTracerEnabled(false),
      PersistenceError.refail
    )

  return { answers, save }
})

/** None where it is no end: the activity is suspended, or another runner was given it. */
const endIn = (answer: string | null): Effect.Effect<Option.Option<End>> =>
  answer === null
    ? Effect.succeedNone
    : Effect.orDie(Schema.decode(Answer)(answer)).pipe(
        Effect.flatten,
        Effect.map((result) => Option.liftPredicate(result, isEnd))
      )

const isEnd = (result: Workflow.Result<unknown, unknown>): result is End => result._tag === "Complete"

const make = Effect.gen(function* () {
  const ofCluster = yield* WorkflowEngine
  const sharding = yield* Sharding.Sharding
  const { isHeld } = yield* HeldShards
  const store = yield* makeStore
  /** What was there when a workflow was taken up, and what has come to it since. */
  const known = new WeakMap<WorkflowInstance["Type"], Answers>()

  const answersFor = (instance: WorkflowInstance["Type"], address: EntityAddress) =>
    Effect.suspend(() => {
      const answers = known.get(instance)
      if (answers !== undefined) return Effect.succeed(answers)
      return Effect.tap(store.answers(address), (read) => Effect.sync(() => known.set(instance, read)))
    })

  /** Stores an end, and gives the one that counts: another one, if an earlier try was taken, or another runner has taken over. */
  const keep = Effect.fnUntraced(function* (
    answers: Answers,
    message: Pick<NewEnd, "address" | "name" | "payload">,
    end: End
  ) {
    const { address, name } = message
    const answer = yield* Effect.orDie(Schema.encode(Answer)(Exit.succeed(end)))
    const [messageId, replyId] = [yield* sharding.getSnowflake, yield* sharding.getSnowflake]
    const ids = { messageId: String(messageId), replyId: String(replyId) }
    const isOurs = Effect.sync(() => sharding.hasShardId(address.shardId))
    const isStored = yield* untilStored(
      { executionId: address.entityId, tag, isOurs },
      store.save({ ...message, ...ids, answer })
    )
    const counts = isStored ? answer : ((yield* store.answers(address)).get(name) ?? null)
    answers.set(name, counts)
    return isStored ? Option.some(end) : yield* endIn(counts)
  })

  /** How it has ended; none if that is for the engine to find out. */
  const resultOf = Effect.fnUntraced(function* <
    Success extends Schema.Schema.Any,
    Error extends Schema.Schema.All,
    R
  >(
    activity: Activity.Activity<Success, Error, R>,
    attempt: number
  ): Effect.fn.Return<
    Option.Option<Workflow.Result<Success["Encoded"], Error["Encoded"]>>,
    PersistenceError | MalformedMessage,
    Success["Context"] | Error["Context"] | R | WorkflowEngine | WorkflowInstance
  > {
    const instance = yield* WorkflowInstance
    const { executionId, workflow } = instance
    const address = addressOf(sharding, workflow, executionId)
    const name = Envelope.primaryKeyByAddress({ address, tag, id: `${activity.name}/${attempt}` })
    // A process that was frozen must not go on beside the one that has taken over, which may have done this already.
    if (name.length > longestName || !(yield* isHeld(address.shardId))) return Option.none()

    const answers = yield* answersFor(instance, address)
    const answer = answers.get(name)
    if (answer !== undefined) return yield* endIn(answer)

    const execute = activity.executeEncoded.pipe(
      Workflow.intoResult,
      Effect.provideService(WorkflowInstance, WorkflowInstance.initial(workflow, executionId)),
      Effect.provideService(Activity.CurrentAttempt, attempt)
    )
    const message = { address, name, payload: { name: activity.name, attempt } }
    const ending = Effect.gen(function* () {
      const result = yield* execute
      return isEnd(result) ? yield* keep(answers, message, result) : Option.some(result)
    })
    // Once there is a result it is kept, whatever happens to this runner meanwhile.
    return yield* Effect.uninterruptible(ending)
  })

  const engine: WorkflowEngine["Type"] = WorkflowEngine.of({
    ...ofCluster,
    activityExecute: (activity, attempt) =>
      resultOf(activity, attempt).pipe(
        Effect.provideService(WorkflowEngine, engine),
        Effect.orDie,
        Effect.flatMap(
          Option.match({
            onNone: () => ofCluster.activityExecute(activity, attempt),
            onSome: (result) => (isEnd(result) ? decoded(activity, result) : Effect.succeed(result))
          })
        )
      )
  })
  return engine
})

/** By the schema of the success where there is one: that of an exit is another one for each activity, and has to be worked out anew. */
const decoded = <Success extends Schema.Schema.Any, Error extends Schema.Schema.All, R>(
  { exitSchema, successSchema }: Activity.Activity<Success, Error, R>,
  { exit }: Workflow.Complete<Success["Encoded"], Error["Encoded"]>
): Effect.Effect<
  Workflow.Result<Success["Type"], Error["Type"]>,
  never,
  Success["Context"] | Error["Context"]
> => {
  const decode: Effect.Effect<
    Exit.Exit<Success["Type"], Error["Type"]>,
    ParseResult.ParseError,
    Success["Context"] | Error["Context"]
  > = Exit.isSuccess(exit)
    ? Effect.map(Schema.decode(successSchema)(exit.value), Exit.succeed)
    : Schema.decode(exitSchema)(exit)
  return Effect.map(Effect.orDie(decode), (exit) => new Workflow.Complete({ exit }))
}

/** The engine of the cluster, whose activities are run in this way. */
export const layerEngine: Layer.Layer<
  WorkflowEngine,
  never,
  Sharding.Sharding | MessageStorage.MessageStorage | SqlClient.SqlClient | HeldShards
> = Layer.provide(Layer.effect(WorkflowEngine, make), ClusterWorkflowEngine.layer)
