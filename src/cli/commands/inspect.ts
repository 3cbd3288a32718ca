/**
 * `inspect <archive>`: what an archive is, and what would keep Elastic Cloud from taking it.
 *
 * @since 0.1.0
 */
import * as Command from "@effect/cli/Command"
import * as Options from "@effect/cli/Options"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Archive from "../../archive/Archive.ts"
import * as ArchiveInspection from "../../archive/ArchiveInspection.ts"
import type { Problem } from "../../archive/ArchiveProblem.ts"
import { exitCodes } from "../ExitCode.ts"
import * as arguments_ from "../internal/arguments.ts"
import { printable } from "../internal/extensions/printable.ts"
import * as format from "../internal/format.ts"
import { Exited, framed } from "../internal/frame.ts"
import { facts, indent, wrap } from "../internal/layout.ts"
import * as options from "../internal/options.ts"
import { Output } from "../internal/output.ts"
import { allowing } from "../internal/remedy.ts"
import * as Settings from "../internal/settings.ts"
import type { Style } from "../internal/style.ts"

const Inspected = Schema.TaggedStruct("ArchiveInspection", {
  ...ArchiveInspection.ArchiveInspection.fields,
  /** Whether an upload would take it without `--allow`. */
  isUsable: Schema.Boolean
})

/**
 * @since 0.1.0
 * @category commands
 */
export const inspect = Command.make(
  "inspect",
  {
    archive: arguments_.archive,
    type: Options.choice("type", ["plugin", "bundle"]).pipe(
      Options.withPseudoName("plugin|bundle"),
      Options.withDescription("Check that it is one of these."),
      Options.optional
    ),
    esVersion: Options.text("es-version").pipe(
      Options.withPseudoName("version"),
      Options.withDescription("Check that a plugin is built for this version of Elasticsearch."),
      Options.optional
    ),
    output: options.output,
    settings: Settings.none
  },
  ({ archive, esVersion, type }) =>
    Effect.gen(function* () {
      const output = yield* Output
      const inspection = expecting(yield* ArchiveInspection.inspect(Archive.file(archive)), type, esVersion)
      const isUsable = inspection.errors.length === 0
      const value: typeof Inspected.Type = { _tag: "ArchiveInspection", ...inspection, isUsable }
      yield* output.result({
        schema: Inspected,
        value,
        lines: describe(inspection, output.style),
        quietLines: problemLines(inspection.problems, output.style)
      })
      if (!isUsable) yield* new Exited({ code: exitCodes.archiveRefused })
    })
).pipe(
  framed({
    summary: "Look into an archive: what it is, and what would keep Elastic Cloud from taking it.",
    details: ["Reads the file only; no key is needed and nothing is sent. Exits 5 when it finds errors."],
    examples: [
      ["inspect dist/acme.zip", "What is in it?"],
      ["inspect dist/acme.zip --type plugin --es-version 8.15.3", "Is it a plugin for that version?"],
      ["inspect dist/acme.zip --json", "The same for a program to read."]
    ]
  })
)

const expecting = (
  inspection: ArchiveInspection.ArchiveInspection,
  type: Option.Option<"plugin" | "bundle">,
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

const describe = (inspection: ArchiveInspection.ArchiveInspection, style: Style): ReadonlyArray<string> => {
  const { compressedBytes, descriptor, elasticsearchVersion, entryCount, errors, path, problems, size } =
    inspection
  return [
    style.bold(path),
    ...facts([
      ["type", names[inspection.type]],
      ["size", `${format.bytes(size)} (${size} bytes)`],
      [
        "entries",
        `${entryCount}, ${format.bytes(inspection.uncompressedBytes)} unpacked, ${format.bytes(compressedBytes)} packed`
      ],
      ...(elasticsearchVersion === undefined
        ? []
        : [["for", `Elasticsearch ${elasticsearchVersion}`] as const]),
      ...["name", "version", "classname"].flatMap((key) =>
        descriptor[key] === undefined ? [] : [[key, printable(descriptor[key])] as const]
      )
    ]),
    ...problemLines(problems, style),
    ...(errors.length === 0
      ? [style.green("It can be uploaded.")]
      : wrap(`It cannot be uploaded as it is. To upload it in spite of that: ${allowing(errors)}`, 80))
  ]
}

const problemLines = (problems: ReadonlyArray<Problem>, style: Style): ReadonlyArray<string> =>
  problems.flatMap(({ code, message, severity }) => [
    `${severity === "error" ? style.red("error") : style.yellow("warning")} ${code}`,
    ...indent(wrap(printable(message), 78), 2)
  ])
