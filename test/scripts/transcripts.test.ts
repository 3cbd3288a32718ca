/** The transcripts in the documentation are what the command line says today. */
import { spawn } from "node:child_process"
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { fill, placesIn, staleIn, unmatched } from "../../scripts/support/transcripts/document.ts"
import { stable } from "../../scripts/support/transcripts/stable.ts"

const place = (name: string, content = "") => `<!-- transcript: ${name} -->\n${content}<!-- end -->`

describe("a document with transcripts", () => {
  const document = `# Title\n\n${place("one", "old\n")}\n\nprose\n\n${place("two")}\n`
  const blocks = new Map([
    ["one", "first $1 $& block"],
    ["two", "second\nblock\n"]
  ])

  it("is filled between its markers, and the rest stays", () => {
    const filled = fill(document, blocks)
    expect(filled).toBe(
      `# Title\n\n${place("one", "first $1 $& block\n")}\n\nprose\n\n${place("two", "second\nblock\n")}\n`
    )
    expect(fill(filled, blocks)).toBe(filled)
    expect(placesIn(filled)).toEqual(["one", "two"])
  })

  it("is stale where a place holds something else", () => {
    expect(staleIn(document, blocks)).toEqual(["one", "two"])
    expect(staleIn(fill(document, blocks), blocks)).toEqual([])
    expect(staleIn(fill(document, blocks), new Map([...blocks, ["two", "third"]]))).toEqual(["two"])
  })

  it("and scenes without each other are found", () => {
    expect(unmatched(document, new Map([["one", ""]]))).toEqual(["two"])
    expect(unmatched(place("one"), blocks)).toEqual(["two"])
  })
})

describe("what differs from run to run", () => {
  it.each([
    ["2026-11-24T01:02:03.004Z", "2026-11-23T21:31:50.035Z"],
    ["2026-11-24 01:02:03Z", "2026-11-23 21:31:50Z"],
    ["  took       1.2 s", "  took       420 ms"],
    ["Trying again in 7 ms.", "Trying again in 250 ms."],
    ["at http://127.0.0.1:40001/api", "at http://127.0.0.1:54321/api"],
    ["Node 20.15.0,\n              darwin arm64", "Node 24.11.1,\n              linux x64"],
    ["0:03 ago  /anywhere/transcripts-yixmzd/work/dist/acme.zip", "0:05 ago  /home/you/acme/dist/acme.zip"],
    ["created 8520178768.", "created 4711081547."]
  ])("%j is shown as %j", (text, shown) => {
    expect(stable(text, new Map([["8520178768", "4711081547"]]))).toBe(shown)
  })
})

describe("docs/cli.md and docs/getting-started.md", () => {
  it.live("are up to date", () =>
    Effect.gen(function* () {
      const ran = yield* Effect.async<{ readonly code: number | null; readonly output: string }>((resume) => {
        const child = spawn("node_modules/.bin/tsx", ["scripts/transcripts.ts", "--check"])
        let output = ""
        for (const stream of [child.stdout, child.stderr]) {
          stream.on("data", (bytes: Buffer) => {
            output += bytes.toString()
          })
        }
        child.once("close", (code) => resume(Effect.succeed({ code, output })))
        return Effect.sync(() => child.kill("SIGKILL"))
      })
      expect(ran.output).toMatch(/^\d+ transcripts are up to date\n$/)
      expect(ran.code).toBe(0)
    })
  )
})
