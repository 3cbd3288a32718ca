/**
 * What an HTTP answer says about an archive.
 *
 * @internal
 */
import type { HttpClientResponse } from "@effect/platform/HttpClientResponse"
import * as Effect from "effect/Effect"
import type { ArchiveStat } from "../Archive.ts"
import { ArchiveChanged, type ArchiveError, ArchiveUnreadable } from "../ArchiveError.ts"
import { changeBetween } from "./archiveSource.ts"
import { Lost, unreadable } from "./urlRequest.ts"
import type { UrlSource } from "./urlSource.ts"

/** Bytes `start` to `end`, the latter excluded. */
export interface Range {
  readonly start: number
  readonly end: number
}

/** The archive as an answer to a request without conditions describes it, or `undefined` where the length is missing. */
export const statIn = (
  source: UrlSource,
  response: HttpClientResponse
): Effect.Effect<ArchiveStat | undefined, Lost | ArchiveUnreadable> =>
  Effect.gen(function* () {
    const size = sizeIn(response)
    if (size === 0) return yield* new ArchiveUnreadable({ path: source.path, reason: "Empty" })
    if (response.status !== 200 && response.status !== 206) return yield* refusal(source, response)
    yield* assertPlain(source, response)
    return size === undefined ? undefined : identity(response, size)
  })

/** The end of what the body holds, once it is certain to be what was asked for, of the archive that was expected. */
export const endIn = (
  source: UrlSource,
  response: HttpClientResponse,
  expected: ArchiveStat,
  wanted: Range
): Effect.Effect<number, Lost | ArchiveError> =>
  Effect.gen(function* () {
    const { status } = response
    if (status === 412) {
      const detail = "the server has another one in its place"
      return yield* new ArchiveChanged({ path: source.path, reason: "Modified", detail })
    }
    const holdsBytes = status === 200 || status === 206
    if (holdsBytes) yield* assertPlain(source, response)
    if (holdsBytes || status === 416) {
      const actual = identity(response, sizeIn(response) ?? expected.size)
      const change = changeBetween(source.path, expected, actual)
      if (change !== undefined) return yield* change
    }
    if (!holdsBytes) return yield* refusal(source, response)
    return status === 206
      ? yield* partialEnd(source, response, wanted)
      : yield* wholeEnd(source, expected, wanted)
  })

const partialEnd = (
  source: UrlSource,
  response: HttpClientResponse,
  wanted: Range
): Effect.Effect<number, ArchiveUnreadable> => {
  const range = rangeIn(response)
  if (range?.start === wanted.start && range.end === wanted.end) return Effect.succeed(wanted.end)
  const answer = range === undefined ? "no usable Content-Range" : `bytes ${range.start} to ${range.end - 1}`
  return unreadable(
    source,
    `it answered ${answer} to a request for bytes ${wanted.start} to ${wanted.end - 1}`
  )
}

const wholeEnd = (
  source: UrlSource,
  expected: ArchiveStat,
  wanted: Range
): Effect.Effect<number, ArchiveUnreadable> =>
  wanted.start === 0
    ? Effect.succeed(expected.size)
    : unreadable(source, `the server does not support ranges, so byte ${wanted.start} cannot be reached`)

const identity = ({ headers }: HttpClientResponse, size: number): ArchiveStat => {
  const modifiedMillis = Date.parse(headers["last-modified"] ?? "")
  const etag = headers["etag"]
  return {
    size,
    modifiedMillis: Number.isNaN(modifiedMillis) ? undefined : modifiedMillis,
    // A weak one says that two contents mean the same, not that they are the same bytes.
    etag: etag !== undefined && /^"[^"]*"$/.test(etag) ? etag : undefined
  }
}

/** The length of the whole archive in bytes, where the answer is about the archive and tells it. */
const sizeIn = (response: HttpClientResponse): number | undefined => {
  if (response.status === 200) return toBytes(response.headers["content-length"])
  return response.status === 416 ? unsatisfiable(response) : rangeIn(response)?.size
}

const rangeIn = ({ headers }: HttpClientResponse): (Range & { readonly size: number }) | undefined => {
  const [, first, last, length] = /^bytes (\d+)-(\d+)\/(\d+)$/i.exec(headers["content-range"] ?? "") ?? []
  const [start, inclusive, size] = [toBytes(first), toBytes(last), toBytes(length)]
  return start === undefined || inclusive === undefined || size === undefined
    ? undefined
    : { start, end: inclusive + 1, size }
}

const unsatisfiable = ({ headers }: HttpClientResponse): number | undefined =>
  toBytes(/^bytes \*\/(\d+)$/i.exec(headers["content-range"] ?? "")?.[1])

const toBytes = (digits: string | undefined): number | undefined => {
  const bytes = digits !== undefined && /^\d+$/.test(digits) ? Number(digits) : Number.NaN
  return Number.isSafeInteger(bytes) ? bytes : undefined
}

/** Offsets count the bytes of the archive, not those of a compressed copy that the server or client makes of it. */
const assertPlain = (
  source: UrlSource,
  { headers }: HttpClientResponse
): Effect.Effect<void, ArchiveUnreadable> => {
  const coding = headers["content-encoding"]?.trim().toLowerCase() ?? ""
  return coding === "" || coding === "identity"
    ? Effect.void
    : unreadable(source, `the server sends it with the content coding "${coding}", though asked for none`)
}

const passing = new Set([408, 429, 500, 502, 503, 504])

const refusal = (source: UrlSource, { status }: HttpClientResponse): Lost | ArchiveUnreadable => {
  const detail = `the server answered ${status}`
  if (passing.has(status)) return new Lost({ detail })
  if (status === 404 || status === 410) {
    return new ArchiveUnreadable({ path: source.path, reason: "NotFound", detail })
  }
  return status === 401 || status === 403
    ? new ArchiveUnreadable({ path: source.path, reason: "PermissionDenied", detail })
    : unreadable(source, detail)
}
