#!/usr/bin/env node
/**
 * The executable `elastic-extensions`. Runs on Node, Bun and Deno, unbuilt or bundled.
 *
 * @since 0.1.0
 */
import process from "node:process"
import * as v8 from "node:v8"
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as NodePath from "@effect/platform-node/NodePath"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeTerminal from "@effect/platform-node/NodeTerminal"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { exitCodes } from "./ExitCode.ts"
import { Exited } from "./internal/output.ts"
import { layerProcess } from "./internal/terminal.ts"
import { main } from "./main.ts"

/** An interrupted command has failed with its code; one that was interrupted before it began has only the signal. */
const codeOf = (cause: Cause.Cause<unknown>): number => {
  const exited = Option.filter(Cause.failureOption(cause), (error) => error instanceof Exited)
  if (Option.isSome(exited)) return exited.value.code
  return Cause.isInterruptedOnly(cause) ? exitCodes.interrupted : exitCodes.failed
}

// Hardly anything that an upload allocates lives longer than a chunk: a young generation that grows costs memory and saves next to
// no time.
v8.setFlagsFromString("--semi-space-growth-factor=1")

main(process.argv.slice(2)).pipe(
  Effect.provide(Layer.mergeAll(NodeFileSystem.layer, NodePath.layer, NodeTerminal.layer, layerProcess)),
  NodeRuntime.runMain({
    disableErrorReporting: true,
    teardown: (exit, onExit) => onExit(Exit.match(exit, { onSuccess: () => 0, onFailure: codeOf }))
  })
)
