/**
 * The six operations that Elastic Cloud documents for extensions, over whatever `HttpClient` is provided.
 *
 * @since 0.1.0
 */
import type * as HttpBody from "@effect/platform/HttpBody"
import * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import type { HttpClientResponse } from "@effect/platform/HttpClientResponse"
import type * as ConfigError from "effect/ConfigError"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import type * as Stream from "effect/Stream"
import { makeScrub } from "../scrub.ts"
import { TransportCapabilities } from "../transfer/Exchange.ts"
import * as HttpSpan from "../transfer/HttpSpan.ts"
import { fromHttpClientError, type TransferError } from "../transfer/TransferError.ts"
import * as ElasticCloudConfig from "./ElasticCloudConfig.ts"
import {
  CreateExtensionRequest,
  type Extension,
  Extensions,
  ResourceHeaders,
  UpdateExtensionRequest,
  VersionedExtension
} from "./Extension.ts"
import { type ExtensionId, toPathSegment } from "./ExtensionId.ts"
import type { ExtensionsError, InvalidRequest, Operation } from "./ExtensionsError.ts"
import * as Answer from "./internal/answer.ts"
import * as Request from "./internal/request.ts"
import * as VerificationLink from "./internal/verificationLink.ts"

/**
 * What an upload protocol needs besides the prepared request.
 *
 * @since 0.1.0
 * @category models
 */
export interface UploadTransport {
  /** Adds neither base URL nor credentials; its spans tell no more than the server of an address. */
  readonly client: HttpClient.HttpClient
  readonly capabilities: Context.Tag.Service<typeof TransportCapabilities>
  /** Scheme, host and port of the API: the only place that its key may be sent to. */
  readonly origin: string
}

/**
 * Where an upload goes, and what carries it.
 *
 * @since 0.1.0
 * @category models
 */
export interface UploadTarget {
  readonly transport: UploadTransport
  /** The `PUT` with its absolute URL and headers, without a body. */
  readonly request: HttpClientRequest.HttpClientRequest
}

/**
 * The six operations, and what an upload protocol of its own needs beside them.
 *
 * @since 0.1.0
 * @category models
 */
export interface ExtensionsClientService {
  /** The address of the API, with its base path and without credentials: what identifies this endpoint. */
  readonly baseUrl: string

  /** How requests are sent, for those that go elsewhere than to the API. */
  readonly transport: UploadTransport

  /** `GET /deployments/extensions`. There is no paging. */
  readonly list: Effect.Effect<ReadonlyArray<Extension>, ExtensionsError | TransferError>

  /** `GET /deployments/extensions/{extension_id}`. `includeDeployments` asks for the deployments that use it. */
  readonly get: (
    id: ExtensionId,
    options?: { readonly includeDeployments?: boolean | undefined }
  ) => Effect.Effect<VersionedExtension, ExtensionsError | TransferError>

  /** `POST /deployments/extensions`. Without a `downloadUrl` the extension has no file until `upload`. */
  readonly create: (
    request: CreateExtensionRequest
  ) => Effect.Effect<VersionedExtension, ExtensionsError | TransferError>

  /** `POST /deployments/extensions/{extension_id}`. `Extension.updateRequest` makes the request. */
  readonly update: (
    id: ExtensionId,
    request: UpdateExtensionRequest
  ) => Effect.Effect<VersionedExtension, ExtensionsError | TransferError>

  /** `PUT /deployments/extensions/{extension_id}`: one request with the body as given. */
  readonly upload: (
    id: ExtensionId,
    body: HttpBody.HttpBody
  ) => Effect.Effect<VersionedExtension, ExtensionsError | TransferError>

  /** What a protocol of its own needs to speak for an extension: the prepared `PUT` and a way to send it. */
  readonly uploadTarget: (id: ExtensionId) => UploadTarget

  /**
   * The same, but `send` makes the exchanges itself, as many as its protocol takes. It gets the prepared `PUT` without a
   * body (absolute URL and headers), and hands back the final response, which is read as that of `upload` is.
   */
  readonly uploadWith: <E, R>(
    id: ExtensionId,
    send: (
      transport: UploadTransport,
      request: HttpClientRequest.HttpClientRequest
    ) => Effect.Effect<HttpClientResponse, E, R>
  ) => Effect.Effect<VersionedExtension, E | ExtensionsError | TransferError, R>

  /** `DELETE /deployments/extensions/{extension_id}`. */
  readonly delete: (id: ExtensionId) => Effect.Effect<ResourceHeaders, ExtensionsError | TransferError>

  /**
   * The bytes behind the link in an extension's `fileMetadata`, by a plain GET: the link's server never gets the API
   * key. A link that is refused or unusable is a `VerificationLinkRefused`; so is one over plain
   * http where the API itself is https.
   */
  readonly download: (
    link: Redacted.Redacted<string>
  ) => Stream.Stream<Uint8Array, ExtensionsError | TransferError>
}

const extensionsPath = "/deployments/extensions"

const pathOf = (id: ExtensionId): string => `${extensionsPath}/${toPathSegment(id)}`

const listed = { status: 200, schema: Schema.Struct({ body: Extensions }) }
const found = { status: 200, schema: VersionedExtension }
const created = { status: 201, schema: VersionedExtension }
const deleted = {
  status: 200,
  schema: Schema.Struct({
    headers: ResourceHeaders,
    body: Schema.Record({ key: Schema.String, value: Schema.Unknown })
  }),
  emptyBody: "{}"
}

/** A cache or a proxy that mixes up two answers must not make one extension's state pass for another's. */
const isAbout =
  (id: ExtensionId) =>
  ({ extension }: VersionedExtension): Option.Option<Answer.Refusal> =>
    extension.id === id
      ? Option.none()
      : Option.some({
          reason: "OtherExtension",
          problems: [{ path: "body.id", message: `it is ${JSON.stringify(extension.id)}` }]
        })

/** What was asked for and is answered otherwise was not done, whatever the status says. */
const shows =
  (id: ExtensionId, request: UpdateExtensionRequest) =>
  (value: VersionedExtension): Option.Option<Answer.Refusal> =>
    Option.orElse(isAbout(id)(value), () => {
      const { extension } = value
      const problems = (["name", "version", "type"] as const)
        .filter((field) => extension[field] !== request[field])
        .map((field) => ({
          path: `body.${field}`,
          message: `it is ${JSON.stringify(extension[field])}, and not ${JSON.stringify(request[field])}`
        }))
      return problems.length === 0 ? Option.none() : Option.some({ reason: "NotApplied", problems })
    })

/**
 * The client over the `HttpClient` and the configuration in the context.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make: Effect.Effect<
  ExtensionsClientService,
  never,
  HttpClient.HttpClient | ElasticCloudConfig.ElasticCloudConfig
> = Effect.gen(function* () {
  const config = yield* ElasticCloudConfig.ElasticCloudConfig
  const capabilities = yield* TransportCapabilities
  const client = HttpSpan.traced(Request.withoutRedirects(yield* HttpClient.HttpClient))
  const prepared = Request.prepare(config)
  const api = HttpClient.mapRequest(client, prepared)
  const scrub = makeScrub(config.apiKey)

  const callOf = (operation: Operation, extensionId?: ExtensionId): Answer.Call => ({
    operation,
    scrub,
    ...(extensionId === undefined ? {} : { extensionId })
  })

  const perform = <A, I>(
    call: Answer.Call,
    request: Effect.Effect<HttpClientRequest.HttpClientRequest, InvalidRequest>,
    expected: Answer.Expected<A, I>,
    check?: (value: A) => Option.Option<Answer.Refusal>
  ) =>
    request.pipe(
      Effect.flatMap((request) => Effect.mapError(api.execute(request), fromHttpClientError)),
      Effect.flatMap(Answer.read(call, expected, check)),
      Request.traced(call)
    )

  const post = <A, I>(call: Answer.Call, path: string, schema: Schema.Schema<A, I>, request: A) =>
    Effect.map(Request.encodeRequest(call, schema, request), (body) =>
      HttpClientRequest.bodyUnsafeJson(HttpClientRequest.post(path), body)
    )

  const transport: UploadTransport = { client, capabilities, origin: config.origin }

  const uploadTarget = (id: ExtensionId): UploadTarget => ({
    transport,
    request: prepared(HttpClientRequest.put(pathOf(id)))
  })

  const uploadWith: ExtensionsClientService["uploadWith"] = (id, send) => {
    const call = callOf("upload", id)
    const { request, transport } = uploadTarget(id)
    return send(transport, request).pipe(
      Effect.flatMap(Answer.read(call, found, isAbout(id))),
      Request.traced(call)
    )
  }

  return {
    baseUrl: config.baseUrl,
    transport,
    uploadTarget,
    list: Effect.map(
      perform(callOf("list"), Effect.succeed(HttpClientRequest.get(extensionsPath)), listed),
      ({ body }) => body.extensions
    ),
    get: (id, options) => {
      const request = HttpClientRequest.get(
        pathOf(id),
        options?.includeDeployments === true ? { urlParams: { include_deployments: "true" } } : {}
      )
      return perform(callOf("get", id), Effect.succeed(request), found, isAbout(id))
    },
    create: (request) => {
      const call = callOf("create")
      return perform(call, post(call, extensionsPath, CreateExtensionRequest, request), created)
    },
    update: (id, request) => {
      const call = callOf("update", id)
      return perform(call, post(call, pathOf(id), UpdateExtensionRequest, request), found, shows(id, request))
    },
    upload: (id, body) => {
      const request = HttpClientRequest.setBody(HttpClientRequest.put(pathOf(id)), body)
      return perform(callOf("upload", id), Effect.succeed(request), found, isAbout(id))
    },
    uploadWith,
    delete: (id) =>
      Effect.map(
        perform(callOf("delete", id), Effect.succeed(HttpClientRequest.del(pathOf(id))), deleted),
        ({ headers }) => headers
      ),
    download: (link) => VerificationLink.download(client, link, config.origin)
  }
})

/**
 * The extensions API as a service.
 *
 * @example
 * ```ts
 * import { ExtensionsClient, UploadHttpClient } from "effect-elastic-extensions"
 * import { Effect, Layer } from "effect"
 *
 * const names = Effect.gen(function* () {
 *   const client = yield* ExtensionsClient.ExtensionsClient
 *   const extensions = yield* client.list
 *   return extensions.map(({ id, name, version }) => `${id} ${name} ${version}`)
 * }).pipe(
 *   Effect.provide(
 *     Layer.provide(ExtensionsClient.layerConfig, UploadHttpClient.layerConfig)
 *   )
 * )
 * ```
 *
 * @since 0.1.0
 * @category tags
 */
export class ExtensionsClient extends Context.Tag("effect-elastic-extensions/cloud/ExtensionsClient")<
  ExtensionsClient,
  ExtensionsClientService
>() {}

/**
 * Over the `HttpClient` and the configuration in the context.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<
  ExtensionsClient,
  never,
  HttpClient.HttpClient | ElasticCloudConfig.ElasticCloudConfig
> = Layer.effect(ExtensionsClient, make)

/**
 * Configured by `ElasticCloudConfig.layerConfig`: `EC_API_KEY`, `EC_ENDPOINT` and their like.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerConfig: Layer.Layer<ExtensionsClient, ConfigError.ConfigError, HttpClient.HttpClient> =
  Layer.provide(layer, ElasticCloudConfig.layerConfig)
