/** What an upload would do, found out by reading alone. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Archive from "../../archive/Archive.ts"
import type { ExtensionId } from "../../cloud/ExtensionId.ts"
import * as ExtensionUpload from "../../upload/ExtensionUpload.ts"
import type { UploadPlan as Plan } from "../../upload/UploadPlan.ts"
import { bytes, facts } from "./text.ts"

const fields = {
  extensionId: Schema.String,
  archive: Schema.Struct({ name: Schema.String, size: Schema.Number, sha256: Schema.String }),
  /** `nothing` when the extension holds this very archive, `continue` when an earlier run left an upload of it. */
  action: Schema.Literal("nothing", "upload", "continue"),
  because: Schema.String,
  /** Those that use the extension, and would take the new file at their next restart. */
  deployments: Schema.Array(Schema.String)
}

export const UploadPlan = Schema.TaggedStruct("UploadPlan", fields)

export type UploadPlan = typeof UploadPlan.Type

const rows = {
  AlreadyCurrent: ["nothing", "the extension holds this very archive"],
  AlreadyApplied: ["nothing", "the upload of an earlier run arrived"],
  Continue: ["continue", "an earlier run left an upload of this archive unfinished"],
  SendAgain: ["upload", "an earlier run was cut off, and its archive did not arrive"],
  Send: ["upload", "the extension does not hold this archive"]
} as const

export const rowOf = ({ _tag, archive, deployments, extensionId }: Plan): UploadPlan => {
  const [action, because] = rows[_tag]
  return { _tag: "UploadPlan", extensionId, archive, action, because, deployments }
}

export const planUpload = (extensionId: ExtensionId, path: string) =>
  Effect.map(ExtensionUpload.plan({ extensionId, archive: Archive.file(path) }), rowOf)

/** For people. */
export const describePlan = ({ action, archive, because, deployments, extensionId }: UploadPlan) => {
  const actions = { nothing: "send nothing", upload: "upload it", continue: "go on with the upload" } as const
  return [
    `Would ${actions[action]}: ${because}.`,
    ...facts([
      ["extension", extensionId],
      ["archive", `${archive.name}, ${bytes(archive.size)}`],
      ["sha-256", archive.sha256],
      ...(deployments.length === 0 ? [] : [["used by", deployments.join(", ")] as const])
    ])
  ]
}
