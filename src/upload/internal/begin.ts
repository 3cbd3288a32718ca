/** Before anything is sent: what the journal and the server already know about this upload. */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Ref from "effect/Ref"
import { type JournalRecord, prepare } from "../../journal/JournalRecord.ts"
import { randomBoundary } from "../../transfer/Representation.ts"
import * as ResumableUpload from "../../transfer/ResumableUpload.ts"
import * as ServerState from "../StoredArchive.ts"
import type { UploadError } from "../UploadError.ts"
import { act, type Delivered } from "./attempts.ts"
import { requireMatch, requireUsable } from "./inspection.ts"
import { requireFree } from "./inUse.ts"
import * as Reconciliation from "./reconciliation.ts"
import * as Run from "./run.ts"

/** A run before its record is known. */
type Setup = Omit<Run.Run, "record">

/** What is there already: nothing to send, delivered by an earlier run, or work to do (`undefined`). */
type Beginning =
  | { readonly _tag: "AlreadyCurrent"; readonly state: ServerState.ServerState }
  | Delivered
  | undefined

/** @internal */
export const begin = (setup: Setup): Effect.Effect<readonly [Run.Run, Beginning], UploadError> =>
  Effect.gen(function* () {
    const previous = yield* setup.journal.record
    if (Option.isSome(previous) && hasBegun(previous.value) && isSameUpload(setup, previous.value)) {
      return yield* goOn(setup, previous.value)
    }
    yield* requireUsable(setup)
    if (Option.isSome(previous)) yield* discardStale(setup, previous.value)
    return yield* startFresh(setup)
  })

/** Whether bytes may have left for this upload. Its archive was found usable then, by whatever rules. @internal */
export const hasBegun = ({ phase }: JournalRecord): boolean => phase !== "Prepared"

/** Whether this run can go on with what the record tells of: same content, same framing, and resuming wanted. */
const isSameUpload = ({ digest, settings }: Setup, record: JournalRecord): boolean =>
  record.archive.sha256 === digest.sha256 &&
  record.archive.size === digest.stat.size &&
  (settings.resumable !== "never" || record.upload === undefined) &&
  (record.multipartBoundary !== undefined) === (settings.contentType === "multipart")

/** An earlier run may have been cut off anywhere, so its end is open until the server has been watched for a while. */
const goOn = (setup: Setup, record: JournalRecord) =>
  Effect.gen(function* () {
    const run: Run.Run = { ...setup, record: yield* Ref.make(record) }
    const acknowledged = record.upload?.offset ?? 0
    yield* run.emit({ _tag: "UploadContinued", acknowledged, total: record.representationSize })
    const window = record.upload === undefined ? Duration.toMillis(run.settings.reconcileWindow) : 0
    const outcome = yield* Reconciliation.reconcile(run, record.baseline, window)
    const delivered = yield* act(run, record.baseline, outcome, "an earlier run was cut off")
    if (delivered === undefined) {
      const { extension } = yield* Run.readWithDeployments(run)
      yield* requireFree(run, extension)
    }
    return [run, delivered] as const
  })

const startFresh = (setup: Setup) =>
  Effect.gen(function* () {
    const baseline = yield* Run.readWithDeployments(setup)
    const state = ServerState.fromExtension(baseline)
    const run: Run.Run = { ...setup, record: yield* Ref.make(yield* newRecord(setup, state)) }
    if (yield* isProvedCurrent(run, state)) {
      return [run, { _tag: "AlreadyCurrent", state }] as const
    }
    yield* requireMatch(run, baseline.extension)
    yield* requireFree(run, baseline.extension)
    yield* Run.updateRecord(run, (record) => record)
    return [run, undefined] as const
  })

/** What cannot be proved is sent: bytes that cannot be fetched must not stand in an upload's way. */
const isProvedCurrent = (run: Run.Run, state: ServerState.ServerState): Effect.Effect<boolean> =>
  Run.matchContent(run, state).pipe(
    Effect.map((content) => content._tag === "Same" && content.proof === "hash"),
    Effect.orElseSucceed(() => false)
  )

const newRecord = (setup: Setup, { told }: ServerState.ServerState): Effect.Effect<JournalRecord> =>
  Effect.gen(function* () {
    const { archive, client, digest, extensionId, settings } = setup
    const framing = settings.contentType === "multipart" ? { multipartBoundary: yield* randomBoundary } : {}
    const { contentType, size } = Run.representationOf(setup, framing.multipartBoundary, {})
    const { modifiedMillis } = digest.stat
    const record = yield* prepare({
      origin: client.baseUrl,
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

/** A record of another archive is of no use to this one; the server is told, as a courtesy. @internal */
export const discardStale = (
  { client, emit, extensionId, journal }: Pick<Run.Run, "client" | "emit" | "extensionId" | "journal">,
  record: JournalRecord
): Effect.Effect<void, UploadError> =>
  Effect.gen(function* () {
    if (record.upload !== undefined) {
      const { request, transport } = client.uploadTarget(extensionId)
      yield* Effect.ignore(ResumableUpload.cancel({ client: transport.client, request }, record.upload))
    }
    yield* journal.remove
    yield* emit({ _tag: "StaleUploadDiscarded", name: record.archive.name })
  })
