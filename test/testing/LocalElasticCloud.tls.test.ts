import * as Https from "node:https"
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { LocalElasticCloud } from "../../src/testing/LocalElasticCloud.ts"
import { pathOf, put, rawConnection, seedBundle, withCloud } from "../support/testing/server.ts"
import { authority } from "../support/transfer/authority.ts"

const getOverTls = (url: string, ca: string) =>
  Effect.async<{ readonly status: number | undefined; readonly text: string }>((resume) => {
    const headers = { authorization: "ApiKey local-key" }
    Https.get(url, { ca, headers, agent: false }, (response) => {
      let text = ""
      response.setEncoding("utf8")
      response.on("data", (part: string) => {
        text += part
      })
      response.on("end", () => resume(Effect.succeed({ status: response.statusCode, text })))
    })
  })

describe("TLS", () => {
  it.live("serves the same API, with links on the same origin, and drops whoever speaks plain http", () =>
    Effect.gen(function* () {
      const { ca, server: tls } = yield* authority
      yield* Effect.gen(function* () {
        const cloud = yield* LocalElasticCloud
        const file = Buffer.from("x")
        const { id } = yield* cloud.seed({ name: "a", extension_type: "bundle", version: "*", file })
        expect(cloud.url).toMatch(/^https:\/\/127\.0\.0\.1:\d+$/)
        const { status, text } = yield* getOverTls(`${cloud.url}${pathOf(id)}`, ca)
        expect(status).toBe(200)
        expect(text).toContain(`"url":"${cloud.url}/files/`)
        // What is heard of it is an alert in TLS, which some clients try to read as HTTP first.
        expect(["ECONNRESET", "HPE_INVALID_CONSTANT"]).toContain((yield* Effect.flip(put(id, file))).code)
        expect(yield* cloud.requests).toMatchObject([{ method: "GET", connection: 1 }])
      }).pipe(withCloud({ tls }))
    })
  )

  it.live("stops even while a handshake is open", () =>
    Effect.gen(function* () {
      const { server: tls } = yield* authority
      const connection = yield* Effect.gen(function* () {
        yield* seedBundle
        const open = yield* rawConnection
        yield* open.write(Buffer.from([0x16, 0x03, 0x01]))
        return open
      }).pipe(withCloud({ tls }))
      expect(yield* connection.untilClosed).toBe("")
    }).pipe(Effect.scoped)
  )
})
