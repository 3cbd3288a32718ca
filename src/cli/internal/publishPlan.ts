/** What publishing would do, found out by reading alone. */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Archive from "../../archive/Archive.ts"
import { ExtensionType } from "../../cloud/Extension.ts"
import * as ExtensionPublish from "../../publish/ExtensionPublish.ts"
import { MetadataField } from "../../publish/PublishReceipt.ts"
import { describePlan, rowOf, UploadPlan } from "./plan.ts"

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
  readonly wanted: ExtensionPublish.Wanted
  readonly archive: string | undefined
  readonly downloadUrl: string | undefined
}

export const planPublishing = ({ archive, downloadUrl, wanted }: PublishInput) =>
  Effect.gen(function* () {
    const { name, type, version } = wanted
    const { delivery, extension } = yield* ExtensionPublish.plan(
      archive === undefined
        ? { ...wanted, downloadUrl: downloadUrl ?? "" }
        : { ...wanted, archive: Archive.file(archive), downloadUrl }
    )
    const plan: PublishPlan = {
      _tag: "PublishPlan",
      name,
      type,
      version,
      extensionId: extension._tag === "Create" ? null : extension.extension.id,
      update: extension._tag === "Update" ? extension.fields : [],
      way: delivery._tag === "Upload" ? "upload" : "download",
      upload: delivery._tag === "Upload" ? Option.getOrNull(Option.map(delivery.upload, rowOf)) : null
    }
    return plan
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
