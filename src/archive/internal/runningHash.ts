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
}
