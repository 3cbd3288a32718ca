/** Keeps a copy of every archive that a test makes from bytes, under its hash. */
import { createHash } from "node:crypto"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import * as FastCheck from "effect/FastCheck"
import { vi } from "vitest"

// The same archives in every run, those of property tests included.
FastCheck.configureGlobal({ seed: 1 })

const folder = process.env["ARCHIVES_TO"]

vi.mock("../../../src/archive/Archive.ts", async (original) => {
  const module = await original<typeof import("../../../src/archive/Archive.ts")>()
  const bytes: typeof module.bytes = (options) => {
    if (folder !== undefined && options.bytes.length > 0) {
      const name = createHash("sha256").update(options.bytes).digest("hex")
      writeFileSync(join(folder, name), options.bytes)
    }
    return module.bytes(options)
  }
  return { ...module, bytes }
})
