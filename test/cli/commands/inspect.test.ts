/** `inspect`: what is in an archive, what is wrong with it, and that nobody is asked. */
import * as NodeContext from "@effect/platform-node/NodeContext"
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Yazl from "yazl"
import { objects, run } from "../../support/cli/program.ts"
import { fileWith, zipOf } from "../../support/upload/archives.ts"

const zip = (entries: Readonly<Record<string, string>>) =>
  Effect.promise(async () => {
    const file = new Yazl.ZipFile()
    for (const [name, content] of Object.entries(entries)) file.addBuffer(Buffer.from(content), name)
    file.end()
    const chunks: Array<Buffer> = []
    for await (const chunk of file.outputStream) chunks.push(Buffer.from(chunk))
    return Buffer.concat(chunks)
  })

const descriptor = (name: string) =>
  [
    `name=${name}`,
    "description=Words",
    "version=2.1.0",
    "classname=acme.Plugin",
    "java.version=17",
    "elasticsearch.version=8.17.0"
  ].join("\n")

const plugin = (name = "analysis-acme") =>
  Effect.flatMap(zip({ "plugin-descriptor.properties": descriptor(name), "acme.jar": "jar" }), (content) =>
    fileWith(content)
  )

describe("inspect", () => {
  it.scoped("describes a plugin by its descriptor", () =>
    Effect.gen(function* () {
      const { code, err, out } = yield* run(["inspect", yield* plugin()])
      expect({ code, err }).toEqual({ code: 0, err: "" })
      for (const fact of ["analysis-acme", "2.1.0", "acme.Plugin", "Elasticsearch 8.17.0"]) {
        expect(out).toContain(fact)
      }
      expect(out).toContain("It can be uploaded.")
    }).pipe(Effect.provide(NodeContext.layer))
  )

  it.scoped("holds it against what it is meant for", () =>
    Effect.gen(function* () {
      const archive = yield* plugin()
      const codes = (...args: ReadonlyArray<string>) =>
        Effect.map(run(["inspect", archive, "--json", ...args]), (ran) => [
          ran.code,
          objects(ran).flatMap(({ problems }) =>
            (problems as ReadonlyArray<{ code: string }>).map(({ code }) => code)
          )
        ])
      expect(yield* codes("--type", "plugin", "--es-version", "8.17.0")).toEqual([0, []])
      expect(yield* codes("--es-version", "8.17.1")).toEqual([5, ["version-mismatch"]])
      expect(yield* codes("--type", "bundle")).toEqual([5, ["type-mismatch"]])
    }).pipe(Effect.provide(NodeContext.layer))
  )

  it.scoped("names what is wrong, and how to upload it all the same", () =>
    Effect.gen(function* () {
      const whole = yield* zipOf(5000)
      const archive = yield* fileWith(whole.subarray(0, 3000))
      const { code, out } = yield* run(["inspect", archive])
      expect(code).toBe(5)
      expect(out).toMatch(/^error truncated$/m)
      expect(out.replace(/\s+/g, " ")).toContain("--allow truncated")
      expect((yield* run(["inspect", archive, "-q"])).out).toMatch(/^error truncated\n/)
      expect(objects(yield* run(["inspect", archive, "--json"]))).toEqual([
        expect.objectContaining({ _tag: "ArchiveInspection", type: "unknown", isUsable: false })
      ])
    }).pipe(Effect.provide(NodeContext.layer))
  )

  it.scoped("unpacks a large archive only with --deep, and then names the entry that is damaged", () =>
    Effect.gen(function* () {
      const content = yield* zipOf(20_000_000)
      content[10_000_000] = (content[10_000_000] ?? 0) ^ 1
      const archive = yield* fileWith(content)
      const headers = yield* run(["inspect", archive])
      expect(headers).toMatchObject({ code: 0, out: expect.stringContaining("not checked: add --deep") })
      const deep = yield* run(["inspect", archive, "--deep"])
      expect(deep).toMatchObject({ code: 5, out: expect.stringContaining("dictionaries/words.dic") })
      expect(deep.out).not.toContain("not checked")
    }).pipe(Effect.provide(NodeContext.layer))
  )

  it.scoped("lets nothing from an archive act upon the terminal", () =>
    Effect.gen(function* () {
      const { out } = yield* run(["inspect", yield* plugin("acme\u001b]0;owned\u0007")])
      expect(out).not.toContain("\u001b")
      expect(out).toContain("\\u{1b}")
    }).pipe(Effect.provide(NodeContext.layer))
  )

  it.effect("says which file is missing", () =>
    Effect.gen(function* () {
      const { code, err, out } = yield* run(["inspect", "/no/such/archive.zip"])
      expect({ code, out }).toEqual({ code: 5, out: "" })
      expect(err).toContain("/no/such/archive.zip")
    })
  )
})
