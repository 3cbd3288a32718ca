/**
 * Durations and sizes as people write them, and durations as people read them.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Option from "effect/Option"

const millisOf: ReadonlyArray<readonly [names: string, millis: number]> = [
  ["nanos nano ns", 1e-6],
  ["micros micro us", 1e-3],
  ["ms milli millis millisecond milliseconds", 1],
  ["s sec secs second seconds", 1000],
  ["m min mins minute minutes", 60_000],
  ["h hr hrs hour hours", 3_600_000],
  ["d day days", 86_400_000],
  ["w week weeks", 604_800_000]
]

const bytesOf: ReadonlyArray<readonly [names: string, bytes: number]> = [
  ["b byte bytes", 1],
  ["kb", 1000],
  ["mb", 1000 ** 2],
  ["gb", 1000 ** 3],
  ["tb", 1000 ** 4],
  ["kib", 1024],
  ["mib", 1024 ** 2],
  ["gib", 1024 ** 3],
  ["tib", 1024 ** 4]
]

const byName = (units: ReadonlyArray<readonly [names: string, size: number]>): ReadonlyMap<string, number> =>
  new Map(units.flatMap(([names, size]) => names.split(" ").map((name) => [name, size] as const)))

const durationUnits = byName(millisOf)
const byteUnits = byName(bytesOf)

const term = /(\d+(?:\.\d+)?)\s*([a-z]+)\s*/gy

/**
 * `10s`, `5m`, `1h30m`, `90 seconds`, `500 millis`, `2 days`, or `infinity`. A number needs its unit.
 *
 * @since 0.1.0
 * @category parsing
 */
export const parseDuration = (text: string): Option.Option<Duration.Duration> => {
  const written = text.trim().toLowerCase()
  if (written === "infinity") return Option.some(Duration.infinity)
  let read = 0
  let millis = 0
  for (const [part, amount, unit = ""] of written.matchAll(term)) {
    read += part.length
    millis += Number(amount) * (durationUnits.get(unit) ?? Number.NaN)
  }
  return read === 0 || read < written.length || Number.isNaN(millis)
    ? Option.none()
    : Option.some(Duration.millis(millis))
}

/**
 * `5MB` (powers of 1000), `5 MiB` (powers of 1024), or a plain number of bytes: a whole number of bytes in the end.
 *
 * @since 0.1.0
 * @category parsing
 */
export const parseBytes = (text: string): Option.Option<number> =>
  Option.fromNullable(/^(\d+(?:\.\d+)?)\s*([a-z]*)$/.exec(text.trim().toLowerCase())).pipe(
    Option.map(([, amount, unit]) => Number(amount) * (byteUnits.get(unit || "b") ?? Number.NaN)),
    Option.filter(Number.isSafeInteger)
  )

const counted = (count: number, unit: string): string => `${count} ${unit}${count === 1 ? "" : "s"}`

/**
 * `500 ms`, `1.5 seconds`, `5 minutes`, `1 hour 30 minutes`: the two largest units, which is as much as a reader needs.
 *
 * @example
 * ```ts
 * import { Quantity } from "effect-elastic-extensions"
 *
 * console.log(Quantity.formatDuration("300 seconds")) // 5 minutes
 * ```
 *
 * @since 0.1.0
 * @category formatting
 */
export const formatDuration = (duration: Duration.DurationInput): string => {
  const millis = Duration.toMillis(duration)
  if (millis === Number.POSITIVE_INFINITY) return "any time"
  if (Math.round(millis) < 1000) return `${Math.round(millis)} ms`
  if (millis < 59_950) return counted(Math.round(millis / 100) / 10, "second")
  const seconds = Math.round(millis / 1000)
  const parts = [
    counted(Math.floor(seconds / 86_400), "day"),
    counted(Math.floor(seconds / 3600) % 24, "hour"),
    counted(Math.floor(seconds / 60) % 60, "minute"),
    counted(seconds % 60, "second")
  ]
  const first = parts.findIndex((part) => !part.startsWith("0 "))
  return parts
    .slice(first, first + 2)
    .filter((part) => !part.startsWith("0 "))
    .join(" ")
}
