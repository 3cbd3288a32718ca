/** A runner on a database that is full of releases: how soon it works, what it takes, and how soon they are listed. */
import { join } from "node:path"
import * as ShardingConfig from "@effect/cluster/ShardingConfig"
import * as FileSystem from "@effect/platform/FileSystem"
import * as Arr from "effect/Array"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import * as LocalElasticCloud from "../../src/testing/LocalElasticCloud.ts"
import * as EnginePostgres from "../../src/workflow/EnginePostgres.ts"
import * as ExtensionRelease from "../../src/workflow/ExtensionRelease.ts"
import * as ReleaseList from "../../src/workflow/ReleaseList.ts"
import type { ReleasePayload } from "../../src/workflow/ReleasePayload.ts"
import { durablePostgres, rows } from "../../test/support/workflow/postgres.ts"
import { median } from "../bench/format.ts"
import { payloads, startRunner } from "./cluster.ts"
import { sharing } from "./database.ts"
import { peakBytes } from "./processor.ts"

export interface ScaleRun {
  readonly finished: number
  readonly waiting: number
  /** From the start of the process until it has all shards. */
  readonly startMillis: number
  /** From the submission of one more release to its end. */
  readonly releaseMillis: number
  /** Of the runner, after a while. */
  readonly bytes: number
  /** A page of the newest, and of those that are held. */
  readonly listMillis: number
  readonly heldMillis: number
}

const None = Schema.Struct({})

/** An id of the cluster holds its time from this bit on. */
const hourOfIds = `(3600000::bigint << 22)`

/** Copies of one release as it is stored, an hour older. Nothing is run for them. */
const copies = (executionId: string, count: number) => {
  const copied = `md5('${executionId}' || n)`
  const base = `(SELECT min(id) - ${hourOfIds} FROM cluster_messages WHERE entity_id = '${executionId}')`
  const from = `(SELECT m.*, row_number() OVER (ORDER BY id) AS k FROM cluster_messages m WHERE entity_id = '${executionId}') t
    CROSS JOIN generate_series(1, ${count}) n CROSS JOIN ${base} AS base(first)`
  const id = "first + n * 32 + k"
  return [
    `INSERT INTO cluster_replies (id, kind, request_id, payload, sequence, acked)
     SELECT ${id}, r.kind, ${id}, r.payload, r.sequence, r.acked FROM ${from} JOIN cluster_replies r ON r.request_id = t.request_id`,
    `INSERT INTO cluster_messages (id, message_id, shard_id, entity_type, entity_id, kind, tag, payload, headers, trace_id, span_id,
       sampled, processed, request_id, reply_id, last_reply_id, last_read, deliver_at)
     SELECT ${id}, replace(message_id, '${executionId}', ${copied}), shard_id, entity_type, ${copied}, kind, tag, payload, headers,
       trace_id, span_id, sampled, processed, ${id}, reply_id, ${id}, last_read, deliver_at FROM ${from}`,
    `INSERT INTO release_list (execution_id, release_id, attempt, extension, extension_id, extension_name, sha256,
       hold_for_approval, state, wait_key, waits_for, failure, decision, runner, payload, submitted_at, updated_at)
     SELECT ${copied}, release_id || '-' || n, attempt, extension, extension_id, extension_name, sha256, hold_for_approval, state,
       wait_key, waits_for, failure, decision, runner, payload, submitted_at - n, updated_at
     FROM release_list, generate_series(1, ${count}) n WHERE execution_id = '${executionId}'`,
    `INSERT INTO release_steps (execution_id, step, attempt, state, runner, started_at, ended_at, failure, facts)
     SELECT ${copied}, step, attempt, state, runner, started_at, ended_at, failure, facts
     FROM release_steps, generate_series(1, ${count}) n WHERE execution_id = '${executionId}'`
  ].join(";")
}

const millisOf = <E, R>(effect: Effect.Effect<unknown, E, R>) =>
  Effect.map(Effect.timed(effect), ([took]) => Duration.toMillis(took))

const untilState = (payload: ReleasePayload, tag: "Done" | "Waiting") =>
  Effect.flatMap(ExtensionRelease.executionId(payload), ExtensionRelease.poll).pipe(
    Effect.delay("50 millis"),
    Effect.repeat({ until: ({ _tag }) => _tag === tag })
  )

const medianOf = <E, R>(effect: Effect.Effect<unknown, E, R>) =>
  Effect.map(Effect.replicateEffect(millisOf(effect), 20), (all) =>
    Option.getOrThrow(Option.map(Option.liftPredicate(all, Arr.isNonEmptyArray), median))
  )

/** With fsync on, as a database has it that is to keep what it was given. */
export const scaleRun = (program: string, finished: number, waiting: number) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const folder = yield* fs.makeTempDirectoryScoped({ prefix: "bench-workflow-" })
    const { url } = yield* durablePostgres
    const runner = startRunner(program, url, join(folder, "journal"))
    const [done, held, more] = yield* payloads(3, folder)
    if (done === undefined || held === undefined || more === undefined)
      return yield* Effect.dieMessage("none")
    const toHold = { ...held, holdForApproval: true }
    const ready = Effect.repeat(sharing(url, ShardingConfig.defaults.shardsPerGroup), {
      until: (sharers) => sharers === 1,
      schedule: Schedule.spaced("50 millis")
    })
    return yield* Effect.gen(function* () {
      yield* Effect.scoped(
        Effect.gen(function* () {
          yield* runner
          yield* Effect.forEach([done, toHold], ExtensionRelease.submit)
          yield* untilState(done, "Done")
          yield* untilState(toHold, "Waiting")
          yield* Effect.sleep("1 second")
        })
      )
      yield* rows(url, None, copies(yield* ExtensionRelease.executionId(done), finished))
      yield* rows(url, None, copies(yield* ExtensionRelease.executionId(toHold), waiting))
      yield* rows(
        url,
        None,
        "DELETE FROM cluster_locks; DELETE FROM cluster_runners; DELETE FROM release_runners"
      )
      yield* rows(url, None, "ANALYZE")
      const startedAt = performance.now()
      const { pid = 0 } = yield* runner
      yield* ready
      const startMillis = performance.now() - startedAt
      const submittedAt = performance.now()
      yield* ExtensionRelease.submit(more)
      yield* untilState(more, "Done")
      const releaseMillis = performance.now() - submittedAt
      const listMillis = yield* medianOf(ReleaseList.list({}))
      const heldMillis = yield* medianOf(ReleaseList.list({ states: ["held"] }))
      // Long enough for everything that is looked after at all: that every 30 seconds.
      yield* Effect.sleep("40 seconds")
      return {
        ...{ finished, waiting, startMillis, releaseMillis, listMillis, heldMillis },
        bytes: peakBytes(pid)
      } satisfies ScaleRun
    }).pipe(Effect.provide(EnginePostgres.layerClient({ url: Redacted.make(url) })))
  }).pipe(Effect.scoped, Effect.provide(LocalElasticCloud.layer()))
