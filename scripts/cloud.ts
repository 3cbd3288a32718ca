/**
 * Runs the local stand-in for Elastic Cloud until Ctrl-C.
 *
 *     npm run cloud -- --port 9200 --data .cloud --api-key my-key --extension dictionary
 */
import { parseArgs } from "node:util"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Console, Data, Effect } from "effect"
import * as LocalElasticCloud from "../src/testing/LocalElasticCloud.ts"

const HELP = `Usage: npm run cloud -- [options]

  --port N           port to listen on (default: any free one)
  --data DIR         folder that keeps extensions, archives and uploads (default: a temporary one)
  --api-key KEY      the key clients must send (default: local-key)
  --extension NAME   create this extension if it is not there yet; may be given several times
  --resumable        let uploads be resumed (the service itself does not, today)
  --help             show this text`

class UsageError extends Data.TaggedError("UsageError")<{ readonly message: string }> {}

const parsePort = (text: string | undefined): Effect.Effect<number, UsageError> => {
  const port = Number(text ?? 0)
  return Number.isInteger(port) && port >= 0 && port <= 65_535
    ? Effect.succeed(port)
    : Effect.fail(new UsageError({ message: `--port must be a number from 0 to 65535, not "${text}".` }))
}

const options = Effect.gen(function* () {
  const { values } = yield* Effect.try({
    try: () =>
      parseArgs({
        options: {
          port: { type: "string" },
          data: { type: "string" },
          "api-key": { type: "string", default: "local-key" },
          extension: { type: "string", multiple: true, default: [] },
          resumable: { type: "boolean", default: false },
          help: { type: "boolean", default: false }
        }
      }),
    catch: (cause) => new UsageError({ message: cause instanceof Error ? cause.message : String(cause) })
  })
  return {
    port: yield* parsePort(values.port),
    data: values.data,
    apiKey: values["api-key"],
    extensions: values.extension,
    resumable: values.resumable,
    help: values.help
  }
})

const ensureExtension = (cloud: LocalElasticCloud.LocalElasticCloudService, name: string) =>
  Effect.gen(function* () {
    const existing = (yield* cloud.extensions).find((extension) => extension.name === name)
    return existing ?? (yield* cloud.seed({ name, extension_type: "bundle", version: "*" }))
  })

const program = Effect.gen(function* () {
  const { apiKey, data, extensions, help, port, resumable } = yield* options
  if (help) return yield* Console.log(HELP)
  const cloud = yield* LocalElasticCloud.make({
    port,
    dataDir: data,
    accounts: [{ apiKey, owner: "local" }],
    resumable: resumable ? {} : undefined
  })
  yield* Effect.forEach(extensions, (name) => ensureExtension(cloud, name), { discard: true })
  const known = yield* cloud.extensions
  yield* Console.log(`A local Elastic Cloud is running at ${cloud.url}. Ctrl-C stops it.

  API key     ${apiKey}
  Resumable   ${resumable ? "yes" : "no, like the service"}
  Data        ${data ?? "a temporary folder, deleted when this stops"}
  Extensions  ${known.length === 0 ? "none yet" : known.map(({ id, name }) => `${name} has the id ${id}`).join("\n              ")}

To use it in another shell:

  export EC_ENDPOINT=${cloud.url} EC_API_KEY=${apiKey}
`)
  return yield* Effect.never
}).pipe(
  Effect.scoped,
  Effect.tapError(({ message }) => Console.error(message))
)

NodeRuntime.runMain(program, { disableErrorReporting: true })
