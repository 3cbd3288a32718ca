/**
 * What is an error here though the JDK installs it, and why. An error that is not listed fails the run. So does a reason
 * that is no longer needed: each has an archive that needs it.
 */
import type { Problem, ProblemCode } from "../../src/archive/ArchiveProblem.ts"
import {
  classic,
  descriptor,
  type EntrySpec,
  jar,
  stable,
  unicodePath,
  zip
} from "../../test/support/archive/zip.ts"

export interface Reason {
  readonly code: ProblemCode
  /** Part of the message, where only some problems of this code are meant. */
  readonly says?: RegExp
  readonly why: string
  /** The JDK installs it, and we call it this. */
  readonly witness: Uint8Array
}

export const covers = (reason: Omit<Reason, "witness">, problem: Problem): boolean =>
  reason.code === problem.code && (reason.says?.test(problem.message) ?? true)

const plugin = (...more: ReadonlyArray<EntrySpec>) => zip([classic(), jar, ...more])
const described = (values: Record<string, string>) => zip([classic(descriptor(values)), jar])
const file: EntrySpec = { name: "LICENSE.txt", data: "As is.\n" }

/** The bytes of the directory's last entry, from `at` on, replaced: the entry itself stays as it is. */
const claiming = (archive: Uint8Array, at: number, ...bytes: ReadonlyArray<number>): Uint8Array => {
  const copy = Uint8Array.from(archive)
  copy.set(bytes, Buffer.from(copy).lastIndexOf("PK\x01\x02", undefined, "latin1") + at)
  return copy
}

/** Where each claim stands in an entry of the directory. */
const claim = { flags: 8, method: 10, crc: 16, size: 24, name: 46 } as const

const damaged =
  "Java never looks at the directory at the end of a ZIP. Everything else does, and a ZIP whose directory is damaged is not what the build made."
const contradicted =
  "The directory says something else than the entry itself. Java believes the entry and everything else the directory, so what was looked at is not what is installed."

export const reasons: ReadonlyArray<Reason> = [
  { code: "unreadable-directory", why: damaged, witness: zip([classic(), jar], { count: 3 }) },
  { code: "truncated", why: damaged, witness: plugin().subarray(0, -1) },
  {
    code: "no-entries",
    why: damaged,
    witness: zip([
      { ...classic(), isHidden: true },
      { ...jar, isHidden: true }
    ])
  },
  { code: "entry-out-of-bounds", why: damaged, witness: plugin({ ...file, offset: 0x7fffffff }) },
  { code: "overlapping-entries", why: damaged, witness: plugin({ ...file, offset: 30 }) },
  {
    code: "descriptor-unreadable",
    says: /no local header|unpack|checksum|larger than/,
    why: damaged,
    witness: zip([jar, { ...classic(), offset: 7 }])
  },
  {
    code: "hidden-entry",
    why: contradicted,
    witness: plugin({ ...file, isHidden: true })
  },
  {
    code: "unreachable-entry",
    why: contradicted,
    witness: plugin({ ...file, before: new Uint8Array(9) })
  },
  { code: "header-mismatch", why: contradicted, witness: claiming(plugin(file), claim.crc, 1, 2, 3, 4) },
  {
    code: "invalid-data-descriptor",
    why: contradicted,
    witness: claiming(plugin({ ...file, sizesBehind: "signed" }), claim.size, 1)
  },
  {
    code: "size-mismatch",
    why: contradicted,
    witness: claiming(plugin({ ...file, method: 0 }), claim.size, 1)
  },
  {
    code: "descriptor-missing",
    why: contradicted,
    witness: claiming(zip([jar, classic()]), claim.name, 0x58)
  },
  { code: "unsupported-compression", why: contradicted, witness: claiming(plugin(file), claim.method, 14) },
  { code: "encrypted-entry", why: contradicted, witness: claiming(plugin(file), claim.flags, 1) },
  { code: "name-not-utf8", why: contradicted, witness: claiming(plugin(file), claim.name, 0xff) },
  {
    code: "unsafe-path",
    says: /NUL|no name/,
    why: contradicted,
    witness: claiming(plugin(file), claim.name, 0)
  },
  {
    code: "unsafe-path",
    says: /leaves its folder/,
    why: "Other tools go by the second name, in an extra field that Java does not read.",
    witness: plugin({ ...file, extra: unicodePath(file.name, "../evil.txt") })
  },
  {
    code: "path-conflict",
    why: "Java makes no folder for its own entry; other tools stop where a file has the same name.",
    witness: plugin({ name: `${jar.name}/`, method: 0 })
  },
  {
    code: "unsafe-path",
    says: /backslash/,
    why: "Java makes one file with a backslash in its name where a file in a folder was meant.",
    witness: plugin({ ...file, name: "config\\acme.yml" })
  },
  {
    code: "unsafe-path",
    says: /absolute path/,
    why: "A drive letter leads out of the folder wherever the ZIP is unpacked on Windows.",
    witness: plugin({ ...file, name: "C:/acme.yml" })
  },
  {
    code: "symbolic-link",
    why: "Java does not know of links, and makes a file that holds the path of its target.",
    witness: plugin({ ...file, mode: 0o120777 })
  },
  {
    code: "special-file",
    why: "As a symbolic link: what was packed is not what is installed.",
    witness: plugin({ ...file, mode: 0o020666 })
  },
  {
    code: "bomb-like",
    why: "It would fill the disk of a node. The JDK stops at nothing.",
    witness: plugin({ name: "words.txt", data: new Uint8Array(17 * 1024 * 1024) })
  },
  {
    code: "plugin-without-jar",
    why: "It installs, and the node that loads it does not start.",
    witness: zip([classic()])
  },
  {
    code: "jar-not-at-root",
    why: "It installs, and the node that loads it does not start.",
    witness: zip([classic(), { ...jar, name: "lib/acme.jar" }])
  },
  {
    code: "unreadable-jar",
    why: "It installs, and the node that loads it does not start.",
    witness: plugin({ ...jar, name: "._acme.jar" })
  },
  {
    code: "descriptor-incomplete",
    says: /lacks "classname"/,
    why: "Before 8.4 an empty class name installs, and the node that loads it does not start.",
    witness: described({ classname: "" })
  },
  {
    code: "descriptor-unknown-property",
    why: "The oracle takes what any version ever took; each version takes only its own.",
    witness: described({ "requires.keystore": "true" })
  },
  {
    code: "descriptor-invalid-value",
    says: /type=|java\.opts/,
    why: "The types of plugins are Elasticsearch's own, and the oracle has none of its code.",
    witness: described({ "elasticsearch.version": "8.0.0", type: "other" })
  },
  {
    code: "descriptor-invalid-value",
    says: /has\.native\.controller=,/,
    why: "Before 7.11 an empty boolean was refused, and the oracle is as mild as the mildest version.",
    witness: described({ "elasticsearch.version": "7.10.0", "has.native.controller": "" })
  },
  {
    code: "descriptor-placeholder",
    why: "No class has such a name: it installs, and the node that loads it does not start.",
    witness: described({ classname: "$" + "{classname}" })
  },
  {
    code: "invalid-java-version",
    why: "JavaVersion is Elasticsearch's own, and the oracle has none of its code.",
    witness: described({ "java.version": "1.8.0_202" })
  },
  {
    code: "invalid-plugin-name",
    says: /that of a module/,
    why: "The list of modules is Elasticsearch's own.",
    witness: described({ name: "x-pack-core" })
  },
  {
    code: "version-not-exact",
    says: /without a suffix/,
    why: "That a stable plugin is for a released version is Elasticsearch's own rule.",
    witness: zip([
      stable(descriptor({ classname: undefined, "elasticsearch.version": "8.17.0-SNAPSHOT" })),
      jar
    ])
  },
  {
    code: "stable-plugin-unsupported",
    why: "Which versions know stable plugins is Elasticsearch's own rule.",
    witness: zip([stable(descriptor({ classname: undefined, "elasticsearch.version": "7.17.0" })), jar])
  }
]
