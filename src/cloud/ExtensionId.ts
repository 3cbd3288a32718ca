/**
 * The id of an extension: an opaque string that becomes one segment of a URL path.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"

const maxLength = 255

const problemWith = (id: string): string | undefined => {
  if (id === "") return "it is empty"
  if (id === "." || id === "..") return "it names a folder, not an extension"
  if (/[/\\]/.test(id)) return "it contains a slash; give the id alone, not a path or URL"
  if (/[\p{Cc}\p{Zl}\p{Zp}]/u.test(id)) return "it contains a control character, perhaps a line break"
  if (/\p{Cs}/u.test(id)) return "it is not well-formed Unicode"
  if (id.length > maxLength) return `it is longer than ${maxLength} characters`
  return undefined
}

/**
 * An id as Elastic Cloud gives it out (`"882519870"`, or 32 hexadecimal digits). Its form is not documented, so anything
 * that is safe as one path segment passes; what could leave that segment is refused before a request is made.
 *
 * @since 0.1.0
 * @category schemas
 */
export const ExtensionId = Schema.String.pipe(
  Schema.filter((id) => {
    const problem = problemWith(id)
    return problem === undefined ? undefined : `This is not an extension id: ${problem}.`
  }),
  Schema.brand("ExtensionId"),
  Schema.annotations({
    identifier: "ExtensionId",
    description: "the id of an extension, one segment of a URL path"
  })
)

/**
 * The id of an extension, safe as one segment of a path.
 *
 * @since 0.1.0
 * @category models
 */
export type ExtensionId = typeof ExtensionId.Type

/**
 * The id as it goes over the wire: percent-encoded, so that it stays the one path segment it is.
 *
 * @since 0.1.0
 * @category encoding
 */
export const toPathSegment = (id: ExtensionId): string => encodeURIComponent(id)
