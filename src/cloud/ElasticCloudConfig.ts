/**
 * Where the extensions API is and which key opens it.
 *
 * @since 0.1.0
 */
import * as Arr from "effect/Array"
import * as Config from "effect/Config"
import * as ConfigError from "effect/ConfigError"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import * as Variable from "../transfer/Variable.ts"

/**
 * Where the API is.
 *
 * @since 0.1.0
 * @category models
 */
export interface Endpoint {
  /** Everything before `/deployments/extensions`, such as `https://api.elastic-cloud.com/api/v1`. */
  readonly baseUrl: string
  /** Scheme, host and port: what may be shown. */
  readonly origin: string
}

/**
 * The settings in force, checked.
 *
 * @since 0.1.0
 * @category models
 */
export interface ElasticCloudConfigService extends Endpoint {
  readonly apiKey: Redacted.Redacted<string>
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
  readonly remedy = "Correct this setting."

  override get message(): string {
    return `The Elastic Cloud setting "${this.setting}" cannot be used: ${this.problem} ${this.remedy}`
  }
}

const defaultEndpoint = "https://api.elastic-cloud.com"

const apiKey = Config.option(Variable.parsed("EC_API_KEY", (text) => parseApiKey(Redacted.make(text)))).pipe(
  Config.mapOrFail(
    Either.fromOption(() =>
      ConfigError.MissingData(
        ["EC_API_KEY"],
        "EC_API_KEY is not set, or empty. Create an API key in the Elastic Cloud console and put it there."
      )
    )
  ),
  Config.withDescription("API key of the Elastic Cloud user who owns the extensions (EC_API_KEY).")
)

const address = (name: string, description: string) =>
  Config.map(Variable.text(name), (text) => ({ name, text })).pipe(
    Config.option,
    Config.withDescription(description)
  )

/**
 * Which endpoint is meant: `EC_ENDPOINT`, else `EC_HOST`, else the public cloud; plain http to another machine only with
 * `EC_ALLOW_INSECURE_HTTP`. For programs that need no key, such as a diagnosis; `config` reads it too.
 *
 * @since 0.1.0
 * @category config
 */
export const endpoint: Config.Config<Endpoint> = Config.all({
  endpoint: address(
    "EC_ENDPOINT",
    `Address of the Elastic Cloud API (EC_ENDPOINT). Default ${defaultEndpoint}.`
  ),
  host: address("EC_HOST", "The same under the name that ecctl uses (EC_HOST). EC_ENDPOINT goes first."),
  allowInsecureHttp: Variable.boolean("EC_ALLOW_INSECURE_HTTP").pipe(
    Config.withDefault(false),
    Config.withDescription(
      "Set to true to send the API key unencrypted over plain http (EC_ALLOW_INSECURE_HTTP). Loopback needs no permission."
    )
  )
}).pipe(
  Config.mapOrFail(({ endpoint, host, allowInsecureHttp }) => {
    const { name, text } = Option.getOrElse(
      Option.orElse(endpoint, () => host),
      () => ({
        name: "EC_ENDPOINT",
        text: defaultEndpoint
      })
    )
    return Either.mapLeft(
      parseEndpoint(text, allowInsecureHttp, "set EC_ALLOW_INSECURE_HTTP=true"),
      (problem) => ConfigError.InvalidData([name], problem)
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

/** What a key cannot be, and what is probably the matter. The first that fits is told. */
const keyProblems: ReadonlyArray<readonly [fits: RegExp, problem: string]> = [
  [/^$/, "it is empty. Create an API key in the Elastic Cloud console."],
  [/^(ApiKey|Bearer|Basic)\s/i, "it begins with the name of a scheme. Give the key alone."],
  [/^["'`]|["'`]$/, "it is in quotes. Give the key alone."],
  [
    /^(\$|%\w+%$|\{\{|<)/,
    "it is the name of a variable or a placeholder, not a key. Check how the variable is filled in."
  ],
  [/^[*•.…]+$/, "it is the mask that is shown instead of a key. Copy the key itself."],
  [
    /[^\x21-\x7e]/,
    "it contains a space, a line break or another character that no API key has. Copy the key again, on one line."
  ]
]

/** A problem never repeats the value: it can be a secret, or hold one. */
const parseApiKey = (apiKey: Redacted.Redacted<string>): Either.Either<Redacted.Redacted<string>, string> => {
  const key = Redacted.value(apiKey).trim()
  return Option.match(
    Arr.findFirst(keyProblems, ([fits]) => fits.test(key)),
    {
      onNone: () => Either.right(Redacted.make(key)),
      onSome: ([, problem]) => Either.left(problem)
    }
  )
}

const isLoopback = (url: URL): boolean =>
  url.hostname === "localhost" || url.hostname === "[::1]" || /^127(\.\d{1,3}){3}$/.test(url.hostname)

const addressProblems: ReadonlyArray<readonly [fits: (url: URL) => boolean, problem: string]> = [
  [({ protocol }) => !/^https?:$/.test(protocol), "it is not an https address."],
  [
    ({ password, username }) => username !== "" || password !== "",
    "it contains a user name or password. Give the API key as EC_API_KEY and the address alone here."
  ],
  [({ href }) => /[?#]/.test(href), "it has a query or a fragment. Give scheme, host and path only."],
  [
    ({ pathname }) => /\/deployments(\/|$)|\/api\/v1\/+[^/]/.test(pathname),
    "it leads to a part of the API. Give the address up to /api/v1, or the host alone."
  ],
  [
    ({ hostname }) => hostname === "cloud.elastic.co",
    `it is the console for people. The API is at ${defaultEndpoint}.`
  ]
]

const apiPath = "/api/v1"

const withApiPath = (path: string): string => {
  const trimmed = path.replace(/\/+$/, "")
  return trimmed.endsWith(apiPath) ? trimmed : `${trimmed}${apiPath}`
}

/**
 * A host alone means https, unless it is this machine, where plain http is as likely. `howToAllow` completes "or … if you
 * accept that" for plain http.
 */
const parseEndpoint = (
  text: string,
  allowInsecureHttp: boolean,
  howToAllow: string
): Either.Either<Endpoint, string> => {
  const trimmed = text.trim()
  const address = trimmed.includes("://") ? trimmed : `https://${trimmed}`
  if (!URL.canParse(address)) {
    return Either.left(`it is not an address. It should look like ${defaultEndpoint}.`)
  }
  const url = new URL(address)
  if (address !== trimmed && isLoopback(url)) {
    return Either.left("it does not say whether http or https is meant. Write http:// or https:// before it.")
  }
  const problem = Arr.findFirst(addressProblems, ([fits]) => fits(url))
  if (Option.isSome(problem)) return Either.left(problem.value[1])
  if (url.protocol === "http:" && !allowInsecureHttp && !isLoopback(url)) {
    return Either.left(
      `plain http would send the API key unencrypted. Use https, or ${howToAllow} if you accept that.`
    )
  }
  return Either.right({ baseUrl: url.origin + withApiPath(url.pathname), origin: url.origin })
}
