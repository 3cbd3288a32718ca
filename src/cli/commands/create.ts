/**
 * `create`: a new extension, which has no archive yet unless the service can fetch one.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import { CreateExtensionRequest } from "../../cloud/Extension.ts"
import { ExtensionsClient } from "../../cloud/ExtensionsClient.ts"
import { printable } from "../../outsideText.ts"
import type { Run } from "../internal/command.ts"
import type * as definitions from "../internal/definitions.ts"
import * as Extensions from "../internal/extensions.ts"
import { Output } from "../internal/output.ts"
import * as Results from "../internal/results.ts"
import { commandName } from "../internal/text.ts"

/**
 * @since 0.1.0
 * @category commands
 */
export const run: Run<typeof definitions.create> = ({
  description,
  downloadUrl,
  dryRun,
  name,
  type,
  version
}) =>
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
