import { describe, expect, it } from "@effect/vitest"
import { Duration, FastCheck, Option } from "effect"
import * as Quantity from "../../src/transfer/Quantity.ts"

const millisOf = (text: string) =>
  Option.getOrUndefined(Option.map(Quantity.parseDuration(text), Duration.toMillis))

describe("parseDuration", () => {
  it.each([
    ["10s", 10_000],
    ["10 s", 10_000],
    [" 90 seconds ", 90_000],
    ["1 second", 1000],
    ["5m", 300_000],
    ["5 min", 300_000],
    ["5 Minutes", 300_000],
    ["1.5h", 5_400_000],
    ["1h30m", 5_400_000],
    ["1 hour 30 minutes", 5_400_000],
    ["500ms", 500],
    ["500 millis", 500],
    ["2 days", 172_800_000],
    ["1w", 604_800_000],
    ["0s", 0],
    ["infinity", Number.POSITIVE_INFINITY]
  ])("reads %j", (text, millis) => expect(millisOf(text)).toBe(millis))

  it.each(["", "10", "s", "10 fortnights", "-5s", "5s!", "5s 10", "1,5s", "ten seconds", "5 s s", "1e3s"])(
    "refuses %j",
    (text) => expect(millisOf(text)).toBeUndefined()
  )
})

describe("parseBytes", () => {
  it.each([
    ["1", 1],
    ["5000000", 5_000_000],
    ["5MB", 5_000_000],
    ["5 mb", 5_000_000],
    ["5 MiB", 5_242_880],
    ["1.5kB", 1500],
    ["2 GiB", 2_147_483_648],
    ["100 bytes", 100],
    ["0", 0]
  ])("reads %j", (text, bytes) => expect(Quantity.parseBytes(text)).toEqual(Option.some(bytes)))

  it.each(["", "MB", "-1", "5 MBit", "5M", "0.5", "1e9", "1,000", "99999999999999999999", "9999999 TB"])(
    "refuses %j",
    (text) => expect(Quantity.parseBytes(text)).toEqual(Option.none())
  )
})

describe("formatDuration", () => {
  it.each([
    [0, "0 ms"],
    [120, "120 ms"],
    [999.6, "1 second"],
    [1000, "1 second"],
    [1500, "1.5 seconds"],
    [59_949, "59.9 seconds"],
    [59_950, "1 minute"],
    [60_000, "1 minute"],
    [90_000, "1 minute 30 seconds"],
    [300_000, "5 minutes"],
    [3_600_000, "1 hour"],
    [3_601_000, "1 hour"],
    [5_400_000, "1 hour 30 minutes"],
    [90_000_000, "1 day 1 hour"],
    [Number.POSITIVE_INFINITY, "any time"]
  ])("%i ms is %s", (millis, text) => expect(Quantity.formatDuration(millis)).toBe(text))

  it.prop(
    "is read back to within its smallest unit",
    [FastCheck.integer({ min: 0, max: 1e10 })],
    ([millis]) => {
      const back = millisOf(Quantity.formatDuration(millis).replace(" 1 ms", ""))
      const smallest =
        millis < 1000
          ? 1
          : millis < 60_000
            ? 100
            : millis < 3_600_000
              ? 1000
              : millis < 86_400_000
                ? 60_000
                : 3_600_000
      expect(Math.abs((back ?? Number.NaN) - millis)).toBeLessThanOrEqual(smallest)
    }
  )
})
