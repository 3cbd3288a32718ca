/** What an answer means for an upload, by its status and `Upload-Complete`. */
import type * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import * as Option from "effect/Option"
import * as Fields from "../../UploadFields.ts"

type Response = Pick<HttpClientResponse.HttpClientResponse, "headers" | "status">

export const isSuccess = (status: number): boolean => status >= 200 && status < 300

/**
 * Whether an answer says nothing of the upload itself, but of the server, the credentials or the moment: such an upload
 * can be continued.
 */
export const keepsUpload = (status: number): boolean =>
  (status >= 500 && !isUnsupported(status)) || [401, 403, 407, 408, 425, 429].includes(status)

/** How proxies refuse methods and media types that they do not know. */
const isUnsupported = (status: number): boolean => [405, 415, 501].includes(status)

const isGone = (status: number): boolean => status === 404 || status === 410

/** The meaning of an answer to HEAD. */
export type OffsetAnswer = "Told" | "Gone" | "Locked" | "Later" | "Refused"

export const toOffsetRequest = ({ status }: Response): OffsetAnswer => {
  if (isSuccess(status)) return "Told"
  if (isGone(status)) return "Gone"
  if (status === 409 || status === 423) return "Locked"
  return keepsUpload(status) ? "Later" : "Refused"
}

/**
 * The meaning of an answer to PATCH.
 *
 * `Final` is the targeted resource's own answer. `Appended` goes on behind what was sent. `Unclear` should have said
 * whether the upload is complete, so its resource has to be asked. `WrongOffset` goes on at another offset, `TooLarge`
 * with less content. `Unsupported` is how proxies refuse what they do not know.
 */
export type AppendAnswer =
  | "Final"
  | "Appended"
  | "Unclear"
  | "WrongOffset"
  | "TooLarge"
  | "Locked"
  | "Gone"
  | "Later"
  | "Unsupported"
  | "Refused"

/** What of the request decides about the answer's meaning. */
export interface Append {
  readonly completes: boolean
  readonly interopVersion: number
}

export const toAppend = ({ headers, status }: Response, append: Append): AppendAnswer => {
  const complete = Fields.uploadComplete(headers)
  if (Option.contains(complete, true)) return "Final"
  if (isSuccess(status)) {
    if (!append.completes || Option.isSome(complete)) return "Appended"
    return answersWithoutField(append) ? "Final" : "Unclear"
  }
  if (status === 409) return isOfTheUpload({ headers, status }, append) ? "WrongOffset" : "Refused"
  if (status === 413) return "TooLarge"
  if (status === 423) return "Locked"
  if (isGone(status)) return "Gone"
  if (isUnsupported(status)) return "Unsupported"
  return keepsUpload(status) ? "Later" : "Refused"
}

/** Draft -05: a success that answers a completing append is the target's, whether it says so or not. */
const answersWithoutField = ({ interopVersion }: Append): boolean => interopVersion <= 6

/** A 409 of the upload resource says that the upload is not complete; before draft -12 its offset was enough. */
const isOfTheUpload = ({ headers }: Response, { interopVersion }: Append): boolean =>
  Option.isSome(Fields.uploadComplete(headers)) ||
  (interopVersion <= 8 && Option.isSome(Fields.uploadOffset(headers)))
