/** From an archive to an object: what is there is kept, the rest is sent, and then they are put together. */
import { createHash } from "node:crypto"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type * as Stream from "effect/Stream"
import type { Archive } from "../../../archive/Archive.ts"
import * as ArchiveDigest from "../../../archive/ArchiveDigest.ts"
import type { ArchiveError } from "../../../archive/ArchiveError.ts"
import * as ByteStream from "../../../byteStream.ts"
import type { StagedArchive, StageOptions } from "../../ArchiveStaging.ts"
import { ObjectStore, type StoredPart, type UnfinishedUpload } from "../../ObjectStore.ts"
import { StagedArchiveDiffers, type StagingError, type StoreUploadLost } from "../../StagingError.ts"
import { emit, nobody, retrying, StagingEvents } from "../../StagingEvent.ts"
import * as PartReading from "./partReading.ts"
import { type Candidate, candidates, isThere, type Plan, planOf, sizeOfPart, sumOf } from "./parts.ts"

/** One archive on its way. Mutable: made per run, inside an Effect. */
interface Job<R> {
  readonly archive: Archive<R>
  readonly digest: ArchiveDigest.DigestInParts
  readonly key: string
  readonly plan: Plan
  readonly sent: {
    /** Those that the store has taken. */
    readonly parts: Set<number>
    /** Bytes of parts that left, those of failed attempts included. */
    bytes: number
  }
}

export const stage = Effect.fnUntraced(function* <R>(
  archive: Archive<R>,
  digest: ArchiveDigest.ArchiveDigest,
  key: string,
  options: StageOptions
): Effect.fn.Return<StagedArchive, StagingError | ArchiveError, R | ObjectStore> {
  const store = yield* ObjectStore
  const { sha256, stat } = digest
  const location = store.locationOf(key)
  const plan = planOf(stat.size, store.limits, options)
  const { count, partBytes, size } = plan
  yield* emit({ _tag: "StagingStarted", location, total: size, partBytes, parts: count })
  const wasThere = yield* isThere(key, size)
  const sent = { parts: new Set<number>(), bytes: 0 }
  if (!wasThere) {
    const inParts = yield* ArchiveDigest.withParts(digest, archive, partBytes)
    yield* deliver({ archive, digest: inParts, key, plan, sent }, 1)
  }
  yield* emit({ _tag: "StagingCompleted", location, wasThere })
  const bytesOfParts = [...sent.parts].reduce((sum, number) => sum + sizeOfPart(plan, number), 0)
  return {
    location,
    key,
    size,
    sha256,
    bytesSent: sent.bytes,
    bytesKept: size - bytesOfParts,
    partsSent: sent.parts.size,
    partsKept: count - sent.parts.size
  }
}, inTurn)

/** Parts are sent at once, and told one after the other. */
function inTurn<A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> {
  return Effect.flatMap(StagingEvents, (observer) => {
    if (observer === nobody) return self
    const turn = Effect.unsafeMakeSemaphore(1)
    return Effect.provideService(self, StagingEvents, {
      onEvent: (event) => turn.withPermits(1)(observer.onEvent(event))
    })
  })
}

/** Somebody who removes uploads as fast as they are begun has to be found by a person. */
const maxRounds = 5

/** One round: finds or begins an upload, sends what it lacks, and makes the object. An upload that is lost means another one. */
const deliver = <R>(
  job: Job<R>,
  round: number
): Effect.Effect<void, StagingError | ArchiveError, R | ObjectStore> =>
  Effect.gen(function* () {
    const [best, ...others] = yield* candidates(job.key, job.plan)
    const upload = best?.upload ?? (yield* begin(job.key))
    const fitting = best?.fitting ?? []
    if (fitting.length > 0) yield* emit({ _tag: "StagingContinued", ...sumOf(fitting) })
    const parts = yield* sendParts(job, upload, fitting)
    yield* complete(job, upload, parts)
    yield* confirm(job)
    yield* dropLeftovers(others)
  }).pipe(Effect.catchTag("StoreUploadLost", (lost) => Effect.suspend(() => afterLoss(job, round, lost))))

/** An upload is gone as well when another machine was faster. */
const afterLoss = Effect.fnUntraced(function* <R>(
  job: Job<R>,
  round: number,
  lost: StoreUploadLost
): Effect.fn.Return<void, StagingError | ArchiveError, R | ObjectStore> {
  if (yield* isThere(job.key, job.plan.size)) return
  if (round === maxRounds) return yield* lost
  yield* emit({ _tag: "StagingRestarted", message: lost.message })
  return yield* deliver(job, round + 1)
})

/** Where the answer was lost, the upload may have been begun: then it is the one to use. */
const begin = Effect.fnUntraced(function* (key: string) {
  const store = yield* ObjectStore
  let wasAsked = false
  const attempt = Effect.suspend(() => {
    if (wasAsked) {
      return Effect.flatMap(store.unfinishedOf(key), ([begun]) =>
        begun === undefined ? store.create(key) : Effect.succeed(begun)
      )
    }
    wasAsked = true
    return store.create(key)
  })
  return yield* retrying(attempt)
})

const complete = Effect.fnUntraced(function* <R>(
  { key, plan }: Job<R>,
  upload: UnfinishedUpload,
  parts: ReadonlyArray<StoredPart>
) {
  const store = yield* ObjectStore
  yield* retrying(store.complete(upload, parts)).pipe(
    // What cannot be read may have been a yes.
    Effect.catchTag("StoreAnswerInvalid", (error) =>
      Effect.flatMap(isThere(key, plan.size), (isDone) => (isDone ? Effect.void : error))
    )
  )
})

const confirm = Effect.fnUntraced(function* <R>({ key, plan: { size } }: Job<R>) {
  const store = yield* ObjectStore
  const found = yield* retrying(store.head(key))
  if (Option.exists(found, (object) => object.size === size)) return
  return yield* new StagedArchiveDiffers({
    location: store.locationOf(key),
    expected: size,
    ...Option.match(found, { onNone: () => ({}), onSome: (object) => ({ actual: object.size }) })
  })
})

/** What earlier runs began beside this upload is of no use to anyone. The archive is there all the same when it stays. */
const dropLeftovers = (leftovers: ReadonlyArray<Candidate>) =>
  Effect.flatMap(ObjectStore, (store) =>
    Effect.forEach(
      leftovers,
      ({ upload }) =>
        Effect.catchAll(store.abort(upload), ({ message }) =>
          emit({ _tag: "StagingWarning", code: "LeftoverKept", message })
        ),
      { discard: true }
    )
  )

/** Has every part in the store: those that are there and right are kept, the others are sent. */
const sendParts = Effect.fnUntraced(function* <R>(
  job: Job<R>,
  upload: UnfinishedUpload,
  fitting: ReadonlyArray<StoredPart>
) {
  const { archive, digest, plan } = job
  const listed = new Map(fitting.map((part) => [part.number, part]))
  const withBytesOf = PartReading.make(archive, digest, plan)
  const deliverPart = yield* partDelivery(job, upload)
  return yield* Effect.forEach(
    digest.parts.sha256,
    (sha256, index) => {
      const number = index + 1
      const there = Option.fromNullable(listed.get(number))
      const size = sizeOfPart(plan, number)
      return withBytesOf(number, (bytes) => deliverPart({ number, size, sha256, there, bytes }))
    },
    { concurrency: plan.concurrency }
  )
})

interface Part<out R> {
  readonly number: number
  /** In bytes. */
  readonly size: number
  readonly sha256: string
  /** What the store has of this number and size, whatever its bytes are. */
  readonly there: Option.Option<StoredPart>
  readonly bytes: PartReading.PartBytes<R>
}

/** Has one part in the store: the one that is there, where its bytes are these, or else these are sent. */
const partDelivery = Effect.fnUntraced(function* <R>(job: Job<R>, upload: UnfinishedUpload) {
  const store = yield* ObjectStore
  const { onEvent } = yield* StagingEvents
  let progress = 0
  const moved = (bytes: number) => {
    progress += bytes
    return onEvent({ _tag: "StagingProgress", bytes: progress, total: job.plan.size })
  }

  return Effect.fnUntraced(function* ({ bytes, number, sha256, size, there }: Part<R>) {
    const kept = yield* ifSame(there, size, bytes)
    if (Option.isSome(kept)) {
      yield* emit({ _tag: "PartKept", part: number, bytes: size })
      yield* moved(size)
      return kept.value
    }

    let written = 0
    let hasArrived = false
    const startOver = () => {
      progress -= written
      written = 0
    }
    const onWritten = (total: number) => {
      // A store that has renewed its credentials sends the part once more by itself.
      if (total < written) startOver()
      const more = total - written
      written = total
      job.sent.bytes += more
      return moved(more)
    }
    const put = Effect.suspend(() => {
      startOver()
      return store.putPart(upload, { number, size, body: bytes, sha256, onWritten })
    }).pipe(
      Effect.tapError(() =>
        Effect.sync(() => {
          hasArrived = written === size
        })
      )
    )
    // A part whose answer was lost is asked for before it is sent again.
    const found = Effect.flatMap(store.part(upload, number), (part) => ifSame(part, size, bytes))
    const attempt = Effect.suspend(() =>
      hasArrived ? Effect.flatMap(found, Option.match({ onNone: () => put, onSome: Effect.succeed })) : put
    )
    const taken = yield* retrying(attempt)
    // A transport that tells nothing on the way has sent it all the same.
    if (written < size) yield* onWritten(size)
    job.sent.parts.add(number)
    yield* emit({ _tag: "PartSent", part: number, bytes: size })
    return taken
  })
})

/** What the store has, where it is of these bytes: an entity tag is their MD5. */
const ifSame = <E, R>(
  part: Option.Option<StoredPart>,
  size: number,
  bytes: Stream.Stream<Uint8Array, E, R>
): Effect.Effect<Option.Option<StoredPart>, E, R> =>
  Option.exists(part, (there) => there.size === size && isMd5(there.etag))
    ? Effect.map(md5Of(bytes), (md5) => Option.filter(part, ({ etag }) => etag.toLowerCase() === md5))
    : Effect.succeedNone

/** Others are not worth a reading: a store that encrypts has them. */
const isMd5 = (etag: string): boolean => /^[0-9a-f]{32}$/i.test(etag)

const md5Of = <E, R>(bytes: Stream.Stream<Uint8Array, E, R>): Effect.Effect<string, E, R> =>
  Effect.suspend(() => {
    const hash = createHash("md5")
    const whole = ByteStream.forEach(bytes, (chunk) => Effect.sync(() => hash.update(chunk)))
    return Effect.map(whole, () => hash.digest("hex"))
  })
