/** Whether an archive is the one that an extension is waiting for, and small enough for Elastic Cloud. */
import { isFullVersion } from "../../../elasticsearchVersion.ts"
import type { Problem } from "../../ArchiveProblem.ts"
import type { ArchiveType, ExpectedExtension } from "../../ArchiveType.ts"
import { isBefore, versionIn } from "./pluginRules.ts"
import { type Finding, Problems, quoted } from "./problems.ts"

/** What is wrong with an archive as the archive of this extension. One of an unknown type has been found wanting already. */
export const mismatches = (
  inspection: { readonly type: ArchiveType; readonly elasticsearchVersion?: string | undefined },
  expected: ExpectedExtension
): ReadonlyArray<Problem> => {
  if (inspection.type === "unknown") return []
  const problems = new Problems()
  const actual = inspection.type === "bundle" ? "bundle" : "plugin"
  if (actual !== expected.type) {
    problems.add(otherType(actual))
  } else if (inspection.type !== "bundle" && expected.version !== undefined) {
    const found = compareVersions(inspection.type, inspection.elasticsearchVersion, expected.version)
    if (found !== undefined) problems.add(found)
  }
  return problems.all(inspection.type)
}

const otherType = (actual: "plugin" | "bundle"): Finding =>
  actual === "bundle"
    ? {
        code: "type-mismatch",
        severity: "error",
        message:
          "The archive is a bundle, but the extension is a plugin: there is no plugin-descriptor.properties at its root.",
        remedy: "Check that it is the right archive and the right extension."
      }
    : {
        code: "type-mismatch",
        severity: "error",
        message: "The archive is a plugin, but the extension is a bundle.",
        remedy: "Check that it is the right archive and the right extension."
      }

const compareVersions = (
  type: "plugin-classic" | "plugin-stable",
  actual: string | undefined,
  expected: string
): Finding | undefined => {
  if (!isFullVersion(expected)) {
    return {
      code: "version-not-exact",
      severity: "error",
      message: `The extension's version is ${quoted(expected)}; a plugin's is one full version of Elasticsearch, without wildcards.`,
      remedy: "Give the extension a full version, such as 8.17.0."
    }
  }
  // What is no version has been said.
  if (actual === undefined || actual === expected || !isFullVersion(actual)) return undefined
  if (type === "plugin-stable" && isServedBy(actual, expected)) return undefined
  return {
    code: "version-mismatch",
    severity: "error",
    message: `The plugin is built for Elasticsearch ${quoted(actual)}, but the extension's version is ${quoted(expected)}.`,
    remedy: "Build it for that version, or give the extension the plugin's.",
    source: "PluginsUtils.verifyCompatibility"
  }
}

/** A stable plugin runs on every later Elasticsearch of the same major version that knows stable plugins. */
const isServedBy = (actual: string, expected: string): boolean => {
  const [built, running] = [versionIn(actual), versionIn(expected)]
  return (
    built !== undefined &&
    running !== undefined &&
    built[0] === running[0] &&
    !isBefore(running, built) &&
    !isBefore(running, "8.4.0")
  )
}

export interface Limits {
  /** No way of handing over an extension gets past this. */
  readonly extensionBytes: number
  readonly directUploadBytes: number
}

/** Elastic's pages disagree: one gives this limit for most subscriptions. */
const smallerLimitBytes = 20_000_000

export const sizeProblems = (
  size: number,
  { directUploadBytes, extensionBytes }: Limits
): ReadonlyArray<Finding> => {
  const source = "Elastic Cloud: Upload custom plugins and bundles"
  if (size > extensionBytes) {
    return [
      {
        code: "over-extension-limit",
        severity: "error",
        message: `The archive is ${megabytes(size)}; Elastic Cloud takes no extension over ${megabytes(extensionBytes)}.`,
        remedy: "Make it smaller, or split it.",
        source
      }
    ]
  }
  if (size > directUploadBytes) {
    return [
      {
        code: "over-direct-upload-limit",
        severity: "warning",
        message: `The archive is ${megabytes(size)}, over the ${megabytes(directUploadBytes)} of a direct upload: Elastic Cloud may refuse it.`,
        remedy: "Its documented way for such archives is a download URL.",
        source
      }
    ]
  }
  if (size > smallerLimitBytes) {
    return [
      {
        code: "over-smaller-limit",
        severity: "warning",
        message: `The archive is ${megabytes(size)}; some subscriptions are limited to ${megabytes(smallerLimitBytes)}.`,
        remedy: "If it is refused, ask Elastic for the limit of your subscription.",
        source
      }
    ]
  }
  return []
}

const megabytes = (bytes: number): string =>
  bytes < 100_000 ? `${bytes} bytes` : `${(bytes / 1_000_000).toFixed(1)} MB`
