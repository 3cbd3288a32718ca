/** Bringing an extension's metadata up to date, and leaving alone what is right already. */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { type Extension, type UpdateExtensionRequest, updateRequest } from "../../cloud/Extension.ts"
import { requireFree } from "../../upload/internal/inUse.ts"
import { persistently } from "../../upload/internal/run.ts"
import type { MetadataField } from "../PublishReceipt.ts"
import type { Target, Wanted } from "./setup.ts"

/** The service tells an empty description and none at all apart as little as its users do. @internal */
export const differences = (
  current: Extension,
  { description, version }: Wanted
): Partial<Pick<UpdateExtensionRequest, "version" | "description">> => ({
  ...(version === current.version ? {} : { version }),
  ...(description === undefined || description === Option.getOrElse(current.description, () => "")
    ? {}
    : { description })
})

/** @internal */
export const fieldsOf = (changes: Partial<Record<MetadataField, string>>): ReadonlyArray<MetadataField> =>
  (["version", "description", "downloadUrl"] as const).filter((field) => changes[field] !== undefined)

/** Sends nothing when nothing differs. Returns the fields that did. @internal */
export const updateMetadata = (target: Target, current: Extension) =>
  Effect.gen(function* () {
    const { extensionId } = target
    const fields = fieldsOf(differences(current, target.wanted))
    if (fields.length === 0) return fields
    yield* persistently(target)(updateOnce(target))
    yield* target.emit({ _tag: "MetadataUpdated", extensionId, fields })
    return fields
  })

/** An update replaces all metadata, so each attempt starts from what is there now; a lost one may show to be done. */
const updateOnce = (target: Target) =>
  Effect.gen(function* () {
    const { client, extensionId, settings } = target
    const { extension } = yield* client.get(extensionId, { includeDeployments: true })
    const changes = differences(extension, target.wanted)
    if (fieldsOf(changes).length === 0) return
    if (settings.protectInUse && changes.version !== undefined) yield* requireFree(target, extension)
    yield* client.update(extensionId, updateRequest(extension, changes))
  })
