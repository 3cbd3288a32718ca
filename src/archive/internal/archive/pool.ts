/** The memory of all readings in this process: each has enough to go on, and what is left is shared evenly. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"

/** Buffers that one reading uses in turn. */
export interface Ring {
  /** The next buffer, of at most so many bytes and at least one. It may still hold the chunk of one turn ago. */
  readonly next: (wanted: number) => Uint8Array
}

export interface RingOptions {
  readonly buffers: number
  /** The largest buffer that is of use, in bytes. */
  readonly bufferBytes: number
}

export interface PoolOptions {
  /** What a buffer has in any case, in bytes. A reading waits until there is as much for each of its buffers. */
  readonly leastBytes: number
  /** All that may be promised in this way, in bytes. */
  readonly promisedBytes: number
  /** What may be lent beyond that, in bytes: a share for each buffer in use, the same for all of them. */
  readonly lentBytes: number
}

/**
 * Makes a pool that never hands out more than `promisedBytes + lentBytes`.
 *
 * What is promised is taken all at once and before anything is lent, so nobody waits while holding a part of what somebody
 * else needs. What is lent adapts to how many there are: one reading has large buffers, and when a hundred others come,
 * its buffers shrink when their turn comes again. Buffers are handed from turn to turn within a reading, and never to
 * another one: whoever still writes from a buffer when its reading has ended keeps it to himself.
 */
export const makePool = ({ leastBytes, lentBytes, promisedBytes }: PoolOptions) => {
  const most = Math.max(1, Math.floor(promisedBytes / leastBytes))
  const promises = Effect.unsafeMakeSemaphore(most)
  let buffersInUse = 0
  let lent = 0

  const ring = ({ buffers, bufferBytes }: RingOptions): Effect.Effect<Ring, never, Scope.Scope> =>
    Effect.uninterruptibleMask((restore) =>
      Effect.gen(function* () {
        const promised = Math.min(most, buffers)
        yield* restore(promises.take(promised))
        const held: Array<Uint8Array> = []
        const borrowed: Array<number> = []
        buffersInUse += buffers
        yield* Effect.addFinalizer(() => {
          buffersInUse -= buffers
          for (const bytes of borrowed) lent -= bytes
          return promises.release(promised)
        })

        const replace = (slot: number, wanted: number): Uint8Array => {
          lent -= borrowed[slot] ?? 0
          const extra = Math.min(wanted - leastBytes, lentBytes - lent)
          borrowed[slot] = Math.max(0, extra)
          lent += borrowed[slot]
          const buffer = new Uint8Array(Math.min(wanted, leastBytes + borrowed[slot]))
          held[slot] = buffer
          return buffer
        }
        let turn = 0
        return {
          next: (wanted) => {
            const slot = turn++ % buffers
            const fair = leastBytes + Math.floor(lentBytes / buffersInUse)
            const target = Math.max(1, Math.min(wanted, bufferBytes, fair))
            const before = held[slot]
            // Whoever comes or goes moves the share a little: that is not worth another buffer.
            const isFitting = before !== undefined && before.length <= 2 * fair && before.length >= target / 4
            return isFitting ? before : replace(slot, target)
          }
        } satisfies Ring
      })
    )
  return { ring }
}

const KiB = 1024

/**
 * The pool in force: by default one for the whole process, of 96 MiB. Two hundred and fifty uploads can be read at a time, a handful
 * of them in full strides.
 */
export class BufferPool extends Context.Reference<BufferPool>()(
  "effect-elastic-extensions/archive/BufferPool",
  {
    defaultValue: () =>
      makePool({ leastBytes: 64 * KiB, promisedBytes: 64 * KiB * KiB, lentBytes: 32 * KiB * KiB })
  }
) {}
