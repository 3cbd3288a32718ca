/** Formats figures for people. */
import * as Arr from "effect/Array"
import * as Option from "effect/Option"
import * as Order from "effect/Order"

const mebibyte = 1024 * 1024

/** Sizes of archives, in the binary units they were chosen in. */
export const formatSize = (bytes: number): string => {
  const mebibytes = bytes / mebibyte
  if (mebibytes < 1) return `${Math.round(bytes / 1024)} KiB`
  return mebibytes < 1024 ? `${Math.round(mebibytes)} MiB` : `${Number((mebibytes / 1024).toFixed(1))} GiB`
}

/** Memory, in megabytes of a million bytes. */
export const formatMemory = (bytes: number): string => `${Math.round(bytes / 1e6)} MB`

export const formatSeconds = (millis: number): string => `${(millis / 1000).toFixed(2)} s`

export const formatMillis = (millis: number): string => `${Math.round(millis)} ms`

export const formatRatio = (ratio: number): string => `${ratio.toFixed(2)} ×`

export const formatRate = (bytesPerMilli: number): string => `${Math.round(bytesPerMilli / 1000)} MB/s`

/** A cell is empty if this system does not provide the figure. */
export const cell = <A>(value: Option.Option<A>, format: (value: A) => string): string =>
  Option.match(value, { onNone: () => "–", onSome: format })

export const median = (values: Arr.NonEmptyReadonlyArray<number>): number => {
  const sorted = Arr.sort(values, Order.number)
  const middle = sorted.slice((sorted.length - 1) >> 1, (sorted.length >> 1) + 1)
  return middle.reduce((sum, value) => sum + value, 0) / middle.length
}

export const markdownTable = (
  heading: ReadonlyArray<string>,
  rows: ReadonlyArray<ReadonlyArray<string>>
): string => {
  const line = (cells: ReadonlyArray<string>) => `| ${cells.join(" | ")} |`
  const rule = heading.map((_, index) => (index === 0 ? "---" : "---:"))
  return [line(heading), line(rule), ...rows.map(line)].join("\n")
}
