import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import { ConnectionGone, type Exchange } from "./exchange.ts"

/**
 * One request at a time for each upload. A request that comes while content is still being received is proof that the
 * client gave that transfer up: the transfer is ended, its connection with it, and the newcomer sees what is left.
 *
 * @internal
 */
export interface Turns {
  /** Ends what is being transferred, then runs the effect. */
  readonly exclusively: <A, E, R>(token: string, effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  /** The same for an effect that receives content itself, and is ended by the next request. */
  readonly transferring: <A, E, R>(
    token: string,
    exchange: Exchange,
    effect: Effect.Effect<A, E, R>
  ) => Effect.Effect<A, E | ConnectionGone, R>
}

interface Transfer {
  readonly exchange: Exchange
  readonly ended: Deferred.Deferred<never, ConnectionGone>
}

interface Line {
  readonly semaphore: Effect.Semaphore
  readonly transfers: Set<Transfer>
}

const end = ({ ended, exchange }: Transfer): Effect.Effect<void> =>
  Effect.zipRight(
    Effect.sync(() => exchange.request.socket.destroy()),
    Deferred.fail(ended, new ConnectionGone())
  )

const endAll = (line: Line): Effect.Effect<void> =>
  Effect.suspend(() => Effect.forEach([...line.transfers], end, { discard: true }))

const begin = (line: Line, exchange: Exchange): Effect.Effect<Transfer> =>
  Effect.map(Deferred.make<never, ConnectionGone>(), (ended) => {
    const transfer = { exchange, ended }
    line.transfers.add(transfer)
    return transfer
  })

/** @internal */
export const make = (): Turns => {
  const lines = new Map<string, Line>()
  const lineOf = (token: string): Line => {
    const line = lines.get(token) ?? { semaphore: Effect.unsafeMakeSemaphore(1), transfers: new Set() }
    lines.set(token, line)
    return line
  }
  return {
    exclusively: (token, effect) =>
      Effect.suspend(() => {
        const line = lineOf(token)
        return Effect.zipRight(endAll(line), line.semaphore.withPermits(1)(effect))
      }),
    transferring: (token, exchange, effect) =>
      Effect.suspend(() => {
        const line = lineOf(token)
        return Effect.acquireUseRelease(
          Effect.zipRight(endAll(line), begin(line, exchange)),
          ({ ended }) => Effect.raceFirst(line.semaphore.withPermits(1)(effect), Deferred.await(ended)),
          (transfer) => Effect.sync(() => line.transfers.delete(transfer))
        )
      })
  }
}
