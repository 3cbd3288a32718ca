/** Finding the one extension that a name and type mean, or creating it, never twice; and keeping its metadata right. */
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import {
  type CreateExtensionRequest,
  type Extension,
  type ExtensionType,
  type UpdateExtensionRequest,
  updateRequest,
  type VersionedExtension
} from "../../cloud/Extension.ts"
import type { ExtensionId } from "../../cloud/ExtensionId.ts"
import { ExtensionsClient } from "../../cloud/ExtensionsClient.ts"
import type { ExtensionsError } from "../../cloud/ExtensionsError.ts"
import type * as RetryPolicy from "../../transfer/RetryPolicy.ts"
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

/**
 * The API gives a new extension any id, so asking it again would make another one: every attempt looks first. What fails
 * in `beforeCreation` leaves no extension behind.
 */
export const findOrCreate = Effect.fnUntraced(function* <E extends Failure, R>(
  wanted: Wanted,
  beforeCreation: Effect.Effect<void, E, R>
) {
  const found = yield* retrying(findOrCreateOnce(wanted, beforeCreation))
  const { id: extensionId } = found.extension
  yield* emit({ _tag: found.created ? "ExtensionCreated" : "ExtensionFound", extensionId })
  return found
})

const findOrCreateOnce = Effect.fnUntraced(function* <E extends Failure, R>(
  wanted: Wanted,
  beforeCreation: Effect.Effect<void, E, R>
) {
  const plan = yield* decideExtension(wanted)
  if (plan._tag !== "Create") return { extension: plan.extension, created: false }
  yield* beforeCreation
  return { extension: yield* create(plan, wanted), created: true }
})

/** What the retry policy reads of an error, and tells. */
export type Failure = RetryPolicy.Retryable & { readonly _tag: string; readonly message: string }

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

/** What an update is to make of an extension, apart from its archive. */
export interface Aim {
  readonly changesOf: (current: Extension) => Partial<Pick<UpdateExtensionRequest, "version" | "description">>
  /** Whether a download URL that is noted there has done its work, and is not to stay. */
  readonly isSpent: (noted: string) => boolean
}

/** The metadata as it is wanted; a download URL that is noted is nobody's business. */
export const metadataOf = (wanted: Wanted): Aim => ({
  changesOf: (current) => differences(current, wanted),
  isSpent: () => false
})

const remaining = (current: Extension, { changesOf, isSpent }: Aim) => {
  const changes = changesOf(current)
  const hasSpentUrl = Option.exists(current.downloadUrl, isSpent)
  const fields = [...fieldsOf(changes), ...(hasSpentUrl ? (["downloadUrl"] as const) : [])]
  return { changes, fields }
}

/** What an update has to change, on what is there now. Refuses a new version where deployments use a protected one. */
export const decideUpdate = Effect.fnUntraced(function* (extensionId: ExtensionId, aim: Aim) {
  const versioned = yield* StoredArchive.readExtension(extensionId)
  const { changes, fields } = remaining(versioned.extension, aim)
  const { protectInUse } = yield* UploadSettings
  if (protectInUse && changes.version !== undefined) yield* requireReplaceable(versioned.extension)
  return { versioned, changes, fields }
})

/** Sends nothing when nothing differs. Returns the fields that did, and what became of the extension. */
export const update = Effect.fnUntraced(function* (current: Extension, aim: Aim) {
  const { fields } = remaining(current, aim)
  if (fields.length === 0) return { fields, after: Option.none<VersionedExtension>() }
  const after = yield* retrying(updateOnce(current.id, aim))
  yield* emit({ _tag: "MetadataUpdated", extensionId: current.id, fields })
  if (Option.exists(after.extension.downloadUrl, aim.isSpent)) yield* warnOfKeptUrl(current.id)
  return { fields, after: Option.some(after) }
})

/**
 * An update replaces all metadata, so each attempt starts from what is there now; a lost one may show to be done. It names
 * no download URL, which takes away the one that was noted and leaves the archive as it is.
 */
const updateOnce = Effect.fnUntraced(function* (extensionId: ExtensionId, aim: Aim) {
  const { changes, fields, versioned } = yield* decideUpdate(extensionId, aim)
  if (fields.length === 0) return versioned
  const client = yield* ExtensionsClient
  return yield* client.update(extensionId, updateRequest(versioned.extension, changes))
})

/** That leaving a URL out takes it away is documented nowhere. */
const warnOfKeptUrl = (extensionId: ExtensionId) =>
  emit({
    _tag: "Warning",
    code: "DownloadUrlKept",
    message: `The service still notes the download URL of extension ${extensionId}, with the credentials in it: whoever can read the extension can use it until they expire.`
  })
