import type { PlatformError } from "@effect/platform/Error"
import * as FileSystem from "@effect/platform/FileSystem"
import * as Path from "@effect/platform/Path"
import * as Effect from "effect/Effect"
import type { JournalOperation } from "../JournalError.ts"
import type { JournalId } from "../JournalRecord.ts"
import { hasReason, holdFileLock, touchedMillis } from "./fileLock.ts"
import { randomToken, staleAfterMillis } from "./owner.ts"
import { checkOf, type JournalStore, unavailable } from "./store.ts"

const extension = ".json"

/**
 * One file a record: `<id>.json`, beside it `<id>.lock` while somebody works on it, and `….tmp` for the moment of a
 * write.
 */
export const makeFileStore = (
  directory: string
): Effect.Effect<JournalStore, never, FileSystem.FileSystem | Path.Path> =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const path = yield* Path.Path
    const locate = (name: string) => path.join(directory, `${name}${extension}`)
    const failed =
      (operation: JournalOperation) =>
      <A, R>(effect: Effect.Effect<A, PlatformError, R>) =>
        Effect.mapError(effect, unavailable(directory, operation))

    // Makes the rename itself survive a power cut. Windows cannot open a folder and some network file systems cannot
    // sync one; what is then found after a cut is the record before, which is older but whole.
    const syncFolder = Effect.scoped(Effect.flatMap(fs.open(directory), (folder) => folder.sync)).pipe(
      Effect.ignore
    )

    const writeSynced = (file: string, text: string) =>
      Effect.gen(function* () {
        const handle = yield* fs.open(file, { flag: "wx", mode: 0o600 })
        yield* handle.writeAll(new TextEncoder().encode(text))
        yield* handle.sync
      }).pipe(Effect.scoped)

    const write = (name: string, text: string) =>
      Effect.gen(function* () {
        const temporary = `${locate(name)}.${yield* randomToken}.tmp`
        yield* writeSynced(temporary, text).pipe(
          Effect.zipRight(fs.rename(temporary, locate(name))),
          Effect.onError(() => Effect.ignore(fs.remove(temporary, { force: true })))
        )
        yield* syncFolder
      }).pipe(Effect.uninterruptible)

    const entries = fs
      .readDirectory(directory)
      .pipe(Effect.catchIf(hasReason("NotFound"), () => Effect.succeed<Array<string>>([])))

    /** What owners that died in mid-write left: only the holder of the lock writes, so no living one misses it. */
    const sweep = (id: JournalId, nowMillis: number) => {
      const isOld = (file: string) =>
        Effect.map(fs.stat(file), (info) => nowMillis - touchedMillis(info) >= staleAfterMillis)
      const removeLeftover = (entry: string) => {
        const file = path.join(directory, entry)
        if (entry.startsWith(`${id}${extension}.`) && entry.endsWith(".tmp")) return fs.remove(file)
        return entry.startsWith(`${id}.lock.`) ? Effect.whenEffect(fs.remove(file), isOld(file)) : Effect.void
      }
      return Effect.gen(function* () {
        for (const entry of yield* entries) yield* Effect.ignore(removeLeftover(entry))
      })
    }

    const lock = (id: JournalId, extensionId: string | undefined) =>
      Effect.gen(function* () {
        yield* fs.makeDirectory(directory, { recursive: true, mode: 0o700 })
        const held = yield* holdFileLock(fs, { path: path.join(directory, `${id}.lock`), id, extensionId })
        yield* sweep(id, held.takenAtMillis)
        return { check: checkOf(directory, failed("lock")(held.holder)) }
      })

    return {
      lock: (id, extensionId) =>
        Effect.mapError(lock(id, extensionId), (error) =>
          error._tag === "JournalLocked" ? error : unavailable(directory, "lock")(error)
        ),
      names: Effect.map(entries, (names) =>
        names.filter((name) => name.endsWith(extension)).map((name) => name.slice(0, -extension.length))
      ).pipe(failed("list")),
      read: (name) =>
        Effect.asSome(fs.readFileString(locate(name))).pipe(
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
    } satisfies JournalStore
  })
