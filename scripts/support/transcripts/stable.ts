/** Replaces what differs from run to run by constants. Keeps the width where columns depend on it. */
type Rule = readonly [pattern: RegExp, replacement: string]

const rules: ReadonlyArray<Rule> = [
  [/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/g, "2026-11-23T21:31:50.035Z"],
  [/\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ/g, "2026-11-23 21:31:50Z"],
  [/(took +)[\d.]+ m?s/g, "$1420 ms"],
  [/"durationMillis":\d+/g, '"durationMillis":420'],
  [/(Trying again in )[\d.]+ m?s/g, "$1250 ms"],
  [/"delayMillis":\d+/g, '"delayMillis":250'],
  [/"ageMillis":\d+/g, '"ageMillis":5000'],
  [/\b0:\d\d ago/g, "0:05 ago"],
  [/\/\S*?transcripts-\w+\/work\b/g, "/home/you/acme"],
  [/\b127\.0\.0\.1:\d+/g, "127.0.0.1:54321"],
  [/\bNode \d+\.\d+\.\d+,(\s+)\w+ \w+/g, "Node 24.11.1,$1linux x64"]
]

/** `ids` maps ids that the server generated to those that are shown instead. */
export const stable = (text: string, ids: ReadonlyMap<string, string>): string =>
  [...ids].reduce(
    (shown, [id, shownId]) => shown.replaceAll(id, shownId),
    rules.reduce((shown, [pattern, replacement]) => shown.replace(pattern, replacement), text)
  )
