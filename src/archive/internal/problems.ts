/**
 * Collects problems, however many an archive has, in bounded memory.
 *
 * @internal
 */
import type { Problem, ProblemCode } from "../ArchiveProblem.ts"

const shownPerCode = 10

export class Problems {
  private readonly found: Array<Problem> = []
  private readonly counts = new Map<ProblemCode, { problem: Problem; count: number }>()

  error(code: ProblemCode, message: string, entry?: string): void {
    this.add("error", code, message, entry)
  }

  warning(code: ProblemCode, message: string, entry?: string): void {
    this.add("warning", code, message, entry)
  }

  /** What was found, errors first, with one line for the many that are left out. */
  get all(): ReadonlyArray<Problem> {
    const rest = [...this.counts.values()]
      .filter(({ count }) => count > shownPerCode)
      .map(
        ({ count, problem: { code, severity } }): Problem => ({
          code,
          severity,
          message: `… and ${count - shownPerCode} more entries with the problem "${code}".`
        })
      )
    return errorsFirst([...this.found, ...rest])
  }

  private add(severity: Problem["severity"], code: ProblemCode, message: string, entry?: string): void {
    const problem = { code, severity, message, ...(entry === undefined ? {} : { entry: printable(entry) }) }
    const counted = this.counts.get(code) ?? { problem, count: 0 }
    counted.count += 1
    this.counts.set(code, counted)
    if (counted.count <= shownPerCode) this.found.push(problem)
  }
}

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
