/** Managing extensions from the command line, against a stand-in that records what it was asked. */
import * as NodeContext from "@effect/platform-node/NodeContext"
import { describe, expect, it } from "@effect/vitest"
import { Effect, Layer, Option } from "effect"
import { Confirmation } from "../../../src/cli/internal/terminal.ts"
import * as Fault from "../../../src/testing/Fault.ts"
import * as LocalElasticCloud from "../../../src/testing/LocalElasticCloud.ts"
import { type Environment, objects, run, spawned } from "../../support/cli/program.ts"
import { zipOf } from "../../support/upload/archives.ts"
import { seed, traffic } from "../../support/upload/world.ts"

const at = (options?: LocalElasticCloud.LocalElasticCloudOptions) =>
  LocalElasticCloud.layer(options).pipe(Layer.provideMerge(NodeContext.layer), Layer.orDie)

const environment = (changes: Environment = {}) =>
  Effect.map(LocalElasticCloud.LocalElasticCloud, ({ url }) => ({
    EC_API_KEY: "local-key",
    EC_ENDPOINT: url,
    EC_UPLOAD_RETRY_BASE_DELAY: "5 millis",
    ...changes
  }))

const cli = (...args: ReadonlyArray<string>) => Effect.flatMap(environment(), (env) => run(args, { env }))

/** What there is in the store, as far as its users have a say. */
const stored = (id: string) =>
  Effect.flatMap(LocalElasticCloud.LocalElasticCloud, (cloud) =>
    Effect.map(cloud.extension(id), (found) => {
      const { description, name, resourceVersion, type, version } = Option.getOrThrow(found)
      return { description, name, resourceVersion, type, version }
    })
  )

const plugin = { name: "analysis-acme", extension_type: "plugin", version: "8.17.0" } as const

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
    }).pipe(Effect.provide(at()))
  )

  it.scopedLive("says so where there are none", () =>
    Effect.gen(function* () {
      expect(yield* cli("list")).toEqual({ code: 0, out: "There are no extensions.\n", err: "" })
    }).pipe(Effect.provide(at()))
  )

  it.scopedLive("never shows the temporary link to an archive", () =>
    Effect.gen(function* () {
      const id = yield* seed({ file: yield* zipOf(100) })
      const runs = yield* Effect.all([cli("list", "--json"), cli("show", id), cli("show", id, "--json")])
      expect(runs.map(({ code }) => code)).toEqual([0, 0, 0])
      expect(runs.map(({ out }) => out).join()).not.toMatch(/signature|\/files\//)
    }).pipe(Effect.provide(at()))
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
    }).pipe(Effect.provide(at()))
  )

  it.scopedLive("asks again where the service is out of order for a moment", () =>
    Effect.gen(function* () {
      const cloud = yield* LocalElasticCloud.LocalElasticCloud
      yield* cloud.plan({ fault: Fault.answer({ status: 503 }), times: 2 })
      const ran = yield* cli("list")
      expect(ran).toMatchObject({ code: 0, out: "There are no extensions.\n" })
      expect(ran.err.match(/Trying again in \d+ ms\./g)).toHaveLength(2)
      expect(yield* traffic).toEqual(["GET 503", "GET 503", "GET 200"])
    }).pipe(Effect.provide(at()))
  )
})

describe("show", () => {
  it.scopedLive("tells everything, and who uses it when asked to", () =>
    Effect.gen(function* () {
      const id = yield* seed({
        ...plugin,
        id: "1111111111",
        description: "Acme's analysis",
        deployments: ["d1", "d2"]
      })
      const { out } = yield* cli("show", id)
      expect(out).toMatch(/^analysis-acme\n {2}id {11}1111111111\n {2}type {9}plugin\n/)
      expect(out).toContain("description  Acme's analysis")
      expect(out).toContain("file         none")
      expect(out).not.toContain("used by")
      expect((yield* cli("show", id, "--deployments")).out).toContain("used by      d1, d2")
      expect(objects(yield* cli("show", id, "--deployments", "--json"))).toEqual([
        {
          _tag: "Extension",
          extension: expect.objectContaining({ id, deployments: ["d1", "d2"], version: "8.17.0" }),
          resource: expect.objectContaining({ version: "1" })
        }
      ])
    }).pipe(Effect.provide(at()))
  )

  it.scopedLive("fails by its exit code alone with --quiet, and in words without", () =>
    Effect.gen(function* () {
      const known = yield* seed()
      expect(yield* cli("show", known, "--quiet")).toEqual({ code: 0, out: "", err: "" })
      const unknown = yield* cli("show", "nobody")
      expect(unknown).toMatchObject({ code: 4, out: "" })
      expect(unknown.err).toContain("ExtensionNotFound")
      expect(objects(yield* cli("show", "nobody", "--json"))).toEqual([
        expect.objectContaining({ _tag: "ExtensionNotFound", exitCode: 4 })
      ])
    }).pipe(Effect.provide(at()))
  )

  it.scopedLive("refuses what is no id before it asks", () =>
    Effect.gen(function* () {
      const ran = yield* cli("show", "../secrets")
      expect(ran).toMatchObject({ code: 64, out: "" })
      expect(ran.err).toContain("it contains a slash")
      expect(yield* traffic).toEqual([])
    }).pipe(Effect.provide(at()))
  )
})

describe("create", () => {
  const words = ["create", "--name", "words", "--type", "bundle", "--version", "8.*"]

  it.scopedLive("creates one, and says how to go on", () =>
    Effect.gen(function* () {
      const { code, out } = yield* cli(...words, "--description", "Hunspell, en_US")
      expect(code).toBe(0)
      const [, id = ""] = /^Created the bundle words with the id (\S+)\.\n/.exec(out) ?? []
      expect(out).toContain(`To upload its archive: effect-elastic-extensions upload ${id} <archive>`)
      expect(yield* stored(id)).toEqual({
        name: "words",
        type: "bundle",
        version: "8.*",
        description: "Hunspell, en_US",
        resourceVersion: 1
      })
    }).pipe(Effect.provide(at()))
  )

  it.scopedLive("gives the id to a script, and the whole with --json", () =>
    Effect.gen(function* () {
      const { out } = yield* cli(...words, "--quiet")
      expect(yield* stored(out.trim())).toMatchObject({ name: "words" })
      const [created, ...others] = objects(yield* cli(...words, "--json"))
      expect(others).toEqual([])
      expect(created).toMatchObject({
        _tag: "ExtensionCreated",
        extension: { name: "words", version: "8.*" }
      })
    }).pipe(Effect.provide(at()))
  )

  it.scopedLive("points at one of the same name and type", () =>
    Effect.gen(function* () {
      const id = yield* seed({ name: "words" })
      yield* seed({ ...plugin, name: "words" })
      const { err } = yield* cli(...words)
      expect(err).toBe(`There is a bundle of this name already, with the id ${id}.\n`)
    }).pipe(Effect.provide(at()))
  )

  it.scopedLive("writes nothing in a dry run", () =>
    Effect.gen(function* () {
      expect(yield* cli(...words, "--dry-run")).toMatchObject({
        code: 0,
        out: "Would create the bundle words, version 8.*.\n"
      })
      expect(objects(yield* cli(...words, "--dry-run", "--json"))).toEqual([
        { _tag: "WouldCreateExtension", request: { name: "words", type: "bundle", version: "8.*" } }
      ])
      expect(yield* traffic).toEqual(["GET 200", "GET 200"])
    }).pipe(Effect.provide(at()))
  )

  it.scopedLive.each([
    { what: "a wildcard in a plugin's version", type: "plugin", name: "acme", version: "8.*" },
    { what: "a name with a space", type: "bundle", name: "my words", version: "*" }
  ])("refuses $what before anything is sent, dry or not", ({ name, type, version }) =>
    Effect.gen(function* () {
      const args = ["create", "--name", name, "--type", type, "--version", version]
      for (const ran of [yield* cli(...args), yield* cli(...args, "--dry-run")]) {
        expect(ran).toMatchObject({ code: 64, out: "" })
        expect(ran.err).toContain("InvalidRequest")
      }
      expect(yield* traffic).toEqual([])
    }).pipe(Effect.provide(at()))
  )

  it.scopedLive("is not sent again when its answer was lost", () =>
    Effect.gen(function* () {
      const cloud = yield* LocalElasticCloud.LocalElasticCloud
      yield* cloud.plan({ method: "POST", fault: Fault.cut("applied") })
      const ran = yield* cli(...words)
      expect(ran).toMatchObject({ code: 1, out: "" })
      expect(ran.err).toContain("ConnectionFailed")
      yield* cloud.settled
      expect(yield* cloud.extensions).toHaveLength(1)
    }).pipe(Effect.provide(at()))
  )
})

describe("update", () => {
  it.scopedLive("sends what differs with what the service wants to have again", () =>
    Effect.gen(function* () {
      const id = yield* seed({ ...plugin, description: "Acme" })
      const ran = yield* cli("update", id, "--version", "8.17.1", "--name", "analysis-acme")
      expect(ran).toEqual({
        code: 0,
        out: `Updated ${id} (analysis-acme).\n  version: 8.17.0 → 8.17.1\n`,
        err: ""
      })
      expect(yield* stored(id)).toEqual({
        name: "analysis-acme",
        type: "plugin",
        version: "8.17.1",
        description: "Acme",
        resourceVersion: 2
      })
    }).pipe(Effect.provide(at()))
  )

  it.scopedLive("sends nothing where nothing differs, and nothing in a dry run", () =>
    Effect.gen(function* () {
      const id = yield* seed(plugin)
      expect(yield* cli("update", id, "--version", "8.17.0", "--description", "")).toMatchObject({
        code: 0,
        out: `Nothing to change in ${id} (analysis-acme).\n`
      })
      expect(objects(yield* cli("update", id, "--description", "New", "--dry-run", "--json"))).toEqual([
        {
          _tag: "WouldUpdateExtension",
          extension: expect.objectContaining({ id, description: null }),
          changes: [{ field: "description", before: null, after: "New" }]
        }
      ])
      expect(yield* traffic).toEqual(["GET 200", "GET 200"])
    }).pipe(Effect.provide(at()))
  )

  it.scopedLive("names the deployments that a change may not fit", () =>
    Effect.gen(function* () {
      const id = yield* seed({ ...plugin, deployments: ["d1"] })
      const { err } = yield* cli("update", id, "--version", "8.17.1")
      expect(err).toBe("Used by d1: check that the change suits it.\n")
      expect((yield* cli("update", id, "--version", "8.17.1")).err).toBe("")
    }).pipe(Effect.provide(at()))
  )

  it.scopedLive("wants to know what to change, and a version that fits", () =>
    Effect.gen(function* () {
      const id = yield* seed(plugin)
      const nothing = yield* cli("update", id)
      expect(nothing).toMatchObject({ code: 64 })
      expect(nothing.err).toContain("give at least one of --name")
      for (const dryRun of [[], ["--dry-run"]]) {
        expect(yield* cli("update", id, "--version", "8.*", ...dryRun)).toMatchObject({ code: 64 })
      }
      expect(yield* stored(id)).toMatchObject({ resourceVersion: 1 })
    }).pipe(Effect.provide(at()))
  )

  it.scopedLive("of somebody else's change in between is a conflict", () =>
    Effect.gen(function* () {
      const id = yield* seed(plugin)
      const cloud = yield* LocalElasticCloud.LocalElasticCloud
      yield* cloud.plan({ method: "POST", fault: Fault.refuse(409, "extensions.version_conflict") })
      const ran = yield* cli("update", id, "--version", "8.17.1")
      expect(ran).toMatchObject({ code: 6, out: "" })
      expect(ran.err).toContain("VersionConflict")
    }).pipe(Effect.provide(at()))
  )
})

describe("delete", () => {
  const gone = (id: string) =>
    Effect.flatMap(LocalElasticCloud.LocalElasticCloud, (cloud) =>
      Effect.map(cloud.extension(id), Option.isNone)
    )

  const answering = (answer: string, asked: Array<string>) =>
    Effect.provideService(Confirmation, {
      isThere: true,
      ask: (question) => {
        asked.push(question)
        return Effect.succeed(answer)
      }
    })

  it.scopedLive("asks, and deletes on a yes alone", () =>
    Effect.gen(function* () {
      const id = yield* seed()
      const asked: Array<string> = []
      for (const answer of ["", "n", "yesterday"]) {
        expect(yield* cli("delete", id).pipe(answering(answer, asked))).toEqual({
          code: 1,
          out: "",
          err: "Nothing was deleted.\n"
        })
      }
      expect(yield* gone(id)).toBe(false)
      expect(yield* cli("delete", id).pipe(answering(" YES ", asked))).toEqual({
        code: 0,
        out: `Deleted the bundle dictionary (${id}).\n`,
        err: ""
      })
      expect(yield* gone(id)).toBe(true)
      expect(new Set(asked)).toEqual(
        new Set([`Delete the bundle dictionary (${id}) and its archive for good? [y/N] `])
      )
    }).pipe(Effect.provide(at()))
  )

  it.scopedLive("does not ask where nobody can answer, and wants --yes", () =>
    Effect.gen(function* () {
      const id = yield* seed()
      const env = yield* environment()
      const ran = yield* spawned(["delete", id], { env })
      expect(ran).toMatchObject({ code: 64, out: "" })
      expect(ran.err).toContain("pass --yes")
      expect(yield* cli("delete", id, "--json").pipe(answering("y", []))).toMatchObject({ code: 64 })
      expect(yield* gone(id)).toBe(false)
      expect(objects(yield* cli("delete", id, "--yes", "--json"))).toEqual([
        { _tag: "ExtensionDeleted", extension: expect.objectContaining({ id }) }
      ])
      expect(yield* gone(id)).toBe(true)
    }).pipe(Effect.provide(at()))
  )

  it.scopedLive("leaves one alone that deployments use, and names them", () =>
    Effect.gen(function* () {
      const id = yield* seed({ deployments: ["d1", "d2"] })
      const ran = yield* cli("delete", id, "--yes")
      expect(ran).toMatchObject({ code: 6, out: "" })
      expect(ran.err.replace(/\s+/g, " ")).toContain("because 2 deployments still use it: d1, d2. Remove")
      expect(objects(yield* cli("delete", id, "--yes", "--json"))).toEqual([
        expect.objectContaining({ _tag: "DeletionRefused", exitCode: 6 })
      ])
      expect(yield* traffic).toEqual(["GET 200", "GET 200"])
    }).pipe(Effect.provide(at()))
  )

  it.scopedLive("is refused by the service where a deployment came in between", () =>
    Effect.gen(function* () {
      const id = yield* seed()
      const cloud = yield* LocalElasticCloud.LocalElasticCloud
      const attach = Effect.asVoid(seed({ id, deployments: ["d9"] })).pipe(
        Effect.provideService(LocalElasticCloud.LocalElasticCloud, cloud)
      )
      yield* cloud.plan({ method: "DELETE", fault: Fault.run("arrival", attach) })
      const ran = yield* cli("delete", id, "--yes")
      expect(ran).toMatchObject({ code: 6, out: "" })
      expect(ran.err).toContain("ExtensionInUse")
      expect(ran.err).toContain("d9")
    }).pipe(Effect.provide(at()))
  )

  it.scopedLive("looks only, in a dry run", () =>
    Effect.gen(function* () {
      const id = yield* seed()
      expect(yield* cli("delete", id, "--dry-run")).toMatchObject({
        code: 0,
        out: `Would delete the bundle dictionary (${id}).\n`
      })
      expect(yield* gone(id)).toBe(false)
    }).pipe(Effect.provide(at()))
  )
})

describe("every one of them", () => {
  it.scopedLive.each([
    [["list"]],
    [["show", "1"]],
    [["create", "--name", "a", "--type", "bundle", "--version", "*"]],
    [["update", "1", "--name", "b"]],
    [["delete", "1", "--yes"]]
  ])("%s needs a key, and tells where to get one", ([args = []]) =>
    Effect.gen(function* () {
      const { EC_API_KEY: _, ...env } = yield* environment()
      const ran = yield* run(args, { env })
      expect(ran).toMatchObject({ code: 64, out: "" })
      expect(ran.err).toContain("EC_API_KEY")
      expect(ran.err).toContain("Create a key at")
      expect(yield* traffic).toEqual([])
    }).pipe(Effect.provide(at()))
  )

  it.scopedLive("tells a key that is refused from one that has no user", () =>
    Effect.gen(function* () {
      const env = yield* environment({ EC_API_KEY: "userless" })
      const create = ["create", "--name", "a", "--type", "bundle", "--version", "*"]
      const userless = yield* run(create, { env })
      expect(userless).toMatchObject({ code: 3 })
      expect(userless.err).toContain("NoUserId")
      const refused = yield* cli("list")
      expect(refused).toMatchObject({ code: 3 })
      expect(refused.err).toContain("AuthenticationFailed")
    }).pipe(Effect.provide(at({ accounts: [{ apiKey: "userless", owner: undefined }] })))
  )
})
