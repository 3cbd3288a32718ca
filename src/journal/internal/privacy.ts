/** What a journal believes: files that are its own, in a folder that nobody else can write to. */
import process from "node:process"
import { type PlatformError, SystemError } from "@effect/platform/Error"
import type * as FileSystem from "@effect/platform/FileSystem"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"

/** Bytes. A record takes some kilobytes, and 100 for every few megabytes of its archive. */
const maxRecordBytes = 4 * 1024 * 1024

const writableByOthers = 0o022

/** Deno asks the user for permission to learn who that is; Windows has rights of another kind, and says 0666 of everything. */
const me = (): Option.Option<number> =>
  "Deno" in globalThis ? Option.none() : Option.fromNullable(process.getuid?.())

const hasModes = process.platform !== "win32"

/** The system's own user may have made what this one is to use. */
const isForeign = ({ uid }: FileSystem.File.Info): boolean =>
  Option.exists(Option.all([uid, me()]), ([owner, user]) => owner !== user && owner !== 0)

const refusal = (reason: "BadResource" | "PermissionDenied", path: string, what: string) =>
  new SystemError({
    module: "FileSystem",
    method: "open",
    reason,
    pathOrDescriptor: path,
    description: `"${path}" ${what}`
  })

const requirePrivate = (path: string, info: FileSystem.File.Info): Effect.Effect<void, PlatformError> => {
  if (isForeign(info)) return refusal("PermissionDenied", path, "belongs to another user")
  return hasModes && (info.mode & writableByOthers) !== 0
    ? refusal("PermissionDenied", path, "can be written by other users")
    : Effect.void
}

/** Fails with `NotFound` where there is none. */
export const requirePrivateFolder = (
  fs: FileSystem.FileSystem,
  folder: string
): Effect.Effect<void, PlatformError> =>
  Effect.flatMap(fs.stat(folder), (info) => requirePrivate(folder, info))

/**
 * What there is to know of a file before it is opened. It is no link to somewhere else, and nothing that would keep who reads
 * it waiting for ever, or fill the memory. Nobody else can write to its folder, so it is the same when it is opened.
 */
export const requireOwnFile = (
  fs: FileSystem.FileSystem,
  path: string
): Effect.Effect<FileSystem.File.Info, PlatformError> =>
  Effect.gen(function* () {
    yield* requireNoLink(fs, path)
    const info = yield* fs.stat(path)
    if (info.type !== "File") return yield* refusal("BadResource", path, `is no file (${info.type})`)
    if (info.size > maxRecordBytes) {
      return yield* refusal("BadResource", path, `is no record: it has ${info.size} bytes`)
    }
    yield* requirePrivate(path, info)
    return info
  })

const isNotFound = (error: PlatformError): boolean =>
  error._tag === "SystemError" && error.reason === "NotFound"

/** Of what is no link at all, the platform says that it cannot be read as one. */
const requireNoLink = (fs: FileSystem.FileSystem, path: string): Effect.Effect<void, PlatformError> =>
  Effect.matchEffect(fs.readLink(path), {
    onFailure: (error) => (isNotFound(error) ? Effect.fail(error) : Effect.void),
    onSuccess: () => refusal("BadResource", path, "is no file (SymbolicLink)")
  })
