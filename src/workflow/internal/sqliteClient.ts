/** One SQLite file, by one connection. */
import { pathToFileURL } from "node:url"
import type * as SqlClient from "@effect/sql/SqlClient"
import * as LibsqlClient from "@effect/sql-libsql/LibsqlClient"
import { type Client, createClient, type Transaction } from "@libsql/client"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { EngineUnavailable } from "../EngineError.ts"
import { toUnavailable } from "./persistence.ts"

/**
 * The client's own transactions each take a connection away and leave it open until the garbage collector finds it: some
 * twenty files a release. The layer above lets one transaction begin at a time, so one connection will do.
 */
const onOneConnection = (client: Client): Client => {
  const transaction: Transaction = {
    execute: (statement) => client.execute(statement),
    batch: (statements) => client.batch(statements),
    executeMultiple: (statements) => client.executeMultiple(statements),
    commit: () => client.execute("COMMIT").then(() => undefined),
    rollback: () => client.execute("ROLLBACK").then(() => undefined),
    close: () => undefined,
    closed: false
  }
  return Object.assign(client, {
    transaction: () => client.execute("BEGIN IMMEDIATE").then(() => transaction)
  })
}

const open = (file: string) =>
  // The cluster's ids are larger than a number can hold.
  Effect.try(() => createClient({ url: pathToFileURL(file).href, intMode: "bigint" })).pipe(
    Effect.mapError(({ error }) => error)
  )

const onDeno = new Error("its client has no access to files on Deno: use PostgreSQL, or an engine in memory")

/** @internal */
export const layerClient = (
  file: string,
  resource: string
): Layer.Layer<SqlClient.SqlClient, EngineUnavailable> =>
  Effect.acquireRelease("Deno" in globalThis ? Effect.fail(onDeno) : open(file), (client) =>
    Effect.sync(() => client.close())
  ).pipe(
    Effect.map((client) => LibsqlClient.layer({ liveClient: onOneConnection(client) })),
    Effect.mapError(toUnavailable(resource)),
    Layer.unwrapScoped
  )
