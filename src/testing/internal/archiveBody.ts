import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type * as Disk from "./disk.ts"
import type { ConnectionGone, Exchange } from "./exchange.ts"
import * as Multipart from "./multipart.ts"
import { documented, type Refusal, undocumented } from "./reply.ts"
import * as RequestBody from "./requestBody.ts"

interface PartHead {
  readonly filename: string | undefined
  readonly contentType: string | undefined
}

/** The archive's bytes out of a body, and what the body says about them once they were read. */
interface Framing {
  readonly archive: <E>(body: Stream.Stream<Uint8Array, E>) => Stream.Stream<Uint8Array, E | Refusal>
  readonly head: () => PartHead
}

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
  if (boundary !== undefined) return Effect.succeed(multipart(boundary))
  return contentType.split(";")[0]?.trim().toLowerCase() === RAW_TYPE
    ? Effect.succeed(raw)
    : Effect.fail(
        documented.failed(
          `Send application/zip or multipart/form-data with a boundary, not "${contentType}".`
        )
      )
}

const checkLength = (exchange: Exchange, maxBytes: number): Effect.Effect<void, Refusal> =>
  Number(exchange.request.headers["content-length"] ?? 0) > maxBytes
    ? Effect.fail(undocumented.tooLarge(maxBytes))
    : Effect.void

const limited =
  (exchange: Exchange, maxBytes: number) =>
  (body: Stream.Stream<Uint8Array, ConnectionGone>): Stream.Stream<Uint8Array, ConnectionGone | Refusal> =>
    Stream.mapEffect(body, (chunk) =>
      exchange.entry.bodyBytes() > maxBytes
        ? Effect.fail(undocumented.tooLarge(maxBytes))
        : Effect.succeed(chunk)
    )

/** @internal */
export const contentTypeOf = ({ request }: Exchange): string => request.headers["content-type"] ?? ""

/**
 * Refuses by its type what cannot hold an archive.
 *
 * @internal
 */
export const checkType = (contentType: string): Effect.Effect<void, Refusal> => framingOf(contentType)

/**
 * Writes the archive in a body of this type to disk.
 *
 * @internal
 */
export const extract = <E>(
  exchange: Exchange,
  disk: Disk.Disk,
  contentType: string,
  body: Stream.Stream<Uint8Array, E>
): Effect.Effect<Disk.ReceivedFile, E | Refusal, Scope.Scope> =>
  Effect.gen(function* () {
    const framing = yield* framingOf(contentType)
    const file = yield* disk.receive(framing.archive(body))
    exchange.entry.found({ size: file.size, sha256: file.sha256, ...framing.head() })
    return file
  })

/**
 * Reads the archive in an upload's body to disk. What can be refused by the head alone is, before a byte is read; a
 * body that ends early is `ConnectionGone`, never a shorter archive.
 *
 * @internal
 */
export const receive = (
  exchange: Exchange,
  disk: Disk.Disk,
  maxBytes: number
): Effect.Effect<Disk.ReceivedFile, ConnectionGone | Refusal, Scope.Scope> =>
  Effect.gen(function* () {
    const contentType = contentTypeOf(exchange)
    yield* checkType(contentType)
    yield* checkLength(exchange, maxBytes)
    const body = RequestBody.stream(exchange).pipe(limited(exchange, maxBytes))
    return yield* extract(exchange, disk, contentType, body)
  })
