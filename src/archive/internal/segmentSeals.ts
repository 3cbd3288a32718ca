/**
 * Seals of an archive's segments: a fast way to recognise, in the same process, bytes that were hashed before.
 *
 * A seal is a GMAC (AES-128-GCM over additional data alone) under a random key that exists in this process's memory only.
 * Without the key nobody can make other bytes with the same seal, so it is as good as the SHA-256 for "are these the
 * bytes I have hashed?", and the processor computes it several times faster.
 *
 * @internal
 */
import { Buffer } from "node:buffer"
import { type CipherGCM, createCipheriv, randomBytes } from "node:crypto"

/** The seals of segments of `interval` bytes each; the last segment may be shorter. */
export interface Seals {
  readonly key: Uint8Array
  readonly interval: number
  readonly tags: ReadonlyArray<string>
}

/** Seals one segment after the other. Mutable: make one per run, inside an Effect. */
export class SegmentSealer {
  private readonly key: Uint8Array
  private segment: number
  private cipher: CipherGCM

  constructor(key: Uint8Array, firstSegment: number) {
    this.key = key
    this.segment = firstSegment
    this.cipher = cipherFor(key, firstSegment)
  }

  update(bytes: Uint8Array): void {
    this.cipher.setAAD(bytes)
  }

  /** The seal of the segment that ends here; the next one begins. */
  seal(): string {
    const tag = tagOf(this.cipher)
    this.segment += 1
    this.cipher = cipherFor(this.key, this.segment)
    return tag
  }
}

/** The nonce is the segment's number: seals are compared in memory and never shown, so they may be made again under it. */
const cipherFor = (key: Uint8Array, segment: number): CipherGCM => {
  const nonce = Buffer.alloc(12)
  nonce.writeUInt32BE(segment, 8)
  return createCipheriv("aes-128-gcm", key, nonce)
}

const tagOf = (cipher: CipherGCM): string => {
  cipher.final()
  return cipher.getAuthTag().toString("base64")
}

/** A new key, or `undefined` on a runtime whose ciphers cannot seal a segment that comes in several chunks. */
export const makeKey = (): Uint8Array | undefined => {
  sealsChunks ??= tryOut()
  return sealsChunks ? randomBytes(16) : undefined
}

let sealsChunks: boolean | undefined

/** Deno's `setAAD` replaces what an earlier call gave instead of adding to it: its seals would cover the last chunk only. */
const tryOut = (): boolean => {
  const sealOf = (...chunks: ReadonlyArray<string>) => {
    const cipher = cipherFor(new Uint8Array(16), 0)
    for (const chunk of chunks) cipher.setAAD(Buffer.from(chunk))
    return tagOf(cipher)
  }
  return sealOf("in", "chunks") === sealOf("inchunks")
}
