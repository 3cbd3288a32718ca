/** How an archive is cut into parts, and which of them the store has. */
import * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Order from "effect/Order"
import { ObjectStore, type PartLimits, type StoredPart, type UnfinishedUpload } from "../../ObjectStore.ts"
import type { StagingError } from "../../StagingError.ts"
import { retrying } from "../../StagingEvent.ts"

/** The parts of one archive: all of one size but the last. */
export interface Plan {
  /** Length of the archive in bytes. */
  readonly size: number
  readonly partBytes: number
  /** How many parts there are. */
  readonly count: number
  /** How many of them may be under way at once. */
  readonly concurrency: number
}

const mebibyte = 1024 * 1024
const defaultPartBytes = 8 * mebibyte
const defaultConcurrency = 4

/** Larger parts mean fewer of them at once: the memory stays what was asked for. */
export const planOf = (
  size: number,
  limits: PartLimits,
  options: { readonly partBytes?: number | undefined; readonly concurrency?: number | undefined }
): Plan => {
  const wanted = Math.max(limits.minPartBytes, Math.trunc(options.partBytes ?? defaultPartBytes))
  const needed = Math.ceil(size / limits.maxParts / mebibyte) * mebibyte
  const partBytes = Math.min(limits.maxPartBytes, size <= wanted * limits.maxParts ? wanted : needed)
  const concurrency = Math.max(1, Math.trunc(options.concurrency ?? defaultConcurrency))
  return {
    size,
    partBytes,
    count: Math.ceil(size / partBytes),
    concurrency: Math.max(1, Math.min(concurrency, Math.floor((concurrency * wanted) / partBytes)))
  }
}

/** In bytes; zero for a part that the archive does not have. */
export const sizeOfPart = ({ count, partBytes, size }: Plan, number: number): number => {
  if (number < 1 || number > count) return 0
  return number < count ? partBytes : size - (count - 1) * partBytes
}

/** Where a part begins, in bytes from the start of the archive. */
export const offsetOfPart = ({ partBytes }: Plan, number: number): number => (number - 1) * partBytes

/**
 * Whether the store has the whole archive: what is under its key was made for this content, so its size decides.
 *
 * Who may not list a bucket is told "not allowed" instead of "not there" (S3 does that), so it counts as not there. If it
 * really is not allowed, then what follows will not be either, and says so.
 */
export const isThere = (key: string, size: number): Effect.Effect<boolean, StagingError, ObjectStore> =>
  Effect.flatMap(ObjectStore, (store) =>
    retrying(store.head(key)).pipe(
      Effect.map(Option.exists((found) => found.size === size)),
      Effect.catchTag("StoreAccessDenied", () => Effect.succeed(false))
    )
  )

/** An unfinished upload, and those of its parts that have the right size. */
export interface Candidate {
  readonly upload: UnfinishedUpload
  readonly fitting: ReadonlyArray<StoredPart>
}

/**
 * The unfinished uploads of a key, the one with most to keep first. Among equals it is the one that the store names first, so
 * that machines that look at the same time choose the same.
 */
export const candidates = (
  key: string,
  plan: Plan
): Effect.Effect<ReadonlyArray<Candidate>, StagingError, ObjectStore> =>
  Effect.gen(function* () {
    const store = yield* ObjectStore
    const uploads = yield* retrying(store.unfinishedOf(key))
    const found = yield* Effect.forEach(
      uploads,
      (upload) =>
        Effect.map(listed(upload), (parts) => ({
          upload,
          fitting: parts.filter(({ number, size }) => size > 0 && size === sizeOfPart(plan, number))
        })),
      { concurrency: 4 }
    )
    return Arr.sortWith(found, ({ fitting }) => sumOf(fitting).bytes, Order.reverse(Order.number))
  })

/** None where the upload was finished or given up since it was listed. */
export const listed = (
  upload: UnfinishedUpload
): Effect.Effect<ReadonlyArray<StoredPart>, StagingError, ObjectStore> =>
  Effect.flatMap(ObjectStore, (store) =>
    Effect.catchTag(retrying(store.parts(upload)), "StoreUploadLost", () => Effect.succeed([]))
  )

export const sumOf = (
  parts: ReadonlyArray<StoredPart>
): { readonly parts: number; readonly bytes: number } => ({
  parts: parts.length,
  bytes: parts.reduce((sum, { size }) => sum + size, 0)
})
