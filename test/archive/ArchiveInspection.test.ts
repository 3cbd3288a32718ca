import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FastCheck from "effect/FastCheck"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { ZipFile } from "yazl"
import * as Archive from "../../src/archive/Archive.ts"
import * as ArchiveInspection from "../../src/archive/ArchiveInspection.ts"
import type { ProblemCode } from "../../src/archive/ArchiveProblem.ts"
import { concat, fromChunks, layer, writeTemp } from "../support/archive/sources.ts"
import {
  classic,
  descriptor,
  dictionary,
  type EntrySpec,
  jar,
  spread,
  stable,
  zip
} from "../support/archive/zip.ts"

const inspect = (bytes: Uint8Array, options?: ArchiveInspection.InspectOptions) =>
  ArchiveInspection.inspect(Archive.bytes({ name: "acme.zip", bytes }), options)

const text = (content: string) => new TextEncoder().encode(content)

const codes = (inspection: ArchiveInspection.ArchiveInspection) =>
  inspection.problems.map((problem) => `${problem.severity} ${problem.code}`)

describe("ArchiveInspection.inspect", () => {
  it.effect("knows a classic plugin, its descriptor and its version of Elasticsearch", () =>
    Effect.gen(function* () {
      const inspection = yield* inspect(zip([jar, classic()]), {
        expected: { type: "plugin", version: "8.17.0" }
      })
      assert.strictEqual(inspection.type, "plugin-classic")
      assert.strictEqual(inspection.elasticsearchVersion, "8.17.0")
      assert.strictEqual(inspection.descriptor["classname"], "com.acme.Plugin")
      assert.strictEqual(inspection.entryCount, 2)
      assert.deepStrictEqual(inspection.problems, [])
      assert.strictEqual(yield* ArchiveInspection.check(inspection), inspection)
    })
  )

  it.effect("knows a stable plugin, stored or deflated", () =>
    Effect.gen(function* () {
      for (const method of [0, 8]) {
        const inspection = yield* inspect(zip([{ ...stable(), method }, jar]))
        assert.strictEqual(inspection.type, "plugin-stable")
        assert.strictEqual(inspection.elasticsearchVersion, "8.17.0")
        assert.deepStrictEqual(inspection.problems, [])
      }
    })
  )

  it.effect("knows a bundle, and its sizes", () =>
    Effect.gen(function* () {
      const inspection = yield* inspect(
        zip([{ name: "dictionaries/", method: 0, mode: 0o040755 }, dictionary]),
        {
          expected: { type: "bundle", version: "8.*" }
        }
      )
      assert.strictEqual(inspection.type, "bundle")
      assert.strictEqual(inspection.elasticsearchVersion, undefined)
      assert.strictEqual(inspection.entryCount, 2)
      assert.strictEqual(inspection.uncompressedBytes, 8)
      assert.deepStrictEqual(inspection.problems, [])
    })
  )

  it.effect("reads what another packer made, from any kind of source", () =>
    Effect.gen(function* () {
      const bytes = yield* packed((packer) => {
        packer.addBuffer(Buffer.from(descriptor()), "plugin-descriptor.properties")
        packer.addBuffer(Buffer.alloc(300_000, "jar"), "acme.jar", { forceZip64Format: true })
        for (let i = 0; i < 500; i++) packer.addBuffer(Buffer.from(`file ${i}`), `config/${i}.txt`)
      })
      const path = yield* writeTemp(bytes)
      const inspections = yield* Effect.forEach(
        [Archive.file(path), fromChunks(bytes, 1000), fromChunks(bytes, bytes.length)],
        (archive) => ArchiveInspection.inspect(archive)
      )
      for (const inspection of inspections) {
        assert.strictEqual(inspection.type, "plugin-classic")
        assert.strictEqual(inspection.entryCount, 502)
        assert.deepStrictEqual(inspection.problems, [])
      }
    }).pipe(Effect.scoped, Effect.provide(layer))
  )

  it.effect("knows what else is usual in a bundle", () =>
    Effect.gen(function* () {
      for (const folder of ["hunspell/en_US", "analysis"]) {
        const inspection = yield* inspect(zip([{ ...dictionary, name: `${folder}/words.txt` }]))
        assert.strictEqual(inspection.type, "bundle")
        assert.deepStrictEqual(inspection.problems, [])
      }
    })
  )

  it.effect("survives its own schema", () =>
    Effect.gen(function* () {
      const inspection = yield* inspect(zip([classic()]))
      const json = Schema.parseJson(ArchiveInspection.ArchiveInspection)
      const again = Schema.decodeSync(json)(Schema.encodeSync(json)(inspection))
      assert.deepStrictEqual({ ...again }, { ...inspection })
    })
  )

  it.effect("reads an archive far over 4 GiB at its two ends only", () =>
    Effect.gen(function* () {
      const size = 9 * 1024 ** 3
      let read = 0
      const open = (entries: ReadonlyArray<EntrySpec>) => {
        const at = spread(entries, size)
        return (offset: number) =>
          Stream.unfold(offset, (position) => {
            const chunk = at(position)
            read += chunk.length
            return position < size ? Option.some([chunk, position + chunk.length] as const) : Option.none()
          })
      }
      const first = yield* ArchiveInspection.inspect(
        Archive.make({ name: "a.zip", size, open: open([classic(), jar]) })
      )
      assert.strictEqual(first.type, "plugin-classic")
      assert.strictEqual(first.elasticsearchVersion, "8.17.0")
      assert.deepStrictEqual(codes(first), ["error over-extension-limit", "warning bytes-between-entries"])

      const last = yield* ArchiveInspection.inspect(
        Archive.make({ name: "a.zip", size, open: open([jar, classic()]) })
      )
      assert.include(codes(last), "error descriptor-not-first")
      assert.isBelow(read, 1024 * 1024)
    })
  )

  it.effect("fails, rather than report, when the archive cannot be read or changes", () =>
    Effect.gen(function* () {
      const bytes = zip([jar, classic()])
      const gone = yield* ArchiveInspection.inspect(Archive.file("/nowhere/acme.zip")).pipe(Effect.flip)
      assert.strictEqual(gone.reason, "NotFound")

      const broken = Archive.make({
        name: "a.zip",
        size: bytes.length,
        open: () => Stream.fail("the line is cut")
      })
      const error = yield* Effect.flip(ArchiveInspection.inspect(broken))
      assert.strictEqual(error.reason, "ReadFailed")
      assert.include(error.message, "the line is cut")

      const short = Archive.make({
        name: "a.zip",
        size: bytes.length + 5,
        open: (at) => Stream.make(bytes.subarray(at))
      })
      assert.strictEqual((yield* Effect.flip(ArchiveInspection.inspect(short))).reason, "Shrank")
    }).pipe(Effect.provide(layer))
  )

  it.live("can be interrupted while it waits for bytes", () =>
    Effect.gen(function* () {
      const stuck = Archive.make({ name: "a.zip", size: 100, open: () => Stream.never })
      const outcome = yield* Effect.timeoutOption(ArchiveInspection.inspect(stuck), 20)
      assert.strictEqual(outcome._tag, "None")
    })
  )
})

describe("ArchiveInspection.against", () => {
  const plugin = zip([classic(), jar])
  const cases: ReadonlyArray<
    readonly [
      what: string,
      bytes: Uint8Array,
      expected: ArchiveInspection.ExpectedExtension,
      found: Array<string>
    ]
  > = [
    ["the plugin for its version", plugin, { type: "plugin", version: "8.17.0" }, []],
    ["a plugin of whatever version", plugin, { type: "plugin" }, []],
    [
      "a plugin for another version",
      plugin,
      { type: "plugin", version: "8.18.0" },
      ["error version-mismatch"]
    ],
    ["a plugin for every version", plugin, { type: "plugin", version: "8.*" }, ["error version-not-exact"]],
    ["a plugin for a bundle", plugin, { type: "bundle", version: "8.*" }, ["error type-mismatch"]],
    [
      "a bundle for a plugin",
      zip([dictionary]),
      { type: "plugin", version: "8.17.0" },
      ["error type-mismatch"]
    ],
    ["a bundle for every version", zip([dictionary]), { type: "bundle", version: "*" }, []],
    ["what is no ZIP at all", text("no"), { type: "bundle" }, ["error not-a-zip"]],
    [
      "a plugin with problems of its own, errors first",
      zip([classic(), jar, { name: "src/Acme.java" }]),
      { type: "bundle" },
      ["error type-mismatch", "warning source-file"]
    ]
  ]
  for (const [what, bytes, expected, found] of cases) {
    it.effect(`compares ${what}, as inspecting it with that expectation does`, () =>
      Effect.gen(function* () {
        const alone = yield* inspect(bytes)
        const before = codes(alone)
        const compared = ArchiveInspection.against(alone, expected)
        assert.deepStrictEqual(codes(compared), found)
        assert.deepStrictEqual(codes(alone), before)
        assert.deepStrictEqual({ ...(yield* inspect(bytes, { expected })) }, { ...compared })
        assert.deepStrictEqual([...compared.errors, ...compared.warnings], [...compared.problems])
      })
    )
  }
})

/** What a packer of the outside world writes. */
const packed = (fill: (packer: ZipFile) => void) =>
  Effect.async<Uint8Array>((resume) => {
    const packer = new ZipFile()
    const chunks: Array<Buffer> = []
    packer.outputStream.on("data", (chunk: Buffer) => chunks.push(chunk))
    packer.outputStream.on("end", () => resume(Effect.succeed(concat(chunks))))
    fill(packer)
    packer.end()
  })

interface Case {
  readonly bytes: Uint8Array
  readonly code: ProblemCode
  /** Part of the message: the entry, where one is at fault. */
  readonly says: string
  readonly options?: ArchiveInspection.InspectOptions
  readonly severity?: "warning"
}

const good = zip([classic(), jar])
const of = (...entries: ReadonlyArray<EntrySpec>) => zip([classic(), jar, ...entries])
const named = (name: string, more: Omit<EntrySpec, "name"> = {}) => of({ name, data: "x", ...more })
const withDescriptor = (overrides: Record<string, string | undefined>) =>
  zip([classic(descriptor(overrides)), jar])
const MiB = 1024 * 1024
const directoryOf = (bytes: Uint8Array) => Buffer.from(bytes).indexOf("PK\x01\x02", 0, "latin1")
const patched = (bytes: Uint8Array, at: number, value: number) => {
  const copy = bytes.slice()
  copy[at] = value
  return copy
}

const malformed: Record<string, Case> = {
  "one byte": { bytes: new Uint8Array([1]), code: "not-a-zip", says: "not a ZIP" },
  "a web page": {
    bytes: text("<!doctype html><title>404</title>".repeat(99)),
    code: "not-a-zip",
    says: "not a ZIP"
  },
  "a gzip file": {
    bytes: concat([new Uint8Array([31, 139, 8]), new Uint8Array(999)]),
    code: "not-a-zip",
    says: "not a ZIP"
  },
  "only zeros": { bytes: new Uint8Array(70_000), code: "not-a-zip", says: "not a ZIP" },
  "cut by one byte": { bytes: good.subarray(0, -1), code: "truncated", says: "cut off" },
  "cut in the directory": { bytes: good.subarray(0, -60), code: "truncated", says: "cut off" },
  "cut in the first entry": { bytes: good.subarray(0, 40), code: "truncated", says: "cut off" },
  "cut at the front": {
    bytes: good.subarray(50),
    code: "unreadable-directory",
    says: "directory is damaged"
  },
  "with bytes appended": {
    bytes: concat([good, text("appended")]),
    code: "bytes-after-zip",
    says: "8 bytes follow",
    severity: "warning"
  },
  "with a comment shorter than it says": {
    bytes: zip([classic(), jar], { comment: "hi", commentLength: 5 }),
    code: "truncated",
    says: "comment at the end of the ZIP is cut off",
    severity: "warning"
  },
  "on many disks": {
    bytes: zip([classic(), jar], { disk: 3 }),
    code: "unreadable-directory",
    says: "multi-disk"
  },
  "with its directory beyond the end": {
    bytes: zip([classic(), jar], { directoryOffset: 0x7fffffff }),
    code: "unreadable-directory",
    says: "are missing before it"
  },
  "with its directory somewhere else": {
    bytes: zip([classic(), jar], { directoryOffset: 7 }),
    code: "unreadable-directory",
    says: "said to lie at byte 7, but lies at byte"
  },
  "with more entries counted than there are": {
    bytes: zip([classic(), jar], { count: 3 }),
    code: "unreadable-directory",
    says: "directory is damaged"
  },
  "with a damaged directory signature": {
    bytes: patched(good, directoryOf(good), 0),
    code: "unreadable-directory",
    says: "signature"
  },
  "with an extra field too long for its place": {
    bytes: named("config/a", { extra: new Uint8Array([1, 0, 99, 0]) }),
    code: "unreadable-directory",
    says: "extra field"
  },
  "with a Zip64 size that is missing": {
    bytes: named("config/a", { compressedSize: 0xffffffff, extra: new Uint8Array([1, 0, 0, 0]) }),
    code: "unreadable-directory",
    says: "zip64"
  },
  "with a Zip64 end beyond the end": {
    bytes: zip([classic(), jar], { zip64: true, zip64Offset: 2 ** 50 }),
    code: "unreadable-directory",
    says: "beyond its"
  },
  "with a Zip64 end that is none": {
    bytes: zip([classic(), jar], { zip64: true, zip64Offset: 3 }),
    code: "unreadable-directory",
    says: "zip64"
  },
  "with 2^53 entries counted": {
    bytes: zip([classic(), jar], { zip64: true, count: Number.MAX_SAFE_INTEGER }),
    code: "unreadable-directory",
    says: "directory is damaged"
  },
  "strongly encrypted": {
    bytes: named("config/secret", { flags: 0x41 }),
    code: "encrypted-entry",
    says: '"config/secret"'
  },
  "with no entries": { bytes: zip([]), code: "no-entries", says: "no files" },
  "with folders only": {
    bytes: zip([{ name: "dictionaries/", method: 0 }]),
    code: "no-entries",
    says: "no files"
  },
  "with too many entries": {
    bytes: zip([1, 2, 3, 4].map((n) => ({ name: `scripts/${n}` }))),
    options: { maxEntries: 3 },
    code: "too-many-entries",
    says: "more than 3 entries"
  },
  "with an encrypted entry": {
    bytes: named("config/secret", { flags: 1 }),
    code: "encrypted-entry",
    says: '"config/secret"'
  },
  "with an absolute path": {
    bytes: named("/etc/passwd"),
    code: "unsafe-path",
    says: '"/etc/passwd" has an absolute path'
  },
  "with a drive letter": {
    bytes: named("C:/Windows/a.dll"),
    code: "unsafe-path",
    says: '"C:/Windows/a.dll"'
  },
  "with a way up": {
    bytes: named("../../evil.sh"),
    code: "unsafe-path",
    says: '"../../evil.sh" leaves its folder'
  },
  "with a way up inside": {
    bytes: named("config/../../evil.sh"),
    code: "unsafe-path",
    says: "config/../../evil.sh"
  },
  "with backslashes": { bytes: named("..\\evil.bat"), code: "unsafe-path", says: "backslash" },
  "with a NUL in a name": { bytes: named("a.jar\0.txt"), code: "unsafe-path", says: '"a.jar\\u{0}.txt"' },
  "with a nameless entry": { bytes: named(""), code: "unsafe-path", says: "no name" },
  "with a symbolic link": {
    bytes: named("config/link", { mode: 0o120777 }),
    code: "symbolic-link",
    says: '"config/link"'
  },
  "with a device": {
    bytes: named("config/tty", { mode: 0o020666 }),
    code: "special-file",
    says: '"config/tty"'
  },
  "with an entry twice": {
    bytes: of(jar),
    code: "duplicate-entry",
    says: '"acme.jar" occurs more than once',
    severity: "warning"
  },
  "with the descriptor twice": {
    bytes: of(classic()),
    code: "duplicate-entry",
    says: '"plugin-descriptor.properties"',
    severity: "warning"
  },
  "packed by a method Java lacks": {
    bytes: named("config/a", { method: 93 }),
    code: "unsupported-compression",
    says: "method 93"
  },
  "with an entry beyond the end": {
    bytes: named("config/a", { offset: 0x7fffffff }),
    code: "entry-out-of-bounds",
    says: '"config/a"'
  },
  "with an entry longer than the rest": {
    bytes: named("config/a", { compressedSize: 0x10000 }),
    code: "entry-out-of-bounds",
    says: '"config/a"'
  },
  "with entries over one another": {
    bytes: of(
      ...[1, 2, 3, 4].map((n) => ({
        name: `config/${n}`,
        offset: 0,
        compressedSize: 400,
        data: "x".repeat(400)
      }))
    ),
    code: "overlapping-entries",
    says: "overlap"
  },
  "with a stored entry of two sizes": {
    bytes: named("config/a", { method: 0, uncompressedSize: 5 }),
    code: "size-mismatch",
    says: '"config/a"'
  },
  "with a bomb": {
    bytes: named("config/bomb", { data: new Uint8Array(17 * MiB) }),
    code: "bomb-like",
    says: '"config/bomb"'
  },
  "with a bomb in many pieces": {
    bytes: of(
      ...Array.from({ length: 20 }, (_, n) => ({ name: `config/${n}`, data: "", uncompressedSize: 15 * MiB }))
    ),
    code: "bomb-like",
    says: "whole ZIP"
  },
  "with two descriptors": {
    bytes: zip([classic(), stable(), jar]),
    code: "two-descriptors",
    says: "stable-plugin-descriptor"
  },
  "with its descriptor in a folder": {
    bytes: zip([
      { ...classic(), name: "acme/plugin-descriptor.properties" },
      { ...jar, name: "acme/acme.jar" }
    ]),
    code: "descriptor-not-at-root",
    says: '"acme/plugin-descriptor.properties" is not at the root'
  },
  "with another descriptor in a folder": {
    bytes: of({ ...stable(), name: "old/stable-plugin-descriptor.properties" }),
    code: "descriptor-nested",
    says: '"old/stable-plugin-descriptor.properties"',
    severity: "warning"
  },
  "with an encrypted descriptor": {
    bytes: zip([{ ...classic(), flags: 1 }, jar]),
    code: "encrypted-entry",
    says: "encrypted"
  },
  "with an endless descriptor": {
    bytes: zip([classic(`${descriptor()}\n#${" ".repeat(MiB)}`), jar]),
    code: "descriptor-unreadable",
    says: "larger than"
  },
  "with a descriptor that lies about its length": {
    bytes: zip([{ ...classic(`#${" ".repeat(100_000)}`), uncompressedSize: 10 }, jar]),
    code: "descriptor-unreadable",
    says: "unpacks to more than its 10 bytes"
  },
  "with a damaged descriptor": {
    bytes: zip([{ ...classic(), crc: 1 }, jar]),
    code: "descriptor-unreadable",
    says: "checksum"
  },
  "with a descriptor that does not unpack": {
    bytes: patched(good, 70, 0xff),
    code: "descriptor-unreadable",
    says: "plugin-descriptor"
  },
  "with a descriptor of another name inside": {
    bytes: zip([{ ...classic(), localName: "plugin-descriptor.propertiez" }, jar]),
    code: "header-mismatch",
    says: "plugin-descriptor.propertiez"
  },
  "with a descriptor packed by a method Java lacks": {
    bytes: zip([{ ...classic(), method: 14 }, jar]),
    code: "unsupported-compression",
    says: "method 14"
  },
  "with a descriptor in UTF-16": {
    bytes: zip([{ name: "plugin-descriptor.properties", data: Buffer.from("\ufeffname=x", "utf16le") }, jar]),
    code: "descriptor-unreadable",
    says: "UTF-16"
  },
  "with a malformed escape in its descriptor": {
    bytes: withDescriptor({ description: "\\u12" }),
    code: "descriptor-unreadable",
    says: "escape"
  },
  "with an empty descriptor": {
    bytes: zip([classic(""), jar]),
    code: "descriptor-incomplete",
    says: 'lacks "name"'
  },
  "without a class name": {
    bytes: withDescriptor({ classname: undefined }),
    code: "descriptor-incomplete",
    says: '"classname"'
  },
  "without a version": {
    bytes: withDescriptor({ version: undefined }),
    code: "descriptor-incomplete",
    says: '"version"'
  },
  "for any version": {
    bytes: withDescriptor({ "elasticsearch.version": "8.*" }),
    code: "version-not-exact",
    says: '"8.*"'
  },
  "for half a version": {
    bytes: withDescriptor({ "elasticsearch.version": "8.17" }),
    code: "version-not-exact",
    says: '"8.17"'
  },
  "meant for any version": {
    bytes: good,
    options: { expected: { type: "plugin", version: "*" } },
    code: "version-not-exact",
    says: '"*"'
  },
  "meant for another version": {
    bytes: good,
    options: { expected: { type: "plugin", version: "8.18.0" } },
    code: "version-mismatch",
    says: '"8.18.0"'
  },
  "a plugin meant as a bundle": {
    bytes: good,
    options: { expected: { type: "bundle" } },
    code: "type-mismatch",
    says: "is a plugin"
  },
  "a bundle meant as a plugin": {
    bytes: zip([dictionary]),
    options: { expected: { type: "plugin" } },
    code: "type-mismatch",
    says: "is a bundle"
  },
  "a plugin and a bundle": {
    bytes: of(dictionary),
    code: "plugin-and-bundle",
    says: '"dictionaries"',
    severity: "warning"
  },
  "a plugin without a jar": { bytes: zip([classic()]), code: "plugin-without-jar", says: "no .jar" },
  "a plugin with sources": {
    bytes: named("src/Acme.java"),
    code: "source-file",
    says: '"src/Acme.java"',
    severity: "warning"
  },
  "a bundle in a folder of its own": {
    bytes: zip([{ ...dictionary, name: "acme/dictionaries/en.dic" }]),
    code: "unusual-bundle",
    says: "dictionaries",
    severity: "warning"
  },
  "over the limit": {
    bytes: good,
    options: { directUploadLimitBytes: 100 },
    code: "over-direct-upload-limit",
    says: "over the 100 bytes of a direct upload",
    severity: "warning"
  },
  "over the smaller limit": {
    bytes: named("config/a", { method: 0, data: new Uint8Array(21 * MiB) }),
    code: "over-smaller-limit",
    says: "20.0 MB",
    severity: "warning"
  }
}

describe("an archive that is malformed", () => {
  for (const [what, { bytes, code, options, says, severity = "error" }] of Object.entries(malformed)) {
    it.effect(what, () =>
      Effect.gen(function* () {
        const inspection = yield* inspect(bytes, options)
        const problem = inspection.problems.find(
          (problem) => problem.code === code && problem.message.includes(says)
        )
        assert.isDefined(problem, JSON.stringify(inspection.problems))
        assert.strictEqual(problem?.severity, severity)

        const refused = yield* Effect.either(ArchiveInspection.check(inspection))
        const errors = inspection.problems.filter((problem) => problem.severity === "error")
        assert.strictEqual(refused._tag, errors.length > 0 ? "Left" : "Right")
        const allowed = yield* ArchiveInspection.check(inspection, {
          allow: errors.map((problem) => problem.code)
        })
        assert.strictEqual(allowed, inspection)
      })
    )
  }

  it.effect("is refused with words that name it, what is wrong, and how to insist", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(Effect.flatMap(inspect(named("../evil.sh")), ArchiveInspection.check))
      assert.strictEqual(error._tag, "InvalidArchive")
      assert.strictEqual(
        error.message,
        'The archive "acme.zip" cannot be used: The entry "../evil.sh" leaves its folder by "..". Pack it with a path relative to the root of the ZIP. Fix it, or allow by name: unsafe-path.'
      )
    })
  )

  it.effect("has its problems counted, not listed without end", () =>
    Effect.gen(function* () {
      const inspection = yield* inspect(of(...Array.from({ length: 5000 }, (_, n) => ({ name: `/${n}` }))))
      const unsafe = inspection.problems.filter((problem) => problem.code === "unsafe-path")
      assert.strictEqual(unsafe.length, 11)
      assert.strictEqual(unsafe.at(-1)?.message, '… and 4990 more entries with the problem "unsafe-path".')
    })
  )

  it.effect("cannot reach the terminal through its names", () =>
    Effect.gen(function* () {
      const inspection = yield* inspect(named(`/\u001b[2J\u202e${"x".repeat(5000)}`))
      const [problem] = inspection.problems
      assert.include(problem?.message, '"/\\u{1b}[2J\\u{202e}xxx')
      assert.isBelow(problem?.message.length ?? 0, 250)
      assert.notMatch(JSON.stringify(inspection), /\p{Cc}/u)
    })
  )

  const real = zip([stable(), jar, dictionary, { name: "config/a.yml", data: "a: 1\n".repeat(50) }], {
    zip64: true
  })
  const mutation = FastCheck.array(FastCheck.tuple(FastCheck.nat(real.length - 1), FastCheck.nat(255)), {
    minLength: 1,
    maxLength: 8
  })

  it.effect.prop(
    "never crashes, hangs or fails otherwise than by a problem",
    { cut: FastCheck.option(FastCheck.integer({ min: 1, max: real.length })), mutation },
    ({ cut, mutation }) =>
      Effect.gen(function* () {
        const bytes = real.slice(0, cut ?? real.length)
        for (const [at, value] of mutation) if (at < bytes.length) bytes[at] = value
        const whole = yield* inspect(bytes)
        const chunked = yield* ArchiveInspection.inspect(fromChunks(bytes, 61))
        const kinds = ({ problems }: typeof whole) =>
          problems.map(({ code, entry, offset, severity }) => ({ code, entry, offset, severity }))
        assert.deepStrictEqual(kinds(whole), kinds(chunked))
        assert.isTrue(whole.type !== "unknown" || whole.problems.length > 0)
        for (const { entry, message } of whole.problems) {
          if (entry !== undefined) assert.include(message, entry.replace(/\/$/, ""))
          assert.notMatch(message, /\p{Cc}/u)
        }
      }),
    { fastCheck: { numRuns: 300 } }
  )
})
