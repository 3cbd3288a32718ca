/** What a PostgreSQL has seen. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { rows } from "../../test/support/workflow/postgres.ts"

const Seen = Schema.Struct({
  commits: Schema.NumberFromString,
  /** Rows inserted, updated and deleted. */
  writes: Schema.NumberFromString,
  /** Rows that the engine keeps. */
  kept: Schema.NumberFromString,
  /** Of the engine's tables with their indexes, in bytes. */
  bytes: Schema.NumberFromString
})

export type Seen = typeof Seen.Type

/** The server's counters lag by up to a second. */
export const seen = (url: string) =>
  Effect.flatMap(Effect.sleep("2 seconds"), () =>
    rows(
      url,
      Seen,
      `SELECT xact_commit::text AS commits, (tup_inserted + tup_updated + tup_deleted)::text AS writes,
         ((SELECT count(*) FROM cluster_messages) + (SELECT count(*) FROM cluster_replies))::text AS kept,
         (SELECT sum(pg_total_relation_size(oid)) FROM pg_class WHERE relname IN ('cluster_messages', 'cluster_replies'))::text AS bytes
       FROM pg_stat_database WHERE datname = current_database()`
    )
  ).pipe(
    Effect.flatMap(([one]) => Effect.fromNullable(one)),
    Effect.orDie
  )

export const difference = (after: Seen, before: Seen): Seen => ({
  commits: after.commits - before.commits,
  writes: after.writes - before.writes,
  kept: after.kept - before.kept,
  bytes: after.bytes - before.bytes
})

const Count = Schema.Struct({ count: Schema.NumberFromString })

const countOf = (url: string, statement: string) =>
  Effect.map(rows(url, Count, statement), ([one]) => one?.count ?? 0)

/** Releases that have ended, well or not. */
export const ended = (url: string) =>
  countOf(
    url,
    `SELECT count(*)::text FROM cluster_messages m JOIN cluster_replies r ON r.request_id = m.request_id AND r.kind = 0
     WHERE m.tag = 'run' AND m.entity_type = 'Workflow/ExtensionRelease'`
  )

/** Runners that have a part of the shards, once all shards have a runner; 0 before that. */
export const sharing = (url: string, shards: number) =>
  countOf(
    url,
    `SELECT (CASE WHEN count(*) = ${shards} THEN count(DISTINCT address) ELSE 0 END)::text AS count FROM cluster_locks`
  )
