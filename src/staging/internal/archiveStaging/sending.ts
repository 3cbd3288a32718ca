/** From an archive to an object: what is there is kept, the rest is sent, and then they are put together. */
import { createHash } from "node:crypto"
import * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import * as FiberSet from "effect/FiberSet"
import * as Option from "effect/Option"
import * as Order from "effect/Order"
import * as Stream from "effect/Stream"
import type { Archive } from "../../../archive/Archive.ts"
import * as ArchiveDigest from "../../../archive/ArchiveDigest.ts"
import type { ArchiveError } from "../../../archive/ArchiveError.ts"
import * as ByteStream from "../../../byteStream.ts"
import type { StagedArchive, StageOptions } from "../../ArchiveStaging.ts"
import { ObjectStore, type StoredPart, type UnfinishedUpload } from "../../ObjectStore.ts"
import { StagedArchiveDiffers, type StagingError, type StoreUploadLost } from "../../StagingError.ts"
import { emit, nobody, retrying, StagingEvents } from "../../StagingEvent.ts"
import { type Candidate, candidates, isThere, type Plan, planOf, sizeOfPart, sumOf } from "./parts.ts"

/** One archive on its way. Mutable: made per run, inside an Effect. */
interface Job<R> {
  readonly archive: Archive<R>
  readonly digest: ArchiveDigest.ArchiveDigest
  readonly key: string
  readonly plan: Plan
  /** Parts that this run has sent and the store has taken. */
  readonly sent: Set<number>
  /** Bytes of parts that left, those of failed attempts included. */
  bytesSent: number
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
  const job: Job<R> = { archive, digest, key, plan, sent: new Set(), bytesSent: 0 }
  const wasThere = yield* isThere(key, size)
  if (!wasThere) yield* deliver(job, 1)
  yield* emit({ _tag: "StagingCompleted", location, wasThere })
  const bytesOfParts = [...job.sent].reduce((sum, number) => sum + sizeOfPart(plan, number), 0)
  return {
    location,
    key,
    size,
    sha256,
    bytesSent: job.bytesSent,
    bytesKept: size - bytesOfParts,
    partsSent: job.sent.size,
    partsKept: count - job.sent.size
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

/** Reads the archive once, to its end, and has every part in the store by then. */
const sendParts = Effect.fnUntraced(function* <R>(
  job: Job<R>,
  upload: UnfinishedUpload,
  fitting: ReadonlyArray<StoredPart>
) {
  const { archive, digest, plan } = job
  const buffers = makeBuffers(plan)
  const sending = yield* FiberSet.make<void, StagingError>()
  const deliverPart = yield* partDelivery(job, upload, fitting)
  const stored: Array<StoredPart> = []

  const dispatch = (number: number, buffer: Uint8Array) =>
    deliverPart(number, buffer.subarray(0, sizeOfPart(plan, number))).pipe(
      Effect.flatMap((part) =>
        Effect.sync(() => {
          stored.push(part)
        })
      ),
      Effect.ensuring(buffers.give(buffer)),
      FiberSet.run(sending)
    )

  let number = 1
  let filled = 0
  let buffer: Uint8Array | undefined
  /** A file is read into the very buffers that are sent. */
  const into = Effect.map(buffers.take, (taken) => {
    buffer = taken
    return taken.subarray(0, sizeOfPart(plan, number))
  })
  const accept = (chunk: Uint8Array): Effect.Effect<void> => {
    if (chunk.length === 0) return Effect.void
    if (buffer === undefined) return Effect.flatMap(into, () => accept(chunk))
    const piece = chunk.subarray(0, sizeOfPart(plan, number) - filled)
    if (chunk.buffer !== buffer.buffer) buffer.set(piece, filled)
    filled += piece.length
    if (filled < sizeOfPart(plan, number)) return Effect.void
    const dispatched = dispatch(number, buffer)
    buffer = undefined
    filled = 0
    number += 1
    return Effect.flatMap(dispatched, () => accept(chunk.subarray(piece.length)))
  }

  const failure = FiberSet.join(sending)
  const bytes = ArchiveDigest.verifying(digest, archive, { offset: 0, into })
  const reading = ByteStream.forEach(bytes, accept).pipe(
    Effect.zipRight(FiberSet.awaitEmpty(sending)),
    // The last fiber may have gone because it failed.
    Effect.zipRight(Effect.suspend(() => (stored.length === plan.count ? Effect.void : failure)))
  )
  yield* Effect.raceFirst(reading, failure)
  return Arr.sortWith(stored, (part) => part.number, Order.number)
}, Effect.scoped)

/** As many buffers as parts may be under way, each made when it is first needed and used again and again. */
const makeBuffers = ({ concurrency, partBytes, size }: Plan) => {
  const permits = Effect.unsafeMakeSemaphore(concurrency)
  const free: Array<Uint8Array> = []
  return {
    take: Effect.map(permits.take(1), () => free.pop() ?? new Uint8Array(Math.min(partBytes, size))),
    give: (buffer: Uint8Array) =>
      Effect.suspend(() => {
        free.push(buffer)
        return permits.release(1)
      })
  }
}

/** Has one part in the store: the one that is there, where its bytes are these, or else these are sent. */
const partDelivery = Effect.fnUntraced(function* <R>(
  job: Job<R>,
  upload: UnfinishedUpload,
  fitting: ReadonlyArray<StoredPart>
) {
  const store = yield* ObjectStore
  const { onEvent } = yield* StagingEvents
  const listed = new Map(fitting.map((part) => [part.number, part]))
  let progress = 0
  const moved = (bytes: number) => {
    progress += bytes
    return onEvent({ _tag: "StagingProgress", bytes: progress, total: job.plan.size })
  }

  return Effect.fnUntraced(function* (number: number, bytes: Uint8Array) {
    const there = listed.get(number)
    if (there !== undefined && holds(there, bytes)) {
      yield* emit({ _tag: "PartKept", part: number, bytes: bytes.length })
      yield* moved(bytes.length)
      return there
    }

    const part = { number, size: bytes.length, body: Stream.succeed(bytes), sha256: hexOf("sha256", bytes) }
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
      job.bytesSent += more
      return moved(more)
    }
    const put = Effect.suspend(() => {
      startOver()
      return store.putPart(upload, { ...part, onWritten })
    }).pipe(
      Effect.tapError(() =>
        Effect.sync(() => {
          hasArrived = written === bytes.length
        })
      )
    )
    // A part whose answer was lost is asked for before it is sent again.
    const attempt = Effect.suspend(() =>
      hasArrived
        ? Effect.flatMap(store.part(upload, number), (found) =>
            Option.match(
              Option.filter(found, (part) => holds(part, bytes)),
              {
                onNone: () => put,
                onSome: Effect.succeed
              }
            )
          )
        : put
    )
    const taken = yield* retrying(attempt)
    // A transport that tells nothing on the way has sent it all the same.
    if (written < bytes.length) yield* onWritten(bytes.length)
    job.sent.add(number)
    yield* emit({ _tag: "PartSent", part: number, bytes: bytes.length })
    return taken
  })
})

const holds = ({ etag, size }: StoredPart, bytes: Uint8Array): boolean =>
  size === bytes.length && etag.toLowerCase() === hexOf("md5", bytes)

/** On this thread: the other ways copy the bytes first, and the copies take more memory than the parts. */
const hexOf = (algorithm: "md5" | "sha256", bytes: Uint8Array): string =>
  createHash(algorithm).update(bytes).digest("hex")
