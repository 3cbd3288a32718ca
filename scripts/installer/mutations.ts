/** Archives that were damaged or tampered with: a few bytes of a good one are not what they were. */
import * as FastCheck from "effect/FastCheck"
import type { Sample } from "./sample.ts"

/** Where a ZIP says something about itself: up to 46 bytes after each signature. */
const headerBytes = (bytes: Uint8Array): ReadonlyArray<number> => {
  const starts = [...bytes.keys()].filter(
    (at) =>
      bytes[at] === 0x50 &&
      bytes[at + 1] === 0x4b &&
      [0x0403, 0x0201, 0x0605, 0x0807, 0x0606, 0x0706].includes(
        (bytes[at + 3] ?? 0) * 256 + (bytes[at + 2] ?? 0)
      )
  )
  return starts
    .flatMap((start) => Array.from({ length: 46 }, (_, n) => start + n))
    .filter((at) => at < bytes.length)
}

type Damage = (bytes: Uint8Array) => readonly [what: string, bytes: Uint8Array]

const set =
  (at: number, change: (byte: number) => number): Damage =>
  (bytes) => {
    const copy = Uint8Array.from(bytes)
    const value = change(copy[at] ?? 0) & 0xff
    copy[at] = value
    return [`byte ${at} is ${value}`, copy]
  }

const splice =
  (from: number, to: number, between: Uint8Array): Damage =>
  (bytes) => [
    `${between.length} bytes for bytes ${from} to ${to}`,
    new Uint8Array(Buffer.concat([bytes.subarray(0, from), between, bytes.subarray(to)]))
  ]

const damageTo = (bytes: Uint8Array): FastCheck.Arbitrary<Damage> => {
  const anywhere = FastCheck.nat(bytes.length - 1)
  const headers = headerBytes(bytes)
  const inHeader = headers.length === 0 ? anywhere : FastCheck.constantFrom(...headers)
  const flipped = FastCheck.nat(7).map((bit) => (byte: number) => byte ^ (1 << bit))
  const replaced = FastCheck.nat(255).map((value) => () => value)
  const some = FastCheck.uint8Array({ minLength: 1, maxLength: 40 })
  const none = new Uint8Array(0)
  return FastCheck.oneof(
    { weight: 4, arbitrary: FastCheck.tuple(inHeader, flipped).map(([at, change]) => set(at, change)) },
    { weight: 2, arbitrary: FastCheck.tuple(inHeader, replaced).map(([at, change]) => set(at, change)) },
    { weight: 3, arbitrary: FastCheck.tuple(anywhere, flipped).map(([at, change]) => set(at, change)) },
    { weight: 1, arbitrary: anywhere.map((at) => splice(Math.max(1, at), bytes.length, none)) },
    {
      weight: 1,
      arbitrary: FastCheck.tuple(anywhere, some).map(([at, gone]) =>
        splice(at, Math.min(bytes.length, at + gone.length), none)
      )
    },
    { weight: 1, arbitrary: FastCheck.tuple(anywhere, some).map(([at, more]) => splice(at, at, more)) },
    { weight: 1, arbitrary: some.map((more) => splice(0, 0, more)) },
    { weight: 1, arbitrary: some.map((more) => splice(bytes.length, bytes.length, more)) }
  )
}

/** The same damage for the same seed and the same archives. */
export const mutationsOf = (
  samples: ReadonlyArray<Sample>,
  options: { readonly each: number; readonly seed: number }
): ReadonlyArray<Sample> =>
  samples.flatMap((sample, index) =>
    FastCheck.sample(damageTo(sample.bytes), { seed: options.seed + index, numRuns: options.each }).map(
      (damage) => {
        const [what, bytes] = damage(sample.bytes)
        return { name: `${sample.name}; ${what}`, origin: "mutation" as const, bytes }
      }
    )
  )
