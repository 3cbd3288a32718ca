/** Whether the journal can be written, what it holds, and who is working on which upload. */
import { randomUUID } from "node:crypto"
import { statfs } from "node:fs/promises"
import process from "node:process"
import * as FileSystem from "@effect/platform/FileSystem"
import * as Path from "@effect/platform/Path"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { JournalUnavailable, unavailable } from "../../../journal/JournalError.ts"
import * as UploadJournal from "../../../journal/UploadJournal.ts"
import { fromConfigError } from "../../Failure.ts"
import { commandLine, plural, shellWord } from "../text.ts"
import { type Finding, failed, ok, warning } from "./finding.ts"

/** A record takes a few kilobytes, and a new one is written beside the old one. */
const enoughBytes = 1_000_000

/** The folder itself, or the nearest one above it that is there. */
const nearestFolder: (folder: string) => Effect.Effect<string, never, FileSystem.FileSystem | Path.Path> =
  Effect.fnUntraced(function* (folder) {
    const fs = yield* FileSystem.FileSystem
    const path = yield* Path.Path
    const parent = path.dirname(folder)
    const isMissing = yield* Effect.match(fs.stat(folder), {
      onFailure: (error) => error._tag === "SystemError" && error.reason === "NotFound",
      onSuccess: () => false
    })
    return isMissing && parent !== folder ? yield* nearestFolder(parent) : folder
  })

/** Deno looks up who asks before it says what they may do, and ends the process where it must not. */
const mayAsk = Effect.try(() => [process.getuid?.(), process.getgid?.()]).pipe(Effect.isSuccess)

/** What can be said of a folder that is not there yet. */
const examineParent = (folder: string, nearest: string) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    if (!(yield* mayAsk)) {
      return warning(
        "journal",
        `${folder} is not there yet, and Deno may not tell whether it can be created`,
        "To learn it, run Deno with --allow-sys=uid,gid. An upload does without."
      )
    }
    yield* fs.access(nearest, { writable: true })
    return ok("journal", `${folder} will be created when first needed`)
  })

/** By a file of its own, which is gone afterwards. */
const tryWriting = (folder: string) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const { join } = yield* Path.Path
    const file = join(folder, `.doctor-${randomUUID()}`)
    yield* Effect.addFinalizer(() => Effect.ignore(fs.remove(file)))
    yield* fs.writeFileString(file, "writable", { flag: "wx", mode: 0o600 })
  }).pipe(Effect.scoped)

/** Writes for real where the folder is there: permissions alone do not tell of full or read-only disks. */
const examineFolder = (folder: string) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const nearest = yield* nearestFolder(folder)
    if (nearest !== folder) return yield* examineParent(folder, nearest)
    const { mode } = yield* fs.stat(folder)
    if (hasModes && (mode & 0o022) !== 0) return failed("journal", notPrivate(folder))
    yield* tryWriting(folder)
    return hasModes && (mode & 0o055) !== 0
      ? warning(
          "journal",
          `${folder} can be written, and other users can see what is in it`,
          `Keep them out: chmod 700 ${shellWord(folder)}`
        )
      : ok("journal", `${folder} can be written`)
  }).pipe(
    Effect.mapError(unavailable(folder, "write")),
    Effect.catchTag("JournalUnavailable", (error) => Effect.succeed(failed("journal", error)))
  )

/** Windows has rights of another kind. */
const hasModes = process.platform !== "win32"

const notPrivate = (folder: string) =>
  new JournalUnavailable({
    location: folder,
    operation: "read",
    reason: "NotPrivate",
    detail: `"${folder}" can be written by other users`
  })

/** `free` is in bytes. An upload that cannot be remembered is not begun. */
export const spaceFindings = (folder: string, free: number): ReadonlyArray<Finding> =>
  free >= enoughBytes
    ? []
    : [
        failed(
          "space",
          new JournalUnavailable({
            location: folder,
            operation: "write",
            reason: "DiskFull",
            detail: `its disk has ${plural(free, "byte")} left`
          })
        )
      ]

const examineSpace = (folder: string) =>
  Effect.gen(function* () {
    const nearest = yield* nearestFolder(folder)
    const { bavail, bsize } = yield* Effect.tryPromise(() => statfs(nearest))
    return spaceFindings(folder, bavail * bsize)
    // Not every runtime and file system tells; a full disk is found by writing as well.
  }).pipe(Effect.orElseSucceed((): ReadonlyArray<Finding> => []))

const examineRecords = (folder: string, baseUrl: string | undefined) =>
  Effect.gen(function* () {
    const { corrupt, locks, records } = yield* (yield* UploadJournal.UploadJournal).list
    const here = records.filter(({ origin }) => origin === baseUrl).length
    const elsewhere = records.length - here
    const others = elsewhere === 0 ? "" : ` (and ${elsewhere} at other endpoints)`
    return [
      here === 0
        ? ok("pending", `no unfinished uploads${others}`)
        : warning(
            "pending",
            `${plural(here, "unfinished upload")}${others}`,
            `To list: ${commandLine("pending")}`
          ),
      ...locks.map((lock) => warning("lock", lock.message)),
      ...corrupt.map((error) => warning("record", error.message))
    ]
  }).pipe(
    Effect.provide(UploadJournal.layerFileSystem(folder)),
    Effect.catchTag("JournalUnavailable", (error) => Effect.succeed([failed("pending", error)]))
  )

export const examineJournal = (
  baseUrl: Option.Option<string>
): Effect.Effect<ReadonlyArray<Finding>, never, FileSystem.FileSystem | Path.Path> =>
  Effect.gen(function* () {
    const folder = yield* UploadJournal.folder
    const writable = yield* examineFolder(folder)
    if (writable.verdict === "problem") return [writable]
    return [
      writable,
      ...(yield* examineSpace(folder)),
      ...(yield* examineRecords(folder, Option.getOrUndefined(baseUrl)))
    ]
  }).pipe(Effect.catchAll((error) => Effect.succeed([failed("journal", fromConfigError(error, []))])))
