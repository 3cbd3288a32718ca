/**
 * An `HttpClient` for large uploads, on `node:http` and so the same on Node, Bun and Deno.
 *
 * What it keeps, where the stock clients do not:
 *
 * - a streamed body has exactly its announced `Content-Length`, and a body that is shorter or longer never looks whole;
 * - the source is read no faster than the server takes the bytes;
 * - one request is one send, on a connection of its own: nothing is sent again behind the caller's back;
 * - interim responses reach the caller (see `Exchange`), and large bodies wait for `100 Continue`;
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
import * as Bandwidth from "./Bandwidth.ts"
import { Exchange, TransportCapabilities } from "./Exchange.ts"
import { secureContext } from "./internal/http/connection.ts"
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
export const chunksInUse = 3

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
  /** Bodies of at least so many bytes are announced with `Expect: 100-continue`. Default 1 MiB; `Infinity` for never. */
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
  expectThreshold: 1024 * 1024,
  continueTimeout: Duration.seconds(1),
  bandwidth: Number.POSITIVE_INFINITY
}

const makeTransport = (
  options: UploadHttpClientOptions,
  bandwidth: typeof Bandwidth.Bandwidth.Service
): RoundTrip.Transport => {
  const connect = Duration.toMillis(options.connectTimeout ?? defaults.connectTimeout)
  return {
    network: {
      proxy: options.proxy,
      secureContext: options.ca === undefined ? undefined : secureContext(options.ca),
      connectLimit: connect
    },
    limits: {
      connect,
      continue: Duration.toMillis(options.continueTimeout ?? defaults.continueTimeout),
      stall: Duration.toMillis(options.stallTimeout ?? defaults.stallTimeout),
      response: Duration.toMillis(options.responseTimeout ?? defaults.responseTimeout),
      deadline: Duration.toMillis(options.deadline ?? defaults.deadline)
    },
    expectThreshold: options.expectThreshold ?? defaults.expectThreshold,
    bandwidth
  }
}

/**
 * A failure of the transport has a `TransferError` as its `cause` (see `TransferError.fromHttpClientError`). A failure of
 * the body's own stream has the stream's error there, unchanged, and closes the connection at once. Of the kinds of body a
 * `Raw` one that is neither a string nor a `Uint8Array` is refused.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (
  options: UploadHttpClientOptions = {}
): Effect.Effect<HttpClient.HttpClient, never, Bandwidth.Bandwidth> =>
  Effect.map(Bandwidth.Bandwidth, (bandwidth) => {
    const transport = makeTransport(options, bandwidth)
    return HttpClient.make((request, url, signal) =>
      Effect.gen(function* () {
        const body = yield* fromHttpBody(request.body)
        const outgoing = { request, url, body, signal, options: yield* Exchange }
        return new Response(request, yield* RoundTrip.run(transport, outgoing))
      }).pipe(Effect.mapError((error) => toRequestError(request, error)))
    )
  })

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

const capabilities = Layer.succeed(TransportCapabilities, { interimResponses: true, expectContinue: true })

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
  HttpClient.layerMergedContext(make(options)).pipe(
    Layer.provideMerge(Bandwidth.layer(options.bandwidth)),
    Layer.merge(capabilities)
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
    Config.withDefault(defaults.expectThreshold),
    Config.withDescription("Size from which a body waits for 100 Continue, such as 5MB (default: 1 MiB).")
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
