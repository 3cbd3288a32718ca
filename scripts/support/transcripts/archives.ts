/** Archives that are always the same, byte for byte. */
import { createWriteStream } from "node:fs"
import { finished } from "node:stream/promises"
import * as Effect from "effect/Effect"
import yazl from "yazl"

/** Archives hold local time without a time zone. */
const madeAt = new Date(2026, 10, 23, 12)

/** Bytes that do not compress, and are the same for the same seed. */
export const noise = (bytes: number, seed: number): Buffer => {
  const buffer = Buffer.alloc(bytes)
  let state = seed
  for (let i = 0; i < bytes; i++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    buffer[i] = state >>> 24
  }
  return buffer
}

/** Stored as they are, under their names. */
export const makeArchive = (
  path: string,
  entries: Readonly<Record<string, string | Buffer>>
): Effect.Effect<void> =>
  Effect.promise(async () => {
    const zip = new yazl.ZipFile()
    for (const [name, content] of Object.entries(entries)) {
      const options = { mtime: madeAt, forceDosTimestamp: true, compress: false }
      zip.addBuffer(Buffer.from(content), name, options)
    }
    zip.end()
    await finished(zip.outputStream.pipe(createWriteStream(path)))
  })
