import type { Clock } from "effect/Clock"
import type { Phase } from "../../TransferError.ts"

/**
 * How far one exchange has come. Written by the event handlers of its connection and by its sending loop, many times a
 * second, so it is plain mutable state and no `Ref`.
 *
 * @internal
 */
export class Progress {
  phase: Phase = "resolving"
  bytesSent = 0
  movedAt: number
  readonly method: string
  readonly origin: string
  readonly bytesTotal: number | undefined
  readonly #clock: Clock

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

  now(): number {
    return this.#clock.unsafeCurrentTimeMillis()
  }

  /** Something crossed the wire, in either direction. */
  moved(): void {
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
      phase: this.phase,
      bytesSent: this.bytesSent,
      ...(this.bytesTotal === undefined ? {} : { bytesTotal: this.bytesTotal })
    }
  }
}
