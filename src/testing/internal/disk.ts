import * as Crypto from "node:crypto"
import * as Fs from "node:fs/promises"
import * as Os from "node:os"
import * as Path from "node:path"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { LocalElasticCloudError } from "../LocalElasticCloudError.ts"

/** A whole file as it was received. It is deleted with its scope unless it is kept. */
export interface ReceivedFile {
  readonly path: string
  readonly size: number
  readonly sha256: string
}

/** The data folder: `state.json`, `files/` for archives in use, `incoming/` for those not yet accepted. */
export class Disk extends Context.Tag("effect-elastic-extensions/testing/Disk")<
  Disk,
  {
    /** None before the first change. */
    readonly readState: Effect.Effect<Option.Option<string>, LocalElasticCloudError>
    /** Replaces the state in one step: a process that dies on the way leaves the old one. */
    readonly writeState: (text: string) => Effect.Effect<void>
    /** Writes a stream to a new incoming file, one chunk at a time. */
    readonly receive: <E, R>(
      bytes: Stream.Stream<Uint8Array, E, R>
    ) => Effect.Effect<ReceivedFile, E, R | Scope.Scope>
    /** Another incoming file with the same content. */
    readonly copy: (file: ReceivedFile) => Effect.Effect<ReceivedFile, never, Scope.Scope>
    /** Moves an incoming file to where it stays and returns its name there. */
    readonly keep: (file: ReceivedFile) => Effect.Effect<string>
    readonly pathOf: (name: string) => string
    readonly remove: (name: string) => Effect.Effect<void>
    /** Deletes what a process that died left behind: incoming files, and kept ones that nothing refers to. */
    readonly sweep: (inUse: ReadonlySet<string>) => Effect.Effect<void>
    /** The path of another folder beside these, which nothing here looks into. */
    readonly folder: (name: string) => Effect.Effect<string, LocalElasticCloudError>
  }
>() {}

/** Opens the data folder, or a temporary one that goes with the scope. */
export const layer = (dataDir: string | undefined): Layer.Layer<Disk, LocalElasticCloudError> =>
  Layer.scoped(
    Disk,
    Effect.gen(function* () {
      const root = Path.resolve(dataDir ?? (yield* temporaryFolder("local-elastic-cloud-")))
      const files = Path.join(root, "files")
      const incoming = Path.join(root, "incoming")
      const state = Path.join(root, "state.json")
      const makeFolder = (path: string) =>
        Effect.tryPromise({ try: () => Fs.mkdir(path, { recursive: true }), catch: unusable(root) })
      yield* Effect.forEach([files, incoming], makeFolder, { discard: true })
      const pathOf = (name: string) => Path.join(files, name)
      const newIncoming = () => Path.join(incoming, Crypto.randomUUID())
      return {
        readState: Effect.tryPromise({
          try: () => Fs.readFile(state, "utf8").then(Option.some, noneIfMissing),
          catch: unusable(root)
        }),
        writeState: (text) =>
          Effect.promise(async () => {
            const next = `${state}.${Crypto.randomUUID()}`
            await Fs.writeFile(next, text)
            await Fs.rename(next, state)
          }),
        receive: (bytes) => Effect.suspend(() => receiveInto(newIncoming(), bytes)),
        copy: (file) =>
          Effect.acquireRelease(
            Effect.promise(async () => {
              const path = newIncoming()
              await Fs.copyFile(file.path, path)
              return { ...file, path }
            }),
            ({ path }) => removeFile(path)
          ),
        keep: (file) =>
          Effect.promise(async () => {
            const name = `${Crypto.randomUUID()}.zip`
            await Fs.rename(file.path, pathOf(name))
            return name
          }),
        pathOf,
        remove: (name) => removeFile(pathOf(name)),
        sweep: (inUse) =>
          Effect.promise(async () => {
            const stale = (await Fs.readdir(files)).filter((name) => !inUse.has(name)).map(pathOf)
            const unfinished = (await Fs.readdir(incoming)).map((name) => Path.join(incoming, name))
            await Promise.all([...stale, ...unfinished].map((path) => Fs.rm(path, { force: true })))
          }),
        folder: (name) => Effect.as(makeFolder(Path.join(root, name)), Path.join(root, name))
      }
    })
  )

/** A new folder that is deleted with its scope. */
export const temporaryFolder = (prefix: string): Effect.Effect<string, LocalElasticCloudError, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.tryPromise({
      try: () => Fs.mkdtemp(Path.join(Os.tmpdir(), prefix)),
      catch: (cause) => unusable(Os.tmpdir())(cause)
    }),
    (folder) => Effect.promise(() => Fs.rm(folder, { recursive: true, force: true }))
  )

const unusable = (folder: string) => (cause: unknown) =>
  new LocalElasticCloudError({
    reason: "DataFolderUnusable",
    detail: `"${folder}": ${cause instanceof Error ? cause.message : String(cause)}`
  })

const noneIfMissing = (cause: unknown): Option.Option<string> => {
  if (cause instanceof Error && "code" in cause && cause.code === "ENOENT") return Option.none()
  throw cause
}

const removeFile = (path: string) => Effect.promise(() => Fs.rm(path, { force: true }))

const receiveInto = Effect.fnUntraced(function* <E, R>(path: string, bytes: Stream.Stream<Uint8Array, E, R>) {
  yield* Effect.addFinalizer(() => removeFile(path))
  const hash = Crypto.createHash("sha256")
  let size = 0
  yield* Effect.acquireUseRelease(
    Effect.promise(() => Fs.open(path, "wx")),
    (file) =>
      Stream.runForEach(bytes, (chunk) => {
        hash.update(chunk)
        size += chunk.length
        return Effect.promise(() => file.appendFile(chunk))
      }),
    (file) => Effect.promise(() => file.close())
  )
  return { path, size, sha256: hash.digest("hex") }
})
