import * as Http from "node:http"
import type { AddressInfo } from "node:net"
import { describe, expect, it } from "@effect/vitest"
import { Effect, Option, Schedule } from "effect"
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
