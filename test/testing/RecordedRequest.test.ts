import * as Http from "node:http"
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { LocalElasticCloud } from "../../src/testing/LocalElasticCloud.ts"
import {
  ask,
  bigZip,
  EXTENSIONS,
  KEY,
  pathOf,
  put,
  rawConnection,
  rawPutHead,
  seedBundle,
  sha256,
  withCloud,
  zip
} from "../support/testing/server.ts"

const recorded = Effect.gen(function* () {
  const cloud = yield* LocalElasticCloud
  yield* cloud.settled
  return yield* cloud.requests
})

describe("the record", () => {
  it.effect("holds what was asked, in order, and never the key", () =>
    Effect.gen(function* () {
      const { id } = yield* seedBundle
      const archive = yield* zip({ a: "a" })
      yield* put(id, archive, { headers: { "X-Request-Id": "7" } })
      yield* ask({ path: `${EXTENSIONS}?q=1` })
      const requests = yield* recorded
      expect(requests).toMatchObject([
        {
          method: "PUT",
          path: pathOf(id),
          headers: {
            authorization: "ApiKey ****",
            "content-type": "application/zip",
            "content-length": String(archive.length),
            "x-request-id": "7"
          },
          bodyBytes: archive.length,
          bodySha256: sha256(archive),
          complete: true,
          contentFile: {
            size: archive.length,
            sha256: sha256(archive),
            filename: undefined,
            contentType: "application/zip"
          },
          status: 200
        },
        {
          method: "GET",
          path: `${EXTENSIONS}?q=1`,
          bodyBytes: 0,
          bodySha256: sha256(new Uint8Array(0)),
          complete: true,
          contentFile: undefined,
          status: 200
        }
      ])
      expect(requests[0]?.rawHeaders).toContain("X-Request-Id")
      expect(JSON.stringify(requests)).not.toContain(KEY)
    }).pipe(withCloud())
  )

  it.effect("tells connections apart, and counts the requests on each", () =>
    Effect.gen(function* () {
      const agent = yield* Effect.acquireRelease(
        Effect.sync(() => new Http.Agent({ keepAlive: true, maxSockets: 1 })),
        (open) => Effect.sync(() => open.destroy())
      )
      yield* ask({ path: EXTENSIONS, agent })
      yield* ask({ path: EXTENSIONS, agent })
      yield* ask({ path: EXTENSIONS })
      const places = (yield* recorded).map((request) => [request.connection, request.requestOnConnection])
      expect(places).toStrictEqual([
        [1, 1],
        [1, 2],
        [2, 1]
      ])
    }).pipe(Effect.scoped, withCloud())
  )

  it.live("holds an unfinished request with what came of it so far", () =>
    Effect.gen(function* () {
      const cloud = yield* LocalElasticCloud
      const { id } = yield* seedBundle
      const archive = yield* bigZip(50_000)
      const connection = yield* rawConnection
      const head = { "Content-Type": "application/zip", "Content-Length": archive.length }
      yield* connection.write(rawPutHead(id, head))
      yield* connection.write(archive.subarray(0, 20_000))
      const [unfinished] = yield* cloud.requests.pipe(
        Effect.delay("5 millis"),
        Effect.repeat({ until: ([request]) => request?.bodyBytes === 20_000 }),
        Effect.timeout("5 seconds")
      )
      expect(unfinished).toMatchObject({ complete: false, status: undefined, contentFile: undefined })
      expect(unfinished?.bodySha256).toBe(sha256(archive.subarray(0, 20_000)))
      yield* connection.write(archive.subarray(20_000))
      yield* connection.received(/\r\n\r\n\{.*\}$/s)
      expect((yield* recorded)[0]).toMatchObject({ complete: true, status: 200 })
    }).pipe(Effect.scoped, withCloud())
  )

  it.effect("can be cleared", () =>
    Effect.gen(function* () {
      const cloud = yield* LocalElasticCloud
      yield* ask({ path: EXTENSIONS })
      yield* cloud.clearRequests
      expect(yield* recorded).toStrictEqual([])
    }).pipe(withCloud())
  )
})
