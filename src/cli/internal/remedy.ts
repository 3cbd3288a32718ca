/** What to do about a failure, in the words of the command line, where the error's own message speaks of code. */
import type { Problem } from "../../archive/ArchiveProblem.ts"
import type { Failure } from "../Failure.ts"

/** The name under which the command is installed. */
export const commandName = "effect-elastic-extensions"

/** The options that let an archive pass in spite of its errors. */
export const allowing = (problems: ReadonlyArray<Problem>): string =>
  [...new Set(problems.map(({ code }) => `--allow ${code}`))].join(" ")

export const remedyFor = (failure: Failure): string | undefined => {
  switch (failure._tag) {
    case "InvalidArchive":
      return `To upload it in spite of that: ${allowing(failure.problems)}`
    case "InvalidConfiguration":
      return failure.problems.some(({ name }) => name === "EC_API_KEY")
        ? "Keys are made at https://cloud.elastic.co/account/keys. Then: export EC_API_KEY=… (or --api-key-file <path>)."
        : `${commandName} <command> --help shows every option with its variable.`
    case "UsageError":
      return `${[commandName, failure.command ?? "", "--help"].filter((word) => word !== "").join(" ")} shows how it is used.`
    case "UploadConflict":
      return "To put yours over theirs: --on-conflict overwrite"
    case "ExtensionProtected":
      return "To replace it all the same, leave out --protect-in-use (EC_UPLOAD_PROTECT_IN_USE)."
    case "ResumptionUnsupported":
      return "To upload without resumption where it is not offered: --resumable auto"
    case "ExtensionNotFound":
      return `To see which extensions there are: ${commandName} list`
    default:
      return undefined
  }
}
