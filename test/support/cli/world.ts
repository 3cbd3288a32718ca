/** What commands run against: a stand-in in this process, and an environment that points to it. */
import * as NodeContext from "@effect/platform-node/NodeContext"
import { Effect, Layer } from "effect"
import * as LocalElasticCloud from "../../../src/testing/LocalElasticCloud.ts"
import { fileWith, zipOf } from "../upload/archives.ts"
import { type Environment, run } from "./program.ts"

export const world = (options: LocalElasticCloud.LocalElasticCloudOptions = {}) =>
  LocalElasticCloud.layer(options).pipe(Layer.provideMerge(NodeContext.layer), Layer.orDie)

/** An archive of so many bytes, a journal beside it, and the command line with both the stand-in and its key. */
export const place = (bytes = 5000) =>
  Effect.gen(function* () {
    const { url } = yield* LocalElasticCloud.LocalElasticCloud
    const content = yield* zipOf(bytes)
    const archive = yield* fileWith(content)
    const env: Environment = {
      EC_API_KEY: "local-key",
      EC_ENDPOINT: url,
      EC_UPLOAD_JOURNAL: `${archive}.journal`,
      EC_UPLOAD_RETRY_BASE_DELAY: "5 millis",
      EC_UPLOAD_RECONCILE_WINDOW: "50 millis"
    }
    const cli = (args: ReadonlyArray<string>, options: { readonly columns?: number } = {}) =>
      run(args, { env, ...options })
    return { archive, cli, content, env }
  })

/** Methods of the requests so far that could have changed something. */
export const changes = Effect.gen(function* () {
  const cloud = yield* LocalElasticCloud.LocalElasticCloud
  yield* cloud.settled
  return (yield* cloud.requests).map(({ method }) => method).filter((method) => method !== "GET")
})
