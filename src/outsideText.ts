/** Text that somebody else has written (a server, an archive, the name of a file, a variable), shown and not obeyed. */

/**
 * With control characters, which could move the cursor or change the window, marks that turn the direction of text, and
 * ends of lines as their codes.
 */
export const printable = (text: string): string =>
  text.replace(
    /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu,
    (character) => `\\u{${character.codePointAt(0)?.toString(16)}}`
  )

/** UTF-16 code units. No path, no address that works and no account of a failure is longer. */
const maxLength = 16_384

/** Cut where nobody would read on. */
export const bounded = (text: string): string => {
  if (text.length <= maxLength) return text
  return `${text.slice(0, maxLength)}… (${text.length - maxLength} more characters)`
}

/** What runners of pipelines take for a command of theirs wherever it stands in a line: `##[error]`, `##vso[…]`. */
const command = /##(?=\w*\[)/g

/** What one takes for a command at the start of a line, blanks before it or not: `::add-mask::`. */
const commandAtStart = /^(\s*):(?=:)/

/** A part of a line: printable, of bounded length, and no command to the runner of a pipeline. */
export const shown = (text: string): string => printable(bounded(text)).replace(command, "\\u{23}#")

/** A whole line, or the start of one. */
export const shownLine = (text: string): string => shown(text).replace(commandAtStart, "$1\\u{3a}")

/** A line of JSON that means the same, and shows what `shown` shows. */
export const shownJson = (json: string): string =>
  json
    .replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu, (character) =>
      Array.from({ length: character.length }, (_, unit) => escapedUnit(character.charCodeAt(unit))).join("")
    )
    .replace(command, `${escapedUnit(0x23)}#`)

const escapedUnit = (unit: number): string => `\\u${unit.toString(16).padStart(4, "0")}`
