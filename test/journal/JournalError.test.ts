import { BadArgument, SystemError, type SystemErrorReason } from "@effect/platform/Error"
import { assert, describe, it } from "@effect/vitest"
import { type JournalUnavailable, unavailable } from "../../src/journal/JournalError.ts"

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
