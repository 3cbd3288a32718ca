/** What the errors of an upload say, and what they mean for what comes next. */
import { describe, expect, it } from "@effect/vitest"
import { DateTime } from "effect"
import { ArchiveChanged } from "../../src/archive/ArchiveError.ts"
import { ExtensionId } from "../../src/cloud/ExtensionId.ts"
import * as Cloud from "../../src/cloud/ExtensionsError.ts"
import { JournalUnavailable } from "../../src/journal/JournalError.ts"
import { journalId } from "../../src/journal/JournalRecord.ts"
import * as Resumable from "../../src/transfer/ResumableUploadError.ts"
import * as Transfer from "../../src/transfer/TransferError.ts"
import * as Errors from "../../src/upload/UploadError.ts"

const extensionId = "882519870"
const lastModified = DateTime.unsafeMake("2026-11-26T17:00:00Z")

const conflict = () =>
  Errors.conflictBetween(extensionId, {}, { resourceVersion: "7", lastModified, file: { size: 12 } })

const unknown = () =>
  new Errors.OutcomeUnknown({
    extensionId,
    cause: "UploadStalled",
    detail: "nobody answers"
  })
const guarded = () => new Errors.ExtensionProtected({ extensionId, deployments: ["a"] })

type Sample = readonly [error: Errors.UploadError, isRetryable: boolean, says: string]

const own = (): ReadonlyArray<Sample> => [
  [
    conflict(),
    false,
    "(now: version 7, modified 2026-11-26T17:00:00.000Z, 12 bytes; before: no details known)"
  ],
  [
    Errors.conflictBetween(extensionId, { file: { size: 0 } }, { resourceVersion: "7" }),
    false,
    "(now: version 7; before: 0 bytes)"
  ],
  [
    unknown(),
    false,
    "It is not known whether the upload to extension 882519870 took effect (UploadStalled), because nobody answers."
  ],
  ...(
    [
      ["Size", false, "its size in bytes is a, expected e"],
      ["Hash", false, "its SHA-256 is a, expected e"],
      ["Unchanged", true, "the service answered with success, but shows a, expected e"],
      ["Incomplete", true, "the service answered with success after a of e"]
    ] as const
  ).map(
    ([reason, isRetryable, says]) =>
      [
        new Errors.VerificationFailed({ extensionId, reason, expected: "e", actual: "a" }),
        isRetryable,
        `${says}. ${isRetryable ? "Run the same upload again." : "Do not use it; upload again."}`
      ] as const
  ),
  [
    new Errors.ArchiveTooLarge({ path: "a.zip", size: 3, limit: 2 }),
    false,
    'The archive "a.zip" is 3 bytes; Elastic Cloud accepts at most 2.'
  ],
  [guarded(), false, "the extension is used by deployment a."],
  [
    new Errors.ExtensionProtected({ extensionId, deployments: [..."abcdefghijkl"] }),
    false,
    "the extension is used by 12 deployments: a, b, c, d, e, f, g, h, i, j and 2 more."
  ],
  [
    new Errors.InvalidExtensionId({ extensionId: 'a"', detail: "It is too long." }),
    false,
    '"a\\"" cannot be uploaded to. It is too long.'
  ]
]

describe("an error", () => {
  it("says what happened, then what to do, and whether the same may succeed later", () => {
    for (const [error, isRetryable, says] of own()) {
      expect(error.message).toContain(says)
      expect(error.message.endsWith(` ${error.remedy}`)).toBe(true)
      expect(error.remedy).toMatch(/^[A-Z]/)
      expect([error._tag, error.isRetryable]).toEqual([error._tag, isRetryable])
    }
  })
})

const exchange = { method: "PUT", origin: "https://api.example", phase: "sending", bytesSent: 3 } as const
const answer = {
  operation: "upload",
  extensionId: ExtensionId.make("1"),
  errors: [],
  requestContext: {},
  body: ""
} as const
const origin = "https://api.example"

const failed = () => new Transfer.ConnectionFailed({ ...exchange, detail: "reset" })
const untrusted = () =>
  new Transfer.ConnectionFailed({
    ...exchange,
    phase: "securing",
    code: "DEPTH_ZERO_SELF_SIGNED_CERT",
    detail: "not trusted"
  })
const unauthenticated = () => new Cloud.AuthenticationFailed({ ...answer, status: 401 })
const unexpected = (status: number) => new Cloud.UnexpectedResponse({ ...answer, status, headers: {} })
const changed = () =>
  new ArchiveChanged({
    path: "a.zip",
    reason: "Grew",
    detail: "by a byte"
  })
const limited = (outcomeOpen: boolean) =>
  new Resumable.UploadLimitExceeded({
    origin,
    limit: "max-size",
    allowedBytes: 1,
    neededBytes: 2,
    outcomeOpen
  })
const lost = () => new Resumable.UploadResourceLost({ origin, reason: "Gone" })
const unwritable = () =>
  new JournalUnavailable({
    location: "/folder",
    operation: "write",
    reason: "DiskFull",
    detail: `${journalId({ origin, extensionId })} does not fit`
  })

describe("isOutcomeOpen", () => {
  it.each([
    ["a connection that failed on the way", failed, false, false],
    ["one that failed after the whole body", failed, true, true],
    ["a stall", () => new Transfer.UploadStalled({ ...exchange, limitMillis: 1 }), true, true],
    ["a stall on the way", () => new Transfer.UploadStalled({ ...exchange, limitMillis: 1 }), false, false],
    ["a deadline", () => new Transfer.DeadlineExceeded({ ...exchange, limitMillis: 1 }), true, true],
    ["a gateway's 502", () => new Cloud.ServiceUnavailable({ ...answer, status: 502 }), true, true],
    [
      "a gateway's 502 on the way",
      () => new Cloud.ServiceUnavailable({ ...answer, status: 502 }),
      false,
      false
    ],
    ["a success that makes no sense", () => unexpected(204), false, true],
    ["a redirect", () => unexpected(399), true, true],
    ["a refusal that nobody documented", () => unexpected(400), true, false],
    ["a limit that was met before", () => limited(false), true, false],
    ["a limit that was met after an open end", () => limited(true), false, true],
    ["an upload resource that is gone", lost, false, true],
    ["a key that is not accepted", unauthenticated, true, false],
    ["an archive that changed", changed, true, false]
  ] as const)("of %s", (_, make, wholeBodySent, isOpen) => {
    expect(Errors.isOutcomeOpen(make(), wholeBodySent)).toBe(isOpen)
  })
})

describe("keepsRecord", () => {
  it.each([
    ["what may pass", failed, false, true],
    ["what a person has to put right", untrusted, false, false],
    ["what a person has to put right, of an upload that has begun", untrusted, true, true],
    ["a key that is not accepted", unauthenticated, false, false],
    ["a key that is not accepted for an upload that has begun", unauthenticated, true, true],
    ["an archive that changed", changed, true, false],
    ["somebody else's archive", conflict, true, false],
    ["an outcome that nobody knows", unknown, false, true],
    ["an extension that is protected", guarded, false, true],
    ["a journal that cannot be written", unwritable, false, true]
  ] as const)("after %s", (_, make, hasBegun, isKept) => {
    expect(Errors.keepsRecord(make(), hasBegun)).toBe(isKept)
  })
})
