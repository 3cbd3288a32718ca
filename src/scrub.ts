/** Takes secrets out of text that strangers wrote before it is kept in an error. */
import * as Redacted from "effect/Redacted"

const redacted = "<redacted>"

// The patterns meet text of any kind: every repetition is bounded or cannot overlap its neighbour, so time stays linear.

/** A character as itself, or escaped the way URLs (once or twice), JSON, programs and HTML do. */
const anyNotation = (character: string): string => {
  const code = character.charCodeAt(0)
  const hex = code.toString(16)
  const itself = /[A-Za-z0-9]/.test(character) ? character : `\\\\{0,4}\\x${hex}`
  return `(?:${itself}|%(?:25){0,3}${hex}|\\\\{1,4}(?:u00|x)${hex}|&#(?:x0{0,4}${hex}|0{0,4}${code});)`
}

const literally = (text: string): string => text.replace(/[^A-Za-z0-9]/g, "\\$&")

/**
 * Base64 of a text that contains the key: what depends on the neighbours of its first and last byte is left out, and the
 * three ways in which bytes and digits can be aligned are three patterns.
 */
const inBase64 = (bytes: Buffer): ReadonlyArray<string> =>
  [0, 1, 2].map((before) => {
    const digits = Buffer.concat([Buffer.alloc(before), bytes])
      .toString("base64")
      .replace(/=+$/, "")
    const stable = digits.slice(Math.ceil((before * 4) / 3), Math.floor(((before + bytes.length) * 4) / 3))
    return literally(stable).replaceAll("\\+", "[-+]").replaceAll("\\/", "[/_]")
  })

/** Elastic's keys are base64 themselves: what they stand for is as secret as they are. */
const decodedKey = (key: string): ReadonlyArray<Buffer> => {
  const bytes = Buffer.from(key, "base64")
  return bytes.length >= minLength && /^[\x20-\x7e]+$/.test(bytes.toString("latin1")) ? [bytes] : []
}

/** Anything shorter occurs by chance. */
const minLength = 8

const patternOf = (key: string): RegExp => {
  // Keys are given without their padding, too.
  const unpadded = key.replace(/=+$/, "")
  const spelt = [key, ...(unpadded.length < minLength ? [] : [unpadded])].map((text) =>
    Array.from(text, anyNotation).join("")
  )
  const hidden = [Buffer.from(key, "latin1"), ...decodedKey(key)]
    .filter(({ length }) => length >= minLength)
    .flatMap((bytes) => [
      Array.from(bytes.toString("latin1"), anyNotation).join(""),
      bytes.toString("hex"),
      ...inBase64(bytes)
    ])
  return new RegExp([...spelt, ...hidden].join("|"), "gi")
}

/** Characters. A server can spread a key over several fields; so much of one occurs nowhere by chance. */
const tellingLength = 12

const partsOf = (secret: string): ReadonlyArray<string> =>
  Array.from({ length: Math.max(0, secret.length - tellingLength + 1) }, (_, at) =>
    secret.slice(at, at + tellingLength)
  )

/** Replaces every run of characters that stands in the key as well. */
const withoutParts = (text: string, parts: ReadonlySet<string>): string => {
  let kept = ""
  let from = 0
  for (let at = 0; at + tellingLength <= text.length; at++) {
    if (!parts.has(text.slice(at, at + tellingLength))) continue
    let end = at + tellingLength
    while (parts.has(text.slice(end - tellingLength + 1, end + 1))) end++
    kept += `${text.slice(from, at)}${redacted}`
    from = end
    at = end - 1
  }
  return kept + text.slice(from)
}

/** An absolute address is cut to its origin: a path, too, can be what makes a link a secret. */
const address = /\b(https?:(?:\\{0,4}\/){2})(?:[^\s/\\"'<>?#@]*@)?([^\s/\\"'<>?#]+)[^\s"'<>]*/gi

/** The same as a path alone. */
const path = /(^|[\s"'(=:,;])((?:\\{0,4}\/[^\s"'<>?/\\]+)+)/g

/** Long enough for a token, or with a folder before it; the paths of the API itself tell nothing. */
const isTelling = (reference: string): boolean => {
  const plain = reference.replaceAll("\\", "")
  return (
    (plain.length > 8 || plain.lastIndexOf("/") > 0) &&
    !/^(\/api\/v1)?\/deployments\/extensions(\/[^/]+)?$/.test(plain)
  )
}

const query = /\?[^\s"'<>=?]+=[^\s"'<>]*/g

export const scrubAddresses = (text: string): string =>
  text
    .replace(address, `$1$2/${redacted}`)
    .replace(path, (whole, before: string, reference: string) =>
      isTelling(reference) ? `${before}/${redacted}` : whole
    )
    .replace(query, `?${redacted}`)

/** Takes out a secret, in whatever notation, and any part of it that is long enough to be no coincidence. */
export const makeScrubOf = (secret: Redacted.Redacted<string>): ((text: string) => string) => {
  const plain = Redacted.value(secret)
  const whole = patternOf(plain)
  const hidden = decodedKey(plain).map((bytes) => bytes.toString("latin1"))
  const parts = new Set([plain, ...hidden].flatMap(partsOf))
  return (text) => withoutParts(text.replace(whole, redacted), parts)
}

/** The scrub for everything that an answer to a request with this key can contain. */
export const makeScrub = (apiKey: Redacted.Redacted<string>): ((text: string) => string) => {
  const scrub = makeScrubOf(apiKey)
  return (text) => scrubAddresses(scrub(text))
}
