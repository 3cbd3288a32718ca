/** The body of a request, as it arrives. */
import type * as Http from "node:http"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import { ConnectionGone, Exchange, gone } from "./exchange.ts"
import * as Faults from "./faults.ts"

/**
 * The body without its framing, at the pace of whoever pulls.
 *
 * Sends `100 Continue` first where the client waits for it; counts and hashes for the record what it hands on; stops
 * exactly where a fault is planned.
 */
export const stream: Stream.Stream<Uint8Array, ConnectionGone, Exchange> = Stream.unwrap(
  Effect.gen(function* () {
    yield* sendContinue
    const { entry, request } = yield* Exchange
    const rate = Option.map(yield* Faults.planned("ReadSlowly"), ({ bytesPerSecond }) => bytesPerSecond)
    let stops = yield* plannedStops
    let left: Uint8Array = new Uint8Array(0)

    const strikeUpTo = (position: number) =>
      Effect.suspend(() => {
        const due = stops.filter(({ after }) => after <= position)
        stops = stops.slice(due.length)
        return Effect.forEach(due, ({ fault }) => Faults.strike(fault), { discard: true })
      })

    const allowance = (): number =>
      Math.min(
        stops[0] === undefined ? Number.POSITIVE_INFINITY : stops[0].after - entry.bodyBytes(),
        Option.match(rate, { onNone: () => Number.POSITIVE_INFINITY, onSome: sliceOf })
      )

    const take = (): Uint8Array => {
      const piece = left.subarray(0, Math.min(left.length, allowance()))
      left = left.subarray(piece.length)
      entry.received(piece)
      return piece
    }

    const pause = (bytes: number) =>
      Option.match(rate, {
        onNone: () => Effect.void,
        onSome: (perSecond) => Effect.raceFirst(Effect.sleep((bytes / perSecond) * 1000), gone)
      })

    const end = Effect.gen(function* () {
      yield* strikeUpTo(Number.POSITIVE_INFINITY)
      entry.ended()
      yield* Faults.reach("body")
      return Option.none<Uint8Array>()
    })

    const next = Effect.gen(function* () {
      yield* strikeUpTo(entry.bodyBytes())
      if (left.length === 0) {
        const chunk = yield* readChunk(request)
        if (Option.isNone(chunk)) return yield* end
        left = chunk.value
      }
      const piece = take()
      yield* pause(piece.length)
      return Option.some(piece)
    })

    return Stream.repeatEffectOption(
      Effect.matchEffect(next, {
        onFailure: (gone) => Effect.fail(Option.some(gone)),
        onSuccess: Option.match({ onNone: () => Effect.fail(Option.none()), onSome: Effect.succeed })
      })
    )
  })
)

/** The same body, which may not be longer. */
export const atMost = <E>(
  maxBytes: number,
  tooLarge: (maxBytes: number) => E
): Stream.Stream<Uint8Array, ConnectionGone | E, Exchange> =>
  Stream.tap(stream, () =>
    Effect.flatMap(Exchange, ({ entry }) =>
      entry.bodyBytes() > maxBytes ? Effect.fail(tooLarge(maxBytes)) : Effect.void
    )
  )

/** Reads the body to its end and keeps nothing of it. */
export const discard: Effect.Effect<void, ConnectionGone, Exchange> = Stream.runDrain(stream)

/** Takes in what a refused client still sends, for the record only: no `100 Continue`, no faults. */
export const linger: Effect.Effect<void, ConnectionGone, Exchange> = Effect.flatMap(
  Exchange,
  ({ entry, request }) =>
    readChunk(request).pipe(
      Effect.tap(Option.match({ onNone: entry.ended, onSome: entry.received })),
      Effect.repeat({ until: Option.isNone }),
      Effect.asVoid
    )
)

const sendContinue = Effect.gen(function* () {
  const { awaitsContinue, response } = yield* Exchange
  const ignored = yield* Faults.planned("IgnoreExpect")
  if (awaitsContinue && Option.isNone(ignored)) response.writeContinue()
})

/** The faults in the middle of the body, by the bytes after which they strike. */
const plannedStops = Effect.map(Faults.momentary, (faults) =>
  faults
    .flatMap((fault) => (typeof fault.at === "object" ? [{ after: fault.at.afterBodyBytes, fault }] : []))
    .sort((left, right) => left.after - right.after)
)

/** A tenth of a second's worth, so that a slow reader is slow evenly. */
const sliceOf = (bytesPerSecond: number): number => Math.max(1, Math.floor(bytesPerSecond / 10))

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
