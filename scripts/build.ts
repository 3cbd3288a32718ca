/** Builds the package: modules, types and maps by the compiler, and the command as one file with its launcher. */
import { chmod, rm, writeFile } from "node:fs/promises"
import { join, resolve } from "node:path"
import * as Command from "@effect/platform/Command"
import * as NodeContext from "@effect/platform-node/NodeContext"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import { bundleCommand, bundleLauncher, licensesFile, licensesOf } from "./support/command.ts"

const root = resolve(import.meta.dirname, "..")
const dist = join(root, "dist")
const bin = join(dist, "cli/bin.js")

const compile = Command.make("npx", "--no-install", "tsc", "-p", "tsconfig.build.json").pipe(
  Command.workingDirectory(root),
  Command.stdout("inherit"),
  Command.stderr("inherit"),
  Command.exitCode,
  Effect.filterOrDieMessage((code) => code === 0, "the compiler found errors")
)

NodeRuntime.runMain(
  Effect.gen(function* () {
    yield* Effect.promise(() => rm(dist, { recursive: true, force: true }))
    yield* compile
    const bundled = yield* bundleCommand(join(dist, "cli/command.js"))
    yield* bundleLauncher(bin)
    const licenses = yield* licensesOf(bundled)
    yield* Effect.promise(() => Promise.all([chmod(bin, 0o755), writeFile(licensesFile(bin), licenses)]))
    yield* Console.log(`dist: the modules, and the command with ${bundled.length} packages in it`)
  }).pipe(Effect.provide(NodeContext.layer))
)
