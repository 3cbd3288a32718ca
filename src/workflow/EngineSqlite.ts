/**
 * Releases in one file on one machine: they outlive their process, and need no server. For Node and Bun; on Deno the SQLite
 * client has no access to files, and the layer fails with `EngineUnavailable`.
 *
 * Needs the optional packages `@effect/cluster`, `@effect/rpc`, `@effect/sql`, `@effect/sql-libsql` and
 * `@libsql/client`.
 *
 * @since 0.1.0
 */
import { hostname, tmpdir, userInfo } from "node:os"
import process from "node:process"
import { setTimeout } from "node:timers/promises"
import { pathToFileURL } from "node:url"
import * as RunnerHealth from "@effect/cluster/RunnerHealth"
import * as RunnerStorage from "@effect/cluster/RunnerStorage"
import * as Runners from "@effect/cluster/Runners"
import * as Sharding from "@effect/cluster/Sharding"
import * as ShardingConfig from "@effect/cluster/ShardingConfig"
import * as SqlMessageStorage from "@effect/cluster/SqlMessageStorage"
import * as FileSystem from "@effect/platform/FileSystem"
import * as Path from "@effect/platform/Path"
import * as SqlClient from "@effect/sql/SqlClient"
import * as LibsqlClient from "@effect/sql-libsql/LibsqlClient"
import type { WorkflowEngine } from "@effect/workflow/WorkflowEngine"
import { type Client, createClient, type InStatement, type Transaction } from "@libsql/client"
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { EngineLocked, type EngineMismatch, EngineUnavailable } from "./EngineError.ts"
import { layerEngine } from "./internal/activities.ts"
import { layerDatabase, layerInsight, unlessMismatched } from "./internal/cluster.ts"
import { exclusively } from "./internal/database.ts"
import { layerOrUnavailable, toUnavailable } from "./internal/engine.ts"
import { layerHeldForLife } from "./internal/shardLocks.ts"
import { layerLasting, layerLateSharding } from "./internal/storage.ts"

/**
 * How the file is watched.
 *
 * @since 0.1.0
 * @category models
 */
export interface SqliteEngineOptions {
  /** How long a durable wait may run over: the file is looked into this often. Default 1 second. */
  readonly pollInterval?: Duration.DurationInput | undefined
  /**
   * Names what the file is for, beside the endpoint: a process with another name is refused with `EngineMismatch`. Default
   * `default`.
   */
  readonly namespace?: string | undefined
  /** How long ended releases can be asked about; then they are deleted. Default 90 days; `Infinity` keeps them. */
  readonly retention?: Duration.DurationInput | undefined
  /**
   * How many releases this process has at work at once, those that wait for a slot to send included; the others wait in the
   * file. Default 16.
   */
  readonly releasesAtOnce?: number | undefined
}

/**
 * One process at a time may run releases on a file; a second one is refused with `EngineLocked`. The file and its folder
 * are made where they are missing. It holds payloads and results, beside it `<file>-lock` and `<file>-owner`.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (file: string, options: SqliteEngineOptions = {}): SqliteEngine =>
  onFile(file, options, config(options))

/**
 * Submits, asks and decides, and leaves the work to the runner that opens the file next. One process at a time has the file: while
 * a runner is at work, this one is refused with `EngineLocked`.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerClient = (file: string, options: SqliteEngineOptions = {}): SqliteEngine =>
  onFile(file, options, configOf({ runnerAddress: Option.none(), ...shards }))

type SqliteEngine = Layer.Layer<
  WorkflowEngine,
  EngineLocked | EngineMismatch | EngineUnavailable,
  FileSystem.FileSystem | Path.Path
>

const onFile = (
  file: string,
  options: SqliteEngineOptions,
  config: Layer.Layer<ShardingConfig.ShardingConfig>
): SqliteEngine =>
  Layer.unwrapEffect(
    Effect.map(Path.Path, (path) => {
      const absolute = path.resolve(file)
      const resource = `the database "${file}"`
      const locks = Layer.unwrapEffect(
        Effect.map(Effect.mapError(inodeLock(absolute), toUnavailable(resource)), (lockFile) =>
          Layer.merge(layerLock(absolute, absolute, resource), layerLock(absolute, lockFile, resource))
        )
      )
      return Layer.mergeAll(layerEngine, layerInsight, layerLateSharding).pipe(
        Layer.provide(runner(options, resource, config)),
        Layer.provide(layerFile(absolute, resource, busyLimitMillis)),
        unlessMismatched(resource),
        Layer.provide(locks),
        Layer.provide(layerOrUnavailable(resource)(layerFolder(path.dirname(absolute))))
      )
    })
  )

/** Not taken from the environment, where `HOST` and `PORT` usually mean something else. */
const configOf = (settings: Partial<ShardingConfig.ShardingConfig["Type"]>) => ShardingConfig.layer(settings)

/** Every message is stored with its shard: another number would not find those of earlier releases again. */
const shards = { shardsPerGroup: 300 }

const config = ({ pollInterval = Duration.seconds(1) }: SqliteEngineOptions) =>
  configOf({
    entityMessagePollInterval: Duration.decode(pollInterval),
    // What a release leaves behind in memory when it waits, or has ended.
    entityMaxIdleTime: Duration.seconds(5),
    // A transfer does not end by waiting for it: interrupted, it goes on where it was.
    entityTerminationTimeout: Duration.seconds(2),
    ...shards
  })

/** Without a lock of the cluster's own, which would take half a minute to notice that its last runner is dead. */
const runner = (
  options: SqliteEngineOptions,
  resource: string,
  config: Layer.Layer<ShardingConfig.ShardingConfig>
) =>
  Layer.merge(
    Sharding.layer.pipe(Layer.provideMerge(Runners.layerNoop)),
    layerDatabase({
      resource,
      namespace: options.namespace ?? "default",
      retention: options.retention ?? "90 days",
      lease: Duration.seconds(15),
      runner: `process ${process.pid} on ${hostname()}`
    })
  ).pipe(
    Layer.provideMerge(
      layerLasting(SqlMessageStorage.layer, { exclusively, releasesAtOnce: options.releasesAtOnce })
    ),
    Layer.provide([RunnerStorage.layerMemory, RunnerHealth.layerNoop]),
    Layer.provideMerge(layerHeldForLife),
    Layer.provide(config)
  )

const layerFolder = (folder: string) =>
  Layer.effectDiscard(
    Effect.flatMap(FileSystem.FileSystem, (fs) => fs.makeDirectory(folder, { recursive: true, mode: 0o700 }))
  )

const Owner = Schema.Struct({ pid: Schema.Int, hostname: Schema.String, sinceMillis: Schema.Int })
const OwnerJson = Schema.parseJson(Owner)

/** For people: nothing is decided by what the file says. */
const ownerFile = (file: string) => `${file}-owner`

const readOwner = Effect.fnUntraced(function* (file: string) {
  const fs = yield* FileSystem.FileSystem
  return yield* Schema.decode(OwnerJson)(yield* fs.readFileString(ownerFile(file)))
}, Effect.option)

const writeOwner = Effect.fnUntraced(function* (file: string) {
  const fs = yield* FileSystem.FileSystem
  const sinceMillis = yield* Clock.currentTimeMillis
  const owner = yield* Schema.encode(OwnerJson)({ pid: process.pid, hostname: hostname(), sinceMillis })
  yield* Effect.acquireRelease(fs.writeFileString(ownerFile(file), owner, { mode: 0o600 }), () =>
    Effect.ignore(fs.remove(ownerFile(file)))
  )
}, Effect.ignore)

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

const isBusy = Schema.is(Schema.Struct({ code: Schema.String.pipe(Schema.startsWith("SQLITE_BUSY")) }))

/**
 * One runner per database file. The lock is a write transaction on a database of its own beside it, which makes it a lock
 * of the operating system: it ends with its process, however that ends, and a process that was asleep has it still. Neither
 * is true of a file that merely says who holds it.
 */
const layerLock = (file: string, lockFile: string, resource: string) =>
  Layer.scopedDiscard(
    holdTransaction.pipe(
      Effect.catchIf(
        ({ cause }) => isBusy(cause),
        () => lockedBy(file)
      ),
      Effect.catchTag("SqlError", toUnavailable(resource)),
      Effect.zipRight(writeOwner(file))
    )
  ).pipe(Layer.provide(layerFile(`${lockFile}-lock`, resource, 0)))

/**
 * A file may have several names, by links of either kind. So there is a second lock, named after what is behind them all: the
 * device and the number of the file on it.
 */
const inodeLock = Effect.fnUntraced(function* (file: string) {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  yield* Effect.scoped(fs.open(file, { flag: "a", mode: 0o600 }))
  const { dev, ino } = yield* fs.stat(file)
  // Of this user: another one may not write there.
  const folder = path.join(tmpdir(), `effect-elastic-extensions-${userInfo().uid}`)
  yield* fs.makeDirectory(folder, { recursive: true, mode: 0o700 })
  return path.join(folder, `${dev}-${Option.getOrElse(ino, () => 0)}`)
})

/** How long somebody else may write to the file, or read it while we commit, before that is an error. */
const busyLimitMillis = 10_000

/** SQLite's own `busy_timeout` would hold up the whole process, and with it every transfer. */
const patiently = <A>(run: () => Promise<A>, untilMillis: number): Promise<A> =>
  run().catch((error: unknown) =>
    isBusy(error) && performance.now() < untilMillis
      ? setTimeout(50).then(() => patiently(run, untilMillis))
      : Promise.reject(error)
  )

/**
 * The client's own transactions each take a connection away and leave it open until the garbage collector finds it: some
 * twenty files a release. The layer above lets one transaction begin at a time, so one connection will do. What is outside of
 * a transaction waits for its end, as it would become a part of it.
 */
const onOneConnection = (open: () => Client, limitMillis: number): Client => {
  let current = open()
  let transactionEnds: Promise<void> | undefined
  let end: () => void = () => undefined

  const whenFree = <A>(run: () => Promise<A>) => patiently(run, performance.now() + limitMillis)
  // The client leaves a statement that found the file busy in progress, and a connection with one can commit nothing.
  const onNewConnectionIfBusy = (error: unknown) => {
    if (isBusy(error)) {
      current.close()
      current = open()
    }
    return Promise.reject(error)
  }
  const outside = async (statement: InStatement) => {
    while (transactionEnds !== undefined) await transactionEnds
    return current.execute(statement).catch(onNewConnectionIfBusy)
  }
  const begin = async () => {
    await current.execute("BEGIN IMMEDIATE").catch(onNewConnectionIfBusy)
    transactionEnds = new Promise((resolve) => {
      end = () => {
        transactionEnds = undefined
        resolve()
      }
    })
    return transaction
  }
  // It fails only where SQLite has rolled back by itself.
  const rollback = () => current.execute("ROLLBACK").then(end, end)
  const transaction: Transaction = {
    execute: (statement: InStatement) => current.execute(statement),
    batch: (statements) => current.batch(statements),
    executeMultiple: (statements) => current.executeMultiple(statements),
    commit: () =>
      whenFree(() => current.execute("COMMIT")).then(end, (error) =>
        rollback().then(() => Promise.reject(error))
      ),
    rollback,
    close: () => undefined,
    closed: false
  }
  return {
    execute: (statement: InStatement) => whenFree(() => outside(statement)),
    transaction: () => whenFree(begin),
    batch: (statements, mode) => current.batch(statements, mode),
    migrate: (statements) => current.migrate(statements),
    executeMultiple: (statements) => current.executeMultiple(statements),
    sync: () => current.sync(),
    close: () => current.close(),
    closed: false,
    protocol: current.protocol
  }
}

/** One file, by one connection. */
const layerFile = (
  file: string,
  resource: string,
  limitMillis: number
): Layer.Layer<SqlClient.SqlClient, EngineUnavailable> =>
  Effect.acquireRelease(connect(file, resource, limitMillis), (client) =>
    Effect.sync(() => client.close())
  ).pipe(
    Effect.map((client) => LibsqlClient.layer({ liveClient: client })),
    Layer.unwrapScoped
  )

const connect = (
  file: string,
  resource: string,
  limitMillis: number
): Effect.Effect<Client, EngineUnavailable> =>
  "Deno" in globalThis
    ? new EngineUnavailable({
        resource,
        detail: "its client has no access to files on Deno: use PostgreSQL, or an engine in memory"
      })
    : Effect.try({
        // The cluster's ids are larger than a number can hold.
        try: () =>
          onOneConnection(
            () => createClient({ url: pathToFileURL(file).href, intMode: "bigint" }),
            limitMillis
          ),
        catch: toUnavailable(resource)
      })
