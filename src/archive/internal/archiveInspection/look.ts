/** The look into an archive at its two ends and at its headers: everything but the content of its entries. */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import * as ByteStream from "../../../byteStream.ts"
import type { Archive, ArchiveStat } from "../../Archive.ts"
import type { ArchiveError } from "../../ArchiveError.ts"
import { Contents, EntryRules } from "./entries.ts"
import { type FileKind, fileKind } from "./fileKind.ts"
import { checkLocalHeaders } from "./localHeaders.ts"
import { type Problems, plural } from "./problems.ts"
import { Reader, type ZipError } from "./reader.ts"
import { type Recognised, recognise } from "./recognition.ts"
import {
  type Directory,
  EntryTable,
  findDirectory,
  localHeaderBytes,
  localHeaderIn,
  readDirectory,
  type ZipEntry,
  zipInputStream
} from "./zip.ts"

export interface Seen extends Recognised {
  readonly contents: Contents
  readonly isZip: boolean
  /** All entries as one number, where directory and local headers agree. */
  readonly entries: { readonly count: number; readonly sum: number } | undefined
}

export const look = Effect.fnUntraced(function* <R>(
  archive: Archive<R>,
  stat: ArchiveStat,
  maxEntries: number,
  problems: Problems
): Effect.fn.Return<Seen, ArchiveError, R> {
  const context = yield* Effect.context<R>()
  const provided: Archive = {
    ...archive,
    stat: Effect.provide(archive.stat, context),
    read: (options) => ByteStream.provideContext(archive.read(options), context)
  }
  return yield* Effect.acquireUseRelease(
    Effect.sync(() => new Reader(provided, stat)),
    (reader) =>
      scan(reader, maxEntries, problems).pipe(
        Effect.catchTag("ZipError", (error) =>
          Effect.map(firstBytes(provided, stat), (start): Seen => {
            explain(error, start, problems)
            return unreadable
          })
        )
      ),
    (reader) => reader.close
  )
})

const unreadable: Seen = {
  type: "unknown",
  descriptor: new Map(),
  contents: new Contents(),
  isZip: false,
  entries: undefined
}

const scan = Effect.fnUntraced(function* (
  reader: Reader<never>,
  maxEntries: number,
  problems: Problems
): Effect.fn.Return<Seen, ZipError | ArchiveError> {
  const directory = yield* findDirectory(reader)
  if (directory === undefined) {
    explainMissing(yield* reader.read(0, Math.min(reader.size, 4096)), problems)
    return unreadable
  }
  if (directory.shift > 0 && (yield* beginsWithEntry(reader))) {
    problems.add({
      code: "truncated",
      severity: "error",
      message: `The ZIP is cut off: its own directory is missing at the end, where only that of another ZIP lies, which begins at byte ${directory.shift}.`,
      remedy: copyAgain,
      offset: 0
    })
    return unreadable
  }
  const rules = new EntryRules(reader.size, directory.start, problems)
  const table = new EntryTable()
  const isAll = yield* readDirectory(reader, directory, maxEntries, (entry) => rules.add(entry), table)
  if (!isAll) {
    problems.add({
      code: "too-many-entries",
      severity: "error",
      message: `The ZIP has more than ${plural(maxEntries, "entry", "entries")}.`,
      remedy: "Pack fewer files."
    })
  }
  rules.finish()
  // Before the walk along the headers, which begins near a descriptor that was packed first.
  for (const descriptor of rules.contents.descriptors.values()) yield* pinStart(reader, descriptor)
  const isSound = isAll && (yield* checkStructure(reader, directory, table, problems))
  const recognised = yield* recognise(reader, rules.contents, problems)
  const entries = isSound ? { count: table.count, sum: table.sum } : undefined
  return { ...recognised, contents: rules.contents, isZip: true, entries }
})

/** A .jar file that is stored whole has a directory, too, which is found where the outer one was lost. */
const beginsWithEntry = (reader: Reader<never>): Effect.Effect<boolean, ZipError | ArchiveError> =>
  reader.size < localHeaderBytes
    ? Effect.succeed(false)
    : Effect.map(reader.read(0, localHeaderBytes), (start) => localHeaderIn(start) !== undefined)

const copyAgain = "Build, download or copy it again."

const pinnedBytes = 64 * 1024

const pinStart = (
  reader: Reader<never>,
  { compressedSize, offset }: ZipEntry
): Effect.Effect<void, ZipError | ArchiveError> => {
  const length = Math.min(pinnedBytes, compressedSize + 1024, reader.size - offset)
  return length > 0 && offset >= 0 ? Effect.asVoid(reader.pin(offset, length)) : Effect.void
}

const checkStructure = Effect.fnUntraced(function* (
  reader: Reader<never>,
  directory: Directory,
  table: EntryTable,
  problems: Problems
): Effect.fn.Return<boolean, ZipError | ArchiveError> {
  if (directory.trailing > 0) {
    problems.add({
      code: "bytes-after-zip",
      severity: "warning",
      message: `After the end of the ZIP ${plural(directory.trailing, "byte follows", "bytes follow")}, which nothing reads.`,
      remedy: "If that is not the padding of a tool, check how the file was copied.",
      offset: reader.size - directory.trailing
    })
  } else if (directory.trailing < 0) {
    problems.add({
      code: "truncated",
      severity: "warning",
      message: "The comment at the end of the ZIP is cut off.",
      remedy: "Its entries are whole; check how the file was copied."
    })
  }
  if (directory.shift > 0) {
    const kind = fileKind(yield* reader.read(0, Math.min(directory.shift, 4096)))
    problems.add({
      code: "bytes-before-zip",
      severity: "error",
      message: `The ZIP begins at byte ${directory.shift} of the file, after ${kind?.what ?? "something else"}: Elasticsearch finds nothing in it.`,
      remedy: kind?.remedy ?? "Take away what was put before the ZIP.",
      offset: 0,
      source: zipInputStream
    })
    return false
  }
  return yield* checkLocalHeaders(reader, directory, table, problems)
})

const firstBytes = (archive: Archive, stat: ArchiveStat): Effect.Effect<Uint8Array, ArchiveError> =>
  archive.read({ offset: 0, expected: stat }).pipe(
    Stream.runHead,
    Effect.map((head) => (head._tag === "Some" ? head.value : new Uint8Array(0)))
  )

/** Nothing like the end of a ZIP is there: it was cut off, or it is something else. */
const explainMissing = (start: Uint8Array, problems: Problems): void => {
  if (beginsLikeZip(start)) {
    problems.add({
      code: "truncated",
      severity: "error",
      message: "The ZIP is cut off: it begins like one, but its directory is missing at the end.",
      remedy: copyAgain,
      offset: 0
    })
    return
  }
  const kind: FileKind | undefined = fileKind(start)
  problems.add({
    code: "not-a-zip",
    severity: "error",
    message:
      kind === undefined
        ? "The file is not a ZIP: it neither begins nor ends like one."
        : `The file is not a ZIP, but ${kind.what}.`,
    remedy: kind?.remedy ?? "Check the path.",
    offset: 0
  })
}

const beginsLikeZip = (start: Uint8Array): boolean =>
  start[0] === 0x50 && start[1] === 0x4b && (start[2] ?? 3) < 9

const explain = ({ detail, offset }: ZipError, start: Uint8Array, problems: Problems): void => {
  const kind = beginsLikeZip(start) ? undefined : fileKind(start)
  problems.add({
    code: "unreadable-directory",
    severity: "error",
    message:
      kind === undefined
        ? `The ZIP's directory is damaged: ${detail}.`
        : `The file is ${kind.what}, and what ends it like a ZIP is damaged: ${detail}.`,
    remedy: kind?.remedy ?? copyAgain,
    ...(offset === undefined ? {} : { offset })
  })
}
