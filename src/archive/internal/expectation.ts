/**
 * Whether an archive is the one that an extension is waiting for.
 *
 * @internal
 */
import type { ArchiveInspection, ExpectedExtension } from "../ArchiveInspection.ts"
import type { Problem } from "../ArchiveProblem.ts"
import { isExactVersion } from "./descriptor.ts"
import { Problems, quoted } from "./problems.ts"

/** What is wrong with an archive as the archive of this extension. One of an unknown type has been found wanting already. */
export const mismatches = (
  { elasticsearchVersion, type }: Pick<ArchiveInspection, "type" | "elasticsearchVersion">,
  expected: ExpectedExtension
): ReadonlyArray<Problem> => {
  if (type === "unknown") return []
  const problems = new Problems()
  const actual = type === "bundle" ? "bundle" : "plugin"
  if (actual !== expected.type) {
    const message = `The archive is a ${actual}, but the extension is a ${expected.type}.`
    problems.error("type-mismatch", message)
  } else if (actual === "plugin" && expected.version !== undefined) {
    compareVersions(elasticsearchVersion, expected.version, problems)
  }
  return problems.all
}

const compareVersions = (actual: string | undefined, expected: string, problems: Problems): void => {
  if (!isExactVersion(expected)) {
    const message = `The extension's version is ${quoted(expected)}; a plugin's is one full version of Elasticsearch, without wildcards.`
    problems.error("version-not-exact", message)
  } else if (actual !== undefined && actual !== expected) {
    const message = `The plugin is built for Elasticsearch ${quoted(actual)}, but the extension's version is ${quoted(expected)}.`
    problems.error("version-mismatch", message)
  }
}
