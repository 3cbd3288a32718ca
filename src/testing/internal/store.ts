/** The extensions and their archives, in memory and on disk. */
import * as Crypto from "node:crypto"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as SynchronizedRef from "effect/SynchronizedRef"
import { LocalElasticCloudError } from "../LocalElasticCloudError.ts"
import type { SeedExtension, StoredExtension } from "../StoredExtension.ts"
import { Disk, type ReceivedFile } from "./disk.ts"

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

type FileRecord = typeof FileRecord.Type

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

/** What a caller may say about an extension; the store keeps versions, dates and files. */
export type Metadata = Pick<
  ExtensionRecord,
  "name" | "description" | "downloadUrl" | "type" | "version" | "deployments"
>

export interface Change {
  readonly metadata?: Partial<Metadata> | undefined
  readonly file?: ReceivedFile | undefined
  /** The file came by upload, not by seed or download. */
  readonly isUpload?: boolean | undefined
}

export class Store extends Context.Tag("effect-elastic-extensions/testing/Store")<
  Store,
  {
    readonly all: Effect.Effect<ReadonlyArray<ExtensionRecord>>
    readonly find: (id: string) => Effect.Effect<Option.Option<ExtensionRecord>>
    readonly create: (
      extension: Metadata & { readonly id?: string | undefined; readonly owner: string },
      file: ReceivedFile | undefined
    ) => Effect.Effect<ExtensionRecord>
    /** None when there is no such extension (any more). */
    readonly change: (id: string, change: Change) => Effect.Effect<Option.Option<ExtensionRecord>>
    readonly remove: (id: string) => Effect.Effect<void>
    /** Takes up what is on disk, as a new process would. */
    readonly reload: Effect.Effect<void, LocalElasticCloudError>
  }
>() {}

/** Every change is on disk before it is visible, in one step and in one piece. */
export const layer: Layer.Layer<Store, LocalElasticCloudError, Disk> = Layer.effect(
  Store,
  Effect.gen(function* () {
    const disk = yield* Disk
    const initial = yield* load
    const state = yield* SynchronizedRef.make(initial)
    yield* disk.sweep(filesIn(initial))

    const commit = <A>(update: (state: State) => Effect.Effect<readonly [A, State]>): Effect.Effect<A> =>
      SynchronizedRef.modifyEffect(state, (current) =>
        Effect.tap(update(current), ([, next]) =>
          next === current ? Effect.void : disk.writeState(JSON.stringify(next))
        )
      ).pipe(Effect.uninterruptible)

    const keep = Effect.fnUntraced(function* (file: ReceivedFile | undefined, millis: number) {
      if (file === undefined) return null
      return {
        name: yield* disk.keep(file),
        size: file.size,
        sha256: file.sha256,
        lastModified: iso(millis),
        token: hex(16),
        signature: hex(32)
      } satisfies FileRecord
    })

    const discard = (file: FileRecord | null): Effect.Effect<void> =>
      file === null ? Effect.void : disk.remove(file.name)

    return {
      all: Effect.map(SynchronizedRef.get(state), ({ extensions }) => extensions),
      find: (id) => Effect.map(SynchronizedRef.get(state), (current) => findIn(current, id)),
      create: ({ id, ...extension }, file) =>
        commit(
          Effect.fnUntraced(function* (current) {
            const millis = yield* tick(current)
            const record: ExtensionRecord = {
              ...extension,
              id: id ?? freeId(current),
              resourceVersion: 1,
              created: iso(millis),
              lastModified: iso(millis),
              uploads: 0,
              file: yield* keep(file, millis)
            }
            const extensions = [...current.extensions, record]
            return [record, { ...current, lastMillis: millis, extensions }] as const
          })
        ),
      change: Effect.fnUntraced(function* (id, change) {
        const replacement = yield* commit(
          Effect.fnUntraced(function* (current) {
            const before = findIn(current, id)
            if (Option.isNone(before)) return [Option.none(), current] as const
            const millis = yield* tick(current)
            const file = yield* keep(change.file, millis)
            const after = changed(before.value, change, file, millis)
            const replaced = file === null ? null : before.value.file
            const next = { ...current, lastMillis: millis, extensions: replace(current, after) }
            return [Option.some({ after, replaced }), next] as const
          })
        )
        if (Option.isSome(replacement)) yield* discard(replacement.value.replaced)
        return Option.map(replacement, ({ after }) => after)
      }, Effect.uninterruptible),
      remove: (id) =>
        commit((current) => {
          const extensions = current.extensions.filter((extension) => extension.id !== id)
          const removed = Option.flatMapNullable(findIn(current, id), ({ file }) => file)
          return Effect.succeed([Option.getOrNull(removed), { ...current, extensions }] as const)
        }).pipe(Effect.flatMap(discard), Effect.uninterruptible),
      reload: Effect.flatMap(Effect.provideService(load, Disk, disk), (loaded) =>
        SynchronizedRef.set(state, loaded)
      )
    }
  })
)

/** What the store holds, as the handles show it. */
export const shown: Effect.Effect<ReadonlyArray<StoredExtension>, never, Store | Disk> = Effect.gen(
  function* () {
    const disk = yield* Disk
    const records = yield* (yield* Store).all
    return records.map((record) => show(disk.pathOf, record))
  }
)

/** Creates an extension, or changes the one of its id, as no request could. */
export const seed = Effect.fnUntraced(function* (defaultOwner: string, extension: SeedExtension) {
  const disk = yield* Disk
  const store = yield* Store
  const file = extension.file === undefined ? undefined : yield* disk.receive(Stream.succeed(extension.file))
  const metadata = {
    name: extension.name,
    type: extension.extension_type,
    version: extension.version,
    description: extension.description ?? null,
    downloadUrl: null,
    deployments: extension.deployments ?? []
  }
  const replaced =
    extension.id === undefined ? Option.none() : yield* store.change(extension.id, { metadata, file })
  const record = Option.isSome(replaced)
    ? replaced.value
    : yield* store.create({ ...metadata, id: extension.id, owner: extension.owner ?? defaultOwner }, file)
  return show(disk.pathOf, record)
}, Effect.scoped)

/** An extension as the handles show it. */
export const show = (pathOf: (name: string) => string, record: ExtensionRecord): StoredExtension => ({
  id: record.id,
  owner: record.owner,
  name: record.name,
  type: record.type,
  version: record.version,
  description: record.description ?? undefined,
  downloadUrl: record.downloadUrl ?? undefined,
  deployments: record.deployments,
  resourceVersion: record.resourceVersion,
  created: record.created,
  lastModified: record.lastModified,
  file:
    record.file === null
      ? undefined
      : {
          size: record.file.size,
          sha256: record.file.sha256,
          lastModified: record.file.lastModified,
          path: pathOf(record.file.name)
        },
  uploads: record.uploads
})

const hex = (bytes: number): string => Crypto.randomBytes(bytes).toString("hex")

const iso = (millis: number): string => new Date(millis).toISOString()

const load: Effect.Effect<State, LocalElasticCloudError, Disk> = Effect.gen(function* () {
  const disk = yield* Disk
  const text = yield* disk.readState
  if (Option.isNone(text)) return empty
  return yield* Either.mapLeft(
    Schema.decodeEither(State)(text.value),
    (cause) => new LocalElasticCloudError({ reason: "StateUnreadable", detail: cause.message })
  )
})

const filesIn = (state: State): ReadonlySet<string> =>
  new Set(state.extensions.flatMap(({ file }) => (file === null ? [] : [file.name])))

/** The next moment: the clock's, but never the same as or before the last one handed out. */
const tick = (state: State) =>
  Effect.map(Clock.currentTimeMillis, (now) => Math.max(now, state.lastMillis + 1))

const freeId = (state: State): string => {
  const id = String(Crypto.randomInt(1_000_000_000, 10_000_000_000))
  return Option.isSome(findIn(state, id)) ? freeId(state) : id
}

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
