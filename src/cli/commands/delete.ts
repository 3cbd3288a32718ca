/**
 * `delete <extension>`: removes an extension and its archive, after asking.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import type { Extension } from "../../cloud/Extension.ts"
import { ExtensionsClient } from "../../cloud/ExtensionsClient.ts"
import { deploymentsOf } from "../../upload/Deployments.ts"
import { exitCodes } from "../ExitCode.ts"
import { DeletionRefused, UsageError } from "../Failure.ts"
import type { Run } from "../internal/command.ts"
import type * as definitions from "../internal/definitions.ts"
import * as Extensions from "../internal/extensions.ts"
import { isPipeline } from "../internal/live.ts"
import { Exited, Output } from "../internal/output.ts"
import * as Results from "../internal/results.ts"
import { Confirmation, confirm } from "../internal/terminal.ts"

export const run: Run<typeof definitions.delete_> = ({ dryRun, extension: named, ofType, yes }) =>
  Effect.gen(function* () {
    const client = yield* ExtensionsClient
    const output = yield* Output
    const extensionId = yield* Extensions.meant(named, ofType, "delete")
    const { extension } = yield* Extensions.persistently(
      client.get(extensionId, { includeDeployments: true })
    )
    yield* requireUnused(extension)
    const report = (tag: (typeof Results.Deleted.Type)["_tag"], what: string) =>
      output.result({
        schema: Results.Deleted,
        value: { _tag: tag, extension: Extensions.viewOf(extension) },
        lines: [`${what} ${Extensions.named(extension)}.`]
      })
    if (dryRun) return yield* report("WouldDeleteExtension", "Would delete")
    if (!yes) yield* askFirst(extension)
    yield* client.delete(extensionId)
    yield* report("ExtensionDeleted", "Deleted")
  }).pipe(Effect.provide(Extensions.layerClient))

const requireUnused = (extension: Extension): Effect.Effect<void, DeletionRefused> => {
  const deployments = deploymentsOf(extension)
  return deployments.length === 0
    ? Effect.void
    : new DeletionRefused({ extensionId: extension.id, deployments })
}

const askFirst = Effect.fnUntraced(function* (extension: Extension) {
  const { isThere } = yield* Confirmation
  const output = yield* Output
  const which = Extensions.named(extension)
  const isWatched = isThere && !(yield* isPipeline)
  if (!isWatched || output.options.json || output.options.quiet) {
    return yield* new UsageError({
      problem: `Deleting ${which} needs confirmation: pass --yes.`,
      command: "delete"
    })
  }
  if (yield* confirm(`Delete ${which} and its archive for good?`)) return
  yield* output.note("Nothing was deleted.")
  return yield* new Exited({ code: exitCodes.failed })
})
