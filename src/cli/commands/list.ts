/**
 * `list`: the extensions there are.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { ExtensionsClient } from "../../cloud/ExtensionsClient.ts"
import { printable } from "../../outsideText.ts"
import * as Command from "../internal/command.ts"
import * as Extensions from "../internal/extensions.ts"
import { Output } from "../internal/output.ts"
import * as Parameters from "../internal/parameters.ts"
import * as Results from "../internal/results.ts"
import { bytes, table } from "../internal/text.ts"
import * as Variables from "../internal/variables.ts"

/**
 * @since 0.1.0
 * @category commands
 */
export const list = Command.define({
  name: "list",
  summary: "List the extensions that the API key can see.",
  details: ["With --quiet their ids alone, one per line."],
  examples: [
    ["list", "Which extensions are there?"],
    ["list --type plugin", "Which plugins?"],
    ["list --json | jq -r '.extensions[] | [.id, .name] | @tsv'", "Ids and names for a script."]
  ],
  takes: { type: Parameters.optional(Parameters.extensionType("Only those of this type.")) },
  variables: Variables.reading,
  run: ({ type }) =>
    Effect.gen(function* () {
      const client = yield* ExtensionsClient
      const output = yield* Output
      const all = yield* Extensions.persistently(client.list)
      const extensions = all
        .map(Extensions.viewOf)
        .filter((extension) => Option.isNone(type) || type.value === extension.type)
      yield* output.result({
        schema: Results.Listed,
        value: Results.Listed.make({ extensions }),
        lines: table(headings, extensions.map(rowOf), "There are no extensions."),
        quietLines: extensions.map(({ id }) => printable(id))
      })
    }).pipe(Effect.provide(Extensions.layerClient))
})

const headings = ["ID", "NAME", "TYPE", "VERSION", "SIZE", "MODIFIED"] as const

const rowOf = (extension: Results.ExtensionView): ReadonlyArray<string> => [
  printable(extension.id),
  printable(extension.name),
  extension.type,
  printable(extension.version),
  extension.size === null ? "no file" : bytes(extension.size),
  Extensions.instant(extension.modified)
]
