/** Interim responses on their way from the socket to the caller. */
import * as Effect from "effect/Effect"
import type { ExchangeOptions, InterimResponse } from "../../Exchange.ts"

/** Interim responses held at most before the socket is paused, beyond those of the one read that crossed the line. */
const bound = 16

export interface Interim {
  /** Called by the connection for every interim response. */
  readonly offer: (response: InterimResponse) => void
  /** Runs the caller's effects, one after the other in order of arrival, for as long as the exchange lasts. */
  readonly deliver: Effect.Effect<void>
  /** Whether every interim response received so far has been dealt with. */
  readonly isSettled: () => boolean
  /** Waits until that is so. */
  readonly settled: Effect.Effect<void>
}

const ignored: Interim = {
  offer: () => {},
  deliver: Effect.void,
  isSettled: () => true,
  settled: Effect.void
}

/**
 * Hands interim responses from the socket's events to an effect. A server that sends them faster than they are dealt with
 * is held back by pausing the socket, so that nothing is lost, reordered or piled up.
 */
export const make = (
  onInterim: ExchangeOptions["onInterim"],
  socket: { readonly pause: () => void; readonly resume: () => void }
): Interim => {
  if (onInterim === undefined) return ignored
  const queue: Array<InterimResponse> = []
  const arrived = Effect.unsafeMakeLatch(false)
  const idle = Effect.unsafeMakeLatch(true)
  let paused = false
  let isSettled = true

  /** Not at once: after every message, node:http resumes the socket it has read it from. */
  const hold = () => {
    if (queue.length === 0) return
    paused = true
    socket.pause()
  }

  const offer = (response: InterimResponse) => {
    queue.push(response)
    isSettled = false
    idle.unsafeClose()
    arrived.unsafeOpen()
    if (queue.length === bound) queueMicrotask(hold)
  }

  const next: Effect.Effect<void> = Effect.suspend(() => {
    const response = queue.shift()
    if (response !== undefined) return onInterim(response)
    arrived.unsafeClose()
    isSettled = true
    idle.unsafeOpen()
    if (paused) socket.resume()
    paused = false
    return arrived.await
  })

  return { offer, deliver: Effect.forever(next), isSettled: () => isSettled, settled: idle.await }
}
