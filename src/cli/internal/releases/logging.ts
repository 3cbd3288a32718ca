/** What a runner tells while it works: a line on standard error for each event, or one object of JSON. */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as HashMap from "effect/HashMap"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import * as Queue from "effect/Queue"
import { bounded } from "../../../outsideText.ts"
import { Output } from "../output.ts"
import * as Results from "../results.ts"
import { lines } from "../shown.ts"
import { Stdio } from "../terminal.ts"

type Entry = typeof Results.LogLine.Type

const entryOf = ({ annotations, cause, date, logLevel, message }: Logger.Logger.Options<unknown>): Entry => ({
  _tag: "Log",
  at: date.toISOString(),
  level: logLevel.label,
  message: [
    ...(Array.isArray(message) ? message : [message]).map(textOf),
    ...(Cause.isEmpty(cause) ? [] : [Cause.pretty(cause)])
  ].join(" "),
  about: Object.fromEntries([...HashMap.entries(annotations)].map(([name, value]) => [name, textOf(value)]))
})

const textOf = (value: unknown): string => (typeof value === "string" ? value : (JSON.stringify(value) ?? ""))

const lineOf = ({ about, at, level, message }: Entry): string =>
  bounded(
    [at, level.padEnd(5), message, ...Object.entries(about).map(([name, value]) => `${name}=${value}`)].join(
      " "
    )
  )

/** In place of every other logger. What was said when the scope closes is written before it has closed. */
export const layer: Layer.Layer<never, never, Output | Stdio> = Layer.unwrapScoped(
  Effect.gen(function* () {
    const { event, options } = yield* Output
    const { err } = yield* Stdio
    const said = yield* Queue.unbounded<Entry>()
    const write = (entry: Entry) =>
      Effect.zipRight(
        event(Results.LogLine, entry),
        options.json || options.quiet ? Effect.void : err.write(lines([lineOf(entry)]))
      )
    yield* Effect.uninterruptibleMask((restore) =>
      Effect.forever(Effect.flatMap(restore(Queue.take(said)), write))
    ).pipe(Effect.forkScoped)
    yield* Effect.addFinalizer(() =>
      Effect.flatMap(Queue.takeAll(said), (rest) => Effect.forEach(rest, write, { discard: true }))
    )
    const logger = Logger.make<unknown, void>((all) => {
      if (isWorthIt(all)) Queue.unsafeOffer(said, entryOf(all))
    })
    return Layer.merge(
      Logger.replace(Logger.defaultLogger, logger),
      Logger.remove(Logger.prettyLoggerDefault)
    )
  })
)

/** The cluster's own accounts of its inner life are for its developers, unless they are warnings. */
const isWorthIt = ({ annotations, logLevel }: Logger.Logger.Options<unknown>): boolean =>
  !HashMap.has(annotations, "package") || LogLevel.greaterThanEqual(logLevel, LogLevel.Warning)
