/** Colours, or none: where a stream is no terminal, and where `NO_COLOR` is set to anything. */
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { Sink } from "./stdio.ts"

export interface Style {
  readonly bold: (text: string) => string
  readonly dim: (text: string) => string
  readonly red: (text: string) => string
  readonly yellow: (text: string) => string
  readonly green: (text: string) => string
}

const plain: Style = {
  bold: (text) => text,
  dim: (text) => text,
  red: (text) => text,
  yellow: (text) => text,
  green: (text) => text
}

const ansi =
  (begin: number, end: number) =>
  (text: string): string =>
    `\u001b[${begin}m${text}\u001b[${end}m`

const coloured: Style = {
  bold: ansi(1, 22),
  dim: ansi(2, 22),
  red: ansi(31, 39),
  yellow: ansi(33, 39),
  green: ansi(32, 39)
}

const noColor = Config.option(Config.string("NO_COLOR")).pipe(
  Config.map(Option.exists((value) => value !== "")),
  Effect.orElseSucceed(() => false)
)

export const styleOf = (sink: Sink): Effect.Effect<Style> =>
  Effect.map(noColor, (isOff) => (isOff || !sink.isTerminal ? plain : coloured))

const escapes = new RegExp(`${"\u001b"}\\[[0-9;]*m`, "g")

export const withoutAnsi = (text: string): string => text.replace(escapes, "")
