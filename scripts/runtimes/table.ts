/** The results of the runs, as Markdown. */
import { type Runtime, runtimeNames, runtimes, type Subject, subjectNames } from "./columns.ts"
import { type Exclusion, exclusions } from "./exclusions.ts"
import type { Result } from "./run.ts"

export interface Column {
  readonly runtime: Runtime
  readonly version: string
  readonly subject: Subject
  readonly results: ReadonlyArray<Result>
}

const concerns = (exclusion: Exclusion, runtime: Runtime, { file, test }: Result): boolean =>
  exclusion.on.includes(runtime) && exclusion.file === file && exclusion.tests.test(test)

/** Tests that failed or were not run. */
const missing = (column: Column) =>
  column.results.filter(
    (result) =>
      result.status !== "passed" &&
      exclusions.some((exclusion) => concerns(exclusion, column.runtime, result))
  )

const failed = ({ results }: Column) => results.filter(({ status }) => status === "failed")

/** Failures without a reason. */
export const unexpected = (column: Column): ReadonlyArray<Result> =>
  failed(column).filter(
    (result) => !exclusions.some((exclusion) => concerns(exclusion, column.runtime, result))
  )

/** Reasons without a failure, on a runtime that ran all files. */
export const outdated = (column: Column): ReadonlyArray<Exclusion> =>
  exclusions.filter(
    (exclusion) =>
      exclusion.on.includes(column.runtime) &&
      exclusion.leftOut !== true &&
      !failed(column).some((result) => concerns(exclusion, column.runtime, result))
  )

const cell = (column: Column | undefined): string => {
  if (column === undefined) return "not run"
  const passed = column.results.filter(({ status }) => status === "passed").length
  const not = missing(column).length
  return `${passed} pass${not === 0 ? "" : `, ${not} cannot`}`
}

/** A row for each runtime; a runtime that did not run keeps its row of `document`. */
export const matrix = (columns: ReadonlyArray<Column>, document: string): string => {
  const rows = runtimeNames.flatMap((runtime) => {
    const { name } = runtimes[runtime]
    const own = columns.filter((column) => column.runtime === runtime)
    const [first] = own
    if (first === undefined) return document.split("\n").filter((line) => line.startsWith(`| ${name} | `))
    const cells = subjectNames.map((subject) => cell(own.find((column) => column.subject === subject)))
    return [`| ${name} | ${first.version} | ${cells.join(" | ")} |`]
  })
  return ["| runtime | version | source | built |", "| --- | --- | --- | --- |", ...rows].join("\n")
}

/** The exclusions that were needed, with the number of tests. */
export const reasons = (columns: ReadonlyArray<Column>): string => {
  const rows = [...new Set(exclusions.map(({ what }) => what))].flatMap((what) => {
    const same = exclusions.filter((exclusion) => exclusion.what === what)
    const counts = columns
      .filter(({ subject }) => subject === "source")
      .flatMap((column) => {
        const { length } = missing(column).filter((result) =>
          same.some((exclusion) => concerns(exclusion, column.runtime, result))
        )
        return length === 0 ? [] : [`${runtimes[column.runtime].name}: ${length}`]
      })
    return counts.length === 0 ? [] : [`| ${what} | ${counts.join("<br>")} | ${same[0]?.why} |`]
  })
  return ["| what | tests that cannot run | why |", "| --- | --- | --- |", ...rows].join("\n")
}
