/**
 * A release that survives its process: `npx tsx examples/durable-release.ts <archive> --name <name> --release <id>`.
 *
 * Kill it anywhere and run the same command again: completed steps are not repeated. The state is kept in one SQLite file,
 * `state/releases.db`. Each step is shown on standard error; standard output gets one JSON line when the release is done.
 * Configured by the environment variables in the README. Runs on Node and Bun.
 */
import { parseArgs } from "node:util"
import { NodeContext, NodeRuntime } from "@effect/platform-node"
import { Console, Effect, Layer, Logger, Schema } from "effect"
import { ArchiveLocator, UploadHttpClient } from "effect-elastic-extensions"
import * as Announcement from "effect-elastic-extensions/workflow/Announcement"
import * as EngineSqlite from "effect-elastic-extensions/workflow/EngineSqlite"
import * as ExtensionRelease from "effect-elastic-extensions/workflow/ExtensionRelease"
import * as ReleaseEvents from "effect-elastic-extensions/workflow/ReleaseEvents"
import * as ReleasePayload from "effect-elastic-extensions/workflow/ReleasePayload"
import { ReleaseReceipt } from "effect-elastic-extensions/workflow/ReleaseReceipt"
import * as ReleaseTarget from "effect-elastic-extensions/workflow/ReleaseTarget"

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    name: { type: "string", default: "" },
    release: { type: "string", default: "" },
    state: { type: "string", default: "state/releases.db" }
  }
})
const [path = ""] = positionals

/** Runs once for each release, also when the process that began it is gone. */
const Announce = Announcement.layer({
  released: ({ receipt }) => Console.error(`released: ${receipt.extensionId}, proved by ${receipt.proof}`)
})

const Steps = ReleaseEvents.layer((event) =>
  event._tag === "StepStarted" ? Console.error(`${event.step}, attempt ${event.attempt}`) : Effect.void
)

const program = Effect.gen(function* () {
  const payload = yield* ReleasePayload.prepare({
    releaseId: values.release,
    extension: ReleaseTarget.named({ name: values.name, type: "bundle", version: "*" }),
    archive: ArchiveLocator.path(path)
  })
  const receipt = yield* ExtensionRelease.execute(payload)
  yield* Console.log(yield* Schema.encode(Schema.parseJson(ReleaseReceipt))(receipt))
})

program.pipe(
  Effect.provide(ExtensionRelease.layerConfig.pipe(Layer.provide([Announce, Steps]))),
  Effect.provide(EngineSqlite.layer(values.state)),
  Effect.provide(UploadHttpClient.layerConfig),
  Effect.provide(NodeContext.layer),
  Effect.tapError((error) => Console.error(String(error))),
  // Standard output is the receipt's alone.
  Effect.provide(Logger.replace(Logger.defaultLogger, Logger.withConsoleError(Logger.logfmtLogger))),
  NodeRuntime.runMain({ disableErrorReporting: true, disablePrettyLogger: true })
)
