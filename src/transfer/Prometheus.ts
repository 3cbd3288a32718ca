/**
 * Effect's metrics as text for Prometheus: the exposition format 0.0.4, which every version of Prometheus reads. Those of this
 * library are among them, those of the application they are used in, and those of Effect's runtime where they are on.
 *
 * @since 0.1.0
 */
import { Buffer } from "node:buffer"
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"
import type * as MetricKey from "effect/MetricKey"
import * as MetricKeyType from "effect/MetricKeyType"
import type * as MetricPair from "effect/MetricPair"
import * as MetricState from "effect/MetricState"
import * as Option from "effect/Option"

/**
 * The media type of the text, for the header `Content-Type`.
 *
 * @since 0.1.0
 * @category constants
 */
export const contentType = "text/plain; version=0.0.4; charset=utf-8"

/**
 * All metrics of this process as they are now.
 *
 * @example
 * ```ts
 * import { HttpServerResponse } from "@effect/platform"
 * import { Effect } from "effect"
 * import { Prometheus } from "effect-elastic-extensions"
 *
 * const metrics = Effect.map(Prometheus.text, (text) =>
 *   HttpServerResponse.text(text, { contentType: Prometheus.contentType })
 * )
 * ```
 *
 * @since 0.1.0
 * @category rendering
 */
export const text: Effect.Effect<string> = Effect.map(Metric.snapshot, (pairs) => render(pairs))

/** One line: what comes after the name of its family, its labels, and its value. */
interface Sample {
  readonly suffix: string
  readonly labels: ReadonlyArray<readonly [name: string, value: string]>
  readonly value: number | bigint
}

interface Family {
  readonly name: string
  readonly type: "counter" | "gauge" | "histogram" | "summary"
  readonly help: string
  /** Each with its value. */
  readonly lines: Array<string>
}

/**
 * A snapshot as text. Names and labels get the characters that Prometheus allows, and counters the ending `_total`. A tag
 * `unit`, by which Effect's exporters know the unit, is no label. Of two metrics that come to the same name with another type,
 * and of two with the same name and labels, the first is shown.
 *
 * @since 0.1.0
 * @category rendering
 */
export const render = (pairs: Iterable<MetricPair.MetricPair.Untyped>): string => {
  const families = new Map<string, Family>()
  const shown = new Set<string>()
  for (const { metricKey, metricState } of pairs) {
    const { name, samples, type } = readingOf(metricKey, metricState)
    const family = families.get(name) ?? { name, type, help: helpOf(metricKey), lines: [] }
    if (family.type !== type) continue
    families.set(name, family)
    for (const sample of samples) {
      const series = seriesOf(name, labelsOf(metricKey, sample.labels), sample.suffix)
      if (shown.has(series)) continue
      shown.add(series)
      family.lines.push(`${series} ${numberOf(sample.value)}`)
    }
  }
  return [...families.values()].map(textOf).join("")
}

const textOf = ({ help, lines, name, type }: Family): string =>
  [...(help === "" ? [] : [`# HELP ${name} ${escaped(help)}`]), `# TYPE ${name} ${type}`, ...lines]
    .map((line) => `${line}\n`)
    .join("")

const seriesOf = (name: string, labels: Sample["labels"], suffix: string): string => {
  const shown = labels.map(([label, value]) => `${label}="${escaped(value).replaceAll('"', '\\"')}"`)
  return `${name}${suffix}${shown.length === 0 ? "" : `{${shown.join(",")}}`}`
}

/** Half a surrogate pair has no UTF-8. */
const escaped = (text: string): string =>
  Buffer.from(text, "utf8").toString("utf8").replaceAll("\\", "\\\\").replaceAll("\n", "\\n")

const numberOf = (value: number | bigint): string => {
  if (value === Number.POSITIVE_INFINITY) return "+Inf"
  return value === Number.NEGATIVE_INFINITY ? "-Inf" : String(value)
}

const helpOf = ({ description }: MetricKey.MetricKey.Untyped): string =>
  Option.getOrElse(description, () => "")

const units: ReadonlySet<string> = new Set(["unit", "time_unit"])

/** Names that Prometheus gives a meaning of its own to, wherever they stand. */
const reserved = /^(__|le$|quantile$)/

/** Two tags that come to the same name are one label, with both values. Labels of the format itself go before tags. */
const labelsOf = ({ tags }: MetricKey.MetricKey.Untyped, own: Sample["labels"]): Sample["labels"] => {
  const labels = new Map<string, string>()
  for (const { key, value } of tags) {
    if (units.has(key)) continue
    const plain = startable(key.replace(/[^a-zA-Z0-9_]/g, "_"))
    const isTaken = reserved.test(plain) || own.some(([name]) => name === plain)
    const name = isTaken ? `tag_${plain}` : plain
    const before = labels.get(name)
    labels.set(name, before === undefined ? value : `${before};${value}`)
  }
  return [...labels, ...own]
}

/** No name is empty, or begins with a digit. */
const startable = (name: string): string => (/^[^0-9]/.test(name) ? name : `_${name}`)

const nameOf = ({ name }: MetricKey.MetricKey.Untyped): string =>
  startable(name.replace(/[^a-zA-Z0-9_:]/g, "_"))

const countedName = (key: MetricKey.MetricKey.Untyped): string => nameOf(key).replace(/(_total)?$/, "_total")

interface Reading extends Pick<Family, "name" | "type"> {
  readonly samples: ReadonlyArray<Sample>
}

const single = (value: number | bigint): ReadonlyArray<Sample> => [{ suffix: "", labels: [], value }]

const summed = ({ count, sum }: { readonly count: number; readonly sum: number }): ReadonlyArray<Sample> => [
  { suffix: "_sum", labels: [], value: sum },
  { suffix: "_count", labels: [], value: count }
]

const readingOf = (key: MetricKey.MetricKey.Untyped, state: unknown): Reading => {
  if (MetricState.isCounterState(state)) {
    const { keyType } = key
    return MetricKeyType.isCounterKey(keyType) && "incremental" in keyType && keyType.incremental === true
      ? { name: countedName(key), type: "counter", samples: single(state.count) }
      : // What may go down is none to Prometheus.
        { name: nameOf(key), type: "gauge", samples: single(state.count) }
  }
  if (MetricState.isFrequencyState(state)) {
    return {
      name: countedName(key),
      type: "counter",
      samples: [...state.occurrences].map(([word, value]) => ({ suffix: "", labels: [["key", word]], value }))
    }
  }
  if (MetricState.isHistogramState(state)) {
    const finite = state.buckets.filter(([bound]) => bound !== Number.POSITIVE_INFINITY)
    const buckets = [...finite, [Number.POSITIVE_INFINITY, state.count] as const]
    return {
      name: nameOf(key),
      type: "histogram",
      samples: [
        ...buckets.map(([bound, value]) => ({
          suffix: "_bucket",
          labels: [["le", numberOf(bound)] as const],
          value
        })),
        ...summed(state)
      ]
    }
  }
  if (MetricState.isSummaryState(state)) {
    return {
      name: nameOf(key),
      type: "summary",
      samples: [
        ...state.quantiles.map(([quantile, value]) => ({
          suffix: "",
          labels: [["quantile", String(quantile)] as const],
          value: Option.getOrElse(value, () => Number.NaN)
        })),
        ...summed(state)
      ]
    }
  }
  return {
    name: nameOf(key),
    type: "gauge",
    samples: MetricState.isGaugeState(state) ? single(state.value) : []
  }
}
