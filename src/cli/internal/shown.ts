/** Text as a terminal gets it: its colours, and the words of others made harmless. */
import { randomInt } from "node:crypto"
import * as Brand from "effect/Brand"
import { shown, shownJson, shownLine } from "../../outsideText.ts"
import { colours, type Style } from "./style.ts"

/** Text that moves and colours nothing but what this program has coloured itself, whoever has written its words. */
export type Shown = string & Brand.Brand<"Shown">

const Shown = Brand.nominal<Shown>()

/** Tells our own sequences from those that others write. Nobody outside of this process can know it. */
const own = randomInt(2 ** 40)

/** The colours of what is shown. */
export const coloured: Style = colours(`;${own}`)

const ownSequences = new RegExp(`(${"\u001b"}\\[\\d+);${own}m`, "g")

/** Our own words, which may take several lines and move the cursor. */
export const ours = (text: string): Shown => Shown(text.replace(ownSequences, "$1m"))

const line = (text: string): string => {
  const parts = text.split(ownSequences)
  // A runner of a pipeline looks for its commands at the first words, whatever their colour.
  const first = parts.findIndex((part, index) => index % 2 === 0 && part.trim() !== "")
  return parts
    .map((part, index) => {
      if (index % 2 === 1) return `${part}m`
      return index === first ? shownLine(part) : shown(part)
    })
    .join("")
}

/** One line for each text, whatever is in it. */
export const lines = (texts: ReadonlyArray<string>): Shown =>
  Shown(texts.map((text) => `${line(text)}\n`).join(""))

/** A part of a line that is not ended. */
export const unended = (text: string): Shown => Shown(line(text))

/** A line of JSON, whose meaning stays what it is. */
export const jsonLine = (json: string): Shown => Shown(`${shownJson(json)}\n`)

const escapes = new RegExp(`${"\u001b"}\\[[0-9;]*m`, "g")

export const withoutAnsi = (text: string): string => text.replace(escapes, "")
