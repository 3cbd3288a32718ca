/**
 * One runner per database file. The lock is a write transaction on a database of its own beside it, which makes it a lock
 * of the operating system: it ends with its process, however that ends, and a process that was asleep has it still. Neither
 * is true of a file that merely says who holds it.
 */
import { hostname } from "node:os"
import process from "node:process"
import * as FileSystem from "@effect/platform/FileSystem"
import * as SqlClient from "@effect/sql/SqlClient"
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { EngineLocked } from "../EngineError.ts"
import { toUnavailable } from "./persistence.ts"
import { layerClient } from "./sqliteClient.ts"

const Owner = Schema.Struct({ pid: Schema.Int, hostname: Schema.String, sinceMillis: Schema.Int })
const OwnerJson = Schema.parseJson(Owner)

/** For people: nothing is decided by what the file says. */
const ownerFile = (file: string) => `${file}-owner`

const readOwner = (file: string) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    return yield* Schema.decode(OwnerJson)(yield* fs.readFileString(ownerFile(file)))
  }).pipe(Effect.option)

const writeOwner = (file: string) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const sinceMillis = yield* Clock.currentTimeMillis
    const owner = yield* Schema.encode(OwnerJson)({ pid: process.pid, hostname: hostname(), sinceMillis })
    yield* Effect.acquireRelease(fs.writeFileString(ownerFile(file), owner, { mode: 0o600 }), () =>
      Effect.ignore(fs.remove(ownerFile(file)))
    )
  }).pipe(Effect.ignore)

const lockedBy = (file: string) =>
  Effect.flatMap(readOwner(file), (owner) =>
    Effect.fail(new EngineLocked({ file, ...Option.getOrElse(owner, () => ({})) }))
  )

/** A transaction that stays open as long as the scope does. */
const holdTransaction = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  const begun = yield* Deferred.make<void>()
  const held = yield* Effect.forkScoped(
    sql.withTransaction(Effect.zipRight(Deferred.succeed(begun, undefined), Effect.never))
  )
  yield* Effect.raceFirst(Deferred.await(begun), held)
})

const isBusy = (error: { readonly cause?: unknown }) =>
  Schema.is(Schema.Struct({ code: Schema.String.pipe(Schema.startsWith("SQLITE_BUSY")) }))(error.cause)

/** Held until the scope closes. @internal */
export const layerLock = (file: string, resource: string) =>
  Layer.scopedDiscard(
    holdTransaction.pipe(
      Effect.catchIf(isBusy, () => lockedBy(file)),
      Effect.catchTag("SqlError", toUnavailable(resource)),
      Effect.zipRight(writeOwner(file))
    )
  ).pipe(Layer.provide(layerClient(`${file}-lock`, resource)))
