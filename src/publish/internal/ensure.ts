/** Finding the one extension that a name and type mean, or creating it, never twice; and keeping its metadata right. */
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import {
  type CreateExtensionRequest,
  type Extension,
  type ExtensionType,
  type UpdateExtensionRequest,
  updateRequest
} from "../../cloud/Extension.ts"
import type { ExtensionId } from "../../cloud/ExtensionId.ts"
import { ExtensionsClient } from "../../cloud/ExtensionsClient.ts"
import type { ExtensionsError } from "../../cloud/ExtensionsError.ts"
import type { Phase, TransferError } from "../../transfer/TransferError.ts"
import { requireReplaceable } from "../../upload/Deployments.ts"
import * as StoredArchive from "../../upload/StoredArchive.ts"
import { isOutcomeOpen } from "../../upload/UploadError.ts"
import { retrying } from "../../upload/UploadEvent.ts"
import { UploadSettings } from "../../upload/UploadSettings.ts"
import { watch } from "../../upload/Watch.ts"
import { AmbiguousExtension, NameTaken } from "../PublishError.ts"
import { emit } from "../PublishEvent.ts"
import { ExtensionPlan } from "../PublishPlan.ts"
import type { MetadataField } from "../PublishReceipt.ts"

/** How the extension is to be. A description that is not given may be anything. */
export interface Wanted {
  readonly name: string
  readonly type: ExtensionType
  readonly version: string
  readonly description?: string | undefined
}

export const createRequest = ({ description, name, type, version }: Wanted): CreateExtensionRequest => ({
  name,
  version,
  type,
  ...(description === undefined ? {} : { description })
})

/** What has to be done for the extension. */
export const decideExtension = Effect.fnUntraced(function* (wanted: Wanted) {
  const { namesakes, own } = yield* look(wanted)
  if (Option.isNone(own)) return ExtensionPlan.Create({ request: createRequest(wanted), namesakes })
  const extension = own.value
  const fields = fieldsOf(differences(extension, wanted))
  return fields.length === 0 ? ExtensionPlan.Keep({ extension }) : ExtensionPlan.Update({ extension, fields })
})

/** The extension of this name and type, and those that only have the name. */
const look = Effect.fnUntraced(function* ({ name, type }: Pick<Wanted, "name" | "type">) {
  const client = yield* ExtensionsClient
  const sameName = (yield* client.list).filter((extension) => extension.name === name)
  const own = sameName.filter((extension) => extension.type === type)
  const namesakes = sameName.filter((extension) => extension.type !== type)
  if (own.length > 1) return yield* ambiguous({ name, type }, own)
  return { own: Option.fromNullable(own[0]), namesakes }
})

const ambiguous = (wanted: Pick<Wanted, "name" | "type">, own: ReadonlyArray<Extension>) =>
  new AmbiguousExtension({
    ...wanted,
    ids: own.map(({ id }) => id),
    emptyIds: own.filter(({ fileMetadata }) => Option.isNone(fileMetadata)).map(({ id }) => id)
  })

/** The API gives a new extension any id, so asking it again would make another one: every attempt looks first. */
export const findOrCreate = Effect.fnUntraced(function* (wanted: Wanted) {
  const found = yield* retrying(findOrCreateOnce(wanted))
  const { id: extensionId } = found.extension
  yield* emit({ _tag: found.created ? "ExtensionCreated" : "ExtensionFound", extensionId })
  return found
})

const findOrCreateOnce = Effect.fnUntraced(function* (wanted: Wanted) {
  const plan = yield* decideExtension(wanted)
  return plan._tag === "Create"
    ? { extension: yield* create(plan, wanted), created: true }
    : { extension: plan.extension, created: false }
})

/**
 * Without a download URL, even where there is one: creating then is done in a moment, and an answer that is lost was not
 * lost in the middle of a long download.
 */
const create = Effect.fnUntraced(function* (
  { namesakes, request }: Extract<ExtensionPlan, { _tag: "Create" }>,
  wanted: Wanted
) {
  const client = yield* ExtensionsClient
  const created = yield* Effect.either(client.create(request))
  if (Either.isLeft(created)) {
    return isSmallRequestOpen(created.left)
      ? yield* awaitCreated(wanted, created.left)
      : yield* explain(wanted, namesakes, created.left)
  }
  // Two machines may both have looked before either created: better both learn it now than fill two extensions.
  yield* retrying(look(wanted))
  return created.right.extension
})

/** After a lost answer the server is watched for a while, before its silence counts as "not created". */
const awaitCreated = Effect.fnUntraced(function* (wanted: Wanted, lost: ExtensionsError | TransferError) {
  const { reconcileWindow } = yield* UploadSettings
  yield* emit({ _tag: "ReconciliationStarted", reason: lost._tag, message: lost.message })
  const found = yield* watch(
    Effect.map(retrying(look(wanted)), ({ own }) => own),
    { window: reconcileWindow, isSettled: Option.isSome }
  )
  yield* emit({ _tag: "Reconciled", outcome: Option.isSome(found) ? "Applied" : "NotApplied" })
  return yield* Option.match(found, { onNone: () => Effect.fail(lost), onSome: Effect.succeed })
})

/** Nothing documents whether names are unique across types, so a refusal is explained by a namesake, not foreseen. */
const explain = (
  { name, type }: Wanted,
  [other]: ReadonlyArray<Extension>,
  error: ExtensionsError | TransferError
) =>
  other !== undefined && refusals.has(error._tag)
    ? new NameTaken({ name, type, takenBy: other.id, refusal: `${error._tag}: ${error.message}` })
    : error

const refusals: ReadonlySet<string> = new Set(["RequestExecutionFailed", "Conflict", "UnexpectedResponse"])

const beforeSending: ReadonlySet<Phase> = new Set([
  "resolving",
  "connecting",
  "securing",
  "awaiting-continue"
])

/** Whether a request without a file may have taken effect: so small a one is sent as soon as it is begun. */
export const isSmallRequestOpen = (error: ExtensionsError | TransferError): boolean =>
  isOutcomeOpen(error, !("phase" in error && beforeSending.has(error.phase)))

/** The service tells an empty description and none at all apart as little as its users do. */
export const differences = (
  current: Extension,
  { description, version }: Wanted
): Partial<Pick<UpdateExtensionRequest, "version" | "description">> => ({
  ...(version === current.version ? {} : { version }),
  ...(description === undefined || description === Option.getOrElse(current.description, () => "")
    ? {}
    : { description })
})

export const fieldsOf = (changes: Partial<Record<MetadataField, string>>): ReadonlyArray<MetadataField> =>
  (["version", "description", "downloadUrl"] as const).filter((field) => changes[field] !== undefined)

/** What an update has to change, on what is there now. Refuses a new version where deployments use a protected one. */
export const decideUpdate = Effect.fnUntraced(function* (extensionId: ExtensionId, wanted: Wanted) {
  const { extension } = yield* StoredArchive.readExtension(extensionId)
  const changes = differences(extension, wanted)
  const { protectInUse } = yield* UploadSettings
  if (protectInUse && changes.version !== undefined) yield* requireReplaceable(extension)
  return { extension, changes }
})

/** Sends nothing when nothing differs. Returns the fields that did. */
export const updateMetadata = Effect.fnUntraced(function* (current: Extension, wanted: Wanted) {
  const fields = fieldsOf(differences(current, wanted))
  if (fields.length === 0) return fields
  yield* retrying(updateOnce(current.id, wanted))
  yield* emit({ _tag: "MetadataUpdated", extensionId: current.id, fields })
  return fields
})

/** An update replaces all metadata, so each attempt starts from what is there now; a lost one may show to be done. */
const updateOnce = Effect.fnUntraced(function* (extensionId: ExtensionId, wanted: Wanted) {
  const { changes, extension } = yield* decideUpdate(extensionId, wanted)
  if (fieldsOf(changes).length === 0) return
  const client = yield* ExtensionsClient
  yield* client.update(extensionId, updateRequest(extension, changes))
})
