/**
 * `create`: a new extension, which has no archive yet unless the service can fetch one.
 *
 * @since 0.1.0
 */
import * as Command from "@effect/cli/Command"
import * as Options from "@effect/cli/Options"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { CreateExtensionRequest } from "../../cloud/Extension.ts"
import { ExtensionsClient } from "../../cloud/ExtensionsClient.ts"
import * as metadata from "../internal/extensions/metadata.ts"
import { printable } from "../internal/extensions/printable.ts"
import * as requests from "../internal/extensions/requests.ts"
import { ExtensionView, viewOf } from "../internal/extensions/view.ts"
import { framed } from "../internal/frame.ts"
import * as options from "../internal/options.ts"
import { Output } from "../internal/output.ts"
import { commandName } from "../internal/remedy.ts"

const Created = Schema.TaggedStruct("ExtensionCreated", { extension: ExtensionView })

const WouldCreate = Schema.TaggedStruct("WouldCreateExtension", { request: metadata.RequestView })

/**
 * @since 0.1.0
 * @category commands
 */
export const create = Command.make(
  "create",
  {
    name: metadata.name,
    type: Options.choice("type", ["plugin", "bundle"]).pipe(
      Options.withPseudoName("plugin|bundle"),
      Options.withDescription("A plugin adds code to Elasticsearch, a bundle adds files.")
    ),
    version: metadata.version,
    description: Options.optional(metadata.description),
    downloadUrl: Options.optional(metadata.downloadUrl),
    dryRun: options.dryRun,
    output: options.output,
    settings: options.connection
  },
  (input) =>
    Effect.gen(function* () {
      const request: CreateExtensionRequest = {
        name: input.name,
        version: input.version,
        type: input.type,
        ...metadata.given({ description: input.description, downloadUrl: input.downloadUrl })
      }
      yield* requests.check("create", CreateExtensionRequest, request)
      yield* noteNamesakes(request)
      yield* input.dryRun ? announce(request) : perform(request)
    }).pipe(Effect.provide(requests.client))
).pipe(
  framed({
    summary: "Create an extension, to upload an archive to later.",
    details: [
      "Names need not be unique, so creating twice makes two extensions. publish finds an extension by its name instead, and creates it only if there is none."
    ],
    examples: [
      [
        "create --name hunspell-en --type bundle --version '*'",
        "A bundle for every version of Elasticsearch."
      ],
      ["create --name analysis-acme --type plugin --version 8.17.0", "A plugin, which fits one version."],
      ["create --name words --type bundle --version '8.*' --dry-run", "Would that be accepted?"]
    ]
  })
)

const noteNamesakes = ({ type, name }: CreateExtensionRequest) =>
  Effect.gen(function* () {
    const client = yield* ExtensionsClient
    const output = yield* Output
    const extensions = yield* requests.persistently(client.list)
    const namesakes = extensions.filter((extension) => extension.name === name && extension.type === type)
    yield* Effect.forEach(namesakes, ({ id }) =>
      output.note(`There is a ${type} of this name already, with the id ${printable(id)}.`)
    )
  })

const announce = (request: CreateExtensionRequest) =>
  Effect.flatMap(Output, (output) =>
    output.result({
      schema: WouldCreate,
      value: WouldCreate.make({ request: metadata.requestView(request) }),
      lines: [`Would create the ${request.type} ${request.name}, version ${request.version}.`]
    })
  )

/** Sent once: an answer that was lost could stand for an extension that was created. */
const perform = (request: CreateExtensionRequest) =>
  Effect.gen(function* () {
    const client = yield* ExtensionsClient
    const output = yield* Output
    const extension = viewOf((yield* client.create(request)).extension)
    const id = printable(extension.id)
    yield* output.result({
      schema: Created,
      value: Created.make({ extension }),
      lines: [
        `Created the ${extension.type} ${printable(extension.name)} with the id ${output.style.bold(id)}.`,
        ...(request.downloadUrl === undefined
          ? [`To upload its archive: ${commandName} upload ${id} <archive>`]
          : [])
      ],
      quietLines: [id]
    })
  })
