/** One archive per kind of source, all with the same content. */
import * as FileSystem from "@effect/platform/FileSystem"
import * as Path from "@effect/platform/Path"
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as NodePath from "@effect/platform-node/NodePath"
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import * as Archive from "../../../src/archive/Archive.ts"

export const layer = Layer.mergeAll(NodeFileSystem.layer, NodePath.layer)

/** Bytes without a short period, so that no two blocks of an archive are alike. */
export const content = (size: number): Uint8Array => {
  const bytes = new Uint8Array(size)
  let x = 0x9e3779b9
  for (let i = 0; i < size; i++) {
    x ^= x << 13
    x ^= x >>> 17
    x ^= x << 5
    bytes[i] = x
  }
  return bytes
}

export const concat = (chunks: Iterable<Uint8Array>): Uint8Array => new Uint8Array(Buffer.concat([...chunks]))

/** A real file in a folder of its own, last modified at a round time long ago. */
export const writeTemp = (bytes: Uint8Array, name = "dictionaries.zip") =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const path = yield* Path.Path
    const file = path.join(yield* fs.makeTempDirectoryScoped(), name)
    yield* fs.writeFile(file, bytes)
    yield* fs.utimes(file, longAgo, longAgo)
    return file
  })

export const longAgo = new Date("2020-02-02T02:02:02.000Z")

export const chunked = (bytes: Uint8Array, chunkBytes: number): Stream.Stream<Uint8Array> =>
  Stream.unfold(0, (at) =>
    at < bytes.length
      ? Option.some([bytes.subarray(at, at + chunkBytes), at + chunkBytes] as const)
      : Option.none()
  )

export const fromChunks = (bytes: Uint8Array, chunkBytes: number): Archive.Archive =>
  Archive.make({
    name: "dictionaries.zip",
    size: bytes.length,
    open: (offset) => chunked(bytes.subarray(offset), chunkBytes)
  })

/** Every way to make an archive of these bytes. */
export const sources = {
  file: (bytes: Uint8Array) => Effect.map(writeTemp(bytes), Archive.file),
  bytes: (bytes: Uint8Array) => Effect.succeed(Archive.bytes({ name: "dictionaries.zip", bytes })),
  "make, one chunk": (bytes: Uint8Array) => Effect.succeed(fromChunks(bytes, Number.POSITIVE_INFINITY)),
  "make, uneven chunks": (bytes: Uint8Array) => Effect.succeed(fromChunks(bytes, 65_537)),
  "make, with empty chunks": (bytes: Uint8Array) =>
    Effect.succeed(
      Archive.make({
        name: "dictionaries.zip",
        size: bytes.length,
        open: (offset) =>
          Stream.flatMap(chunked(bytes.subarray(offset), 300_000), (chunk) =>
            Stream.make(new Uint8Array(0), chunk, new Uint8Array(0))
          )
      })
    )
}

/** What a reader received until the stream ended or failed, and how it ended. Copies, so recycled buffers are allowed. */
export const drain = <E, R>(stream: Stream.Stream<Uint8Array, E, R>) =>
  Effect.gen(function* () {
    const received: Array<Uint8Array> = []
    const exit = yield* Effect.either(
      Stream.runForEachChunk(stream, (chunks) =>
        Effect.sync(() => {
          received.push(...Chunk.toArray(Chunk.map(chunks, (chunk) => chunk.slice())))
        })
      )
    )
    return { bytes: concat(received), chunks: received, exit }
  })

/** The file system, whose files are read in another way. */
export const readingBy = (
  read: (file: FileSystem.File, buffer: Uint8Array) => ReturnType<FileSystem.File["read"]>
) =>
  Effect.map(FileSystem.FileSystem, (fs) =>
    FileSystem.FileSystem.of({
      ...fs,
      open: (path, options) =>
        Effect.map(fs.open(path, options), (file) => ({
          ...file,
          [FileSystem.FileTypeId]: FileSystem.FileTypeId,
          stat: file.stat,
          seek: (offset, from) => file.seek(offset, from),
          read: (buffer) => read(file, buffer)
        }))
    })
  )
