/** A collector of telemetry on this machine: takes what is exported by OTLP as JSON, and refuses what is not by its schema. */
import { createServer, type IncomingHttpHeaders } from "node:http"
import type { AddressInfo } from "node:net"
import { Effect, Schema } from "effect"

const Value = Schema.Struct({
  stringValue: Schema.optionalWith(Schema.String, { exact: true }),
  intValue: Schema.optionalWith(Schema.Union(Schema.Int, Schema.NumberFromString), { exact: true }),
  doubleValue: Schema.optionalWith(Schema.Number, { exact: true }),
  boolValue: Schema.optionalWith(Schema.Boolean, { exact: true }),
  arrayValue: Schema.optionalWith(Schema.Struct({ values: Schema.Array(Schema.Unknown) }), { exact: true })
})
const Attributes = Schema.Array(Schema.Struct({ key: Schema.NonEmptyString, value: Value }))
const Nanos = Schema.String.pipe(Schema.pattern(/^\d{16,20}$/))
const Count = Schema.NonNegativeInt
const Resource = Schema.Struct({ attributes: Attributes, droppedAttributesCount: Count })
const Scope = Schema.Struct({ name: Schema.String })

const Span = Schema.Struct({
  traceId: Schema.String.pipe(Schema.pattern(/^[0-9a-f]{32}$/)),
  spanId: Schema.String.pipe(Schema.pattern(/^[0-9a-f]{16}$/)),
  parentSpanId: Schema.optionalWith(Schema.String.pipe(Schema.pattern(/^[0-9a-f]{16}$/)), { exact: true }),
  name: Schema.NonEmptyString,
  kind: Schema.Literal(1, 2, 3, 4, 5),
  startTimeUnixNano: Nanos,
  endTimeUnixNano: Nanos,
  attributes: Attributes,
  droppedAttributesCount: Count,
  events: Schema.Array(
    Schema.Struct({
      name: Schema.String,
      timeUnixNano: Nanos,
      attributes: Attributes,
      droppedAttributesCount: Count
    })
  ),
  droppedEventsCount: Count,
  status: Schema.Struct({
    code: Schema.Literal(0, 1, 2),
    message: Schema.optionalWith(Schema.String, { exact: true })
  }),
  links: Schema.Array(Schema.Unknown),
  droppedLinksCount: Count
})

const Traces = Schema.Struct({
  resourceSpans: Schema.Array(
    Schema.Struct({
      resource: Resource,
      scopeSpans: Schema.Array(Schema.Struct({ scope: Scope, spans: Schema.Array(Span) }))
    })
  )
})

const times = { startTimeUnixNano: Nanos, timeUnixNano: Nanos, attributes: Attributes }
const NumberPoint = Schema.Struct({
  ...times,
  asInt: Schema.optionalWith(Schema.Number, { exact: true }),
  asDouble: Schema.optionalWith(Schema.Number, { exact: true })
})
const HistogramPoint = Schema.Struct({
  ...times,
  count: Count,
  sum: Schema.Number,
  min: Schema.Number,
  max: Schema.Number,
  bucketCounts: Schema.Array(Count),
  explicitBounds: Schema.Array(Schema.Number)
})
const Metric = Schema.Struct({
  name: Schema.NonEmptyString,
  description: Schema.String,
  unit: Schema.String,
  sum: Schema.optionalWith(
    Schema.Struct({
      aggregationTemporality: Schema.Literal(2),
      isMonotonic: Schema.Boolean,
      dataPoints: Schema.Array(NumberPoint)
    }),
    { exact: true }
  ),
  gauge: Schema.optionalWith(Schema.Struct({ dataPoints: Schema.Array(NumberPoint) }), { exact: true }),
  histogram: Schema.optionalWith(
    Schema.Struct({ aggregationTemporality: Schema.Literal(2), dataPoints: Schema.Array(HistogramPoint) }),
    { exact: true }
  )
})
const Metrics = Schema.Struct({
  resourceMetrics: Schema.Array(
    Schema.Struct({
      resource: Resource,
      scopeMetrics: Schema.Array(Schema.Struct({ scope: Scope, metrics: Schema.Array(Metric) }))
    })
  )
})

const Log = Schema.Struct({
  timeUnixNano: Nanos,
  observedTimeUnixNano: Nanos,
  severityNumber: Schema.Int.pipe(Schema.between(1, 24)),
  severityText: Schema.String,
  body: Value,
  attributes: Attributes,
  droppedAttributesCount: Count,
  traceId: Schema.optionalWith(Schema.String, { exact: true }),
  spanId: Schema.optionalWith(Schema.String, { exact: true })
})
const Logs = Schema.Struct({
  resourceLogs: Schema.Array(
    Schema.Struct({
      resource: Resource,
      scopeLogs: Schema.Array(Schema.Struct({ scope: Scope, logRecords: Schema.Array(Log) }))
    })
  )
})

const strictly = <A, I>(schema: Schema.Schema<A, I>) =>
  Schema.decodeUnknownSync(Schema.parseJson(schema), { onExcessProperty: "error" })
const decode = { traces: strictly(Traces), metrics: strictly(Metrics), logs: strictly(Logs) }

const plain = (attributes: typeof Attributes.Type): Readonly<Record<string, unknown>> =>
  Object.fromEntries(attributes.map(({ key, value }) => [key, Object.values(value)[0]]))

export interface Received {
  readonly path: string
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

/** `answer` decides about each request: a status, or none to say nothing. */
export const collector = (answer: (path: string) => number | "silence" = () => 200) =>
  Effect.gen(function* () {
    const received: Array<Received> = []
    const server = yield* Effect.acquireRelease(
      Effect.async<ReturnType<typeof createServer>>((resume) => {
        const server = createServer((request, response) => {
          const chunks: Array<Buffer> = []
          request.on("data", (chunk: Buffer) => chunks.push(chunk))
          request.on("end", () => {
            const { headers, url: path = "" } = request
            received.push({ path, headers, body: Buffer.concat(chunks).toString("utf8") })
            const status = answer(path)
            if (status === "silence") return
            response.writeHead(status, {
              "content-type": "application/json",
              location: "http://127.0.0.1:1/"
            })
            response.end("{}")
          })
        })
        server.listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
      }),
      (server) =>
        Effect.async<void>((resume) => {
          server.closeAllConnections()
          server.close(() => resume(Effect.void))
        })
    )
    const { port } = server.address() as AddressInfo
    const of = (signal: keyof typeof decode) => received.filter(({ path }) => path === `/v1/${signal}`)
    return {
      url: `http://127.0.0.1:${port}`,
      received,
      /** Everything as text, to search it. */
      text: () => received.map(({ body, headers }) => JSON.stringify([headers, body])).join("\n"),
      spans: () =>
        of("traces")
          .flatMap(({ body }) => decode.traces(body).resourceSpans)
          .flatMap(({ resource, scopeSpans }) =>
            scopeSpans.flatMap(({ spans }) =>
              spans.map((span) => ({
                ...span,
                resource: plain(resource.attributes),
                attributes: plain(span.attributes),
                events: span.events.map(({ attributes, name }) => ({ name, attributes: plain(attributes) }))
              }))
            )
          ),
      metrics: () =>
        of("metrics")
          .slice(-1)
          .flatMap(({ body }) => decode.metrics(body).resourceMetrics)
          .flatMap(({ scopeMetrics }) => scopeMetrics.flatMap(({ metrics }) => metrics))
          .map(({ gauge, histogram, sum, ...metric }) => ({
            ...metric,
            points: [
              ...(sum?.dataPoints ?? []),
              ...(gauge?.dataPoints ?? []),
              ...(histogram?.dataPoints ?? [])
            ].map(({ attributes, ...point }) => ({ ...point, attributes: plain(attributes) }))
          })),
      logs: () =>
        of("logs")
          .flatMap(({ body }) => decode.logs(body).resourceLogs)
          .flatMap(({ scopeLogs }) => scopeLogs.flatMap(({ logRecords }) => logRecords))
          .map(({ attributes, ...log }) => ({ ...log, attributes: plain(attributes) }))
    }
  })
