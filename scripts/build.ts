/** Builds both packages: the library as modules, types and maps in `dist`, and the command as one file with its launcher in `build/command`. */
import { rm } from "node:fs/promises"
import { join, resolve } from "node:path"
import * as Command from "@effect/platform/Command"
import * as NodeContext from "@effect/platform-node/NodeContext"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import { buildCommandPackage } from "./support/command.ts"

const root = resolve(import.meta.dirname, "..")

const compile = Command.make("npx", "--no-install", "tsc", "-p", "tsconfig.build.json").pipe(
  Command.workingDirectory(root),
  Command.stdout("inherit"),
  Command.stderr("inherit"),
  Command.exitCode,
  Effect.filterOrDieMessage((code) => code === 0, "the compiler found errors")
)

NodeRuntime.runMain(
  Effect.gen(function* () {
    yield* Effect.promise(() => rm(join(root, "dist"), { recursive: true, force: true }))
    yield* compile
    const bundled = yield* buildCommandPackage(join(root, "build/command"))
    yield* Console.log(
      `dist: the library. build/command: the command, with ${bundled.length} packages in its file`
    )
  }).pipe(Effect.provide(NodeContext.layer))
)
