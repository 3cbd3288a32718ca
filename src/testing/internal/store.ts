import * as Crypto from "node:crypto"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as SynchronizedRef from "effect/SynchronizedRef"
import { LocalElasticCloudError } from "../LocalElasticCloudError.ts"
import type * as Disk from "./disk.ts"

const FileRecord = Schema.Struct({
  /** Its name in the data folder. */
  name: Schema.String,
  size: Schema.Number,
  sha256: Schema.String,
  lastModified: Schema.String,
  /** Path and signature of the temporary link to this very content. */
  token: Schema.String,
  signature: Schema.String
})

/**
 * What an archive in the store is.
 *
 * @internal
 */
export type FileRecord = typeof FileRecord.Type

const ExtensionRecord = Schema.Struct({
  id: Schema.String,
  owner: Schema.String,
  name: Schema.String,
  description: Schema.NullOr(Schema.String),
  downloadUrl: Schema.NullOr(Schema.String),
  type: Schema.Literal("plugin", "bundle"),
  version: Schema.String,
  deployments: Schema.Array(Schema.String),
  resourceVersion: Schema.Number,
  created: Schema.String,
  lastModified: Schema.String,
  uploads: Schema.Number,
  file: Schema.NullOr(FileRecord)
})

/** @internal */
export type ExtensionRecord = typeof ExtensionRecord.Type

const State = Schema.parseJson(
  Schema.Struct({
    format: Schema.Literal(1),
    lastMillis: Schema.Number,
    extensions: Schema.Array(ExtensionRecord)
  })
)

type State = typeof State.Type

const empty: State = { format: 1, lastMillis: 0, extensions: [] }

/**
 * What a caller may say about an extension; the store keeps versions, dates and files.
 *
 * @internal
 */
export type Metadata = Pick<
  ExtensionRecord,
  "name" | "description" | "downloadUrl" | "type" | "version" | "deployments"
>

/** @internal */
export interface Change {
  readonly metadata?: Partial<Metadata> | undefined
  readonly file?: Disk.ReceivedFile | undefined
  /** The file came by upload, not by seed or download. */
  readonly isUpload?: boolean | undefined
}

/** @internal */
export interface Store {
  readonly all: Effect.Effect<ReadonlyArray<ExtensionRecord>>
  readonly find: (id: string) => Effect.Effect<Option.Option<ExtensionRecord>>
  readonly create: (
    extension: Metadata & { readonly id?: string | undefined; readonly owner: string },
    file: Disk.ReceivedFile | undefined
  ) => Effect.Effect<ExtensionRecord>
  /** None when there is no such extension (any more). */
  readonly change: (id: string, change: Change) => Effect.Effect<Option.Option<ExtensionRecord>>
  readonly remove: (id: string) => Effect.Effect<void>
  /** Takes up what is on disk, as a new process would. */
  readonly reload: Effect.Effect<void, LocalElasticCloudError>
}

const hex = (bytes: number): string => Crypto.randomBytes(bytes).toString("hex")

const newId = (): string => String(Crypto.randomInt(1_000_000_000, 10_000_000_000))

const iso = (millis: number): string => new Date(millis).toISOString()

const load = (disk: Disk.Disk): Effect.Effect<State, LocalElasticCloudError> =>
  Effect.gen(function* () {
    const text = yield* disk.readState
    if (text === undefined) return empty
    const decoded = Schema.decodeEither(State)(text)
    return yield* Either.mapLeft(
      decoded,
      (cause) => new LocalElasticCloudError({ reason: "StateUnreadable", detail: cause.message })
    )
  })

const filesIn = (state: State): ReadonlySet<string> =>
  new Set(state.extensions.flatMap(({ file }) => (file === null ? [] : [file.name])))

/** The next moment: the clock's, but never the same as or before the last one handed out. */
const tick = (state: State) =>
  Effect.map(Clock.currentTimeMillis, (now) => Math.max(now, state.lastMillis + 1))

const replace = (state: State, record: ExtensionRecord): ReadonlyArray<ExtensionRecord> =>
  state.extensions.map((extension) => (extension.id === record.id ? record : extension))

const findIn = (state: State, id: string): Option.Option<ExtensionRecord> =>
  Option.fromNullable(state.extensions.find((extension) => extension.id === id))

const changed = (
  current: ExtensionRecord,
  change: Change,
  file: FileRecord | null,
  millis: number
): ExtensionRecord => ({
  ...current,
  ...change.metadata,
  resourceVersion: current.resourceVersion + 1,
  lastModified: iso(millis),
  uploads: current.uploads + (change.isUpload === true ? 1 : 0),
  file: file ?? current.file
})

/**
 * The extensions, in memory and on disk. Every change is on disk before it is visible, in one step and in one piece.
 *
 * @internal
 */
export const make = (disk: Disk.Disk): Effect.Effect<Store, LocalElasticCloudError> =>
  Effect.gen(function* () {
    const initial = yield* load(disk)
    const state = yield* SynchronizedRef.make(initial)
    yield* disk.sweep(filesIn(initial))

    const commit = <A>(update: (state: State) => Effect.Effect<readonly [A, State]>): Effect.Effect<A> =>
      SynchronizedRef.modifyEffect(state, (current) =>
        Effect.tap(update(current), ([, next]) =>
          next === current ? Effect.void : disk.writeState(JSON.stringify(next))
        )
      ).pipe(Effect.uninterruptible)

    const keep = (file: Disk.ReceivedFile, millis: number): Effect.Effect<FileRecord> =>
      Effect.map(disk.keep(file), (name) => ({
        name,
        size: file.size,
        sha256: file.sha256,
        lastModified: iso(millis),
        token: hex(16),
        signature: hex(32)
      }))

    const keepGiven = (
      file: Disk.ReceivedFile | undefined,
      millis: number
    ): Effect.Effect<FileRecord | null> => (file === undefined ? Effect.succeed(null) : keep(file, millis))

    const discard = (file: FileRecord | null): Effect.Effect<void> =>
      file === null ? Effect.void : disk.remove(file.name)

    const freeId = (current: State): string => {
      const id = newId()
      return Option.isSome(findIn(current, id)) ? freeId(current) : id
    }

    return {
      all: Effect.map(SynchronizedRef.get(state), ({ extensions }) => extensions),
      find: (id) => Effect.map(SynchronizedRef.get(state), (current) => findIn(current, id)),
      create: ({ id, ...extension }, file) =>
        commit((current) =>
          Effect.gen(function* () {
            const millis = yield* tick(current)
            const record: ExtensionRecord = {
              ...extension,
              id: id ?? freeId(current),
              resourceVersion: 1,
              created: iso(millis),
              lastModified: iso(millis),
              uploads: 0,
              file: yield* keepGiven(file, millis)
            }
            const extensions = [...current.extensions, record]
            return [record, { ...current, lastMillis: millis, extensions }] as const
          })
        ),
      change: (id, change) =>
        commit((current) =>
          Option.match(findIn(current, id), {
            onNone: () =>
              Effect.succeed([
                Option.none<readonly [ExtensionRecord, FileRecord | null]>(),
                current
              ] as const),
            onSome: (before) =>
              Effect.gen(function* () {
                const millis = yield* tick(current)
                const file = yield* keepGiven(change.file, millis)
                const after = changed(before, change, file, millis)
                const replaced = file === null ? null : before.file
                const next = { ...current, lastMillis: millis, extensions: replace(current, after) }
                return [Option.some([after, replaced] as const), next] as const
              })
          })
        ).pipe(
          Effect.tap(
            Option.match({ onNone: () => Effect.void, onSome: ([, replaced]) => discard(replaced) })
          ),
          Effect.map(Option.map(([after]) => after)),
          Effect.uninterruptible
        ),
      remove: (id) =>
        commit((current) => {
          const extensions = current.extensions.filter((extension) => extension.id !== id)
          const removed = Option.flatMapNullable(findIn(current, id), ({ file }) => file)
          return Effect.succeed([Option.getOrNull(removed), { ...current, extensions }] as const)
        }).pipe(Effect.flatMap(discard), Effect.uninterruptible),
      reload: Effect.flatMap(load(disk), (loaded) => SynchronizedRef.set(state, loaded))
    }
  })
