/** What an editor shows of the errors of an upload: their name, not their fifty members. */
import { spawnSync } from "node:child_process"
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { join, resolve } from "node:path"
import { expect, it } from "@effect/vitest"

const root = resolve(import.meta.dirname, "../..")

it("are shown by their name", () => {
  const cache = join(root, "node_modules/.cache")
  mkdirSync(cache, { recursive: true })
  const folder = mkdtempSync(join(cache, "hover-"))
  try {
    // A mistake makes the compiler say what it took the types for.
    writeFileSync(
      join(folder, "mistake.ts"),
      `import { ExtensionUpload, ExtensionPublish } from ${JSON.stringify(join(root, "src/index.ts"))}
export const upload: number = ExtensionUpload.upload
export const publish: number = ExtensionPublish.publish
`
    )
    writeFileSync(
      join(folder, "tsconfig.json"),
      JSON.stringify({ extends: join(root, "tsconfig.json"), include: ["mistake.ts"] })
    )
    const { stdout } = spawnSync(join(root, "node_modules/.bin/tsc"), ["--noEmit", "-p", folder], {
      encoding: "utf8"
    })
    expect(stdout).toMatch(/Effect<UploadReceipt, UploadError, /)
    expect(stdout).toMatch(/Effect<PublishReceipt, PublishError, /)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})
