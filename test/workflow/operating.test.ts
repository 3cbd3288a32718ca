/** What docs/operating.md, the dashboard and the alerts rely on; scraped by a Prometheus where one is installed. */
import { spawn, spawnSync } from "node:child_process"
import { readFileSync } from "node:fs"
import { createServer } from "node:http"
import { join, resolve } from "node:path"
import * as FileSystem from "@effect/platform/FileSystem"
import * as HttpRouter from "@effect/platform/HttpRouter"
import * as HttpServer from "@effect/platform/HttpServer"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { describe, expect, it } from "@effect/vitest"
import { Effect, Layer, Metric, Schedule, Schema } from "effect"
import * as Prometheus from "../../src/transfer/Prometheus.ts"
import * as UploadMetrics from "../../src/upload/UploadMetrics.ts"
import * as ExtensionRelease from "../../src/workflow/ExtensionRelease.ts"
import * as ReleaseMetrics from "../../src/workflow/ReleaseMetrics.ts"
import { parse } from "../support/transfer/exposition.ts"
import { freePort } from "../support/workflow/postgres.ts"
import { inMemory, newRelease } from "../support/workflow/releases.ts"

const root = resolve(import.meta.dirname, "../..")
const alertsFile = join(root, "docs/operations/alerts.yml")
const read = (name: string) => readFileSync(join(root, "docs", name), "utf8")
const namesIn = (text: string): ReadonlyArray<string> => [
  ...new Set(
    (text.match(/\belastic_extensions_[a-z_]+\b/g) ?? []).map((name) => name.replace(/_bucket$/, ""))
  )
]

/** Every metric there is, by name, with its help. */
const known = Effect.gen(function* () {
  yield* ReleaseMetrics.initialize
  yield* ReleaseMetrics.countStep("transfer", "done", 0)
  yield* Metric.update(UploadMetrics.duration, 0)
  yield* Metric.incrementBy(Metric.tagged(UploadMetrics.retries, "reason", "RateLimited"), 0)
  const { help } = parse(yield* Prometheus.text)
  return new Map([...help].filter(([name]) => name.startsWith("elastic_extensions_")))
})

const isInstalled = spawnSync("promtool", ["--version"]).status === 0

describe("the metrics", () => {
  it.effect("are those that the page tells of, no more and no fewer", () =>
    Effect.map(known, (metrics) =>
      expect(namesIn(read("operating.md")).toSorted()).toEqual([...metrics.keys()].toSorted())
    )
  )

  it.effect.each(["operations/alerts.yml", "operations/dashboard.json"])("are all that %s asks for", (file) =>
    Effect.map(known, (metrics) => {
      const names = namesIn(read(file))
      expect(names.length).toBeGreaterThan(5)
      expect(names.filter((name) => !metrics.has(name))).toEqual([])
    })
  )

  it.runIf(isInstalled)("are well named and explained, to promtool", () => {
    const text = Effect.runSync(Effect.zipRight(known, Prometheus.text))
    // Other libraries in the same process count as well.
    const own = text.split(/(?<=\n)/).filter((line) => /^(# \w+ )?elastic_extensions_/.test(line))
    const { status, stderr, stdout } = spawnSync("promtool", ["check", "metrics"], {
      input: own.join(""),
      encoding: "utf8"
    })
    expect({ status, said: stdout + stderr }).toEqual({ status: 0, said: "" })
  })

  it.runIf(isInstalled)("make rules that promtool accepts", () => {
    const { status, stdout } = spawnSync("promtool", ["check", "rules", alertsFile], { encoding: "utf8" })
    expect({ status, stdout }).toMatchObject({ status: 0, stdout: expect.stringContaining("SUCCESS") })
  })
})

describe("the dashboard", () => {
  it("asks in each panel, and of the data source that is chosen", () => {
    const { panels } = Schema.decodeUnknownSync(Schema.parseJson(Dashboard))(
      read("operations/dashboard.json")
    )
    expect(panels.length).toBeGreaterThan(8)
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length)
    for (const { datasource, targets } of panels) {
      expect(datasource.uid).toMatch(/^\$\{datasource\}$/)
      expect(targets.length).toBeGreaterThan(0)
    }
  })

  const Dashboard = Schema.Struct({
    panels: Schema.Array(
      Schema.Struct({
        id: Schema.Int,
        title: Schema.NonEmptyString,
        datasource: Schema.Struct({ uid: Schema.String }),
        targets: Schema.Array(Schema.Struct({ expr: Schema.NonEmptyString }))
      })
    )
  })
})

/** A runner's figures over HTTP, as the page shows it. */
const server = HttpRouter.empty.pipe(
  HttpRouter.get(
    "/metrics",
    Effect.map(Prometheus.text, (text) =>
      HttpServerResponse.text(text, { contentType: Prometheus.contentType })
    )
  ),
  HttpServer.serve(),
  HttpServer.withLogAddress,
  Layer.provideMerge(NodeHttpServer.layer(createServer, { port: 0, host: "127.0.0.1" }))
)

const Answer = <A, I>(data: Schema.Schema<A, I>) => Schema.Struct({ status: Schema.Literal("success"), data })
const Found = Answer(
  Schema.Struct({
    result: Schema.Array(
      Schema.Struct({
        metric: Schema.Record({ key: Schema.String, value: Schema.String }),
        value: Schema.Tuple(Schema.Number, Schema.NumberFromString)
      })
    )
  })
)
const Rules = Answer(
  Schema.Struct({
    groups: Schema.Array(
      Schema.Struct({
        rules: Schema.Array(
          Schema.Struct({ name: Schema.String, health: Schema.String, state: Schema.String })
        )
      })
    )
  })
)

/** A Prometheus of its own that scrapes this address and evaluates the alerts. Its own address. */
const prometheus = (target: string) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const folder = yield* fs.makeTempDirectoryScoped({ prefix: "prometheus-" })
    const config = join(folder, "prometheus.yml")
    yield* fs.writeFileString(
      config,
      JSON.stringify({
        global: { scrape_interval: "1s", evaluation_interval: "1s" },
        rule_files: [alertsFile],
        scrape_configs: [{ job_name: "elastic-extensions", static_configs: [{ targets: [target] }] }]
      })
    )
    const address = `127.0.0.1:${yield* freePort}`
    yield* Effect.acquireRelease(
      Effect.sync(() =>
        spawn(
          "prometheus",
          [
            `--config.file=${config}`,
            `--storage.tsdb.path=${join(folder, "data")}`,
            `--web.listen-address=${address}`
          ],
          { stdio: "ignore" }
        )
      ),
      (child) =>
        Effect.async<void>((resume) => {
          if (child.exitCode !== null) return resume(Effect.void)
          child.once("exit", () => resume(Effect.void))
          child.kill("SIGKILL")
        })
    )
    return `http://${address}`
  })

describe.runIf(isInstalled)("a Prometheus", () => {
  it.scopedLive("scrapes the figures of a release, and evaluates every rule", () =>
    Effect.gen(function* () {
      yield* ReleaseMetrics.initialize
      const { payload } = yield* newRelease()
      yield* ExtensionRelease.execute(payload)
      const { address } = yield* HttpServer.HttpServer
      const url = yield* prometheus(address._tag === "TcpAddress" ? `127.0.0.1:${address.port}` : "")
      const ask = <A, I>(path: string, answer: Schema.Schema<A, I>) =>
        Effect.tryPromise(() => fetch(`${url}/api/v1/${path}`).then((response) => response.json())).pipe(
          Effect.flatMap(Schema.decodeUnknown(answer)),
          Effect.retry(Schedule.spaced("200 millis"))
        )
      const query = (expression: string) =>
        Effect.map(ask(`query?query=${encodeURIComponent(expression)}`, Found), ({ data }) => data.result)
      const released = yield* query('elastic_extensions_releases_total{outcome="done"}').pipe(
        Effect.delay("200 millis"),
        Effect.repeat({ until: (found) => found.length > 0 })
      )
      expect(released[0]?.value[1]).toBeGreaterThan(0)
      const buckets = yield* query("elastic_extensions_upload_duration_seconds_bucket")
      expect(buckets.map(({ metric }) => metric["le"])).toContain("+Inf")
      const rules = yield* ask("rules", Rules).pipe(
        Effect.map(({ data }) => data.groups.flatMap((group) => group.rules)),
        Effect.delay("200 millis"),
        Effect.repeat({
          until: (rules) => rules.length > 0 && rules.every(({ health }) => health !== "unknown")
        })
      )
      expect(rules.map(({ health }) => health)).toEqual(rules.map(() => "ok"))
    }).pipe(Effect.provide(Layer.merge(inMemory(), server)))
  )
})
