/**
 * `show <id>`: everything known about one extension.
 *
 * @since 0.1.0
 */
import * as Command from "@effect/cli/Command"
import * as Options from "@effect/cli/Options"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { ExtensionsClient } from "../../cloud/ExtensionsClient.ts"
import * as arguments_ from "../internal/arguments.ts"
import { printable } from "../internal/extensions/printable.ts"
import * as requests from "../internal/extensions/requests.ts"
import { ExtensionView, factsOf, ResourceView, resourceOf, viewOf } from "../internal/extensions/view.ts"
import { framed } from "../internal/frame.ts"
import { facts } from "../internal/layout.ts"
import * as options from "../internal/options.ts"
import { Output } from "../internal/output.ts"

const Shown = Schema.TaggedStruct("Extension", { extension: ExtensionView, resource: ResourceView })

/**
 * @since 0.1.0
 * @category commands
 */
export const show = Command.make(
  "show",
  {
    id: arguments_.extensionId,
    deployments: Options.boolean("deployments").pipe(
      Options.withDescription("Also the ids of the deployments that use it.")
    ),
    output: options.output,
    settings: options.connection
  },
  (input) =>
    Effect.gen(function* () {
      const client = yield* ExtensionsClient
      const output = yield* Output
      const id = yield* requests.requireId(input.id, "show")
      const found = yield* requests.persistently(client.get(id, { includeDeployments: input.deployments }))
      const extension = viewOf(found.extension)
      const resource = resourceOf(found.resource)
      yield* output.result({
        schema: Shown,
        value: Shown.make({ extension, resource }),
        lines: [output.style.bold(printable(extension.name)), ...facts(factsOf(extension, resource))]
      })
    }).pipe(Effect.provide(requests.client))
).pipe(
  framed({
    summary: "Show everything known about one extension.",
    details: ["With --quiet nothing is printed: the exit code tells whether it exists (0) or not (4)."],
    examples: [
      ["show 882519870", "What is it, and when was it last changed?"],
      ["show 882519870 --deployments", "Who uses it?"],
      ["show 882519870 --json | jq .extension.size", "How large is its archive?"]
    ]
  })
)
