/** The library's plans, as a dry run shows them: as JSON, and for people. */
import * as Option from "effect/Option"
import { printable } from "../../outsideText.ts"
import type { Wanted } from "../../publish/ExtensionPublish.ts"
import * as Publish from "../../publish/PublishPlan.ts"
import * as Upload from "../../upload/UploadPlan.ts"
import type { PublishPlan, UploadPlan } from "./results.ts"
import { bytes, facts } from "./text.ts"

export const ofUpload = (plan: Upload.UploadPlan): UploadPlan => {
  const { deployments, extensionId } = plan
  return {
    _tag: "UploadPlan",
    extensionId,
    stage: null,
    cancels: null,
    ...digestOf(plan),
    ...decisionOf(plan),
    deployments
  }
}

const digestOf = (plan: Upload.UploadPlan): Pick<UploadPlan, "archive" | "hashed"> => {
  if (plan._tag !== "Send") return { archive: plan.archive, hashed: "before" }
  const { archive, digest } = plan
  return Upload.PlannedDigest.$match(digest, {
    BeforeSending: ({ sha256 }) => ({ archive: { ...archive, sha256 }, hashed: "before" as const }),
    WhileSending: ({ sha256 }) => ({
      archive: { ...archive, sha256: Option.getOrNull(sha256) },
      hashed: "while-sending" as const
    })
  })
}

/** The plan of an archive for an extension that exists, whichever way it goes. */
export const ofDelivery = (plan: Publish.LocalPlan): UploadPlan =>
  plan._tag === "Upload" ? ofUpload(plan.upload) : ofStaging(plan.location)(plan.stage)

const ofStaging =
  (location: string) =>
  (plan: Publish.StagePlan): UploadPlan => {
    const { archive, deployments, extensionId } = plan
    return {
      _tag: "UploadPlan",
      extensionId,
      archive,
      hashed: "before",
      stage: location,
      cancels: null,
      ...Publish.StagePlan.$match(plan, {
        AlreadyCurrent: () => ({ action: "nothing", because: holdsIt }) as const,
        Stage: ({ standing }) => standings[standing._tag]
      }),
      deployments
    }
  }

const holdsIt = "the extension holds this very archive"

const standings = {
  Absent: { action: "upload", because: "neither the extension nor the object store holds this archive" },
  Unfinished: { action: "continue", because: "the object store has parts of this archive" },
  Staged: { action: "continue", because: "the object store has this archive already" }
} as const

const decisionOf = Upload.UploadPlan.$match({
  AlreadyCurrent: () => ({ action: "nothing", because: holdsIt }) as const,
  AlreadyApplied: () =>
    ({ action: "nothing", because: "an earlier run was interrupted, but its archive arrived" }) as const,
  Continue: () =>
    ({ action: "continue", because: "an earlier run left an upload of this archive unfinished" }) as const,
  SendAgain: () =>
    ({
      action: "upload",
      because: "an earlier run was interrupted, and the server kept nothing to resume"
    }) as const,
  Send: ({ discards, stored }) =>
    ({
      action: "upload",
      because:
        stored.told.file === undefined
          ? "the extension holds no archive yet"
          : "the extension does not hold this archive",
      cancels: Option.getOrNull(Option.map(discards, ({ archive }) => archive.name))
    }) as const
})

const actions = { nothing: "send nothing", upload: "upload it", continue: "resume the upload" } as const

const stagings = { upload: "stage it in", continue: "stage what is missing of it in" } as const

export const describeUploadPlan = (plan: UploadPlan): ReadonlyArray<string> => [
  ...(plan.cancels === null ? [] : [`Would cancel the unfinished upload of ${printable(plan.cancels)}.`]),
  plan.stage === null || plan.action === "nothing"
    ? `Would ${actions[plan.action]}: ${plan.because}.`
    : `Would ${stagings[plan.action]} ${printable(plan.stage)} and have the service fetch it from there: ${plan.because}.`,
  ...facts([
    ["extension", plan.extensionId],
    ["archive", `${printable(plan.archive.name)}, ${bytes(plan.archive.size)}`],
    ...(plan.archive.sha256 === null ? [] : [["sha-256", plan.archive.sha256] as const]),
    ...(plan.hashed === "before" ? [] : [["hashed", "again, while it is sent"] as const]),
    ...(plan.deployments.length === 0
      ? []
      : [["used by", plan.deployments.map(printable).join(", ")] as const])
  ])
]

export const ofPublishing = (plan: Publish.PublishPlan, { name, type, version }: Wanted): PublishPlan => ({
  _tag: "PublishPlan",
  name,
  type,
  version,
  ...Publish.ExtensionPlan.$match(plan.extension, {
    Create: () => ({ extensionId: null, update: [] }),
    Update: ({ extension, fields }) => ({ extensionId: extension.id, update: fields }),
    Keep: ({ extension }) => ({ extensionId: extension.id, update: [] })
  }),
  ...deliveryOf(plan.delivery)
})

type Delivery = Pick<PublishPlan, "way" | "action" | "upload">

const deliveryOf = Publish.DeliveryPlan.$match({
  Upload: ({ upload }): Delivery =>
    Option.match(Option.map(upload, ofUpload), {
      onNone: () => ({ way: "upload", action: "upload", upload: null }),
      onSome: (upload) => ({ way: "upload", action: upload.action, upload })
    }),
  Stage: ({ location, stage }): Delivery =>
    Option.match(Option.map(stage, ofStaging(location)), {
      onNone: () => ({ way: "stage", action: "upload", upload: null }),
      onSome: (upload) => ({ way: "stage", action: upload.action, upload })
    }),
  Fetch: (): Delivery => ({ way: "download", action: "fetch", upload: null }),
  AlreadyFetched: (): Delivery => ({ way: "download", action: "nothing", upload: null })
})

export const describePublishPlan = (
  plan: Publish.PublishPlan,
  { name, type, version }: Wanted
): ReadonlyArray<string> => [
  Publish.ExtensionPlan.$match(plan.extension, {
    Create: () => `Would create the ${type} ${name} for Elasticsearch ${version}.`,
    Update: ({ extension, fields }) =>
      `Would update the ${fields.join(" and ")} of extension ${printable(extension.id)}.`,
    Keep: ({ extension }) => `Would leave the metadata of extension ${printable(extension.id)} unchanged.`
  }),
  ...Publish.DeliveryPlan.$match(plan.delivery, {
    Upload: ({ upload }) =>
      Option.match(upload, {
        onNone: () => ["Would upload the archive."],
        onSome: (upload) => describeUploadPlan(ofUpload(upload))
      }),
    Stage: ({ location, stage }) =>
      Option.match(stage, {
        onNone: () => [
          `Would stage the archive in ${printable(location)} and have the service fetch it from there.`
        ],
        onSome: (stage) => describeUploadPlan(ofStaging(location)(stage))
      }),
    Fetch: ({ origin }) => [`Would have the service fetch the archive from ${origin}.`],
    AlreadyFetched: () => ["Would fetch nothing: the extension holds the archive already."]
  })
]
