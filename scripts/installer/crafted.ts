/** Archives put together from random parts: descriptors, names, and headers that contradict one another. */
import * as FastCheck from "effect/FastCheck"
import {
  classic,
  descriptor,
  dictionary,
  type EntrySpec,
  jar,
  stable,
  zip
} from "../../test/support/archive/zip.ts"
import type { Sample } from "./sample.ts"

/** Values that some key may have, and the installer may take. */
const usual: Readonly<Record<string, ReadonlyArray<string>>> = {
  name: ["analysis-acme", "acme", "a.b_c-1", "größe"],
  description: ["", "Analysis", "a = b : c", "f\\u00fcr Acme", "für Acme", "two \\\n   lines"],
  version: ["", "2.1.0", "2.1.0-SNAPSHOT"],
  "java.version": ["17", "1.8", "21"],
  "elasticsearch.version": ["8.17.0", "7.17.0", "9.0.0", "9.0.0-beta1"],
  classname: ["com.acme.Plugin", "com.acme.Größe"],
  licensed: ["true", "false", ""],
  "has.native.controller": ["false", ""],
  "extended.plugins": ["", "analysis-icu", "a,b"],
  modulename: ["com.acme", ""],
  modular: ["true", "false"]
}

/** Values that are right for few keys, or none. */
const odd = [
  "",
  " ",
  "true",
  "yes",
  "TRUE",
  "1.8.0_202",
  "8.17",
  "8.17.0 ",
  "8.17.0-SNAPSHOT",
  "a/b",
  "../a",
  "..",
  ".",
  "x".repeat(256),
  "$" + "{version}",
  "a\\",
  "\\u12",
  "\\ x",
  "\u00a0",
  "\u3000x"
] as const

const keys = [
  ...Object.keys(usual),
  "type",
  "java.opts",
  "jvm",
  "site",
  "isolated",
  "requires.keystore"
] as const
const separators = [" ", " = ", ":", "\t", "\f", "\u00a0=", "\v=", "\u2028=", "\\=", "", "\\ ="] as const
const lineEnds = ["\r\n", "\r", "\n\n", "\n#", "\n !", "\n \t", "\u2028", "\u0085", "\\\n"] as const

/** Mostly the first, and now and then one of the others. */
const mostly = <A>(first: A, ...others: ReadonlyArray<A>): FastCheck.Arbitrary<A> =>
  FastCheck.oneof(
    { weight: 9, arbitrary: FastCheck.constant(first) },
    { weight: 1, arbitrary: FastCheck.constantFrom(...others) }
  )

const line = FastCheck.constantFrom(...keys).chain((key) =>
  FastCheck.tuple(
    FastCheck.constant(key),
    mostly("=", ...separators),
    FastCheck.oneof(
      { weight: 3, arbitrary: FastCheck.constantFrom(...(usual[key] ?? odd)) },
      { weight: 1, arbitrary: FastCheck.constantFrom(...odd) }
    ),
    mostly("\n", ...lineEnds)
  ).map((parts) => parts.join(""))
)

/** A good descriptor with a few lines more, which replace what it says or are too much for it. */
const descriptors = FastCheck.record({
  start: mostly("", "\ufeff", "#\n", " "),
  lines: FastCheck.array(line, { minLength: 1, maxLength: 3 }),
  isFirst: FastCheck.boolean(),
  isStable: FastCheck.boolean(),
  encoding: FastCheck.constantFrom("utf8" as const, "latin1" as const),
  without: mostly("nothing", ...keys.slice(0, 6))
}).map(({ encoding, isFirst, isStable, lines, start, without }) => {
  const given = descriptor({ ...(isStable ? { classname: undefined } : {}), [without]: undefined })
  const parts = isFirst ? [start, ...lines, given, "\n"] : [start, given, "\n", ...lines]
  return [{ ...(isStable ? stable() : classic()), data: Buffer.from(parts.join(""), encoding) }, jar]
})

const segments = [
  "",
  ".",
  "..",
  "bin",
  "elasticsearch",
  "scripts",
  "C:",
  "a\\b",
  "a\0b",
  "x".repeat(255),
  "x".repeat(256),
  "ü".repeat(130),
  "._b.jar",
  "acme.jar",
  "plugin-descriptor.properties"
] as const

const segment = FastCheck.oneof(
  { weight: 2, arbitrary: FastCheck.constantFrom("a", "b.jar", "config", "lib", "ü", "a b", "a:b") },
  { weight: 1, arbitrary: FastCheck.constantFrom(...segments) }
)

const names = FastCheck.array(segment, { minLength: 1, maxLength: 3 }).map((parts) => parts.join("/"))

const named = FastCheck.tuple(
  FastCheck.array(FastCheck.tuple(names, FastCheck.constantFrom("", "x", "1\nhello\n")), {
    minLength: 1,
    maxLength: 2
  }),
  FastCheck.boolean()
).map(([more, isFirst]) => {
  const entries = more.map(([name, data]): EntrySpec => ({ name, data, method: data === "" ? 0 : 8 }))
  return isFirst ? [...entries, classic(), jar] : [classic(), jar, ...entries]
})

/** At most two of the properties that were drawn. */
const few = <A extends object>(drawn: FastCheck.Arbitrary<A>) =>
  FastCheck.tuple(drawn, FastCheck.nat(2), FastCheck.nat()).map(([all, count, turn]): Partial<A> => {
    const entries = Object.entries(all)
    const start = turn % Math.max(1, entries.length)
    const kept: Partial<A> = {}
    return Object.assign(kept, Object.fromEntries([...entries, ...entries].slice(start, start + count)))
  })

/** What the directory says of an entry is not what the entry says of itself, or neither is true. */
const contradictory = FastCheck.tuple(
  FastCheck.constantFrom(classic(), jar, dictionary, { name: "config/acme.yml", data: "a: 1\n" }),
  few(
    FastCheck.record(
      {
        localName: FastCheck.oneof(
          names,
          FastCheck.constantFrom("plugin-descriptor.properties", "../evil.txt", "")
        ),
        method: FastCheck.constantFrom(0, 8, 9, 12, 14, 93),
        flags: FastCheck.constantFrom(1, 8, 0x41, 0x2000),
        mode: FastCheck.constantFrom(0, 0o040755, 0o100644, 0o120777, 0o020666, 0xffff),
        compressedSize: FastCheck.constantFrom(0, 1, 7, 0x10000, 0xffffffff),
        uncompressedSize: FastCheck.constantFrom(0, 1, 7, 0x10000, 0xffffffff),
        crc: FastCheck.constantFrom(0, 1),
        offset: FastCheck.constantFrom(0, 1, 30, 0x7fffffff)
      },
      { requiredKeys: [] }
    )
  ),
  few(
    FastCheck.record(
      {
        comment: FastCheck.constantFrom("", "hi", "PK\x05\x06", "x".repeat(70)),
        prefix: FastCheck.constantFrom(new Uint8Array(0), new Uint8Array([1]), new Uint8Array(64)),
        zip64: FastCheck.boolean(),
        count: FastCheck.constantFrom(0, 1, 2, 3, 4)
      },
      { requiredKeys: [] }
    )
  )
).map(([entry, lies, end]) => zip([classic(), jar, { ...entry, ...lies }], end))

const kinds = {
  "a descriptor": descriptors.map((entries) => zip(entries)),
  names: named.map((entries) => zip(entries)),
  "a contradiction": contradictory
} as const

/** The same archives for the same seed. */
export const crafted = (options: { readonly each: number; readonly seed: number }): ReadonlyArray<Sample> =>
  Object.entries(kinds).flatMap(([kind, arbitrary]) =>
    FastCheck.sample(arbitrary, { seed: options.seed, numRuns: options.each }).map((bytes, index) => ({
      name: `${kind}, the ${index}th for seed ${options.seed}`,
      origin: "crafted" as const,
      bytes
    }))
  )
