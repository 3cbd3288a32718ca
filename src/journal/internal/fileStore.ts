/**
 * One file a record: `<id>.json`, beside it `<id>.lock` while somebody works on it, and `….tmp` for the moment of a
 * write.
 */
import type { PlatformError } from "@effect/platform/Error"
import * as FileSystem from "@effect/platform/FileSystem"
import * as Path from "@effect/platform/Path"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import * as Ref from "effect/Ref"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import { type JournalLocked, type JournalOperation, unavailable } from "../JournalError.ts"
import { JournalId } from "../JournalRecord.ts"
import {
  heartbeat,
  type IsSilent,
  isGone,
  JournalOwner,
  makeIsSilent,
  makeOwner,
  randomToken,
  staleAfterMillis,
  toLocked
} from "./owner.ts"
import { requireOwnFile, requirePrivateFolder } from "./privacy.ts"
import { checkHeldBy, type Holder, type JournalStore, releasedOnFailure, removeUnderLock } from "./store.ts"

const recordEnding = ".json"
const lockEnding = ".lock"

const encoder = new TextEncoder()

export const makeFileStore = Effect.fnUntraced(function* (directory: string) {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const isSilent = yield* makeIsSilent

  const locate = (name: string) => path.join(directory, `${name}${recordEnding}`)
  const locateLock = (id: JournalId) => path.join(directory, `${id}${lockEnding}`)

  const failed =
    (operation: JournalOperation) =>
    <A, R>(effect: Effect.Effect<A, PlatformError, R>) =>
      Effect.mapError(effect, unavailable(directory, operation))

  // Makes the rename itself survive a power cut. Windows cannot open a folder and some network file systems cannot
  // sync one; what is then found after a cut is the record before, which is older but whole.
  const syncFolder = yield* shared(
    Effect.scoped(Effect.flatMap(fs.open(directory), (folder) => folder.sync)).pipe(Effect.ignore)
  )

  const writeSynced = Effect.fnUntraced(function* (file: string, text: string) {
    const handle = yield* fs.open(file, { flag: "wx", mode: 0o600 })
    yield* handle.writeAll(encoder.encode(text))
    yield* handle.sync
  }, Effect.scoped)

  const write = Effect.fnUntraced(function* (name: string, text: string) {
    const temporary = `${locate(name)}.${yield* randomToken}.tmp`
    yield* writeSynced(temporary, text).pipe(
      Effect.zipRight(fs.rename(temporary, locate(name))),
      Effect.onError(() => Effect.ignore(fs.remove(temporary, { force: true })))
    )
    yield* syncFolder
  }, Effect.uninterruptible)

  const entries = Effect.zipRight(requirePrivateFolder(fs, directory), fs.readDirectory(directory)).pipe(
    Effect.catchIf(hasReason("NotFound"), () => Effect.succeed<Array<string>>([]))
  )

  const entriesEndingWith = (ending: string) =>
    Effect.map(entries, (names) =>
      names.filter((name) => name.endsWith(ending)).map((name) => name.slice(0, -ending.length))
    ).pipe(failed("list"))

  /** What owners that died in mid-write left: only the holder of the lock writes, so no living one misses it. */
  const sweep = Effect.fnUntraced(function* (id: JournalId, nowMillis: number) {
    const isOld = (file: string) =>
      Effect.map(fs.stat(file), (info) => nowMillis - touchedMillis(info) >= staleAfterMillis)
    const removeLeftover = (entry: string) => {
      const file = path.join(directory, entry)
      if (entry.startsWith(`${id}${recordEnding}.`) && entry.endsWith(".tmp")) return fs.remove(file)
      return entry.startsWith(`${id}${lockEnding}.`)
        ? Effect.whenEffect(fs.remove(file), isOld(file))
        : Effect.void
    }
    for (const entry of yield* fs.readDirectory(directory)) {
      if (entry.startsWith(id)) yield* Effect.ignore(removeLeftover(entry))
    }
  })

  const firstMissing = (folder: string): Effect.Effect<string, PlatformError> =>
    // Whether a file is there is asked by looking at it: on Deno any other question needs a permission more.
    Effect.flatMap(Effect.isSuccess(fs.stat(path.dirname(folder))), (isThere) =>
      isThere ? Effect.succeed(folder) : firstMissing(path.dirname(folder))
    )

  // On a read-only file system Node says that the folder to be made is not there. Made by itself, the first that is
  // missing says why.
  const makeFolder = fs
    .makeDirectory(directory, { recursive: true, mode: 0o700 })
    .pipe(
      Effect.tapErrorTag("SystemError", ({ reason }) =>
        reason === "NotFound"
          ? Effect.flatMap(firstMissing(path.resolve(directory)), (folder) => fs.makeDirectory(folder))
          : Effect.void
      )
    )

  const requireFolder = requirePrivateFolder(fs, directory).pipe(
    Effect.catchIf(hasReason("NotFound"), () =>
      Effect.zipRight(makeFolder, requirePrivateFolder(fs, directory))
    )
  )

  const lock = Effect.fnUntraced(
    function* (id: JournalId, extensionId: Option.Option<string>) {
      yield* requireFolder
      const held = yield* holdFileLock(fs, isSilent, locateLock(id), id, extensionId)
      yield* sweep(id, held.takenAtMillis)
      const checkContent = checkHeldBy(held.token, directory, failed("lock")(held.holder))
      const check = Effect.asVoid(Effect.unlessEffect(checkContent, held.isUndisturbed))
      const confirm = Effect.if(held.isAsleep, {
        onFalse: () => check,
        onTrue: () =>
          failed("lock")(held.rouse).pipe(Effect.zipRight(checkContent), Effect.zipLeft(held.wake))
      })
      return { check, confirm, write: (text: string) => Effect.zipRight(check, store.write(id, text)) }
    },
    Effect.mapError((error) =>
      error._tag === "JournalLocked" ? error : unavailable(directory, "lock")(error)
    )
  )

  const store: Omit<JournalStore, "removeExactly"> = {
    lock,
    lockedBy: (id) => failed("lock")(livingHolder(fs, isSilent, locateLock(id), id)),
    lockable: Effect.map(entriesEndingWith(lockEnding), (names) => names.filter(isJournalId)),
    names: entriesEndingWith(recordEnding),
    read: (name) =>
      requirePrivateFolder(fs, directory).pipe(
        Effect.zipRight(readFile(fs, locate(name))),
        Effect.map(Option.map(({ text }) => text)),
        Effect.catchIf(hasReason("NotFound"), () => Effect.succeedNone),
        failed("read")
      ),
    write: (name, text) => failed("write")(write(name, text)),
    move: (from, to) =>
      fs
        .rename(locate(from), locate(to))
        .pipe(Effect.zipRight(syncFolder), Effect.uninterruptible, failed("write")),
    remove: (name) =>
      fs
        .remove(locate(name), { force: true })
        .pipe(Effect.zipRight(syncFolder), Effect.uninterruptible, failed("remove")),
    locate
  }
  return { ...store, removeExactly: removeUnderLock(store) } satisfies JournalStore
})

/**
 * Does it once for all who ask while it is being done for others: a sync covers what was there when it began, so whoever asks
 * after that waits for the next one.
 */
const shared = <E>(effect: Effect.Effect<void, E>): Effect.Effect<Effect.Effect<void, E>> =>
  Effect.map(Effect.makeSemaphore(1), (turn) => {
    let asked = 0
    let done = 0
    return Effect.suspend(() => {
      asked += 1
      const mine = asked
      return turn.withPermits(1)(
        Effect.suspend(() => {
          if (done >= mine) return Effect.void
          const covered = asked
          return Effect.tap(effect, () => {
            done = covered
          })
        })
      )
    })
  })

const isJournalId = Schema.is(JournalId)

const hasReason =
  (reason: "AlreadyExists" | "NotFound") =>
  (error: { readonly _tag: string; readonly reason?: string }): boolean =>
    error._tag === "SystemError" && error.reason === reason

interface Content {
  readonly info: FileSystem.File.Info
  readonly text: string
}

const readFile = (
  fs: FileSystem.FileSystem,
  path: string
): Effect.Effect<Option.Option<Content>, PlatformError> =>
  requireOwnFile(fs, path).pipe(
    Effect.flatMap((info) => Effect.map(fs.readFileString(path), (text) => Option.some({ info, text }))),
    Effect.catchIf(hasReason("NotFound"), () => Effect.succeedNone)
  )

/** By the clock of the file system, which every machine that shares the folder agrees on. */
const touchedMillis = (info: FileSystem.File.Info): number =>
  Option.match(info.mtime, { onNone: () => Number.POSITIVE_INFINITY, onSome: (date) => date.getTime() })

const OwnerJson = Schema.parseJson(JournalOwner)
const decodeOwner = Schema.decodeOption(OwnerJson)
const encodeOwner = Schema.encodeSync(OwnerJson)

/** A lock file that we have made, open, and what it is known by. */
interface Signed {
  readonly file: FileSystem.File
  readonly info: FileSystem.File.Info
}

interface FileHolder extends Holder {
  /** The token is its owner's; of a lock whose owner died before signing it in its place, one made of its age. */
  readonly owner: Option.Option<JournalOwner>
  readonly touchedMillis: number
}

const inspect = (fs: FileSystem.FileSystem, path: string, id: JournalId) =>
  Effect.map(
    readFile(fs, path),
    Option.map(({ info, text }): FileHolder => {
      const owner = decodeOwner(text)
      const touched = touchedMillis(info)
      return {
        token: Option.match(owner, { onNone: () => `unsigned-${touched}`, onSome: ({ token }) => token }),
        locked: toLocked(
          id,
          Option.getOrElse(owner, () => ({ acquiredAtMillis: Math.floor(touched) }))
        ),
        owner,
        touchedMillis: touched
      }
    })
  )

const isKnownGone = (holder: FileHolder): Effect.Effect<boolean> =>
  Option.match(holder.owner, { onNone: () => Effect.succeed(false), onSome: isGone })

const isDead = Effect.fnUntraced(function* (
  isSilent: IsSilent,
  path: string,
  holder: FileHolder,
  nowMillis: number
) {
  const silent = yield* isSilent(path, `${holder.token} ${holder.touchedMillis}`)
  return silent || nowMillis - holder.touchedMillis >= staleAfterMillis || (yield* isKnownGone(holder))
})

const livingHolder = Effect.fnUntraced(function* (
  fs: FileSystem.FileSystem,
  isSilent: IsSilent,
  path: string,
  id: JournalId
) {
  const holder = yield* inspect(fs, path, id)
  const now = yield* Clock.currentTimeMillis
  const living = yield* Effect.transposeMapOption(holder, (found) =>
    Effect.map(isDead(isSilent, path, found, now), (dead) =>
      dead ? Option.none() : Option.some(found.locked)
    )
  )
  return Option.flatten(living)
})

/**
 * Holds the lock at `path` until the scope closes. That of a dead owner is taken over: at once where its process can be
 * looked for, else when it has not been renewed for `staleAfterMillis`.
 */
const holdFileLock = Effect.fnUntraced(function* (
  fs: FileSystem.FileSystem,
  isSilent: IsSilent,
  lockPath: string,
  id: JournalId,
  extensionId: Option.Option<string>
) {
  const owner = yield* makeOwner(extensionId)
  const signature = encoder.encode(encodeOwner(owner))

  /** Exactly one process creates a file that must not exist yet. */
  const sign = Effect.fnUntraced(function* (path: string) {
    const file = yield* fs.open(path, { flag: "ax", mode: 0o600 })
    return yield* Effect.zipRight(file.writeAll(signature), file.stat).pipe(
      Effect.map((info): Signed => ({ file, info })),
      Effect.onError(() => Effect.ignore(fs.remove(path)))
    )
  })

  /**
   * Signed under another name and linked, so that whoever is killed here leaves no lock without its owner. On a file
   * system without hard links it is signed in its place.
   */
  const create = Effect.fnUntraced(function* (path: string) {
    const draft = `${path}.${owner.token}.draft`
    const signed = yield* Effect.flatMap(sign(draft), (signed) =>
      fs.link(draft, path).pipe(
        Effect.as(signed),
        Effect.catchIf(Predicate.not(hasReason("AlreadyExists")), () => sign(path)),
        Effect.ensuring(Effect.ignore(fs.remove(draft)))
      )
    )
    yield* Effect.addFinalizer(() =>
      Effect.ignore(Effect.whenEffect(fs.remove(path), isInPlace(path, signed.info)))
    )
    return signed
  }, releasedOnFailure)

  /** Whether the file that we signed is the one at `path`, and not one that somebody has put there since. */
  const isInPlace = (path: string, { dev, ino }: FileSystem.File.Info) =>
    Option.match(ino, {
      // One that is open keeps its number to itself.
      onSome: (number) =>
        Effect.map(fs.stat(path), (found) => found.dev === dev && Option.contains(found.ino, number)),
      onNone: () =>
        Effect.map(
          inspect(fs, path, id),
          Option.exists(({ token }) => token === owner.token)
        )
    })

  const acquire = (path: string): Effect.Effect<Signed, JournalLocked | PlatformError, Scope.Scope> =>
    create(path).pipe(
      Effect.tapError((error) => Effect.when(clear(path), () => hasReason("AlreadyExists")(error))),
      Effect.retry({ while: hasReason("AlreadyExists") })
    )

  const clear = (path: string) =>
    Effect.flatMap(
      inspect(fs, path, id),
      Option.match({
        onNone: () => Effect.void,
        onSome: (holder) => clearDead(path, holder)
      })
    )

  /**
   * Removes the lock of a dead owner. The right to do so is itself a lock, named after that owner: of many who find the
   * same dead owner one gets it, and nobody removes the lock of whoever came next.
   */
  const clearDead = (path: string, holder: FileHolder) =>
    Effect.gen(function* () {
      const right = yield* acquire(`${path}.${holder.token}`)
      const now = touchedMillis(right.info)
      const current = yield* inspect(fs, path, id)
      if (Option.isNone(current) || current.value.token !== holder.token) return
      if (!(yield* isDead(isSilent, path, current.value, now))) return yield* holder.locked
      yield* fs.remove(path, { force: true })
    }).pipe(
      // Who clears a dead owner's lock is about to hold it; who merely looks at a living one's is of no interest.
      Effect.catchTag("JournalLocked", (other) =>
        Effect.flatMap(isKnownGone(holder), (gone) => (gone ? other : holder.locked))
      ),
      Effect.scoped
    )

  const { file, info } = yield* acquire(lockPath)
  const asleep = yield* makeAsleep
  const isOurs = isInPlace(lockPath, info)
  // One that was begun is finished, or it might find its handle closed.
  const renewal = Effect.uninterruptible(Effect.zipRight(renew(file, signature.length), isOurs))
  // A lock that was taken over is not renewed any more, and whoever asks for it is told. One that could not be renewed may be
  // the next time, and until then its owner does not pass for awake.
  yield* renewal.pipe(
    Effect.tap((ours) => Effect.when(asleep.wake, () => ours)),
    Effect.orElseSucceed(() => true),
    Effect.repeat({ schedule: Schedule.spaced(heartbeat), while: (ours) => ours }),
    Effect.delay(heartbeat),
    Effect.interruptible,
    Effect.forkScoped
  )
  return {
    token: owner.token,
    /** Whoever the file says holds it: us, unless we were taken for dead. */
    holder: inspect(fs, lockPath, id),
    /**
     * Whether the lock is ours for certain, without a look into its file: nobody takes it from an owner who is awake, and of
     * one that was removed or replaced for another reason its place tells. After a sleep the content has to be asked: a file
     * system of another machine may show the old file for a while, unless it is opened.
     */
    isUndisturbed: Effect.flatMap(asleep.isAsleep, (isAsleep) =>
      isAsleep ? Effect.succeed(false) : Effect.orElseSucceed(isOurs, () => false)
    ),
    isAsleep: asleep.isAsleep,
    /** After a sleep somebody may be about to take over: by the end of this, they have, or have found us alive. */
    rouse: Effect.zipRight(Effect.ignore(renewal), Effect.sleep(takeoverMillis)),
    wake: asleep.wake,
    takenAtMillis: touchedMillis(info)
  }
}, Effect.uninterruptible)

const lineEnd = encoder.encode("\n")

const renew = (file: FileSystem.File, signedBytes: number) =>
  // Through the open handle, which is the file that was locked and never one that took its place; and by an end of line that
  // comes and goes, because Bun writes on from its last write wherever it is told to; who reads meanwhile reads the same.
  Effect.zipRight(file.writeAll(lineEnd), file.truncate(signedBytes))

/** How long somebody who found a lock silent takes to have it. */
const takeoverMillis = 2_000

/** Well before others take us for dead. */
const asleepMillis = 20_000

/**
 * Whether this process was asleep: for want of renewals, by the clock that no change of the time moves, and by the other one,
 * which goes on while a machine is suspended.
 */
const makeAsleep = Effect.gen(function* () {
  const read = Effect.zip(
    Effect.map(Clock.currentTimeNanos, (nanos) => Number(nanos) / 1e6),
    Clock.currentTimeMillis
  )
  const awakeAt = yield* Ref.make(yield* read)
  return {
    wake: Effect.flatMap(read, (now) => Ref.set(awakeAt, now)),
    isAsleep: Effect.zipWith(
      read,
      Ref.get(awakeAt),
      ([monotonic, wall], [monotonicThen, wallThen]) =>
        Math.max(monotonic - monotonicThen, wall - wallThen) >= asleepMillis
    )
  }
})
