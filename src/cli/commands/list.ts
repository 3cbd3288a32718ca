/**
 * `list`: the extensions there are.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { ExtensionsClient } from "../../cloud/ExtensionsClient.ts"
import { printable } from "../../outsideText.ts"
import type { Run } from "../internal/command.ts"
import type * as definitions from "../internal/definitions.ts"
import * as Extensions from "../internal/extensions.ts"
import { Output } from "../internal/output.ts"
import * as Results from "../internal/results.ts"
import { bytes, table } from "../internal/text.ts"

/**
 * @since 0.1.0
 * @category commands
 */
export const run: Run<typeof definitions.list> = ({ type }) =>
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

const headings = ["ID", "NAME", "TYPE", "VERSION", "SIZE", "MODIFIED"] as const

const rowOf = (extension: Results.ExtensionView): ReadonlyArray<string> => [
  printable(extension.id),
  printable(extension.name),
  extension.type,
  printable(extension.version),
  extension.size === null ? "no file" : bytes(extension.size),
  Extensions.instant(extension.modified)
]
