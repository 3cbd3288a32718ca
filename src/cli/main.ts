/**
 * The command line: its commands, each with what it does, and what is common to every run of one.
 *
 * @since 0.1.0
 */
import type * as Effect from "effect/Effect"
import { type Environment, make } from "./internal/command.ts"
import * as definitions from "./internal/definitions.ts"
import type { Exited } from "./internal/output.ts"
import { makeProgram } from "./internal/program.ts"
import { Stdio } from "./internal/terminal.ts"

export {
  /**
   * Where it writes.
   *
   * @since 0.1.0
   * @category running
   */
  Stdio
}

const releases = () => import("./commands/releases.ts")

/**
 * Runs the command that the arguments (those after the program's name) ask for. What there is to say has been written when
 * it returns; a failure is the exit code.
 *
 * @since 0.1.0
 * @category running
 */
export const main: (args: ReadonlyArray<string>) => Effect.Effect<void, Exited, Environment> = makeProgram([
  make(definitions.upload, () => import("./commands/upload.ts")),
  make(definitions.publish, () => import("./commands/publish.ts")),
  make(definitions.inspect, () => import("./commands/inspect.ts")),
  make(definitions.list, () => import("./commands/list.ts")),
  make(definitions.show, () => import("./commands/show.ts")),
  make(definitions.create, () => import("./commands/create.ts")),
  make(definitions.update, () => import("./commands/update.ts")),
  make(definitions.delete_, () => import("./commands/delete.ts")),
  make(definitions.pending, () => import("./commands/pending.ts")),
  make(definitions.resume, () => import("./commands/resume.ts")),
  make(definitions.cancel, () => import("./commands/cancel.ts")),
  make(definitions.doctor, () => import("./commands/doctor.ts")),
  make(definitions.cloud, () => import("./commands/cloud.ts")),
  make(definitions.runner, () => import("./commands/runner.ts")),
  make(definitions.releasesSubmit, async () => ({ run: (await releases()).submit })),
  make(definitions.releasesList, async () => ({ run: (await releases()).list })),
  make(definitions.releasesShow, async () => ({ run: (await releases()).show })),
  make(definitions.releasesWatch, async () => ({ run: (await releases()).watch })),
  make(definitions.releasesApprove, async () => ({ run: (await releases()).approve })),
  make(definitions.releasesReject, async () => ({ run: (await releases()).reject })),
  make(definitions.releasesCancel, async () => ({ run: (await releases()).cancel })),
  make(definitions.releasesRetry, async () => ({ run: (await releases()).retry }))
])
