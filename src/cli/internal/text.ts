/** Text for a screen: figures, plurals, paragraphs and columns. */
import * as AutoCorrect from "@effect/cli/AutoCorrect"
import * as CliConfig from "@effect/cli/CliConfig"
import * as Arr from "effect/Array"
import type * as Option from "effect/Option"
import * as Order from "effect/Order"
import { commandName } from "../Project.ts"

export { commandName }

const units: ReadonlyArray<string> = ["B", "kB", "MB", "GB", "TB"]

/** Decimal units, as Elastic's own limits are written. */
export const bytes = (count: number): string => {
  const power = Math.min(units.length - 1, count < 1000 ? 0 : Math.floor(Math.log10(count) / 3))
  return `${power === 0 ? Math.round(count) : (count / 1000 ** power).toFixed(1)} ${units[power]}`
}

/** Both in the unit of the whole, and as wide for every part of it: `0.5 of 3.0 MB`. */
export const portion = (part: number, whole: number): string => {
  const [figure = "", unit = "B"] = bytes(whole).split(" ")
  const scale = 1000 ** units.indexOf(unit)
  const shown = unit === "B" ? String(Math.round(part)) : (part / scale).toFixed(1)
  return `${shown.padStart(figure.length)} of ${figure} ${unit}`
}

/** A span of time that has passed. */
export const duration = (millis: number): string => {
  if (millis < 1000) return `${Math.round(millis)} ms`
  if (millis < 60_000) return `${(millis / 1000).toFixed(1)} s`
  return clock(millis)
}

/** `m:ss`, or `h:mm:ss`. */
export const clock = (millis: number): string => {
  const seconds = Math.max(0, Math.round(millis / 1000))
  const hours = Math.floor(seconds / 3600)
  const minutes = Math.floor(seconds / 60) % 60
  const two = (n: number) => String(n).padStart(2, "0")
  return hours > 0 ? `${hours}:${two(minutes)}:${two(seconds % 60)}` : `${minutes}:${two(seconds % 60)}`
}

/** `1 entry`, `2 entries`. */
export const plural = (count: number, one: string, many = `${one}s`): string =>
  `${count} ${count === 1 ? one : many}`

/**
 * What somebody else has written, fit for a terminal: control characters, which could move the cursor or change the
 * window, and marks that turn the direction of text, are shown by their code.
 */
export const printable = (text: string): string =>
  text.replace(
    /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu,
    (character) => `\\u{${character.codePointAt(0)?.toString(16)}}`
  )

/** A word of a shell command, quoted where it needs to be. */
export const shellWord = (word: string): string =>
  /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`

/** Pages are this wide on every screen: longer lines are hard to read. */
export const pageWidth = 80

/** Breaks at spaces. A word longer than the width stays whole, so that paths and commands can be copied. */
export const wrap = (text: string, width: number): ReadonlyArray<string> => {
  const lines: Array<string> = []
  for (const word of text.split(" ")) {
    const last = lines.at(-1)
    if (last !== undefined && last.length + 1 + word.length <= width)
      lines[lines.length - 1] = `${last} ${word}`
    else lines.push(word)
  }
  return lines
}

export const indent = (lines: ReadonlyArray<string>, by: number): ReadonlyArray<string> =>
  lines.map((line) => (line === "" ? line : " ".repeat(by) + line))

/** Wrapped, with what follows the first line set in. */
export const hanging = (text: string, width: number): ReadonlyArray<string> => {
  const [first = "", ...rest] = wrap(text, width - 2)
  return [first, ...indent(rest, 2)]
}

/** Cells padded to the widest of their column; the last column is left as it is. */
const columns = (rows: ReadonlyArray<ReadonlyArray<string>>): ReadonlyArray<string> => {
  const widths = rows.reduce<ReadonlyArray<number>>(
    (widest, row) => row.map((cell, i) => Math.max(cell.length, widest[i] ?? 0)),
    []
  )
  return rows.map((row) =>
    row
      .map((cell, i) => (i === row.length - 1 ? cell : cell.padEnd(widths[i] ?? 0)))
      .join("  ")
      .trimEnd()
  )
}

/** A heading row and the rows under it, or a sentence when there are none. */
export const table = (
  headings: ReadonlyArray<string>,
  rows: ReadonlyArray<ReadonlyArray<string>>,
  whenEmpty: string
): ReadonlyArray<string> => (rows.length === 0 ? [whenEmpty] : columns([headings, ...rows]))

/** A name and its value. */
export type Fact = readonly [name: string, value: string]

/** One fact a line. */
export const facts = (pairs: ReadonlyArray<Fact>): ReadonlyArray<string> => indent(columns(pairs), 2)

/** A command of this program, to copy into a shell. */
export const commandLine = (...words: ReadonlyArray<string>): string =>
  [commandName, ...words].map(shellWord).join(" ")

/** The word that was probably meant, if one is near. */
export const nearest = (word: string, known: ReadonlyArray<string>): Option.Option<string> => {
  const distance = (other: string) => AutoCorrect.levensteinDistance(word, other, CliConfig.defaultConfig)
  const near = known.filter((other) => distance(other) <= 2)
  return Arr.head(Arr.sortWith(near, distance, Order.number))
}
