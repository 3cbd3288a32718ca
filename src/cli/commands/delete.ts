/**
 * `delete <id>`: removes an extension and its archive, after asking.
 *
 * @since 0.1.0
 */
import * as Command from "@effect/cli/Command"
import * as Options from "@effect/cli/Options"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type { Extension } from "../../cloud/Extension.ts"
import { ExtensionsClient } from "../../cloud/ExtensionsClient.ts"
import { exitCodes } from "../ExitCode.ts"
import { UsageError } from "../Failure.ts"
import * as arguments_ from "../internal/arguments.ts"
import { Confirmation, confirm } from "../internal/extensions/confirmation.ts"
import { printable } from "../internal/extensions/printable.ts"
import * as requests from "../internal/extensions/requests.ts"
import { ExtensionView, viewOf } from "../internal/extensions/view.ts"
import { Exited, framed } from "../internal/frame.ts"
import * as options from "../internal/options.ts"
import { Output } from "../internal/output.ts"
import { DeletionRefused } from "../ManagementError.ts"

const Deleted = Schema.Union(
  Schema.TaggedStruct("ExtensionDeleted", { extension: ExtensionView }),
  Schema.TaggedStruct("WouldDeleteExtension", { extension: ExtensionView })
)

const delete_ = Command.make(
  "delete",
  {
    id: arguments_.extensionId,
    yes: Options.boolean("yes").pipe(
      Options.withAlias("y"),
      Options.withDescription("Do not ask. Needed wherever nobody could answer.")
    ),
    dryRun: options.dryRun,
    output: options.output,
    settings: options.connection
  },
  (input) =>
    Effect.gen(function* () {
      const client = yield* ExtensionsClient
      const output = yield* Output
      const id = yield* requests.requireId(input.id, "delete")
      const { extension } = yield* requests.persistently(client.get(id, { includeDeployments: true }))
      yield* requireFree(extension)
      const report = (tag: (typeof Deleted.Type)["_tag"], what: string) =>
        output.result({
          schema: Deleted,
          value: { _tag: tag, extension: viewOf(extension) },
          lines: [`${what} ${describe(extension)}.`]
        })
      if (input.dryRun) return yield* report("WouldDeleteExtension", "Would delete")
      if (!input.yes) yield* askFirst(extension)
      yield* client.delete(id)
      yield* report("ExtensionDeleted", "Deleted")
    }).pipe(Effect.provide(requests.client))
).pipe(
  framed({
    summary: "Delete an extension and its archive.",
    details: [
      "Asks first, and cannot be undone. An extension that deployments use is not deleted: they are named instead (exit code 6)."
    ],
    examples: [
      ["delete 882519870", "Ask, then delete."],
      ["delete 882519870 --yes", "In a script, where nobody can answer."],
      ["delete 882519870 --dry-run", "Could it be deleted?"]
    ]
  })
)

export {
  /**
   * @since 0.1.0
   * @category commands
   */
  delete_ as delete
}

const describe = (extension: Extension): string =>
  `the ${extension.type} ${printable(extension.name)} (${printable(extension.id)})`

const requireFree = ({ deployments, id }: Extension): Effect.Effect<void, DeletionRefused> => {
  const users = Option.getOrElse(deployments, (): ReadonlyArray<string> => [])
  return users.length === 0 ? Effect.void : new DeletionRefused({ extensionId: id, deployments: users })
}

const askFirst = (extension: Extension) =>
  Effect.gen(function* () {
    const { isThere } = yield* Confirmation
    const output = yield* Output
    if (!isThere || output.options.json || output.options.quiet) {
      return yield* new UsageError({
        problem: `Deleting ${describe(extension)} has to be confirmed: add --yes.`,
        command: "delete"
      })
    }
    if (yield* confirm(`Delete ${describe(extension)} and its archive for good?`)) return
    yield* output.note("Nothing was deleted.")
    yield* new Exited({ code: exitCodes.failed })
  })
