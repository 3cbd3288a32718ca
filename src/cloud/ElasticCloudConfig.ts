/**
 * Where the extensions API is and which key opens it.
 *
 * @since 0.1.0
 */
import * as Config from "effect/Config"
import * as ConfigError from "effect/ConfigError"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import { type Endpoint, parseApiKey, parseEndpoint } from "./internal/settings.ts"

/**
 * The settings in force, checked.
 *
 * @since 0.1.0
 * @category models
 */
export interface ElasticCloudConfigService {
  readonly apiKey: Redacted.Redacted<string>
  /** Everything before `/deployments/extensions`, such as `https://api.elastic-cloud.com/api/v1`. */
  readonly baseUrl: string
  /** Scheme, host and port: what may be shown. */
  readonly origin: string
}

/**
 * The settings as an application gives them.
 *
 * @since 0.1.0
 * @category models
 */
export interface ElasticCloudOptions {
  readonly apiKey: string | Redacted.Redacted<string>
  /** An address, or a host alone. `/api/v1` is added where it is missing. Default `https://api.elastic-cloud.com`. */
  readonly endpoint?: string | URL | undefined
  /** Lets the API key travel unencrypted to another machine. Default `false`; loopback needs no permission. */
  readonly allowInsecureHttp?: boolean | undefined
}

/**
 * A setting given in code that cannot be used. Its value stays out of the message.
 *
 * @since 0.1.0
 * @category errors
 */
export class InvalidElasticCloudConfig extends Schema.TaggedError<InvalidElasticCloudConfig>(
  "effect-elastic-extensions/cloud/InvalidElasticCloudConfig"
)("InvalidElasticCloudConfig", { setting: Schema.Literal("apiKey", "endpoint"), problem: Schema.String }) {
  readonly isRetryable = false

  override get message(): string {
    return `The Elastic Cloud setting "${this.setting}" cannot be used: ${this.problem}`
  }
}

const defaultEndpoint = "https://api.elastic-cloud.com"

const invalid = (name: string) => (problem: string) => ConfigError.InvalidData([name], problem)

const apiKey = Config.option(Config.redacted("EC_API_KEY")).pipe(
  Config.mapOrFail(
    Option.match({
      onNone: () =>
        Either.left(
          ConfigError.MissingData(
            ["EC_API_KEY"],
            "EC_API_KEY is not set. Create an API key in the Elastic Cloud console and put it there."
          )
        ),
      onSome: (key) => Either.mapLeft(parseApiKey(key), invalid("EC_API_KEY"))
    })
  ),
  Config.withDescription("API key of the Elastic Cloud user who owns the extensions (EC_API_KEY).")
)

// CI systems set an unset variable to the empty string.
const address = (name: string, description: string) =>
  Config.string(name).pipe(
    Config.withDescription(description),
    Config.option,
    Config.map(Option.filter((text) => text.trim() !== ""))
  )

const endpoint: Config.Config<Endpoint> = Config.all({
  endpoint: address(
    "EC_ENDPOINT",
    `Address of the Elastic Cloud API (EC_ENDPOINT). Default ${defaultEndpoint}.`
  ),
  host: address("EC_HOST", "The same under the name that ecctl uses (EC_HOST). EC_ENDPOINT goes first."),
  allowInsecureHttp: Config.boolean("EC_ALLOW_INSECURE_HTTP").pipe(
    Config.withDefault(false),
    Config.withDescription(
      "Set to true to send the API key unencrypted over plain http (EC_ALLOW_INSECURE_HTTP). Loopback needs no permission."
    )
  )
}).pipe(
  Config.mapOrFail(({ endpoint, host, allowInsecureHttp }) => {
    const name = Option.isNone(endpoint) && Option.isSome(host) ? "EC_HOST" : "EC_ENDPOINT"
    const text = Option.getOrElse(endpoint, () => Option.getOrElse(host, () => defaultEndpoint))
    return Either.mapLeft(
      parseEndpoint(text, allowInsecureHttp, "set EC_ALLOW_INSECURE_HTTP=true"),
      invalid(name)
    )
  })
)

const checked = (
  options: ElasticCloudOptions
): Either.Either<ElasticCloudConfigService, InvalidElasticCloudConfig> =>
  Either.gen(function* () {
    const refuse = (setting: InvalidElasticCloudConfig["setting"]) => (problem: string) =>
      new InvalidElasticCloudConfig({ setting, problem })
    const key = Redacted.isRedacted(options.apiKey) ? options.apiKey : Redacted.make(options.apiKey)
    const apiKey = yield* Either.mapLeft(parseApiKey(key), refuse("apiKey"))
    const endpoint = yield* Either.mapLeft(
      parseEndpoint(
        String(options.endpoint ?? defaultEndpoint),
        options.allowInsecureHttp ?? false,
        "set allowInsecureHttp"
      ),
      refuse("endpoint")
    )
    return { apiKey, ...endpoint }
  })

/**
 * The API key, and the endpoint it is for.
 *
 * @example
 * ```ts
 * import { ElasticCloudConfig, ExtensionsClient } from "effect-elastic-extensions"
 * import { Effect, Layer, Redacted } from "effect"
 *
 * // The key comes from wherever an application keeps its secrets.
 * const Settings = (apiKey: Redacted.Redacted<string>) =>
 *   ElasticCloudConfig.layer({ apiKey })
 *
 * const Client = Layer.provide(ExtensionsClient.layer, Settings(Redacted.make("…")))
 * ```
 *
 * @since 0.1.0
 * @category tags
 */
export class ElasticCloudConfig extends Context.Tag("effect-elastic-extensions/cloud/ElasticCloudConfig")<
  ElasticCloudConfig,
  ElasticCloudConfigService
>() {}

/**
 * `EC_API_KEY` (required), `EC_ENDPOINT` or `EC_HOST`, and `EC_ALLOW_INSECURE_HTTP`.
 *
 * @since 0.1.0
 * @category config
 */
export const config: Config.Config<ElasticCloudConfigService> = Config.all({ apiKey, endpoint }).pipe(
  Config.map(({ apiKey, endpoint }) => ({ apiKey, ...endpoint }))
)

/**
 * The configuration that the `ConfigProvider` in force holds, usually the environment.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerConfig: Layer.Layer<ElasticCloudConfig, ConfigError.ConfigError> = Layer.effect(
  ElasticCloudConfig,
  config
)

/**
 * The configuration given in code, checked by the same rules.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (
  options: ElasticCloudOptions
): Layer.Layer<ElasticCloudConfig, InvalidElasticCloudConfig> =>
  Layer.effect(
    ElasticCloudConfig,
    Effect.suspend(() => checked(options))
  )
