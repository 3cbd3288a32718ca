/** One request, its connection and its answer; and how many of them are under way. */
import * as Http from "node:http"
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as HashSet from "effect/HashSet"
import * as Layer from "effect/Layer"
import * as Ref from "effect/Ref"
import * as Stream from "effect/Stream"
import * as SubscriptionRef from "effect/SubscriptionRef"
import type { Fault, InterimResponse } from "../Fault.ts"
import type { Entry } from "./recorder.ts"

/** The connection ended, by the client's doing or by a fault's: there is nobody left to answer. */
export class ConnectionGone extends Data.TaggedError("ConnectionGone") {}

export interface ExchangeService {
  readonly request: Http.IncomingMessage
  readonly response: Http.ServerResponse
  /** The request target up to its query, as sent. */
  readonly path: string
  readonly query: URLSearchParams
  /** The client holds its body back until it sees `100 Continue` or a final answer. */
  readonly awaitsContinue: boolean
  readonly entry: Entry
  readonly faults: ReadonlyArray<Fault>
  /** From here on the request does not count as being handled. */
  readonly leave: Effect.Effect<void>
}

/** The request that is being handled. */
export class Exchange extends Context.Tag("effect-elastic-extensions/testing/Exchange")<
  Exchange,
  ExchangeService
>() {}

/** Fails when the connection ends, and only then. */
export const gone: Effect.Effect<never, ConnectionGone, Exchange> = Effect.flatMap(Exchange, ({ request }) =>
  Effect.async<never, ConnectionGone>((resume) => {
    const { socket } = request
    const onClose = () => resume(Effect.fail(new ConnectionGone()))
    if (socket.destroyed) return onClose()
    socket.once("close", onClose)
    return Effect.sync(() => socket.off("close", onClose))
  })
)

/** Keeps the connection open, does nothing with it, and no longer counts as being handled. */
export const hold: Effect.Effect<never, ConnectionGone, Exchange> = Effect.flatMap(Exchange, ({ leave }) =>
  Effect.zipRight(leave, gone)
)

/** Writes (1xx) responses before the final one, as they stand: `node:http` itself offers only a few of them. */
export const interim = (responses: ReadonlyArray<InterimResponse>): Effect.Effect<void, never, Exchange> =>
  Effect.map(Exchange, ({ request }) => {
    request.socket.write(responses.map(interimText).join(""))
  })

const interimText = ({ headers, reason, status }: InterimResponse): string => {
  const lines = Object.entries(headers ?? {}).map(([name, value]) => `${name}: ${value}\r\n`)
  return `HTTP/1.1 ${status} ${reason ?? Http.STATUS_CODES[status] ?? "Interim"}\r\n${lines.join("")}\r\n`
}

/** What is going on: requests being handled, restarts. */
export class Activity extends Context.Tag("effect-elastic-extensions/testing/Activity")<
  Activity,
  {
    /** Counts one more; the effect it returns takes that one back, and may run any number of times. */
    readonly enter: Effect.Effect<Effect.Effect<void>>
    readonly settled: Effect.Effect<void>
  }
>() {}

export const layerActivity: Layer.Layer<Activity> = Layer.effect(
  Activity,
  Effect.gen(function* () {
    const active = yield* SubscriptionRef.make(HashSet.empty<number>())
    const entries = yield* Ref.make(0)
    return {
      enter: Ref.getAndUpdate(entries, (count) => count + 1).pipe(
        Effect.tap((entry) => Ref.update(active, HashSet.add(entry))),
        Effect.map((entry) => Ref.update(active, HashSet.remove(entry)))
      ),
      settled: active.changes.pipe(
        Stream.filter((going) => HashSet.size(going) === 0),
        Stream.runHead,
        Effect.asVoid
      )
    }
  })
)
