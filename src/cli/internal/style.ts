/** How words look on a terminal: bold, dim, in a colour. */
import { bounded } from "../../outsideText.ts"
import { indent, wrap } from "./text.ts"

export interface Style {
  readonly bold: (text: string) => string
  readonly dim: (text: string) => string
  readonly red: (text: string) => string
  readonly yellow: (text: string) => string
  readonly green: (text: string) => string
}

export const plain: Style = {
  bold: (text) => text,
  dim: (text) => text,
  red: (text) => text,
  yellow: (text) => text,
  green: (text) => text
}

/** `mark` is a parameter of every sequence, to tell these from others; without one a terminal obeys them as they are. */
export const colours = (mark = ""): Style => {
  const between =
    (begin: number, end: number) =>
    (text: string): string =>
      `\u001b[${begin}${mark}m${text}\u001b[${end}${mark}m`
  return {
    bold: between(1, 22),
    dim: between(2, 22),
    red: between(31, 39),
    yellow: between(33, 39),
    green: between(32, 39)
  }
}

/** A failure as people read it: its name, and under it what happened and what to do. */
export const accountLines = (
  name: string,
  texts: ReadonlyArray<string>,
  style: Style,
  width: number
): ReadonlyArray<string> => [
  style.red(style.bold(name)),
  ...texts.flatMap((text) => indent(wrap(bounded(text), width - 2), 2))
]
