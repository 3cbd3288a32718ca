/** The comparison as a picture: wall time as a ratio, and memory. */
import { BarChart } from "echarts/charts"
import { GridComponent, TitleComponent } from "echarts/components"
import { init, use } from "echarts/core"
import { SVGRenderer } from "echarts/renderers"
import * as Option from "effect/Option"
import { formatMemory, formatRatio } from "./format.ts"

use([BarChart, GridComponent, TitleComponent, SVGRenderer])

export interface Bar {
  readonly name: string
  /** Wall time as a multiple of the reference's. */
  readonly ratio: number
  readonly peakBytes: Option.Option<number>
}

const ours = "#00838f"
const others = "#b0bec5"
const ink = "#263238"
const rowHeight = 30
const margin = { top: 84, bottom: 16 }

const isOurs = (name: string): boolean => name.includes("library") || name.includes("UploadHttpClient")

const series = (
  axis: number,
  bars: ReadonlyArray<Bar>,
  lengthOf: (bar: Bar) => number,
  format: (value: number) => string
) => ({
  type: "bar" as const,
  xAxisIndex: axis,
  yAxisIndex: axis,
  barWidth: 16,
  label: {
    show: true,
    position: "right" as const,
    color: ink,
    formatter: ({ value }: { readonly value: unknown }) => format(Number(value))
  },
  data: bars.map((bar) => ({
    value: lengthOf(bar),
    itemStyle: { color: isOurs(bar.name) ? ours : others }
  }))
})

/** `bars` from top to bottom. */
export const chart = (options: {
  readonly title: string
  readonly yardstick: string
  readonly bars: ReadonlyArray<Bar>
}): string => {
  const { bars, title, yardstick } = options
  const height = margin.top + bars.length * rowHeight + margin.bottom
  const instance = init(null, null, { renderer: "svg", ssr: true, width: 960, height })
  const names = bars.map(({ name }) => name)
  const scale = { type: "value" as const, show: false }
  const ladder = { type: "category" as const, inverse: true, data: names, axisTick: { show: false } }
  const heading = { textStyle: { color: ink, fontSize: 12, fontWeight: "normal" as const }, top: 48 }
  instance.setOption({
    animation: false,
    backgroundColor: "#ffffff",
    title: [
      { text: title, left: 16, top: 12, textStyle: { color: ink, fontSize: 17 } },
      { ...heading, text: `wall time, as a multiple of ${yardstick}`, left: 236 },
      { ...heading, text: "peak memory", left: 640 }
    ],
    grid: [
      { ...margin, left: 240, width: 320 },
      { ...margin, left: 644, width: 230 }
    ],
    xAxis: [
      { ...scale, gridIndex: 0 },
      { ...scale, gridIndex: 1 }
    ],
    yAxis: [
      { ...ladder, gridIndex: 0, axisLabel: { color: ink } },
      { ...ladder, gridIndex: 1, axisLabel: { show: false } }
    ],
    series: [
      series(0, bars, ({ ratio }) => ratio, formatRatio),
      series(1, bars, ({ peakBytes }) => Option.getOrElse(peakBytes, () => 0), formatMemory)
    ]
  })
  const svg = instance.renderToSVGString()
  instance.dispose()
  return `${svg}\n`
}
