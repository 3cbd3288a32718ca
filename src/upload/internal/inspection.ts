/** Looking into the archive before it travels. */
import * as Effect from "effect/Effect"
import * as ArchiveInspection from "../../archive/ArchiveInspection.ts"
import type { Problem } from "../../archive/ArchiveProblem.ts"
import type { Extension } from "../../cloud/Extension.ts"
import type * as Run from "./run.ts"

/** Reads the archive's directory and tells what is in it; what is wrong with it and does not stop it is a warning. @internal */
export const inspect = (run: Pick<Run.Run, "archive" | "emit" | "settings">) =>
  Effect.gen(function* () {
    const inspection = yield* ArchiveInspection.inspect(run.archive, {
      directUploadLimitBytes: run.settings.directUploadLimitBytes
    })
    const { compressedBytes, elasticsearchVersion, entryCount, type, uncompressedBytes } = inspection
    yield* run.emit({
      _tag: "ArchiveInspected",
      type,
      ...(elasticsearchVersion === undefined ? {} : { elasticsearchVersion }),
      entryCount,
      compressedBytes,
      uncompressedBytes,
      errors: inspection.errors.length,
      warnings: inspection.warnings.length
    })
    yield* warn(run, inspection.problems)
    return inspection
  })

/** Refuses an archive with errors that nobody has allowed. @internal */
export const requireUsable = ({ inspection, settings }: Pick<Run.Run, "inspection" | "settings">) =>
  ArchiveInspection.check(inspection, { allow: settings.allow })

/** Refuses an archive that the extension, by what the service tells of it, is not meant for. @internal */
export const requireMatch = (
  run: Pick<Run.Run, "emit" | "inspection" | "settings">,
  { type, version }: Extension
) =>
  Effect.gen(function* () {
    // Of the problems it has by itself, all has been said.
    const unblemished = new ArchiveInspection.ArchiveInspection({ ...run.inspection, problems: [] })
    const inspection = ArchiveInspection.against(unblemished, { type, version })
    yield* requireUsable({ ...run, inspection })
    yield* warn(run, inspection.problems)
  })

const warn = ({ emit, settings }: Pick<Run.Run, "emit" | "settings">, problems: ReadonlyArray<Problem>) =>
  Effect.forEach(
    problems.filter((problem) => problem.severity === "warning" || settings.allow.includes(problem.code)),
    ({ code, message }) => emit({ _tag: "Warning", code: "ArchiveProblem", problem: code, message }),
    { discard: true }
  )
