/**
 * The message store of a cluster, made to outlast its database, and to hand out no more than a runner can bear.
 *
 * The cluster itself gives up on what it could not store within 0.8 seconds, on wake-ups that it could not note down, and for
 * ten minutes on messages whose reading was cut off, and on runs that are woken while it notes that they were answered. In each
 * case the release would stand still, and nobody would be told.
 */
import type { PersistenceError } from "@effect/cluster/ClusterError"
import * as Message from "@effect/cluster/Message"
import * as MessageStorage from "@effect/cluster/MessageStorage"
import * as Reply from "@effect/cluster/Reply"
import type { ShardId } from "@effect/cluster/ShardId"
import * as Sharding from "@effect/cluster/Sharding"
import type { Snowflake } from "@effect/cluster/Snowflake"
import * as Rpc from "@effect/rpc/Rpc"
import { Suspended } from "@effect/workflow/Workflow"
import * as Arr from "effect/Array"
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import * as Ref from "effect/Ref"
import * as Schema from "effect/Schema"
import { UnreadableRelease } from "../EngineError.ts"
import { makeAdmission } from "./admission.ts"
import { makeAnswers } from "./answers.ts"
import { isDatabaseFailure, toUnavailable } from "./engine.ts"
import { type Storing, soon, untilStored } from "./storing.ts"

/** What the store asks of the sharding, which is made after it. */
type Asked = Pick<Sharding.Sharding["Type"], "hasShardId" | "pollStorage">

/** The sharding, as soon as there is one. */
class LateSharding extends Context.Tag("effect-elastic-extensions/workflow/LateSharding")<
  LateSharding,
  Ref.Ref<Asked>
>() {}

const isSuspended = Predicate.isTagged("Suspended")

const isOfEnd = (reply: Reply.ReplyEncoded<Rpc.Any>): boolean =>
  reply._tag === "WithExit" &&
  reply.exit._tag === "Success" &&
  Predicate.isTagged(reply.exit.value, "Complete")

/** Does something about the replies to a request, none of which is stored or cleared by anybody else meanwhile. */
export type Exclusively = (
  requestId: Snowflake
) => <A>(effect: Effect.Effect<A, PersistenceError>) => Effect.Effect<A, PersistenceError>

/** Stores the end of a request: all of it or nothing. */
export type SaveEnd = (end: Reply.WithExitEncoded<Rpc.Any>) => Effect.Effect<void, PersistenceError>

export interface LastingOptions<R> {
  readonly exclusively: Effect.Effect<Exclusively, never, R>
  /** In place of what the cluster does, where the database has a shorter way. */
  readonly saveEnd?: Effect.Effect<SaveEnd, never, R> | undefined
  /** How many releases a runner has at work at once. Default: enough for every slot of a transfer to be taken up again at once. */
  readonly releasesAtOnce?: number | undefined
}

const make = Effect.fnUntraced(function* <R>({
  exclusively: makeExclusively,
  releasesAtOnce = 16,
  saveEnd: makeSaveEnd
}: LastingOptions<R>) {
  const inner = yield* MessageStorage.MessageStorage
  const saveReply = makeSaveEnd === undefined ? inner.saveReply : savingWith(inner, yield* makeSaveEnd)
  const exclusively = yield* makeExclusively
  const admission = makeAdmission(releasesAtOnce)
  const answers = makeAnswers()
  const sharding = yield* LateSharding
  const readSoon = Effect.flatMap(Ref.get(sharding), ({ pollStorage }) => pollStorage)
  const mayBeUnread = yield* Ref.make(false)

  /**
   * A result that is there already is ours, if the database took it and its answer was lost, or that of the runner that has
   * taken over. Neither is an error; only that a release waits must not stand where it has ended.
   */
  const settle = <R extends Rpc.Any>({ reply }: Reply.ReplyWithContext<R>, store: Storing): Storing =>
    Effect.catchTag(store, "PersistenceError", (error) =>
      Effect.flatMap(inner.repliesForUnfiltered([reply.requestId]), (replies) => {
        const there = replies.find(({ _tag }) => _tag === "WithExit")
        if (there?._tag !== "WithExit") return Effect.fail(error)
        const standsForMore = there.exit._tag === "Success" && isSuspended(there.exit.value)
        const isEnd =
          reply._tag === "WithExit" && !(Exit.isSuccess(reply.exit) && isSuspended(reply.exit.value))
        return standsForMore && isEnd
          ? Effect.zipRight(inner.clearReplies(reply.requestId), store)
          : Effect.void
      })
    )

  /**
   * Whoever wakes a release has seen it wait a moment before, and may have to try for a while. If it has come to its end
   * meanwhile, that stays: without it, the release would be at work once more, out of its turn.
   */
  const clearUnlessEnded = (requestId: Snowflake) =>
    inner.repliesForUnfiltered([requestId]).pipe(
      Effect.flatMap((replies) => (replies.some(isOfEnd) ? Effect.void : inner.clearReplies(requestId))),
      // What says that a release waits can be read by every version.
      Effect.catchTag("MalformedMessage", () => Effect.void),
      exclusively(requestId)
    )

  /** Reading marks messages as read: those of a reading that failed are marked so, and nobody has them. */
  const orReadAgain = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
    Effect.onExit(effect, (exit) => Effect.when(Ref.set(mayBeUnread, true), () => Exit.isFailure(exit)))

  const makeReadable = (shards: Iterable<ShardId>) =>
    Effect.zipRight(inner.resetShards(shards), Ref.set(mayBeUnread, false)).pipe(
      Effect.whenEffect(Ref.get(mayBeUnread))
    )

  const incoming = <R extends Rpc.Any>(message: Message.Incoming<R>): Message.Incoming<R> =>
    message._tag === "IncomingRequest"
      ? new Message.IncomingRequest({
          envelope: message.envelope,
          lastSentReply: message.lastSentReply,
          respond: (reply) =>
            answering(
              message.envelope.requestId,
              untilStored(
                resultOf(message),
                Effect.suspend(() => Effect.flatMap(readableBySome(message, reply), outer.saveReply))
              )
            )
        })
      : message

  const resultOf = <R extends Rpc.Any>({ envelope: { address, tag } }: Message.IncomingRequest<R>) => ({
    executionId: address.entityId,
    tag,
    isOurs: Effect.map(Ref.get(sharding), ({ hasShardId }) => hasShardId(address.shardId))
  })

  const answering = (request: Snowflake, storing: Storing): Storing =>
    Effect.suspend(() => {
      answers.begin(request)
      return storing
    }).pipe(
      Effect.ensuring(
        Effect.suspend(() => {
          admission.leave(request)
          return answers.end(request) ? readSoon : Effect.void
        })
      )
    )

  /** Releases that could not begin when they were read. */
  const waited = Effect.fnUntraced(function* (shards: ReadonlyArray<ShardId>) {
    admission.keep(shards)
    const due = admission.due()
    if (due.messages.length === 0) return []
    const read = yield* inner.unprocessedMessagesById(due.messages)
    const there = new Set(read.map(({ envelope }) => envelope.requestId))
    for (const run of due.runs) if (!there.has(run)) admission.leave(run)
    return read
  })

  const keptBack = Effect.suspend(() => {
    const kept = answers.takeKept()
    return kept.length === 0 ? Effect.succeed([]) : inner.unprocessedMessagesById(kept)
  })

  const outer: MessageStorage.MessageStorage["Type"] = yield* MessageStorage.make({
    ...inner,
    saveReply: (reply) => settle(reply, saveReply(reply)),
    // The cluster does not look at whether this failed: a release would have been woken, and sleep on.
    clearReplies: (requestId) =>
      Effect.zipRight(
        Effect.sync(() => admission.prefer(requestId)),
        Effect.retry(clearUnlessEnded(requestId), soon)
      ),
    unprocessedMessages: (shards) =>
      Effect.suspend(() => {
        const ours = Array.from(shards)
        answers.beginReading()
        return makeReadable(ours).pipe(
          Effect.zipRight(Effect.all([waited(ours), keptBack, inner.unprocessedMessages(ours)])),
          Effect.map(([due, kept, read]) => [
            ...due,
            ...admission.admit(answers.keepBack([...kept, ...read]))
          ]),
          orReadAgain,
          Effect.zipLeft(Effect.when(readSoon, answers.isWorthReading)),
          Effect.map(Arr.map(incoming))
        )
      }),
    unprocessedMessagesById: (ids) =>
      Effect.map(orReadAgain(inner.unprocessedMessagesById(ids)), Arr.map(incoming)),
    resetShards: (shards) => orReadAgain(inner.resetShards(shards))
  })
  return outer
})

const savingWith =
  (inner: MessageStorage.MessageStorage["Type"], saveEnd: SaveEnd): typeof inner.saveReply =>
  (reply) =>
    Effect.flatMap(Reply.serialize(reply), (encoded) =>
      encoded._tag === "WithExit" ? saveEnd(encoded) : inner.saveReply(reply)
    )

/**
 * A release whose payload this runner cannot read would end here for good. It waits instead, and says why: a runner of another
 * version may be able to. So does one that is suspended while the database is away: the engine then asks whether it was
 * interrupted, and takes having no answer for the end of the release. What waits for a reason is read again in half a minute.
 */
const readableBySome = Effect.fnUntraced(function* <R extends Rpc.Any>(
  { envelope }: Message.IncomingRequest<R>,
  unread: Reply.ReplyWithContext<R>
) {
  const { context, reply, rpc } = unread
  const isRun = envelope.tag === "run" && envelope.address.entityType.startsWith("Workflow/")
  if (!isRun || reply._tag !== "WithExit") return unread
  const obstacle = Option.flatMap(Exit.causeOption(endOf(reply.exit)), obstacleIn(envelope.address.entityId))
  if (Option.isNone(obstacle)) return unread
  yield* Effect.logWarning(obstacle.value.message)
  const waits = {
    _tag: "Success",
    value: encodeSuspended(new Suspended({ cause: Cause.die(obstacle.value) }))
  }
  const exit = yield* Schema.decodeUnknown(Rpc.exitSchema(rpc))(waits).pipe(
    Effect.provide(context),
    Effect.orDie
  )
  return new Reply.ReplyWithContext({
    context,
    rpc,
    reply: new Reply.WithExit({ id: reply.id, requestId: reply.requestId, exit })
  })
})

/** A run that came to an end answers with that. */
const endOf = (exit: Exit.Exit<unknown, unknown>): Exit.Exit<unknown, unknown> =>
  Exit.isSuccess(exit) &&
  Predicate.isTagged(exit.value, "Complete") &&
  Predicate.hasProperty(exit.value, "exit") &&
  Exit.isExit(exit.value.exit)
    ? exit.value.exit
    : exit

const obstacleIn =
  (executionId: string) =>
  (cause: Cause.Cause<unknown>): Option.Option<Error> => {
    if (isDatabaseFailure(cause)) return Option.some(toUnavailable("its database")(Cause.squash(cause)))
    return Option.exists(Cause.dieOption(cause), Predicate.isTagged("MalformedMessage"))
      ? Option.some(new UnreadableRelease({ executionId }))
      : Option.none()
  }

const encodeSuspended = Schema.encodeSync(Suspended)

/** The store over the one given, and whoever tells it of the sharding. */
export const layerLasting = <E, R, R2>(
  storage: Layer.Layer<MessageStorage.MessageStorage, E, R>,
  options: LastingOptions<R2>
): Layer.Layer<MessageStorage.MessageStorage | LateSharding, E, R | R2> =>
  Layer.effect(MessageStorage.MessageStorage, make(options)).pipe(
    Layer.provide(storage),
    Layer.provideMerge(
      Layer.effect(LateSharding, Ref.make<Asked>({ hasShardId: () => true, pollStorage: Effect.void }))
    )
  )

/** Tells the store of the sharding. */
export const layerLateSharding: Layer.Layer<never, never, LateSharding | Sharding.Sharding> =
  Layer.effectDiscard(
    Effect.flatMap(LateSharding, (asked) =>
      Effect.flatMap(Sharding.Sharding, (sharding) => Ref.set(asked, sharding))
    )
  )
