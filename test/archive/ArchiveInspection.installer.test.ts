/** The verdict of Elasticsearch's installer: inputs as the tools of the world make them, and as nobody should. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Archive from "../../src/archive/Archive.ts"
import * as ArchiveInspection from "../../src/archive/ArchiveInspection.ts"
import {
  classic,
  descriptor,
  dictionary,
  type EndSpec,
  type EntrySpec,
  extraField,
  jar,
  stable,
  unicodePath,
  zip
} from "../support/archive/zip.ts"

/** What is to be found, exactly and in this order; `says` has to be in the message of the first. */
interface Verdict {
  readonly found: ReadonlyArray<string>
  readonly says?: string
}

type Row = readonly [what: string, bytes: Uint8Array, verdict: Verdict]

const refused = (code: string, says?: string): Verdict =>
  says === undefined ? { found: [`error ${code}`] } : { found: [`error ${code}`], says }
const warned = (code: string, says?: string): Verdict =>
  says === undefined ? { found: [`warning ${code}`] } : { found: [`warning ${code}`], says }
const taken: Verdict = { found: [] }

const judge = (rows: ReadonlyArray<Row>) => {
  for (const [what, bytes, { found, says }] of rows) {
    it.effect(what, () =>
      Effect.gen(function* () {
        const archive = Archive.bytes({ name: "acme.zip", bytes })
        const inspection = yield* ArchiveInspection.inspect(archive)
        assert.deepStrictEqual(
          inspection.problems.map(({ code, severity }) => `${severity} ${code}`),
          found,
          JSON.stringify(inspection.problems, null, 1)
        )
        if (says !== undefined) assert.include(inspection.problems[0]?.message, says)
        for (const { message, remedy } of inspection.problems) {
          assert.match(message, /\.$/)
          assert.match(remedy ?? "", /\S/)
        }
      })
    )
  }
}

const library: EntrySpec = { ...jar, data: zip([{ name: "com/acme/Plugin.class", data: "x" }]) }
const plugin = (...entries: ReadonlyArray<EntrySpec>) => zip([classic(), library, ...entries])
const ended = (end: EndSpec, ...entries: ReadonlyArray<EntrySpec>) =>
  zip([classic(), library, ...entries], end)
const file = (name: string, more: Partial<EntrySpec> = {}): EntrySpec => ({ name, data: "x", ...more })
const say = (properties: Record<string, string | undefined>, ...entries: ReadonlyArray<EntrySpec>) =>
  zip([classic(descriptor(properties)), library, ...entries])
const sayStable = (properties: Record<string, string | undefined>) =>
  zip([stable(descriptor({ classname: undefined, ...properties })), library])
const forVersion = (version: string, properties: Record<string, string | undefined> = {}) =>
  say({ "elasticsearch.version": version, ...properties })
const raw = (bytes: Uint8Array | string) =>
  zip([{ name: "plugin-descriptor.properties", data: bytes }, library])
const unfilled = (name: string) => `\${${name}}`
const latin1 = (text: string) => Buffer.from(text, "latin1")

describe("a plugin, as ZipInputStream reads it", () => {
  const streamed = { sizesBehind: "signed" } as const
  judge([
    [
      "with sizes behind deflated entries",
      zip([
        { ...classic(), ...streamed },
        { ...library, ...streamed }
      ]),
      taken
    ],
    [
      "with sizes behind them, without a signature",
      zip([classic(), { ...library, sizesBehind: "plain" }]),
      taken
    ],
    [
      "with sizes behind stored entries, in one line",
      zip([
        { ...classic(), ...streamed, method: 0 },
        { ...library, ...streamed, method: 0 }
      ]),
      refused("stored-data-descriptor", "The same is true of 1 other entry.")
    ],
    [
      "with sizes behind an empty stored entry",
      plugin({ name: "empty.txt", method: 0, ...streamed }),
      refused("stored-data-descriptor", '"empty.txt"')
    ],
    [
      "with sizes of 64 bits behind a small entry",
      plugin(file("a.txt", { sizesBehind: "signed-zip64" })),
      refused("invalid-data-descriptor", "64 bits")
    ],
    [
      "with sizes of 64 bits behind an empty entry, without a signature",
      plugin({ name: "a.txt", sizesBehind: "plain-zip64" }, file("b.txt")),
      refused("unreachable-entry")
    ],
    [
      "with other sizes behind an entry than the directory has",
      plugin(
        file("a.txt", {
          sizesBehind: "signed",
          before: new Uint8Array(0),
          packed: Buffer.from("+(\x00", "latin1"),
          crc: 1
        })
      ),
      refused("damaged-entry", '"a.txt"')
    ],
    [
      "with folders and files stored",
      plugin({ name: "config/", method: 0 }, file("config/a", { method: 0 })),
      taken
    ],
    [
      "with a local name that leaves its folder",
      plugin(file("ok.txt", { localName: "../evil.txt" })),
      refused("unsafe-path", '"../evil.txt"')
    ],
    [
      "with another local name",
      plugin(file("ok.txt", { localName: "other.txt" })),
      refused("header-mismatch", '"other.txt"')
    ],
    [
      "with another local name of the same length",
      plugin(file("one.txt", { localName: "two.txt" })),
      refused("header-mismatch", '"two.txt"')
    ],
    [
      "with a local checksum of its own",
      plugin(file("a.txt", { local: { crc: 1 } })),
      refused("header-mismatch", "its checksum or its size")
    ],
    [
      "with local sizes of its own",
      plugin(file("a.txt", { method: 0, local: { compressedSize: 0, uncompressedSize: 0 } })),
      refused("header-mismatch", "its checksum or its size")
    ],
    [
      "with a local method of its own",
      plugin(file("a.txt", { method: 0, local: { method: 8 } })),
      refused("header-mismatch", "how it is packed")
    ],
    [
      "encrypted by a local header alone",
      plugin(file("a.txt", { local: { flags: 1 } })),
      refused("encrypted-entry", '"a.txt"')
    ],
    [
      "with an entry that the directory does not list, in the middle",
      plugin(file("hidden.txt", { isHidden: true }), file("b.txt")),
      refused("hidden-entry", '"hidden.txt"')
    ],
    [
      "with a second descriptor that the directory does not list",
      plugin({ ...classic(descriptor({ "elasticsearch.version": "7.0.0" })), isHidden: true }),
      refused("hidden-entry", '"plugin-descriptor.properties"')
    ],
    [
      "with a hidden entry that leaves its folder",
      plugin(file("../../evil.sh", { isHidden: true })),
      refused("unsafe-path", "not listed in the ZIP's directory")
    ],
    [
      "with only hidden entries",
      zip([{ ...classic(), isHidden: true }]),
      { found: ["error no-entries", "error hidden-entry"] }
    ],
    [
      "with a gap before an entry",
      plugin(file("lost.txt", { before: new Uint8Array(9) })),
      refused("unreachable-entry", "does not see the last entry")
    ],
    [
      "with something before its first entry, told to the directory",
      zip([{ ...classic(), before: Buffer.from("#!/bin/sh\n") }, library]),
      refused("bytes-before-zip", "10 bytes that belong")
    ],
    [
      "with bytes before its directory",
      ended({ between: new Uint8Array(40) }),
      warned("bytes-between-entries")
    ],
    [
      "with entries in another order in the directory",
      reordered(plugin(file("a.txt"), file("b.txt"))),
      taken
    ],
    [
      "with zip64 sizes in a local header",
      plugin(
        file("a.txt", {
          method: 0,
          local: { compressedSize: 0xffffffff, uncompressedSize: 0xffffffff },
          localExtra: extraField(1, Buffer.from("01000000000000000100000000000000", "hex"))
        })
      ),
      taken
    ],
    [
      "with one zip64 size in a local header, which Java does not read",
      plugin(
        file("a.txt", {
          method: 0,
          local: { uncompressedSize: 0xffffffff },
          localExtra: extraField(1, Buffer.from("0100000000000000", "hex"))
        })
      ),
      refused("header-mismatch")
    ],
    ["with padding in an extra field", plugin(file("a.txt", { extra: new Uint8Array(3) })), taken]
  ])
})

/** The same ZIP with its directory back to front. */
function reordered(bytes: Uint8Array): Uint8Array {
  const buffer = Buffer.from(bytes)
  const start = buffer.indexOf("PK\x01\x02", 0, "latin1")
  const end = buffer.indexOf("PK\x05\x06", 0, "latin1")
  const headers: Array<Buffer> = []
  for (let at = start; at < end; ) {
    const length = 46 + buffer.readUInt16LE(at + 28) + buffer.readUInt16LE(at + 30)
    headers.unshift(buffer.subarray(at, at + length))
    at += length
  }
  return Buffer.concat([buffer.subarray(0, start), ...headers, buffer.subarray(end)])
}

describe("a plugin from an ordinary tool", () => {
  judge([
    [
      'with "./" before its names',
      zip([
        { name: "./", method: 0 },
        { ...classic(), name: "./plugin-descriptor.properties" },
        { ...library, name: "./acme.jar" }
      ]),
      taken
    ],
    [
      "with bytes after its end",
      ended({ trailing: Buffer.from("\r\n") }),
      warned("bytes-after-zip", "2 bytes follow")
    ],
    ["padded with zeros", ended({ trailing: new Uint8Array(10_240) }), warned("bytes-after-zip")],
    [
      "with the signature of an end in its comment",
      ended({ comment: `PK\x05\x06${"\0".repeat(18)}!` }),
      taken
    ],
    ["with a signature at the end of its comment", ended({ comment: "see PK\x05\x06" }), taken],
    ["with a mode of 0xffff on a folder", plugin({ name: "config/", method: 0, mode: 0xffff }), taken],
    ["with Unix bits although made on FAT", plugin(file("a.txt", { madeBy: 0, mode: 0o120777 })), taken],
    [
      "with a link made on macOS",
      plugin(file("a.txt", { madeBy: 19, mode: 0o120777 })),
      refused("symbolic-link")
    ],
    [
      "with an entry twice",
      plugin(file("LICENSE"), file("LICENSE")),
      warned("duplicate-entry", "uses the last copy")
    ],
    [
      "with an entry twice under two spellings",
      plugin(file("a/b"), file("a//./b")),
      warned("duplicate-entry")
    ],
    ["with empty steps and a colon in names", plugin(file("a//b.txt"), file("a:b.txt")), taken],
    ["with a folder for scripts", plugin(file("scripts/x.painless")), warned("plugin-and-bundle", "ignored")],
    ["with a descriptor over 64 KiB", raw(`${descriptor()}\n#${" ".repeat(100_000)}`), taken],
    [
      "with backslashes, told once and with their cause",
      plugin(file("config\\a.txt")),
      refused("unsafe-path", "old versions of .NET and of PowerShell")
    ],
    [
      "with a name that is not UTF-8",
      plugin(file("config/wörter.txt", { rawName: latin1("config/w\x94rter.txt") })),
      refused("name-not-utf8")
    ],
    [
      "with a name in UTF-8 without the flag",
      plugin(file("", { rawName: Buffer.from("config/wörter.txt") })),
      taken
    ],
    [
      "with half a surrogate in a name",
      plugin(file("", { rawName: latin1("a\xed\xa0\x80b") })),
      refused("name-not-utf8")
    ],
    [
      "with a second name for Unicode",
      plugin(file("ok.txt", { extra: unicodePath("ok.txt", "öffentlich.txt") })),
      warned("ambiguous-name", '"öffentlich.txt"')
    ],
    [
      "with a second name that leaves its folder",
      plugin(file("ok.txt", { extra: unicodePath("ok.txt", "../evil.txt") })),
      { found: ["error unsafe-path", "warning ambiguous-name"] }
    ],
    [
      "with a harmless second name in front of one that leaves its folder",
      plugin(file("../evil.txt", { extra: unicodePath("../evil.txt", "ok.txt") })),
      { found: ["error unsafe-path", "warning ambiguous-name"], says: '"../evil.txt"' }
    ],
    [
      "with a second name that belongs to another name",
      plugin(file("ok.txt", { extra: unicodePath("other.txt", "../evil.txt") })),
      taken
    ],
    [
      "with a name over 255 bytes",
      plugin(file(`${"ä".repeat(128)}.txt`)),
      refused("name-too-long", "255 bytes")
    ],
    [
      "with a path too long",
      plugin(file(Array.from({ length: 20 }, () => "x".repeat(200)).join("/"))),
      refused("name-too-long")
    ],
    [
      "with a file where another has a folder",
      plugin(file("lib"), file("lib/a.txt")),
      refused("path-conflict", '"lib/a.txt"')
    ],
    [
      "with a folder where another has a file",
      plugin(file("lib/a/b"), file("lib/a")),
      refused("path-conflict", '"lib/a"')
    ]
  ])
})

describe("a descriptor, as Java reads it", () => {
  const bom = Buffer.from([0xef, 0xbb, 0xbf])
  judge([
    [
      "with a byte order mark",
      raw(Buffer.concat([bom, Buffer.from(descriptor())])),
      refused("descriptor-byte-order-mark")
    ],
    [
      "with a byte order mark before a comment",
      raw(Buffer.concat([bom, Buffer.from(`# Acme\n${descriptor()}`)])),
      refused("descriptor-byte-order-mark")
    ],
    ["in ISO-8859-1", raw(latin1(descriptor({ description: "Analyse f\xfcr Acme" }))), taken],
    ["with an empty description and version", say({ description: "", version: "" }), taken],
    [
      "with escapes",
      raw(
        descriptor()
          .replace("elasticsearch.version=", "elasticsearch\\.version \\u003d=")
          .replace("\\u003d=", "= ")
      ),
      taken
    ],
    [
      "with a space after the version",
      forVersion("8.17.0 "),
      refused("version-not-exact", "begins or ends with a space")
    ],
    ["with a tab before a value", raw(descriptor().replace("version=8", "version=\t8")), taken],
    [
      "with a no-break space after a key",
      raw(latin1(descriptor().replace("classname=", "classname\xa0="))),
      {
        found: ["error descriptor-incomplete", "error descriptor-unknown-property"]
      }
    ],
    [
      "without most of it, in one line",
      raw("name=acme"),
      refused("descriptor-incomplete", '"description", "version"')
    ],
    ["that is empty", raw(""), refused("descriptor-incomplete", '"name"')],
    ["twice, of which the last counts", zip([classic(""), library, classic()]), warned("duplicate-entry")]
  ])
})

describe("a plugin, by the rules for its Elasticsearch", () => {
  judge([
    [
      "with the properties of Elasticsearch 2",
      say({ jvm: "true", site: "false", isolated: "true" }),
      refused("descriptor-unknown-property", '"jvm", "site", "isolated"')
    ],
    [
      "with a property of its own",
      say({ "acme.key": "x" }),
      refused("descriptor-unknown-property", '"acme.key"')
    ],
    [
      "with them for Elasticsearch 6.1, which ignores them",
      forVersion("6.1.4", { jvm: "true", "java.version": "1.8" }),
      taken
    ],
    [
      "with requires.keystore for 6.2",
      forVersion("6.2.4", { "requires.keystore": "false", "java.version": "1.8" }),
      taken
    ],
    [
      "with requires.keystore for 6.3",
      forVersion("6.3.0", { "requires.keystore": "false", "java.version": "1.8" }),
      refused("descriptor-unknown-property", '"requires.keystore"')
    ],
    [
      "with a type for 7.10",
      forVersion("7.10.2", { type: "isolated" }),
      refused("descriptor-unknown-property", '"type"')
    ],
    ["with a type for 7.17", forVersion("7.17.0", { type: "isolated" }), taken],
    [
      "with a type of no meaning for 7.17",
      forVersion("7.17.0", { type: "other" }),
      refused("descriptor-invalid-value", "type=other")
    ],
    [
      "that starts with the node, for 7.17",
      forVersion("7.17.0", { type: "bootstrap", classname: undefined, "java.opts": "-Dx" }),
      taken
    ],
    [
      "with options for Java and no such type",
      forVersion("7.17.0", { "java.opts": "-Dx" }),
      refused("descriptor-invalid-value", "java.opts")
    ],
    [
      "with a type for 8.4",
      forVersion("8.4.0", { type: "isolated" }),
      refused("descriptor-unknown-property", '"type"')
    ],
    [
      "with a licence flag for 7.10",
      forVersion("7.10.0", { licensed: "true" }),
      refused("descriptor-unknown-property", '"licensed"')
    ],
    [
      "with all that a classic one may have",
      say({
        licensed: "false",
        modulename: "com.acme",
        "extended.plugins": "lang-painless",
        "has.native.controller": "false"
      }),
      taken
    ],
    [
      "with a module for 8.2",
      forVersion("8.2.0", { modulename: "com.acme" }),
      refused("descriptor-unknown-property", '"modulename"')
    ],
    [
      "with a deployment target for 9.3.1",
      forVersion("9.3.1", { "deployment.target": "ALL" }),
      refused("descriptor-unknown-property")
    ],
    ["with a deployment target for 9.4", forVersion("9.4.0", { "deployment.target": "ALL" }), taken],
    ["stable", sayStable({}), taken],
    ["stable and modular", sayStable({ modular: "true" }), taken],
    ["classic and modular", say({ modular: "true" }), refused("descriptor-unknown-property", '"modular"')],
    [
      "stable with a class name",
      sayStable({ classname: "com.acme.Plugin" }),
      refused("descriptor-unknown-property", '"classname"')
    ],
    [
      "stable with other plugins",
      sayStable({ "extended.plugins": "x" }),
      refused("descriptor-unknown-property")
    ],
    [
      "stable for a snapshot",
      sayStable({ "elasticsearch.version": "8.17.0-SNAPSHOT" }),
      refused("version-not-exact")
    ],
    [
      "stable for Elasticsearch 7",
      sayStable({ "elasticsearch.version": "7.17.0" }),
      {
        found: ["error stable-plugin-unsupported"],
        says: "Elasticsearch 7 does not know"
      }
    ],
    ["classic for a snapshot", forVersion("8.17.0-SNAPSHOT"), taken],
    [
      "with a placeholder for Java",
      say({ "java.version": unfilled("maven.compiler.target") }),
      refused("descriptor-placeholder", "did not fill in")
    ],
    [
      "with a placeholder for Elasticsearch",
      say({ "elasticsearch.version": unfilled("elasticsearch.version") }),
      refused("descriptor-placeholder")
    ],
    ["with a placeholder of Ant", say({ classname: "@CLASS@" }), refused("descriptor-placeholder")],
    [
      "with a placeholder in its description",
      say({ description: unfilled("project.description") }),
      warned("descriptor-placeholder")
    ],
    [
      "with a Java release of Java 8",
      say({ "java.version": "1.8.0_202" }),
      refused("invalid-java-version", '"1.8.0_202"')
    ],
    ["with Java 1.8", say({ "java.version": "1.8" }), taken],
    ["with a trailing zero in its Java", say({ "java.version": "11.0" }), refused("invalid-java-version")],
    [
      "with that trailing zero for 7.17, which reads it otherwise",
      forVersion("7.17.0", { "java.version": "11.0" }),
      taken
    ],
    ["with a full version of Java", say({ "java.version": "17.0.1+12-Debian" }), taken],
    ["with an early access of Java", say({ "java.version": "21-ea" }), taken],
    [
      "with a Java that there is not",
      say({ "java.version": "99" }),
      refused("invalid-java-version", "Java 99")
    ],
    ["with Java 17 in words", say({ "java.version": "java17" }), refused("invalid-java-version")],
    ["with a native controller", say({ "has.native.controller": "true" }), refused("native-controller")],
    [
      "with a native controller, perhaps",
      say({ "has.native.controller": "yes" }),
      refused("descriptor-invalid-value", "has.native.controller=yes")
    ],
    ["with a boolean in capitals", say({ licensed: "TRUE" }), refused("descriptor-invalid-value")],
    ["with an empty boolean", say({ licensed: "" }), taken],
    [
      "with an empty boolean for 7.10",
      forVersion("7.10.0", { "has.native.controller": "" }),
      refused("descriptor-invalid-value")
    ],
    ["with a modular that is no boolean", sayStable({ modular: "no" }), refused("descriptor-invalid-value")],
    ["with a path for a name", say({ name: "../evil" }), refused("invalid-plugin-name", '"../evil"')],
    ["with two dots for a name", say({ name: ".." }), refused("invalid-plugin-name")],
    ["with the name of a module", say({ name: "lang-painless" }), refused("invalid-plugin-name", "module")],
    [
      "with the name of a plugin that became a module, before that",
      forVersion("7.17.0", { name: "repository-s3" }),
      taken
    ],
    ["with a blank class name", say({ classname: "" }), refused("descriptor-incomplete", '"classname"')],
    ["with half a version", forVersion("8.17"), refused("version-not-exact", '"8.17"')]
  ])
})

describe("a descriptor that is hostile", () => {
  it.effect("takes no time and reaches no terminal", () =>
    Effect.gen(function* () {
      const long = 300_000
      const values: ReadonlyArray<Record<string, string>> = [
        { "java.version": "{".repeat(long), "elasticsearch.version": "1.".repeat(long) },
        { "java.version": `1-${"a".repeat(long)}-`, name: "@".repeat(long) },
        { licensed: "\u001b[2J", "has.native.controller": "\u202e" },
        { classname: `\${\u001b[2J${"{{".repeat(long)}` },
        { "elasticsearch.version": "7.17.0", type: "\u001b[2J" }
      ]
      for (const properties of values) {
        const before = process.cpuUsage()
        const bytes = raw(Buffer.from(descriptor(properties)))
        const inspection = yield* ArchiveInspection.inspect(Archive.bytes({ name: "acme.zip", bytes }))
        const { system, user } = process.cpuUsage(before)
        assert.isBelow(user + system, 1_000_000)
        assert.isAbove(inspection.errors.length, 0)
        for (const { message } of inspection.problems) {
          assert.notMatch(message, /\p{C}/u)
          assert.isBelow(message.length, 1000)
        }
      }
    })
  )
})

describe("a plugin's files", () => {
  judge([
    [
      "with its .jar files in a folder",
      zip([classic(), { ...library, name: "lib/acme.jar" }]),
      refused("jar-not-at-root", '"lib/acme.jar"')
    ],
    [
      "with its .jar files for others alone",
      zip([classic(), { ...library, name: "spi/acme.jar" }]),
      refused("jar-not-at-root", '"spi/acme.jar"')
    ],
    ["with .jar files for others as well", plugin({ ...library, name: "spi/acme-spi.jar" }), taken],
    [
      "with a folder of Elasticsearch",
      plugin(file("elasticsearch/readme.txt")),
      refused("elasticsearch-folder")
    ],
    [
      "with a folder in its configuration",
      plugin(file("config/dict/words.txt")),
      refused("folder-in-config", '"config/dict/words.txt"')
    ],
    ["with an empty folder in its programs, which is not made", plugin({ name: "bin/x/", method: 0 }), taken],
    [
      "with a folder in a folder of its programs, which is made for it",
      plugin({ name: "bin/x/y/", method: 0 }),
      refused("folder-in-config", '"bin/x/y"')
    ],
    [
      "cut behind a whole .jar file, which ends like a ZIP itself",
      zip([classic(), { ...library, method: 0 }]).subarray(0, -1),
      refused("truncated", "another ZIP")
    ],
    [
      "with a file that has the name of a folder",
      plugin(file("docs/.")),
      refused("unsafe-path", "the name of a folder")
    ],
    ["with a file for its configuration", plugin(file("config")), refused("folder-in-config", '"config"')],
    [
      "with what macOS adds to a .jar file",
      plugin(file("._acme.jar"), file("__MACOSX/._acme.jar")),
      refused("unreadable-jar", '"._acme.jar"')
    ],
    [
      "with what Elasticsearch has itself",
      plugin({ ...library, name: "lucene-core-9.12.0.jar" }),
      warned("jar-hell", "lucene-core")
    ],
    ["with Elasticsearch", plugin({ ...library, name: "elasticsearch-8.17.0.jar" }), warned("jar-hell")],
    [
      "with a name like Elasticsearch's",
      zip([classic(), { ...library, name: "elasticsearch-analysis-ik-8.17.0.jar" }]),
      taken
    ],
    [
      "with a library twice",
      plugin({ ...library, name: "guava-31.1.jar" }, { ...library, name: "guava-33.0.jar" }),
      warned("jar-hell", '"guava-31.1.jar" and "guava-33.0.jar"')
    ]
  ])
})

describe("what is no plugin", () => {
  const bundle = (...entries: ReadonlyArray<EntrySpec>) => zip([dictionary, ...entries])
  judge([
    [
      "jars without a descriptor",
      zip([library, { ...library, name: "guava-31.jar" }]),
      refused("descriptor-missing", '"acme.jar"')
    ],
    [
      "a misspelt descriptor",
      zip([{ ...classic(), name: "plugin-desciptor.properties" }, library]),
      refused("descriptor-missing", '"plugin-desciptor.properties"')
    ],
    [
      "a descriptor in capitals",
      zip([{ ...classic(), name: "Plugin-Descriptor.properties" }, library]),
      refused("descriptor-missing")
    ],
    [
      "a descriptor saved as text",
      zip([{ ...classic(), name: "plugin-descriptor.properties.txt" }, library]),
      refused("descriptor-missing")
    ],
    ["a .jar file", zip([file("META-INF/MANIFEST.MF"), file("com/acme/Plugin.class")]), refused("jar-file")],
    ["a .jar file without a manifest", zip([file("com/acme/Plugin.class")]), refused("jar-file")],
    [
      "a ZIP in a ZIP",
      zip([file("release/README.md"), file("release/acme.zip")]),
      refused("plugin-inside", '"release/acme.zip"')
    ],
    [
      "a project of Maven",
      zip([
        file("acme/pom.xml"),
        { ...classic(), name: "acme/src/main/resources/plugin-descriptor.properties" }
      ]),
      refused("source-code", '"acme/pom.xml"')
    ],
    ["sources alone", zip([file("src/Acme.java")]), refused("source-code")],
    [
      "a plugin in a folder",
      zip([
        { ...classic(), name: "acme/plugin-descriptor.properties" },
        { ...library, name: "acme/acme.jar" }
      ]),
      refused("descriptor-not-at-root")
    ],
    [
      "a bundle that is stored as a stream",
      zip([{ ...dictionary, method: 0, sizesBehind: "signed" }]),
      warned("stored-data-descriptor")
    ],
    [
      "a bundle with a name that is not UTF-8",
      bundle(file("", { rawName: latin1("dictionaries/w\x94rter.txt") })),
      warned("name-not-utf8")
    ],
    ["a bundle with a hidden entry", bundle(file("scripts/a", { isHidden: true })), refused("hidden-entry")],
    [
      "a bundle in a folder of its own",
      zip([file("my-bundle/dictionaries/en.dic")]),
      warned("unusual-bundle")
    ],
    [
      "a bundle with a folder that nothing reads",
      bundle(file("synonyms/a.txt")),
      warned("unusual-bundle", '"synonyms"')
    ],
    [
      "a GeoIP database that is called like Elasticsearch's",
      zip([file("ingest-geoip/GeoLite2-City.mmdb")]),
      warned("geoip-name")
    ],
    [
      "a GeoIP database of a name that is not looked for",
      zip([file("ingest-geoip/cities.mmdb")]),
      warned("geoip-name", '"cities.mmdb"')
    ],
    ["a GeoIP database of a good name", zip([file("ingest-geoip/Acme-City.mmdb")]), taken]
  ])
})

describe("a file that is no ZIP", () => {
  const padded = (start: string | Uint8Array) =>
    Buffer.concat([Buffer.from(start), Buffer.from("\n".repeat(200))])
  const tar = Buffer.alloc(1024)
  tar.write("ustar", 257)
  const base64 = Buffer.from(plugin()).toString("base64")
  const multipart = Buffer.concat([
    Buffer.from('--x\r\nContent-Disposition: form-data; name="file"\r\n\r\n'),
    plugin(),
    Buffer.from("\r\n--x--\r\n")
  ])
  judge([
    ["a web page", padded("<!DOCTYPE html><html>"), refused("not-a-zip", "an HTML page")],
    [
      "an answer of S3",
      padded('<?xml version="1.0"?>\n<Error><Code>AccessDenied</Code>'),
      refused("not-a-zip", "object store")
    ],
    ["XML", padded('<?xml version="1.0"?><project/>'), refused("not-a-zip", "an XML document")],
    ["JSON", padded('{"message":"Not Found"}'), refused("not-a-zip", "a JSON document")],
    [
      "a Git LFS pointer",
      padded("version https://git-lfs.github.com/spec/v1\noid sha256:4d\n"),
      refused("not-a-zip", "a Git LFS pointer")
    ],
    ["gzip", padded(new Uint8Array([0x1f, 0x8b, 8])), refused("not-a-zip", ".tar.gz")],
    ["tar", tar, refused("not-a-zip", "a tar archive")],
    ["rar", padded("Rar!\x1a\x07\x01"), refused("not-a-zip", "a RAR archive")],
    ["7z", padded(Buffer.from("377abcaf271c", "hex")), refused("not-a-zip", "a 7-Zip archive")],
    ["base64", Buffer.from(base64), refused("not-a-zip", "in base64")],
    ["an answer with its headers", padded("HTTP/1.1 200 OK\r\n"), refused("not-a-zip", "an HTTP answer")],
    [
      "a form",
      multipart,
      { found: ["error bytes-before-zip", "warning bytes-after-zip"], says: "multipart form" }
    ],
    ["a class", padded(Buffer.from("cafebabe", "hex")), refused("not-a-zip", "Java class")],
    ["zeros", new Uint8Array(300), refused("not-a-zip", "zeros")],
    ["text", padded("hello"), refused("not-a-zip", "a text file")],
    ["a descriptor alone", Buffer.from(descriptor()), refused("not-a-zip", "descriptor")],
    [
      "something else",
      Buffer.from("ff00ff00ff00", "hex"),
      refused("not-a-zip", "neither begins nor ends like one")
    ]
  ])
})

describe("ArchiveInspection.against", () => {
  const versions: ReadonlyArray<readonly [string, Uint8Array, string, ReadonlyArray<string>]> = [
    ["a stable plugin and a later version", sayStable({}), "8.18.2", []],
    ["a stable plugin and an earlier one", sayStable({}), "8.16.0", ["version-mismatch"]],
    ["a stable plugin and another major", sayStable({}), "9.0.0", ["version-mismatch"]],
    [
      "a stable plugin and one that knows none",
      sayStable({ "elasticsearch.version": "8.3.0" }),
      "8.3.3",
      ["version-mismatch"]
    ],
    ["a classic plugin and a later version", say({}), "8.17.1", ["version-mismatch"]],
    ["a version that is wrong already", forVersion("8.17.0 "), "8.17.0", ["version-not-exact"]]
  ]
  for (const [what, bytes, version, found] of versions) {
    it.effect(`compares ${what} as Elasticsearch does`, () =>
      Effect.gen(function* () {
        const inspection = yield* ArchiveInspection.inspect(Archive.bytes({ name: "acme.zip", bytes }), {
          expected: { type: "plugin", version }
        })
        assert.deepStrictEqual(
          inspection.problems.map(({ code }) => code),
          found
        )
      })
    )
  }
})
