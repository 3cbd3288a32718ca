/**
 * `cloud`: the stand-in for Elastic Cloud, until it is interrupted.
 *
 * @since 0.1.0
 */
import * as Options from "@effect/cli/Options"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { printable } from "../../outsideText.ts"
import type { LocalElasticCloudService } from "../../testing/LocalElasticCloud.ts"
import { exitCodes } from "../ExitCode.ts"
import { UsageError } from "../Failure.ts"
import * as Command from "../internal/command.ts"
import { Exited, Output } from "../internal/output.ts"
import * as Parameters from "../internal/parameters.ts"
import * as Results from "../internal/results.ts"
import { facts, shellWord } from "../internal/text.ts"
import * as Variables from "../internal/variables.ts"

const extensionNames = Parameters.value(
  "extension",
  "name...",
  "Create this bundle if it is not there yet. Can be repeated.",
  Options.repeated(Options.text("extension"))
)

/**
 * @since 0.1.0
 * @category commands
 */
export const cloud = Command.define({
  name: "cloud",
  summary: "Run a local stand-in for Elastic Cloud, to try things out.",
  details: [
    "A server on this machine with the six operations on extensions, as strict as the service. It runs until Ctrl-C. No account is needed, and nothing leaves the machine."
  ],
  examples: [
    ["cloud --port 9200 --extension words", "In one shell; it prints what to set in another."],
    ["cloud --resumable --data .cloud", "Let uploads be resumed, and keep everything until the next time."]
  ],
  takes: {
    port: Parameters.optional(
      Parameters.value("port", "n", "Port to listen on. Default: any free one.", Options.integer("port"))
    ),
    data: Parameters.optional(
      Parameters.text(
        "data",
        "folder",
        "Folder that keeps extensions, archives and uploads. Default: a temporary one.",
        "folders"
      )
    ),
    apiKey: Parameters.optional(
      Parameters.text("api-key", "key", "Key that clients have to send. It is no secret. Default: local-key.")
    ),
    extensions: Parameters.declare(extensionNames, Parameters.notRequired(extensionNames)),
    resumable: Parameters.flag(
      "resumable",
      "Let uploads be resumed, which the service itself does not today."
    )
  },
  variables: Variables.none,
  run: Effect.fnUntraced(function* ({ apiKey, data, extensions, port, resumable }) {
    const { result } = yield* Output
    const key = Option.getOrElse(apiKey, () => "local-key")
    // Loaded here alone: no other command should start more slowly for it.
    const { make } = yield* Effect.promise(() => import("../../testing/LocalElasticCloud.ts"))
    const cloud = yield* make({
      port: Option.getOrUndefined(yield* Effect.transposeMapOption(port, requirePort)),
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
})

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
