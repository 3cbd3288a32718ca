/** What commands run on, configured by the environment and the options laid over it. */
import type * as ConfigError from "effect/ConfigError"
import * as Layer from "effect/Layer"
import * as ExtensionsClient from "../../cloud/ExtensionsClient.ts"
import * as UploadHttpClient from "../../transfer/UploadHttpClient.ts"

/** The six operations. */
export const client: Layer.Layer<ExtensionsClient.ExtensionsClient, ConfigError.ConfigError> = Layer.provide(
  ExtensionsClient.layerConfig,
  UploadHttpClient.layerConfig
)

/** Everything an upload needs, the six operations included. */
export { layerConfig as uploads } from "../../upload/ExtensionUpload.ts"
