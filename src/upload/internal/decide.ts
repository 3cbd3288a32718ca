/** Step 2 of an upload: what to do, by what the journal and the server know. Reads, and changes nothing. */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { ExpectedExtension } from "../../archive/ArchiveInspection.ts"
import type { Extension } from "../../cloud/Extension.ts"
import { ExtensionsClient } from "../../cloud/ExtensionsClient.ts"
import * as JournalRecord from "../../journal/JournalRecord.ts"
import { randomBoundary } from "../../transfer/Representation.ts"
import { deploymentsOf, requireReplaceable } from "../Deployments.ts"
import { requireMatch, requireUsable } from "../LocalArchive.ts"
import * as StoredArchive from "../StoredArchive.ts"
import { type Planned, UploadPlan } from "../UploadPlan.ts"
import { type UploadOptions, UploadSettings } from "../UploadSettings.ts"
import { judgeOutcome, reconcile } from "./reconcile.ts"
import * as Run from "./run.ts"

type Record = JournalRecord.JournalRecord

/** `expected` says what the extension will be by then; by default it is what the service says. */
export const decide = Effect.fnUntraced(function* (
  known: Option.Option<Record>,
  expected: Option.Option<ExpectedExtension>
) {
  const own = Option.filter(known, isOfThisUpload(yield* Run.content, yield* UploadSettings))
  if (Option.isSome(own)) return yield* goOn(own.value)
  const { inspection } = yield* Run.Subject
  yield* requireUsable(inspection)
  return yield* startOver(known, expected)
})

/** Whether bytes may have left for this upload. Its archive was found usable before that. */
export const hasBegun = ({ phase }: Record): boolean => phase !== "Prepared"

/** Whether this run can go on with what the record tells of: same content, same framing, and resuming wanted. */
const isOfThisUpload =
  (content: StoredArchive.Content, { contentType, resumable }: UploadOptions) =>
  (record: Record): boolean =>
    hasBegun(record) &&
    record.archive.sha256 === content.sha256 &&
    record.archive.size === content.size &&
    (resumable !== "never" || record.upload === undefined) &&
    (record.multipartBoundary !== undefined) === (contentType === "multipart")

/** An earlier run may have been cut off anywhere, so its end is open until the server has been watched for a while. */
const goOn = Effect.fnUntraced(function* (record: Record) {
  const { extensionId } = yield* Run.Subject
  const { reconcileWindow } = yield* UploadSettings
  // Read first, so that nothing comes between the proof that follows and its consequence.
  const { extension } = yield* StoredArchive.readExtension(extensionId)
  const planned = yield* plannedFor(extension)
  // An upload resource tells by itself how far it has come.
  const window = record.upload === undefined ? reconcileWindow : 0
  const outcome = yield* reconcile(record.baseline, window)
  const verdict = yield* judgeOutcome(outcome, record.baseline, "an earlier run was cut off")
  if (verdict._tag === "Delivered") {
    const { proof, stored } = verdict
    return UploadPlan.AlreadyApplied({ ...planned, record, proof, stored })
  }
  yield* requireReplaceable(extension)
  if (verdict._tag === "MaySendOver") {
    // Whatever an upload resource says from now on is older than what it would overwrite.
    const { stored } = verdict
    return UploadPlan.Send({
      ...planned,
      record: yield* newRecord(stored),
      discards: Option.some(record),
      stored
    })
  }
  return record.upload === undefined
    ? UploadPlan.SendAgain({ ...planned, record })
    : UploadPlan.Continue({ ...planned, record, acknowledged: record.upload.offset })
})

const startOver = Effect.fnUntraced(function* (
  discards: Option.Option<Record>,
  expected: Option.Option<ExpectedExtension>
) {
  const { extensionId, inspection } = yield* Run.Subject
  const versioned = yield* StoredArchive.readExtension(extensionId)
  const { extension } = versioned
  const stored = StoredArchive.fromExtension(versioned)
  const planned = yield* plannedFor(extension)
  if (yield* StoredArchive.isProvedSame(stored, yield* Run.content)) {
    return UploadPlan.AlreadyCurrent({ ...planned, stored })
  }
  yield* requireMatch(
    inspection,
    Option.getOrElse(expected, () => extension)
  )
  yield* requireReplaceable(extension)
  return UploadPlan.Send({ ...planned, record: yield* newRecord(stored), discards, stored })
})

const plannedFor = (extension: Extension): Effect.Effect<Planned, never, Run.Subject> =>
  Effect.map(Effect.all([Run.Subject, Run.content]), ([{ archive, extensionId }, content]) => ({
    extensionId,
    archive: { name: archive.name, ...content },
    deployments: deploymentsOf(extension)
  }))

const newRecord = Effect.fnUntraced(function* ({ told }: StoredArchive.StoredArchive) {
  const { baseUrl } = yield* ExtensionsClient
  const { archive, digest, extensionId } = yield* Run.Subject
  const settings = yield* UploadSettings
  const framing = settings.contentType === "multipart" ? { multipartBoundary: yield* randomBoundary } : {}
  const { contentType, size } = yield* Run.representation(framing.multipartBoundary)
  const { modifiedMillis } = digest.stat
  const record = yield* JournalRecord.prepare({
    origin: baseUrl,
    extensionId,
    archive: {
      path: archive.path,
      name: archive.name,
      size: digest.stat.size,
      ...(modifiedMillis === undefined ? {} : { modifiedMillis }),
      sha256: digest.sha256
    },
    contentType,
    ...framing,
    representationSize: size,
    baseline: told
  })
  return { ...record, checkpoints: digest.checkpoints }
})
