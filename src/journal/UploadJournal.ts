/**
 * The memory of uploads: one record each, written before a byte leaves and kept until the outcome is known, so that
 * another process can go on where this one stopped.
 *
 * @since 0.1.0
 */
import type * as FileSystem from "@effect/platform/FileSystem"
import * as KeyValueStore from "@effect/platform/KeyValueStore"
import type * as Path from "@effect/platform/Path"
import type * as ConfigError from "effect/ConfigError"
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import { makeFileStore } from "./internal/fileStore.ts"
import { journalFolder } from "./internal/folder.ts"
import { makeKeyValueStore } from "./internal/keyValueStore.ts"
import { makeJournal } from "./internal/service.ts"
import type { JournalCorrupt, JournalError, JournalLocked, JournalUnavailable } from "./JournalError.ts"
import type { JournalId, JournalKey, JournalRecord } from "./JournalRecord.ts"

/**
 * The exclusive right to one upload, and its record.
 *
 * A holder that was silent for 30 seconds (its process stopped, its machine asleep) is taken for dead and may have been
 * succeeded. It learns so from the next write, which fails with `JournalLocked` and changes nothing.
 *
 * @since 0.1.0
 * @category models
 */
export interface JournalSession {
  readonly id: JournalId
  /** The record as last read or saved, without an upload resource that has expired meanwhile. */
  readonly record: Effect.Effect<Option.Option<JournalRecord>>
  /** Has reached the disk when it returns. Sets `updatedAtMillis`. Cannot be interrupted half-way. */
  readonly save: (record: JournalRecord) => Effect.Effect<void, JournalLocked | JournalUnavailable>
  /** Saves what `f` makes of the record; nothing happens without one. Concurrent updates take turns. */
  readonly update: (
    f: (record: JournalRecord) => JournalRecord
  ) => Effect.Effect<void, JournalLocked | JournalUnavailable>
  /** Forgets the upload: its outcome is known. */
  readonly remove: Effect.Effect<void, JournalLocked | JournalUnavailable>
}

/**
 * Everything a journal holds, oldest record first. `corrupt` also names the records set aside earlier.
 *
 * @since 0.1.0
 * @category models
 */
export interface JournalListing {
  readonly records: ReadonlyArray<JournalRecord>
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
 *   const { records } = yield* journal.list
 *   for (const { archive, extensionId, phase } of records) {
 *     yield* Console.log(`${extensionId} ${archive.name} ${phase}`)
 *   }
 * }).pipe(Effect.provide(UploadJournal.layerFileSystem(".uploads")))
 * ```
 *
 * @since 0.1.0
 * @category services
 */
export class UploadJournal extends Context.Tag("effect-elastic-extensions/upload/UploadJournal")<
  UploadJournal,
  {
    /**
     * Takes the upload's lock until the scope closes, by whatever exit, and reads its record.
     *
     * Fails with `JournalLocked` at once where somebody living holds it: retry on that to wait. A record that cannot be
     * understood is set aside and reported as `JournalCorrupt`; the next `open` starts without one.
     */
    readonly open: (key: JournalKey) => Effect.Effect<JournalSession, JournalError, Scope.Scope>
    /** All records, also those in use. What cannot be understood is reported and stays where it is. */
    readonly list: Effect.Effect<JournalListing, JournalUnavailable>
    /** Reads a record without its lock. */
    readonly get: (
      id: JournalId
    ) => Effect.Effect<Option.Option<JournalRecord>, JournalCorrupt | JournalUnavailable>
    /** Removes a record, understood or not, unless somebody living holds its lock. */
    readonly remove: (id: JournalId) => Effect.Effect<void, JournalLocked | JournalUnavailable>
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
 * JSON files in a folder, which is made when first needed (mode 0700). Records have mode 0600, and are either whole or
 * the one before: a crash, a full disk or a power cut never leaves half of one.
 *
 * The lock is a file only one process can create. It is renewed every 5 seconds; that of a dead process is taken over
 * after 30 seconds of silence, or at once where its pid can be looked for (same machine, Node or Bun; Deno would need
 * `--allow-run` and is content with the silence).
 *
 * @since 0.1.0
 * @category layers
 */
export const layerFileSystem = (
  directory: string
): Layer.Layer<UploadJournal, never, FileSystem.FileSystem | Path.Path> =>
  Layer.effect(UploadJournal, Effect.map(makeFileStore(directory), makeJournal))

/**
 * `layerFileSystem` in the folder `EC_UPLOAD_JOURNAL`. By default `effect-elastic-extensions/uploads` under
 * `XDG_STATE_HOME`, `LOCALAPPDATA` or `HOME/.local/state`, whichever is set first.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerConfig: Layer.Layer<
  UploadJournal,
  ConfigError.ConfigError,
  FileSystem.FileSystem | Path.Path
> = Layer.unwrapEffect(Effect.map(journalFolder, layerFileSystem))

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
