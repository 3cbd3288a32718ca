/**
 * How many releases a runner has at work. The cluster hands out whatever is there, and all of it would begin at once: a
 * release at work takes a megabyte or more, and thousands that begin together keep a runner from renewing its locks in time.
 */
import type * as Message from "@effect/cluster/Message"
import type { ShardId } from "@effect/cluster/ShardId"
import type { Snowflake } from "@effect/cluster/Snowflake"
import { listedWorkflow } from "./records.ts"

/** Of one release: its run, and the steps that the run will ask for. They stay unread in the database meanwhile. */
interface Waiting {
  readonly shard: string
  readonly run: Snowflake
  readonly messages: Set<Snowflake>
}

export interface Due {
  readonly runs: ReadonlyArray<Snowflake>
  /** To be read once more. */
  readonly messages: ReadonlyArray<Snowflake>
}

export interface Admission {
  /** Those of the messages just read that are handed out. Of the others it is known that they wait. */
  readonly admit: <M extends Message.Incoming<never>>(messages: ReadonlyArray<M>) => Array<M>
  /** What has waited, and is handed out now: as much as there is room for. */
  readonly due: () => Due
  /** Forgets what belongs to shards that this runner has lost. */
  readonly keep: (shards: Iterable<ShardId>) => void
  /** A run has ended, or is suspended. */
  readonly leave: (run: Snowflake) => void
  /** Somebody wants this run to go on: it passes those that have not begun. */
  readonly prefer: (run: Snowflake) => void
}

/** So many times as many may be at work, if somebody wants them to go on. */
const preferredTimes = 4

/** Of runs that never come here, because another runner has them. */
const preferredAtMost = 1000

const entityType = `Workflow/${listedWorkflow}`

export const makeAdmission = (atOnce: number): Admission => {
  const atWork = new Map<Snowflake, string>()
  const waiting = new Map<string, Waiting>()
  const preferred = new Set<Snowflake>()

  const hasRoom = (run: Snowflake) => atWork.size < (preferred.has(run) ? atOnce * preferredTimes : atOnce)

  const begin = (run: Snowflake, shard: string) => {
    preferred.delete(run)
    atWork.set(run, shard)
  }

  const prefer = (run: Snowflake) => {
    preferred.add(run)
    const [oldest] = preferred
    if (preferred.size > preferredAtMost && oldest !== undefined) preferred.delete(oldest)
  }

  const isAdmitted = ({ envelope: { address, requestId, tag } }: Message.IncomingRequest<never>) => {
    if (address.entityType !== entityType) return true
    const known = waiting.get(address.entityId)
    // It is told something, that it is cancelled for instance.
    if (tag === "deferred" && known !== undefined) prefer(known.run)
    if (tag === "activity") {
      known?.messages.add(requestId)
      return known === undefined
    }
    if (tag !== "run" || atWork.has(requestId)) return true
    const shard = address.shardId.toString()
    const passes = hasRoom(requestId) && (waiting.size === 0 || preferred.has(requestId))
    if (passes) begin(requestId, shard)
    else waiting.set(address.entityId, known ?? { shard, run: requestId, messages: new Set([requestId]) })
    return passes
  }

  return {
    admit: (messages) =>
      messages.filter((message) => message._tag !== "IncomingRequest" || isAdmitted(message)),
    due: () => {
      const runs: Array<Snowflake> = []
      const messages: Array<Snowflake> = []
      const take = (isNext: (one: Waiting) => boolean) => {
        for (const [entity, one] of waiting) {
          if (!isNext(one) || !hasRoom(one.run)) continue
          waiting.delete(entity)
          begin(one.run, one.shard)
          runs.push(one.run)
          messages.push(...one.messages)
        }
      }
      if (preferred.size > 0) take(({ run }) => preferred.has(run))
      take(() => true)
      return { runs, messages }
    },
    keep: (shards) => {
      const ours = new Set(Array.from(shards, String))
      for (const [run, shard] of atWork) if (!ours.has(shard)) atWork.delete(run)
      for (const [entity, { shard }] of waiting) if (!ours.has(shard)) waiting.delete(entity)
    },
    leave: (run) => void atWork.delete(run),
    prefer
  }
}
