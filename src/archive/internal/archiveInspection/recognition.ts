/** What kind of extension the entries make together, and what they are when they make none. */
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import type { ArchiveError } from "../../ArchiveError.ts"
import type { ArchiveType } from "../../ArchiveType.ts"
import { type Contents, descriptorNames } from "./entries.ts"
import { bundleFolders, holds, type PluginKind, rules, versionIn } from "./pluginRules.ts"
import { type Finding, type Problems, quoted } from "./problems.ts"
import { parse } from "./properties.ts"
import type { Reader } from "./reader.ts"
import { readContent, type ZipEntry } from "./zip.ts"

export interface Recognised {
  readonly type: ArchiveType
  readonly descriptor: ReadonlyMap<string, string>
}

const nothing: ReadonlyMap<string, string> = new Map()
const unknown: Recognised = { type: "unknown", descriptor: nothing }

/** Tells the kind of extension from its entries, and holds a plugin to its rules. */
export const recognise = Effect.fnUntraced(function* (
  reader: Reader<never>,
  contents: Contents,
  problems: Problems
): Effect.fn.Return<Recognised, ArchiveError> {
  const classic = contents.descriptors.get(descriptorNames.classic)
  const stable = contents.descriptors.get(descriptorNames.stable)
  if (classic !== undefined && stable !== undefined) {
    problems.add({
      code: "two-descriptors",
      severity: "error",
      message: `The ZIP has both ${quoted(classic.name)} and ${quoted(stable.name)}.`,
      remedy: "Keep the one that the plugin was built for.",
      entry: stable.name,
      offset: stable.offset,
      source: "PluginDescriptor.readFromProperties"
    })
    return unknown
  }
  if (classic !== undefined) return yield* recognisePlugin(reader, "classic", classic, contents, problems)
  if (stable !== undefined) return yield* recognisePlugin(reader, "stable", stable, contents, problems)
  if (contents.files === 0) return unknown
  const wrong = noExtension(contents)
  if (wrong !== undefined) {
    problems.add(wrong)
    return unknown
  }
  checkBundle(contents, problems)
  return { type: "bundle", descriptor: nothing }
})

const descriptorBytes = 1024 * 1024

/** Over 5 GB, Elastic Cloud looks for the descriptor in the first entry only. */
const mustBeFirstAbove = 5_000_000_000

const recognisePlugin = Effect.fnUntraced(function* (
  reader: Reader<never>,
  kind: PluginKind,
  entry: ZipEntry,
  contents: Contents,
  problems: Problems
): Effect.fn.Return<Recognised, ArchiveError> {
  const about = { entry: entry.name, offset: entry.offset }
  const unreadable = (message: string, remedy: string): void =>
    problems.add({ code: "descriptor-unreadable", severity: "error", message, remedy, ...about })
  if (reader.size > mustBeFirstAbove && entry.offset > contents.firstOffset) {
    problems.add({
      code: "descriptor-not-first",
      severity: "error",
      message: `The descriptor ${quoted(entry.name)} is not the first entry, as it must be in a ZIP over 5 GB.`,
      remedy: "Pack it first.",
      source: "Elastic Cloud, extensions API",
      ...about
    })
  }
  const read = yield* readContent(reader, entry, descriptorBytes).pipe(
    Effect.map(Either.right),
    Effect.catchTag("ZipError", ({ detail }) => Effect.succeed(Either.left(detail)))
  )
  const type = kind === "classic" ? "plugin-classic" : "plugin-stable"
  if (Either.isLeft(read)) {
    // The entry itself was found wanting already: that it cannot be read follows from it.
    if (
      !problems.has("encrypted-entry", "unsupported-compression", "entry-out-of-bounds", "header-mismatch")
    ) {
      unreadable(`The descriptor ${quoted(entry.name)} cannot be read: ${read.left}.`, "Pack it again.")
    }
    return { type, descriptor: nothing }
  }
  const bytes = read.right
  if (isUtf16(bytes)) {
    unreadable(
      `The descriptor ${quoted(entry.name)} is saved as UTF-16, and Java reads ISO-8859-1.`,
      "Save it as UTF-8 without a byte order mark."
    )
    return { type, descriptor: nothing }
  }
  const parsed = parse(bytes)
  if (Either.isLeft(parsed)) {
    unreadable(`The descriptor ${quoted(entry.name)} cannot be read: ${parsed.left}.`, "Correct the line.")
    return { type, descriptor: nothing }
  }
  const hasMark = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf
  if (hasMark) {
    problems.add({
      code: "descriptor-byte-order-mark",
      severity: "error",
      message: `The descriptor ${quoted(entry.name)} begins with a byte order mark, which Java reads as part of the first key.`,
      remedy: "Save it as UTF-8 without a byte order mark.",
      source: "java.util.Properties.load",
      ...about
    })
  }
  // What follows from the mark alone is not said again.
  const properties = hasMark ? Either.getOrElse(parse(bytes.subarray(3)), () => parsed.right) : parsed.right
  applyRules(kind, entry, properties, contents, problems)
  return { type, descriptor: parsed.right }
})

const isUtf16 = (bytes: Uint8Array): boolean =>
  (bytes[0] === 0xff && bytes[1] === 0xfe) ||
  (bytes[0] === 0xfe && bytes[1] === 0xff) ||
  (bytes.length >= 4 && (bytes[0] === 0) !== (bytes[1] === 0) && (bytes[2] === 0) !== (bytes[3] === 0))

const applyRules = (
  kind: PluginKind,
  descriptor: ZipEntry,
  properties: ReadonlyMap<string, string>,
  contents: Contents,
  problems: Problems
): void => {
  const elasticsearch = versionIn(properties.get("elasticsearch.version") ?? "")
  const plugin = { kind, descriptor: descriptor.name, properties, elasticsearch, contents }
  for (const rule of rules) {
    if (!holds(rule, kind, elasticsearch)) continue
    const said = rule.broken(plugin)
    if (said === undefined) continue
    const entry = said.entry ?? (rule.code.startsWith("descriptor-") ? descriptor.name : undefined)
    problems.add({
      code: rule.code,
      severity: rule.severity ?? "error",
      message: said.message,
      remedy: said.remedy,
      source: rule.source,
      ...(entry === undefined ? {} : { entry })
    })
  }
}

const descriptorSource = "PluginDescriptor.readFromProperties"

/** What a ZIP without a descriptor at its root is that was not meant to be a bundle. */
const noExtension = (contents: Contents): Finding | undefined => {
  const { firstArchive, firstBuildFile, firstClass, firstSource, nestedDescriptor } = contents
  const isBundleLike = usualFolders.some((folder) => contents.topFolders.has(folder))
  const jar = contents.rootJars[0] ?? contents.spiJars[0] ?? contents.jarElsewhere
  const project = firstBuildFile ?? firstSource
  if (project !== undefined && jar === undefined && !isBundleLike) {
    return {
      code: "source-code",
      severity: "error",
      message: `The ZIP is the source code of a project (it holds ${quoted(project)}), not the built plugin.`,
      remedy: "Build it, and upload the ZIP that the build makes.",
      entry: project
    }
  }
  if (nestedDescriptor !== undefined) {
    const folder = nestedDescriptor.name.slice(0, nestedDescriptor.name.lastIndexOf("/"))
    return {
      code: "descriptor-not-at-root",
      severity: "error",
      message: `The descriptor ${quoted(nestedDescriptor.name)} is not at the root of the ZIP.`,
      remedy: `Pack the content of the folder ${quoted(folder)}, not the folder.`,
      entry: nestedDescriptor.name,
      offset: nestedDescriptor.offset,
      source: descriptorSource
    }
  }
  const misspelt = contents.rootFiles.find(isNearlyDescriptor)
  if (misspelt !== undefined) {
    return {
      code: "descriptor-missing",
      severity: "error",
      message: `The ZIP holds ${quoted(misspelt)}, but a plugin's descriptor is called "plugin-descriptor.properties" or "stable-plugin-descriptor.properties".`,
      remedy: "Rename it.",
      entry: misspelt,
      source: descriptorSource
    }
  }
  if (isBundleLike) return undefined
  if (contents.hasManifest || (firstClass !== undefined && jar === undefined)) {
    return {
      code: "jar-file",
      severity: "error",
      message: "The archive is a .jar file, not the ZIP of a plugin.",
      remedy: "Upload the ZIP that the build makes, which holds the .jar file beside a descriptor.",
      source: descriptorSource
    }
  }
  if (jar !== undefined) {
    return {
      code: "descriptor-missing",
      severity: "error",
      message: `The ZIP holds ${quoted(jar)} like a plugin, but no descriptor at its root.`,
      remedy: 'Add "plugin-descriptor.properties" (or "stable-plugin-descriptor.properties").',
      source: descriptorSource
    }
  }
  return firstArchive === undefined
    ? undefined
    : {
        code: "plugin-inside",
        severity: "error",
        message: `The ZIP holds another ZIP, ${quoted(firstArchive)}, which nothing unpacks.`,
        remedy: "If that is the extension, unpack this one and upload that one.",
        entry: firstArchive,
        source: descriptorSource
      }
}

/** `Plugin-Descriptor.properties`, `plugin-descriptor.properties.txt`, `plugin-desciptor.properties`. */
const isNearlyDescriptor = (path: string): boolean => {
  const name = path.toLowerCase().replace(/[\s_.]+/g, "-")
  return Object.values(descriptorNames).some((wanted) => {
    const expected = wanted.replace(/\./g, "-")
    return (
      Math.abs(name.length - expected.length) <= 5 &&
      (name.startsWith(expected) || distance(name, expected) <= 4)
    )
  })
}

/** Levenshtein's distance of two short names. */
const distance = (one: string, other: string): number => {
  let row = Array.from({ length: other.length + 1 }, (_, index) => index)
  for (let i = 1; i <= one.length; i++) {
    const next = [i]
    for (let j = 1; j <= other.length; j++) {
      const change = (row[j - 1] ?? 0) + (one[i - 1] === other[j - 1] ? 0 : 1)
      next.push(Math.min(change, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1))
    }
    row = next
  }
  return row[other.length] ?? 0
}

/** A bundle is unpacked into the configuration, where Elasticsearch's own filters look into these as well. */
const usualFolders = [...bundleFolders, "hunspell", "analysis"]

const bundlePage = "Elastic Cloud: Upload custom plugins and bundles"

const checkBundle = (contents: Contents, problems: Problems): void => {
  const folders = [...contents.topFolders].filter((folder) => folder !== "__MACOSX")
  const odd = folders.filter((folder) => !usualFolders.includes(folder))
  if (odd.length === folders.length || odd.length > 0) {
    const [only] = folders
    const isWrapped = folders.length === 1 && only !== undefined && contents.rootFiles.length === 0
    problems.add({
      code: "unusual-bundle",
      severity: "warning",
      message:
        odd.length === folders.length
          ? `None of the folders that a bundle usually has is at the root of the ZIP: ${usualFolders.join(", ")}.`
          : `The folder ${quoted(odd[0] ?? "")} at the root of the ZIP is none that Elasticsearch reads by itself: ${usualFolders.join(", ")}.`,
      remedy: isWrapped
        ? `If they are inside ${quoted(only)}, pack the content of that folder, not the folder.`
        : "Check the paths that your settings use.",
      source: bundlePage
    })
  }
  const geoip = contents.geoipFiles.find(
    (file) => !/-(?:City|Country|ASN)\.mmdb$/.test(file) || /^GeoLite2-(?:City|Country|ASN)\.mmdb$/.test(file)
  )
  if (geoip !== undefined) {
    problems.add({
      code: "geoip-name",
      severity: "warning",
      message: /^GeoLite2-/.test(geoip)
        ? `The GeoIP database is called ${quoted(geoip)}, like one that Elasticsearch ships: yours is not used.`
        : `The name of the GeoIP database ${quoted(geoip)} does not end in "-City.mmdb", "-Country.mmdb" or "-ASN.mmdb".`,
      remedy: "Rename it, for instance to MyGeoLite2-City.mmdb.",
      entry: `ingest-geoip/${geoip}`,
      source: bundlePage
    })
  }
}
