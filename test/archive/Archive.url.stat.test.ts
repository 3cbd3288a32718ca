import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import { assert, describe, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Archive from "../../src/archive/Archive.ts"
import { rangeServer, type Script } from "../support/archive/rangeServer.ts"
import { held, modified, options, realTime, size } from "../support/archive/urls.ts"

describe("Archive.url, stat", () => {
  layer(
    FetchHttpClient.layer,
    realTime
  )((it) => {
    it.scoped("knows length, strong ETag and date from one HEAD", () =>
      Effect.gen(function* () {
        const server = yield* rangeServer(held)
        assert.deepStrictEqual(yield* Archive.url(new URL(server.url), options).stat, {
          size,
          modifiedMillis: modified.getTime(),
          etag: '"one"'
        })
        assert.deepStrictEqual(
          server.state.requests.map(({ method }) => method),
          ["HEAD"]
        )
      })
    )

    it.scoped("does not count a weak ETag, or a date that is none", () =>
      Effect.gen(function* () {
        const server = yield* rangeServer({ ...held, etag: 'W/"one"' }, (serve) =>
          serve({ headers: { "last-modified": "yesterday" } })
        )
        assert.deepStrictEqual(yield* Archive.url(server.url, options).stat, {
          size,
          modifiedMillis: undefined,
          etag: undefined
        })
      })
    )

    for (const [why, how] of [
      ...[403, 405, 501].map((status) => [`HEAD is answered ${status}`, { status }] as const),
      ["HEAD tells no length", { headers: { "content-length": undefined } }] as const
    ]) {
      it.scoped(`asks for the first byte when ${why}`, () =>
        Effect.gen(function* () {
          const server = yield* rangeServer(held, (serve, { method }) => serve(method === "HEAD" ? how : {}))
          const stat = yield* Archive.url(server.url, options).stat
          assert.deepStrictEqual([stat.size, stat.etag], [size, '"one"'])
          assert.deepStrictEqual(server.ranges(), ["bytes=0-0"])
        })
      )
    }

    it.scoped("takes the length of the whole from a server that knows neither HEAD nor ranges", () =>
      Effect.gen(function* () {
        const server = yield* rangeServer(held, (serve, { method }) =>
          serve(method === "HEAD" ? { status: 405 } : { ignoreRange: true })
        )
        assert.strictEqual((yield* Archive.url(server.url, options).stat).size, size)
      })
    )

    const refused = (script: Script, archiveHeld = held) =>
      Effect.gen(function* () {
        const server = yield* rangeServer(archiveHeld, script)
        const error = yield* Effect.flip(Archive.url(`${server.url}?signature=hush`, options).stat)
        assert.include(error.message, server.url)
        assert.notInclude(JSON.stringify(error) + error.message, "hush")
        return { error, requests: server.state.requests.length }
      })

    for (const [status, reason] of [
      [404, "NotFound"],
      [410, "NotFound"],
      [401, "PermissionDenied"],
      [403, "PermissionDenied"],
      [400, "ReadFailed"],
      [304, "ReadFailed"]
    ] as const) {
      it.scoped(`is ${reason} on ${status}, at once`, () =>
        Effect.gen(function* () {
          const headers = { "content-length": undefined }
          const { error, requests } = yield* refused((serve) =>
            serve({ status, headers, body: new Uint8Array() })
          )
          assert.strictEqual(error.reason, reason)
          assert.strictEqual(error.detail, `the server answered ${status}`)
          assert.strictEqual(requests, status === 403 ? 2 : 1)
        })
      )
    }

    for (const status of [408, 429, 500, 502, 503, 504]) {
      it.scoped(`asks again after ${status}, for a while`, () =>
        Effect.gen(function* () {
          let answers = 0
          const server = yield* rangeServer(held, (serve) => serve(answers++ < 3 ? { status } : {}))
          assert.strictEqual((yield* Archive.url(server.url, options).stat).size, size)

          const { error, requests } = yield* refused((serve) => serve({ status }))
          assert.strictEqual(error.reason, "ReadFailed")
          assert.strictEqual(requests, 4)
        })
      )
    }

    it.scoped("refuses what is empty, by HEAD or by range", () =>
      Effect.gen(function* () {
        const empty = { bytes: new Uint8Array(0) }
        const scripts: ReadonlyArray<Script> = [
          (serve) => serve(),
          (serve, { method }) => serve(method === "HEAD" ? { status: 405 } : {})
        ]
        for (const script of scripts)
          assert.strictEqual((yield* refused(script, empty)).error.reason, "Empty")
      })
    )

    it.scoped("refuses what has no length", () =>
      Effect.gen(function* () {
        const headers = { "content-length": undefined }
        const { error } = yield* refused((serve) => serve({ headers, ignoreRange: true }))
        assert.include(error.message, "the server does not tell its length")
      })
    )

    it.scoped("refuses a content coding", () =>
      Effect.gen(function* () {
        const { error } = yield* refused((serve) => serve({ headers: { "content-encoding": "gzip" } }))
        assert.include(error.message, 'content coding "gzip"')
      })
    )

    it.effect("says in words that nobody listens", () =>
      Effect.gen(function* () {
        const { url } = yield* Effect.scoped(rangeServer(held))
        const error = yield* Effect.flip(Archive.url(`${url}?signature=hush`, options).stat)
        assert.strictEqual(error.reason, "ReadFailed")
        assert.match(error.message, /ECONNREFUSED|refused|Unable to connect/)
        assert.notInclude(error.message, "hush")
      })
    )
  })
})
