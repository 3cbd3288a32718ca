/**
 * The header fields of resumable uploads (draft-ietf-httpbis-resumable-upload), read as Structured Fields (RFC 9651).
 * A field of the wrong type counts as absent, as the draft demands.
 *
 * @since 0.1.0
 */
import * as Headers from "@effect/platform/Headers"
import * as Option from "effect/Option"
import { type BareItem, parseDictionary, parseItem } from "structured-headers"

/**
 * Limits a server announces in `Upload-Limit`. Sizes are bytes.
 *
 * @since 0.1.0
 * @category models
 */
export interface UploadLimits {
  readonly maxSize?: number
  readonly minSize?: number
  readonly maxAppendSize?: number
  readonly minAppendSize?: number
  /** Remaining lifetime of the upload resource in seconds, counted from the response. */
  readonly maxAgeSeconds?: number
}

/** Iteration -05 of the draft (interop version 6) called the lifetime `expires`. */
const limitKeys = new Map<string, keyof UploadLimits>([
  ["max-size", "maxSize"],
  ["min-size", "minSize"],
  ["max-append-size", "maxAppendSize"],
  ["min-append-size", "minAppendSize"],
  ["max-age", "maxAgeSeconds"],
  ["expires", "maxAgeSeconds"]
])

const item = Option.liftThrowable(parseItem)
const dictionary = Option.liftThrowable(parseDictionary)

/** The parser folds the Decimal `1.0` into the number 1; the draft wants an Integer. */
const isInteger = (value: BareItem, text: string): value is number =>
  typeof value === "number" && Number.isSafeInteger(value) && !/^[^;]*\./.test(text)

const nonNegativeInteger =
  (name: string) =>
  (headers: Headers.Headers): Option.Option<number> =>
    Option.flatMap(Headers.get(headers, name), (text) =>
      Option.flatMap(item(text), ([value]) =>
        isInteger(value, text) && value >= 0 ? Option.some(value) : Option.none()
      )
    )

/**
 * `Upload-Offset`: bytes processed so far.
 *
 * @since 0.1.0
 * @category fields
 */
export const uploadOffset = nonNegativeInteger("upload-offset")

/**
 * `Upload-Length`: bytes of the whole representation.
 *
 * @since 0.1.0
 * @category fields
 */
export const uploadLength = nonNegativeInteger("upload-length")

/**
 * `Upload-Draft-Interop-Version`: the iteration of the draft a message speaks.
 *
 * @since 0.1.0
 * @category fields
 */
export const interopVersion = nonNegativeInteger("upload-draft-interop-version")

/**
 * `Upload-Complete`: in a response, whether the targeted resource itself is answering.
 *
 * @since 0.1.0
 * @category fields
 */
export const uploadComplete = (headers: Headers.Headers): Option.Option<boolean> =>
  Headers.get(headers, "upload-complete").pipe(
    Option.flatMap(item),
    Option.map(([value]) => value),
    Option.filter((value) => typeof value === "boolean")
  )

/** As with Items, what the parser folds into an integer is looked for in the text. */
const isDecimalMember = (key: string, text: string): boolean =>
  new RegExp(`(?:^|[\\s,])${key}=-?\\d+\\.`).test(text)

/**
 * `Upload-Limit`. Unknown keys are ignored; a known key of a wrong type makes the whole field absent.
 *
 * @since 0.1.0
 * @category fields
 */
export const uploadLimits = (headers: Headers.Headers): Option.Option<UploadLimits> =>
  Option.flatMap(Headers.get(headers, "upload-limit"), (text) =>
    Option.flatMap(dictionary(text), (members) => {
      const known: Array<readonly [string, number]> = []
      for (const [key, [value]] of members) {
        const name = limitKeys.get(key)
        if (name === undefined) continue
        if (typeof value !== "number" || !Number.isSafeInteger(value) || value < 0) return Option.none()
        if (isDecimalMember(key, text)) return Option.none()
        known.push([name, value])
      }
      return Option.some(Object.fromEntries(known))
    })
  )
