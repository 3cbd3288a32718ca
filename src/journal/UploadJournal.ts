/**
 * The memory of uploads: one record each, written before a byte leaves and kept until the outcome is known, so that
 * another process can go on where this one stopped.
 *
 * @since 0.1.0
 */
import type * as FileSystem from "@effect/platform/FileSystem"
import * as KeyValueStore from "@effect/platform/KeyValueStore"
import * as Path from "@effect/platform/Path"
import * as Config from "effect/Config"
import * as ConfigError from "effect/ConfigError"
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import * as Struct from "effect/Struct"
import { makeFileStore } from "./internal/fileStore.ts"
import { makeKeyValueStore } from "./internal/keyValueStore.ts"
import { makeJournal } from "./internal/uploadJournal.ts"
import type { JournalCorrupt, JournalError, JournalLocked, JournalUnavailable } from "./JournalError.ts"
import type { JournalDelivery, JournalId, JournalKey, JournalRecord } from "./JournalRecord.ts"

/**
 * The exclusive right to one upload, and its record.
 *
 * A holder that was silent for 30 seconds (its process stopped, its machine asleep) is taken for dead and may have been
 * succeeded. It learns so from the next write or `confirm`, which fails with `JournalLocked` and changes nothing.
 *
 * @since 0.1.0
 * @category models
 */
export interface JournalSession {
  readonly id: JournalId
  /**
   * The record as last read or saved. Its upload resource stays in it when it should have expired: clocks differ, and only its
   * server knows.
   */
  readonly record: Effect.Effect<Option.Option<JournalRecord>>
  /** Has reached the disk when it returns. Sets `updatedAtMillis`. Cannot be interrupted half-way. */
  readonly save: (record: JournalRecord) => Effect.Effect<void, JournalLocked | JournalUnavailable>
  /** Saves what `f` makes of the record; nothing happens without one. Concurrent updates take turns. */
  readonly update: (
    f: (record: JournalRecord) => JournalRecord
  ) => Effect.Effect<void, JournalLocked | JournalUnavailable>
  /**
   * Makes sure that the right is held at this very moment, by asking where the lock is. Comes before whatever must not be done
   * by two: the last bytes of an archive.
   */
  readonly confirm: Effect.Effect<void, JournalLocked | JournalUnavailable>
  /** Forgets the upload: its outcome is known. */
  readonly remove: Effect.Effect<void, JournalLocked | JournalUnavailable>
  /** Forgets an upload that was delivered, or keeps it as such where the journal is one of `keepingDelivered`. */
  readonly complete: (delivery: JournalDelivery) => Effect.Effect<void, JournalLocked | JournalUnavailable>
}

/**
 * What is remembered of one upload, seen from outside: `lockedBy` is the error that `open` would fail with now.
 *
 * @since 0.1.0
 * @category models
 */
export interface JournalGlimpse {
  readonly record: Option.Option<JournalRecord>
  readonly lockedBy: Option.Option<JournalLocked>
}

/**
 * Everything a journal holds.
 *
 * @since 0.1.0
 * @category models
 */
export interface JournalListing {
  /** The unfinished uploads, oldest first, those in use included. */
  readonly records: ReadonlyArray<JournalRecord>
  /** Who is at work on which upload, also where there is no record yet (which a key-value store cannot list). */
  readonly locks: ReadonlyArray<JournalLocked>
  /** The records that cannot be understood, those set aside earlier included. */
  readonly corrupt: ReadonlyArray<JournalCorrupt>
}

/**
 * One record per upload, and one holder per record.
 *
 * @example
 * ```ts
 * import { UploadJournal } from "effect-elastic-extensions"
 * import { Console, Effect } from "effect"
 *
 * // What was left unfinished, by whichever process.
 * const program = Effect.gen(function* () {
 *   const journal = yield* UploadJournal.UploadJournal
 *   const { locks, records } = yield* journal.list
 *   for (const { archive, extensionId, id } of records) {
 *     const inUse = locks.some((lock) => lock.id === id)
 *     yield* Console.log(`${extensionId} ${archive.name} ${inUse ? "in use" : "interrupted"}`)
 *   }
 * }).pipe(Effect.provide(UploadJournal.layerFileSystem(".uploads")))
 * ```
 *
 * @since 0.1.0
 * @category services
 */
export class UploadJournal extends Context.Tag("effect-elastic-extensions/journal/UploadJournal")<
  UploadJournal,
  {
    /**
     * Takes the upload's lock until the scope closes, by whatever exit, and reads its record.
     *
     * Fails with `JournalLocked` at once where somebody living holds it: retry on that to wait. A record that cannot be
     * understood is set aside and reported as `JournalCorrupt`; the next `open` starts without one.
     */
    readonly open: (key: JournalKey) => Effect.Effect<JournalSession, JournalError, Scope.Scope>
    /**
     * What `open` would find, without the lock and without writing: a record that cannot be understood stays where it
     * is. Whether a lock's owner lives is judged by this machine's clock.
     */
    readonly peek: (key: JournalKey) => Effect.Effect<JournalGlimpse, JournalCorrupt | JournalUnavailable>
    /** What cannot be understood is reported and stays where it is. */
    readonly list: Effect.Effect<JournalListing, JournalUnavailable>
    /** Reads a record without its lock. */
    readonly get: (
      id: JournalId
    ) => Effect.Effect<Option.Option<JournalRecord>, JournalCorrupt | JournalUnavailable>
    /** Removes a record, understood or not, unless somebody living holds its lock. */
    readonly remove: (id: JournalId) => Effect.Effect<void, JournalLocked | JournalUnavailable>
    /** Forgets an upload that was delivered and kept as such. One that is not, or is in use, stays. */
    readonly forgetDelivered: (id: JournalId) => Effect.Effect<void, JournalUnavailable>
    /** Takes the upload URL from records whose server may have forgotten it, and returns them. Skips those in use. */
    readonly expire: Effect.Effect<ReadonlyArray<JournalRecord>, JournalUnavailable>
    /**
     * Removes what was not touched for longer than `retention` (7 days unless given), including records set aside, and
     * returns the ids. Skips those in use.
     */
    readonly prune: (
      retention?: Duration.DurationInput
    ) => Effect.Effect<ReadonlyArray<JournalId>, JournalUnavailable>
  }
>() {}

/**
 * The same journal, for whoever writes down somewhere else what came of an upload: until that is done, a process that dies would
 * leave nothing to say that the archive was delivered. The record stays, as `delivered`, and the next upload of the same archive
 * is over at once if the extension is still as it was left. `forgetDelivered` removes it; any other upload to the
 * extension takes its place.
 *
 * @since 0.1.0
 * @category combinators
 */
export const keepingDelivered = (journal: UploadJournal["Type"]): UploadJournal["Type"] => ({
  ...journal,
  open: (key) =>
    Effect.map(journal.open(key), (session) => ({
      ...session,
      complete: (delivered) => session.update((record) => ({ ...Struct.omit(record, "upload"), delivered }))
    }))
})

/**
 * The folder of `layerConfig`: `EC_UPLOAD_JOURNAL`, or else `effect-elastic-extensions/uploads` under `XDG_STATE_HOME`,
 * `LOCALAPPDATA` or `HOME/.local/state`, whichever is set first.
 *
 * The user's state folder rather than the working directory: a journal holds upload URLs and must not end up in a
 * repository or a build, and an upload is resumed from wherever the next command happens to be run.
 *
 * @since 0.1.0
 * @category configuration
 */
export const folder: Effect.Effect<string, ConfigError.ConfigError, Path.Path> = Effect.gen(function* () {
  const path = yield* Path.Path
  const { chosen } = yield* variables
  const uploads = Option.map(yield* stateFolder, (folder) => path.join(folder, "uploads"))
  return yield* Option.match(
    Option.orElse(chosen, () => uploads),
    { onNone: () => Effect.fail(noFolder), onSome: Effect.succeed<string> }
  )
})

/**
 * Where this user's programs keep their state, and ours within that: none where no variable tells.
 *
 * @since 0.1.0
 * @category configuration
 */
export const stateFolder: Effect.Effect<
  Option.Option<string>,
  ConfigError.ConfigError,
  Path.Path
> = Effect.gen(function* () {
  const path = yield* Path.Path
  const { state, appData, home } = yield* variables
  // The XDG specification has relative paths ignored.
  return Option.filter(state, path.isAbsolute).pipe(
    Option.orElse(() => appData),
    Option.orElse(() => Option.map(home, (folder) => path.join(folder, ".local", "state"))),
    Option.map((folder) => path.join(folder, "effect-elastic-extensions"))
  )
})

/**
 * JSON files in a folder, which is made when first needed (mode 0700). Records have mode 0600, and are either whole or
 * the one before: a crash, a full disk or a power cut never leaves half of one.
 *
 * The lock is a file only one process can create. It is renewed every 5 seconds; that of a dead process is taken over
 * after 30 seconds of silence, or at once where its pid can be looked for (same machine, Node or Bun; Deno would need
 * `--allow-run`, and waits for the silence instead).
 *
 * @since 0.1.0
 * @category layers
 */
export const layerFileSystem = (
  directory: string
): Layer.Layer<UploadJournal, never, FileSystem.FileSystem | Path.Path> =>
  Layer.effect(UploadJournal, Effect.map(makeFileStore(directory), makeJournal))

/**
 * `layerFileSystem` in the `folder` that the environment names.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerConfig: Layer.Layer<
  UploadJournal,
  ConfigError.ConfigError,
  FileSystem.FileSystem | Path.Path
> = Layer.unwrapEffect(Effect.map(folder, layerFileSystem))

/**
 * Any `KeyValueStore` an application has. How well a record survives a crash is up to the store, and whoever can read
 * the store can read upload URLs.
 *
 * Between fibers of one layer the lock is exact. Between processes it is advisory: a lease of 30 seconds, renewed every
 * 5, in a store without compare-and-set, judged by each process's own clock.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerKeyValueStore: Layer.Layer<UploadJournal, never, KeyValueStore.KeyValueStore> =
  Layer.effect(UploadJournal, Effect.map(makeKeyValueStore, makeJournal))

/**
 * For tests, and for uploads that need not survive their process.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerMemory: Layer.Layer<UploadJournal> = Layer.provide(
  layerKeyValueStore,
  KeyValueStore.layerMemory
)

const variable = (name: string) => Config.option(Config.nonEmptyString(name))

const variables = Config.all({
  chosen: variable("EC_UPLOAD_JOURNAL"),
  state: variable("XDG_STATE_HOME"),
  appData: variable("LOCALAPPDATA"),
  home: variable("HOME")
})

const noFolder = ConfigError.MissingData(
  ["EC_UPLOAD_JOURNAL"],
  "No folder for the upload journal: set EC_UPLOAD_JOURNAL to one that outlives this process (or HOME, whose .local/state is the default)"
)
