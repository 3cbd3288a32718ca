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
import type { Run } from "../internal/command.ts"
import type * as definitions from "../internal/definitions.ts"
import * as Extensions from "../internal/extensions.ts"
import { Output } from "../internal/output.ts"
import * as Results from "../internal/results.ts"
import { bytes, type Fact, facts } from "../internal/text.ts"

/**
 * @since 0.1.0
 * @category commands
 */
export const run: Run<typeof definitions.show> = ({ deployments, extension: named, ofType }) =>
  Effect.gen(function* () {
    const client = yield* ExtensionsClient
    const output = yield* Output
    const extensionId = yield* Extensions.meant(named, ofType, "show")
    const found = yield* Extensions.persistently(client.get(extensionId, { includeDeployments: deployments }))
    const extension = Extensions.viewOf(found.extension)
    const resource = resourceOf(found.resource)
    yield* output.result({
      schema: Results.Shown,
      value: Results.Shown.make({ extension, resource }),
      lines: [output.style.bold(printable(extension.name)), ...facts(factsOf({ extension, resource }))]
    })
  }).pipe(Effect.provide(Extensions.layerClient))

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
