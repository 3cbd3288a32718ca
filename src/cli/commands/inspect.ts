/**
 * `inspect <archive>`: what an archive is, and whether Elastic Cloud can use it.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Archive from "../../archive/Archive.ts"
import * as ArchiveInspection from "../../archive/ArchiveInspection.ts"
import * as ArchiveProblem from "../../archive/ArchiveProblem.ts"
import type { ExtensionType } from "../../cloud/Extension.ts"
import { printable } from "../../outsideText.ts"
import { exitCodes } from "../ExitCode.ts"
import type { Run } from "../internal/command.ts"
import type * as definitions from "../internal/definitions.ts"
import { allowing, Exited, Output } from "../internal/output.ts"
import * as Results from "../internal/results.ts"
import type { Style } from "../internal/style.ts"
import { bytes, facts, indent, plural, wrap } from "../internal/text.ts"

/**
 * @since 0.1.0
 * @category commands
 */
export const run: Run<typeof definitions.inspect> = Effect.fnUntraced(function* ({
  archive,
  deep,
  esVersion,
  type
}) {
  const output = yield* Output
  const inspected = yield* ArchiveInspection.inspect(Archive.file(archive), deep ? { content: true } : {})
  const inspection = expecting(inspected, type, esVersion)
  const isUsable = inspection.errors.length === 0
  yield* output.result({
    schema: Results.Inspected,
    value: { _tag: "ArchiveInspection", ...inspection, isUsable },
    lines: describe(inspection, output),
    quietLines: problemLines(inspection.problems, output)
  })
  if (!isUsable) return yield* new Exited({ code: exitCodes.archiveRefused })
})

const expecting = (
  inspection: ArchiveInspection.ArchiveInspection,
  type: Option.Option<ExtensionType>,
  version: Option.Option<string>
): ArchiveInspection.ArchiveInspection =>
  Option.isNone(type) && Option.isNone(version)
    ? inspection
    : ArchiveInspection.against(inspection, {
        type: Option.getOrElse(type, () => (inspection.type === "bundle" ? "bundle" : "plugin")),
        version: Option.getOrUndefined(version)
      })

const names = {
  "plugin-classic": "plugin",
  "plugin-stable": "plugin (stable API)",
  bundle: "bundle",
  unknown: "neither a plugin nor a bundle"
} as const

interface Screen {
  readonly style: Style
  readonly width: number
}

const describe = (inspection: ArchiveInspection.ArchiveInspection, screen: Screen): ReadonlyArray<string> => {
  const { style, width } = screen
  const { compressedBytes, descriptor, elasticsearchVersion, entryCount, errors, path, problems, size } =
    inspection
  return [
    style.bold(path),
    ...facts([
      ["type", names[inspection.type]],
      ["size", `${bytes(size)} (${plural(size, "byte")})`],
      [
        "entries",
        `${entryCount}, ${bytes(inspection.uncompressedBytes)} unpacked, ${bytes(compressedBytes)} packed`
      ],
      ["content", inspection.contentChecked ? "checked" : "not checked: add --deep"],
      ...(elasticsearchVersion === undefined
        ? []
        : [["for", `Elasticsearch ${elasticsearchVersion}`] as const]),
      ...["name", "version", "classname"].flatMap((key) =>
        descriptor[key] === undefined ? [] : [[key, printable(descriptor[key])] as const]
      )
    ]),
    ...problemLines(problems, screen),
    ...(errors.length === 0
      ? [style.green("It can be uploaded.")]
      : wrap(`It cannot be uploaded as it is. To upload it anyway: ${allowing(errors)}`, width))
  ]
}

const problemLines = (
  problems: ReadonlyArray<ArchiveProblem.Problem>,
  { style, width }: Screen
): ReadonlyArray<string> =>
  problems.flatMap((problem) => [
    `${problem.severity === "error" ? style.red("error") : style.yellow("warning")} ${problem.code}`,
    ...indent(wrap(printable(ArchiveProblem.describe(problem)), width - 2), 2)
  ])
