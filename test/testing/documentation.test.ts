/** The examples of docs/testing.md, run as they are written. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join, resolve } from "node:path"
import { fileURLToPath, pathToFileURL } from "node:url"
import { afterAll, describe, expect, it } from "@effect/vitest"
import { Duration, Effect } from "effect"
import { blocksIn } from "../../scripts/support/docs/blocks.ts"
import { zip } from "../support/testing/server.ts"

const root = resolve(fileURLToPath(import.meta.url), "../../..")
const build = join(root, "build")

/** Inside the project, where its dependencies are found. */
mkdirSync(build, { recursive: true })
const folder = mkdtempSync(join(build, "documentation-"))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const [wholeProgram = "", suite = ""] = blocksIn(
  readFileSync(join(root, "docs/testing.md"), "utf8"),
  "markdown"
).map(({ code }) => code)

/** An example as a module, with this library and with the archive that it speaks of. */
const importExample = async (code: string, archive: string): Promise<unknown> => {
  const path = join(folder, archive)
  writeFileSync(
    path,
    await Effect.runPromise(zip({ "dictionaries/words.txt": "a word\n".repeat(10_000) }, { compress: false }))
  )
  const file = join(folder, `${archive}.ts`)
  writeFileSync(
    file,
    code
      .replace(`"effect-elastic-extensions"`, JSON.stringify(join(root, "src/index.ts")))
      .replace(`"dist/${archive}"`, JSON.stringify(path))
  )
  return import(/* @vite-ignore */ pathToFileURL(file).href)
}

describe("the first example", () => {
  it.live("recovers from a lost connection, and waits for less than a second", () =>
    Effect.gen(function* () {
      const { recovers } = (yield* Effect.promise(() => importExample(wholeProgram, "dictionaries.zip"))) as {
        readonly recovers: Effect.Effect<unknown>
      }
      const [elapsed, result] = yield* Effect.timed(recovers)
      expect(result).toMatchObject({
        receipt: { _tag: "Uploaded", proof: "hash", attempts: 2 },
        bodies: [{ bodyBytes: 4096, complete: false }, { complete: true }]
      })
      // On a machine that does nothing else it takes half a second; the default waits alone would take ten.
      expect(Duration.toSeconds(elapsed)).toBeLessThan(8)
    })
  )
})

// The second is a suite of its own, with its own expectations.
await importExample(suite, "words.zip")
