/** `npm run check:effect` finds what it is there for: it is easily configured to find nothing. */
import { spawnSync } from "node:child_process"
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { join, resolve } from "node:path"
import { afterAll, describe, expect, it } from "@effect/vitest"

const root = resolve(import.meta.dirname, "../..")
const cache = join(root, "node_modules/.cache")
mkdirSync(cache, { recursive: true })
const folder = mkdtempSync(join(cache, "check-effect-"))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const mistakes = `import * as Effect from "effect/Effect"

export const program = (n: number) =>
  Effect.gen(function* () {
    Effect.log("never run")
    try {
      yield* Effect.fail("not caught here")
    } catch {}
    Effect.runSync(Effect.log("outside of the fiber"))
    if (n > 1) yield* Effect.fail("too many")
    return n
  })
`

describe("the Effect language service", () => {
  it("finds the mistakes that the compiler and the linter cannot see", () => {
    const project = join(folder, "tsconfig.json")
    writeFileSync(join(folder, "mistakes.ts"), mistakes)
    writeFileSync(
      project,
      JSON.stringify({ extends: join(root, "tsconfig.effect.json"), include: [join(folder, "*.ts")] })
    )
    const args = ["diagnostics", "--project", project, "--format", "text"]
    const { status, stdout } = spawnSync(join(root, "node_modules/.bin/effect-tsgo"), args, {
      encoding: "utf8"
    })
    const found = [...stdout.matchAll(/mistakes\.ts\((\d+),\d+\): error effect\((\w+)\)/g)]
    expect(found.map(([, line, rule]) => `${line} ${rule}`)).toEqual(
      expect.arrayContaining([
        "5 floatingEffect",
        "6 tryCatchInEffectGen",
        "9 runEffectInsideEffect",
        "10 missingReturnYieldStar"
      ])
    )
    expect(status).toBe(1)
  })
})
