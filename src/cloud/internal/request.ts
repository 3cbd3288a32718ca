/** What every request of the API has in common: where it goes, whose it is, and what is told of it. */
import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import * as Effect from "effect/Effect"
import { flow } from "effect/Function"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import { attribute, spanned } from "../../telemetry.ts"
import type { ElasticCloudConfigService } from "../ElasticCloudConfig.ts"
import { invalidRequest } from "../ExtensionsError.ts"
import { packageVersion } from "../PackageVersion.ts"
import type { Call } from "./answer.ts"

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

/** The span of an operation, around those of its requests. */
export const traced = ({ extensionId, operation }: Pick<Call, "operation" | "extensionId">) =>
  spanned(`ExtensionsClient.${operation}`, {
    attributes: extensionId === undefined ? {} : { [attribute.extensionId]: extensionId }
  })

export const encodeRequest = <A, I>(call: Call, schema: Schema.Schema<A, I>, request: A) =>
  Effect.mapError(Schema.encode(schema, { errors: "all" })(request), (error) =>
    invalidRequest(call, error, call.scrub)
  )
