/** The words a scene is written in: the requests and responses of the draft, for one upload of 1000 bytes. */
import { pattern } from "./bytes.ts"
import {
  type Act,
  answer,
  type Exchange,
  exchange,
  type Fields,
  interim,
  wholeBody
} from "./resumableServer.ts"

export const target = "/deployments/extensions/1"
export const uploadPath = "/uploads/s3cr3t-c4p4bility"
export const apiKey = "ApiKey c2VjcmV0"

/** What every test uploads, unless it says otherwise. */
export const content = pattern(1000)

/** What the tests speak, unless they say otherwise. */
export const spoken = 9

export const interop = (version: number = spoken): Fields => ({
  "upload-draft-interop-version": String(version)
})

/** The 104 that makes an upload resumable. */
export const offered = (fields: Fields = {}) =>
  interim(104, { ...interop(), location: uploadPath, ...fields })

/** The 104 that tells of progress. */
export const progressed = (offset: number) => interim(104, { ...interop(), ...at(offset) })

export const at = (offset: number | string): Fields => ({ "upload-offset": String(offset) })

export const complete: Fields = { "upload-complete": "?1" }
export const incomplete: Fields = { "upload-complete": "?0" }

/** The requests of an upload, as the draft wants them. */
export const put = (...acts: Exchange["acts"]) =>
  exchange(
    `PUT ${target}`,
    {
      headers: {
        "upload-complete": "?1",
        "upload-length": String(content.length),
        ...interop(),
        "content-length": String(content.length),
        "content-type": "application/zip"
      }
    },
    ...acts
  )

export const head = (...acts: Exchange["acts"]) =>
  exchange(
    `HEAD ${uploadPath}`,
    {
      headers: {
        ...interop(),
        "upload-complete": undefined,
        "content-type": undefined
      },
      sends: [0, 0]
    },
    ...acts
  )

export const patch = (from: number, to: number, ...acts: Exchange["acts"]) =>
  exchange(
    `PATCH ${uploadPath}`,
    {
      headers: {
        "upload-offset": String(from),
        "upload-complete": to === content.length ? "?1" : "?0",
        ...interop(),
        "content-type": "application/partial-upload",
        "content-length": String(to - from)
      },
      sends: [from, to]
    },
    ...acts
  )

export const del = (...acts: Exchange["acts"]) =>
  exchange(`DELETE ${uploadPath}`, { headers: interop(), sends: [0, 0] }, ...acts)

/** OPTIONS as it asks for support and limits. */
export const options = (...acts: Exchange["acts"]) =>
  exchange(
    `OPTIONS ${target}`,
    { headers: { ...interop(), "upload-complete": undefined }, sends: [0, 0] },
    ...acts
  )

/** The empty creation that only asks for the upload resource. */
export const emptyPut = (...acts: Exchange["acts"]) =>
  exchange(
    `PUT ${target}`,
    {
      headers: { ...interop(), "upload-complete": "?0", "upload-length": "1000", "content-length": "0" },
      sends: [0, 0]
    },
    ...acts
  )

/** The target's own answer. */
export const done = answer(200, complete, "done")

/** The answer to HEAD. */
export const atOffset = (offset: number | string, fields: Fields = {}) =>
  answer(204, { ...incomplete, ...at(offset), "upload-length": "1000", ...fields })

/** An append that was taken. */
export const appended = (fields: Fields = {}): ReadonlyArray<Act> => [
  wholeBody,
  answer(204, { ...incomplete, ...fields })
]

export const begun = head(atOffset(0))
export const cancelled = del(answer(204))

export const repeat = (
  count: number,
  next: (index: number) => Exchange | ReadonlyArray<Exchange>
): ReadonlyArray<Exchange> => Array.from({ length: count }, (_, index) => next(index)).flat()
