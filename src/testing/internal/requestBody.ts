import type * as Http from "node:http"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import type { MomentaryFault } from "../Fault.ts"
import * as Exchange from "./exchange.ts"
import { ConnectionGone } from "./exchange.ts"

/** What has arrived, or none at the end of the body. Asks the socket for no more than one buffer at a time. */
const readChunk = (request: Http.IncomingMessage): Effect.Effect<Option.Option<Uint8Array>, ConnectionGone> =>
  Effect.async((resume) => {
    const stop = () => {
      request.off("readable", onReadable).off("end", onEnd).off("close", onClose).off("error", onClose)
    }
    const finish = (result: Effect.Effect<Option.Option<Uint8Array>, ConnectionGone>) => {
      stop()
      resume(result)
    }
    const onEnd = () => finish(Effect.succeedNone)
    const onClose = () =>
      finish(request.readableEnded ? Effect.succeedNone : Effect.fail(new ConnectionGone()))
    const onReadable = () => {
      const chunk: Uint8Array | null = request.read()
      if (chunk !== null) finish(Effect.succeedSome(chunk))
    }
    request.on("readable", onReadable).on("end", onEnd).on("close", onClose).on("error", onClose)
    const buffered: Uint8Array | null = request.read()
    if (buffered !== null) finish(Effect.succeedSome(buffered))
    else if (request.readableEnded || request.destroyed) onClose()
    return Effect.sync(stop)
  })

const sendContinue = (exchange: Exchange.Exchange): Effect.Effect<void> =>
  Effect.sync(() => {
    if (exchange.awaitsContinue && Exchange.planned(exchange, "IgnoreExpect") === undefined) {
      exchange.response.writeContinue()
    }
  })

interface Stop {
  readonly after: number
  readonly fault: MomentaryFault
}

const stopsOf = (exchange: Exchange.Exchange): Array<Stop> =>
  Exchange.momentary(exchange)
    .flatMap((fault) => (typeof fault.at === "object" ? [{ after: fault.at.afterBodyBytes, fault }] : []))
    .sort((left, right) => left.after - right.after)

/** A tenth of a second's worth, so that a slow reader is slow evenly. */
const sliceOf = (bytesPerSecond: number): number => Math.max(1, Math.floor(bytesPerSecond / 10))

/**
 * The body of a request as it arrives, without its framing, at the pace of whoever pulls.
 *
 * Sends `100 Continue` first where the client waits for it; counts and hashes for the record what it hands on; stops
 * exactly where a fault is planned.
 *
 * @internal
 */
export const stream = (exchange: Exchange.Exchange): Stream.Stream<Uint8Array, ConnectionGone> =>
  Stream.unwrap(
    Effect.map(sendContinue(exchange), () => {
      const { entry, request } = exchange
      const stops = stopsOf(exchange)
      const rate = Exchange.planned(exchange, "ReadSlowly")?.bytesPerSecond
      let left: Uint8Array = new Uint8Array(0)

      const strikeUpTo = (position: number): Effect.Effect<void, ConnectionGone> =>
        Effect.suspend(() => {
          const stop = stops[0]
          if (stop === undefined || stop.after > position) return Effect.void
          stops.shift()
          return Effect.zipRight(Exchange.strike(exchange, stop.fault), strikeUpTo(position))
        })

      const allowance = (): number =>
        Math.min(
          stops[0] === undefined ? Number.POSITIVE_INFINITY : stops[0].after - entry.bodyBytes(),
          rate === undefined ? Number.POSITIVE_INFINITY : sliceOf(rate)
        )

      const take = (): Uint8Array => {
        const piece = left.subarray(0, Math.min(left.length, allowance()))
        left = left.subarray(piece.length)
        entry.received(piece)
        return piece
      }

      const pause = (bytes: number): Effect.Effect<void, ConnectionGone> =>
        rate === undefined
          ? Effect.void
          : Effect.raceFirst(Effect.sleep((bytes / rate) * 1000), Exchange.gone(exchange))

      const end: Effect.Effect<never, Option.Option<ConnectionGone>> = strikeUpTo(
        Number.POSITIVE_INFINITY
      ).pipe(
        Effect.tap(() => entry.ended()),
        Effect.zipRight(Exchange.reach(exchange, "body")),
        Effect.mapError(Option.some),
        Effect.zipRight(Effect.fail(Option.none()))
      )

      const pull = Effect.gen(function* () {
        yield* Effect.mapError(strikeUpTo(entry.bodyBytes()), Option.some)
        if (left.length === 0) {
          const chunk = yield* Effect.mapError(readChunk(request), Option.some)
          if (Option.isNone(chunk)) return yield* end
          left = chunk.value
        }
        const piece = take()
        yield* Effect.mapError(pause(piece.length), Option.some)
        return piece
      })

      return Stream.repeatEffectOption(pull)
    })
  )

/**
 * Reads the body to its end and keeps nothing of it.
 *
 * @internal
 */
export const discard = (exchange: Exchange.Exchange): Effect.Effect<void, ConnectionGone> =>
  Stream.runDrain(stream(exchange))

/**
 * Takes in what a refused client still sends, for the record only: no `100 Continue`, no faults.
 *
 * @internal
 */
export const linger = (exchange: Exchange.Exchange): Effect.Effect<void, ConnectionGone> =>
  Effect.flatMap(
    readChunk(exchange.request),
    Option.match({
      onNone: () => Effect.sync(() => exchange.entry.ended()),
      onSome: (chunk) =>
        Effect.suspend(() => {
          exchange.entry.received(chunk)
          return linger(exchange)
        })
    })
  )
