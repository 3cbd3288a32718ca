/**
 * `create`: a new extension, which has no archive yet unless the service can fetch one.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import { CreateExtensionRequest } from "../../cloud/Extension.ts"
import { ExtensionsClient } from "../../cloud/ExtensionsClient.ts"
import { printable } from "../../outsideText.ts"
import * as Command from "../internal/command.ts"
import * as Extensions from "../internal/extensions.ts"
import { Output } from "../internal/output.ts"
import * as Parameters from "../internal/parameters.ts"
import * as Results from "../internal/results.ts"
import { commandName } from "../internal/text.ts"
import * as Variables from "../internal/variables.ts"

/**
 * @since 0.1.0
 * @category commands
 */
export const create = Command.define({
  name: "create",
  summary: "Create an extension, to upload an archive to later.",
  details: [
    "Names need not be unique, so creating twice makes two extensions. publish finds an extension by its name instead, and creates it only if there is none.",
    "A download URL stays in the extension, and whoever can read the extension sees it: for one with credentials, use publish, which takes it away again."
  ],
  examples: [
    ["create --name hunspell-en --type bundle --version '*'", "A bundle for every version of Elasticsearch."],
    ["create --name analysis-acme --type plugin --version 8.17.0", "A plugin, which fits one version."],
    ["create --name words --type bundle --version '8.*' --dry-run", "Would that be accepted?"]
  ],
  takes: {
    name: Parameters.name,
    type: Parameters.pluginOrBundle,
    version: Parameters.version,
    description: Parameters.optional(Parameters.description),
    downloadUrl: Parameters.optional(Parameters.downloadUrl),
    dryRun: Parameters.dryRun
  },
  variables: Variables.reading,
  run: ({ description, downloadUrl, dryRun, name, type, version }) =>
    Effect.gen(function* () {
      const request: CreateExtensionRequest = {
        name,
        version,
        type,
        ...Extensions.onlyGiven({ description, downloadUrl })
      }
      yield* Extensions.check("create", CreateExtensionRequest, request)
      yield* noteNamesakes(request)
      yield* dryRun ? announce(request) : perform(request)
    }).pipe(Effect.provide(Extensions.layerClient))
})

const noteNamesakes = Effect.fnUntraced(function* ({ type, name }: CreateExtensionRequest) {
  const client = yield* ExtensionsClient
  const output = yield* Output
  const extensions = yield* Extensions.persistently(client.list)
  const namesakes = extensions.filter((extension) => extension.name === name && extension.type === type)
  yield* Effect.forEach(namesakes, ({ id }) =>
    output.note(`There is a ${type} of this name already, with the id ${printable(id)}.`)
  )
})

const announce = ({ description, downloadUrl, name, type, version }: CreateExtensionRequest) =>
  Effect.flatMap(Output, (output) =>
    output.result({
      schema: Results.WouldCreate,
      value: Results.WouldCreate.make({ request: { name, type, version, description, downloadUrl } }),
      lines: [`Would create the ${type} ${name}, version ${version}.`]
    })
  )

/** Sent once: an answer that was lost could stand for an extension that was created. */
const perform = Effect.fnUntraced(function* (request: CreateExtensionRequest) {
  const client = yield* ExtensionsClient
  const output = yield* Output
  const extension = Extensions.viewOf((yield* client.create(request)).extension)
  const id = printable(extension.id)
  yield* output.result({
    schema: Results.Created,
    value: Results.Created.make({ extension }),
    lines: [
      `Created the ${extension.type} ${printable(extension.name)} with the id ${output.style.bold(id)}.`,
      ...(request.downloadUrl === undefined
        ? [`To upload its archive: ${commandName} upload ${id} <archive>`]
        : [])
    ],
    quietLines: [id]
  })
})
