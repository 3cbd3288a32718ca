import * as Http from "node:http"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import type { CutKind, Fault, InterimResponse, Moment, MomentaryFault } from "../Fault.ts"
import type { Entry } from "./recorder.ts"

/**
 * The connection ended, by the client's doing or by a fault's: there is nobody left to answer.
 *
 * @internal
 */
export class ConnectionGone extends Data.TaggedError("ConnectionGone") {}

/**
 * One request and its answer.
 *
 * @internal
 */
export interface Exchange {
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

/**
 * Fails when the connection ends, and only then.
 *
 * @internal
 */
export const gone = (exchange: Exchange): Effect.Effect<never, ConnectionGone> =>
  Effect.async((resume) => {
    const { socket } = exchange.request
    const onClose = () => resume(Effect.fail(new ConnectionGone()))
    if (socket.destroyed) return onClose()
    socket.once("close", onClose)
    return Effect.sync(() => socket.off("close", onClose))
  })

/**
 * The fault of this kind that is planned for the request, if there is one.
 *
 * @internal
 */
export const planned = <Tag extends Fault["_tag"]>(
  exchange: Exchange,
  tag: Tag
): Extract<Fault, { readonly _tag: Tag }> | undefined =>
  exchange.faults.find((fault): fault is Extract<Fault, { readonly _tag: Tag }> => fault._tag === tag)

/**
 * The faults that strike at a moment, in the order they were planned.
 *
 * @internal
 */
export const momentary = (exchange: Exchange): ReadonlyArray<MomentaryFault> =>
  exchange.faults.filter((fault): fault is MomentaryFault => "at" in fault)

const cutConnection = (exchange: Exchange, how: CutKind): Effect.Effect<never, ConnectionGone> =>
  Effect.suspend(() => {
    const { socket } = exchange.request
    if (how === "end") socket.end()
    else if (how === "reset") socket.resetAndDestroy()
    else socket.destroy()
    return Effect.fail(new ConnectionGone())
  })

const interimText = ({ headers, reason, status }: InterimResponse): string => {
  const lines = Object.entries(headers ?? {}).map(([name, value]) => `${name}: ${value}\r\n`)
  return `HTTP/1.1 ${status} ${reason ?? Http.STATUS_CODES[status] ?? "Interim"}\r\n${lines.join("")}\r\n`
}

/**
 * Writes (1xx) responses before the final one, as they stand: `node:http` itself offers only a few of them.
 *
 * @internal
 */
export const interim = (exchange: Exchange, responses: ReadonlyArray<InterimResponse>): Effect.Effect<void> =>
  Effect.sync(() => {
    exchange.request.socket.write(responses.map(interimText).join(""))
  })

/**
 * Keeps the connection open, does nothing with it, and no longer counts as being handled.
 *
 * @internal
 */
export const hold = (exchange: Exchange): Effect.Effect<never, ConnectionGone> =>
  Effect.zipRight(exchange.leave, gone(exchange))

/**
 * Lets one fault strike.
 *
 * @internal
 */
export const strike = (exchange: Exchange, fault: MomentaryFault): Effect.Effect<void, ConnectionGone> => {
  switch (fault._tag) {
    case "Cut":
      return cutConnection(exchange, fault.how)
    case "Hang":
      return hold(exchange)
    case "Delay":
      return Effect.raceFirst(Effect.sleep(fault.millis), gone(exchange))
    case "Run":
      return fault.effect
    case "Interim":
      return interim(exchange, fault.responses)
  }
}

/**
 * Lets the faults planned for a moment strike.
 *
 * @internal
 */
export const reach = (
  exchange: Exchange,
  moment: Exclude<Moment, object>
): Effect.Effect<void, ConnectionGone> =>
  Effect.forEach(
    momentary(exchange).filter((fault) => fault.at === moment),
    (fault) => strike(exchange, fault),
    { discard: true }
  )
