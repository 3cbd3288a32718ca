import { describe, expect, it } from "@effect/vitest"
import { Schema } from "effect"
import { JournalUnavailable } from "../../src/journal/JournalError.ts"
import * as EngineError from "../../src/workflow/EngineError.ts"
import * as ReleaseError from "../../src/workflow/ReleaseError.ts"

const executionId = "0123456789abcdef0123456789abcdef"

/** What each says has happened; what to do follows it. */
const errors = [
  [
    new ReleaseError.InvalidPayload({ fields: ["sha256", "extension.id"] }),
    "This is not the payload of a release: missing or invalid are sha256, extension.id.",
    false
  ],
  [
    new ReleaseError.UnsupportedPayload({ version: 3, newestKnown: 1 }),
    "The release has payload version 3; this runner knows versions up to 1.",
    false
  ],
  [new ReleaseError.ReleaseCancelled({ executionId }), `Release ${executionId} was cancelled.`, false],
  [
    new ReleaseError.ReleaseRejected({ executionId, extensionId: "882", by: "bob", note: "wrong branch" }),
    `Release ${executionId} was rejected by bob: wrong branch. Extension 882 holds its archive and nobody was told.`,
    false
  ],
  [
    new ReleaseError.AnnouncementFailed({ detail: "the channel is closed", isRetryable: true }),
    "The archive is in place, but it could not be announced: the channel is closed.",
    true
  ],
  [
    new EngineError.EngineLocked({ file: "a.db", pid: 42, hostname: "here", sinceMillis: 0 }),
    'The releases in "a.db" are run by process 42 on here since 1970-01-01T00:00:00.000Z.',
    true
  ],
  [
    new EngineError.EngineLocked({ file: "a.db" }),
    'The releases in "a.db" are run by another process.',
    true
  ],
  [
    new EngineError.EngineUnavailable({ resource: "its database", detail: "ECONNREFUSED" }),
    "The workflow engine cannot use its database: ECONNREFUSED.",
    true
  ],
  [new EngineError.UnknownExecution({ executionId }), `The engine knows no release "${executionId}".`, false],
  [
    new EngineError.NothingToDecide({ executionId }),
    `Release ${executionId} has ended without a decision, and the one given now has no effect.`,
    false
  ]
] as const

describe("errors of releases and engines", () => {
  for (const [error, happened, isRetryable] of errors) {
    it(`${error._tag} says what happened and then what to do: ${happened}`, () => {
      expect(error.message).toBe(`${happened} ${error.remedy}`)
      expect(error.remedy).toMatch(/^[A-Z].*\.$/)
      expect(error.isRetryable).toBe(isRetryable)
    })
  }

  it("are stored and read back by an engine", () => {
    const rejected = new ReleaseError.ReleaseRejected({ executionId, extensionId: "882", by: "bob" })
    const stored = Schema.encodeSync(ReleaseError.ReleaseError)(rejected)
    expect(Schema.decodeUnknownSync(ReleaseError.ReleaseError)(stored)).toEqual(rejected)
  })
})

describe("whether a step is tried again later", () => {
  const failed = (isRetryable: boolean) => new ReleaseError.AnnouncementFailed({ detail: "", isRetryable })

  it("is up to its error", () => {
    expect([failed(true), failed(false)].map(ReleaseError.isTransient)).toEqual([true, false])
    expect(ReleaseError.isTransient(new ReleaseError.ReleaseCancelled({ executionId }))).toBe(false)
    const unavailable = (reason: JournalUnavailable["reason"]) =>
      new JournalUnavailable({ location: "the database", operation: "write", reason, detail: "gone" })
    const journal = (["Failed", "LockLost", "DiskFull"] as const).map(unavailable)
    expect(journal.map(ReleaseError.isTransient)).toEqual([true, true, false])
  })
})
