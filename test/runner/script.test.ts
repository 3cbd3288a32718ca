/** The page's script is text to the compiler of this project, so it is compiled here for itself. */
import { execFile } from "node:child_process"
import { join, resolve } from "node:path"
import { promisify } from "node:util"
import { FileSystem } from "@effect/platform"
import { NodeContext } from "@effect/platform-node"
import { expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { node } from "../../scripts/support/node.ts"
import { markup } from "../../src/runner/internal/page/markup.ts"
import { script } from "../../src/runner/internal/page/script.ts"

const root = resolve(import.meta.dirname, "../..")
const compiler = join(root, "node_modules/typescript/bin/tsc")

const compilerOptions = {
  allowJs: true,
  checkJs: true,
  noEmit: true,
  strict: true,
  exactOptionalPropertyTypes: true,
  noUncheckedIndexedAccess: true,
  noUnusedLocals: true,
  noUnusedParameters: true,
  target: "ES2022",
  module: "ESNext",
  moduleDetection: "force",
  lib: ["ES2023", "DOM", "DOM.Iterable"],
  types: []
}

it.scopedLive("the script agrees with the types in its comments, and with what a browser has", () =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const folder = yield* fs.makeTempDirectoryScoped()
    yield* fs.writeFileString(join(folder, "page.js"), script)
    const config = { compilerOptions, files: ["page.js"] }
    yield* fs.writeFileString(join(folder, "tsconfig.json"), JSON.stringify(config))
    const complaints = yield* Effect.promise(() =>
      promisify(execFile)(node, [compiler, "-p", folder, "--pretty", "false"]).then(
        ({ stdout }) => stdout,
        ({ stdout }) => stdout
      )
    )
    expect(complaints).toBe("")
  }).pipe(Effect.provide(NodeContext.layer))
)

it("the script makes no markup of text, and finds what it looks for", () => {
  expect(script).not.toMatch(/innerHTML\s*=|outerHTML|insertAdjacentHTML|document\.write|eval\(|Function\(/)
  const wanted = [...script.matchAll(/\b(?:at|field|button)\("([\w-]+)"\)/g)].map(([, id]) => id)
  expect(wanted.length).toBeGreaterThan(20)
  expect(wanted.filter((id) => !markup.includes(`id="${id}"`))).toEqual([])
})
