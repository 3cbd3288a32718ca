/** Collects problems, however many an archive has, in bounded memory. */

import type { Problem, ProblemCode } from "../../ArchiveProblem.ts"
import type { ArchiveType } from "../../ArchiveType.ts"

/**
 * A problem as it is found. `java` is an error where `java.util.zip` reads the archive, which it does for plugins; what
 * unpacks a bundle is not known, and there it is a warning.
 */
export interface Finding {
  readonly code: ProblemCode
  readonly severity: "error" | "warning" | "java"
  readonly message: string
  readonly remedy?: string
  readonly entry?: string
  readonly offset?: number
  readonly source?: string
}

const shownPerCode = 10

/** Whatever causes these causes them for every entry: one line says it. */
const oncePerArchive: ReadonlySet<ProblemCode> = new Set([
  "name-not-utf8",
  "stored-data-descriptor",
  "invalid-data-descriptor"
])

export class Problems {
  private readonly found: Array<Finding> = []
  private readonly counts = new Map<ProblemCode, { readonly first: Finding; count: number }>()

  add(finding: Finding): void {
    const counted = this.counts.get(finding.code)
    if (counted === undefined) this.counts.set(finding.code, { first: finding, count: 1 })
    else counted.count += 1
    const shown = oncePerArchive.has(finding.code) ? 1 : shownPerCode
    if ((counted?.count ?? 0) <= shown) this.found.push(finding)
  }

  has(...codes: ReadonlyArray<ProblemCode>): boolean {
    return codes.some((code) => this.counts.has(code))
  }

  /** How many of a kind are not among those that are shown. */
  private left(code: ProblemCode): number {
    const shown = oncePerArchive.has(code) ? 1 : shownPerCode
    return Math.max(0, (this.counts.get(code)?.count ?? 0) - shown)
  }

  /** What was found, errors first, with one line for the many that are left out. */
  all(type: ArchiveType): ReadonlyArray<Problem> {
    const shown = this.found.map((finding) => {
      const others = oncePerArchive.has(finding.code) ? this.left(finding.code) : 0
      return others === 0
        ? finding
        : {
            ...finding,
            message: `${finding.message} The same is true of ${plural(others, "other entry", "other entries")}.`
          }
    })
    const rest = [...this.counts.values()]
      .filter(({ first }) => !oncePerArchive.has(first.code) && this.left(first.code) > 0)
      .map(({ first: { code, severity } }) => ({
        code,
        severity,
        message: `… and ${plural(this.left(code), "more entry", "more entries")} with the problem "${code}".`
      }))
    return errorsFirst([...shown, ...rest].map((finding) => settled(finding, type)))
  }
}

const settled = ({ entry, severity, ...finding }: Finding, type: ArchiveType): Problem => ({
  ...finding,
  severity: severity === "java" ? (type === "bundle" ? "warning" : "error") : severity,
  ...(entry === undefined ? {} : { entry: printable(entry) })
})

export const isError = (problem: Problem): boolean => problem.severity === "error"

export const errorsFirst = (problems: ReadonlyArray<Problem>): ReadonlyArray<Problem> => [
  ...problems.filter(isError),
  ...problems.filter((problem) => !isError(problem))
]

const shownLength = 120

/** A name from an archive as it may appear on a terminal: no control characters, no direction marks, no length to drown in. */
export const printable = (name: string): string => {
  const shown = name.length > shownLength ? `${name.slice(0, shownLength)}…` : name
  return shown.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, (char) => `\\u{${char.codePointAt(0)?.toString(16)}}`)
}

export const quoted = (name: string): string => `"${printable(name)}"`

/** `1 entry`, `2 entries`. */
export const plural = (count: number, one: string, many: string): string =>
  `${count} ${count === 1 ? one : many}`
