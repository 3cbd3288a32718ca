/**
 * The bytes a PUT carries: one content, raw or wrapped as the single part of a multipart form.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import * as Stream from "effect/Stream"
import * as ByteStream from "../byteStream.ts"

/**
 * A representation of known length that can be read again from any offset. Offsets of resumable uploads count bytes of
 * the representation, so a multipart boundary is part of its identity.
 *
 * @since 0.1.0
 * @category models
 */
export interface Representation<out E = never, out R = never> {
  readonly contentType: string
  /** Length in bytes: the `Content-Length` of the whole. */
  readonly size: number
  /** The bytes from `offset` to the end. */
  readonly read: (offset: number) => Stream.Stream<Uint8Array, E, R>
}

/**
 * The one file of a form, and how the form names it.
 *
 * @since 0.1.0
 * @category models
 */
export interface MultipartOptions<out E, out R> {
  /** At most 70 characters from the alphabet of RFC 2046; must not occur in the content. */
  readonly boundary: string
  /** Name of the form field. */
  readonly field: string
  readonly filename: string
  /** The file itself. */
  readonly file: Representation<E, R>
}

/**
 * A boundary of 128 random bits: long enough not to occur in any archive.
 *
 * @since 0.1.0
 * @category constructors
 */
export const randomBoundary: Effect.Effect<string> = Effect.map(
  Effect.replicateEffect(Random.nextIntBetween(0, 2 ** 32), 4),
  (words) => `extension-${words.map((word) => word.toString(16).padStart(8, "0")).join("")}`
)

/**
 * One `multipart/form-data` part around a file (RFC 7578), with an exact length.
 *
 * @since 0.1.0
 * @category constructors
 */
export const multipart = <E, R>(options: MultipartOptions<E, R>): Representation<E, R> => {
  const encoder = new TextEncoder()
  const head = encoder.encode(
    `--${options.boundary}\r\n` +
      `Content-Disposition: form-data; name="${quotedParameter(options.field)}"; ` +
      `filename="${quotedParameter(options.filename)}"\r\n` +
      `Content-Type: ${options.file.contentType}\r\n\r\n`
  )
  const tail = encoder.encode(`\r\n--${options.boundary}--\r\n`)
  const fileEnd = head.length + options.file.size
  return {
    contentType: `multipart/form-data; boundary=${options.boundary}`,
    size: fileEnd + tail.length,
    read: (offset) => {
      const rest = bytes(tail.subarray(Math.max(0, offset - fileEnd)))
      if (offset >= fileEnd) return rest
      const file = options.file.read(Math.max(0, offset - head.length))
      return bytes(head.subarray(offset)).pipe(Stream.concat(file), Stream.concat(rest))
    }
  }
}

const bytes = (part: Uint8Array): Stream.Stream<Uint8Array> =>
  part.length === 0 ? Stream.empty : Stream.succeed(part)

/** RFC 7578 leaves the escaping of quotes and line ends to the way browsers do it: percent-encoding. */
const quotedParameter = (value: string): string =>
  value.replace(/["\r\n]/g, (char) => encodeURIComponent(char))

/**
 * Exactly `length` bytes of a representation, from `offset`.
 *
 * @since 0.1.0
 * @category combinators
 */
export const slice = <E, R>(
  representation: Representation<E, R>,
  offset: number,
  length: number
): Stream.Stream<Uint8Array, E, R> =>
  offset + length >= representation.size
    ? representation.read(offset)
    : ByteStream.take(representation.read(offset), length)
