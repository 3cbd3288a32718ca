/** The endpoint without the key, for commands that can do without one. */
import type * as ConfigError from "effect/ConfigError"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as ElasticCloudConfig from "../../../cloud/ElasticCloudConfig.ts"

const someKey = ConfigProvider.fromMap(new Map([["EC_API_KEY", "none"]]))

export const endpointAlone: Effect.Effect<
  Omit<ElasticCloudConfig.ElasticCloudConfigService, "apiKey">,
  ConfigError.ConfigError
> = Effect.configProviderWith((environment) =>
  Effect.withConfigProvider(
    ElasticCloudConfig.config,
    ConfigProvider.orElse(someKey, () => environment)
  )
)
