import * as Http from "node:http"
import type { AddressInfo } from "node:net"
import { describe, expect, it } from "@effect/vitest"
import { Effect, Option, Schedule } from "effect"
import * as Fault from "../../src/testing/Fault.ts"
import { LocalElasticCloud } from "../../src/testing/LocalElasticCloud.ts"
import { ask, EXTENSIONS, pathOf, sha256, withCloud, zip } from "../support/testing/server.ts"

const BUNDLE = { name: "dictionary", extension_type: "bundle", version: "*" }

const post = (path: string, body: object) =>
  ask({
    method: "POST",
    path,
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body)
  })

/** Answers each request only when `ready`. */
const slowHost = (archive: Buffer, ready: Effect.Effect<void>) =>
  Effect.acquireRelease(
    Effect.async<{ readonly url: string; readonly server: Http.Server }>((resume) => {
      const server = Http.createServer((_, response) => {
        Effect.runFork(
          Effect.zipRight(
            ready,
            Effect.sync(() => response.end(archive))
          )
        )
      })
      server.listen(0, "127.0.0.1", () => {
        const { port } = server.address() as AddressInfo
        resume(Effect.succeed({ url: `http://127.0.0.1:${port}/a.zip`, server }))
      })
    }),
    ({ server }) =>
      Effect.sync(() => {
        server.closeAllConnections()
        server.close()
      })
  )

/** Answers GET alone, where `password` is given to those who know it. */
const strictHost = (archive: Buffer, password?: string) =>
  Effect.acquireRelease(
    Effect.async<{
      readonly origin: string
      readonly methods: ReadonlyArray<string>
      readonly stop: () => void
    }>((resume) => {
      const methods: Array<string> = []
      const server = Http.createServer((request, response) => {
        methods.push(request.method ?? "")
        const wanted =
          password === undefined ? undefined : `Basic ${Buffer.from(password).toString("base64")}`
        if (request.url === "/moved.zip") response.writeHead(302, { location: "/a.zip" }).end()
        else if (request.method !== "GET" || request.headers.authorization !== wanted) {
          response.writeHead(403).end()
        } else response.end(archive)
      })
      server.listen(0, "127.0.0.1", () => {
        const { port } = server.address() as AddressInfo
        const stop = () => {
          server.closeAllConnections()
          server.close()
        }
        resume(Effect.succeed({ origin: `127.0.0.1:${port}`, methods, stop }))
      })
    }),
    ({ stop }) => Effect.sync(stop)
  )

const refusal = { errors: [{ code: "extensions.request_execution_failed", fields: ["download_url"] }] }

describe("a download_url", () => {
  it.scopedLive("that redirects is refused", () =>
    Effect.gen(function* () {
      const { methods, origin } = yield* strictHost(yield* zip({ "dictionaries/a.dic": "1\na" }))
      const moved = yield* post(EXTENSIONS, { ...BUNDLE, download_url: `http://${origin}/moved.zip` })
      expect(moved.status).toBe(400)
      expect(moved.json()).toMatchObject(refusal)
      expect(methods).toEqual(["GET"])
    }).pipe(withCloud())
  )

  it.scopedLive("takes its credentials from the address", () =>
    Effect.gen(function* () {
      const { origin } = yield* strictHost(yield* zip({ "dictionaries/a.dic": "1\na" }), "ci:p@ss")
      const ask = (user: string) =>
        post(EXTENSIONS, { ...BUNDLE, download_url: `http://${user}${origin}/a.zip` })
      expect([(yield* ask("")).status, (yield* ask("ci:p%40ss@")).status]).toEqual([400, 201])
    }).pipe(withCloud())
  )

  it.scopedLive("is asked for with HEAD first, where a fault says so", () =>
    Effect.gen(function* () {
      const cloud = yield* LocalElasticCloud
      const { methods, origin } = yield* strictHost(yield* zip({ "dictionaries/a.dic": "1\na" }))
      yield* cloud.plan({ method: "POST", fault: Fault.headFirst })
      const create = post(EXTENSIONS, { ...BUNDLE, download_url: `http://${origin}/a.zip` })
      expect([(yield* create).status, (yield* create).status]).toEqual([400, 201])
      expect(methods).toEqual(["HEAD", "GET"])
    }).pipe(withCloud())
  )

  it.scopedLive("whose server is silent for too long is refused", () =>
    Effect.gen(function* () {
      const { url } = yield* slowHost(yield* zip({ "dictionaries/a.dic": "1\na" }), Effect.never)
      const created = yield* post(EXTENSIONS, { ...BUNDLE, download_url: url })
      expect(created.status).toBe(400)
      expect(created.text).toContain("it sent nothing for too long")
    }).pipe(withCloud({ downloadTimeout: 100 }))
  )
})

describe("downloadPatience", () => {
  it.scopedLive("ends the wait with 504, and the download goes on", () =>
    Effect.gen(function* () {
      const cloud = yield* LocalElasticCloud
      const ready = yield* Effect.makeLatch(false)
      const archive = yield* zip({ "dictionaries/a.dic": "1\na" })
      const { url } = yield* slowHost(archive, ready.await)
      const { id } = yield* cloud.seed({ name: "dictionary", extension_type: "bundle", version: "*" })
      const updated = yield* post(pathOf(id), { ...BUNDLE, download_url: url })
      const created = yield* post(EXTENSIONS, { ...BUNDLE, name: "other", download_url: url })
      expect([updated.status, created.status]).toEqual([504, 504])
      expect(Option.getOrThrow(yield* cloud.extension(id))).toMatchObject({
        resourceVersion: 1,
        file: undefined
      })
      expect(yield* cloud.extensions).toHaveLength(1)

      yield* ready.open
      const stored = yield* Effect.repeat(cloud.extensions, {
        until: (all) => all.length === 2 && all.every(({ file }) => file !== undefined),
        schedule: Schedule.spaced("10 millis")
      }).pipe(Effect.zipRight(cloud.extensions))
      expect(stored.map(({ file, name }) => [name, file?.sha256])).toEqual([
        ["dictionary", sha256(archive)],
        ["other", sha256(archive)]
      ])
    }).pipe(withCloud({ downloadPatience: 50 }))
  )

  it.scopedLive("is not lost before its time, and a refusal stays one", () =>
    Effect.gen(function* () {
      const { url } = yield* slowHost(yield* zip({ "dictionaries/a.dic": "1\na" }), Effect.void)
      const created = yield* post(EXTENSIONS, { ...BUNDLE, download_url: url })
      const refused = yield* post(EXTENSIONS, { ...BUNDLE, download_url: "http://127.0.0.1:1/" })
      expect([created.status, refused.status]).toEqual([201, 400])
    }).pipe(withCloud({ downloadPatience: 5000 }))
  )

  it.scopedLive("a restart ends a download that goes on", () =>
    Effect.gen(function* () {
      const cloud = yield* LocalElasticCloud
      const ready = yield* Effect.makeLatch(false)
      const { url } = yield* slowHost(yield* zip({ "dictionaries/a.dic": "1\na" }), ready.await)
      expect((yield* post(EXTENSIONS, { ...BUNDLE, download_url: url })).status).toBe(504)
      yield* cloud.restart
      yield* ready.open
      yield* Effect.sleep("100 millis")
      expect(yield* cloud.extensions).toEqual([])
    }).pipe(withCloud({ downloadPatience: 50 }))
  )
})
