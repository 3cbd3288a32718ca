/** Text for a screen: figures, plurals, paragraphs and columns. */
import * as AutoCorrect from "@effect/cli/AutoCorrect"
import * as CliConfig from "@effect/cli/CliConfig"
import * as Arr from "effect/Array"
import type * as Option from "effect/Option"
import * as Order from "effect/Order"
import stringWidth from "string-width"
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

const frames = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"]

/** Turns ten times a second, to show that something that is waited for is not forgotten. */
export const spinner = (millis: number): string => frames[Math.floor(millis / 100) % frames.length] ?? ""

/** What follows a failure that may pass. */
export const announceRetry = (retry: number, retries: number, delayMillis: number): string =>
  `Trying again in ${duration(delayMillis)} (retry ${retry} of ${retries}).`

/** `1 entry`, `2 entries`. */
export const plural = (count: number, one: string, many = `${one}s`): string =>
  `${count} ${count === 1 ? one : many}`

/** A word of a shell command, quoted where it needs to be. */
export const shellWord = (word: string): string =>
  /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`

/** Columns that a page of text takes on a screen of so many: as many as there are, within what can be read. */
export const pageWidthOf = (columns: number): number => Math.max(30, Math.min(columns, 100))

const oneColumnEach = /^[\x20-\x7e]*$/

/** Columns that a text takes: two for a Chinese character, none for an accent that joins the letter before it. */
export const widthOf = (text: string): number => (oneColumnEach.test(text) ? text.length : stringWidth(text))

const padded = (text: string, width: number): string => text + " ".repeat(Math.max(0, width - widthOf(text)))

/** Breaks at spaces. A word longer than the width stays whole, so that paths and commands can be copied. */
export const wrap = (text: string, width: number): ReadonlyArray<string> => {
  const lines: Array<string> = []
  for (const word of text.split(" ")) {
    const last = lines.at(-1)
    if (last !== undefined && widthOf(last) + 1 + widthOf(word) <= width)
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
    (widest, row) => row.map((cell, i) => Math.max(widthOf(cell), widest[i] ?? 0)),
    []
  )
  return rows.map((row) =>
    row
      .map((cell, i) => (i === row.length - 1 ? cell : padded(cell, widths[i] ?? 0)))
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

/** What to do about a command line that cannot be understood. */
export const helpRemedy = (command: string | undefined): string =>
  `For help: ${commandLine(...(command === undefined ? [] : [command]), "--help")}`

/** The word that was probably meant, if one is near. */
export const nearest = (word: string, known: ReadonlyArray<string>): Option.Option<string> => {
  const distance = (other: string) => AutoCorrect.levensteinDistance(word, other, CliConfig.defaultConfig)
  const tolerated = Math.min(2, Math.floor(word.length / 2))
  const near = known.filter((other) => distance(other) <= tolerated)
  return Arr.head(Arr.sortWith(near, distance, Order.number))
}
