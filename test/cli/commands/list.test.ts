/** `list`: a table, ids or JSON, and nothing that could move the cursor. */
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import stringWidth from "string-width"
import * as Fault from "../../../src/testing/Fault.ts"
import * as LocalElasticCloud from "../../../src/testing/LocalElasticCloud.ts"
import { cli, environment, plugin } from "../../support/cli/managing.ts"
import { objects, run } from "../../support/cli/program.ts"
import { world } from "../../support/cli/world.ts"
import { zipOf } from "../../support/upload/archives.ts"
import { seed, traffic } from "../../support/upload/world.ts"

describe("list", () => {
  it.scopedLive("shows a table, ids alone, or one JSON object", () =>
    Effect.gen(function* () {
      const file = yield* zipOf(1000)
      yield* seed({ id: "1111111111", name: "words", file })
      yield* seed({ id: "2222222222", ...plugin })
      const table = yield* cli("list")
      const [headings, ...rows] = table.out.trimEnd().split("\n")
      expect(headings).toBe("ID          NAME           TYPE    VERSION  SIZE     MODIFIED")
      expect(rows[0]).toMatch(
        /^1111111111 {2}words {10}bundle {2}\* {8}1\.2 kB {3}\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ$/
      )
      expect(rows[1]).toBe("2222222222  analysis-acme  plugin  8.17.0   no file  -")
      expect((yield* cli("list", "--type", "plugin", "--quiet")).out).toBe("2222222222\n")
      expect(objects(yield* cli("list", "--json"))).toEqual([
        {
          _tag: "Extensions",
          extensions: [
            expect.objectContaining({ id: "1111111111", size: file.length, type: "bundle" }),
            expect.objectContaining({ id: "2222222222", size: null, modified: null, deployments: null })
          ]
        }
      ])
    }).pipe(Effect.provide(world()))
  )

  it.scopedLive("says so where there are none", () =>
    Effect.gen(function* () {
      expect(yield* cli("list")).toEqual({ code: 0, out: "There are no extensions.\n", err: "" })
    }).pipe(Effect.provide(world()))
  )

  it.scopedLive("never shows the temporary link to an archive", () =>
    Effect.gen(function* () {
      const id = yield* seed({ file: yield* zipOf(100) })
      const runs = yield* Effect.all([cli("list", "--json"), cli("show", id), cli("show", id, "--json")])
      expect(runs.map(({ code }) => code)).toEqual([0, 0, 0])
      expect(runs.map(({ out }) => out).join()).not.toMatch(/signature|\/files\//)
    }).pipe(Effect.provide(world()))
  )

  it.scopedLive("shows what would move the cursor or turn the text by its code", () =>
    Effect.gen(function* () {
      const answer = {
        extensions: [
          {
            id: "1",
            name: "a\u001b[2Jb\u009bc",
            extension_type: "bundle",
            version: "\u202e8\u2028",
            url: "repo://1",
            description: "x\r\ny"
          }
        ]
      }
      const cloud = yield* LocalElasticCloud.LocalElasticCloud
      const body = JSON.stringify(answer)
      yield* cloud.plan({ fault: Fault.answer({ status: 200, body }) })
      const { out } = yield* cli("list")
      expect(out).toContain("a\\u{1b}[2Jb\\u{9b}c")
      expect(out).toContain("\\u{202e}8\\u{2028}")
      yield* cloud.plan({ fault: Fault.answer({ status: 200, body: JSON.stringify(answer.extensions[0]) }) })
      expect((yield* cli("show", "1")).out).toContain("x\\u{d}\\u{a}y")
    }).pipe(Effect.provide(world()))
  )

  it.scopedLive("asks again where the service is out of order for a moment", () =>
    Effect.gen(function* () {
      const cloud = yield* LocalElasticCloud.LocalElasticCloud
      yield* cloud.plan({ fault: Fault.answer({ status: 503 }), times: 2 })
      const ran = yield* cli("list")
      expect(ran).toMatchObject({ code: 0, out: "There are no extensions.\n" })
      expect(ran.err.match(/Trying again in \d+ ms \(retry [12] of 2\)\./g)).toHaveLength(2)
      expect(yield* traffic).toEqual(["GET 503", "GET 503", "GET 200"])
    }).pipe(Effect.provide(world()))
  )

  it.scopedLive("asks a silent service three times, each for a limited time, and shows that it waits", () =>
    Effect.gen(function* () {
      const cloud = yield* LocalElasticCloud.LocalElasticCloud
      yield* cloud.plan({ fault: Fault.hang("arrival"), times: 9 })
      const env = yield* environment()
      const ran = yield* run(["list", "--timeout", "500ms"], { env, columns: 200 })
      expect(ran).toMatchObject({ code: 1, out: "" })
      expect(ran.err).toContain("UploadStalled")
      expect(ran.err).toMatch(/waiting for 127\.0\.0\.1:\d+ {2}0:0\d/)
      expect(ran.err).toMatch(/waiting for 127\.0\.0\.1:\d+ {2}try 2 of 3 {2}0:0\d/)
      expect(ran.err).toMatch(/\(retry 2 of 2\)/)
      expect(yield* cloud.requests).toHaveLength(3)
      expect(yield* run(["list", "--timeout", "50ms", "--tries", "1"], { env })).toMatchObject({ code: 1 })
      expect(yield* cloud.requests).toHaveLength(4)
    }).pipe(Effect.provide(world()))
  )

  it.scopedLive("lines up names of any script", () =>
    Effect.gen(function* () {
      const cloud = yield* LocalElasticCloud.LocalElasticCloud
      const names = ["words", "日本語辞書", "nai\u0308f", "한국어"]
      const extensions = names.map((name, i) => ({
        ...{ id: String(i + 1), name, extension_type: "bundle", version: "*" },
        ...{ url: `repo://${i + 1}` }
      }))
      yield* cloud.plan({ fault: Fault.answer({ status: 200, body: JSON.stringify({ extensions }) }) })
      const rows = (yield* cli("list")).out.split("\n").slice(1, -1)
      const columns = rows.map((row) => stringWidth(row.slice(0, row.indexOf("bundle"))))
      expect(new Set(columns).size).toBe(1)
    }).pipe(Effect.provide(world()))
  )
})
