/** What an upload would do, found out by reading alone. */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Archive from "../../archive/Archive.ts"
import * as ArchiveDigest from "../../archive/ArchiveDigest.ts"
import * as ArchiveInspection from "../../archive/ArchiveInspection.ts"
import type { ExtensionId } from "../../cloud/ExtensionId.ts"
import { ExtensionsClient } from "../../cloud/ExtensionsClient.ts"
import { journalId } from "../../journal/JournalRecord.ts"
import { UploadJournal } from "../../journal/UploadJournal.ts"
import * as ServerState from "../../upload/StoredArchive.ts"
import { ExtensionProtected } from "../../upload/UploadError.ts"
import { UploadSettings } from "../../upload/UploadSettings.ts"
import { persistently } from "./extensions/requests.ts"
import * as format from "./format.ts"
import { facts } from "./layout.ts"
import { Output } from "./output.ts"

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

/** The archive, inspected as the extension's own and hashed. */
export const readArchive = (path: string, expected: ArchiveInspection.ExpectedExtension) =>
  Effect.gen(function* () {
    const { note } = yield* Output
    const { allow, directUploadLimitBytes } = yield* UploadSettings
    const archive = Archive.file(path)
    const inspection = yield* ArchiveInspection.inspect(archive, {
      expected,
      directUploadLimitBytes: directUploadLimitBytes
    })
    yield* ArchiveInspection.check(inspection, { allow })
    yield* Effect.forEach(inspection.warnings, ({ message }) => note(`warning: ${message}`))
    const { sha256, stat } = yield* ArchiveDigest.compute(archive)
    return { name: archive.name, size: stat.size, sha256 }
  })

type ReadArchive = Effect.Effect.Success<ReturnType<typeof readArchive>>

/** What uploading to this extension would do. `version` is the one it has by then, where that is not today's. */
export const planUpload = (id: ExtensionId, path: string, version?: string) =>
  Effect.gen(function* () {
    const client = yield* ExtensionsClient
    const found = yield* persistently(client.get(id, { includeDeployments: true }))
    const { type } = found.extension
    const archive = yield* readArchive(path, { type, version: version ?? found.extension.version })
    const deployments = Option.getOrElse(found.extension.deployments, (): ReadonlyArray<string> => [])
    const plan = (action: UploadPlan["action"], because: string): UploadPlan => ({
      _tag: "UploadPlan",
      extensionId: id,
      archive,
      action,
      because,
      deployments
    })

    const state = ServerState.fromExtension(found)
    const content = yield* Effect.orElseSucceed(
      ServerState.matchContent(client, state, archive, () => Effect.void),
      (): ServerState.ContentMatch => ({ _tag: "Unknown" })
    )
    if (content._tag === "Same" && content.proof === "hash") {
      return plan("nothing", "the extension holds this very archive")
    }
    yield* requireFree(id, deployments)
    return (yield* isPending(client.baseUrl, id, archive))
      ? plan("continue", "an earlier run left an upload of this archive unfinished")
      : plan("upload", reasonOf(state, content))
  })

const requireFree = (extensionId: ExtensionId, deployments: ReadonlyArray<string>) =>
  Effect.flatMap(UploadSettings, ({ protectInUse }) =>
    protectInUse && deployments.length > 0
      ? Effect.fail(new ExtensionProtected({ extensionId, deployments }))
      : Effect.void
  )

const isPending = (origin: string, extensionId: ExtensionId, { sha256 }: ReadArchive) =>
  Effect.gen(function* () {
    const record = yield* (yield* UploadJournal).get(journalId({ origin, extensionId }))
    return Option.exists(record, ({ archive, phase }) => phase !== "Prepared" && archive.sha256 === sha256)
  })

const reasonOf = ({ told }: ServerState.ServerState, content: ServerState.ContentMatch): string => {
  if (told.file === undefined) return "the extension holds no archive yet"
  return content._tag === "Different"
    ? "the extension holds another archive"
    : "what the extension holds cannot be compared"
}

/** For people. */
export const describePlan = ({ action, archive, because, deployments, extensionId }: UploadPlan) => {
  const actions = { nothing: "send nothing", upload: "upload it", continue: "go on with the upload" } as const
  return [
    `Would ${actions[action]}: ${because}.`,
    ...facts([
      ["extension", extensionId],
      ["archive", `${archive.name}, ${format.bytes(archive.size)}`],
      ["sha-256", archive.sha256],
      ...(deployments.length === 0 ? [] : [["used by", deployments.join(", ")] as const])
    ])
  ]
}
