/** How far one exchange has come, and how long each part of it may take. */
import type { Clock } from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as ByteStream from "../../../byteStream.ts"
import * as Monotonic from "../../Monotonic.ts"
import { ConnectTimeout, DeadlineExceeded, type Phase, UploadStalled } from "../../TransferError.ts"

/** What one exchange may take, in milliseconds; `Infinity` where it may take any time. */
export interface Limits {
  readonly connect: number
  readonly continue: number
  readonly stall: number
  readonly response: number
  /** The same for a request that only asks. */
  readonly read: number
  readonly deadline: number
}

/** One every ten seconds for almost three hours: longer than any service takes over what it was sent. */
const maxInterims = 1000

/**
 * How far one exchange has come. Written by the event handlers of its connection and by its sending loop, many times a
 * second, so it is plain mutable state and no `Ref`.
 */
export class Progress {
  phase: Phase = "resolving"
  bytesSent = 0
  movedAt: number
  /** Host and port of the proxy, once it is known that there is one. */
  proxy: string | undefined
  readonly method: string
  readonly origin: string
  readonly bytesTotal: number | undefined
  readonly #clock: Clock
  /** Interim responses since anything else moved. */
  #interims = 0

  constructor(options: {
    readonly clock: Clock
    readonly method: string
    readonly url: URL
    readonly bytesTotal: number | undefined
  }) {
    this.#clock = options.clock
    this.method = options.method
    this.origin = options.url.origin
    this.bytesTotal = options.bytesTotal
    this.movedAt = this.now()
  }

  /** On the monotonic clock. */
  now(): number {
    return Monotonic.unsafeNow(this.#clock)
  }

  /** Something crossed the wire, in either direction. */
  moved(): void {
    this.#interims = 0
    this.movedAt = this.now()
  }

  /** An interim response is a sign of life as well, unless there is no end of them. */
  heard(): void {
    if (this.#interims === maxInterims) return
    this.#interims += 1
    this.movedAt = this.now()
  }

  enter(phase: Phase): void {
    this.phase = phase
    this.moved()
  }

  /** The fields every transfer error begins with. */
  get snapshot() {
    return {
      method: this.method,
      origin: this.origin,
      ...(this.proxy === undefined ? {} : { proxy: this.proxy }),
      phase: this.phase,
      bytesSent: this.bytesSent,
      ...(this.bytesTotal === undefined ? {} : { bytesTotal: this.bytesTotal })
    }
  }
}

export const connectWithin =
  (progress: Progress, limit: number) =>
  <E>(ready: Effect.Effect<void, E>): Effect.Effect<void, E | ConnectTimeout> =>
    Effect.timeoutFail(ready, {
      duration: Duration.millis(limit),
      onTimeout: () => connectTimeout(progress, limit)
    })

/**
 * A server may think about a whole upload for longer than a line may be silent. What comes before the body is sent has a limit
 * that movement does not renew.
 */
const silenceAllowed = (progress: Progress, limits: Limits): number => {
  if (progress.phase === "sending") return limits.stall
  if (progress.phase !== "awaiting-response") return Number.POSITIVE_INFINITY
  return progress.method === "GET" || progress.method === "HEAD"
    ? Math.min(limits.read, limits.response)
    : limits.response
}

/**
 * Fails when the connection is not there within its limit, or when nothing has moved for as long as the phase allows. It
 * sleeps until that could first be the case and looks again, so a transfer that moves pays nothing for it. It never sleeps past
 * the end of the shortest limit, because the phase may change meanwhile.
 */
export const watch = (
  progress: Progress,
  limits: Limits,
  isConnected: () => boolean
): Effect.Effect<never, UploadStalled | ConnectTimeout> =>
  Effect.suspend(() => {
    const connectUntil = progress.now() + limits.connect
    const look: Effect.Effect<never, UploadStalled | ConnectTimeout> = Effect.suspend(() => {
      const isPending = !isConnected()
      const limit = silenceAllowed(progress, limits)
      const left = (isPending ? connectUntil : progress.movedAt + limit) - progress.now()
      if (left <= 0) return isPending ? connectTimeout(progress, limits.connect) : stalled(progress, limit)
      const most = Math.min(left, limits.stall, limits.response, limits.read)
      return Effect.flatMap(Effect.sleep(Duration.millis(Math.ceil(most))), () => look)
    })
    return look
  })

export const withinDeadline =
  (progress: () => Progress, limit: number) =>
  <A, E, R>(exchange: Effect.Effect<A, E, R>): Effect.Effect<A, E | DeadlineExceeded, R> =>
    limit === Number.POSITIVE_INFINITY
      ? exchange
      : Effect.timeoutFail(exchange, {
          duration: Duration.millis(limit),
          onTimeout: () => deadlineExceeded(progress(), limit)
        })

/**
 * For reading an answer, which may go on after the exchange was handed over: each chunk of it may take as long as a stall, and all of
 * them no longer than until the deadline.
 */
export const silenceOf = (
  progress: Progress,
  { deadline, stall }: Limits,
  deadlineAt: number
): ByteStream.TimeoutOptions<UploadStalled | DeadlineExceeded> => ({
  limitMillis: stall,
  deadlineAt,
  onTimeout: () =>
    progress.now() >= deadlineAt ? deadlineExceeded(progress, deadline) : stalled(progress, stall)
})

const connectTimeout = (progress: Progress, limitMillis: number): ConnectTimeout =>
  new ConnectTimeout({ ...progress.snapshot, limitMillis })

const stalled = (progress: Progress, limitMillis: number): UploadStalled =>
  new UploadStalled({ ...progress.snapshot, limitMillis })

const deadlineExceeded = (progress: Progress, limitMillis: number): DeadlineExceeded =>
  new DeadlineExceeded({ ...progress.snapshot, limitMillis })
