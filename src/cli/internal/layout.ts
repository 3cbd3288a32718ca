/** Text laid out for a screen: wrapped paragraphs, and columns that line up. */

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
export const columns = (rows: ReadonlyArray<ReadonlyArray<string>>): ReadonlyArray<string> => {
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

/** Names and values, one pair a line. */
export const facts = (pairs: ReadonlyArray<readonly [name: string, value: string]>): ReadonlyArray<string> =>
  indent(columns(pairs), 2)
