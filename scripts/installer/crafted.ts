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

const keys = [
  "name",
  "description",
  "version",
  "java.version",
  "elasticsearch.version",
  "classname",
  "modular",
  "licensed",
  "has.native.controller",
  "extended.plugins",
  "modulename",
  "type",
  "java.opts",
  "jvm",
  "site",
  "isolated"
] as const

const values = [
  "",
  " ",
  "true",
  "false",
  "yes",
  "TRUE",
  "17",
  "1.8",
  "8.17.0",
  "8.17.0 ",
  "8.17",
  "9.0.0-beta1",
  "8.17.0-SNAPSHOT",
  "analysis-acme",
  "a/b",
  "../a",
  "..",
  ".",
  "x".repeat(256),
  "isolated",
  "bootstrap",
  "$" + "{version}",
  "ü",
  "a\\u00fcb",
  "a\\\n   b",
  "a\\",
  "\\u12",
  "\\ x",
  "com.acme.Plugin",
  "a=b",
  "\u00a0",
  "\u3000x"
] as const

const separators = ["=", ":", " ", " = ", "\t", "\f", "\u00a0=", "\v=", "\u2028=", "\\=", "", "\\ ="] as const
const lineEnds = ["\n", "\r\n", "\r", "\n\n", "\n#", "\n !", "\n \t", "\u2028", "\u0085", "\\\n"] as const

const line = FastCheck.tuple(
  FastCheck.constantFrom(...keys),
  FastCheck.oneof(
    { weight: 3, arbitrary: FastCheck.constant<string>("=") },
    { weight: 1, arbitrary: FastCheck.constantFrom(...separators) }
  ),
  FastCheck.constantFrom(...values),
  FastCheck.oneof(
    { weight: 3, arbitrary: FastCheck.constant<string>("\n") },
    { weight: 1, arbitrary: FastCheck.constantFrom(...lineEnds) }
  )
).map((parts) => parts.join(""))

/** A good descriptor with a few lines more, which replace what it says or are too much for it. */
const descriptors = FastCheck.record({
  start: FastCheck.constantFrom("", "", "", "\ufeff", "#\n", " "),
  lines: FastCheck.array(line, { minLength: 1, maxLength: 3 }),
  isFirst: FastCheck.boolean(),
  isStable: FastCheck.boolean(),
  encoding: FastCheck.constantFrom("utf8" as const, "latin1" as const),
  without: FastCheck.constantFrom(undefined, undefined, ...keys.slice(0, 6))
}).map(({ encoding, isFirst, isStable, lines, start, without }) => {
  const left = {
    ...(isStable ? { classname: undefined } : {}),
    ...(without === undefined ? {} : { [without]: undefined })
  }
  const parts = isFirst ? [...lines, descriptor(left), "\n"] : [descriptor(left), "\n", ...lines]
  const data = Buffer.from([start, ...parts].join(""), encoding)
  return [{ ...(isStable ? stable() : classic()), data }, jar]
})

const segments = [
  "a",
  "b.jar",
  "config",
  "bin",
  "lib",
  "elasticsearch",
  "scripts",
  "dictionaries",
  "..",
  ".",
  "",
  "ü",
  "a b",
  "a:b",
  "C:",
  "a\\b",
  "x".repeat(255),
  "x".repeat(256),
  "ü".repeat(130),
  "a\0b",
  "._b.jar",
  "plugin-descriptor.properties",
  "acme.jar"
] as const

const names = FastCheck.array(FastCheck.constantFrom(...segments), { minLength: 1, maxLength: 4 }).map(
  (parts) => parts.join("/")
)

const named = FastCheck.tuple(
  FastCheck.array(FastCheck.tuple(names, FastCheck.constantFrom("", "x", "1\nhello\n")), {
    minLength: 1,
    maxLength: 3
  }),
  FastCheck.boolean()
).map(([more, isFirst]) => {
  const entries = more.map(([name, data]): EntrySpec => ({ name, data, method: data === "" ? 0 : 8 }))
  return isFirst ? [...entries, classic(), jar] : [classic(), jar, ...entries]
})

/** What the directory says of an entry is not what the entry says of itself, or neither is true. */
const contradictory = FastCheck.tuple(
  FastCheck.constantFrom(classic(), jar, dictionary, { name: "config/acme.yml", data: "a: 1\n" }),
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
  ),
  FastCheck.record(
    {
      comment: FastCheck.constantFrom("", "hi", "PK\x05\x06", "x".repeat(70)),
      prefix: FastCheck.constantFrom(new Uint8Array(0), new Uint8Array([1]), new Uint8Array(64)),
      zip64: FastCheck.boolean(),
      count: FastCheck.constantFrom(0, 1, 2, 3, 4)
    },
    { requiredKeys: [] }
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
