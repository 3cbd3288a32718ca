import { describe, expect, it } from "@effect/vitest"
import * as FastCheck from "effect/FastCheck"
import * as Redacted from "effect/Redacted"
import { makeScrub, scrubAddresses } from "../src/scrub.ts"

const visible = FastCheck.stringMatching(/^[\x21-\x7e]{12,60}$/)

const htmlEscape = (text: string) =>
  text.replace(/[^A-Za-z0-9]/g, (character) => `&#${character.charCodeAt(0)};`)
const hexEscape = (text: string) =>
  text.replace(/[^A-Za-z0-9]/g, (character) => `&#x${character.charCodeAt(0).toString(16).toUpperCase()};`)
const jsonEscape = (text: string) =>
  text.replace(/[^A-Za-z0-9]/g, (character) => `\\u00${character.charCodeAt(0).toString(16)}`)

const fully = (notation: (hex: string, code: number) => string) => (text: string) =>
  Array.from(text, (character) => {
    const code = character.charCodeAt(0)
    return notation(code.toString(16), code)
  }).join("")

const swapped = (text: string) => text.replaceAll("+", "-").replaceAll("/", "_")
const bytesOf = (text: string) => Buffer.from(text, "latin1")

const notationsOf = (key: string): Readonly<Record<string, string>> => ({
  itself: key,
  "percent-encoded": encodeURIComponent(key),
  "percent-encoded twice": encodeURIComponent(encodeURIComponent(key)),
  "a JSON text": JSON.stringify(key).slice(1, -1),
  "HTML references": htmlEscape(key),
  "HTML hexadecimal references": hexEscape(key),
  "JSON escapes": jsonEscape(key),
  "every character a JSON escape": fully((hex) => `\\u00${hex}`)(key),
  "every character percent-encoded": fully((hex) => `%${hex}`)(key),
  "every character percent-encoded twice": fully((hex) => `%25${hex}`)(key),
  "every character an HTML reference": fully((_, code) => `&#${code};`)(key),
  "every character a string escape": fully((hex) => `\\x${hex}`)(key),
  hexadecimal: bytesOf(key).toString("hex"),
  "capital hexadecimal": bytesOf(key).toString("hex").toUpperCase()
})

describe("makeScrub", () => {
  it.prop(
    "finds the key in every notation",
    [visible, FastCheck.string(), FastCheck.string()],
    ([key, before, after]) => {
      const scrub = makeScrub(Redacted.make(key))
      for (const [name, notation] of Object.entries(notationsOf(key))) {
        const text = scrub(`${before} ${notation} ${after}`)
        expect(text, name).toContain("<redacted>")
        expect(text, name).not.toContain(notation)
      }
    },
    // A pattern of so many notations takes a while to compile.
    { fastCheck: { numRuns: 25 } }
  )

  it.prop(
    "finds it in base64, wherever it begins in what was encoded",
    [visible, FastCheck.string({ maxLength: 5 }), FastCheck.string({ maxLength: 5 })],
    ([key, before, after]) => {
      const scrub = makeScrub(Redacted.make(key))
      const encoded = Buffer.concat([Buffer.from(before), bytesOf(key), Buffer.from(after)]).toString(
        "base64"
      )
      for (const notation of [encoded, encoded.replace(/=+$/, ""), swapped(encoded)]) {
        const text = scrub(`echo ${notation}.`)
        expect(text).toContain("<redacted>")
        const left = Buffer.from(text.replace(/^echo |<redacted>|\.$/g, ""), "base64").toString("latin1")
        expect(left).not.toContain(key)
      }
    }
  )

  it.prop(
    "finds a key that is spread over several texts",
    [visible, FastCheck.string(), FastCheck.integer({ min: 1, max: 59 })],
    ([key, around, at]) => {
      const scrub = makeScrub(Redacted.make(key))
      for (const half of [key.slice(0, at), key.slice(at)]) {
        const text = scrub(`${around} ${half} ${around}`)
        if (half.length >= 12) expect(text).not.toContain(half)
      }
    },
    { fastCheck: { numRuns: 50 } }
  )

  it("leaves what stands around a part of the key", () => {
    const scrub = makeScrub(Redacted.make("abcdefghijklmnopqrstuvwxyz0123456789"))
    expect(scrub("first cdefghijklmnop, then 0123456789, then ghijklmnopqrst.")).toBe(
      "first <redacted>, then 0123456789, then <redacted>."
    )
    expect(scrub("efghijklmnopqrstuvwxyzabcdefghijklmn")).toBe("<redacted><redacted>")
  })

  it("finds what Elastic's key stands for, and the key without its padding", () => {
    const key = Buffer.from("VuaCfGcBCdbkQm-e5aOx:ui2lp2axTNmsyakw9tvNnw").toString("base64")
    const scrub = makeScrub(Redacted.make(key))
    expect(scrub("id:key is VuaCfGcBCdbkQm-e5aOx:ui2lp2axTNmsyakw9tvNnw")).toBe("id:key is <redacted>")
    expect(scrub(`without ${key.replace(/=+$/, "")} padding`)).toBe("without <redacted> padding")
  })
})

describe("scrubAddresses", () => {
  it.each([
    ["see https://a.example:8443/p/q?sig=1#f now", "see https://a.example:8443/<redacted> now"],
    ["https://user:word@a.example/p", "https://a.example/<redacted>"],
    ['"https:\\/\\/a.example\\/p"', '"https:\\/\\/a.example/<redacted>"'],
    ["GET /file?sig=1&x=2 done", "GET /file?<redacted> done"],
    ["Location: /u/TOKEN", "Location: /<redacted>"],
    ["no upload /TOKEN-0123456789", "no upload /<redacted>"],
    ['{"location":"\\/u\\/TOKEN"}', '{"location":"/<redacted>"}'],
    ["/u/TOKEN is gone", "/<redacted> is gone"],
    ["no /api/v1/deployments/extensions/882519870 here", "no /api/v1/deployments/extensions/882519870 here"],
    ["/deployments/extensions/1/uploads/TOKEN", "/<redacted>"],
    ["and/or, 1/2, </title>", "and/or, 1/2, </title>"],
    ["why? because", "why? because"],
    ["nothing to hide", "nothing to hide"]
  ])("%s", (text, scrubbed) => {
    expect(scrubAddresses(text)).toBe(scrubbed)
  })

  it.each(["?", "\\", "http:", "&#0", "http://@", "/", " /", " /a", "/a", "%25", "\\u00", "%2"])(
    "takes linear time for many %j",
    (unit) => {
      const scrub = makeScrub(Redacted.make("+/=+/=+/="))
      const startedAt = performance.now()
      scrub(unit.repeat(65_536 / unit.length))
      expect(performance.now() - startedAt).toBeLessThan(1000)
    }
  )
})
