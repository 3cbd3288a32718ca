/**
 * What makes a ZIP an extension: its kind, its folders, its size.
 *
 * @internal
 */
import * as Effect from "effect/Effect"
import type { ArchiveStat } from "../Archive.ts"
import type { ArchiveError } from "../ArchiveError.ts"
import type { ArchiveType } from "../ArchiveInspection.ts"
import * as descriptors from "./descriptor.ts"
import type { EntryTotals } from "./entryRules.ts"
import { type Problems, quoted } from "./problems.ts"
import type { ZipDirectory } from "./zipDirectory.ts"

export interface Limits {
  /** No way of handing over an extension gets past this. */
  readonly extensionBytes: number
  readonly directUploadBytes: number
  readonly entries: number
}

export interface Found {
  readonly type: ArchiveType
  readonly descriptor: ReadonlyMap<string, string>
}

/** Elastic's pages disagree: one gives this limit for most subscriptions. */
const smallerLimitBytes = 20_000_000

/** The folders that Elastic Cloud documents for bundles. */
const bundleFolders = ["dictionaries", "scripts", "ingest-geoip", "truststore", "saml"]

/** A bundle is unpacked into the configuration, where Elasticsearch's own filters look into these as well. */
const usualFolders = [...bundleFolders, "hunspell", "analysis"]

const megabytes = (bytes: number): string =>
  bytes < 100_000 ? `${bytes} bytes` : `${(bytes / 1_000_000).toFixed(1)} MB`

export class Rules {
  private readonly problems: Problems
  private readonly limits: Limits

  constructor(problems: Problems, limits: Limits) {
    this.problems = problems
    this.limits = limits
  }

  checkSize(size: number): void {
    const { directUploadBytes, extensionBytes } = this.limits
    if (size > extensionBytes) {
      const message = `The archive has ${megabytes(size)}; Elastic Cloud takes no extension over ${megabytes(extensionBytes)}.`
      this.problems.error("over-extension-limit", message)
    }
    if (size > directUploadBytes) {
      const message = `The archive has ${megabytes(size)}, over the ${megabytes(directUploadBytes)} of a direct upload: Elastic Cloud may refuse it. Its documented way for such archives is a download URL.`
      this.problems.warning("over-direct-upload-limit", message)
    } else if (size > smallerLimitBytes) {
      const message = `The archive has ${megabytes(size)}; some subscriptions are limited to ${megabytes(smallerLimitBytes)}.`
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

  private recogniseBundle(totals: EntryTotals, { firstNested }: descriptors.FoundDescriptors): Found {
    if (totals.files === 0) return unrecognised
    if (firstNested !== undefined) {
      const message = `The descriptor ${quoted(firstNested.name)} is not at the root of the ZIP. Pack the folder's content, not the folder.`
      this.problems.error("descriptor-not-at-root", message, firstNested.name)
      return unrecognised
    }
    if (!usualFolders.some((folder) => totals.topFolders.has(folder))) {
      const message = `None of the folders a bundle usually has is at the root: ${usualFolders.join(", ")}.`
      this.problems.warning("unusual-bundle", message)
    }
    return { type: "bundle", descriptor: new Map() }
  }

  private checkPluginContent(totals: EntryTotals, { firstNested }: descriptors.FoundDescriptors): void {
    const bundleFolder = bundleFolders.find((folder) => totals.topFolders.has(folder))
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
