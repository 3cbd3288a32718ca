import type * as Http from "node:http"
import * as Option from "effect/Option"
import { type BareItem, parseItem } from "structured-headers"

/**
 * A field's value as sent.
 *
 * @internal
 */
export const field = (request: Http.IncomingMessage, name: string): Option.Option<string> => {
  const value = request.headers[name]
  return typeof value === "string" ? Option.some(value) : Option.none()
}

const item = Option.liftThrowable((text: string): BareItem => parseItem(text)[0])

/** The parser reads the Decimal `1.0` as the number 1; only the text tells it from an Integer. */
const isInteger = (text: string): boolean => /^ *\d+ *(;|$)/.test(text)

/** A field of any other type counts as absent. */
const nonNegativeInteger =
  (name: string) =>
  (request: Http.IncomingMessage): Option.Option<number> =>
    field(request, name).pipe(
      Option.filter(isInteger),
      Option.flatMap(item),
      Option.filter((value) => typeof value === "number")
    )

/** @internal */
export const uploadOffset = nonNegativeInteger("upload-offset")

/** @internal */
export const uploadLength = nonNegativeInteger("upload-length")

/** @internal */
export const interopVersion = nonNegativeInteger("upload-draft-interop-version")

/** @internal */
export const uploadComplete = (request: Http.IncomingMessage): Option.Option<boolean> =>
  field(request, "upload-complete").pipe(
    Option.flatMap(item),
    Option.filter((value) => typeof value === "boolean")
  )

/**
 * Bytes of the request's content, as far as its head tells.
 *
 * @internal
 */
export const contentLength = (request: Http.IncomingMessage): Option.Option<number> =>
  Option.map(field(request, "content-length"), Number)

/** @internal */
export const boolean = (value: boolean): string => (value ? "?1" : "?0")
