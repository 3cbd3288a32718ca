/** `--stage`: what the commands do by way of an object store, judged by what the store received. */
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { LocalElasticCloud } from "../../../src/testing/LocalElasticCloud.ts"
import { rangeServer } from "../../support/archive/rangeServer.ts"
import { type Environment, objects, run } from "../../support/cli/program.ts"
import { changes, place, world } from "../../support/cli/world.ts"
import { objectStore, rootKey } from "../../support/staging/objectStore.ts"
import { held, seed, sha256 } from "../../support/upload/world.ts"

const location = "s3://builds/elastic"
const stage = ["--stage", location]

/** The store beside the place, and the environment that opens it. */
const scene = Effect.gen(function* () {
  const store = yield* objectStore()
  const { archive, content, env } = yield* place()
  const opened: Environment = {
    ...env,
    AWS_ENDPOINT_URL_S3: store.url,
    AWS_REGION: store.settings.region,
    AWS_ACCESS_KEY_ID: rootKey.accessKeyId,
    AWS_SECRET_ACCESS_KEY: rootKey.secret
  }
  const cli = (args: ReadonlyArray<string>, more: Environment = {}) =>
    run(args, { env: { ...opened, ...more } })
  const key = `elastic/${sha256(content)}/words.zip`
  return { archive, cli, content, key, opened, store }
})

/** Everything is sent, and nothing of it made an object. */
const cutOff = Effect.gen(function* () {
  const found = yield* scene
  const id = yield* seed()
  found.store.plan("CompleteMultipartUpload", { _tag: "Fail", status: 403, code: "AccessDenied" })
  const ran = yield* found.cli(["upload", id, found.archive, ...stage, "--json"])
  return { ...found, id, ran }
})

describe("upload --stage", () => {
  it.scopedLive("brings the archive there by the store, and says so", () =>
    Effect.gen(function* () {
      const { archive, cli, content, key, store } = yield* scene
      const id = yield* seed()
      const planned = yield* cli(["upload", id, archive, ...stage, "--dry-run"])
      expect(planned.out).toContain(`Would stage it in ${location} and have the service fetch it from there`)
      expect(store.of("CreateMultipartUpload")).toEqual([])
      const ran = yield* cli(["upload", id, archive, ...stage])
      expect(ran).toMatchObject({ code: 0 })
      expect(ran.out).toContain(`fetched by the service from s3://builds/${key}`)
      expect(ran.out + ran.err).not.toMatch(/X-Amz|secret/)
      expect(yield* held(id)).toMatchObject({ sha256: sha256(content), uploads: 0 })
      expect([store.objects.size, store.uploads.size]).toEqual([0, 0])
      expect(yield* changes).toEqual(["POST", "POST"])
      const again = yield* cli(["upload", id, archive, ...stage, "--dry-run", "--json"])
      expect(objects(again)).toMatchObject([{ _tag: "UploadPlan", action: "nothing", stage: location }])
    }).pipe(Effect.provide(world()))
  )

  it.scopedLive("as a variable alone: only over the direct limit", () =>
    Effect.gen(function* () {
      const { archive, cli, store } = yield* scene
      const [small, large] = [yield* seed(), yield* seed()]
      const configured = { EC_UPLOAD_STAGE: location }
      yield* cli(["upload", small, archive], configured)
      expect(store.received).toEqual([])
      const over = { ...configured, EC_UPLOAD_DIRECT_LIMIT: "1000" }
      const ran = yield* cli(["upload", large, archive, "--keep-staged", "--json"], over)
      expect(objects(ran).at(-1)).toMatchObject({ _tag: "Uploaded", staged: { isKept: true } })
      expect(store.objects.size).toBe(1)
      expect((yield* held(large)).uploads).toBe(0)
    }).pipe(Effect.provide(world()))
  )

  it.scopedLive("that cannot be opened: says which variable is missing", () =>
    Effect.gen(function* () {
      const { archive, cli } = yield* scene
      const id = yield* seed()
      const ran = yield* cli(["upload", id, archive, ...stage], { AWS_SECRET_ACCESS_KEY: "" })
      expect(ran.code).toBe(64)
      expect(ran.err).toContain("AWS_SECRET_ACCESS_KEY")
      const misspelt = yield* cli(["upload", id, archive, "--stage", "builds/elastic"])
      expect(misspelt.code).toBe(64)
      expect(misspelt.err).toContain("--stage: it has to look like s3://bucket/prefix")
      expect(yield* changes).toEqual([])
    }).pipe(Effect.provide(world()))
  )
})

describe("an upload that was cut off", () => {
  it.scopedLive("is shown by pending, and finished by resume without sending a part again", () =>
    Effect.gen(function* () {
      const { archive, cli, content, id, key, ran, store } = yield* cutOff
      expect(ran.code).toBe(3)
      const last = objects(ran).at(-1)
      expect(last).toMatchObject({ _tag: "StoreAccessDenied" })
      const pending = yield* cli(["pending", ...stage, "--json"])
      expect(objects(pending)).toMatchObject([
        {
          uploads: [{ extensionId: id, archive: { path: archive }, stage: location, kept: content.length }],
          kept: [{ location: `s3://builds/${key}`, name: "words.zip", parts: 1, bytes: content.length }]
        }
      ])
      expect((yield* cli(["pending", ...stage])).out).toContain(`s3://builds/${key}`)
      const planned = yield* cli(["resume", id, ...stage, "--dry-run"])
      expect(planned.out).toContain(`Would stage what is missing of it in ${location}`)
      const resumed = yield* cli(["resume", id, ...stage, "--json"])
      expect(objects(resumed).at(-1)).toMatchObject({ bytesSent: 0, bytesResumed: content.length })
      expect(store.takenParts).toEqual([1])
      expect(yield* held(id)).toMatchObject({ sha256: sha256(content), uploads: 0 })
      expect([store.objects.size, store.uploads.size]).toEqual([0, 0])
      expect((yield* cli(["pending", ...stage])).out).toBe("There are no unfinished uploads.\n")
    }).pipe(Effect.provide(world()))
  )

  it.scopedLive("is given up by cancel, in the store as well", () =>
    Effect.gen(function* () {
      const { cli, id, store } = yield* cutOff
      const elsewhere = yield* cli(["cancel", id])
      expect(elsewhere.code).toBe(64)
      expect(elsewhere.err).toContain(`EC_UPLOAD_STAGE=${location}`)
      expect(store.uploads.size).toBe(1)
      expect(yield* cli(["cancel", id, ...stage])).toMatchObject({ code: 0 })
      expect(store.uploads.size).toBe(0)
      expect((yield* cli(["pending"])).out).toBe("There are no unfinished uploads.\n")
    }).pipe(Effect.provide(world()))
  )
})

describe("publish", () => {
  it.scopedLive("--stage: creates the extension and brings the archive there by the store", () =>
    Effect.gen(function* () {
      const { archive, cli, store } = yield* scene
      const args = ["publish", archive, "--name", "words", "--type", "bundle", "--version", "*", ...stage]
      expect((yield* cli([...args, "--dry-run"])).out).toBe(
        `Would create the bundle words for Elasticsearch *.\nWould stage the archive in ${location} and have the service fetch it from there.\n`
      )
      expect(objects(yield* cli([...args, "--json"])).at(-1)).toMatchObject({ way: "stage", proof: "hash" })
      const seen = store.received.length
      expect((yield* cli(args)).out).toMatch(/^Already published/)
      expect(store.received).toHaveLength(seen)
    }).pipe(Effect.provide(world()))
  )

  it.scopedLive("--download-url: refuses one that redirects, before anything is changed", () =>
    Effect.gen(function* () {
      const { cli, content } = yield* scene
      const server = yield* rangeServer({ bytes: content }, (serve, { headers }) =>
        serve(headers.range === undefined ? {} : { status: 302, headers: { location: "https://a.example/" } })
      )
      const url = `${server.url}?signature=hush`
      const args = ["publish", "--name", "words", "--type", "bundle", "--version", "*", "--download-url", url]
      const refused = yield* cli(args)
      expect(refused.code).toBe(5)
      expect(refused.err).toContain("the service follows no redirects")
      expect(refused.err).not.toContain("hush")
      expect(yield* changes).toEqual([])
      expect(yield* cli([...args, "--skip-preflight"])).toMatchObject({ code: 0 })
      const cloud = yield* LocalElasticCloud
      expect(yield* cloud.extensions).toMatchObject([
        { downloadUrl: undefined, file: { sha256: sha256(content) } }
      ])
    }).pipe(Effect.provide(world()))
  )
})

describe("doctor --stage", () => {
  it.scopedLive("tries everything, and leaves nothing", () =>
    Effect.gen(function* () {
      const { cli, store } = yield* scene
      yield* seed()
      const ran = yield* cli(["doctor", ...stage])
      expect(ran.code).toBe(0)
      expect(ran.out.replace(/\s+/g, " ")).toContain(
        "allows to begin an upload, send a part, list unfinished uploads, list parts, put parts together, give up an upload, read and remove"
      )
      expect(ran.out).not.toContain("there is no such variable")
      expect([store.objects.size, store.uploads.size]).toEqual([0, 0])
      const before = store.received.length
      expect((yield* cli(["doctor"], { EC_UPLOAD_STAGE: location })).out).toContain(
        `${location} is configured`
      )
      expect(store.received).toHaveLength(before)
    }).pipe(Effect.provide(world()))
  )

  it.scopedLive("names the permission that is missing", () =>
    Effect.gen(function* () {
      const { cli, store } = yield* scene
      store.plan("DeleteObject", { _tag: "Fail", status: 403, code: "AccessDenied" })
      const ran = yield* cli(["doctor", ...stage, "--json"])
      expect(ran.code).toBe(3)
      const problems = objects(ran).filter(({ verdict }) => verdict === "problem")
      expect(problems).toMatchObject([{ check: "store" }])
      expect(problems[0]?.remedy).toContain("s3:DeleteObject")
    }).pipe(Effect.provide(world()))
  )
})
