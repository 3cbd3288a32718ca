import { execFile } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { promisify } from "node:util"
import * as Command from "@effect/platform/Command"
import * as NodeContext from "@effect/platform-node/NodeContext"
import { afterAll, describe, expect, it } from "@effect/vitest"
import { Effect, Either, Layer, Option } from "effect"
import { write } from "../../scripts/bench/document.ts"
import { median } from "../../scripts/bench/format.ts"
import { measured } from "../../scripts/bench/sections/compare.ts"
import { measure } from "../../scripts/bench/usage.ts"
import { Workbench } from "../../scripts/bench/workbench.ts"
import { node } from "../../scripts/support/node.ts"

const folder = mkdtempSync(join(tmpdir(), "bench-test-"))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const mebibyte = 1024 * 1024
const evaluate = (code: string) => Command.make(node, "-e", code)

describe("scripts/bench.ts", () => {
  it.scopedLive("runs every contender of the comparison, and the server receives the bytes announced", () =>
    Effect.gen(function* () {
      const results = yield* measured
      const names = results.map(({ entry }) => entry.contender.name)
      expect(new Set(names).size).toBe(12)
      for (const { entry, outcome } of results) {
        if (Either.isLeft(outcome)) {
          expect(outcome.left).toMatch(/^(curl|openssl) is not installed$/)
          continue
        }
        expect(outcome.right).toHaveLength(1)
        const [run] = outcome.right
        expect(run.wallMillis, entry.contender.name).toBeGreaterThan(0)
        expect(entry.archive.size).toBeGreaterThan(4 * mebibyte)
        const isChunked = entry.contender.name === "FetchHttpClient.layer"
        expect(run.received, entry.contender.name).toMatchObject([
          { received: entry.archive.size, announced: isChunked ? null : entry.archive.size }
        ])
      }
    }).pipe(
      Effect.provide(Layer.provideMerge(Workbench.layer({ size: 4 * mebibyte, runs: 1 }), NodeContext.layer))
    )
  )

  it("writes its tables into the document", async () => {
    const document = join(folder, "performance.md")
    const places = ["machine", "startup"].map(
      (name) => `<!-- figures ${name} -->old<!-- /figures ${name} -->`
    )
    writeFileSync(document, `before\n${places.join("\nbetween\n")}\nafter\n`)
    const args = ["--import", "tsx", "scripts/bench.ts", "--runs", "1", "--only", "startup", "--write"]
    const { stdout } = await promisify(execFile)(node, [...args, "--out", folder], {
      env: { ...process.env, PATH: folder }
    })
    const written = readFileSync(document, "utf8")
    expect(written).toMatch(/^before\n[\s\S]+\nbetween\n[\s\S]+\nafter\n$/)
    expect(written).not.toContain("old")
    const time = String.raw`\d+ ms \(\d+\.\d\d ×\)`
    expect(written).toMatch(new RegExp(String.raw`^\| Node \d+\.\d+\.\d+ \| \d+ ms( \| ${time}){4} \|$`, "m"))
    expect(stdout).toContain("| Deno |")
  })
})

describe("measure", () => {
  const onLinux = it.scopedLive.skipIf(process.platform !== "linux")

  onLinux("tells processor time and the memory of the largest process, over all commands", () =>
    Effect.gen(function* () {
      const small = yield* measure([evaluate("")])
      const busy = "const end = process.cpuUsage().user + 4e5; while (process.cpuUsage().user < end);"
      const both = yield* measure([evaluate(`Buffer.alloc(2e8, 1); ${busy}`), evaluate("")])
      const [smallPeak, peak, cpu] = yield* Option.all([small.peakBytes, both.peakBytes, both.cpuMillis])
      expect(smallPeak).toBeLessThan(1e8)
      expect(peak).toBeGreaterThan(2e8)
      expect(cpu).toBeGreaterThan(400)
      expect(both.wallMillis).toBeGreaterThan(400)
    }).pipe(Effect.provide(NodeContext.layer))
  )

  it.scopedLive("ends at the first command that fails, with what it had to say", () =>
    Effect.gen(function* () {
      const failed = yield* Effect.flip(
        measure([evaluate("console.error('oh'); process.exit(3)"), evaluate("")])
      )
      expect(failed.message).toBe("it failed: exit code 3: oh\n")
      const missing = yield* Effect.flip(measure([Command.make("no-such-program-here")]))
      expect(missing.message).toBe("no-such-program-here is not installed")
    }).pipe(Effect.provide(NodeContext.layer))
  )
})

describe("figures", () => {
  it("have the median of an odd and of an even number of runs", () => {
    expect(median([9, 1, 2])).toBe(2)
    expect(median([4, 1, 3, 100])).toBe(3.5)
  })

  it.effect("have no place in a document without marks", () =>
    Effect.gen(function* () {
      const document = join(folder, "performance.md")
      writeFileSync(document, "<!-- /figures memory --> <!-- figures memory -->")
      const error = yield* Effect.flip(write(folder, [["memory", { markdown: "| 1 |" }]]))
      expect(error.message).toContain("<!-- figures memory -->")
      expect(readFileSync(document, "utf8")).not.toContain("| 1 |")
    }).pipe(Effect.provide(NodeContext.layer))
  )
})
