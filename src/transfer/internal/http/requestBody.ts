import type * as HttpBody from "@effect/platform/HttpBody"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"

/**
 * Any `HttpBody` in the one shape the sending loop knows. A length that is not known means `Transfer-Encoding: chunked`.
 *
 * @internal
 */
export interface RequestBody {
  readonly length: number | undefined
  readonly contentType: string | undefined
  readonly chunks: Stream.Stream<Uint8Array, unknown>
}

/** @internal */
export const fromHttpBody = (body: HttpBody.HttpBody): Effect.Effect<RequestBody, string> => {
  switch (body._tag) {
    case "Empty":
      return Effect.succeed({ length: 0, contentType: undefined, chunks: Stream.empty })
    case "Uint8Array":
      return Effect.succeed(fromBytes(body.body, body.contentType))
    case "Raw":
      return fromRaw(body)
    case "Stream":
      return Effect.succeed({
        length: body.contentLength,
        contentType: body.contentType,
        chunks: body.stream
      })
    case "FormData":
      return fromFormData(body.formData)
  }
}

const fromBytes = (bytes: Uint8Array, contentType: string | undefined): RequestBody => ({
  length: bytes.byteLength,
  contentType,
  chunks: Stream.make(bytes)
})

const fromRaw = (raw: HttpBody.Raw): Effect.Effect<RequestBody, string> => {
  if (typeof raw.body === "string") {
    return Effect.succeed(fromBytes(new TextEncoder().encode(raw.body), raw.contentType))
  }
  return raw.body instanceof Uint8Array
    ? Effect.succeed(fromBytes(raw.body, raw.contentType))
    : Effect.fail("a raw body has to be a string or a Uint8Array")
}

/** The platform's own encoder chooses the boundary; it tells no length. */
const fromFormData = (formData: FormData): Effect.Effect<RequestBody, string> =>
  Effect.sync(() => {
    const encoded = new Response(formData)
    return {
      length: undefined,
      contentType: encoded.headers.get("content-type") ?? undefined,
      chunks: Option.match(Option.fromNullable(encoded.body), {
        onNone: () => Stream.empty,
        onSome: (body) =>
          Stream.fromReadableStream(
            () => body,
            (cause) => cause
          )
      })
    }
  })
