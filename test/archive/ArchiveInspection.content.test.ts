/** What is inside the entries: damage, lies and bombs, found in the one reading that digests the archive. */
import { setImmediate as nextTurn } from "node:timers/promises"
import { crc32, deflateRawSync } from "node:zlib"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FastCheck from "effect/FastCheck"
import * as Stream from "effect/Stream"
import * as Archive from "../../src/archive/Archive.ts"
import * as ArchiveDigest from "../../src/archive/ArchiveDigest.ts"
import * as ArchiveInspection from "../../src/archive/ArchiveInspection.ts"
import { content, fromChunks } from "../support/archive/sources.ts"
import { classic, dictionary, type EntrySpec, jar, stable, zip } from "../support/archive/zip.ts"

const MiB = 1024 * 1024

const named = (bytes: Uint8Array) => Archive.bytes({ name: "acme.zip", bytes })
const kinds = ({ problems }: ArchiveInspection.ArchiveInspection) =>
  problems.map(({ code, entry, severity }) => `${severity} ${code}${entry === undefined ? "" : ` ${entry}`}`)

/** Every way to look at the content of an archive. */
const looks = {
  "inspected whole": (bytes: Uint8Array) => ArchiveInspection.inspect(named(bytes), { content: true }),
  "inspected in chunks": (bytes: Uint8Array) =>
    ArchiveInspection.inspect(fromChunks(bytes, 37), { content: true }),
  digested: (bytes: Uint8Array) =>
    Effect.gen(function* () {
      const archive = fromChunks(bytes, 10_000)
      const before = yield* ArchiveInspection.inspect(archive, { content: false })
      assert.isFalse(before.contentChecked)
      const { digest, found, inspection } = yield* ArchiveInspection.digest(before, archive)
      assert.strictEqual(digest.sha256, (yield* ArchiveDigest.compute(archive)).sha256)
      assert.includeDeepMembers([...inspection.problems], [...found])
      return inspection
    })
}

const plugin = (...entries: ReadonlyArray<EntrySpec>) => zip([classic(), jar, ...entries])
const words = "word\n".repeat(20_000)
const noise = content(300_000)

const flipped = (bytes: Uint8Array, at: number, bit = 1) => {
  const copy = bytes.slice()
  copy[at] = (copy[at] ?? 0) ^ bit
  return copy
}

/** In the middle of the data of the entry whose name begins at this place for the first time. */
const insideOf = (bytes: Uint8Array, name: string, length: number) =>
  Buffer.from(bytes).indexOf(name) + name.length + Math.floor(length / 2)

const rows: ReadonlyArray<readonly [what: string, bytes: Uint8Array, found: ReadonlyArray<string>]> = [
  [
    "whole entries, large and small, stored and deflated",
    plugin(
      { name: "a.dic", data: words },
      { name: "b.dic", data: words, sizesBehind: "signed" },
      { name: "c.bin", data: noise },
      { name: "d.bin", data: noise, sizesBehind: "plain" },
      { name: "e.bin", data: noise, method: 0 },
      { name: "f/", method: 0 },
      { name: "g", data: "", sizesBehind: "signed" },
      { name: "h", data: "" }
    ),
    []
  ],
  [
    "a bit that has changed in a stored entry",
    (() => {
      const bytes = plugin({ name: "e.bin", data: noise, method: 0 })
      return flipped(bytes, insideOf(bytes, "e.bin", noise.length))
    })(),
    ["error damaged-entry e.bin"]
  ],
  [
    "a bit that has changed in a large deflated entry",
    (() => {
      const bytes = plugin({ name: "c.bin", data: noise })
      return flipped(bytes, insideOf(bytes, "c.bin", noise.length))
    })(),
    ["error damaged-entry c.bin"]
  ],
  [
    "two damaged entries",
    (() => {
      const bytes = plugin({ name: "c.bin", data: noise }, { name: "e.bin", data: noise, method: 0 })
      return flipped(flipped(bytes, insideOf(bytes, "c.bin", 1000)), insideOf(bytes, "e.bin", 1000))
    })(),
    ["error damaged-entry c.bin", "error damaged-entry e.bin"]
  ],
  ["a wrong checksum", plugin({ name: "a", data: "x", crc: 1 }), ["error damaged-entry a"]],
  [
    "a wrong checksum behind the data",
    plugin({ name: "a", data: "x", crc: 1, sizesBehind: "signed" }),
    ["error damaged-entry a"]
  ],
  [
    "more inside than it says",
    plugin({ name: "a", data: words, uncompressedSize: 10 }),
    ["error damaged-entry a"]
  ],
  [
    "less inside than it says",
    plugin({ name: "a", data: "x", uncompressedSize: 10 }),
    ["error damaged-entry a"]
  ],
  [
    "data that ends before its size",
    plugin({
      name: "a",
      data: "x",
      packed: Buffer.concat([deflateRawSync("x"), Buffer.from("rest")])
    }),
    ["error damaged-entry a"]
  ],
  [
    "data that does not end",
    plugin({ name: "a", data: words, packed: deflateRawSync(words).subarray(0, 100) }),
    ["error damaged-entry a"]
  ],
  [
    "nothing where there should be data",
    plugin({ name: "a", data: "x", packed: new Uint8Array(0) }),
    ["error damaged-entry a"]
  ],
  [
    "entries hidden in the data of another, which the directory takes for the rest of it",
    plugin({ ...smuggling({ name: "a.txt", data: "x" }, { name: "evil.txt", data: "evil" }) }),
    ["error hidden-entry"]
  ],
  [
    "a bomb behind which its size is not known",
    plugin({ name: "a", data: new Uint8Array(40 * MiB), sizesBehind: "signed" }),
    ["error bomb-like a"]
  ],
  [
    "a bomb that says what it is",
    plugin({ name: "a", data: new Uint8Array(40 * MiB) }),
    ["error bomb-like a"]
  ],
  [
    "a bomb that lies",
    plugin({ name: "a", data: new Uint8Array(40 * MiB), uncompressedSize: 100 }),
    ["error damaged-entry a"]
  ],
  [
    "what is encrypted, passed over",
    plugin({ name: "a", data: "x", flags: 1 }, { name: "b", data: "x", crc: 1 }),
    ["error encrypted-entry a", "error damaged-entry b"]
  ]
]

/**
 * Data that ends early, with the sizes that belong to it, another entry whole, and at last the sizes that the directory has
 * for all of that. Where Java ends the first entry, a second one begins that no directory lists.
 */
function smuggling(outer: EntrySpec, inner: EntrySpec): EntrySpec {
  const upTo = (bytes: Uint8Array, mark: string) =>
    bytes.subarray(0, Buffer.from(bytes).indexOf(mark, 0, "latin1"))
  const first = upTo(zip([{ ...outer, sizesBehind: "signed" }]), "PK\x01\x02").subarray(
    30 + outer.name.length
  )
  const second = upTo(zip([{ ...inner, method: 0 }]), "PK\x01\x02")
  const lastHeaderLength = 31
  const { data = "" } = outer
  const sizes = Buffer.alloc(16)
  sizes.writeUInt32LE(0x08074b50, 0)
  sizes.writeUInt32LE(crc32(Buffer.from(data)), 4)
  sizes.writeUInt32LE(first.length + second.length + lastHeaderLength, 8)
  sizes.writeUInt32LE(Buffer.from(data).length, 12)
  // The last one takes the sizes that the outer entry ends with for its content.
  const last = zip([{ name: "z", method: 0, data: sizes }]).subarray(0, lastHeaderLength)
  return { ...outer, packed: Buffer.concat([first, second, last]), sizesBehind: "signed" }
}

describe("the content of an archive", () => {
  for (const [way, look] of Object.entries(looks)) {
    for (const [what, bytes, found] of rows) {
      it.effect(`${way}: ${what}`, () =>
        Effect.gen(function* () {
          const inspection = yield* look(bytes)
          assert.isTrue(inspection.contentChecked)
          assert.deepStrictEqual(kinds(inspection), found)
        })
      )
    }
  }

  it.effect(
    "is looked at without being asked where it is small, and not where it is large or made of many",
    () =>
      Effect.gen(function* () {
        const many = zip(Array.from({ length: 5001 }, (_, n) => ({ name: `scripts/${n}` })))
        const large = { name: "scripts/a", method: 0, data: new Uint8Array(16 * MiB) }
        assert.isTrue((yield* ArchiveInspection.inspect(named(plugin()))).contentChecked)
        assert.isFalse((yield* ArchiveInspection.inspect(named(many))).contentChecked)
        assert.isFalse((yield* ArchiveInspection.inspect(named(zip([large])))).contentChecked)
      })
  )

  it.effect("is refused with the entry's name, unless damage is allowed", () =>
    Effect.gen(function* () {
      const inspection = yield* ArchiveInspection.inspect(named(plugin({ name: "a", data: "x", crc: 1 })))
      const error = yield* Effect.flip(ArchiveInspection.check(inspection))
      assert.include(error.message, 'The entry "a" is damaged: its bytes do not match its checksum.')
      assert.deepStrictEqual(error.codes, ["damaged-entry"])
      yield* ArchiveInspection.check(inspection, { allow: ["damaged-entry"] })
    })
  )

  it.effect("shows every bit that changes in a plugin", () =>
    Effect.gen(function* () {
      const bytes = zip([classic(), { ...jar, data: noise.subarray(0, 2000) }])
      for (let at = 0; at < bytes.length; at += 3) {
        const inspection = yield* ArchiveInspection.inspect(named(flipped(bytes, at, 1 << (at % 8))))
        const harmless = isUnread(bytes, at)
        if (!harmless) assert.isAbove(inspection.errors.length, 0, `byte ${at} of ${bytes.length}`)
      }
    })
  )

  it.live("leaves time to others, and hears an interruption", () =>
    Effect.gen(function* () {
      const bytes = zip(
        Array.from({ length: 10_000 }, (_, n) => ({ name: `dictionaries/${n}.dic`, data: `${n}` }))
      )
      let turns = 0
      let isOver = false
      const ticking = (async () => {
        while (!isOver) {
          await nextTurn()
          turns += 1
        }
      })()
      yield* ArchiveInspection.inspect(named(bytes), { content: true })
      isOver = true
      yield* Effect.promise(() => ticking)
      assert.isAbove(turns, 3)
      const outcome = yield* Effect.timeoutOption(
        ArchiveInspection.inspect(named(bytes), { content: true }),
        "5 millis"
      )
      assert.strictEqual(outcome._tag, "None")
    })
  )

  it.live("can be interrupted in the middle of an entry", () =>
    Effect.gen(function* () {
      const bytes = plugin({ name: "c.bin", data: noise })
      const stuck = Archive.make({
        name: "acme.zip",
        size: bytes.length,
        open: (offset) =>
          offset === 0
            ? Stream.concat(Stream.make(bytes.subarray(0, 100_000)), Stream.never)
            : Stream.make(bytes.subarray(offset))
      })
      const before = yield* ArchiveInspection.inspect(named(bytes), { content: false })
      const outcome = yield* Effect.timeoutOption(ArchiveInspection.digest(before, stuck), 50)
      assert.strictEqual(outcome._tag, "None")
    })
  )
})

/** Whether a byte of this ZIP is one that nothing reads: times, versions, modes, attributes, and the end's disk numbers. */
const isUnread = (bytes: Uint8Array, at: number): boolean => {
  const buffer = Buffer.from(bytes)
  const unread: Record<string, ReadonlyArray<readonly [from: number, to: number]>> = {
    "PK\x03\x04": [
      [4, 8],
      [10, 14]
    ],
    "PK\x01\x02": [
      [4, 8],
      [8, 10],
      [12, 16],
      [34, 42]
    ],
    "PK\x05\x06": [[6, 10]]
  }
  return Object.entries(unread).some(([mark, ranges]) => {
    for (let start = buffer.indexOf(mark, 0, "latin1"); start >= 0; ) {
      if (ranges.some(([from, to]) => at >= start + from && at < start + to)) return true
      start = buffer.indexOf(mark, start + 1, "latin1")
    }
    return false
  })
}

describe("archives that were tampered with", () => {
  const sources = [
    zip([stable(), jar, dictionary, { name: "config/a.yml", data: "a: 1\n".repeat(50) }], { zip64: true }),
    zip([
      classic(),
      { ...jar, sizesBehind: "signed" },
      { name: "a/b/", method: 0 },
      { name: "ü", data: "x" }
    ]),
    zip([dictionary, { name: "scripts/a", method: 0, data: "x" }], { comment: "made by hand" }),
    zip(
      Array.from({ length: 40 }, (_, n) => ({ name: `ingest-geoip/${n}-City.mmdb`, data: words.slice(0, n) }))
    )
  ]
  const mutation = FastCheck.record({
    source: FastCheck.constantFrom(...sources),
    bytes: FastCheck.array(
      FastCheck.tuple(FastCheck.double({ min: 0, max: 0.999, noNaN: true }), FastCheck.nat(255)),
      {
        maxLength: 12
      }
    ),
    // Whole fields at once: the largest numbers there are, and counts of everything.
    words: FastCheck.array(
      FastCheck.tuple(
        FastCheck.double({ min: 0, max: 0.999, noNaN: true }),
        FastCheck.constantFrom(0, 1, 0x7fffffff, 0xffffffff, 0x04034b50, 0x02014b50, 0x06054b50)
      ),
      { maxLength: 4 }
    ),
    from: FastCheck.option(FastCheck.double({ min: 0, max: 0.9, noNaN: true })),
    to: FastCheck.option(FastCheck.double({ min: 0.1, max: 1, noNaN: true })),
    doubled: FastCheck.boolean()
  })

  it.effect.prop(
    "never crash, never hang, and look the same in one piece and in many",
    { mutation },
    ({ mutation: { bytes, doubled, from, source, to, words } }) =>
      Effect.gen(function* () {
        const changed = Buffer.from(doubled ? Buffer.concat([source, source]) : source)
        for (const [at, value] of bytes) changed[Math.floor(at * changed.length)] = value
        for (const [at, value] of words) changed.writeUInt32LE(value, Math.floor(at * (changed.length - 4)))
        const start = Math.floor((from ?? 0) * changed.length)
        const cut = changed.subarray(start, Math.max(start + 1, Math.floor((to ?? 1) * changed.length)))
        const before = process.cpuUsage()
        const whole = yield* ArchiveInspection.inspect(named(cut), { content: true })
        const chunked = yield* ArchiveInspection.inspect(fromChunks(cut, 211), { content: true })
        const { system, user } = process.cpuUsage(before)
        assert.isBelow(user + system, 1_000_000)
        assert.deepStrictEqual(kinds(whole), kinds(chunked))
        assert.isBelow(whole.problems.length, 200)
        for (const { message } of whole.problems) assert.notMatch(message, /\p{Cc}/u)
      }),
    { fastCheck: { numRuns: 400 } }
  )
})
