/** Archives to upload. */
import { randomBytes } from "node:crypto"
import { finished } from "node:stream/promises"
import * as FileSystem from "@effect/platform/FileSystem"
import * as Path from "@effect/platform/Path"
import { Effect } from "effect"
import * as Yazl from "yazl"

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
