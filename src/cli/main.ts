/**
 * The command line: its commands, and what is common to every run of one.
 *
 * @since 0.1.0
 */
import type * as CliApp from "@effect/cli/CliApp"
import * as Command from "@effect/cli/Command"
import type * as Effect from "effect/Effect"
import { cancel } from "./commands/cancel.ts"
import { cloud } from "./commands/cloud.ts"
import { create } from "./commands/create.ts"
import { delete as delete_ } from "./commands/delete.ts"
import { doctor } from "./commands/doctor.ts"
import { inspect } from "./commands/inspect.ts"
import { list } from "./commands/list.ts"
import { pending } from "./commands/pending.ts"
import { publish } from "./commands/publish.ts"
import { resume } from "./commands/resume.ts"
import { runner } from "./commands/runner.ts"
import { show } from "./commands/show.ts"
import { update } from "./commands/update.ts"
import { upload } from "./commands/upload.ts"
import type { Exited } from "./internal/output.ts"
import { makeProgram } from "./internal/program.ts"
import { Stdio } from "./internal/terminal.ts"
import { commandName } from "./internal/text.ts"

export {
  /**
   * Where it writes.
   *
   * @since 0.1.0
   * @category running
   */
  Stdio
}

/** In the order in which help lists them. */
const commands = [
  upload,
  publish,
  inspect,
  list,
  show,
  create,
  update,
  delete_,
  pending,
  resume,
  cancel,
  doctor,
  cloud,
  runner
] as const

/**
 * Runs the command that the arguments (those after the program's name) ask for. What there is to say has been written when
 * it returns; a failure is the exit code.
 *
 * @since 0.1.0
 * @category running
 */
export const main: (
  args: ReadonlyArray<string>
) => Effect.Effect<void, Exited, CliApp.CliApp.Environment | Stdio> = makeProgram(
  Command.withSubcommands(Command.make(commandName), commands),
  {
    name: commandName,
    summary: "Upload Elasticsearch plugins and bundles to Elastic Cloud, and verify that they arrived.",
    details: [
      "Options with a variable in brackets can also be set in the environment. Every command that talks to Elastic Cloud needs the API key in EC_API_KEY."
    ],
    examples: [
      ["inspect dist/acme.zip", "Can Elastic Cloud use the archive?"],
      ["upload 882519870 dist/acme.zip", "Upload it to an extension that exists."]
    ]
  },
  commands
)
