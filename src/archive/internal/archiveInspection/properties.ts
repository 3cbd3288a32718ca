/**
 * Properties as `java.util.Properties.load(InputStream)` reads them: ISO-8859-1, its own white space and escapes, lines that
 * continue, values that are not trimmed, and a byte order mark that belongs to the first key.
 */
import { Buffer } from "node:buffer"
import * as Either from "effect/Either"
import { quoted } from "./problems.ts"

/** The last value of each key, or what Java refuses. */
export const parse = (bytes: Uint8Array): Either.Either<ReadonlyMap<string, string>, string> => {
  const properties = new Map<string, string>()
  for (const line of logicalLines(Buffer.from(bytes).toString("latin1"))) {
    const [keyEnd, valueStart] = separation(line)
    const key = unescaped(line.slice(0, keyEnd))
    const value = unescaped(line.slice(valueStart))
    if (key === undefined || value === undefined) {
      return Either.left(`malformed \\u escape in the line beginning ${quoted(line.slice(0, 40))}`)
    }
    properties.set(key, value)
  }
  return Either.right(properties)
}

const isSpace = (char: string | undefined): boolean => char === " " || char === "\t" || char === "\f"
const isLineEnd = (char: string | undefined): boolean => char === "\n" || char === "\r"

/** Lines without comments and blanks, each joined with those it continues on. */
function* logicalLines(text: string): Generator<string> {
  let line = ""
  for (let at = 0; at < text.length; ) {
    while (isSpace(text[at])) at += 1
    // A continued line of which nothing is left, such as a lone backslash, may be followed by a comment, too.
    if (line === "" && (text[at] === "#" || text[at] === "!")) {
      at = lineEnd(text, at) + 1
      continue
    }
    const end = lineEnd(text, at)
    const natural = text.slice(at, end)
    at = end + (text[end] === "\r" && text[end + 1] === "\n" ? 2 : 1)
    const isContinued = trailingBackslashes(natural) % 2 === 1
    line += isContinued ? natural.slice(0, -1) : natural
    // Java takes a lone backslash at the very end for a line, though an empty one.
    const isLast = isContinued && end + 1 >= text.length
    if (!isLast && (isContinued || line === "")) continue
    yield line
    line = ""
  }
  if (line !== "") yield line
}

const lineEnd = (text: string, from: number): number => {
  let at = from
  while (at < text.length && !isLineEnd(text[at])) at += 1
  return at
}

const trailingBackslashes = (line: string): number => {
  let count = 0
  while (line[line.length - 1 - count] === "\\") count += 1
  return count
}

/** A key runs to the first separator that is not escaped: white space, `=` or `:`, once, with white space around it. */
const separation = (line: string): readonly [keyEnd: number, valueStart: number] => {
  let keyEnd = 0
  while (keyEnd < line.length && !isSpace(line[keyEnd]) && line[keyEnd] !== "=" && line[keyEnd] !== ":") {
    keyEnd += line[keyEnd] === "\\" ? 2 : 1
  }
  keyEnd = Math.min(keyEnd, line.length)
  let at = keyEnd
  while (isSpace(line[at])) at += 1
  if (line[at] === "=" || line[at] === ":") at += 1
  while (isSpace(line[at])) at += 1
  return [keyEnd, at]
}

const escapes: Readonly<Record<string, string>> = { t: "\t", n: "\n", r: "\r", f: "\f" }

/** `undefined` where a `\u` is not followed by four hex digits. */
const unescaped = (text: string): string | undefined => {
  if (!text.includes("\\")) return text
  let isMalformed = false
  const plain = text.replace(/\\(?:u([0-9a-fA-F]{4})|(.))/gs, (_, hex: string | undefined, char: string) => {
    if (hex !== undefined) return String.fromCharCode(Number.parseInt(hex, 16))
    if (char === "u") isMalformed = true
    return escapes[char] ?? char
  })
  return isMalformed ? undefined : plain
}

/** What `String.isBlank` takes for blank: not the spaces that do not break, and separators that JavaScript keeps. */
export const isBlank = (text: string): boolean =>
  [...text].every(
    (char) => (/\s/.test(char) && !/[\u00a0\u2007\u202f\ufeff]/.test(char)) || isSeparator(char)
  )

const isSeparator = (char: string): boolean => char >= "\u001c" && char <= "\u001f"
