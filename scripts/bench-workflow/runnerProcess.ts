/** A runner as the manual has it, with the settings it has by default, until it is ended. */
import * as v8 from "node:v8"
import * as NodeContext from "@effect/platform-node/NodeContext"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as EnginePostgres from "../../src/workflow/EnginePostgres.ts"
import * as ExtensionRelease from "../../src/workflow/ExtensionRelease.ts"

// As the command does: see src/cli/internal/releases/running.ts.
v8.setFlagsFromString("--heap-growing-percent=100")

const Engine = Layer.unwrapEffect(
  Effect.gen(function* () {
    const url = yield* Config.redacted("DATABASE_URL")
    const port = yield* Config.integer("RUNNER_PORT")
    return EnginePostgres.layer({ url, runner: { host: "127.0.0.1", port } })
  })
)

ExtensionRelease.layerConfig.pipe(
  Layer.provide(Engine),
  Layer.provide(NodeContext.layer),
  Layer.launch,
  NodeRuntime.runMain
)
