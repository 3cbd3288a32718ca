/**
 * A SHA-256 that walks along an archive and can be asked, copied and continued at any byte.
 *
 * @internal
 */
import { createHash, type Hash } from "node:crypto"

/** The hash of bytes 0 to `offset`. Never updated, only copied, so that it can be continued many times. */
export interface HashState {
  readonly offset: number
  readonly hash: Hash
}

/** The key under which a digest carries its hash states: they live in memory only and are never encoded. */
export const states: unique symbol = Symbol.for("effect-elastic-extensions/archive/ArchiveDigest/states")

/** Where every archive begins. */
export const emptyState = (): HashState => ({ offset: 0, hash: createHash("sha256") })

/** Mutable: make one per run, inside an Effect, or a retry would continue the hash of the attempt before it. */
export class RunningHash {
  private readonly hash: Hash
  private offset: number

  constructor(from: HashState = emptyState()) {
    this.hash = from.hash.copy()
    this.offset = from.offset
  }

  /** Bytes hashed so far, counted from the start of the archive. */
  get position(): number {
    return this.offset
  }

  /** The hash of everything so far, in hex. */
  get hex(): string {
    return this.hash.copy().digest("hex")
  }

  get state(): HashState {
    return { offset: this.offset, hash: this.hash.copy() }
  }

  update(bytes: Uint8Array): void {
    this.hash.update(bytes)
    this.offset += bytes.length
  }

  /**
   * Hashes `bytes`, yielding at each stop on the way. `stopAfter` gives the first stop beyond a position, or `undefined`
   * when there is none.
   */
  *walk(bytes: Uint8Array, stopAfter: (position: number) => number | undefined): Generator<number> {
    let from = 0
    while (from < bytes.length) {
      const stop = stopAfter(this.offset) ?? Number.POSITIVE_INFINITY
      const to = Math.min(bytes.length, from + stop - this.offset)
      this.update(bytes.subarray(from, to))
      from = to
      if (this.offset === stop) yield stop
    }
  }
}
