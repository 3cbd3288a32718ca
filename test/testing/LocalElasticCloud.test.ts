import * as Http from "node:http"
import { describe, expect, it } from "@effect/vitest"
import { Effect, Layer, Option } from "effect"
import * as LocalElasticCloud from "../../src/testing/LocalElasticCloud.ts"
import {
  ask,
  codes,
  EXTENSIONS,
  KEY,
  pathOf,
  post,
  put,
  seedBundle,
  sha256,
  withCloud,
  zip
} from "../support/testing/server.ts"

const ACCOUNTS = [
  { apiKey: KEY, owner: "local" },
  { apiKey: "other-key", owner: "other" },
  { apiKey: "nobody-key", owner: undefined }
]
const withAccounts = withCloud({ accounts: ACCOUNTS })
const BUNDLE = { name: "dictionary", extension_type: "bundle", version: "*" }

const idIn = (answer: { readonly json: () => unknown }): string => (answer.json() as { id: string }).id

describe("create", () => {
  it.effect("answers 201 with a fresh extension: nulls, no file, version 1", () =>
    Effect.gen(function* () {
      const answer = yield* post(EXTENSIONS, BUNDLE)
      expect(answer.status).toBe(201)
      expect(answer.json()).toStrictEqual({
        id: expect.stringMatching(/^\d{10}$/),
        ...BUNDLE,
        description: null,
        url: null,
        download_url: null,
        deployments: null
      })
      expect(answer.headers["x-cloud-resource-version"]).toBe("1")
      expect(answer.headers["x-cloud-resource-created"]).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
      expect(answer.headers["x-cloud-resource-last-modified"]).toBe(
        answer.headers["x-cloud-resource-created"]
      )
      const cloud = yield* LocalElasticCloud.LocalElasticCloud
      const stored = Option.getOrThrow(yield* cloud.extension(idIn(answer)))
      expect(stored).toMatchObject({ owner: "local", name: "dictionary", file: undefined, uploads: 0 })
    }).pipe(withCloud())
  )

  it.effect("accepts null where the description says optional", () =>
    Effect.gen(function* () {
      const answer = yield* post(EXTENSIONS, { ...BUNDLE, description: null, download_url: null })
      expect(answer.status).toBe(201)
    }).pipe(withCloud())
  )

  it.effect.each<readonly [string, object, ReadonlyArray<string>]>([
    ["a name with a space", { ...BUNDLE, name: "my dictionary" }, ["name"]],
    ["a name with an umlaut", { ...BUNDLE, name: "wörterbuch" }, ["name"]],
    ["an empty name", { ...BUNDLE, name: "" }, ["name"]],
    ["no name", { extension_type: "bundle", version: "*" }, ["name"]],
    ["an unknown type", { ...BUNDLE, extension_type: "script" }, ["extension_type"]],
    ["no version", { name: "a", extension_type: "bundle" }, ["version"]],
    ["a version that is none", { ...BUNDLE, version: "latest" }, ["version"]],
    ["a wildcard for a plugin", { ...BUNDLE, extension_type: "plugin", version: "8.*" }, ["version"]]
  ])("refuses %s and names the field", ([, body, fields]) =>
    Effect.gen(function* () {
      const answer = yield* post(EXTENSIONS, body)
      expect(answer.status).toBe(400)
      expect(codes(answer)).toStrictEqual(["extensions.request_execution_failed"])
      expect(answer.json()).toMatchObject({ errors: [{ fields }] })
    }).pipe(withCloud())
  )

  it.effect("names several wrong fields at once", () =>
    Effect.gen(function* () {
      const answer = yield* post(EXTENSIONS, { name: "a b", extension_type: "x", version: "*" })
      expect(codes(answer)).toHaveLength(2)
    }).pipe(withCloud())
  )

  it.effect.each<readonly [string, string, string]>([
    ["text instead of JSON", "not json", "application/json"],
    ["a JSON that is no object", "[]", "application/json"],
    ["another content type", JSON.stringify(BUNDLE), "text/plain"],
    ["a body without end", " ".repeat(1024 * 1024 + 1), "application/json"]
  ])("refuses %s", ([, body, contentType]) =>
    Effect.gen(function* () {
      const answer = yield* ask({
        method: "POST",
        path: EXTENSIONS,
        body,
        headers: { "content-type": contentType }
      })
      expect(answer.status).toBe(400)
      expect(codes(answer)).toStrictEqual(["extensions.request_execution_failed"])
    }).pipe(withCloud())
  )

  it.effect("answers 404 to a session without a user id, as published", () =>
    Effect.gen(function* () {
      const answer = yield* post(EXTENSIONS, BUNDLE, { key: "nobody-key" })
      expect(answer.status).toBe(404)
      expect(codes(answer)).toStrictEqual(["extensions.no_user_id"])
    }).pipe(withAccounts)
  )
})

/** A second server on loopback that holds one archive. */
const archiveServer = (body: Buffer) =>
  Effect.acquireRelease(
    Effect.async<{ readonly url: string; readonly server: Http.Server }>((resume) => {
      const server = Http.createServer((request, response) => {
        response.writeHead(request.url === "/a.zip" ? 200 : 404).end(body)
      })
      server.listen(0, "127.0.0.1", () => {
        const address = server.address()
        const port = typeof address === "object" && address !== null ? address.port : 0
        resume(Effect.succeed({ url: `http://127.0.0.1:${port}`, server }))
      })
    }),
    ({ server }) =>
      Effect.sync(() => {
        server.closeAllConnections()
        server.close()
      })
  )

describe("download_url", () => {
  it.scoped("is fetched and stored, on create and on update", () =>
    Effect.gen(function* () {
      const cloud = yield* LocalElasticCloud.LocalElasticCloud
      const archive = yield* zip({ "dictionaries/a.dic": "1\na" })
      const { url } = yield* archiveServer(archive)
      const created = yield* post(EXTENSIONS, { ...BUNDLE, download_url: `${url}/a.zip` })
      expect(created.status).toBe(201)
      expect(created.json()).toMatchObject({
        download_url: `${url}/a.zip`,
        url: `repo://${idIn(created)}`,
        file_metadata: { size: archive.length }
      })
      const fresh = yield* seedBundle
      const updated = yield* post(pathOf(fresh.id), { ...BUNDLE, download_url: `${url}/a.zip` })
      expect(updated.status).toBe(200)
      const stored = Option.getOrThrow(yield* cloud.extension(fresh.id))
      expect(stored).toMatchObject({ file: { sha256: sha256(archive) }, uploads: 0, resourceVersion: 2 })
    }).pipe(withCloud())
  )

  it.scoped("that cannot be fetched, or holds no ZIP, is 400 and creates nothing", () =>
    Effect.gen(function* () {
      const cloud = yield* LocalElasticCloud.LocalElasticCloud
      const { url } = yield* archiveServer(Buffer.from("no archive"))
      const wrong = [
        `${url}/a.zip`,
        `${url}/missing`,
        "http://127.0.0.1:1/a.zip",
        "ftp://localhost/a",
        "a.zip"
      ]
      for (const download_url of [...wrong, "http://203.0.113.7/a.zip"]) {
        const answer = yield* post(EXTENSIONS, { ...BUNDLE, download_url })
        expect(answer.status).toBe(400)
        expect(codes(answer)).toStrictEqual(["extensions.request_execution_failed"])
      }
      expect(yield* cloud.extensions).toStrictEqual([])
    }).pipe(withCloud())
  )
})

describe("list and get", () => {
  it.effect("show the caller's extensions only; another's does not exist", () =>
    Effect.gen(function* () {
      const cloud = yield* LocalElasticCloud.LocalElasticCloud
      const mine = yield* seedBundle
      const other = yield* cloud.seed({
        ...mine,
        id: undefined,
        extension_type: "bundle",
        owner: "other",
        file: undefined,
        description: undefined
      })
      const listed = yield* ask({ path: EXTENSIONS })
      expect(listed.json()).toMatchObject({ extensions: [{ id: mine.id }] })
      const hidden = yield* ask({ path: pathOf(other.id) })
      expect([hidden.status, codes(hidden)]).toStrictEqual([404, ["extensions.not_found"]])
      const nobodys = yield* ask({ path: EXTENSIONS, key: "nobody-key" })
      expect(nobodys.json()).toStrictEqual({ extensions: [] })
    }).pipe(withAccounts)
  )

  it.effect("include deployments only when asked", () =>
    Effect.gen(function* () {
      const cloud = yield* LocalElasticCloud.LocalElasticCloud
      const { id } = yield* cloud.seed({
        name: "a",
        extension_type: "plugin",
        version: "8.17.0",
        deployments: ["d1", "d2"]
      })
      const plain = yield* ask({ path: pathOf(id) })
      expect(plain.json()).toMatchObject({ deployments: null })
      const full = yield* ask({ path: `${pathOf(id)}?include_deployments=true` })
      expect(full.json()).toMatchObject({ deployments: ["d1", "d2"] })
    }).pipe(withCloud())
  )

  it.effect("match an id after percent-decoding, and never a path", () =>
    Effect.gen(function* () {
      const cloud = yield* LocalElasticCloud.LocalElasticCloud
      yield* cloud.seed({ id: "a/b", name: "a", extension_type: "bundle", version: "*" })
      expect((yield* ask({ path: pathOf("a%2Fb") })).status).toBe(200)
      expect(codes(yield* ask({ path: pathOf("a/b") }))).toStrictEqual(["root.resource_not_found"])
      expect(codes(yield* ask({ path: pathOf("%") }))).toStrictEqual(["root.resource_not_found"])
      expect(codes(yield* ask({ path: pathOf("..") }))).toStrictEqual(["extensions.not_found"])
    }).pipe(withCloud())
  )
})

describe("update", () => {
  it.effect("replaces the metadata, raises the version, keeps the archive", () =>
    Effect.gen(function* () {
      const archive = yield* zip({ a: "a" })
      const cloud = yield* LocalElasticCloud.LocalElasticCloud
      const seeded = yield* cloud.seed({
        name: "a",
        extension_type: "bundle",
        version: "*",
        description: "old",
        file: archive
      })
      const answer = yield* post(pathOf(seeded.id), { ...BUNDLE, version: "8.*" })
      expect(answer.status).toBe(200)
      expect(answer.headers["x-cloud-resource-version"]).toBe("2")
      expect(answer.json()).toMatchObject({ name: "dictionary", version: "8.*", description: null })
      const stored = Option.getOrThrow(yield* cloud.extension(seeded.id))
      expect(stored.file).toStrictEqual(seeded.file)
      expect(stored.lastModified > seeded.lastModified).toBe(true)
    }).pipe(withCloud())
  )

  it.effect("demands name, type and version again", () =>
    Effect.gen(function* () {
      const { id } = yield* seedBundle
      const answer = yield* post(pathOf(id), { description: "new" })
      expect(answer.status).toBe(400)
      expect(codes(answer)).toHaveLength(3)
    }).pipe(withCloud())
  )
})

describe("delete", () => {
  it.effect("answers an empty object with the last resource headers, then 404", () =>
    Effect.gen(function* () {
      const { id, lastModified } = yield* seedBundle
      const answer = yield* ask({ method: "DELETE", path: pathOf(id) })
      expect([answer.status, answer.text]).toStrictEqual([200, "{}"])
      expect(answer.headers["x-cloud-resource-last-modified"]).toBe(lastModified)
      const again = yield* ask({ method: "DELETE", path: pathOf(id) })
      expect([again.status, codes(again)]).toStrictEqual([404, ["extensions.not_found"]])
    }).pipe(withCloud())
  )

  it.effect("refuses an extension that deployments use", () =>
    Effect.gen(function* () {
      const cloud = yield* LocalElasticCloud.LocalElasticCloud
      const { id } = yield* cloud.seed({
        name: "a",
        extension_type: "bundle",
        version: "*",
        deployments: ["d1"]
      })
      const answer = yield* ask({ method: "DELETE", path: pathOf(id) })
      expect([answer.status, codes(answer)]).toStrictEqual([400, ["extensions.extension_in_use"]])
      expect(Option.isSome(yield* cloud.extension(id))).toBe(true)
    }).pipe(withCloud())
  )
})

describe("who may do what", () => {
  const writes = [
    ["PUT", "PUT"],
    ["POST", "POST"],
    ["DELETE", "DELETE"]
  ] as const

  it.effect.each(writes)(
    "%s tells a stranger, a session without user id and a missing extension apart",
    ([, method]) =>
      Effect.gen(function* () {
        const { id } = yield* seedBundle
        const as = (key: string, path: string) => ask({ method, path, key })
        const stranger = yield* as("other-key", pathOf(id))
        expect([stranger.status, codes(stranger)]).toStrictEqual([401, ["extensions.unauthorised"]])
        const nobody = yield* as("nobody-key", pathOf(id))
        expect([nobody.status, codes(nobody)]).toStrictEqual([401, ["extensions.no_user_id"]])
        const missing = yield* as(KEY, pathOf("1"))
        expect([missing.status, codes(missing)]).toStrictEqual([404, ["extensions.not_found"]])
      }).pipe(withAccounts)
  )

  it.effect.each<readonly [string, Http.OutgoingHttpHeaders]>([
    ["no key", {}],
    ["an unknown key", { authorization: "ApiKey wrong" }],
    ["another scheme", { authorization: `Bearer ${KEY}` }],
    ["a bare key", { authorization: KEY }]
  ])("%s is 401", ([, headers]) =>
    Effect.gen(function* () {
      const answer = yield* ask({ path: EXTENSIONS, key: "", headers })
      expect([answer.status, codes(answer)]).toStrictEqual([401, ["root.unauthenticated"]])
    }).pipe(withCloud())
  )

  it.effect("unknown paths are 404, wrong methods 405 with Allow", () =>
    Effect.gen(function* () {
      for (const path of [
        "/",
        "/api/v1",
        "/api/v1/deployments",
        `${EXTENSIONS}/`,
        `//api/v1/deployments/extensions`
      ]) {
        const answer = yield* ask({ path })
        expect([answer.status, codes(answer)]).toStrictEqual([404, ["root.resource_not_found"]])
      }
      const wrong = yield* ask({ method: "PATCH", path: pathOf("1") })
      expect([wrong.status, wrong.headers.allow]).toStrictEqual([405, "GET, POST, PUT, DELETE"])
      expect((yield* ask({ method: "PUT", path: EXTENSIONS })).status).toBe(405)
    }).pipe(withCloud())
  )
})

describe("the verification link", () => {
  const uploaded = Effect.gen(function* () {
    const { id } = yield* seedBundle
    const archive = yield* zip({ "a.txt": "first" })
    const answer = yield* put(id, archive)
    const body = answer.json() as { readonly file_metadata: { readonly url: string } }
    const { pathname, search } = new URL(body.file_metadata.url)
    return { id, archive, path: `${pathname}${search}`, url: body.file_metadata.url }
  })

  it.effect("serves the archive to whoever has it, and refuses a key beside it", () =>
    Effect.gen(function* () {
      const { archive, path, url } = yield* uploaded
      const response = yield* Effect.promise(() => fetch(url))
      const bytes = yield* Effect.promise(() => response.arrayBuffer())
      expect(sha256(new Uint8Array(bytes))).toBe(sha256(archive))
      const withKey = yield* ask({ path })
      expect(withKey.status).toBe(400)
      expect(withKey.text).toContain("InvalidArgument")
    }).pipe(withCloud())
  )

  it.effect("needs its signature, and dies with the content it was made for", () =>
    Effect.gen(function* () {
      const { id, path } = yield* uploaded
      const [pathname] = path.split("?")
      expect((yield* ask({ path: `${pathname}?signature=00`, key: "" })).status).toBe(403)
      expect((yield* ask({ path: "/files/00?signature=00", key: "" })).status).toBe(403)
      yield* put(id, yield* zip({ "a.txt": "second" }))
      expect((yield* ask({ path, key: "" })).status).toBe(403)
    }).pipe(withCloud())
  )

  it.effect("is null when links are switched off", () =>
    Effect.gen(function* () {
      const { id } = yield* seedBundle
      const answer = yield* put(id, yield* zip({ a: "a" }))
      expect(answer.json()).toMatchObject({ file_metadata: { url: null } })
    }).pipe(withCloud({ verificationLinks: false }))
  )
})

describe("seed", () => {
  it.effect("with a known id replaces what is there, as another writer would", () =>
    Effect.gen(function* () {
      const cloud = yield* LocalElasticCloud.LocalElasticCloud
      const first = yield* seedBundle
      const second = yield* cloud.seed({
        ...BUNDLE,
        extension_type: "bundle",
        id: first.id,
        file: Buffer.from("x")
      })
      expect(second).toMatchObject({ id: first.id, resourceVersion: 2, uploads: 0, file: { size: 1 } })
      expect(second.lastModified > first.lastModified).toBe(true)
    }).pipe(withCloud())
  )
})

describe("starting", () => {
  it.scoped("on a taken port fails and says so", () =>
    Effect.gen(function* () {
      const cloud = yield* LocalElasticCloud.LocalElasticCloud
      const port = Number(new URL(cloud.url).port)
      const error = yield* Effect.flip(LocalElasticCloud.make({ port }))
      expect(error.reason).toBe("PortInUse")
      expect(error.message).toBe(
        `The local Elastic Cloud cannot listen: port ${port} of 127.0.0.1 is taken. Choose another port, or 0 for any free one.`
      )
    }).pipe(withCloud())
  )

  it.effect("on a data folder that cannot be used fails and names it", () =>
    Effect.gen(function* () {
      const error = yield* Layer.build(LocalElasticCloud.layer({ dataDir: "/dev/null/data" })).pipe(
        Effect.scoped,
        Effect.flip
      )
      expect(error.reason).toBe("DataFolderUnusable")
      expect(error.message).toContain("/dev/null/data")
    })
  )
})
