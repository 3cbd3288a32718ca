import { serializeDictionary } from "structured-headers"
import type { ResumableLimits, ResumableOptions } from "../ResumableUploads.ts"
import type { Uploads } from "./uploads.ts"

/** @internal */
export interface Settings {
  readonly interopVersions: ReadonlyArray<number>
  readonly limits: ResumableLimits
  readonly progressEveryBytes: number
  readonly interimResponses: boolean
  readonly replayFinalAnswer: boolean
}

/**
 * What the operations on resumable uploads work with.
 *
 * @internal
 */
export interface Resumable {
  readonly settings: Settings
  readonly uploads: Uploads
}

const DEFAULT_PROGRESS_BYTES = 4 * 1024 * 1024

/** @internal */
export const make = (options: ResumableOptions): Settings => ({
  interopVersions: options.interopVersions ?? [8],
  limits: options.limits ?? {},
  progressEveryBytes: options.progressEveryBytes ?? DEFAULT_PROGRESS_BYTES,
  interimResponses: options.interimResponses ?? true,
  replayFinalAnswer: options.replayFinalAnswer ?? true
})

/** The lifetime was called `expires` up to the sixth iteration. */
const lifetimeKey = (interopVersion: number): string => (interopVersion <= 6 ? "expires" : "max-age")

/**
 * The value of `Upload-Limit`, with so many seconds left to live. Never empty: a limit that limits nothing stands for
 * none.
 *
 * @internal
 */
export const uploadLimit = (
  { maxAppendSize, maxSize, minAppendSize, minSize }: ResumableLimits,
  interopVersion: number,
  secondsLeft: number | undefined
): string => {
  const members = Object.entries({
    "max-size": maxSize,
    "min-size": minSize,
    "max-append-size": maxAppendSize,
    "min-append-size": minAppendSize,
    [lifetimeKey(interopVersion)]: secondsLeft
  }).flatMap(([key, value]) => (value === undefined ? [] : [[key, value] as const]))
  return serializeDictionary(members.length === 0 ? { "min-size": 0 } : Object.fromEntries(members))
}
