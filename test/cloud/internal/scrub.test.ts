import { describe, expect, it } from "@effect/vitest"
import * as FastCheck from "effect/FastCheck"
import * as Redacted from "effect/Redacted"
import { makeScrub, scrubAddresses } from "../../../src/cloud/internal/scrub.ts"

const visible = FastCheck.stringMatching(/^[\x21-\x7e]{12,60}$/)

const htmlEscape = (text: string) =>
  text.replace(/[^A-Za-z0-9]/g, (character) => `&#${character.charCodeAt(0)};`)
const hexEscape = (text: string) =>
  text.replace(/[^A-Za-z0-9]/g, (character) => `&#x${character.charCodeAt(0).toString(16).toUpperCase()};`)
const jsonEscape = (text: string) =>
  text.replace(/[^A-Za-z0-9]/g, (character) => `\\u00${character.charCodeAt(0).toString(16)}`)

describe("makeScrub", () => {
  it.prop(
    "finds the key in every notation",
    [visible, FastCheck.string(), FastCheck.string()],
    ([key, before, after]) => {
      const scrub = makeScrub(Redacted.make(key))
      const notations = [
        key,
        encodeURIComponent(key),
        JSON.stringify(key),
        htmlEscape(key),
        hexEscape(key),
        jsonEscape(key)
      ]
      for (const notation of notations) {
        const text = scrub(`${before} ${notation} ${after}`)
        expect(text).toContain("<redacted>")
        expect(text).not.toContain(notation)
      }
    }
  )
})

describe("scrubAddresses", () => {
  it.each([
    ["see https://a.example:8443/p/q?sig=1#f now", "see https://a.example:8443/<redacted> now"],
    ["https://user:word@a.example/p", "https://a.example/<redacted>"],
    ['"https:\\/\\/a.example\\/p"', '"https:\\/\\/a.example/<redacted>"'],
    ["GET /file?sig=1&x=2 done", "GET /file?<redacted> done"],
    ["why? because", "why? because"],
    ["nothing to hide", "nothing to hide"]
  ])("%s", (text, scrubbed) => {
    expect(scrubAddresses(text)).toBe(scrubbed)
  })

  it.each(["?", "\\", "http:", "&#0", "http://@", "/"])("takes linear time for many %j", (unit) => {
    const scrub = makeScrub(Redacted.make("+/=+/=+/="))
    const startedAt = performance.now()
    scrub(unit.repeat(65_536 / unit.length))
    expect(performance.now() - startedAt).toBeLessThan(1000)
  })
})
