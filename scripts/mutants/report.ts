/** What StrykerJS tells, and the figures made of it. */
import * as Schema from "effect/Schema"

const Mutant = Schema.Struct({
  mutatorName: Schema.String,
  replacement: Schema.optional(Schema.String),
  /** Whether it also runs while modules are loaded, or tests collected. */
  static: Schema.optionalWith(Schema.Boolean, { default: () => false }),
  status: Schema.Literal(
    "Killed",
    "Timeout",
    "Survived",
    "NoCoverage",
    "RuntimeError",
    "CompileError",
    "Ignored",
    "Pending"
  ),
  location: Schema.Struct({
    start: Schema.Struct({ line: Schema.Number, column: Schema.Number }),
    end: Schema.Struct({ line: Schema.Number, column: Schema.Number })
  })
})
type Mutant = typeof Mutant.Type

const Files = Schema.Record({
  key: Schema.String,
  value: Schema.Struct({ source: Schema.String, mutants: Schema.Array(Mutant) })
})

export const Report = Schema.parseJson(Schema.Struct({ files: Files }))

export interface Judged {
  readonly folder: string
  readonly files: typeof Files.Type
}

const killed = new Set<Mutant["status"]>(["Killed", "Timeout", "RuntimeError"])
/** Modules are loaded once for all mutants: what survives there has not been tried. */
const hasSurvived = ({ static: isStatic, status }: Mutant): boolean =>
  status === "NoCoverage" || (status === "Survived" && !isStatic)

const counted = (judged: ReadonlyArray<Judged>) => {
  const all = judged.flatMap(({ files }) => Object.values(files).flatMap(({ mutants }) => mutants))
  const dead = all.filter(({ status }) => killed.has(status)).length
  const alive = all.filter(hasSurvived).length
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

const excerpt = (source: string, { end, start }: Mutant["location"]): string => {
  const lines = source.split("\n").slice(start.line - 1, end.line)
  const last = lines.length - 1
  return lines
    .map((line, at) =>
      line.slice(at === 0 ? start.column - 1 : 0, at === last ? end.column - 1 : line.length).trim()
    )
    .join(" ")
}

/** One line each: where, what was there, and what it was changed into without a test that failed. */
export const survivorsOf = (judged: ReadonlyArray<Judged>): string =>
  judged
    .flatMap(({ files }) =>
      Object.entries(files).flatMap(([file, { mutants, source }]) =>
        mutants
          .filter(hasSurvived)
          .map(
            ({ location, mutatorName, replacement, status }) =>
              `${file}:${location.start.line} ${status} ${mutatorName}: ${excerpt(source, location)} → ${replacement ?? ""}`
          )
      )
    )
    .join("\n")
