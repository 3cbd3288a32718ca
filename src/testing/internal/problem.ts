import * as Http from "node:http"
import * as Data from "effect/Data"
import { bytes, type Reply } from "./reply.ts"

/**
 * What is wrong with a request as far as resumable uploads go (RFC 9457): said by the upload resource, not by the
 * extension behind it.
 *
 * @internal
 */
export class Problem extends Data.TaggedError("Problem")<{
  readonly status: number
  readonly detail: string
  readonly type?: string
  readonly members?: Readonly<Record<string, unknown>>
  readonly headers?: Readonly<Record<string, string>>
}> {}

const REGISTRY = "https://iana.org/assignments/http-problem-types"

/** @internal */
export const toReply = ({ detail, headers, members, status, type }: Problem): Reply =>
  bytes(
    status,
    { "content-type": "application/problem+json", "upload-complete": "?0", ...headers },
    JSON.stringify({
      title: Http.STATUS_CODES[status],
      ...(type === undefined ? {} : { type }),
      ...members,
      detail
    })
  )

/** @internal */
export const badRequest = (detail: string) => new Problem({ status: 400, detail })

/** @internal */
export const mismatchingOffset = (expected: number, provided: number) =>
  new Problem({
    status: 409,
    type: `${REGISTRY}#mismatching-upload-offset`,
    detail: "The content does not begin where the upload ends.",
    members: {
      title: "offset from request does not match offset of resource",
      "expected-offset": expected,
      "provided-offset": provided
    },
    headers: { "upload-offset": String(expected) }
  })

/** @internal */
export const inconsistentLength = (detail: string) =>
  new Problem({
    status: 400,
    type: `${REGISTRY}#inconsistent-upload-length`,
    detail,
    members: { title: "inconsistent length values for upload" }
  })

/** @internal */
export const tooLarge = (detail: string, uploadLimit: string) =>
  new Problem({ status: 413, detail, headers: { "upload-limit": uploadLimit } })

/** @internal */
export const tooSmall = (detail: string, uploadLimit: string) =>
  new Problem({ status: 400, detail, headers: { "upload-limit": uploadLimit } })

/** @internal */
export const wrongMediaType = new Problem({
  status: 415,
  detail: "An upload is appended to with application/partial-upload.",
  headers: { "accept-patch": "application/partial-upload" }
})

/** @internal */
export const wrongDigest = (offset: number) =>
  new Problem({
    status: 400,
    detail: "The content is not what Content-Digest says. Nothing of it was kept.",
    headers: { "upload-offset": String(offset) }
  })

/** @internal */
export const alreadyComplete = badRequest("The upload is complete: nothing can be appended.")
