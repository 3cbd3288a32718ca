/**
 * `cloud`: the stand-in for Elastic Cloud, until it is interrupted.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { printable } from "../../outsideText.ts"
import type { LocalElasticCloudService } from "../../testing/LocalElasticCloud.ts"
import { exitCodes } from "../ExitCode.ts"
import { UsageError } from "../Failure.ts"
import type { Run } from "../internal/command.ts"
import type * as definitions from "../internal/definitions.ts"
import { Exited, Output } from "../internal/output.ts"
import { listening } from "../internal/permission.ts"
import * as Results from "../internal/results.ts"
import { facts, shellWord } from "../internal/text.ts"

/**
 * @since 0.1.0
 * @category commands
 */
export const run: Run<typeof definitions.cloud> = Effect.fnUntraced(function* ({
  apiKey,
  data,
  extensions,
  port,
  resumable
}) {
  const { result } = yield* Output
  const key = Option.getOrElse(apiKey, () => "local-key")
  const chosen = Option.getOrElse(yield* Effect.transposeMapOption(port, requirePort), () => 0)
  yield* listening("127.0.0.1", chosen)
  // Loaded here alone: no other command should start more slowly for it.
  const { make } = yield* Effect.promise(() => import("../../testing/LocalElasticCloud.ts"))
  const cloud = yield* make({
    port: chosen,
    dataDir: Option.getOrUndefined(data),
    accounts: [{ apiKey: key, owner: "local" }],
    resumable: resumable ? {} : undefined
  }).pipe(Effect.mapError(({ message }) => new UsageError({ problem: message, command: "cloud" })))
  yield* Effect.forEach(extensions, (name) => ensureBundle(cloud, name), { discard: true })
  const known = (yield* cloud.extensions).map(({ id, name }) => ({ id, name }))
  yield* result({
    schema: Results.LocalCloud,
    value: Results.LocalCloud.make({ url: cloud.url, apiKey: key, resumable, extensions: known }),
    lines: [
      `A local Elastic Cloud is running at ${cloud.url}. Ctrl-C stops it.`,
      "",
      ...facts([
        ["API key", printable(key)],
        ["resumable", resumable ? "yes" : "no, like the service"],
        ["data", Option.getOrElse(data, () => "a temporary folder, deleted when this stops")],
        ...known.map(
          ({ id, name }) => ["extension", `${printable(name)} has the id ${printable(id)}`] as const
        )
      ]),
      "",
      "To use it in another shell:",
      "",
      `  export EC_ENDPOINT=${cloud.url} EC_API_KEY=${shellWord(key)}`
    ]
  })
  return yield* untilInterrupted
}, Effect.scoped)

const requirePort = (port: number): Effect.Effect<number, UsageError> =>
  port >= 0 && port <= 65_535
    ? Effect.succeed(port)
    : new UsageError({
        problem: "--port has to be a number from 0 to 65535, such as 9200.",
        command: "cloud"
      })

const ensureBundle = Effect.fnUntraced(function* (cloud: LocalElasticCloudService, name: string) {
  const isThere = (yield* cloud.extensions).some((extension) => extension.name === name)
  if (!isThere) yield* cloud.seed({ name, extension_type: "bundle", version: "*" })
})

/** Ctrl-C is how it ends, and no failure. */
const untilInterrupted: Effect.Effect<never, Exited> = Effect.uninterruptibleMask((restore) =>
  Effect.catchAllCause(restore(Effect.never), () => new Exited({ code: exitCodes.done }))
)
