/** Export by OTLP over HTTP, as JSON. It never changes how a command ends, and holds up its end for two seconds at most. */
import * as OtlpLogger from "@effect/opentelemetry/OtlpLogger"
import * as OtlpMetrics from "@effect/opentelemetry/OtlpMetrics"
import { OtlpSerialization } from "@effect/opentelemetry/OtlpSerialization"
import * as OtlpTracer from "@effect/opentelemetry/OtlpTracer"
import * as HttpBody from "@effect/platform/HttpBody"
import * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientError from "@effect/platform/HttpClientError"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import * as Arr from "effect/Array"
import * as Config from "effect/Config"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as ExecutionStrategy from "effect/ExecutionStrategy"
import * as Exit from "effect/Exit"
import * as FiberRef from "effect/FiberRef"
import * as HashSet from "effect/HashSet"
import * as LogLevel from "effect/LogLevel"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Ref from "effect/Ref"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import { packageVersion } from "../../cloud/PackageVersion.ts"
import { attribute } from "../../telemetry.ts"
import * as Bandwidth from "../../transfer/Bandwidth.ts"
import { fromHttpClientError } from "../../transfer/TransferError.ts"
import * as UploadHttpClient from "../../transfer/UploadHttpClient.ts"
import * as Variable from "../../transfer/Variable.ts"
import * as UploadMetrics from "../../upload/UploadMetrics.ts"
import { Output } from "./output.ts"
import { commandName } from "./text.ts"

/** How long the end of a command waits for what is left to be exported. */
const patience = "2 seconds"

/** Runs a command, and exports what it tells. What could not be delivered is one warning, after all else was said. */
export const exportingTo = <A, E, R>(
  endpoint: string,
  self: Effect.Effect<A, E, R>
): Effect.Effect<A, E, R | Output> =>
  Effect.gen(function* () {
    const { note } = yield* Output
    const loss = yield* Ref.make(Option.none<string>())
    const lose = (why: string) =>
      Ref.update(
        loss,
        Option.orElseSome(() => why)
      )
    if (!URL.canParse(endpoint) || !/^https?:$/.test(new URL(endpoint).protocol)) {
      yield* note("warning: nothing is exported: OTEL_EXPORTER_OTLP_ENDPOINT is not an http or https address")
      return yield* self
    }
    const scope = yield* Scope.make(ExecutionStrategy.parallel)
    const { logger, tracer } = yield* Effect.provideService(exporters(endpoint, lose), Scope.Scope, scope)
    const flush = Scope.close(scope, Exit.void).pipe(
      Effect.interruptible,
      Effect.disconnect,
      Effect.timeoutTo({
        duration: patience,
        onSuccess: () => Effect.void,
        onTimeout: () => lose(`${new URL(endpoint).origin} did not take it within ${patience}.`)
      }),
      Effect.flatten
    )
    const warn = Effect.flatMap(Ref.get(loss), (lost) =>
      Effect.transposeMapOption(lost, (why) => note(`warning: telemetry was not delivered: ${why}`))
    )
    return yield* self.pipe(
      Effect.withTracer(tracer),
      Effect.provideService(UploadMetrics.OutcomeLevel, LogLevel.Info),
      Effect.locallyWith(FiberRef.currentLoggers, HashSet.add(logger)),
      Effect.ensuring(Effect.zipRight(flush, warn))
    )
  })

const exporters = Effect.fnUntraced(function* (endpoint: string, lose: (why: string) => Effect.Effect<void>) {
  const resource = yield* resourceOf
  const client = yield* clientOf(lose)
  const optionsOf = (signal: "traces" | "logs" | "metrics") =>
    ({
      url: `${endpoint.replace(/\/+$/, "")}/v1/${signal}`,
      resource,
      shutdownTimeout: patience
    }) as const
  return yield* Effect.all({
    logger: OtlpLogger.make({ ...optionsOf("logs"), excludeLogSpans: true }),
    tracer: OtlpTracer.make(optionsOf("traces")),
    metrics: OtlpMetrics.make(optionsOf("metrics"))
  }).pipe(
    Effect.provideService(HttpClient.HttpClient, client),
    Effect.provideService(OtlpSerialization, serialization),
    // It would read the same variables once more, and by rules of its own.
    Effect.withConfigProvider(ConfigProvider.fromMap(new Map()))
  )
})

/**
 * A client that knows no key but those of `OTEL_EXPORTER_OTLP_HEADERS`, follows no redirect with them, is not traced, and makes
 * no trace. It tells what it could not deliver. Where nobody listens, the exporter need not try again.
 */
const clientOf = Effect.fnUntraced(function* (lose: (why: string) => Effect.Effect<void>) {
  const bandwidth = yield* Bandwidth.make(Number.POSITIVE_INFINITY)
  const client = yield* Effect.provideService(
    UploadHttpClient.make({ connectTimeout: patience, responseTimeout: "10 seconds" }),
    Bandwidth.Bandwidth,
    bandwidth
  )
  const headers = yield* headersOf
  return client.pipe(
    HttpClient.withTracerDisabledWhen(() => true),
    HttpClient.withTracerPropagation(false),
    HttpClient.mapRequest(
      HttpClientRequest.setHeaders({ ...headers, "user-agent": `${commandName}/${packageVersion}` })
    ),
    HttpClient.tap(({ request, status }) =>
      status < 300 ? Effect.void : lose(`${new URL(request.url).origin} answered ${status}.`)
    ),
    HttpClient.tapError((error) => lose(fromHttpClientError(error).message)),
    HttpClient.transformResponse(
      Effect.mapError((error) =>
        isNobodyThere(error)
          ? new HttpClientError.RequestError({
              request: error.request,
              reason: "InvalidUrl",
              cause: error.cause
            })
          : error
      )
    )
  )
})

const isNobodyThere = (error: HttpClientError.HttpClientError): boolean => {
  const failure = fromHttpClientError(error)
  return (
    failure._tag === "ConnectTimeout" ||
    (failure._tag === "ConnectionFailed" && /^(resolving|connecting|securing)$/.test(failure.phase))
  )
}

/** `name=value` pairs, separated by commas; values may be percent-encoded. */
const pairsIn = (text: string): ReadonlyArray<readonly [name: string, value: string]> =>
  Arr.filterMap(text.split(","), (pair) => {
    const equals = pair.indexOf("=")
    const name = pair.slice(0, Math.max(0, equals)).trim()
    const value = decoded(pair.slice(equals + 1).trim())
    return name === "" ? Option.none() : Option.map(value, (value) => [name, value] as const)
  })

const decoded = Option.liftThrowable(decodeURIComponent)

const headersOf = Variable.secret("OTEL_EXPORTER_OTLP_HEADERS").pipe(
  Config.map((secret) => Object.fromEntries(pairsIn(Redacted.value(secret)))),
  Effect.orElseSucceed((): Readonly<Record<string, string>> => ({}))
)

const orNothing = (name: string) => Effect.option(Variable.text(name))

const resourceOf = Effect.gen(function* () {
  const given = Option.getOrElse(yield* orNothing("OTEL_RESOURCE_ATTRIBUTES"), () => "")
  const {
    "service.name": named = commandName,
    "service.version": serviceVersion = packageVersion,
    ...attributes
  } = Object.fromEntries(pairsIn(given))
  const serviceName = Option.getOrElse(yield* orNothing("OTEL_SERVICE_NAME"), () => named)
  // Each run counts from 0: only as instances of their own are the figures of two runs not taken for those of one.
  return {
    serviceName,
    serviceVersion,
    attributes: { "service.instance.id": crypto.randomUUID(), ...attributes }
  }
})

const KeyValue = Schema.Struct({
  key: Schema.String,
  value: Schema.Record({ key: Schema.String, value: Schema.Unknown })
})

const Span = Schema.Struct({
  spanId: Schema.String,
  attributes: Schema.Array(KeyValue),
  events: Schema.Array(Schema.Struct({ name: Schema.String, attributes: Schema.Array(KeyValue) })),
  status: Schema.Struct({ code: Schema.Number, message: Schema.optional(Schema.String) })
})

const isSpan = Schema.is(Span)

/** How the exporter marks what was interrupted. */
const marks: typeof Span.Type.attributes = [
  { key: "span.label", value: { stringValue: "⚠︎ Interrupted" } },
  { key: "status.interrupted", value: { boolValue: true } }
]

/**
 * The exporter marks spans that failed as interrupted, and those that were interrupted as `Ok`. Here it is the other way round:
 * a failure is an error and says what it is called, and an interruption is neither an error nor a success.
 */
const mended = (span: typeof Span.Type): typeof Span.Type => {
  const attributes = span.attributes.filter(({ key }) => marks.every((mark) => mark.key !== key))
  if (span.status.code === 2) return { ...span, attributes: [...attributes, ...errorTypeIn(span)] }
  return span.status.message === undefined
    ? span
    : { ...span, attributes: [...attributes, ...marks], status: { code: 0 } }
}

/** Spans of ours say it themselves. */
const errorTypeIn = ({ attributes, events }: typeof Span.Type): typeof Span.Type.attributes => {
  if (attributes.some(({ key }) => key === attribute.errorType)) return []
  const exception = events.find(({ name }) => name === "exception")
  const type = exception?.attributes.find(({ key }) => key === "exception.type")
  return type === undefined ? [] : [{ ...type, key: attribute.errorType }]
}

const isUnit = Schema.is(Schema.Struct({ key: Schema.Literal("unit") }))

const json = (data: unknown, change: (key: string, value: unknown) => unknown): HttpBody.HttpBody =>
  HttpBody.text(JSON.stringify(data, change), "application/json")

const serialization: typeof OtlpSerialization.Service = {
  traces: (data) => json(data, (_, value) => (isSpan(value) ? mended(value) : value)),
  // The unit is told with the metric, and is no attribute of its points.
  metrics: (data) =>
    json(data, (key, value) =>
      key === "attributes" && Array.isArray(value) ? value.filter((pair) => !isUnit(pair)) : value
    ),
  logs: (data) => json(data, (_, value) => value)
}
