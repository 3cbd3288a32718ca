/** Which addresses may be an upload resource, and the requests that go there. */
import * as Headers from "@effect/platform/Headers"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import type { IgnoredReason, UploadResource } from "./models.ts"

/** What a `Location` turned out to be. */
export type Location =
  | { readonly _tag: "Absent" }
  | { readonly _tag: "Usable"; readonly url: string }
  | { readonly _tag: "Ignored"; readonly origin: string; readonly reason: IgnoredReason }

export const originOf = (url: string): string => (URL.canParse(url) ? new URL(url).origin : "an invalid URL")

/** The `Location` of an answer from `base`, to an upload that is meant for `target`. */
export const locationOf = (headers: Headers.Headers, target: string, base: string): Location =>
  Option.match(Headers.get(headers, "location"), {
    onNone: () => ({ _tag: "Absent" }),
    onSome: (location) => (URL.canParse(location, base) ? judge(new URL(location, base), target) : malformed)
  })

const malformed: Location = { _tag: "Ignored", origin: "an invalid URL", reason: "Malformed" }

const maxLength = 8192

const judge = (url: URL, target: string): Location => {
  const origin = url.origin === "null" ? url.protocol : url.origin
  if (origin !== originOf(target)) return { _tag: "Ignored", origin, reason: "AnotherOrigin" }
  if (url.username !== "" || url.href.length > maxLength) return malformed
  return isGuarded(url, new URL(target))
    ? { _tag: "Ignored", origin, reason: "NotAnUploadResource" }
    : { _tag: "Usable", url: url.href }
}

/**
 * Cancelling an upload must never delete what it was for, nor anything else that the API manages, whatever a server or a
 * journal says. So within the target's first folder, which is the API's, only what lies below the target itself is taken for
 * an upload resource; and neither the target nor what it is a part of, in any spelling.
 */
const isGuarded = (url: URL, target: URL): boolean => {
  const own = segmentsOf(target)
  const other = segmentsOf(url)
  const common = other.findIndex((segment, index) => segment !== own[index])
  const shared = common === -1 ? other.length : common
  if (shared === other.length && other.length <= own.length) return true
  return shared > 0 && shared < own.length
}

const decoded = Option.liftThrowable(decodeURIComponent)

/** As the most lenient server would read it: decoded until nothing is left to decode. */
const fullyDecoded = (path: string): string => {
  const next = Option.getOrElse(decoded(path), () =>
    path.replace(/%[0-9a-f]{2}/gi, (triplet) => Option.getOrElse(decoded(triplet), () => triplet))
  )
  return next === path ? path : fullyDecoded(next)
}

/** Without what some servers ignore: case, empty segments, parameters of a segment, and blanks around it. */
const segmentsOf = ({ pathname }: URL): ReadonlyArray<string> => {
  const path: Array<string> = []
  for (const part of fullyDecoded(pathname).normalize("NFKC").toLowerCase().split(/[/\\]/)) {
    const segment = part.replace(/;.*$/s, "").replace(/^[\s\p{C}]+|[\s\p{C}]+$/gu, "")
    if (segment === "..") path.pop()
    else if (segment !== "" && segment !== ".") path.push(segment)
  }
  return path
}

/**
 * A request to an upload resource, with the credentials of the upload request. `None` when its address may not be one:
 * credentials never go to another origin.
 */
export const resourceRequest = (
  method: "HEAD" | "PATCH" | "DELETE",
  upload: HttpClientRequest.HttpClientRequest,
  resource: Pick<UploadResource, "url" | "interopVersion">
): Option.Option<HttpClientRequest.HttpClientRequest> => {
  const address = Redacted.value(resource.url)
  if (!URL.canParse(address) || !URL.canParse(upload.url)) return Option.none()
  if (judge(new URL(address), upload.url)._tag !== "Usable") return Option.none()
  const headers = Headers.remove(upload.headers, ["content-type", "content-length"])
  return Option.some(
    HttpClientRequest.make(method)(address, {
      headers: Headers.setAll(headers, interopHeader(resource.interopVersion))
    })
  )
}

export const interopHeader = (version: number): Headers.Input => ({
  "upload-draft-interop-version": String(version)
})
