/** What the commands find and do, as `--json` shows it: one schema for each kind of line. */
import * as Schema from "effect/Schema"
import { ArchiveInspection } from "../../archive/ArchiveInspection.ts"
import { ExtensionType } from "../../cloud/Extension.ts"
import { JournalPhase } from "../../journal/JournalRecord.ts"
import { MetadataField } from "../../publish/PublishReceipt.ts"
import { UploadReceipt } from "../../upload/UploadReceipt.ts"
import { ReleaseDetails, ReleasePage } from "../../workflow/ReleaseList.ts"
import { Decision } from "../../workflow/ReleaseReceipt.ts"
import { ReleaseState } from "../../workflow/ReleaseRecord.ts"

/** An extension without the temporary link to its archive, which is a secret. What was not said is null. Sizes are bytes. */
export const ExtensionView = Schema.Struct({
  id: Schema.String,
  name: Schema.String,
  type: ExtensionType,
  version: Schema.String,
  description: Schema.NullOr(Schema.String),
  url: Schema.NullOr(Schema.String),
  /** Without its query, which may hold a signature. */
  downloadUrl: Schema.NullOr(Schema.String),
  /** Null where they were not asked for. */
  deployments: Schema.NullOr(Schema.Array(Schema.String)),
  size: Schema.NullOr(Schema.Number),
  modified: Schema.NullOr(Schema.DateTimeUtc)
})

export interface ExtensionView extends Schema.Schema.Type<typeof ExtensionView> {}

export const Listed = Schema.TaggedStruct("Extensions", { extensions: Schema.Array(ExtensionView) })

/** What the headers tell of the extension as a resource. */
export const ResourceView = Schema.Struct({
  version: Schema.NullOr(Schema.String),
  created: Schema.NullOr(Schema.DateTimeUtc),
  lastModified: Schema.NullOr(Schema.DateTimeUtc)
})

export const Shown = Schema.TaggedStruct("Extension", { extension: ExtensionView, resource: ResourceView })

export const Created = Schema.TaggedStruct("NewExtension", { extension: ExtensionView })

export const WouldCreate = Schema.TaggedStruct("WouldCreateExtension", {
  request: Schema.Struct({
    name: Schema.String,
    type: ExtensionType,
    version: Schema.String,
    description: Schema.optional(Schema.String),
    downloadUrl: Schema.optional(Schema.String)
  })
})

/** One field of an extension's metadata. */
export const Change = Schema.Struct({
  field: Schema.String,
  before: Schema.NullOr(Schema.String),
  after: Schema.String
})

const update = { extension: ExtensionView, changes: Schema.Array(Change) }

export const Updated = Schema.Union(
  Schema.TaggedStruct("ExtensionUpdated", update),
  Schema.TaggedStruct("ExtensionUnchanged", update),
  Schema.TaggedStruct("WouldUpdateExtension", update)
)

export const Deleted = Schema.Union(
  Schema.TaggedStruct("ExtensionDeleted", { extension: ExtensionView }),
  Schema.TaggedStruct("WouldDeleteExtension", { extension: ExtensionView })
)

/** What an upload would do. */
export const UploadPlan = Schema.TaggedStruct("UploadPlan", {
  extensionId: Schema.String,
  archive: Schema.Struct({
    name: Schema.String,
    size: Schema.Number,
    sha256: Schema.NullOr(Schema.String)
  }),
  action: Schema.Literal("nothing", "upload", "continue"),
  /** Whether the archive is hashed by itself first, or while it is sent. */
  hashed: Schema.Literal("before", "while-sending"),
  because: Schema.String,
  /** The object store by which the archive would go; null where it would be sent to the service itself. */
  stage: Schema.NullOr(Schema.String),
  /** Name of the archive whose unfinished upload would be cancelled first; null for none. */
  cancels: Schema.NullOr(Schema.String),
  /** Those that use the extension. They take the new file when they next restart. */
  deployments: Schema.Array(Schema.String)
})

export interface UploadPlan extends Schema.Schema.Type<typeof UploadPlan> {}

/** What publishing would do. */
export const PublishPlan = Schema.TaggedStruct("PublishPlan", {
  name: Schema.String,
  type: ExtensionType,
  version: Schema.String,
  /** Null where the extension would be created. */
  extensionId: Schema.NullOr(Schema.String),
  /** Which of its metadata would be changed. */
  update: Schema.Array(MetadataField),
  /** Whether the archive would be sent, or fetched by the service from the download URL. */
  way: Schema.Literal("upload", "stage", "download"),
  /** What would happen to the archive. */
  action: Schema.Literal("nothing", "upload", "continue", "fetch"),
  /** For an extension that exists and an archive that would be sent. */
  upload: Schema.NullOr(UploadPlan)
})

export interface PublishPlan extends Schema.Schema.Type<typeof PublishPlan> {}

/** Whether the file is as it was when the upload began, as far as its size and modification time tell. */
export const ArchiveState = Schema.Literal("unchanged", "changed", "missing")

/** One unfinished upload. Its address on the server is a secret and left out. */
export const Unfinished = Schema.Struct({
  extensionId: Schema.String,
  archive: Schema.Struct({
    path: Schema.String,
    size: Schema.Number,
    /** Null where the upload was cut off before it was known. */
    sha256: Schema.NullOr(Schema.String),
    state: ArchiveState
  }),
  phase: JournalPhase,
  /** The object store in which it is staged; null where it is sent to the service itself. */
  stage: Schema.NullOr(Schema.String),
  /** Bytes of `total` that the server, or the store, has at least; null where it cannot resume, and everything is sent again. */
  kept: Schema.NullOr(Schema.Number),
  total: Schema.Number,
  attempts: Schema.Number,
  bytesSent: Schema.Number,
  began: Schema.DateTimeUtc,
  lastActive: Schema.DateTimeUtc,
  /** How long ago that was. */
  ageMillis: Schema.Number,
  /** Whether a process is at work on it right now. */
  inUse: Schema.Boolean
})

export interface Unfinished extends Schema.Schema.Type<typeof Unfinished> {}

/** An upload to the object store, whoever began it. */
export const Kept = Schema.Struct({
  location: Schema.String,
  name: Schema.String,
  sha256: Schema.String,
  parts: Schema.Number,
  bytes: Schema.Number,
  began: Schema.NullOr(Schema.DateTimeUtc)
})

export const Pending = Schema.TaggedStruct("PendingUploads", {
  endpoint: Schema.String,
  uploads: Schema.Array(Unfinished),
  /** What the object store keeps of unfinished uploads below its prefix, those above included. */
  kept: Schema.Array(Kept),
  /** Unfinished uploads at other endpoints. */
  elsewhere: Schema.Number,
  /** Records that cannot be read. */
  unreadable: Schema.Number
})

export const Cancelled = Schema.Union(
  Schema.TaggedStruct("UploadCancelled", { extensionId: Schema.String }),
  Schema.TaggedStruct("WouldCancelUpload", { extensionId: Schema.String })
)

export const Resuming = Schema.TaggedStruct("ResumingUpload", {
  extensionId: Schema.String,
  archive: Schema.String
})

export const FailedUpload = Schema.Struct({
  extensionId: Schema.String,
  error: Schema.String,
  message: Schema.String
})

export interface FailedUpload extends Schema.Schema.Type<typeof FailedUpload> {}

export const Resumed = Schema.TaggedStruct("UploadsResumed", {
  finished: Schema.Array(UploadReceipt),
  failed: Schema.Array(FailedUpload)
})

export const WouldResume = Schema.TaggedStruct("WouldResumeUploads", {
  uploads: Schema.Array(UploadPlan),
  failed: Schema.Array(FailedUpload)
})

export const Inspected = Schema.TaggedStruct("ArchiveInspection", {
  ...ArchiveInspection.fields,
  /** Whether an upload would take it without `--allow`. */
  isUsable: Schema.Boolean
})

export const Found = Schema.TaggedStruct("Finding", {
  check: Schema.String,
  verdict: Schema.Literal("ok", "warning", "problem"),
  says: Schema.String,
  remedy: Schema.optional(Schema.String)
})

export const Diagnosis = Schema.TaggedStruct("Diagnosis", {
  ok: Schema.Number,
  warnings: Schema.Number,
  problems: Schema.Number
})

/** The stand-in is running. */
export const LocalCloud = Schema.TaggedStruct("LocalCloud", {
  url: Schema.String,
  apiKey: Schema.String,
  resumable: Schema.Boolean,
  extensions: Schema.Array(Schema.Struct({ id: Schema.String, name: Schema.String }))
})

/** A release was given to the engine, or was known to it. */
export const ReleaseSubmitted = Schema.TaggedStruct("ReleaseSubmitted", {
  executionId: Schema.String,
  releaseId: Schema.String,
  /** Of the archive. */
  sha256: Schema.String
})

export const ReleasesListed = Schema.TaggedStruct("Releases", ReleasePage.fields)

export const ReleaseShown = Schema.TaggedStruct("Release", ReleaseDetails.fields)

export const ReleaseDecided = Schema.TaggedStruct("ReleaseDecided", {
  executionId: Schema.String,
  /** Whether it is this decision that counts. */
  isFirst: Schema.Boolean,
  /** The one that counts; null while the release has not read it yet. */
  inForce: Schema.NullOr(Decision)
})

/** A release was asked to end. */
export const ReleaseCancelling = Schema.TaggedStruct("ReleaseCancelling", {
  executionId: Schema.String,
  /** Where it was. */
  state: ReleaseState
})

/** A runner is at work. Addresses are null where it does not listen. */
export const RunnerStarted = Schema.TaggedStruct("RunnerStarted", {
  database: Schema.String,
  namespace: Schema.String,
  /** Of its health, and of the API if it has a token. */
  url: Schema.NullOr(Schema.String),
  slots: Schema.Number,
  /** Of all runners together; null if that has no limit. */
  slotsOfAll: Schema.NullOr(Schema.Number),
  preparing: Schema.Number
})

/** A runner was told to stop, and does. */
export const RunnerStopped = Schema.TaggedStruct("RunnerStopped", {
  /** Steps that were cut off, and go on elsewhere. */
  handedOver: Schema.Number
})

/** What a runner tells while it works. */
export const LogLine = Schema.TaggedStruct("Log", {
  /** When it happened. */
  at: Schema.String,
  level: Schema.String,
  message: Schema.String,
  /** Such as `release.id`. */
  about: Schema.Record({ key: Schema.String, value: Schema.String })
})

/**
 * Version of the contract. A line may get more fields, and there may be more kinds of lines, under the same number; it
 * changes when a field or a kind of line goes away or means something else.
 */
export const linesVersion = 1

export const Version = Schema.TaggedStruct("Version", {
  version: Schema.String,
  /** Version of the schema of these lines. */
  lines: Schema.Number
})
