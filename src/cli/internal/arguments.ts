/** The arguments that several commands share. */
import * as Args from "@effect/cli/Args"

export const extensionId: Args.Args<string> = Args.text({ name: "id" }).pipe(
  Args.withDescription("Id of the extension, as list shows it.")
)

export const archive: Args.Args<string> = Args.text({ name: "archive" }).pipe(
  Args.withDescription("Path of the ZIP archive of a plugin or a bundle.")
)
