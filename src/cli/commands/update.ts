/**
 * `update <id>`: changes what is said about an extension, and leaves its archive alone.
 *
 * @since 0.1.0
 */
import * as Command from "@effect/cli/Command"
import * as Options from "@effect/cli/Options"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { type Extension, UpdateExtensionRequest, updateRequest } from "../../cloud/Extension.ts"
import type { ExtensionId } from "../../cloud/ExtensionId.ts"
import { ExtensionsClient } from "../../cloud/ExtensionsClient.ts"
import { UsageError } from "../Failure.ts"
import * as arguments_ from "../internal/arguments.ts"
import * as metadata from "../internal/extensions/metadata.ts"
import { printable } from "../internal/extensions/printable.ts"
import * as requests from "../internal/extensions/requests.ts"
import { ExtensionView, viewOf } from "../internal/extensions/view.ts"
import { framed } from "../internal/frame.ts"
import { indent } from "../internal/layout.ts"
import * as options from "../internal/options.ts"
import { Output } from "../internal/output.ts"

type Changes = Partial<Omit<UpdateExtensionRequest, "type">>

const Changed = Schema.Struct({
  field: Schema.String,
  before: Schema.NullOr(Schema.String),
  after: Schema.String
})

const fields = { extension: ExtensionView, changes: Schema.Array(Changed) }
const Updated = Schema.Union(
  Schema.TaggedStruct("ExtensionUpdated", fields),
  Schema.TaggedStruct("ExtensionUnchanged", fields),
  Schema.TaggedStruct("WouldUpdateExtension", fields)
)

/**
 * @since 0.1.0
 * @category commands
 */
export const update = Command.make(
  "update",
  {
    id: arguments_.extensionId,
    name: Options.optional(metadata.name),
    version: Options.optional(metadata.version),
    description: Options.optional(metadata.description),
    downloadUrl: Options.optional(metadata.downloadUrl),
    dryRun: options.dryRun,
    output: options.output,
    settings: options.connection
  },
  (input) =>
    Effect.gen(function* () {
      const client = yield* ExtensionsClient
      const id = yield* requests.requireId(input.id, "update")
      const wanted: Changes = metadata.given(input)
      if (Object.keys(wanted).length === 0) return yield* nothingAsked
      const { extension } = yield* requests.persistently(client.get(id, { includeDeployments: true }))
      const changes = differences(extension, wanted)
      yield* noteUse(extension, changes)
      yield* applied(id, extension, changes, input.dryRun)
    }).pipe(Effect.provide(requests.client))
).pipe(
  framed({
    summary: "Change the name, version, description or download URL of an extension.",
    details: [
      "Sends only what differs, and nothing when nothing does. The archive stays, unless a download URL makes the service fetch another. The type of an extension cannot be changed."
    ],
    examples: [
      ["update 882519870 --version 8.17.1", "After a plugin was built for the next Elasticsearch."],
      ["update 882519870 --description 'Hunspell, en_US' --dry-run", "What would change?"]
    ]
  })
)

const nothingAsked = new UsageError({
  problem:
    "There is nothing to change: give at least one of --name, --version, --description, --download-url.",
  command: "update"
})

const before = (extension: Extension): Record<keyof Changes, Option.Option<string>> => ({
  name: Option.some(extension.name),
  version: Option.some(extension.version),
  description: extension.description,
  downloadUrl: extension.downloadUrl
})

const names = ["name", "version", "description", "downloadUrl"] as const

/** An empty description and none are the same. */
const differences = (extension: Extension, wanted: Changes): Changes => {
  const current = before(extension)
  return Object.fromEntries(
    names.flatMap((name) => {
      const value = wanted[name]
      return value === undefined || value === Option.getOrElse(current[name], () => "") ? [] : [[name, value]]
    })
  )
}

/** Deployments find an extension by its version as well as by its address. */
const noteUse = (extension: Extension, changes: Changes) =>
  Effect.gen(function* () {
    const output = yield* Output
    const deployments = Option.getOrElse(extension.deployments, (): ReadonlyArray<string> => [])
    if (deployments.length === 0 || Object.keys(changes).length === 0) return
    yield* output.note(`Used by ${deployments.map(printable).join(", ")}: check that they still fit.`)
  })

const applied = (id: ExtensionId, extension: Extension, changes: Changes, dryRun: boolean) =>
  Effect.gen(function* () {
    const client = yield* ExtensionsClient
    const output = yield* Output
    const changed = listed(extension, changes)
    const report = (tag: (typeof Updated.Type)["_tag"], now: Extension, what: string) =>
      output.result({
        schema: Updated,
        value: { _tag: tag, extension: viewOf(now), changes: changed },
        lines: [`${what} ${printable(now.id)} (${printable(now.name)}).`, ...indent(changed.map(line), 2)]
      })
    if (changed.length === 0) return yield* report("ExtensionUnchanged", extension, "Nothing to change in")
    const request = updateRequest(extension, changes)
    yield* requests.check("update", UpdateExtensionRequest, request)
    if (dryRun) return yield* report("WouldUpdateExtension", extension, "Would update")
    yield* report("ExtensionUpdated", (yield* client.update(id, request)).extension, "Updated")
  })

const listed = (extension: Extension, changes: Changes): ReadonlyArray<typeof Changed.Type> => {
  const current = before(extension)
  return names.flatMap((name) => {
    const after = changes[name]
    return after === undefined ? [] : [{ field: name, before: Option.getOrNull(current[name]), after }]
  })
}

const line = ({ after, before, field }: typeof Changed.Type): string =>
  `${field}: ${before === null || before === "" ? "none" : printable(before)} → ${printable(after)}`
