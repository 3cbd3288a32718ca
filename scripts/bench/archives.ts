/** Archives to upload: real bundles of the size asked for, full of random bytes that nothing can compress. */
import { randomBytes } from "node:crypto"
import { createReadStream, createWriteStream } from "node:fs"
import { statfs } from "node:fs/promises"
import { join } from "node:path"
import { Readable } from "node:stream"
import { finished, pipeline } from "node:stream/promises"
import * as FileSystem from "@effect/platform/FileSystem"
import * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import yazl from "yazl"
import { formatSize } from "./format.ts"

export interface ArchiveOnDisk {
  readonly path: string
  /** In bytes: the payload and some hundred bytes of ZIP around it. */
  readonly size: number
}

export class DiskTooFull extends Schema.TaggedError<DiskTooFull>()("DiskTooFull", {
  folder: Schema.String,
  needed: Schema.Number,
  free: Schema.Number
}) {
  override get message(): string {
    return `skipped: ${this.folder} has ${formatSize(this.free)} free, an archive of ${formatSize(this.needed)} needs more`
  }
}

const blockBytes = 16 * 1024 * 1024
const entryBytes = 1024 * 1024 * 1024

/** The same random block repeated: stored entries are not compressed. */
const randomStream = (block: Uint8Array, bytes: number): Readable =>
  Readable.from(
    (function* () {
      for (let left = bytes; left > 0; left -= block.length) yield block.subarray(0, left)
    })(),
    { objectMode: false }
  )

const write = async (path: string, payloadBytes: number): Promise<void> => {
  const zip = new yazl.ZipFile()
  const block = randomBytes(Math.min(blockBytes, payloadBytes))
  for (const index of Arr.range(0, Math.ceil(payloadBytes / entryBytes) - 1)) {
    const size = Math.min(entryBytes, payloadBytes - index * entryBytes)
    zip.addReadStreamLazy(`dictionaries/words-${index}.txt`, { compress: false, size }, (give) =>
      give(undefined, randomStream(block, size))
    )
  }
  zip.end()
  // Flushed, because the system writing it back later would slow down whoever is measured then.
  await finished(zip.outputStream.pipe(createWriteStream(path, { flush: true })))
}

/** Puts the archive into the system's cache, for every program alike. */
const warm = (path: string): Promise<void> =>
  pipeline(createReadStream(path, { highWaterMark: 1024 * 1024 }), async (chunks) => {
    for await (const _ of chunks);
  })

/** Writes one archive; the margin is for journals and for what tus keeps. */
export const make = (folder: string, payloadBytes: number) =>
  Effect.gen(function* () {
    const { bavail, bsize } = yield* Effect.promise(() => statfs(folder))
    const needed = 2 * payloadBytes
    if (bavail * bsize < needed) return yield* new DiskTooFull({ folder, needed, free: bavail * bsize })
    const fs = yield* FileSystem.FileSystem
    const path = join(folder, `bundle-${payloadBytes}.zip`)
    yield* Effect.promise(() => write(path, payloadBytes))
    yield* Effect.promise(() => warm(path))
    const { size } = yield* Effect.orDie(fs.stat(path))
    const archive: ArchiveOnDisk = { path, size: Number(size) }
    return archive
  })
