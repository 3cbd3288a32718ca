/** What every request of the API has in common: where it goes, whose it is, and what is told of it. */
import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import * as Effect from "effect/Effect"
import { flow } from "effect/Function"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import type { ElasticCloudConfigService } from "../ElasticCloudConfig.ts"
import { invalidRequest } from "../ExtensionsError.ts"
import { packageVersion } from "../PackageVersion.ts"
import type { Call } from "./answer.ts"

/**
 * The spans of an `HttpClient` record whole URLs, headers and `Location`s; ours name the operation instead. The trace
 * headers go too: the service never asked for them.
 */
export const withoutTraces = (client: HttpClient.HttpClient): HttpClient.HttpClient =>
  client.pipe(
    HttpClient.withTracerDisabledWhen(() => true),
    HttpClient.withTracerPropagation(false)
  )

/**
 * Redirects are answers like any other. `fetch` would follow them, and take what another origin says for the service's
 * word; every other client leaves them alone.
 */
export const withoutRedirects: (client: HttpClient.HttpClient) => HttpClient.HttpClient =
  HttpClient.transformResponse((response) =>
    Effect.flatMap(Effect.serviceOption(FetchHttpClient.RequestInit), (init) =>
      Effect.provideService(response, FetchHttpClient.RequestInit, {
        ...Option.getOrUndefined(init),
        redirect: "manual"
      })
    )
  )

export const prepare = (config: ElasticCloudConfigService) =>
  flow(
    HttpClientRequest.prependUrl(config.baseUrl),
    HttpClientRequest.setHeaders({
      authorization: `ApiKey ${Redacted.value(config.apiKey)}`,
      "user-agent": `effect-elastic-extensions/${packageVersion}`
    }),
    HttpClientRequest.acceptJson
  )

export const traced = (call: Call, origin: string) =>
  Effect.withSpan(`ExtensionsClient.${call.operation}`, {
    kind: "client",
    captureStackTrace: false,
    attributes: {
      "server.address": origin,
      ...(call.extensionId === undefined ? {} : { "elastic.extension.id": call.extensionId })
    }
  })

export const encodeRequest = <A, I>(call: Call, schema: Schema.Schema<A, I>, request: A) =>
  Effect.mapError(Schema.encode(schema, { errors: "all" })(request), (error) =>
    invalidRequest(call, error, call.scrub)
  )
