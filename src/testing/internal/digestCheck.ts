import * as Crypto from "node:crypto"
import * as Option from "effect/Option"
import { parseDictionary } from "structured-headers"

/**
 * Compares bytes with what `Content-Digest` or `Repr-Digest` (RFC 9530) says of them.
 *
 * @internal
 */
export interface DigestCheck {
  /** Whether there is anything to compare with. */
  readonly isAsked: boolean
  readonly update: (bytes: Uint8Array) => void
  readonly matches: () => boolean
}

/** The active algorithms of the registry. Others say nothing about the bytes. */
const algorithms = new Map([
  ["sha-256", "sha256"],
  ["sha-512", "sha512"]
])

const dictionary = Option.liftThrowable(parseDictionary)

const expectedBy = (field: string) =>
  [...Option.getOrElse(dictionary(field), () => new Map<string, never>())].flatMap(([key, [value]]) => {
    const algorithm = algorithms.get(key)
    return algorithm !== undefined && value instanceof ArrayBuffer
      ? [{ hash: Crypto.createHash(algorithm), expected: Buffer.from(value) }]
      : []
  })

/** @internal */
export const make = (field: Option.Option<string>): DigestCheck => {
  const checks = Option.match(field, { onNone: () => [], onSome: expectedBy })
  return {
    isAsked: checks.length > 0,
    update: (bytes) => {
      for (const { hash } of checks) hash.update(bytes)
    },
    matches: () => checks.every(({ expected, hash }) => hash.digest().equals(expected))
  }
}
