/** Archives to upload. */
import { randomBytes } from "node:crypto"
import { finished } from "node:stream/promises"
import * as FileSystem from "@effect/platform/FileSystem"
import * as Path from "@effect/platform/Path"
import { Effect, Layer, Option, Stream } from "effect"
import * as Yazl from "yazl"
import * as Archive from "../../../src/archive/Archive.ts"
import { PieceBytes } from "../../../src/upload/internal/run.ts"

/** A ZIP archive around so many bytes that do not compress: a little larger, and another one each time. */
export const zipOf = (bytes: number): Effect.Effect<Buffer> =>
  Effect.promise(async () => {
    const zip = new Yazl.ZipFile()
    zip.addBuffer(randomBytes(bytes), "dictionaries/words.dic")
    zip.end()
    const chunks: Array<Buffer> = []
    zip.outputStream.on("data", (chunk: Buffer) => chunks.push(chunk))
    await finished(zip.outputStream)
    return Buffer.concat(chunks)
  })

/** A file in a folder of its own, gone with the scope. */
export const fileWith = (content: Uint8Array, name = "words.zip") =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const path = yield* Path.Path
    const file = path.join(yield* fs.makeTempDirectoryScoped({ prefix: "archive-" }), name)
    yield* fs.writeFile(file, content)
    return file
  })

/** The two ways to hash an archive. */
export const ways = ["BeforeSending", "WhileSending"] as const

export type Way = (typeof ways)[number]

/**
 * An archive in memory, read in ten pieces, to be sent to an extension that cannot hold it. Only one that has a date, by
 * which a change would be noticed, is hashed while it is sent.
 */
export const archiveFor = (way: Way, bytes: Uint8Array, name = "words.zip"): Archive.Archive =>
  Archive.make({
    name,
    size: bytes.length,
    open: (offset) => {
      const piece = Math.ceil(bytes.length / 10)
      return Stream.unfold(offset, (at) =>
        at < bytes.length ? Option.some([bytes.subarray(at, at + piece), at + piece]) : Option.none()
      )
    },
    ...(way === "WhileSending" ? { modifiedMillis: 1 } : {})
  })

/** Even the smallest archive takes more than one piece, and so can be hashed while it is sent. */
export const inSmallPieces = Layer.succeed(PieceBytes, 16)
