/** What publishing would do, found out by reading alone. */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Archive from "../../archive/Archive.ts"
import { CreateExtensionRequest, type Extension, ExtensionType } from "../../cloud/Extension.ts"
import { ExtensionsClient } from "../../cloud/ExtensionsClient.ts"
import { differences, fieldsOf } from "../../publish/internal/metadata.ts"
import { createRequest, type Wanted } from "../../publish/internal/setup.ts"
import { AmbiguousExtension } from "../../publish/PublishError.ts"
import { MetadataField } from "../../publish/PublishReceipt.ts"
import { UploadSettings } from "../../upload/UploadSettings.ts"
import { check, persistently } from "./extensions/requests.ts"
import { describePlan, planUpload, readArchive, UploadPlan } from "./plan.ts"

export const PublishPlan = Schema.TaggedStruct("PublishPlan", {
  name: Schema.String,
  type: ExtensionType,
  version: Schema.String,
  /** Null where the extension would be created. */
  extensionId: Schema.NullOr(Schema.String),
  /** What of its metadata would be changed. */
  update: Schema.Array(MetadataField),
  /** Whether the archive would be sent, or fetched by the service from the download URL. */
  way: Schema.Literal("upload", "download"),
  /** For an extension that exists and an archive that would be sent. */
  upload: Schema.NullOr(UploadPlan)
})

export type PublishPlan = typeof PublishPlan.Type

export interface PublishInput {
  readonly wanted: Wanted
  readonly archive: string | undefined
  readonly downloadUrl: string | undefined
}

export const planPublishing = ({ archive, downloadUrl, wanted }: PublishInput) =>
  Effect.gen(function* () {
    const { name, type, version } = wanted
    const url = downloadUrl === undefined ? {} : { downloadUrl }
    yield* check("create", CreateExtensionRequest, { ...createRequest(wanted), ...url })
    const extension = yield* find(wanted)
    const way = yield* wayOf(archive, downloadUrl)
    const isUpload = extension !== undefined && archive !== undefined && way === "upload"
    if (archive !== undefined && !isUpload) yield* readArchive(archive, { type, version })
    const plan: PublishPlan = {
      _tag: "PublishPlan",
      name,
      type,
      version,
      extensionId: extension?.id ?? null,
      update: extension === undefined ? [] : fieldsOf(differences(extension, wanted)),
      way,
      upload: isUpload ? yield* planUpload(extension.id, archive, version) : null
    }
    return plan
  })

const wayOf = (archive: string | undefined, downloadUrl: string | undefined) =>
  Effect.gen(function* () {
    if (archive === undefined) return "download"
    const { size } = yield* Archive.file(archive).stat
    const { directUploadLimitBytes } = yield* UploadSettings
    return size > directUploadLimitBytes && downloadUrl !== undefined ? "download" : "upload"
  })

const find = ({ name, type }: Wanted) =>
  Effect.gen(function* () {
    const extensions = yield* persistently((yield* ExtensionsClient).list)
    const own = extensions.filter((extension) => extension.name === name && extension.type === type)
    if (own.length > 1) return yield* ambiguous(name, type, own)
    return own[0]
  })

const ambiguous = (name: string, type: ExtensionType, own: ReadonlyArray<Extension>) =>
  new AmbiguousExtension({
    name,
    type,
    ids: own.map(({ id }) => id),
    emptyIds: own.flatMap(({ fileMetadata, id }) => (Option.isNone(fileMetadata) ? [id] : []))
  })

/** For people. */
export const describePublishPlan = (plan: PublishPlan): ReadonlyArray<string> => [
  plan.extensionId === null
    ? `Would create the ${plan.type} ${plan.name} for Elasticsearch ${plan.version}.`
    : plan.update.length === 0
      ? `Would leave what is said about extension ${plan.extensionId} as it is.`
      : `Would update the ${plan.update.join(" and ")} of extension ${plan.extensionId}.`,
  ...(plan.upload === null
    ? [plan.way === "upload" ? "Would upload the archive." : "Would have the service fetch the archive."]
    : describePlan(plan.upload))
]
