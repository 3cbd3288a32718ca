/** Takes secrets out of text that strangers wrote before it is kept in an error. */
import * as Redacted from "effect/Redacted"

const redacted = "<redacted>"

// The patterns meet text of any kind: every repetition is bounded or cannot overlap its neighbour, so time stays linear.

/** `key` as itself, and with any of its characters escaped the way URLs, JSON and HTML do. */
const patternOf = (key: string): RegExp =>
  new RegExp(
    Array.from(key, (character) => {
      if (/[A-Za-z0-9]/.test(character)) return character
      const code = character.charCodeAt(0)
      const hex = code.toString(16)
      return `(?:\\\\{0,4}\\x${hex}|%${hex}|\\\\{1,4}u00${hex}|&#(?:x0{0,4}${hex}|0{0,4}${code});)`
    }).join(""),
    "gi"
  )

/** An absolute address is cut to its origin: a path, too, can be what makes a link a secret. */
const address = /\b(https?:(?:\\{0,4}\/){2})(?:[^\s/\\"'<>?#@]*@)?([^\s/\\"'<>?#]+)[^\s"'<>]*/gi

const query = /\?[^\s"'<>=?]+=[^\s"'<>]*/g

export const scrubAddresses = (text: string): string =>
  text.replace(address, `$1$2/${redacted}`).replace(query, `?${redacted}`)

/** The scrub for everything that an answer to a request with this key can contain. */
export const makeScrub = (apiKey: Redacted.Redacted<string>): ((text: string) => string) => {
  const key = patternOf(Redacted.value(apiKey))
  return (text) => scrubAddresses(text.replace(key, redacted))
}
