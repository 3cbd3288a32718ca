/**
 * `list`: the extensions there are.
 *
 * @since 0.1.0
 */
import * as Command from "@effect/cli/Command"
import * as Options from "@effect/cli/Options"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { ExtensionsClient } from "../../cloud/ExtensionsClient.ts"
import { printable } from "../internal/extensions/printable.ts"
import * as requests from "../internal/extensions/requests.ts"
import { ExtensionView, headings, rowOf, viewOf } from "../internal/extensions/view.ts"
import { framed } from "../internal/frame.ts"
import { table } from "../internal/layout.ts"
import * as options from "../internal/options.ts"
import { Output } from "../internal/output.ts"

const Listed = Schema.TaggedStruct("Extensions", { extensions: Schema.Array(ExtensionView) })

/**
 * @since 0.1.0
 * @category commands
 */
export const list = Command.make(
  "list",
  {
    type: Options.choice("type", ["plugin", "bundle"]).pipe(
      Options.withPseudoName("plugin|bundle"),
      Options.withDescription("Only those of this type."),
      Options.optional
    ),
    output: options.output,
    settings: options.connection
  },
  ({ type }) =>
    Effect.gen(function* () {
      const client = yield* ExtensionsClient
      const output = yield* Output
      const all = yield* requests.persistently(client.list)
      const extensions = all
        .map(viewOf)
        .filter((extension) =>
          Option.match(type, { onNone: () => true, onSome: (t) => t === extension.type })
        )
      yield* output.result({
        schema: Listed,
        value: Listed.make({ extensions }),
        lines: table(headings, extensions.map(rowOf), "There are no extensions."),
        quietLines: extensions.map(({ id }) => printable(id))
      })
    }).pipe(Effect.provide(requests.client))
).pipe(
  framed({
    summary: "List the extensions that the API key can see.",
    details: ["With --quiet their ids alone, one a line."],
    examples: [
      ["list", "Which extensions are there?"],
      ["list --type plugin", "Which plugins?"],
      ["list --json | jq -r '.extensions[] | [.id, .name] | @tsv'", "Ids and names for a script."]
    ]
  })
)
