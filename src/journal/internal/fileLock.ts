import type * as PlatformError from "@effect/platform/Error"
import type * as FileSystem from "@effect/platform/FileSystem"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import type { JournalLocked } from "../JournalError.ts"
import type { JournalId } from "../JournalRecord.ts"
import { heartbeatMillis, isGone, JournalOwner, lockedBy, makeOwner, staleAfterMillis } from "./owner.ts"
import { releasedOnFailure } from "./scopes.ts"

const OwnerJson = Schema.parseJson(JournalOwner)
const decodeOwner = Schema.decodeOption(OwnerJson)
const encodeOwner = Schema.encodeSync(OwnerJson)

export const hasReason =
  (reason: "AlreadyExists" | "NotFound") =>
  (error: { readonly _tag: string; readonly reason?: string }): boolean =>
    error._tag === "SystemError" && error.reason === reason

/** By the clock of the file system, which every machine that shares the folder agrees on. */
export const touchedMillis = (info: FileSystem.File.Info): number =>
  Option.match(info.mtime, { onNone: () => Number.POSITIVE_INFINITY, onSome: (date) => date.getTime() })

/** Whoever holds a lock, as its file shows it. */
interface Holder {
  /** Its owner's; of a lock whose owner died before signing it in its place, one made of its age. */
  readonly token: string
  readonly owner: Option.Option<JournalOwner>
  readonly touchedMillis: number
}

const inspect = (
  fs: FileSystem.FileSystem,
  path: string
): Effect.Effect<Option.Option<Holder>, PlatformError.PlatformError> =>
  Effect.zipWith(fs.stat(path), fs.readFileString(path), (info, text) => {
    const owner = decodeOwner(text)
    const token = Option.match(owner, {
      onNone: () => `unsigned-${touchedMillis(info)}`,
      onSome: (known) => known.token
    })
    return Option.some({ token, owner, touchedMillis: touchedMillis(info) })
  }).pipe(Effect.catchIf(hasReason("NotFound"), () => Effect.succeedNone))

const locked = (id: JournalId, holder: Holder): JournalLocked =>
  lockedBy(
    id,
    Option.getOrElse(holder.owner, () => ({ acquiredAtMillis: Math.floor(holder.touchedMillis) }))
  )

const isKnownGone = (holder: Holder): Effect.Effect<boolean> =>
  Option.match(holder.owner, { onNone: () => Effect.succeed(false), onSome: isGone })

const isDead = (holder: Holder, nowMillis: number): Effect.Effect<boolean> =>
  nowMillis - holder.touchedMillis >= staleAfterMillis ? Effect.succeed(true) : isKnownGone(holder)

const encoder = new TextEncoder()

const make = (fs: FileSystem.FileSystem, id: JournalId, owner: JournalOwner) => {
  const signature = encoder.encode(encodeOwner(owner))

  /** Exactly one process creates a file that must not exist yet. */
  const sign = (path: string) =>
    Effect.gen(function* () {
      const file = yield* fs.open(path, { flag: "ax", mode: 0o600 })
      yield* Effect.onError(file.writeAll(signature), () => Effect.ignore(fs.remove(path)))
      return file
    })

  /**
   * Signed under another name and linked, so that whoever is killed here leaves no lock without its owner. A file system
   * without hard links has to do with signing it in its place.
   */
  const create = (path: string) =>
    Effect.gen(function* () {
      const draft = `${path}.${owner.token}.draft`
      const signed = yield* sign(draft)
      const file = yield* fs.link(draft, path).pipe(
        Effect.as(signed),
        Effect.catchIf(Predicate.not(hasReason("AlreadyExists")), () => sign(path)),
        Effect.ensuring(Effect.ignore(fs.remove(draft)))
      )
      yield* Effect.addFinalizer(() => release(path))
      return file
    }).pipe(releasedOnFailure)

  const release = (path: string) =>
    inspect(fs, path).pipe(
      Effect.flatMap((holder) =>
        Option.exists(holder, ({ token }) => token === owner.token) ? fs.remove(path) : Effect.void
      ),
      Effect.ignore
    )

  const acquire = (
    path: string
  ): Effect.Effect<FileSystem.File, JournalLocked | PlatformError.PlatformError, Scope.Scope> =>
    create(path).pipe(
      Effect.catchIf(hasReason("AlreadyExists"), () =>
        inspect(fs, path).pipe(
          Effect.flatMap(Effect.transposeMapOption((holder: Holder) => clear(path, holder))),
          Effect.zipRight(Effect.suspend(() => acquire(path)))
        )
      )
    )

  /**
   * Removes the lock of a dead owner. The right to do so is itself a lock, named after that owner: of many who find the
   * same dead owner one gets it, and nobody removes the lock of whoever came next.
   */
  const clear = (path: string, holder: Holder) =>
    Effect.gen(function* () {
      const right = yield* acquire(`${path}.${holder.token}`)
      const now = touchedMillis(yield* right.stat)
      const current = yield* inspect(fs, path)
      if (Option.isNone(current) || current.value.token !== holder.token) return
      if (!(yield* isDead(current.value, now))) return yield* locked(id, holder)
      yield* fs.remove(path, { force: true })
    }).pipe(
      // Who clears a dead owner's lock is about to hold it; who merely looks at a living one's is of no interest.
      Effect.catchTag("JournalLocked", (other) =>
        Effect.flatMap(isKnownGone(holder), (gone) => (gone ? other : locked(id, holder)))
      ),
      Effect.scoped
    )

  return { acquire, signature }
}

const lineEnd = encoder.encode("\n")

/** Fails softly: whether the lock is still ours is asked before every write to the journal. */
const heartbeat = (file: FileSystem.File, signedBytes: number) =>
  // Through the open handle, which is the file that was locked and never one that took its place; and by an end of line that
  // comes and goes, because Bun writes on from its last write wherever it is told to; who reads meanwhile reads the same.
  // A write that was begun is finished, or it might find its handle closed.
  Effect.zipRight(file.writeAll(lineEnd), file.truncate(signedBytes)).pipe(
    Effect.ignore,
    Effect.uninterruptible,
    Effect.schedule(Schedule.spaced(heartbeatMillis)),
    Effect.interruptible
  )

export interface FileLock {
  /** Whoever the file says holds it: us, unless we were taken for dead. */
  readonly holder: Effect.Effect<Option.Option<"Us" | JournalLocked>, PlatformError.PlatformError>
  readonly takenAtMillis: number
}

/**
 * Holds the lock at `path` until the scope closes. That of a dead owner is taken over: at once where its process can be
 * looked for, else when it has not been renewed for `staleAfterMillis`.
 */
export const holdFileLock = (
  fs: FileSystem.FileSystem,
  options: { readonly path: string; readonly id: JournalId; readonly extensionId: string | undefined }
): Effect.Effect<FileLock, JournalLocked | PlatformError.PlatformError, Scope.Scope> =>
  Effect.gen(function* () {
    const owner = yield* makeOwner(options.extensionId)
    const { acquire, signature } = make(fs, options.id, owner)
    const file = yield* acquire(options.path)
    yield* Effect.forkScoped(heartbeat(file, signature.length))
    const describe = (holder: Holder) => (holder.token === owner.token ? "Us" : locked(options.id, holder))
    return {
      holder: Effect.map(inspect(fs, options.path), Option.map(describe)),
      takenAtMillis: touchedMillis(yield* file.stat)
    }
  }).pipe(Effect.uninterruptible)
