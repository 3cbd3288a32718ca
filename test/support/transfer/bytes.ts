/** Contents whose every byte tells where it stands, and ways to read them back. */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type { Representation } from "../../../src/transfer/Representation.ts"

/** `size` bytes without a short period, so that a piece out of place never looks right. */
export const pattern = (size: number): Uint8Array<ArrayBuffer> =>
  Uint8Array.from({ length: size }, (_, index) => (index * 31 + (index >> 8) * 7) & 0xff)

/** A representation of plain bytes, read in chunks of at most `chunkSize`. */
export const ofBytes = (
  bytes: Uint8Array,
  chunkSize = 16 * 1024,
  contentType = "application/zip"
): Representation => ({
  contentType,
  size: bytes.length,
  read: (offset) => {
    const count = Math.ceil(Math.max(0, bytes.length - offset) / chunkSize)
    const starts = Array.from({ length: count }, (_, index) => offset + index * chunkSize)
    return Stream.fromIterable(starts).pipe(
      Stream.rechunk(1),
      Stream.map((start) => bytes.subarray(start, start + chunkSize))
    )
  }
})

export const collect = <E, R>(
  stream: Stream.Stream<Uint8Array, E, R>
): Effect.Effect<Uint8Array<ArrayBuffer>, E, R> =>
  Effect.map(Stream.runCollect(stream), (chunks) => Uint8Array.from(Buffer.concat([...chunks])))
