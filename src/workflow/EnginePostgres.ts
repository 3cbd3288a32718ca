/**
 * Releases on many machines: runners share a PostgreSQL database and the work, and take over from each other. For Node and
 * Bun, and on Deno with `--allow-net --allow-env --allow-sys`.
 *
 * Needs the optional packages `@effect/cluster`, `@effect/platform-node`, `@effect/rpc`, `@effect/sql` and `@effect/sql-pg`.
 *
 * @since 0.1.0
 */
import { RunnerAddress } from "@effect/cluster/RunnerAddress"
import * as RunnerHealth from "@effect/cluster/RunnerHealth"
import * as RunnerServer from "@effect/cluster/RunnerServer"
import * as Runners from "@effect/cluster/Runners"
import * as Sharding from "@effect/cluster/Sharding"
import * as ShardingConfig from "@effect/cluster/ShardingConfig"
import * as SqlMessageStorage from "@effect/cluster/SqlMessageStorage"
import * as SqlRunnerStorage from "@effect/cluster/SqlRunnerStorage"
import * as NodeClusterSocket from "@effect/platform-node/NodeClusterSocket"
import * as RpcSerialization from "@effect/rpc/RpcSerialization"
import * as RpcServer from "@effect/rpc/RpcServer"
import * as SqlClient from "@effect/sql/SqlClient"
import * as PgClient from "@effect/sql-pg/PgClient"
import type { WorkflowEngine } from "@effect/workflow/WorkflowEngine"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import * as Redacted from "effect/Redacted"
import type { AddressInUse, EngineMismatch, EngineUnavailable } from "./EngineError.ts"
import { layerEngine } from "./internal/activities.ts"
import { layerDatabase, layerInsight, unlessMismatched } from "./internal/cluster.ts"
import { exclusively, layerAddress, saveEnd } from "./internal/database.ts"
import { layerOrUnavailable, toUnavailable } from "./internal/engine.ts"
import { layerHeldUncertainly, layerNoting, layerTogether } from "./internal/shardLocks.ts"
import { layerLasting, layerLateSharding } from "./internal/storage.ts"

/**
 * A host name or IP address, and a port.
 *
 * @since 0.1.0
 * @category models
 */
export interface Address {
  readonly host: string
  readonly port: number
}

/**
 * The database that the releases are in.
 *
 * @since 0.1.0
 * @category models
 */
export interface PostgresClientOptions {
  /**
   * `postgresql://user:password@host:5432/name`, with `?sslmode=` and its like where needed. Unless it says otherwise, the
   * session gets an `idle_in_transaction_session_timeout` of half of `shardLockExpiration`, in milliseconds; `0` sends none,
   * for a connection pooler that refuses it.
   */
  readonly url: Redacted.Redacted<string>
  /**
   * Names what the database is for, beside the endpoint: a process with another name is refused with `EngineMismatch`. Default
   * `default`.
   */
  readonly namespace?: string | undefined
  /** How long ended releases can be asked about; then they are deleted. Default 90 days; `Infinity` keeps them. */
  readonly retention?: Duration.DurationInput | undefined
  /** What differs from the defaults of this module and of `ShardingConfig`. */
  readonly sharding?:
    | Partial<Omit<ShardingConfig.ShardingConfig["Type"], "runnerAddress" | "runnerListenAddress">>
    | undefined
}

/**
 * The database, and where the other runners find this one.
 *
 * @since 0.1.0
 * @category models
 */
export interface PostgresRunnerOptions extends PostgresClientOptions {
  /**
   * How the other runners reach this one. They speak without encryption or password: the port belongs in a network of
   * their own.
   */
  readonly runner: Address
  /** Where to listen. Default: the runner's address. */
  readonly listen?: Address | undefined
  /**
   * How many releases this runner has at work at once, those that wait for a slot to send included; the others wait in the
   * database. Default 16.
   */
  readonly releasesAtOnce?: number | undefined
  /**
   * How many archives all runners of the database send at once, beside what `TransferSlots` allows each of them. Who has waited
   * longest comes first. Each runner goes by the number it is given, so give all of them the same. Default: no limit.
   *
   * A slot is a row that expires. That of a runner that was killed or cut off is free after three quarters of
   * `shardLockExpiration`; until a runner that was cut off notices, there may be one transfer more. The engine has nothing that
   * does this: `DurableRateLimiter` bounds how many begin in a while, `DurableQueue` how many one process works on, and the
   * `concurrency` of an entity is forgotten when the entity moves to another runner.
   */
  readonly transfersAtOnce?: number | undefined
}

/**
 * A runner: releases that anybody submitted to the database run here too.
 *
 * Its clock need not agree with those of the others, except that a release which waits for its next try is taken up by the
 * clock of the runner that has it then: with clocks a minute apart, a minute late or early.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (
  options: PostgresRunnerOptions
): Layer.Layer<WorkflowEngine, AddressInUse | EngineMismatch | EngineUnavailable> =>
  engine.pipe(
    Layer.provide(listening(options)),
    Layer.provide(RunnerServer.layer),
    Layer.provide(RpcServer.layerProtocolSocketServer),
    Layer.provide(Sharding.layer),
    Layer.provide([server(options), runners, pings]),
    Layer.provide(NodeClusterSocket.layerClientProtocol),
    Layer.provide(address(options)),
    Layer.provide(storage(options, nameOfRunner(options))),
    Layer.provide(database(options)),
    Layer.provide(runnerConfig(options)),
    Layer.provide(RpcSerialization.layerMsgPack)
  )

/**
 * Submits, asks and decides, and leaves the work to the runners: for a pipeline's job that starts a release and waits.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerClient = (
  options: PostgresClientOptions
): Layer.Layer<WorkflowEngine, EngineMismatch | EngineUnavailable> =>
  engine.pipe(
    Layer.provide(Sharding.layer),
    Layer.provide([runners, RunnerHealth.layerNoop]),
    Layer.provide(NodeClusterSocket.layerClientProtocol),
    Layer.provide(storage(options, "a client")),
    Layer.provide(database(options)),
    Layer.provide(clientConfig(options)),
    Layer.provide(RpcSerialization.layerMsgPack)
  )

/**
 * Shards are locked by rows that expire, not by advisory locks: those belong to a connection, and the server may take hours
 * to notice that a machine at its other end was cut off. A row needs no clock but the server's.
 */
const sharding: Partial<ShardingConfig.ShardingConfig["Type"]> = {
  shardLockDisableAdvisory: true,
  shardLockExpiration: Duration.seconds(20),
  shardLockRefreshInterval: Duration.seconds(5),
  // A message whose runner could not be told is found so soon.
  entityMessagePollInterval: Duration.millis(500),
  runnerHealthCheckInterval: Duration.seconds(20),
  // What a release leaves behind in memory when it waits, or has ended.
  entityMaxIdleTime: Duration.seconds(5),
  // A transfer does not end by waiting for it: interrupted, it goes on where it was, on the next runner.
  entityTerminationTimeout: Duration.seconds(2)
}

const addressOf = ({ host, port }: Address) => Option.some(RunnerAddress.make({ host, port }))

const runnerConfig = ({ listen, runner, sharding: given }: PostgresRunnerOptions) =>
  ShardingConfig.layer({
    ...sharding,
    ...given,
    runnerAddress: addressOf(runner),
    runnerListenAddress: addressOf(listen ?? runner)
  })

const clientConfig = ({ sharding: given }: PostgresClientOptions) =>
  ShardingConfig.layer({ ...sharding, ...given, runnerAddress: Option.none() })

const database = (options: PostgresClientOptions) =>
  PgClient.layer({ url: withIdleLimit(options) }).pipe(layerOrUnavailable(nameOf(options.url)))

const storage = (
  options: PostgresClientOptions & Pick<Partial<PostgresRunnerOptions>, "releasesAtOnce" | "transfersAtOnce">,
  runner: string
) => {
  const resource = nameOf(options.url)
  const { namespace = "default", releasesAtOnce, retention = "90 days", transfersAtOnce } = options
  const tables = Layer.mergeAll(
    layerLasting(SqlMessageStorage.layer, { exclusively, releasesAtOnce, saveEnd }),
    settingsOf(options).shardLockDisableAdvisory
      ? layerNoting(layerTogether(SqlRunnerStorage.layer), leaseOf(options))
      : Layer.merge(SqlRunnerStorage.layer, layerHeldUncertainly)
  ).pipe(layerOrUnavailable(resource))
  return inTurn(
    layerDatabase({ resource, namespace, retention, runner, lease: leaseOf(options), transfersAtOnce }).pipe(
      Layer.provideMerge(tables),
      unlessMismatched(resource)
    ),
    resource
  )
}

const settingsOf = ({ sharding: given }: PostgresClientOptions) => ({
  ...ShardingConfig.defaults,
  ...sharding,
  ...given
})

/** Over before the shards of a lost runner change hands: whoever takes over waits for no lock that nobody holds. */
const leaseOf = (options: PostgresClientOptions) =>
  Duration.times(settingsOf(options).shardLockExpiration, 3 / 4)

const address = (options: PostgresRunnerOptions) =>
  layerAddress(nameOf(options.url), nameOfRunner(options), leaseOf(options))

const nameOfRunner = ({ runner: { host, port } }: PostgresRunnerOptions) => `${host}:${port}`

/** Runners that start at once would create the tables in each other's way. A turn ends with its transaction. */
const inTurn = <A, E, R>(tables: Layer.Layer<A, E, R>, resource: string) =>
  Layer.scopedContext(
    Effect.gen(function* () {
      const scope = yield* Effect.scope
      const sql = yield* SqlClient.SqlClient
      const turn = Effect.gen(function* () {
        const connection = yield* sql.reserve
        yield* Effect.addFinalizer(() => Effect.ignore(connection.executeRaw("COMMIT", [])))
        yield* connection.executeRaw("BEGIN", [])
        yield* connection.executeRaw(
          "SELECT pg_advisory_xact_lock(hashtext('effect-elastic-extensions'))",
          []
        )
      })
      return yield* Effect.scoped(
        Effect.zipRight(Effect.mapError(turn, toUnavailable(resource)), Layer.buildWithScope(tables, scope))
      )
    })
  )

const idleLimit = "idle_in_transaction_session_timeout"

/**
 * A machine that is cut off inside a transaction would keep its rows locked until the server misses it, which may take hours.
 * The runner that takes over its shards has one short try to make their messages readable again, or else reads them ten
 * minutes later: so such a transaction ends well before the locks of its shards expire.
 */
const withIdleLimit = (options: PostgresClientOptions): Redacted.Redacted<string> => {
  const { url } = options
  const text = Redacted.value(url)
  if (!URL.canParse(text)) return url
  const limited = new URL(text)
  const { shardLockExpiration } = settingsOf(options)
  if (!limited.searchParams.has(idleLimit)) {
    limited.searchParams.set(idleLimit, String(Duration.toMillis(shardLockExpiration) / 2))
  }
  return Redacted.make(limited.href)
}

/** The database, without who may enter it and how. */
const nameOf = (url: Redacted.Redacted<string>): string => {
  const text = Redacted.value(url)
  if (!URL.canParse(text)) return "the PostgreSQL database, whose address is not a URL"
  const { host, pathname } = new URL(text)
  return `the PostgreSQL database ${host}${pathname}`
}

const server = ({ listen, runner }: PostgresRunnerOptions) => {
  const { host, port } = listen ?? runner
  return layerOrUnavailable(`the address ${host}:${port} for its runner`)(NodeClusterSocket.layerSocketServer)
}

const pings = RunnerHealth.layerPing.pipe(
  Layer.provide(Runners.layerRpc),
  Layer.provide(NodeClusterSocket.layerClientProtocol)
)

/**
 * A message is stored, and then the runner that it is for is told. That one may just have died, or be frozen, which is no
 * reason for the message to fail or to wait: where nobody waits for a reply, nobody is told, and the runner, or whoever takes
 * over, finds the message by `entityMessagePollInterval`. A reply comes by way of the database as well.
 */
const runners = Layer.effect(
  Runners.Runners,
  Effect.map(Runners.Runners, (all) => {
    const untold: typeof all.notify = (options) => all.notify({ ...options, address: Option.none() })
    return Runners.Runners.of({
      ...all,
      notify: (options) =>
        options.discard
          ? untold(options)
          : Effect.catchSomeDefect(all.notify(options), (defect) =>
              isSocketError(defect) ? Option.some(untold(options)) : Option.none()
            )
    })
  })
).pipe(Layer.provide(Runners.layerRpc))

const isSocketError = Predicate.isTagged("SocketError")

const listening = ({ listen, runner, url }: PostgresRunnerOptions) => {
  const { host, port } = listen ?? runner
  return Layer.effectDiscard(
    Effect.logInfo(`Runs the releases in ${nameOf(url)}, listens on ${host}:${port}.`)
  )
}

const engine = Layer.mergeAll(layerEngine, layerInsight, layerLateSharding)
