/** From an archive to an object: what is there is kept, the rest is sent, and then they are put together. */
import { createHash } from "node:crypto"
import * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import * as FiberSet from "effect/FiberSet"
import * as Option from "effect/Option"
import * as Order from "effect/Order"
import type * as Stream from "effect/Stream"
import type { Archive } from "../../../archive/Archive.ts"
import * as ArchiveDigest from "../../../archive/ArchiveDigest.ts"
import { ArchiveChanged, type ArchiveError } from "../../../archive/ArchiveError.ts"
import * as ByteStream from "../../../byteStream.ts"
import type { StagedArchive, StageOptions } from "../../ArchiveStaging.ts"
import { ObjectStore, type StoredPart, type UnfinishedUpload } from "../../ObjectStore.ts"
import { StagedArchiveDiffers, type StagingError, type StoreUploadLost } from "../../StagingError.ts"
import { emit, nobody, retrying, StagingEvents } from "../../StagingEvent.ts"
import * as PartSources from "./partSources.ts"
import {
  type Candidate,
  candidates,
  isThere,
  offsetOfPart,
  type Plan,
  planOf,
  sizeOfPart,
  sumOf
} from "./parts.ts"

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

/** A part whose bytes were read once, and were those of the digest. */
interface Part<out R> {
  readonly number: number
  /** In bytes. */
  readonly size: number
  readonly sha256: string
  /** What the store has already of exactly these bytes. */
  readonly kept: Option.Option<StoredPart>
  /** Read anew with each run, one after the other. Of a file they are not certain to be the same. */
  readonly bytes: Stream.Stream<Uint8Array, ArchiveError, R>
}

/** Reads the archive once, to its end, and has every part in the store by then. */
const sendParts = Effect.fnUntraced(function* <R>(
  job: Job<R>,
  upload: UnfinishedUpload,
  fitting: ReadonlyArray<StoredPart>
) {
  const { archive, digest, plan } = job
  const sources = PartSources.make(archive, digest, plan)
  const listed = new Map(fitting.map((part) => [part.number, part]))
  const sending = yield* FiberSet.make<void, StagingError | ArchiveError>()
  const deliverPart = yield* partDelivery(job, upload)
  const stored: Array<StoredPart> = []

  const dispatch = (part: Part<R>, source: PartSources.PartSource<R>) =>
    deliverPart(part).pipe(
      Effect.flatMap((taken) =>
        Effect.sync(() => {
          stored.push(taken)
        })
      ),
      Effect.ensuring(sources.give(source)),
      FiberSet.run(sending)
    )

  /** What takes the bytes of the next part: nothing is read for a part before there is room for it. */
  const begin = (number: number) =>
    Effect.map(sources.take, (source) => {
      const there = listed.get(number)
      const size = sizeOfPart(plan, number)
      const hash = makeHash(there !== undefined)
      let filled = 0
      return {
        /** Takes what belongs to the part, and tells what is left. */
        accept: (bytes: Uint8Array): Uint8Array => {
          const piece = bytes.subarray(0, size - filled)
          hash.update(piece)
          source.accept(piece, filled)
          filled += piece.length
          return bytes.subarray(piece.length)
        },
        isWhole: () => filled === size,
        dispatch: Effect.suspend(() => {
          const { md5, sha256 } = hash.digest()
          const kept = Option.filter(Option.fromNullable(there), (part) => isMd5(part, md5))
          return dispatch({ number, size, sha256, kept, bytes: source.bytesOf(number) }, source)
        })
      }
    })

  let number = 1
  let current = yield* begin(number)
  const accept = (chunk: Uint8Array): Effect.Effect<void, never, R> => {
    const rest = current.accept(chunk)
    if (!current.isWhole()) return Effect.void
    return Effect.flatMap(current.dispatch, () => {
      number += 1
      if (number > plan.count) return Effect.void
      return Effect.flatMap(begin(number), (next) => {
        current = next
        return rest.length === 0 ? Effect.void : accept(rest)
      })
    })
  }

  const failure = FiberSet.join(sending)
  const bytes = ArchiveDigest.verifying(digest, archive, { offset: 0, ...sources.reading })
  const reading = ByteStream.forEach(bytes, accept).pipe(
    Effect.zipRight(FiberSet.awaitEmpty(sending)),
    // The last fiber may have gone because it failed.
    Effect.zipRight(Effect.suspend(() => (stored.length === plan.count ? Effect.void : failure)))
  )
  yield* Effect.raceFirst(reading, failure)
  return Arr.sortWith(stored, (part) => part.number, Order.number)
}, Effect.scoped)

/** Has one part in the store: the one that is there, where its bytes are these, or else these are sent. */
const partDelivery = Effect.fnUntraced(function* <R>(job: Job<R>, upload: UnfinishedUpload) {
  const store = yield* ObjectStore
  const { onEvent } = yield* StagingEvents
  let progress = 0
  const moved = (bytes: number) => {
    progress += bytes
    return onEvent({ _tag: "StagingProgress", bytes: progress, total: job.plan.size })
  }

  return Effect.fnUntraced(function* ({ bytes, kept, number, sha256, size }: Part<R>) {
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
      job.bytesSent += more
      return moved(more)
    }
    /** The MD5 of the part, which is still the same one. */
    const md5Again = Effect.flatMap(hashesOf(bytes), (again): Effect.Effect<string, ArchiveChanged> => {
      if (again.sha256 === sha256) return Effect.succeed(again.md5)
      const start = offsetOfPart(job.plan, number)
      const detail = `bytes ${start} to ${start + size} are not those that were digested`
      return new ArchiveChanged({ path: job.archive.path, reason: "Modified", detail })
    })
    const put = Effect.suspend(() => {
      startOver()
      return store.putPart(upload, { number, size, body: bytes, sha256, onWritten })
    }).pipe(
      Effect.tapError(() =>
        Effect.sync(() => {
          hasArrived = written === size
        })
      ),
      // That may be the line's doing, or the archive's.
      Effect.tapErrorTag("StorePartRefused", ({ reason }) =>
        reason === "WrongBytes" ? md5Again : Effect.void
      )
    )
    // A part whose answer was lost is asked for before it is sent again.
    const found = Effect.gen(function* () {
      const part = yield* store.part(upload, number)
      if (!Option.exists(part, (found) => found.size === size)) return Option.none()
      const md5 = yield* md5Again
      return Option.filter(part, (found) => isMd5(found, md5))
    })
    const attempt = Effect.suspend(() =>
      hasArrived ? Effect.flatMap(found, Option.match({ onNone: () => put, onSome: Effect.succeed })) : put
    )
    const taken = yield* retrying(attempt)
    // A transport that tells nothing on the way has sent it all the same.
    if (written < size) yield* onWritten(size)
    job.sent.add(number)
    yield* emit({ _tag: "PartSent", part: number, bytes: size })
    return taken
  })
})

const isMd5 = ({ etag }: StoredPart, md5: string): boolean => etag.toLowerCase() === md5

/** What a part is recognised by, in hex. */
interface Hashes {
  readonly sha256: string
  /** Empty where it was not asked for: it takes more time than the other. */
  readonly md5: string
}

/** On this thread: the other ways copy the bytes first, and the copies take more memory than the parts. */
const makeHash = (isMd5Wanted: boolean) => {
  const sha256 = createHash("sha256")
  const md5 = isMd5Wanted ? createHash("md5") : undefined
  return {
    update: (bytes: Uint8Array): void => {
      sha256.update(bytes)
      md5?.update(bytes)
    },
    digest: (): Hashes => ({ sha256: sha256.digest("hex"), md5: md5?.digest("hex") ?? "" })
  }
}

const hashesOf = <E, R>(bytes: Stream.Stream<Uint8Array, E, R>): Effect.Effect<Hashes, E, R> =>
  Effect.suspend(() => {
    const hash = makeHash(true)
    const whole = ByteStream.forEach(bytes, (chunk) => Effect.sync(() => hash.update(chunk)))
    return Effect.map(whole, hash.digest)
  })
