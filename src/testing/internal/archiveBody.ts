/** The archive in the body of an upload: raw, or the one part called `file`. */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import { Disk } from "./disk.ts"
import { Exchange } from "./exchange.ts"
import * as Multipart from "./multipart.ts"
import { documented, type Refusal, undocumented } from "./reply.ts"
import * as RequestBody from "./requestBody.ts"

interface PartHead {
  readonly filename: string | undefined
  readonly contentType: string | undefined
}

/** The archive's bytes out of a body, and what the body says about them once they were read. */
interface Framing {
  readonly archive: <E, R>(body: Stream.Stream<Uint8Array, E, R>) => Stream.Stream<Uint8Array, E | Refusal, R>
  readonly head: () => PartHead
}

/** Refuses by its type what cannot hold an archive. */
export const checkType: Effect.Effect<void, Refusal, Exchange> = Effect.flatMap(Exchange, ({ request }) =>
  framingOf(request.headers["content-type"] ?? "")
)

/** Writes the archive in a body of this type to disk. */
export const extract = Effect.fnUntraced(function* <E, R>(
  contentType: string,
  body: Stream.Stream<Uint8Array, E, R>
) {
  const { entry } = yield* Exchange
  const disk = yield* Disk
  const framing = yield* framingOf(contentType)
  const file = yield* disk.receive(framing.archive(body))
  entry.found({ size: file.size, sha256: file.sha256, ...framing.head() })
  return file
})

/**
 * Reads the archive in an upload's body to disk. What can be refused by the head alone is, before a byte is read; a
 * body that ends early is `ConnectionGone`, never a shorter archive.
 */
export const receive = Effect.fnUntraced(function* (maxBytes: number) {
  const { request } = yield* Exchange
  yield* checkType
  if (Number(request.headers["content-length"] ?? 0) > maxBytes) return yield* undocumented.tooLarge(maxBytes)
  const body = RequestBody.atMost(maxBytes, undocumented.tooLarge)
  return yield* extract(request.headers["content-type"] ?? "", body)
})

const RAW_TYPE = "application/zip"

const raw: Framing = {
  archive: (body) => body,
  head: () => ({ filename: undefined, contentType: RAW_TYPE })
}

const malformed = (detail: string) => documented.failed(`The multipart body is malformed: ${detail}.`)

/** Takes the one part called `file` out of `multipart/form-data`; other parts are read and ignored. */
const multipart = (boundary: string): Framing => {
  const parser = Multipart.makeParser(boundary)
  let head: PartHead | undefined
  let isInside = false

  const accept = (event: Multipart.MultipartEvent): Effect.Effect<Option.Option<Uint8Array>, Refusal> => {
    switch (event._tag) {
      case "Malformed":
        return Effect.fail(malformed(event.detail))
      case "PartBegan": {
        isInside = event.name === "file"
        if (!isInside) return Effect.succeedNone
        if (head !== undefined) return Effect.fail(malformed('more than one part is called "file"'))
        head = { filename: event.filename, contentType: event.contentType }
        return Effect.succeedNone
      }
      case "PartBytes":
        return Effect.succeed(isInside ? Option.some(event.bytes) : Option.none())
      case "PartEnded": {
        isInside = false
        return Effect.succeedNone
      }
    }
  }

  const checkEnd = Effect.suspend(() => {
    if (!parser.isClosed()) return Effect.fail(malformed("its closing delimiter is missing"))
    return head === undefined
      ? Effect.fail(documented.failed('The multipart body has no part called "file".', "file"))
      : Effect.void
  })

  return {
    archive: (body) =>
      body.pipe(
        Stream.mapConcat(parser.push),
        Stream.filterMapEffect((event) => Option.some(accept(event))),
        Stream.filterMap((bytes) => bytes),
        Stream.concat(Stream.execute(checkEnd))
      ),
    head: () => head ?? { filename: undefined, contentType: undefined }
  }
}

const framingOf = (contentType: string): Effect.Effect<Framing, Refusal> => {
  const boundary = Multipart.boundaryOf(contentType)
  if (Option.isSome(boundary)) return Effect.succeed(multipart(boundary.value))
  return contentType.split(";")[0]?.trim().toLowerCase() === RAW_TYPE
    ? Effect.succeed(raw)
    : Effect.fail(
        documented.failed(
          `Send application/zip or multipart/form-data with a boundary, not "${contentType}".`
        )
      )
}
