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
import * as Command from "../internal/command.ts"
import { allowing, Exited, Output } from "../internal/output.ts"
import * as Parameters from "../internal/parameters.ts"
import * as Results from "../internal/results.ts"
import type { Style } from "../internal/terminal.ts"
import { bytes, facts, indent, plural, wrap } from "../internal/text.ts"
import * as Variables from "../internal/variables.ts"

/**
 * @since 0.1.0
 * @category commands
 */
export const inspect = Command.define({
  name: "inspect",
  summary: "Inspect an archive: what it is, and whether Elastic Cloud can use it.",
  details: ["Reads the file only; no key is needed and nothing is sent. Exits with 5 when it finds errors."],
  examples: [
    ["inspect dist/acme.zip", "What is in it?"],
    ["inspect dist/acme.zip --type plugin --es-version 8.15.3", "Is it a plugin for that version?"],
    ["inspect dist/acme.zip --deep", "Can every entry be unpacked?"],
    ["inspect dist/acme.zip --json", "The same for a program to read."]
  ],
  takes: {
    archive: Parameters.archive,
    type: Parameters.optional(Parameters.extensionType("Check that it is one of these.")),
    esVersion: Parameters.optional(
      Parameters.text(
        "es-version",
        "version",
        "Check that a plugin is built for this version of Elasticsearch."
      )
    ),
    deep: Parameters.flag(
      "deep",
      "Unpack every entry and check its CRC-32, as an upload does. Small archives are checked so anyway."
    )
  },
  variables: Variables.none,
  run: Effect.fnUntraced(function* ({ archive, deep, esVersion, type }) {
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
