/** A terminal as a picture: what a program has written, as far as the command of this repository writes it. */

type Cell = { readonly text: string; readonly codes: string }

/** Lines of a screen, each of runs of text with the codes of their look. */
export type Screen = ReadonlyArray<ReadonlyArray<Cell>>

// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what a terminal is told.
const parts = /\u001b\[([\d;]*)([A-Za-z])|\r|\n|[^\u001b\r\n]+/g

/** The screen after `output`. Knows line ends, looks, and what erases a line or goes up. */
export const screenAfter = (output: string): Screen => {
  const lines: Array<Array<Cell>> = [[]]
  let row = 0
  let codes = ""
  for (const [whole, numbers = "", letter] of output.matchAll(parts)) {
    if (whole === "\n") {
      row += 1
      lines[row] ??= []
    } else if (whole === "\r") continue
    else if (letter === "m") codes = numbers === "" || numbers === "0" ? "" : looks(codes, numbers)
    else if (letter === "K") lines[row] = []
    else if (letter === "A") row = Math.max(0, row - Number(numbers || 1))
    else if (letter === undefined) lines[row]?.push({ text: whole, codes })
  }
  while (lines.length > 1 && lines.at(-1)?.length === 0) lines.pop()
  return lines
}

/** Codes that end a look, and the looks that they end. */
const ends: Readonly<Record<string, ReadonlyArray<string>>> = {
  "22": ["1", "2"],
  "39": ["31", "32", "33", "36"]
}

const looks = (before: string, numbers: string): string => {
  const ended = ends[numbers]
  const kept = before.split(";").filter((code) => code !== "" && ended?.includes(code) !== true)
  return (ended === undefined ? [...kept, numbers] : kept).join(";")
}

const colours: Readonly<Record<string, string>> = {
  "31": "#ff8a80",
  "32": "#7ee2a8",
  "33": "#ffd479",
  "36": "#7fd7ff"
}

const escaped = (text: string): string =>
  text.replace(/[&<>]/g, (character) => `&#${character.codePointAt(0)};`).replaceAll(" ", "\u00a0")

const [cellWidth, lineHeight, margin, head] = [8.4, 20, 18, 34]

/** As SVG, with `prompt` as the line that was typed. */
export const pictureOf = (prompt: string, screen: Screen, title: string): string => {
  const lines: Screen = [
    [
      { text: "$ ", codes: "2" },
      { text: prompt, codes: "1" }
    ],
    ...screen
  ]
  const columns = Math.max(...lines.map((line) => line.reduce((sum, { text }) => sum + text.length, 0)), 60)
  const [width, height] = [
    Math.ceil(columns * cellWidth + 2 * margin),
    lines.length * lineHeight + head + margin
  ]
  const span = ({ codes, text }: Cell) => {
    const all = codes.split(";")
    const colour = all.map((code) => colours[code]).find((each) => each !== undefined)
    const looks = [
      ...(colour === undefined ? [] : [`fill="${colour}"`]),
      ...(all.includes("1") ? ['font-weight="bold"'] : []),
      ...(all.includes("2") ? ['fill-opacity="0.6"'] : [])
    ]
    return `<tspan${looks.map((each) => ` ${each}`).join("")}>${escaped(text)}</tspan>`
  }
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img">`,
    `<title>${escaped(title)}</title>`,
    `<rect width="${width}" height="${height}" rx="8" fill="#1d2330"/>`,
    ...["#ff6e66", "#ffc14d", "#5fd38d"].map(
      (fill, i) => `<circle cx="${20 + i * 18}" cy="17" r="5.5" fill="${fill}"/>`
    ),
    '<g font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, \'DejaVu Sans Mono\', monospace" font-size="14" fill="#e8ecf4">',
    ...lines
      .map(
        (line, i) =>
          `<text x="${margin}" y="${head + (i + 0.7) * lineHeight}" textLength="${(line.reduce((sum, { text }) => sum + text.length, 0) * cellWidth).toFixed(1)}" lengthAdjust="spacingAndGlyphs">${line.map(span).join("")}</text>`
      )
      .filter((text) => !text.includes('textLength="0.0"')),
    "</g>",
    "</svg>",
    ""
  ].join("\n")
}
