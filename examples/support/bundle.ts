/** Packs files into a ZIP archive as a bundle wants them. */
import { createWriteStream } from "node:fs"
import { readFile, stat } from "node:fs/promises"
import { finished } from "node:stream/promises"
import * as Effect from "effect/Effect"
import yazl from "yazl"

/** Stored rather than compressed where it is to be seen travelling; returns the entries. */
export const buildBundle = (
  path: string,
  files: ReadonlyArray<{ readonly file: string; readonly entry: string }>
): Effect.Effect<ReadonlyArray<string>> =>
  Effect.promise(async () => {
    const zip = new yazl.ZipFile()
    // From memory: a stored entry whose size is written behind it is one that Java refuses.
    for (const { entry, file } of files) {
      const { mtime } = await stat(file)
      zip.addBuffer(await readFile(file), entry, { compress: false, mtime })
    }
    zip.end()
    await finished(zip.outputStream.pipe(createWriteStream(path)))
    return files.map(({ entry }) => entry)
  })
