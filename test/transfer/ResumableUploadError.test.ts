/** What the errors of resumable uploads say, word by word. */
import { describe, expect, it } from "@effect/vitest"
import {
  ResumptionUnsupported,
  UploadLimitExceeded,
  UploadProtocolViolation,
  UploadResourceBusy,
  UploadResourceLost
} from "../../src/transfer/ResumableUploadError.ts"

const origin = "https://cloud.example"

const errors = [
  new ResumptionUnsupported({ origin }),
  new ResumptionUnsupported({ origin, status: 405 }),
  new UploadResourceLost({ origin, reason: "Expired" }),
  new UploadResourceLost({ origin, reason: "Gone", status: 410 }),
  new UploadResourceLost({ origin, reason: "Refused", status: 405 }),
  new UploadResourceLost({ origin, reason: "Unanswered", status: 204 }),
  new UploadResourceLost({ origin, reason: "Unusable" }),
  new UploadResourceBusy({ origin, status: 423 }),
  new UploadLimitExceeded({ origin, limit: "max-size", allowedBytes: 10, neededBytes: 20 }),
  new UploadLimitExceeded({ origin, limit: "max-append-size", allowedBytes: 10, neededBytes: 20 }),
  new UploadProtocolViolation({ origin, rule: "OffsetMissing", detail: "no offset" })
]

describe("an error of a resumable upload", () => {
  it.each(errors.map((error) => [error.message, error] as const))("says: %s", (message, error) => {
    expect(message.endsWith(` ${error.remedy}`)).toBe(true)
    expect(message).toContain(origin)
    expect(message).toMatch(/^[A-Zh][^\n]*\.$/)
  })

  it("says what happened, and with which status", () => {
    expect(errors.map(({ message, remedy }) => message.replace(` ${remedy}`, ""))).toEqual([
      "https://cloud.example does not offer resumable uploads.",
      "https://cloud.example, or a proxy before it, refuses the requests that continue an upload (405).",
      "The unfinished upload at https://cloud.example has expired.",
      "https://cloud.example no longer knows the unfinished upload (410).",
      "https://cloud.example refuses to tell how far the unfinished upload has come (405).",
      "https://cloud.example has received the whole upload, but does not say whether it was applied (204).",
      "The address of the unfinished upload is not one of an upload to https://cloud.example.",
      "The unfinished upload at https://cloud.example is still locked by an earlier request (423).",
      "https://cloud.example accepts at most 10 bytes; this upload has 20.",
      "https://cloud.example accepts at most 10 bytes per request but asks for at least 20: its limits contradict each other.",
      "https://cloud.example broke the resumable-upload protocol (OffsetMissing): no offset."
    ])
  })
})
