/**
 * `update <extension>`: changes an extension's metadata, and leaves its archive alone.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { type Extension, UpdateExtensionRequest, updateRequest } from "../../cloud/Extension.ts"
import type { ExtensionId } from "../../cloud/ExtensionId.ts"
import { ExtensionsClient } from "../../cloud/ExtensionsClient.ts"
import { printable } from "../../outsideText.ts"
import { deploymentsOf } from "../../upload/Deployments.ts"
import { UsageError } from "../Failure.ts"
import type { Run } from "../internal/command.ts"
import type * as definitions from "../internal/definitions.ts"
import * as Extensions from "../internal/extensions.ts"
import { Output } from "../internal/output.ts"
import * as Results from "../internal/results.ts"
import { indent } from "../internal/text.ts"

/**
 * @since 0.1.0
 * @category commands
 */
export const run: Run<typeof definitions.update> = ({ dryRun, extension: named, ofType, ...wanted }) =>
  Effect.gen(function* () {
    const client = yield* ExtensionsClient
    const extensionId = yield* Extensions.meant(named, ofType, "update")
    const asked = Extensions.onlyGiven(wanted)
    if (Object.keys(asked).length === 0) return yield* nothingAsked
    const { extension } = yield* Extensions.persistently(
      client.get(extensionId, { includeDeployments: true })
    )
    const changes = differences(extension, asked)
    yield* noteUse(extension, changes)
    yield* applied(extensionId, extension, changes, dryRun)
  }).pipe(Effect.provide(Extensions.layerClient))

const nothingAsked = new UsageError({
  problem:
    "There is nothing to change: give at least one of --name, --version, --description, --download-url.",
  command: "update"
})

type Changes = Partial<Extensions.Metadata>

const current = (extension: Extension): Record<keyof Changes, Option.Option<string>> => ({
  name: Option.some(extension.name),
  version: Option.some(extension.version),
  description: extension.description,
  downloadUrl: extension.downloadUrl
})

/** An empty description and none are the same. */
const differences = (extension: Extension, asked: Changes): ReadonlyArray<typeof Results.Change.Type> => {
  const now = current(extension)
  return Extensions.metadataFields.flatMap((field) => {
    const after = asked[field]
    return after === undefined || after === Option.getOrElse(now[field], () => "")
      ? []
      : [{ field, before: Option.getOrNull(now[field]), after }]
  })
}

/** Deployments find an extension by its version as well as by its address. */
const noteUse = Effect.fnUntraced(function* (
  extension: Extension,
  changes: ReadonlyArray<typeof Results.Change.Type>
) {
  const output = yield* Output
  const deployments = deploymentsOf(extension)
  if (deployments.length === 0 || changes.length === 0) return
  yield* output.note(
    `Used by ${deployments.map(printable).join(", ")}: check that the change suits ${deployments.length === 1 ? "it" : "them"}.`
  )
})

const applied = Effect.fnUntraced(function* (
  id: ExtensionId,
  extension: Extension,
  changes: ReadonlyArray<typeof Results.Change.Type>,
  dryRun: boolean
) {
  const client = yield* ExtensionsClient
  const output = yield* Output
  const report = (tag: (typeof Results.Updated.Type)["_tag"], now: Extension, what: string) =>
    output.result({
      schema: Results.Updated,
      value: { _tag: tag, extension: Extensions.viewOf(now), changes },
      lines: [`${what} ${printable(now.id)} (${printable(now.name)}).`, ...indent(changes.map(line), 2)]
    })
  if (changes.length === 0) return yield* report("ExtensionUnchanged", extension, "Nothing to change in")
  const request = updateRequest(
    extension,
    Object.fromEntries(changes.map(({ after, field }) => [field, after]))
  )
  yield* Extensions.check("update", UpdateExtensionRequest, request)
  if (dryRun) return yield* report("WouldUpdateExtension", extension, "Would update")
  yield* report("ExtensionUpdated", (yield* client.update(id, request)).extension, "Updated")
})

const line = ({ after, before, field }: typeof Results.Change.Type): string =>
  `${field}: ${before === null || before === "" ? "none" : printable(before)} → ${printable(after)}`
