/**
 * `show <extension>`: everything known about one extension.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { ResourceHeaders } from "../../cloud/Extension.ts"
import { ExtensionsClient } from "../../cloud/ExtensionsClient.ts"
import { printable } from "../../outsideText.ts"
import * as Command from "../internal/command.ts"
import * as Extensions from "../internal/extensions.ts"
import { Output } from "../internal/output.ts"
import * as Parameters from "../internal/parameters.ts"
import * as Results from "../internal/results.ts"
import { bytes, type Fact, facts } from "../internal/text.ts"
import * as Variables from "../internal/variables.ts"

/**
 * @since 0.1.0
 * @category commands
 */
export const show = Command.define({
  name: "show",
  summary: "Show everything known about one extension.",
  details: ["With --quiet nothing is printed: the exit code tells whether it exists (0) or not (4)."],
  examples: [
    ["show 882519870", "What is it, and when was it last changed?"],
    ["show analysis-acme --type plugin", "The same by its name."],
    ["show 882519870 --deployments", "Which deployments use it?"],
    ["show 882519870 --json | jq .extension.size", "How large is its archive?"]
  ],
  takes: {
    extension: Parameters.extension,
    ofType: Parameters.typeOfNamed,
    deployments: Parameters.flag("deployments", "Show the ids of the deployments that use it, too.")
  },
  variables: Variables.reading,
  run: ({ deployments, extension: named, ofType }) =>
    Effect.gen(function* () {
      const client = yield* ExtensionsClient
      const output = yield* Output
      const extensionId = yield* Extensions.meant(named, ofType, "show")
      const found = yield* Extensions.persistently(
        client.get(extensionId, { includeDeployments: deployments })
      )
      const extension = Extensions.viewOf(found.extension)
      const resource = resourceOf(found.resource)
      yield* output.result({
        schema: Results.Shown,
        value: Results.Shown.make({ extension, resource }),
        lines: [output.style.bold(printable(extension.name)), ...facts(factsOf({ extension, resource }))]
      })
    }).pipe(Effect.provide(Extensions.layerClient))
})

const resourceOf = (resource: ResourceHeaders): typeof Results.ResourceView.Type => ({
  version: Option.getOrNull(resource.version),
  created: Option.getOrNull(resource.created),
  lastModified: Option.getOrNull(resource.lastModified)
})

const factsOf = ({
  extension,
  resource
}: Pick<typeof Results.Shown.Type, "extension" | "resource">): ReadonlyArray<Fact> => [
  ["id", printable(extension.id)],
  ["type", extension.type],
  ["version", printable(extension.version)],
  ["description", printable(extension.description ?? Extensions.absent)],
  ["file", extension.size === null ? "none" : `${bytes(extension.size)} (${extension.size} bytes)`],
  ["uploaded", Extensions.instant(extension.modified)],
  ["plan url", printable(extension.url ?? Extensions.absent)],
  ...(extension.downloadUrl === null ? [] : [["download url", printable(extension.downloadUrl)] as const]),
  ["created", Extensions.instant(resource.created)],
  ["changed", Extensions.instant(resource.lastModified)],
  ["revision", printable(resource.version ?? Extensions.absent)],
  ...(extension.deployments === null
    ? []
    : [["used by", extension.deployments.map(printable).join(", ") || "no deployment"] as const])
]
