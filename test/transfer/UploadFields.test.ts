import * as Headers from "@effect/platform/Headers"
import { describe, expect, it } from "@effect/vitest"
import * as FastCheck from "effect/FastCheck"
import * as Option from "effect/Option"
import * as Fields from "../../src/transfer/UploadFields.ts"

const headersWith = (name: string, value: string) => Headers.fromInput({ [name]: value })

const integerFields = [
  ["Upload-Offset", Fields.uploadOffset],
  ["Upload-Length", Fields.uploadLength],
  ["Upload-Draft-Interop-Version", Fields.interopVersion]
] as const

describe.each(integerFields)("%s", (name, read) => {
  const field = (value: string) => read(headersWith(name, value))

  it.each([
    ["0", 0],
    ["8", 8],
    ["  8  ", 8],
    ["00012", 12],
    ["123456789012345", 123_456_789_012_345],
    ["7;unknown", 7],
    ['7;of="1.5, 2"', 7],
    ["7;precision=1.5", 7]
  ])("reads %j", (value, expected) => {
    expect(field(value)).toEqual(Option.some(expected))
  })

  it.each([
    ["empty", ""],
    ["negative", "-1"],
    ["a Decimal", "1.5"],
    ["a Decimal without a fraction", "1.0"],
    ["a Decimal with parameters", "1.0;a=1"],
    ["more than 15 digits", "1234567890123456"],
    ["huge", "9".repeat(400)],
    ["a sign", "+1"],
    ["an exponent", "1e3"],
    ["hexadecimal", "0x10"],
    ["a String", '"8"'],
    ["a Token", "eight"],
    ["a Boolean", "?1"],
    ["a Date", "@1659578233"],
    ["a Byte Sequence", ":AQ==:"],
    ["a List", "1, 2"],
    ["an Inner List", "(1 2)"],
    ["two numbers", "1 2"],
    ["trailing junk", "1x"],
    ["non-ASCII digits", "１２"],
    ["only white space", "   "],
    ["NaN", "NaN"]
  ])("counts as absent when it is %s", (_, value) => {
    expect(field(value)).toEqual(Option.none())
  })

  it("counts as absent when it is absent", () => {
    expect(read(Headers.empty)).toEqual(Option.none())
  })

  it("reads every integer of the format", () => {
    FastCheck.assert(
      FastCheck.property(FastCheck.integer({ min: 0, max: 999_999_999_999_999 }), (value) => {
        expect(field(String(value))).toEqual(Option.some(value))
      })
    )
  })

  it("never throws, and never gives anything but a non-negative integer", () => {
    FastCheck.assert(
      FastCheck.property(FastCheck.oneof(FastCheck.string(), FastCheck.double().map(String)), (value) => {
        const told = Option.getOrElse(field(value), () => 0)
        expect(Number.isSafeInteger(told) && told >= 0).toBe(true)
      })
    )
  })
})

describe("Upload-Complete", () => {
  const field = (value: string) => Fields.uploadComplete(headersWith("Upload-Complete", value))

  it.each([
    ["?1", true],
    ["?0", false],
    ["?1;by=server", true]
  ])("reads %j", (value, expected) => {
    expect(field(value)).toEqual(Option.some(expected))
  })

  it.each(["", "1", "0", "true", "?2", "?", "?1, ?1", '"?1"', "?1 ?0", "(?1)", "ja", "?１"])(
    "counts as absent as %j",
    (value) => {
      expect(field(value)).toEqual(Option.none())
    }
  )

  it("counts as absent when it is absent", () => {
    expect(Fields.uploadComplete(Headers.empty)).toEqual(Option.none())
  })
})

describe("Upload-Limit", () => {
  const field = (value: string) => Fields.uploadLimits(headersWith("Upload-Limit", value))

  it.each<[string, Fields.UploadLimits]>([
    ["", {}],
    ["min-size=0", { minSize: 0 }],
    [
      "max-size=5000, min-size=1, max-append-size=300, min-append-size=20, max-age=3600",
      { maxSize: 5000, minSize: 1, maxAppendSize: 300, minAppendSize: 20, maxAgeSeconds: 3600 }
    ],
    ["expires=60", { maxAgeSeconds: 60 }],
    ["max-size=1;soft, max-age=2;unit=s", { maxSize: 1, maxAgeSeconds: 2 }],
    ["max-size=1, max-size=2", { maxSize: 2 }],
    ['max-size=1, colour="blue", flag, ratio=1.5, list=(1 2)', { maxSize: 1 }],
    ['max-size=1, note="a max-age=1.5 b"', { maxSize: 1 }],
    ["unknown=1.5", {}],
    ["xmax-size=1.5", {}]
  ])("reads %j", (value, expected) => {
    expect(field(value)).toEqual(Option.some(expected))
  })

  it.each([
    ["a known key with a Decimal", "max-size=1.5"],
    ["a known key with a Decimal without a fraction", "max-size=100.0"],
    ["the same after others", "max-age=5, foo,max-append-size=100.0;a"],
    ["a negative size", "max-size=-1"],
    ["a String", 'max-size="100"'],
    ["a Boolean", "max-size"],
    ["an Inner List", "max-size=(1)"],
    ["one wrong among right ones", "max-age=60, max-size=many"],
    ["more digits than fit", "max-size=1234567890123456"],
    ["not a Dictionary", "5000"],
    ["an uppercase key", "Max-Size=1"],
    ["a trailing comma", "max-size=1,"],
    ["non-ASCII", "max-size=１"]
  ])("counts as absent with %s", (_, value) => {
    expect(field(value)).toEqual(Option.none())
  })

  it("counts as absent when it is absent", () => {
    expect(Fields.uploadLimits(Headers.empty)).toEqual(Option.none())
  })

  it("reads any limits whatever else stands among them", () => {
    const size = FastCheck.integer({ min: 0, max: 999_999_999_999_999 })
    const other = FastCheck.constantFrom("a=1", "b", 'c="x, y"', "d=(1 2);e", "f=:AA==:", "g=1.25")
    FastCheck.assert(
      FastCheck.property(size, size, FastCheck.array(other), (maxSize, maxAppendSize, others) => {
        const members = [`max-size=${maxSize}`, ...others, `max-append-size=${maxAppendSize}`]
        expect(field(members.join(", "))).toEqual(Option.some({ maxSize, maxAppendSize }))
      })
    )
  })

  it("never throws", () => {
    FastCheck.assert(
      FastCheck.property(FastCheck.string(), (value) => {
        for (const limit of Object.values(Option.getOrElse(field(value), () => ({})))) {
          expect(Number.isSafeInteger(limit)).toBe(true)
        }
      })
    )
  })
})
