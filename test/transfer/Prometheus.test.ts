import { spawnSync } from "node:child_process"
import { assert, describe, expect, it } from "@effect/vitest"
import {
  Duration,
  Effect,
  FastCheck as fc,
  Metric,
  MetricBoundaries,
  MetricKey,
  MetricLabel,
  MetricPair,
  MetricState,
  Option
} from "effect"
import * as Prometheus from "../../src/transfer/Prometheus.ts"
import { parse } from "../support/transfer/exposition.ts"

type Tags = Readonly<Record<string, string>>
const labels = (tags: Tags) => Object.entries(tags).map(([name, value]) => MetricLabel.make(name, value))

const counter = (name: string, value: number, tags: Tags = {}, incremental = true) =>
  MetricPair.unsafeMake(
    MetricKey.taggedWithLabels(
      MetricKey.counter(name, { incremental, description: `What ${name} is.` }),
      labels(tags)
    ),
    MetricState.counter(value)
  )
const gauge = (name: string, value: number, tags: Tags = {}) =>
  MetricPair.unsafeMake(
    MetricKey.taggedWithLabels(MetricKey.gauge(name), labels(tags)),
    MetricState.gauge(value)
  )
const histogram = (name: string, bounds: ReadonlyArray<number>, tags: Tags = {}) =>
  MetricPair.unsafeMake(
    MetricKey.taggedWithLabels(
      MetricKey.histogram(name, MetricBoundaries.fromIterable(bounds)),
      labels(tags)
    ),
    MetricState.histogram({
      buckets: bounds.map((bound, index) => [bound, index + 1]),
      count: 9,
      min: 0,
      max: 5,
      sum: 12.5
    })
  )

describe("a metric", () => {
  it("that only grows is a counter, with the ending that those have", () => {
    expect(
      Prometheus.render([counter("jobs", 3, { how: "well" }), counter("jobs_total", 4, { how: "badly" })])
    ).toBe(
      '# HELP jobs_total What jobs is.\n# TYPE jobs_total counter\njobs_total{how="well"} 3\njobs_total{how="badly"} 4\n'
    )
  })

  it("that may go down is a gauge", () => {
    const { types } = parse(Prometheus.render([counter("balance", -3, {}, false), gauge("depth", 4)]))
    expect([...types]).toEqual([
      ["balance", "gauge"],
      ["depth", "gauge"]
    ])
  })

  it("of many values is a histogram whose last bucket holds all", () => {
    expect(Prometheus.render([histogram("wait_seconds", [0.5, 2], { unit: "s", way: "direct" })])).toBe(
      [
        "# TYPE wait_seconds histogram",
        'wait_seconds_bucket{way="direct",le="0.5"} 1',
        'wait_seconds_bucket{way="direct",le="2"} 2',
        'wait_seconds_bucket{way="direct",le="+Inf"} 9',
        'wait_seconds_sum{way="direct"} 12.5',
        'wait_seconds_count{way="direct"} 9\n'
      ].join("\n")
    )
  })

  it("that is a summary or a frequency is shown as well", () => {
    const summary = MetricPair.unsafeMake(
      MetricKey.summary({
        name: "size",
        maxAge: Duration.hours(1),
        maxSize: 9,
        error: 0,
        quantiles: [0.5, 0.9]
      }),
      MetricState.summary({
        error: 0,
        quantiles: [
          [0.5, Option.some(7)],
          [0.9, Option.none()]
        ],
        count: 1,
        min: 7,
        max: 7,
        sum: 7
      })
    )
    const frequency = MetricPair.unsafeMake(
      MetricKey.taggedWithLabels(MetricKey.frequency("words"), labels({ key: "mine" })),
      MetricState.frequency(new Map([["a", 2]]))
    )
    expect(parse(Prometheus.render([summary, frequency])).series).toEqual([
      { name: "size", labels: { quantile: "0.5" }, value: 7 },
      { name: "size", labels: { quantile: "0.9" }, value: Number.NaN },
      { name: "size_sum", labels: {}, value: 7 },
      { name: "size_count", labels: {}, value: 1 },
      { name: "words_total", labels: { tag_key: "mine", key: "a" }, value: 2 }
    ])
  })

  it("with a name that Prometheus does not take gets one that it does", () => {
    const { series } = parse(
      Prometheus.render([
        gauge("9 lives/left", 1, { "a.b": "1", "a-b": "2", __name__: "x", "": "y", "1st": "z" }),
        gauge("", 2),
        gauge("x", Number.NEGATIVE_INFINITY, { say: 'a "b"\n\\c\ud800' })
      ])
    )
    expect(series).toEqual([
      { name: "_9_lives_left", labels: { a_b: "1;2", tag___name__: "x", _: "y", _1st: "z" }, value: 1 },
      { name: "_", labels: {}, value: 2 },
      { name: "x", labels: { say: 'a "b"\n\\c\ufffd' }, value: Number.NEGATIVE_INFINITY }
    ])
  })

  it("that another one has taken the name or the series of is left out", () => {
    const text = Prometheus.render([
      gauge("a b", 1),
      gauge("a_b", 2),
      histogram("a_b", [1]),
      histogram("c", [1]),
      gauge("c_count", 5)
    ])
    expect(parse(text).series.filter(({ name }) => name === "a_b" || name === "c_count")).toEqual([
      { name: "a_b", labels: {}, value: 1 },
      { name: "c_count", labels: {}, value: 9 }
    ])
  })
})

const anyText = fc.oneof(
  fc.string(),
  fc.fullUnicodeString(),
  fc.constantFrom("le", "quantile", "key", "__a", "unit", "\ud800")
)
/** Names of labels that stay as they are: Prometheus gives no meaning of its own to them. */
const plainName = fc.stringMatching(/^[a-z]{1,8}$/).filter((name) => name !== "le" && name !== "quantile")
const anyTags = fc.dictionary(anyText, anyText, { maxKeys: 4 })
const anyNumber = fc.oneof(fc.double(), fc.integer())
const anyPair = fc.oneof(
  fc.tuple(anyText, anyNumber, anyTags, fc.boolean()).map((given) => counter(...given)),
  fc.tuple(anyText, anyNumber, anyTags).map((given) => gauge(...given)),
  fc.tuple(anyText, fc.uniqueArray(fc.double({ noNaN: true })), anyTags).map((given) => histogram(...given))
)

const isInstalled = spawnSync("promtool", ["--version"]).status === 0

describe("whatever an application measures", () => {
  it.prop("can be read back, each series once and in its family", [fc.array(anyPair)], ([pairs]) => {
    const { series } = parse(Prometheus.render(pairs))
    for (const { labels } of series) assert.notProperty(labels, "unit")
  })

  it.prop("keeps its values and labels", [anyNumber, fc.dictionary(plainName, anyText)], ([value, tags]) => {
    const { unit: _, time_unit: __, ...shown } = tags
    const wellFormed = Object.fromEntries(
      Object.entries(shown).map(([name, text]) => [name, Buffer.from(text, "utf8").toString("utf8")])
    )
    const [read] = parse(Prometheus.render([gauge("g", value, tags)])).series
    expect(read?.labels).toEqual(wellFormed)
    expect(read?.value === value || (Number.isNaN(value) && Number.isNaN(read?.value))).toBe(true)
  })

  it.runIf(isInstalled)("is read by Prometheus itself", () => {
    const pairs = fc.sample(anyPair, { numRuns: 300, seed: 21 })
    const { stderr } = spawnSync("promtool", ["check", "metrics"], {
      input: Prometheus.render(pairs),
      encoding: "utf8"
    })
    expect(stderr).not.toContain("error while linting")
    expect(stderr).not.toContain("parsing")
  })
})

describe("the metrics of this process", () => {
  it.effect("are told as they are now", () =>
    Effect.gen(function* () {
      const own = Metric.counter("prometheus_test_jobs", { incremental: true }).pipe(
        Metric.tagged("how", "well")
      )
      yield* Metric.incrementBy(own, 2)
      expect(yield* Prometheus.text).toContain('prometheus_test_jobs_total{how="well"} 2\n')
    })
  )
})
