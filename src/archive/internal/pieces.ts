/**
 * Cutting chunks at offsets that the chunks know nothing of.
 *
 * @internal
 */

/** A part of a chunk. */
export interface Piece {
  readonly bytes: Uint8Array
  /** Where it ends, in bytes from the start of the archive. */
  readonly end: number
  /** Whether it ends at a stop. */
  readonly isStop: boolean
}

/**
 * Cuts a chunk that begins at `position` at each stop on its way. `stopAfter` gives the first stop beyond a position, or
 * `undefined` when there is none.
 */
export function* piecesOf(
  chunk: Uint8Array,
  position: number,
  stopAfter: (position: number) => number | undefined
): Generator<Piece> {
  let from = 0
  while (from < chunk.length) {
    const start = position + from
    const stop = stopAfter(start) ?? Number.POSITIVE_INFINITY
    const to = Math.min(chunk.length, from + stop - start)
    yield { bytes: chunk.subarray(from, to), end: position + to, isStop: position + to === stop }
    from = to
  }
}
