/** The figures, and what follows from them for a day. */
import { formatMemory, formatMillis, formatSeconds, markdownTable } from "../bench/format.ts"
import type { ClusterRun } from "./cluster.ts"
import type { ScaleRun } from "./scale.ts"

const perMinute = ({ millis, releases }: ClusterRun) => (releases / millis) * 60_000

const ratio = (value: number) => `${value.toFixed(1)} ×`

export const throughput = (runs: ReadonlyArray<ClusterRun>): string =>
  markdownTable(
    ["runners", "releases", "took", "releases a minute", "against one runner"],
    runs.map((run) => [
      String(run.runners),
      String(run.releases),
      formatSeconds(run.millis),
      String(Math.round(perMinute(run))),
      ratio(perMinute(run) / perMinute(runs[0] ?? run))
    ])
  )

const each = (run: ClusterRun, what: keyof ClusterRun["work"]) => run.work[what] / run.releases

export const database = (runs: ReadonlyArray<ClusterRun>): string =>
  markdownTable(
    ["runners", "commits a second, idle", "commits a release", "rows written", "rows kept", "bytes kept"],
    runs.map((run) => [
      String(run.runners),
      run.idleCommits.toFixed(1),
      each(run, "commits").toFixed(0),
      each(run, "writes").toFixed(0),
      each(run, "kept").toFixed(1),
      `${(each(run, "bytes") / 1000).toFixed(1)} kB`
    ])
  )

export const processor = (runs: ReadonlyArray<ClusterRun>): string =>
  markdownTable(
    ["runners", "computed a release, runners", "PostgreSQL", "largest runner"],
    runs.map((run) => [
      String(run.runners),
      formatMillis(run.runnerMillis / run.releases),
      formatMillis(run.databaseMillis / run.releases),
      formatMemory(run.peakBytes)
    ])
  )

export const scale = (run: ScaleRun): string =>
  markdownTable(
    ["finished", "held", "runner starts", "one more release", "list", "list of the held", "memory"],
    [
      [
        run.finished.toLocaleString("en"),
        run.waiting.toLocaleString("en"),
        formatSeconds(run.startMillis),
        formatSeconds(run.releaseMillis),
        formatMillis(run.listMillis),
        formatMillis(run.heldMillis),
        formatMemory(run.bytes)
      ]
    ]
  )

export const overhead = (rows: ReadonlyArray<readonly [engine: string, millis: number]>): string => {
  const bare = rows[0]?.[1] ?? 0
  return markdownTable(
    ["one release at a time", "median", "added by the engine"],
    rows.map(([engine, millis], index) => [
      engine,
      `${millis.toFixed(0)} ms`,
      index === 0 ? "–" : `${(millis - bare).toFixed(0)} ms`
    ])
  )
}

const secondsOfDay = 86_400

/** Of a release that takes its upload a minute, which is a large archive or a slow line. */
const uploadSeconds = 60
const slots = 4

/** Cost of so many releases a day, spread evenly, by the figures of a run. */
export const days = (run: ClusterRun, counts: ReadonlyArray<number>): string =>
  markdownTable(
    ["releases a day", "at a time", "runners of four slots", "commits a second", "kept a day", "kept a year"],
    counts.map((count) => {
      const together = (count * uploadSeconds) / secondsOfDay
      const runners = Math.max(1, Math.ceil(together / slots))
      const commits =
        (count * each(run, "commits")) / secondsOfDay + (runners * run.idleCommits) / run.runners
      const bytes = count * each(run, "bytes")
      return [
        count.toLocaleString("en"),
        together.toFixed(1),
        String(runners),
        commits.toFixed(1),
        formatMemory(bytes),
        `${((bytes * 365) / 1e9).toFixed(1)} GB`
      ]
    })
  )
