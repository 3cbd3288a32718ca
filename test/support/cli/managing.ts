/** What the commands that manage extensions run against: an environment that points to the stand-in, and its store. */
import { Effect, Option } from "effect"
import * as LocalElasticCloud from "../../../src/testing/LocalElasticCloud.ts"
import { type Environment, run } from "./program.ts"

export const environment = (changes: Environment = {}) =>
  Effect.map(LocalElasticCloud.LocalElasticCloud, ({ url }) => ({
    EC_API_KEY: "local-key",
    EC_ENDPOINT: url,
    EC_UPLOAD_RETRY_BASE_DELAY: "5 millis",
    ...changes
  }))

export const cli = (...args: ReadonlyArray<string>) =>
  Effect.flatMap(environment(), (env) => run(args, { env }))

/** What there is in the store, as far as its users have a say. */
export const stored = (id: string) =>
  Effect.flatMap(LocalElasticCloud.LocalElasticCloud, (cloud) =>
    Effect.map(cloud.extension(id), (found) => {
      const { description, name, resourceVersion, type, version } = Option.getOrThrow(found)
      return { description, name, resourceVersion, type, version }
    })
  )

export const plugin = { name: "analysis-acme", extension_type: "plugin", version: "8.17.0" } as const
