/**
 * The journal of uploads in a database: for uploads that any of many machines may go on with. `UploadJournal` says what a
 * journal is.
 *
 * Needs the optional package `@effect/sql`, with a client for PostgreSQL or SQLite.
 *
 * @since 0.1.0
 */
import type * as SqlClient from "@effect/sql/SqlClient"
import type { SqlError } from "@effect/sql/SqlError"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { makeSqlStore } from "./internal/sqlStore.ts"
import { makeJournal } from "./internal/uploadJournal.ts"
import { UploadJournal } from "./UploadJournal.ts"

/**
 * How long the dead hold their locks.
 *
 * @since 0.1.0
 * @category models
 */
export interface SqlJournalOptions {
  /**
   * A holder that has not renewed its lock for this long is taken for dead, by the clock of the database; it is renewed five
   * times as often. At once, where its process can be looked for (same machine, Node or Bun). Default 15 seconds.
   */
  readonly lease?: Duration.DurationInput | undefined
}

/**
 * Records and locks in the tables `upload_journal` and `upload_journal_locks`, which are made where they are missing. Locks
 * are exact between all processes that share the database. Whoever can read the database can read the URLs of unfinished
 * uploads.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (
  options: SqlJournalOptions = {}
): Layer.Layer<UploadJournal, SqlError, SqlClient.SqlClient> =>
  Layer.effect(
    UploadJournal,
    Effect.map(makeSqlStore(Duration.decode(options.lease ?? "15 seconds")), makeJournal)
  )
