/**
 * The line format of `java.util.Properties`, as much of it as a descriptor can hold: all of it.
 *
 * @internal
 */
import * as Either from "effect/Either"

/** The last value of each key, or what is wrong with the text. */
export const parse = (text: string): Either.Either<ReadonlyMap<string, string>, string> => {
  const properties = new Map<string, string>()
  for (const line of logicalLines(text)) {
    const malformed = /(?<!\\)(?:\\\\)*\\u(?![0-9a-fA-F]{4})/.exec(line)
    if (malformed !== null)
      return Either.left(`malformed \\u escape in the line beginning "${line.slice(0, 40)}"`)
    const [, key = "", value = ""] = keyAndValue.exec(line) ?? []
    properties.set(decodeEscapes(key), decodeEscapes(value))
  }
  return Either.right(properties)
}

/** A key runs to the first separator that is not escaped: white space, `=` or `:`, once, with white space around it. */
const keyAndValue = /^((?:[^\\=:\s]|\\.)*)[ \t\f]*[=:]?[ \t\f]*(.*)$/s

/** Lines without comments and blanks, each joined with those it continues on. */
const logicalLines = (text: string): ReadonlyArray<string> => {
  const lines: Array<string> = []
  let open: string | undefined
  for (const natural of text.split(/\r\n|\r|\n/)) {
    const line = natural.replace(/^[ \t\f]+/, "")
    if (open === undefined && (line === "" || line.startsWith("#") || line.startsWith("!"))) continue
    const joined = (open ?? "") + line
    const continues = trailingBackslashes(line) % 2 === 1
    open = continues ? joined.slice(0, -1) : undefined
    if (!continues) lines.push(joined)
  }
  return open === undefined ? lines : [...lines, open]
}

const trailingBackslashes = (line: string): number => {
  let count = 0
  while (line[line.length - 1 - count] === "\\") count += 1
  return count
}

const escapes: Readonly<Record<string, string>> = { t: "\t", n: "\n", r: "\r", f: "\f" }

const decodeEscapes = (text: string): string =>
  text.replace(/\\(?:u([0-9a-fA-F]{4})|(.))/gs, (_, hex: string | undefined, plain: string = "") =>
    hex === undefined ? (escapes[plain] ?? plain) : String.fromCharCode(Number.parseInt(hex, 16))
  )
