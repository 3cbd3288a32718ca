/**
 * An `HttpClient` for large uploads, on `node:http` and so the same on Node, Bun and Deno.
 *
 * What it keeps, where the stock clients do not:
 *
 * - a streamed body has exactly its announced `Content-Length`, and a body that is shorter or longer never looks whole;
 * - the source is read no faster than the server takes the bytes;
 * - one request is one send: content goes out on a connection that served no other request, and nothing is sent again behind
 *   the caller's back. Only a read, which changes nothing, may use a connection that was kept for some seconds, and is
 *   made again where the server had closed it;
 * - interim responses reach the caller (see `Exchange`), and large bodies wait for `100 Continue` where that costs little;
 * - connecting, silence and the exchange as a whole have limits, and every error names the phase it struck in.
 *
 * A source may reuse its buffers: a chunk's bytes are no longer needed once `chunksInUse` further chunks have been
 * pulled.
 *
 * @since 0.1.0
 */
import * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientError from "@effect/platform/HttpClientError"
import type * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import * as Config from "effect/Config"
import type { ConfigError } from "effect/ConfigError"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type { Scope } from "effect/Scope"
import * as Bandwidth from "./Bandwidth.ts"
import { Exchange, TransportCapabilities } from "./Exchange.ts"
import * as Ahead from "./internal/http/ahead.ts"
import { secureContext } from "./internal/http/connection.ts"
import { Lines } from "./internal/http/lines.ts"
import { Response } from "./internal/http/response.ts"
import * as RoundTrip from "./internal/http/roundTrip.ts"
import { type BodyFailed, fromHttpBody } from "./internal/http/sending.ts"
import { formatDuration } from "./Quantity.ts"
import type { TransferError } from "./TransferError.ts"
import * as Variable from "./Variable.ts"

/**
 * Chunks of a body stream whose bytes may still be needed while the next one is pulled: a source that uses this many
 * buffers in turn never overwrites one too early.
 *
 * @since 0.1.0
 * @category constants
 */
export const chunksInUse = 4

/**
 * Bodies smaller than this many bytes do not wait for `100 Continue` unless `expectThreshold` says so.
 *
 * @since 0.1.0
 * @category constants
 */
export const leastExpecting: number = RoundTrip.leastExpecting

/**
 * Time limits, proxy and trust of the client. What is not given has a default.
 *
 * @since 0.1.0
 * @category models
 */
export interface UploadHttpClientOptions {
  /** Until the connection is ready, name resolution, proxy and TLS included. Default 30 seconds. */
  readonly connectTimeout?: Duration.DurationInput | undefined
  /** Without a byte moving in either direction while a body is sent or an answer received. Default 60 seconds. */
  readonly stallTimeout?: Duration.DurationInput | undefined
  /** Without a sign from the server after the whole request was sent. Default 5 minutes. */
  readonly responseTimeout?: Duration.DurationInput | undefined
  /** From the start of one request until its answer was read to the end. Default none. */
  readonly deadline?: Duration.DurationInput | undefined
  /**
   * Bodies of at least so many bytes wait for `100 Continue`; `Infinity` for never. Default: those of 1 MiB or more for which
   * the wait is short, at most 5 % of what they take at 100 Mbit/s, going by the last read of the same server.
   */
  readonly expectThreshold?: number | undefined
  /** How long to wait for `100 Continue` before the body is sent without it. Default 1 second. */
  readonly continueTimeout?: Duration.DurationInput | undefined
  /**
   * The proxy's URL, or `false` for none. Default: what `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY` say at the
   * time of the request, and none for loopback addresses. Connections are tunnelled (`CONNECT`), with plain HTTP as well.
   */
  readonly proxy?: string | false | undefined
  /** Certificates of further authorities to trust, in PEM, beside the runtime's own. */
  readonly ca?: ReadonlyArray<string> | undefined
}

/** With which options in code and the environment's variables begin. */
const defaults = {
  connectTimeout: Duration.seconds(30),
  stallTimeout: Duration.seconds(60),
  responseTimeout: Duration.minutes(5),
  deadline: Duration.infinity,
  continueTimeout: Duration.seconds(1),
  bandwidth: Number.POSITIVE_INFINITY
}

const makeTransport = (
  options: UploadHttpClientOptions
): Effect.Effect<RoundTrip.Transport, never, Bandwidth.Bandwidth | Scope> =>
  Effect.gen(function* () {
    const bandwidth = yield* Bandwidth.Bandwidth
    const lines = yield* Effect.acquireRelease(
      Effect.sync(() => new Lines()),
      (lines) => Effect.sync(() => lines.close())
    )
    const connect = Duration.toMillis(options.connectTimeout ?? defaults.connectTimeout)
    return {
      network: {
        proxy: options.proxy,
        secureContext: options.ca === undefined ? undefined : secureContext(options.ca),
        connectLimit: connect,
        lines
      },
      waiting: new Ahead.Waiting(),
      limits: {
        connect,
        continue: Duration.toMillis(options.continueTimeout ?? defaults.continueTimeout),
        stall: Duration.toMillis(options.stallTimeout ?? defaults.stallTimeout),
        response: Duration.toMillis(options.responseTimeout ?? defaults.responseTimeout),
        deadline: Duration.toMillis(options.deadline ?? defaults.deadline)
      },
      expectThreshold: Option.fromNullable(options.expectThreshold),
      bandwidth
    }
  })

/**
 * The client keeps connections until the scope is closed; requests under way then go on.
 *
 * A failure of the transport has a `TransferError` as its `cause` (see `TransferError.fromHttpClientError`). A failure of
 * the body's own stream has the stream's error there, unchanged, and closes the connection at once. Of the kinds of body a
 * `Raw` one that is neither a string nor a `Uint8Array` is refused.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (
  options: UploadHttpClientOptions = {}
): Effect.Effect<HttpClient.HttpClient, never, Bandwidth.Bandwidth | Scope> =>
  Effect.map(makeTransport(options), makeClient)

const makeClient = (transport: RoundTrip.Transport): HttpClient.HttpClient =>
  HttpClient.make((request, url, signal) =>
    Effect.gen(function* () {
      const body = yield* fromHttpBody(request.body)
      const outgoing = { request, url, body, signal, options: yield* Exchange }
      return new Response(request, yield* RoundTrip.run(transport, outgoing))
    }).pipe(Effect.mapError((error) => toRequestError(request, error)))
  )

/** `Encode` is the platform's word for a body that could not be produced, and is not taken for transient. */
const toRequestError = (
  request: HttpClientRequest.HttpClientRequest,
  error: TransferError | BodyFailed | string
): HttpClientError.RequestError => {
  if (typeof error === "string") {
    return new HttpClientError.RequestError({ request, reason: "Encode", description: error })
  }
  if (error._tag === "BodyFailed") {
    const description = "the request body could not be read"
    return new HttpClientError.RequestError({ request, reason: "Encode", cause: error.cause, description })
  }
  const reason = error._tag === "BodyLengthMismatch" ? "Encode" : "Transport"
  return new HttpClientError.RequestError({ request, reason, cause: error, description: error.message })
}

/**
 * What the layers of this module provide: the client, what it can do, and the bandwidth it shares among its uploads.
 *
 * @since 0.1.0
 * @category models
 */
export type Provided = HttpClient.HttpClient | TransportCapabilities | Bandwidth.Bandwidth

const capabilitiesOf = ({ network, waiting }: RoundTrip.Transport) =>
  Layer.succeed(TransportCapabilities, {
    interimResponses: true,
    expectContinue: true,
    connectAhead: (url) => (URL.canParse(url) ? Ahead.open(network, waiting, new URL(url)) : Effect.void)
  })

/**
 * `bandwidth` is the limit to start with, in bytes per second; without it there is none.
 *
 * @example
 * ```ts
 * import { UploadHttpClient } from "effect-elastic-extensions"
 *
 * // At most five megabytes per second, and no request longer than two hours.
 * const HttpClientLive = UploadHttpClient.layer({ bandwidth: 5_000_000, deadline: "2 hours" })
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (
  options: UploadHttpClientOptions & { readonly bandwidth?: number | undefined } = {}
): Layer.Layer<Provided> =>
  makeTransport(options).pipe(
    Effect.map((transport) =>
      Layer.merge(
        HttpClient.layerMergedContext(Effect.succeed(makeClient(transport))),
        capabilitiesOf(transport)
      )
    ),
    Layer.unwrapScoped,
    Layer.provideMerge(Bandwidth.layer(options.bandwidth))
  )

const limit = (
  name: string,
  options: {
    readonly example: string
    readonly default: Duration.Duration
    readonly max?: Duration.DurationInput
    readonly description: string
  }
): Config.Config<Duration.Duration> => {
  const otherwise = Duration.isFinite(options.default) ? formatDuration(options.default) : "no limit"
  return Variable.duration(name, options).pipe(
    Config.withDefault(options.default),
    Config.withDescription(`${options.description}, such as ${options.example} (default: ${otherwise}).`)
  )
}

/**
 * The same settings from `EC_UPLOAD_CONNECT_TIMEOUT`, `EC_UPLOAD_STALL_TIMEOUT`, `EC_UPLOAD_RESPONSE_TIMEOUT`,
 * `EC_UPLOAD_DEADLINE`, `EC_UPLOAD_EXPECT_THRESHOLD`, `EC_UPLOAD_CONTINUE_TIMEOUT` and `EC_UPLOAD_BANDWIDTH`.
 *
 * @since 0.1.0
 * @category config
 */
export const config = Config.all({
  connectTimeout: limit("EC_UPLOAD_CONNECT_TIMEOUT", {
    example: "30s",
    default: defaults.connectTimeout,
    max: "1 day",
    description: "Maximum time to connect"
  }),
  stallTimeout: limit("EC_UPLOAD_STALL_TIMEOUT", {
    example: "60s",
    default: defaults.stallTimeout,
    max: "1 day",
    description: "Maximum time without a byte moving either way"
  }),
  responseTimeout: limit("EC_UPLOAD_RESPONSE_TIMEOUT", {
    example: "5m",
    default: defaults.responseTimeout,
    max: "1 day",
    description: "Maximum time to wait for the answer after the whole request"
  }),
  deadline: limit("EC_UPLOAD_DEADLINE", {
    example: "2h",
    default: defaults.deadline,
    description: "Maximum time for one request altogether"
  }),
  expectThreshold: Variable.bytes("EC_UPLOAD_EXPECT_THRESHOLD", { example: "1MiB" }).pipe(
    Config.option,
    Config.map(Option.getOrUndefined),
    Config.withDescription(
      "Size from which a body waits for 100 Continue, such as 5MB (default: 1 MiB, where the wait is short)."
    )
  ),
  continueTimeout: limit("EC_UPLOAD_CONTINUE_TIMEOUT", {
    example: "1s",
    default: defaults.continueTimeout,
    max: "1 hour",
    description: "Maximum time to wait for 100 Continue"
  }),
  bandwidth: Variable.bytes("EC_UPLOAD_BANDWIDTH", { example: "5MB", perSecond: true }).pipe(
    Config.withDefault(defaults.bandwidth),
    Config.withDescription(
      "Maximum upload rate per second, all uploads together, such as 5MB (default: no limit)."
    )
  )
})

/**
 * The client that `config` describes.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerConfig: Layer.Layer<Provided, ConfigError> = Layer.unwrapEffect(Effect.map(config, layer))
