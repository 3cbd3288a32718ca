/** Where a command sends what it tells of itself: nowhere, unless the environment names a collector. */
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as FiberRef from "effect/FiberRef"
import { flow } from "effect/Function"
import * as HashSet from "effect/HashSet"
import * as Logger from "effect/Logger"
import * as Option from "effect/Option"
import * as Variable from "../../transfer/Variable.ts"
import type { Output } from "./output.ts"

/** The variables that OpenTelemetry has for every program. `OTEL_SDK_DISABLED` switches it off whatever the others say. */
const collector = Config.all({
  endpoint: Config.option(Variable.text("OTEL_EXPORTER_OTLP_ENDPOINT")),
  isOff: Config.withDefault(Variable.boolean("OTEL_SDK_DISABLED"), false)
}).pipe(
  Config.map(({ endpoint, isOff }) => Option.filter(endpoint, () => !isOff)),
  Effect.orElseSucceed(() => Option.none<string>())
)

/**
 * Exports the spans, metrics and log lines of a command by OTLP, if `OTEL_EXPORTER_OTLP_ENDPOINT` says where to. What exports
 * them is loaded only then.
 */
export const exported = <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R | Output> =>
  Effect.flatMap(
    collector,
    Option.match({
      onNone: (): Effect.Effect<A, E, R | Output> => self,
      onSome: (endpoint) =>
        Effect.flatMap(
          Effect.promise(() => import("./otlp.ts")),
          ({ exportingTo }) => exportingTo(endpoint, self)
        )
    })
  )

/** What a command shows to people is the report of its events; lines of a log would come between, or into the JSON. */
export const withoutConsoleLog: <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R> =
  Effect.locallyWith(
    FiberRef.currentLoggers,
    flow(HashSet.remove(Logger.defaultLogger), HashSet.remove(Logger.prettyLoggerDefault))
  )
