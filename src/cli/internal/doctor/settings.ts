/** What the environment says, and which of it cannot be used. */
import type * as ConfigError from "effect/ConfigError"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as ElasticCloudConfig from "../../../cloud/ElasticCloudConfig.ts"
import * as RetryPolicy from "../../../transfer/RetryPolicy.ts"
import * as UploadHttpClient from "../../../transfer/UploadHttpClient.ts"
import * as UploadSettings from "../../../upload/UploadSettings.ts"
import { endpointAlone } from "../extensions/endpoint.ts"
import { type Finding, ok, problem } from "./finding.ts"

/** @internal */
export interface Settings {
  readonly findings: ReadonlyArray<Finding>
  /** Where the API is, with whatever key there is. */
  readonly endpoint: Option.Option<Pick<ElasticCloudConfig.ElasticCloudConfigService, "baseUrl" | "origin">>
  /** The same with a key that can be sent. */
  readonly access: Option.Option<ElasticCloudConfig.ElasticCloudConfigService>
  readonly upload: UploadSettings.UploadOptions
  /** Bytes from which a body is announced before it is sent; infinite for never. */
  readonly expectThreshold: number
}

/** Of several problems with one setting the innermost words are enough. */
const sentences = (error: ConfigError.ConfigError): string => {
  switch (error._op) {
    case "And":
      return `${sentences(error.left)} ${sentences(error.right)}`
    case "Or":
      return sentences(error.left)
    default:
      return error.path.length === 0 || error.message.includes(error.path.join("."))
        ? error.message
        : `${error.path.join(".")}: ${error.message}`
  }
}

const problemsOf = <A>(
  check: string,
  result: Either.Either<A, ConfigError.ConfigError>
): ReadonlyArray<Finding> =>
  Either.isLeft(result) ? [problem(check, sentences(result.left), result.left)] : []

/** @internal */
export const readSettings: Effect.Effect<Settings> = Effect.gen(function* () {
  const endpoint = yield* Effect.either(endpointAlone)
  const access = yield* Effect.either(ElasticCloudConfig.config)
  const transport = yield* Effect.either(UploadHttpClient.config)
  const upload = yield* Effect.either(UploadSettings.config)
  const defaults = yield* UploadSettings.UploadSettings
  const retry = yield* Effect.either(RetryPolicy.config)
  const options = [
    ...problemsOf("settings", transport),
    ...problemsOf("settings", upload),
    ...problemsOf("settings", retry)
  ]
  // Without an endpoint, what is wrong with the key would be said of the endpoint as well.
  const unusableAccess = Either.isLeft(endpoint)
    ? problemsOf("endpoint", endpoint)
    : problemsOf("key", access)
  return {
    findings: [
      ...(options.length === 0 ? [ok("settings", "every setting can be used")] : options),
      ...unusableAccess
    ],
    endpoint: Either.getRight(endpoint),
    access: Either.getRight(access),
    upload: Either.getOrElse(upload, () => defaults),
    expectThreshold: Option.match(Either.getRight(transport), {
      onNone: () => 1024 * 1024,
      onSome: ({ expectThreshold }) => expectThreshold
    })
  }
})
