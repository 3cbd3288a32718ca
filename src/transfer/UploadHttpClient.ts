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
import * as internal from "./internal/http/exchange.ts"
import { secureContext } from "./internal/http/nodeRequest.ts"
import { fromHttpBody } from "./internal/http/requestBody.ts"
import { Response } from "./internal/http/response.ts"
import type { BodyFailed } from "./internal/http/sending.ts"
import type { TransferError } from "./TransferError.ts"

/**
 * Chunks of a body stream whose bytes may still be needed while the next one is pulled: a source that uses this many
 * buffers in turn never overwrites one too early.
 *
 * @since 0.1.0
 * @category constants
 */
export const chunksInUse = 4

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

const millis = (value: Duration.DurationInput | undefined, otherwise: Duration.DurationInput): number =>
  Duration.toMillis(value ?? otherwise)

const makeSettings = (
  options: UploadHttpClientOptions,
  bandwidth: typeof Bandwidth.Bandwidth.Service
): internal.Settings => ({
  network: {
    proxy: options.proxy,
    secureContext: options.ca === undefined ? undefined : secureContext(options.ca)
  },
  limits: {
    connect: millis(options.connectTimeout, "30 seconds"),
    continue: millis(options.continueTimeout, "1 second"),
    stall: millis(options.stallTimeout, "60 seconds"),
    response: millis(options.responseTimeout, "5 minutes"),
    deadline: millis(options.deadline, Duration.infinity)
  },
  expectThreshold: options.expectThreshold ?? 1024 * 1024,
  bandwidth
})

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
    const settings = makeSettings(options, bandwidth)
    return HttpClient.make((request, url, signal) =>
      Effect.gen(function* () {
        const body = yield* fromHttpBody(request.body)
        const answer = yield* internal.run({ settings, request, url, body, signal, options: yield* Exchange })
        return new Response(request, answer)
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

const positive = (name: string, unit: string, config: Config.Config<number>): Config.Config<number> =>
  Config.validate(config, {
    message: `${name} has to be greater than zero, in ${unit}`,
    validation: (value) => value > 0
  })

/**
 * The same settings from `EC_UPLOAD_CONNECT_TIMEOUT`, `EC_UPLOAD_STALL_TIMEOUT`, `EC_UPLOAD_RESPONSE_TIMEOUT`,
 * `EC_UPLOAD_DEADLINE`, `EC_UPLOAD_EXPECT_THRESHOLD`, `EC_UPLOAD_CONTINUE_TIMEOUT` and `EC_UPLOAD_BANDWIDTH`.
 *
 * @since 0.1.0
 * @category config
 */
export const config = Config.all({
  connectTimeout: Config.duration("EC_UPLOAD_CONNECT_TIMEOUT").pipe(
    Config.withDefault(Duration.seconds(30)),
    Config.withDescription("How long connecting may take, e.g. 30 seconds (the default)")
  ),
  stallTimeout: Config.duration("EC_UPLOAD_STALL_TIMEOUT").pipe(
    Config.withDefault(Duration.seconds(60)),
    Config.withDescription("How long a transfer may stand still, e.g. 60 seconds (the default)")
  ),
  responseTimeout: Config.duration("EC_UPLOAD_RESPONSE_TIMEOUT").pipe(
    Config.withDefault(Duration.minutes(5)),
    Config.withDescription("How long the server may think about a whole upload, e.g. 5 minutes (the default)")
  ),
  deadline: Config.duration("EC_UPLOAD_DEADLINE").pipe(
    Config.withDefault(Duration.infinity),
    Config.withDescription("How long one request may take altogether, e.g. 2 hours (default: no limit)")
  ),
  expectThreshold: positive(
    "EC_UPLOAD_EXPECT_THRESHOLD",
    "bytes",
    Config.number("EC_UPLOAD_EXPECT_THRESHOLD")
  ).pipe(
    Config.withDefault(1024 * 1024),
    Config.withDescription("Size in bytes from which a body asks before it is sent (default 1048576)")
  ),
  continueTimeout: Config.duration("EC_UPLOAD_CONTINUE_TIMEOUT").pipe(
    Config.withDefault(Duration.seconds(1)),
    Config.withDescription("How long to wait for 100 Continue, e.g. 1 second (the default)")
  ),
  bandwidth: positive("EC_UPLOAD_BANDWIDTH", "bytes per second", Config.number("EC_UPLOAD_BANDWIDTH")).pipe(
    Config.withDefault(Number.POSITIVE_INFINITY),
    Config.withDescription("Bytes per second that all uploads together may send (default: no limit)")
  )
})

/**
 * The client that `config` describes.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerConfig: Layer.Layer<Provided, ConfigError> = Layer.unwrapEffect(Effect.map(config, layer))
