/** What is running: the first thing anybody who helps will ask. */
import process from "node:process"
import * as Effect from "effect/Effect"
import * as ModuleVersion from "effect/ModuleVersion"
import { version } from "../../../cloud/internal/version.ts"
import { type Finding, ok } from "./finding.ts"

const runtime = ({ versions }: typeof process): string => {
  if (versions["deno"] !== undefined) return `Deno ${versions["deno"]}`
  return versions.bun === undefined ? `Node ${versions.node}` : `Bun ${versions.bun}`
}

/** @internal */
export const examineRuntime: Effect.Effect<Finding> = Effect.sync(() =>
  ok(
    "runtime",
    `effect-elastic-extensions ${version}, Effect ${ModuleVersion.getCurrentVersion()}, ${runtime(process)}, ${process.platform} ${process.arch}`
  )
)
