/** What StrykerJS tells, and the figures made of it. */
import * as Schema from "effect/Schema"
import { isWithin, type Named } from "./sample.ts"

const Status = Schema.Literal(
  "Killed",
  "Timeout",
  "Survived",
  "NoCoverage",
  "RuntimeError",
  "CompileError",
  "Ignored",
  "Pending"
)

/** Lines and columns count from 1. */
const Position = Schema.Struct({ line: Schema.Number, column: Schema.Number })

const Mutant = Schema.Struct({
  mutatorName: Schema.String,
  replacement: Schema.optionalWith(Schema.String, { default: () => "" }),
  status: Status,
  statusReason: Schema.optionalWith(Schema.String, { default: () => "" }),
  location: Schema.Struct({ start: Position, end: Position })
})
type Mutant = typeof Mutant.Type

/** As StrykerJS writes it. */
export const Report = Schema.parseJson(
  Schema.Struct({
    files: Schema.Record({
      key: Schema.String,
      value: Schema.Struct({ source: Schema.String, mutants: Schema.Array(Mutant) })
    })
  })
)

/** A place, and what the tests made of each change of it. */
const Verdict = Schema.Struct({
  name: Schema.String,
  mutants: Schema.Array(Schema.Struct({ ...Mutant.fields, was: Schema.String }))
})
export type Verdict = typeof Verdict.Type

export const Verdicts = Schema.parseJson(Schema.Array(Verdict))

export interface Judged {
  readonly folder: string
  readonly verdicts: ReadonlyArray<Verdict>
}

const killed = new Set<Mutant["status"]>(["Killed", "Timeout", "RuntimeError"])
const survived = new Set<Mutant["status"]>(["Survived", "NoCoverage"])

/** Whether there is nothing to find out here any more. */
export const isSettled = ({ mutants }: Verdict): boolean =>
  mutants.every(({ status }) => !survived.has(status))

/** What was killed once stays so, where this time fewer tests have looked at it. */
export const withKilled = (
  fresh: ReadonlyArray<Verdict>,
  earlier: ReadonlyArray<Verdict>
): ReadonlyArray<Verdict> =>
  fresh.map(({ mutants, name }) => {
    const dead = earlier
      .filter((verdict) => verdict.name === name)
      .flatMap((verdict) => verdict.mutants.filter(({ status }) => killed.has(status)))
    const isSame = (one: Verdict["mutants"][number]) => (other: Verdict["mutants"][number]) =>
      one.mutatorName === other.mutatorName && one.was === other.was && one.replacement === other.replacement
    return { name, mutants: mutants.map((mutant) => dead.find(isSame(mutant)) ?? mutant) }
  })

const excerpt = (source: string, { end, start }: Mutant["location"]): string => {
  const lines = source.split("\n").slice(start.line - 1, end.line)
  const last = lines.length - 1
  return lines
    .map((line, at) =>
      line.slice(at === 0 ? start.column - 1 : 0, at === last ? end.column - 1 : line.length).trim()
    )
    .join(" ")
}

/** What the report says of the places that were chosen. */
export const verdictsOf = (
  report: typeof Report.Type,
  chosen: ReadonlyArray<Named>
): ReadonlyArray<Verdict> => {
  const fromZero = ({ column, line }: typeof Position.Type) => ({ line: line - 1, column: column - 1 })
  return chosen.map((place) => {
    const { mutants, source } = report.files[place.file] ?? { mutants: [], source: "" }
    return {
      name: place.name,
      mutants: mutants
        .filter(({ location: { end, start } }) =>
          isWithin({ file: place.file, start: fromZero(start), end: fromZero(end) }, place)
        )
        .map((mutant) => ({ ...mutant, was: excerpt(source, mutant.location) }))
    }
  })
}

const counted = (judged: ReadonlyArray<Judged>) => {
  const all = judged.flatMap(({ verdicts }) => verdicts.flatMap(({ mutants }) => mutants))
  const dead = all.filter(({ status }) => killed.has(status)).length
  const alive = all.filter(({ status }) => survived.has(status)).length
  const total = dead + alive
  return { total, dead, alive, share: total === 0 ? "–" : `${((100 * dead) / total).toFixed(1)} %` }
}

/** As Markdown. */
export const figuresOf = (
  judged: ReadonlyArray<Judged>,
  mistakes: ReadonlyArray<{ readonly isNoticed: boolean }>,
  seed: number
): string => {
  const row = (name: string, part: ReadonlyArray<Judged>) => {
    const { alive, dead, share, total } = counted(part)
    return `| ${name} | ${total} | ${dead} | ${alive} | ${share} |`
  }
  return [
    ...(mistakes.length === 0
      ? []
      : [
          `Of ${mistakes.length} mistakes that were made, or nearly, the tests notice ${mistakes.filter(({ isNoticed }) => isNoticed).length}. With seed ${seed}:`,
          ""
        ]),
    "| folder | mutants | killed | survived | killed |",
    "| --- | --- | --- | --- | --- |",
    ...judged.map((one) => row(`\`${one.folder}\``, [one])),
    row("all", judged)
  ].join("\n")
}

/** Whether time killed it, and no test: a busy machine does that too. */
const isOutOfTime = ({ status, statusReason }: Mutant): boolean =>
  status === "Timeout" || /timed out in \d+ms/.test(statusReason)

/** One line each: where, what was there, and what it was changed into without a test that failed, or with one that was late. */
export const listOf = (judged: ReadonlyArray<Judged>): string =>
  judged
    .flatMap(({ verdicts }) =>
      verdicts.flatMap(({ mutants, name }) =>
        mutants
          .filter((mutant) => survived.has(mutant.status) || isOutOfTime(mutant))
          .map(
            ({ location, mutatorName, replacement, status, was }) =>
              `${name.slice(0, name.indexOf(": "))}:${location.start.line} ${status === "Killed" ? "Late" : status} ${mutatorName}: ${was} → ${replacement}`
          )
      )
    )
    .join("\n")
