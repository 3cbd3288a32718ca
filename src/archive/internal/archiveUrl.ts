/**
 * Reading an archive over HTTP, by ranges.
 *
 * @internal
 */
import type * as HttpClient from "@effect/platform/HttpClient"
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import type { ArchiveStat, ReadOptions } from "../Archive.ts"
import type { ArchiveError, ArchiveUnreadable } from "../ArchiveError.ts"
import { assertOffset, changeBetween, ofLength } from "./archiveSource.ts"
import { endIn, type Range, statIn } from "./urlAnswer.ts"
import { body, giveUp, Lost, send, unreadable } from "./urlRequest.ts"
import type { UrlSource } from "./urlSource.ts"

const isLost = (error: Lost | ArchiveError): boolean => error._tag === "Lost"

export const stat = (
  source: UrlSource
): Effect.Effect<ArchiveStat, ArchiveUnreadable, HttpClient.HttpClient> =>
  Effect.scoped(askHead(source)).pipe(
    Effect.flatMap((found) =>
      found === undefined ? Effect.scoped(askFirstByte(source)) : Effect.succeed(found)
    ),
    Effect.retry({ schedule: source.retry, while: isLost }),
    Effect.catchTag("Lost", (lost) => giveUp(source, lost))
  )

/** Stores refuse HEAD to a link that was signed for GET, and some servers know no HEAD at all. */
const headless = new Set([403, 405, 501])

const askHead = (source: UrlSource) =>
  Effect.flatMap(send(source, "HEAD", {}), (response) =>
    headless.has(response.status) ? Effect.succeed(undefined) : statIn(source, response)
  )

const askFirstByte = (source: UrlSource) =>
  send(source, "GET", { range: "bytes=0-0" }).pipe(
    Effect.flatMap((response) => statIn(source, response)),
    Effect.flatMap((found) =>
      found === undefined ? unreadable(source, "the server does not tell its length") : Effect.succeed(found)
    )
  )

/**
 * The first request of a reading asks for this many bytes and the second for all the rest: whoever looks at a ZIP's
 * directory takes no more than that, and would otherwise make the server fill every buffer on the way.
 */
const firstBytes = 128 * 1024

export const read =
  (source: UrlSource) =>
  ({ expected, offset }: ReadOptions): Stream.Stream<Uint8Array, ArchiveError, HttpClient.HttpClient> =>
    Stream.suspend(() => {
      assertOffset(offset, expected)
      if (offset === expected.size) return Stream.execute(assertUnchanged(source, expected))

      const readUpTo = makeReader(source, expected, offset)
      const first = Math.min(expected.size, offset + firstBytes)
      return Stream.concat(readUpTo(first), readUpTo(expected.size)).pipe(
        Stream.mapError((error) => (error._tag === "Lost" ? giveUp(source, error) : error)),
        ofLength(source.path, expected, offset)
      )
    })

const assertUnchanged = (source: UrlSource, expected: ArchiveStat) =>
  Effect.flatMap(stat(source), (actual): Effect.Effect<void, ArchiveError> => {
    const change = changeBetween(source.path, expected, actual)
    return change === undefined ? Effect.void : change
  })

/** Streams that go on where the one before ended. What was passed on is never asked for again, and nothing is left out. */
const makeReader = (source: UrlSource, expected: ArchiveStat, offset: number) => {
  let position = offset

  const advance = (end: number) => (chunk: Chunk.Chunk<Uint8Array>) =>
    Effect.suspend(() => {
      position = Chunk.reduce(chunk, position, (sum, bytes) => sum + bytes.length)
      // Beyond the archive's own end, it has grown: the length of the whole is kept elsewhere.
      return position > end && end < expected.size
        ? unreadable(source, `the server sent more than the bytes up to ${end} that it announced`)
        : Effect.succeed(chunk)
    })

  const request = (wanted: Range) =>
    Stream.unwrapScoped(
      Effect.gen(function* () {
        const response = yield* send(source, "GET", conditions(expected, wanted))
        const end = yield* endIn(source, response, expected, wanted)
        const cutShort = Effect.suspend(() =>
          position < end
            ? new Lost({ detail: `the answer ended at byte ${position} of ${end}` })
            : Effect.void
        )
        return body(source, response).pipe(
          Stream.mapChunksEffect(advance(end)),
          Stream.concat(Stream.execute(cutShort))
        )
      })
    )

  return (end: number) =>
    Stream.suspend(() => (position < end ? request({ start: position, end }) : Stream.empty)).pipe(
      Stream.retry(Schedule.whileInput(source.retry, isLost))
    )
}

/**
 * A server that knows conditions refuses to send a byte of a changed archive; one that does not is found out by its
 * answer. One that tells neither a strong ETag nor a date is read all the same: its length is checked, and whoever
 * uploads compares what is read with the digest.
 */
const conditions = (expected: ArchiveStat, { end, start }: Range): Readonly<Record<string, string>> => ({
  range: `bytes=${start}-${end - 1}`,
  ...(expected.etag === undefined ? {} : { "if-match": expected.etag })
})
