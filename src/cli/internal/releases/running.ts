/** A runner: its parts put together, and how it stops. */
import * as v8 from "node:v8"
import * as HttpServer from "@effect/platform/HttpServer"
import type { WorkflowEngine } from "@effect/workflow/WorkflowEngine"
import * as Config from "effect/Config"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import * as RunnerHttp from "../../../runner/RunnerHttp.ts"
import * as Prometheus from "../../../transfer/Prometheus.ts"
import * as UploadHttpClient from "../../../transfer/UploadHttpClient.ts"
import * as Variable from "../../../transfer/Variable.ts"
import * as ExtensionRelease from "../../../workflow/ExtensionRelease.ts"
import * as PreparationSlots from "../../../workflow/PreparationSlots.ts"
import * as ReleaseList from "../../../workflow/ReleaseList.ts"
import * as ReleaseMetrics from "../../../workflow/ReleaseMetrics.ts"
import * as RunnerDrain from "../../../workflow/RunnerDrain.ts"
import * as TransferSlots from "../../../workflow/TransferSlots.ts"
import { exitCodes } from "../../ExitCode.ts"
import { Exited, Output } from "../output.ts"
import { listening } from "../permission.ts"
import * as Results from "../results.ts"
import { facts, plural } from "../text.ts"
import { type Database, database, describeDatabase, layerRunner } from "./database.ts"
import * as Door from "./door.ts"
import * as Logging from "./logging.ts"

const settings = Config.all({
  listen: Config.option(Variable.address("EC_RUNNER_LISTEN")),
  slots: Config.withDefault(Variable.count("EC_RUNNER_SLOTS", { min: 1, max: 1000 }), 4),
  slotsOfAll: Config.option(Variable.count("EC_RUNNER_SLOTS_OF_ALL", { min: 1, max: 1000 })),
  preparing: Config.withDefault(Variable.count("EC_RUNNER_PREPARING", { min: 1, max: 1000 }), 8),
  drain: Config.withDefault(
    Variable.duration("EC_RUNNER_DRAIN", { example: "30 seconds", max: "1 hour" }),
    Duration.seconds(30)
  )
})

type Settings = Config.Config.Success<typeof settings>

/** After the drain: for telling the others, which needs the database. */
const closingLimit = "8 seconds"

/** The runner of a file is reached by the commands of its user, who cannot open the file meanwhile. */
const servingOf = Effect.fnUntraced(function* (database: Database, { listen }: Settings) {
  const api = yield* RunnerHttp.apiOptions
  if (database._tag === "File") {
    const token = api.token ?? (yield* Door.newToken)
    const place = Option.getOrElse(listen, () => ({ host: "127.0.0.1", port: 0 }))
    return Option.some({ ...place, api: { ...api, token } })
  }
  return Option.map(listen, (place) => ({ ...place, api: api.token === undefined ? undefined : api }))
})

/** Why it cannot do its work now. The question is answered by the database. */
const obstacle = (drain: RunnerDrain.RunnerDrainService, engine: Context.Context<WorkflowEngine>) =>
  Effect.gen(function* () {
    if (yield* drain.isDraining) return Option.some("it is stopping")
    return yield* ReleaseList.list({ limit: 1 }).pipe(
      Effect.disconnect,
      Effect.timeoutTo({
        duration: "2 seconds",
        onSuccess: () => Option.none<string>(),
        onTimeout: () => Option.some("the database does not answer")
      }),
      Effect.catchAll(({ detail, resource }) => Effect.succeedSome(`${resource} cannot be used: ${detail}`))
    )
  }).pipe(Effect.provide(engine))

/**
 * Left to itself, V8 lets a heap grow to four times what was alive in it before it collects. Twice as much takes a quarter less
 * memory, and at most a tenth more processor time.
 */
const stayingSmall = Effect.sync(() => v8.setFlagsFromString("--heap-growing-percent=100"))

/** Until a signal comes. */
export const running = Effect.gen(function* () {
  yield* stayingSmall
  const output = yield* Output
  const chosen = yield* settings
  const place = yield* database
  const serving = yield* servingOf(place, chosen)
  yield* Effect.transposeMapOption(serving, ({ host, port }) => listening(host, port))
  const drain = yield* RunnerDrain.make

  const releases = ExtensionRelease.layerConfig.pipe(
    Layer.provide([
      TransferSlots.layer(Math.min(chosen.slots, ...Option.toArray(chosen.slotsOfAll))),
      PreparationSlots.layer(chosen.preparing),
      Layer.succeed(RunnerDrain.RunnerDrain, drain)
    ])
  )
  const http = Option.match(serving, {
    onNone: () => Layer.empty,
    onSome: (options) =>
      Layer.unwrapEffect(
        Effect.map(Effect.context<WorkflowEngine>(), (context) =>
          RunnerHttp.layer({ ...options, obstacle: obstacle(drain, context), metrics: Prometheus.text })
        )
      )
  })
  const all = http.pipe(
    Layer.provideMerge(releases),
    Layer.provideMerge(ReleaseMetrics.layer()),
    Layer.provideMerge(layerRunner(place, Option.getOrUndefined(chosen.slotsOfAll))),
    Layer.provideMerge(UploadHttpClient.layerConfig)
  )
  const scope = yield* Scope.make()
  const close = (exit: Exit.Exit<unknown, unknown>) =>
    Effect.disconnect(Scope.close(scope, exit)).pipe(Effect.timeout(closingLimit), Effect.ignore)

  return yield* Effect.uninterruptibleMask((restore) =>
    Effect.gen(function* () {
      const context = yield* Effect.onError(restore(Layer.buildWithScope(all, scope)), (cause) =>
        inItsOwnTime(close(Exit.failCause(cause)))
      )
      const url = Option.map(Context.getOption(context, HttpServer.HttpServer), ({ address }) =>
        urlOf(address)
      )
      yield* leaveDoor(place, url, serving).pipe(Scope.extend(scope))
      yield* output.part(started(place, url, chosen))
      yield* Effect.exit(restore(Effect.never))
      yield* Effect.logInfo(`Stops: steps that have begun may go on for ${Duration.format(chosen.drain)}.`)
      const stop = Effect.tap(drain.drain(chosen.drain), close(Exit.void))
      const handedOver = yield* inItsOwnTime(stop)
      yield* output.result(stopped(handedOver))
      // It was told to stop, which is no failure.
      return yield* new Exited({ code: exitCodes.done })
    })
  )
}).pipe(Effect.provide(Logging.layer))

const started = (
  place: Database,
  url: Option.Option<string>,
  { preparing, slots, slotsOfAll }: Settings
) => ({
  schema: Results.RunnerStarted,
  value: Results.RunnerStarted.make({
    database: describeDatabase(place),
    namespace: place.namespace,
    url: Option.getOrNull(url),
    slots,
    slotsOfAll: Option.getOrNull(slotsOfAll),
    preparing
  }),
  lines: [
    "The runner is at work. Ctrl-C stops it.",
    "",
    ...facts([
      ["database", describeDatabase(place)],
      ["namespace", place.namespace],
      ["listens on", Option.getOrElse(url, () => "nothing")]
    ])
  ]
})

const stopped = (handedOver: number) => ({
  schema: Results.RunnerStopped,
  value: Results.RunnerStopped.make({ handedOver }),
  lines: [
    handedOver === 0
      ? "Stopped. Nothing was cut off."
      : `Stopped. ${plural(handedOver, "step")} that had begun will go on in the next runner.`
  ]
})

/** Of a fiber that was interrupted, nothing that may be cut off by a limit is done any more. */
const inItsOwnTime = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.flatMap(Effect.forkDaemon(Effect.interruptible(effect)), Fiber.join)

const leaveDoor = (
  database: Database,
  url: Option.Option<string>,
  serving: Effect.Effect.Success<ReturnType<typeof servingOf>>
) =>
  database._tag === "File" && Option.isSome(url) && Option.isSome(serving) && serving.value.api?.token
    ? Door.open(database.path, url.value, serving.value.api.token)
    : Effect.void

/** Who listens on all addresses is found on this machine by the one that is its own. */
const urlOf = (address: HttpServer.Address): string => {
  if (address._tag === "UnixAddress") return address.path
  const host = ["0.0.0.0", "::"].includes(address.hostname) ? "127.0.0.1" : address.hostname
  return `http://${host.includes(":") ? `[${host}]` : host}:${address.port}`
}
