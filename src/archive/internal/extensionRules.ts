/**
 * What makes a ZIP an extension: its kind, its folders, its size, and whether it is the one that was expected.
 *
 * @internal
 */
import * as Effect from "effect/Effect"
import type { ArchiveStat } from "../Archive.ts"
import type { ArchiveError } from "../ArchiveError.ts"
import type { ArchiveType, ExpectedExtension } from "../ArchiveInspection.ts"
import * as descriptors from "./descriptor.ts"
import type { EntryTotals } from "./entryRules.ts"
import { type Problems, quoted } from "./problems.ts"
import type { ZipDirectory } from "./zipDirectory.ts"

export interface Limits {
  readonly directUploadBytes: number
  readonly entries: number
}

export interface Found {
  readonly type: ArchiveType
  readonly descriptor: ReadonlyMap<string, string>
}

/** Neither an upload nor a download URL gets past this. */
const extensionLimitBytes = 8 * 1024 ** 3

/** Elastic's pages disagree: one gives this limit for most subscriptions. */
const smallerLimitBytes = 20 * 1024 * 1024

const bundleFolders = new Set(["dictionaries", "scripts", "ingest-geoip", "truststore", "saml"])

const mebibytes = (bytes: number): string => `${(bytes / 1024 / 1024).toFixed(1)} MiB`

export class Rules {
  private readonly problems: Problems
  private readonly limits: Limits
  private readonly expected: ExpectedExtension | undefined

  constructor(problems: Problems, limits: Limits, expected: ExpectedExtension | undefined) {
    this.problems = problems
    this.limits = limits
    this.expected = expected
  }

  checkSize(size: number): void {
    const { directUploadBytes } = this.limits
    if (size > extensionLimitBytes) {
      const message = `The archive is ${mebibytes(size)}; Elastic Cloud takes no extension over ${mebibytes(extensionLimitBytes)}.`
      this.problems.error("over-extension-limit", message)
    }
    if (size > directUploadBytes) {
      const message = `The archive is ${mebibytes(size)}, over the ${mebibytes(directUploadBytes)} of a direct upload. Give the extension a download URL instead.`
      this.problems.error("over-direct-upload-limit", message)
    } else if (size > smallerLimitBytes) {
      const message = `The archive is ${mebibytes(size)}; some subscriptions are limited to ${mebibytes(smallerLimitBytes)}.`
      this.problems.warning("over-smaller-limit", message)
    }
  }

  /** Always false, so that it can end a stream where it says why. */
  tooManyEntries(): false {
    this.problems.error("too-many-entries", `The ZIP has more than ${this.limits.entries} entries.`)
    return false
  }

  /** Tells the kind of extension from its entries, and reads the descriptor of a plugin. */
  recognise(
    zip: ZipDirectory,
    stat: ArchiveStat,
    totals: EntryTotals,
    found: descriptors.FoundDescriptors
  ): Effect.Effect<Found, ArchiveError> {
    const { classic, stable } = found.atRoot
    if (classic !== undefined && stable !== undefined) {
      const both = `${quoted(classic.name)} and ${quoted(stable.name)}`
      this.problems.error("two-descriptors", `The ZIP has two descriptors, ${both}. Keep one.`, stable.name)
      return Effect.succeed(unrecognised)
    }
    const kind = classic === undefined ? "stable" : "classic"
    const descriptor = classic ?? stable
    if (descriptor === undefined) return Effect.succeed(this.recogniseBundle(totals, found))

    descriptors.checkPlace(descriptor, totals.firstOffset, stat.size, this.problems)
    this.checkPluginContent(totals, found)
    return Effect.map(descriptors.read(zip, kind, descriptor, this.problems), (fields) => ({
      type: `plugin-${kind}`,
      descriptor: fields
    }))
  }

  /** Compares what was found with the extension it is meant for. */
  checkFound({ descriptor, type }: Found): void {
    if (this.expected === undefined || type === "unknown") return
    const expected = this.expected
    const isPlugin = type !== "bundle"
    if (isPlugin !== (expected.type === "plugin")) {
      const message = `The archive is a ${isPlugin ? "plugin" : "bundle"}, but the extension is a ${expected.type}.`
      this.problems.error("type-mismatch", message)
    } else if (isPlugin && expected.version !== undefined) {
      this.checkVersion(expected.version, descriptor.get("elasticsearch.version")?.trim())
    }
  }

  private checkVersion(expected: string, actual: string | undefined): void {
    if (!descriptors.isExactVersion(expected)) {
      const message = `The extension's version is ${quoted(expected)}; a plugin's is one full version of Elasticsearch, without wildcards.`
      this.problems.error("version-not-exact", message)
    } else if (actual !== undefined && actual !== expected) {
      const message = `The plugin is built for Elasticsearch ${quoted(actual)}, but the extension's version is ${quoted(expected)}.`
      this.problems.error("version-mismatch", message)
    }
  }

  private recogniseBundle(totals: EntryTotals, { firstNested }: descriptors.FoundDescriptors): Found {
    if (totals.files === 0) return unrecognised
    if (firstNested !== undefined) {
      const message = `The descriptor ${quoted(firstNested.name)} is not at the root of the ZIP. Pack the folder's content, not the folder.`
      this.problems.error("descriptor-not-at-root", message, firstNested.name)
      return unrecognised
    }
    if (![...totals.topFolders].some((folder) => bundleFolders.has(folder))) {
      const folders = [...bundleFolders].join(", ")
      this.problems.warning(
        "unusual-bundle",
        `None of the folders a bundle usually has is at the root: ${folders}.`
      )
    }
    return { type: "bundle", descriptor: new Map() }
  }

  private checkPluginContent(totals: EntryTotals, { firstNested }: descriptors.FoundDescriptors): void {
    const bundleFolder = [...totals.topFolders].find((folder) => bundleFolders.has(folder))
    if (bundleFolder !== undefined) {
      const message = `The ZIP is a plugin and a bundle at once: it has a descriptor and the folder ${quoted(bundleFolder)}. Make two extensions.`
      this.problems.error("plugin-and-bundle", message, `${bundleFolder}/`)
    }
    if (firstNested !== undefined) {
      const message = `The ZIP holds another descriptor, ${quoted(firstNested.name)}, which is ignored.`
      this.problems.warning("descriptor-nested", message, firstNested.name)
    }
    if (totals.firstSource !== undefined) {
      const message = `The plugin holds sources, such as ${quoted(totals.firstSource)}. Pack the compiled plugin.`
      this.problems.warning("source-file", message, totals.firstSource)
    }
    if (totals.jars === 0) {
      this.problems.error(
        "plugin-without-jar",
        "The plugin holds no .jar file. Pack the built plugin, not its project."
      )
    }
  }
}

const unrecognised: Found = { type: "unknown", descriptor: new Map() }
