/** What `docs/archives.md` says that was found out: the table of tools, and the messages for usual mistakes. */
import * as Option from "effect/Option"
import { fillMarks } from "../support/docs/marks.ts"
import type { Judged } from "./comparison.ts"
import type { Packed } from "./tools.ts"
import type { Writer } from "./writer.ts"

/** A writer with the plugins that were refused, by what is in them. */
export interface Row {
  readonly writer: Writer
  readonly refused: ReadonlyArray<string>
}

export const rows = (judged: ReadonlyArray<Judged>, packed: ReadonlyArray<Packed>): ReadonlyArray<Row> => {
  const refused = new Set(
    judged.flatMap(({ sample, verdict }) => (verdict._tag === "Refused" ? [sample] : []))
  )
  return [...new Set(packed.map(({ writer }) => writer))].map((writer) => {
    const plugins = packed.filter((one) => one.writer === writer && one.content !== "a bundle")
    const not = plugins.filter(({ sample }) => refused.has(sample))
    return { writer, refused: not.map(({ content }) => content) }
  })
}

/** A row that names a way out where none is needed, or none where one is. */
export const isOdd = ({ refused, writer }: Row): boolean =>
  refused.length > 0 !== Option.isSome(writer.instead)

const start = ({ how, tool }: Writer): string => `| ${tool} | ${how} |`

const verdict = ({ refused }: Row): string => {
  if (refused.length === 0) return "yes"
  return refused.includes("a plugin") ? "**no**" : `**not with** ${refused.join(", ")}`
}

export const render = (row: Row): string =>
  `${start(row.writer)} ${verdict(row)} | ${Option.getOrElse(row.writer.instead, () => "")} |`

const markdown = (rows: ReadonlyArray<Row>): string =>
  ["| tool | used like this | taken | instead |", "| --- | --- | --- | --- |", ...rows.map(render)].join("\n")

export const page = "docs/archives.md"

/** What stands between the marks of a section. */
export const sectionOf = (text: string, section: string): string =>
  text.split(`<!-- figures ${section} -->`)[1]?.split(`<!-- /figures ${section} -->`)[0]?.trim() ?? ""

export const write = (rows: ReadonlyArray<Row>, mistakes: string) =>
  fillMarks(page, [
    ["tools", markdown(rows)],
    ["mistakes", mistakes]
  ])

/** What the page does not say, or says otherwise. Rows of absent tools are left alone. */
export const differences = (
  text: string,
  rows: ReadonlyArray<Row>,
  mistakes: string,
  absent: ReadonlyArray<string>
): ReadonlyArray<string> => {
  const found = rows.map(render)
  const isOfAbsent = (line: string) => absent.some((tool) => line.startsWith(`| ${tool} |`))
  const written = sectionOf(text, "tools").split("\n").slice(2)
  return [
    ...found.filter((line) => !written.includes(line)).map((line) => `it lacks: ${line}`),
    ...written.filter((line) => !found.includes(line) && !isOfAbsent(line)).map((line) => `it says: ${line}`),
    ...(sectionOf(text, "mistakes") === mistakes ? [] : ["other messages are given for the usual mistakes"])
  ].map((difference) => `${page}: ${difference} (--write repairs it)`)
}
