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
 * Cancelling an upload must never delete what it was for, whatever a server or a journal says. So neither the target
 * itself, in any spelling, nor what it is a part of, nor its siblings are taken for an upload resource.
 */
const isGuarded = (url: URL, target: URL): boolean => {
  const own = segmentsOf(target)
  const other = segmentsOf(url)
  const shared = other.every((segment, index) => segment === own[index])
  if (shared && other.length <= own.length) return true
  const parent = own.slice(0, -1)
  return (
    parent.length > 0 &&
    other.length === own.length &&
    parent.every((segment, index) => segment === other[index])
  )
}

const decoded = Option.liftThrowable(decodeURIComponent)

const segmentsOf = ({ pathname }: URL): ReadonlyArray<string> =>
  Option.getOrElse(decoded(pathname), () => pathname)
    .toLowerCase()
    .split("/")
    .filter((segment) => segment !== "")

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
