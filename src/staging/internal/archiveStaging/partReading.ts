/** How parts are read on their way: straight from the archive, checked as they are read, and never held as a whole. */
import * as Effect from "effect/Effect"
import type * as Stream from "effect/Stream"
import type { Archive } from "../../../archive/Archive.ts"
import * as ArchiveDigest from "../../../archive/ArchiveDigest.ts"
import type { ArchiveError } from "../../../archive/ArchiveError.ts"
import { chunksInUse } from "../../../transfer/UploadHttpClient.ts"
import { offsetOfPart, type Plan, sizeOfPart } from "./parts.ts"

/**
 * The bytes of a part, as often as they are wanted, but not twice at a time. Fails with `ArchiveChanged` before the last of them
 * where they are not those that were digested.
 */
export type PartBytes<R> = Stream.Stream<Uint8Array, ArchiveError, R>

/** In bytes: larger pieces hardly take less time. */
const pieceBytes = 256 * 1024

/** Hands out readings of parts, as many at a time as are used at a time. Made per run, inside an Effect. */
export const make = <R>(archive: Archive<R>, digest: ArchiveDigest.ArchiveDigest, plan: Plan) => {
  const free: Array<Effect.Effect<Uint8Array>> = []

  /** Runs with the bytes of a part, which are read into buffers that an earlier part has used. */
  return <A, E, R2>(
    number: number,
    use: (bytes: PartBytes<R>) => Effect.Effect<A, E, R2>
  ): Effect.Effect<A, E, R2> =>
    Effect.suspend(() => {
      const into = free.pop() ?? turns(Math.min(pieceBytes, sizeOfPart(plan, 1)))
      const offset = offsetOfPart(plan, number)
      const end = offset + sizeOfPart(plan, number)
      const bytes = ArchiveDigest.verifying(digest, archive, { offset, end, into })
      return Effect.ensuring(
        use(bytes),
        Effect.sync(() => free.push(into))
      )
    })
}

/**
 * Buffers that are used in turn, each made when it is first needed. They are not those that all readings share: a reading would
 * have new ones for each part.
 */
const turns = (bytes: number): Effect.Effect<Uint8Array> => {
  const buffers: Array<Uint8Array> = []
  let turn = 0
  return Effect.sync(() => {
    const index = turn++ % chunksInUse
    const buffer = buffers[index] ?? new Uint8Array(bytes)
    buffers[index] = buffer
    return buffer
  })
}
