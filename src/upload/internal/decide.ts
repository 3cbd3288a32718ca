/** Step 2 of an upload: what to do, by what the journal and the server know. Reads, and changes nothing. */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import type { ArchiveStat } from "../../archive/Archive.ts"
import * as ArchiveDigest from "../../archive/ArchiveDigest.ts"
import type { ExpectedExtension } from "../../archive/ArchiveInspection.ts"
import type { Extension } from "../../cloud/Extension.ts"
import { ExtensionsClient } from "../../cloud/ExtensionsClient.ts"
import * as JournalRecord from "../../journal/JournalRecord.ts"
import { randomBoundary } from "../../transfer/Representation.ts"
import { deploymentsOf, requireReplaceable } from "../Deployments.ts"
import { requireMatch, requireUsable } from "../LocalArchive.ts"
import * as StoredArchive from "../StoredArchive.ts"
import { type Planned, PlannedDigest, UploadPlan } from "../UploadPlan.ts"
import { type UploadOptions, UploadSettings } from "../UploadSettings.ts"
import { judgeOutcome, reconcile } from "./reconcile.ts"
import * as Run from "./run.ts"

type Record = JournalRecord.JournalRecord

/** `expected` says what the extension will be by then; by default it is what the service says. */
export const decide = Effect.fnUntraced(function* (
  known: Option.Option<Record>,
  expected: Option.Option<ExpectedExtension>
) {
  const { hashing, inspected } = yield* Run.Subject
  const digested = yield* hashing.known
  const settings = yield* UploadSettings
  const own = Option.filter(known, (record) =>
    Option.exists(digested, ({ digest }) => isOfThisUpload(record, digest, settings))
  )
  // A record excuses nothing: whoever can write to the journal could allow what nobody has.
  yield* requireUsable(
    Option.match(digested, { onNone: () => inspected, onSome: (whole) => whole }).inspection
  )
  if (Option.isNone(own)) return yield* startOver(known, expected)
  const { delivered } = own.value
  return delivered === undefined
    ? yield* goOn(own.value)
    : yield* leaveAsDelivered(own.value, delivered, expected)
})

/** Whether bytes may have left for this upload. */
export const hasBegun = ({ phase }: Record): boolean => phase !== "Prepared"

/** Whether this run can go on with what the record tells of: same content, same framing, and resuming wanted. */
const isOfThisUpload = (
  record: Record,
  digest: ArchiveDigest.ArchiveDigest,
  { contentType, resumable }: UploadOptions
): boolean =>
  hasBegun(record) &&
  isOfArchive(record, digest) &&
  (resumable !== "never" || record.upload === undefined) &&
  (record.multipartBoundary !== undefined) === (contentType === "multipart")

/**
 * Whether a record is of the archive with this digest. One that was cut off while it was hashed is known by what may have
 * left of it: whatever follows, the server ends up with this archive. Where nothing is known of its content, no byte of it
 * is of use to anybody, and its date has to do.
 */
export const isOfArchive = (
  { archive, checkpoints }: Record,
  digest: ArchiveDigest.ArchiveDigest
): boolean => {
  if (archive.size !== digest.stat.size) return false
  if (archive.sha256 !== undefined) return archive.sha256 === digest.sha256
  const last = checkpoints.at(-1)
  return last === undefined ? isOfDate(archive, digest.stat) : ArchiveDigest.hasCheckpoint(digest, last)
}

/** As far as both have a date. */
export const isOfDate = (
  { modifiedMillis }: Pick<JournalRecord.JournalArchive, "modifiedMillis">,
  stat: ArchiveStat
): boolean =>
  modifiedMillis === undefined || stat.modifiedMillis === undefined || modifiedMillis === stat.modifiedMillis

/** An earlier run may have been cut off anywhere, so its end is open until the server has been watched for a while. */
const goOn = Effect.fnUntraced(function* (begun: Record) {
  const { extensionId, hashing } = yield* Run.Subject
  const { reconcileWindow } = yield* UploadSettings
  const digested = yield* hashing.whole
  const record = Run.withDigest(begun, digested.digest)
  // Read first, so that nothing comes between the proof that follows and its consequence.
  const { extension } = yield* StoredArchive.readExtension(extensionId)
  const planned = yield* plannedHashed(extension)
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
      digest: PlannedDigest.BeforeSending({ sha256: planned.archive.sha256 }),
      record: yield* newRecord(stored),
      discards: Option.some(record),
      stored
    })
  }
  return record.upload === undefined
    ? UploadPlan.SendAgain({ ...planned, record })
    : UploadPlan.Continue({ ...planned, record, acknowledged: record.upload.offset })
})

/** What an earlier run has put there and proved is there still, or else that run is of no use any more. */
const leaveAsDelivered = Effect.fnUntraced(function* (
  record: Record,
  { proof, told }: JournalRecord.JournalDelivery,
  expected: Option.Option<ExpectedExtension>
) {
  const { extensionId } = yield* Run.Subject
  const versioned = yield* StoredArchive.readExtension(extensionId)
  const stored = StoredArchive.fromExtension(versioned)
  if (!StoredArchive.isUntouched(told, stored.told)) return yield* startOver(Option.some(record), expected)
  return UploadPlan.AlreadyApplied({
    ...(yield* plannedHashed(versioned.extension)),
    record,
    proof,
    stored
  })
})

const startOver = Effect.fnUntraced(function* (
  discards: Option.Option<Record>,
  expected: Option.Option<ExpectedExtension>
) {
  const { extensionId, hashing, inspected } = yield* Run.Subject
  const versioned = yield* StoredArchive.readExtension(extensionId)
  const { extension } = versioned
  const stored = StoredArchive.fromExtension(versioned)
  const isHashedWhileSending =
    Option.isNone(yield* hashing.known) && !StoredArchive.mayHold(stored, inspected.stat)
  if (!isHashedWhileSending) {
    yield* requireUsable((yield* hashing.whole).inspection)
    if (yield* StoredArchive.isProvedSame(stored, yield* Run.content)) {
      return UploadPlan.AlreadyCurrent({ ...(yield* plannedHashed(extension)), stored })
    }
  }
  yield* requireMatch(
    inspected.inspection,
    Option.getOrElse(expected, () => extension)
  )
  yield* requireReplaceable(extension)
  return UploadPlan.Send({
    ...(yield* plannedFor(extension)),
    digest: isHashedWhileSending
      ? PlannedDigest.WhileSending({ sha256: Option.none() })
      : PlannedDigest.BeforeSending({ sha256: (yield* Run.content).sha256 }),
    record: yield* newRecord(stored),
    discards,
    stored
  })
})

const plannedFor = (extension: Extension): Effect.Effect<Planned, never, Run.Subject> =>
  Effect.map(Run.Subject, ({ extensionId, inspected: { archive, stat } }) => ({
    extensionId,
    archive: { name: archive.name, size: stat.size },
    deployments: deploymentsOf(extension)
  }))

const plannedHashed = (extension: Extension) =>
  Effect.map(Effect.all([plannedFor(extension), Run.content]), ([planned, { sha256 }]) => ({
    ...planned,
    archive: { ...planned.archive, sha256 }
  }))

const newRecord = Effect.fnUntraced(function* ({ told }: StoredArchive.StoredArchive) {
  const { baseUrl } = yield* ExtensionsClient
  const { extensionId, hashing, inspected } = yield* Run.Subject
  const settings = yield* UploadSettings
  const framing = settings.contentType === "multipart" ? { multipartBoundary: yield* randomBoundary } : {}
  const { contentType, size } = Run.framed(inspected, framing.multipartBoundary, () => Stream.empty)
  const { archive, stat } = inspected
  const record = yield* JournalRecord.prepare({
    origin: baseUrl,
    extensionId,
    archive: {
      path: archive.path,
      name: archive.name,
      size: stat.size,
      ...(stat.modifiedMillis === undefined ? {} : { modifiedMillis: stat.modifiedMillis })
    },
    contentType,
    ...framing,
    representationSize: size,
    baseline: told
  })
  return Option.match(yield* hashing.known, {
    onNone: () => record,
    onSome: ({ digest }) => Run.withDigest(record, digest)
  })
})
