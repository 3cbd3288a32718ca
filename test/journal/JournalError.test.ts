import { BadArgument, SystemError, type SystemErrorReason } from "@effect/platform/Error"
import { assert, describe, it } from "@effect/vitest"
import {
  JournalCorrupt,
  JournalLocked,
  type JournalUnavailable,
  unavailable
} from "../../src/journal/JournalError.ts"
import { journalId } from "../../src/journal/JournalRecord.ts"

const id = journalId({ origin: "https://api.example", extensionId: "1" })

describe("JournalCorrupt", () => {
  it("sends those back to the newer release who have one, and the others to the beginning", () => {
    const corrupt = (reason: JournalCorrupt["reason"]) =>
      new JournalCorrupt({ id, keptAt: "/folder/kept", reason, detail: "why" })
    const said = `The journal record of upload ${id} cannot be used (why). It is kept at "/folder/kept". `
    for (const reason of ["InvalidJson", "InvalidRecord", "SetAside"] as const) {
      assert.isTrue(corrupt(reason).message.startsWith(`${said}Check what the extension holds`))
      assert.isTrue(corrupt(reason).message.endsWith(corrupt(reason).remedy))
    }
    assert.isTrue(corrupt("NewerVersion").message.startsWith(`${said}Run the newer release again`))
    assert.isFalse(corrupt("NewerVersion").isRetryable)
  })
})

describe("JournalLocked", () => {
  it("says what it knows of who holds it", () => {
    const since = "since 1970-01-01T00:00:01.000Z. Wait for it"
    const bare = new JournalLocked({ id, sinceMillis: 1000 })
    assert.isTrue(bare.message.startsWith(`Upload ${id} is in use by another process ${since}`))
    const known = new JournalLocked({ id, extensionId: "1", pid: 7, hostname: "here", sinceMillis: 1000 })
    assert.isTrue(known.message.startsWith(`Extension "1" is in use by process 7 on here ${since}`))
    assert.isTrue(known.isRetryable)
  })
})

const systemError = (reason: SystemErrorReason, cause?: object) =>
  new SystemError({ module: "FileSystem", method: "open", reason, description: "as the system says", cause })

describe("JournalUnavailable", () => {
  const reasons: Record<string, JournalUnavailable["reason"]> = {
    EACCES: "PermissionDenied",
    EPERM: "PermissionDenied",
    EROFS: "ReadOnly",
    ENOSPC: "DiskFull",
    EDQUOT: "DiskFull",
    ENOTDIR: "NotAFolder",
    EEXIST: "NotAFolder",
    EIO: "Failed"
  }
  for (const [code, reason] of Object.entries(reasons)) {
    it(`takes ${code} for ${reason}, and says what to do`, () => {
      const error = unavailable("/folder", "write")(systemError("Unknown", { code }))
      assert.strictEqual(error.reason, reason)
      assert.strictEqual(error.isRetryable, reason === "Failed")
      assert.isTrue(
        error.message.startsWith('The upload journal in "/folder" failed to write: as the system says. ')
      )
      assert.isTrue(error.message.endsWith(error.remedy))
    })
  }

  it("takes what Deno was not allowed for PermissionDenied", () => {
    const error = unavailable("/folder", "write")(systemError("Unknown", { name: "NotCapable" }))
    assert.strictEqual(error.reason, "PermissionDenied")
  })

  it("takes a refusal of its own for what it says, whatever the system had to do with it", () => {
    assert.strictEqual(unavailable("/folder", "read")(systemError("PermissionDenied")).reason, "NotPrivate")
    assert.strictEqual(unavailable("/folder", "read")(systemError("BadResource")).reason, "NotAFile")
    assert.strictEqual(unavailable("/folder", "read")(systemError("Busy")).reason, "Failed")
    const argument = new BadArgument({ module: "FileSystem", method: "open", description: "no path" })
    assert.strictEqual(unavailable("/folder", "read")(argument).reason, "Failed")
  })
})
