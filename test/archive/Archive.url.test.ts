import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import { assert, describe, it, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as FastCheck from "effect/FastCheck"
import * as Fiber from "effect/Fiber"
import * as Redacted from "effect/Redacted"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import * as Archive from "../../src/archive/Archive.ts"
import * as ArchiveInspection from "../../src/archive/ArchiveInspection.ts"
import { rangeServer } from "../support/archive/rangeServer.ts"
import { content, drain } from "../support/archive/sources.ts"
import {
  clients,
  failure,
  first,
  held,
  inTurn,
  MiB,
  options,
  readAll,
  realTime,
  same,
  sample,
  size
} from "../support/archive/urls.ts"
import { classic, jar, zip } from "../support/archive/zip.ts"

describe("Archive.url", () => {
  const named = (url: string | Redacted.Redacted<string>, name?: string) => {
    const archive = Archive.url(url, { name })
    return [archive.name, archive.path]
  }

  it("has a name without folders and a path without a query", () => {
    const path = "https://builds.example/a/b%20c.zip"
    assert.isTrue(Archive.isArchive(Archive.url(path)))
    assert.deepStrictEqual(named(`${path}?X-Amz-Signature=hush#part`), ["b c.zip", path])
    assert.deepStrictEqual(named(path, "dist/mine.zip"), ["mine.zip", path])
    assert.deepStrictEqual(named("https://builds.example"), ["archive.zip", "https://builds.example/"])
    assert.strictEqual(named("https://builds.example/a%2Fb.zip")[0], "b.zip")
    for (const odd of ["a%0d%0ab.zip", "a%ff.zip"]) {
      assert.strictEqual(named(`https://builds.example/${odd}`)[0], odd)
    }
  })

  it("shows of a redacted address only where it leads", () => {
    const url = Redacted.make("https://builds.example/capability-hush/a.zip?hush")
    assert.deepStrictEqual(named(url), ["archive.zip", "https://builds.example/…"])
    assert.deepStrictEqual(named(url, "a.zip"), ["a.zip", "https://builds.example/…"])
  })

  for (const url of ["dist/a.zip", "ftp://host/hush", "file:///hush", "https://user:hush@host/a.zip", ""]) {
    it.effect(`cannot read "${url}", and does not repeat it`, () =>
      Effect.gen(function* () {
        const archive = Archive.url(url, { name: "acme.zip" })
        const expected = { size: 1, modifiedMillis: undefined }
        for (const error of [
          yield* Effect.flip(archive.stat),
          failure((yield* drain(archive.read({ offset: 0, expected }))).exit)
        ]) {
          assert.strictEqual(error.reason, "ReadFailed")
          assert.include(error.message, 'The archive "acme.zip" could not be read: its address')
          assert.notInclude(error.message, "hush")
        }
      }).pipe(Effect.provide(FetchHttpClient.layer))
    )
  }
})

const cuts = {
  length: FastCheck.integer({ min: 1, max: 300_000 }),
  /** Where reading begins, as a part of the length. */
  from: FastCheck.double({ min: 0, max: 1, noNaN: true }),
  breaks: FastCheck.array(
    FastCheck.record({
      kind: FastCheck.constantFrom("cutAfter" as const, "endAfter" as const),
      at: FastCheck.nat(100_000)
    }),
    { maxLength: 6 }
  ),
  pieceBytes: FastCheck.integer({ min: 997, max: 200_000 })
}

for (const [name, client] of Object.entries(clients)) {
  describe(`Archive.url over ${name}`, () => {
    layer(
      client,
      realTime
    )((it) => {
      for (const offset of [0, 1, first - 1, first, MiB, size - 1, size]) {
        it.scoped(`reads from byte ${offset}, twice the same`, () =>
          Effect.gen(function* () {
            const server = yield* rangeServer(held)
            const archive = Archive.url(server.url, options)
            const expected = yield* archive.stat
            for (const recycle of [undefined, 2]) {
              const { bytes, chunks, exit } = yield* drain(archive.read({ offset, expected, recycle }))
              assert.deepStrictEqual(exit, Either.void)
              same(bytes, sample.subarray(offset))
              for (const chunk of chunks) assert.isTrue(chunk.length > 0 && chunk.length <= MiB)
            }
          })
        )
      }

      it.scoped("asks for a little first, then for the rest, of the very archive it knows", () =>
        Effect.gen(function* () {
          const server = yield* rangeServer(held)
          const { bytes } = yield* readAll(Archive.url(server.url, options), 100)
          same(bytes, sample.subarray(100))
          assert.deepStrictEqual(server.ranges(), [
            `bytes=100-${first + 99}`,
            `bytes=${first + 100}-${size - 1}`
          ])
          for (const { headers, method } of server.state.requests) {
            assert.strictEqual(headers["if-match"], method === "GET" ? '"one"' : undefined)
            assert.match(headers["accept-encoding"] ?? "", /^identity(, identity)?$/)
          }
        })
      )

      it.scoped("takes a lost connection up at the byte it had reached", () =>
        Effect.gen(function* () {
          const server = yield* rangeServer(held, inTurn({}, { cutAfter: MiB }, { cutAfter: 0 }, {}))
          const { bytes, exit } = yield* readAll(Archive.url(server.url, options))
          assert.deepStrictEqual(exit, Either.void)
          same(bytes, sample)
          const [one, two, three, four] = server.ranges()
          assert.strictEqual(one, `bytes=0-${first - 1}`)
          assert.strictEqual(two, `bytes=${first}-${size - 1}`)
          assert.strictEqual(four, three)
          // A destroyed connection may lose what was still under way, but nothing that had arrived before.
          const resumed = Number(/^bytes=(\d+)-/.exec(three ?? "")?.[1])
          assert.isTrue(resumed >= first && resumed <= first + MiB, three)
        })
      )

      it.scoped("takes a silent connection for lost", () =>
        Effect.gen(function* () {
          const server = yield* rangeServer(held, inTurn({}, { stallAfter: MiB }, {}))
          const archive = Archive.url(server.url, { ...options, stallTimeout: "700 millis" })
          const { bytes } = yield* readAll(archive)
          same(bytes, sample)
          assert.include(server.ranges(), `bytes=${first + MiB}-${size - 1}`)
        })
      )

      it.scoped("waits no longer for an answer that does not begin", () =>
        Effect.gen(function* () {
          const server = yield* rangeServer(held, () => undefined)
          const archive = Archive.url(server.url, {
            retry: Schedule.recurs(1),
            stallTimeout: "300 millis"
          })
          const error = yield* Effect.flip(archive.stat)
          assert.include(error.message, "nothing came from the server for 300ms")
          assert.strictEqual(server.state.requests.length, 2)
        })
      )

      it.scoped("goes on when an answer ends early without a word", () =>
        Effect.gen(function* () {
          const server = yield* rangeServer(held, inTurn({}, { endAfter: 70_000 }, {}))
          const { bytes } = yield* readAll(Archive.url(server.url, options))
          same(bytes, sample)
          assert.strictEqual(server.ranges()[2], `bytes=${first + 70_000}-${size - 1}`)
        })
      )

      it.scoped("is read no faster than it is used", () =>
        Effect.gen(function* () {
          const server = yield* rangeServer({ bytes: new Uint8Array(64 * MiB), etag: '"big"' })
          const archive = Archive.url(server.url, options)
          const expected = yield* archive.stat
          let used = 0
          const reading = yield* archive.read({ offset: 0, expected }).pipe(
            Stream.runForEach((chunk) => {
              used += chunk.length
              return used > MiB ? Effect.never : Effect.void
            }),
            Effect.fork
          )
          const sentMeanwhile = Effect.gen(function* () {
            const before = server.state.sent
            yield* Effect.sleep("300 millis")
            return server.state.sent - before
          })
          yield* Effect.repeat(sentMeanwhile, { until: (more) => used > MiB && more === 0 })
          assert.isBelow(used, 3 * MiB)
          assert.isBelow(server.state.sent, 24 * MiB)
          yield* Fiber.interrupt(reading)
        })
      )

      it.scoped("closes the connection when it is interrupted", () =>
        Effect.gen(function* () {
          let closed = false
          const server = yield* rangeServer(held, (serve, { headers }, response) => {
            if (headers.range === `bytes=${first}-${size - 1}`) {
              response.on("close", () => {
                closed = true
              })
              serve({ stallAfter: MiB })
            } else serve()
          })
          const archive = Archive.url(server.url, options)
          const expected = yield* archive.stat
          const reading = yield* Effect.fork(Stream.runDrain(archive.read({ offset: 0, expected })))
          yield* waitUntil(() => server.state.sent >= MiB)
          assert.isFalse(closed)
          yield* Fiber.interrupt(reading)
          yield* waitUntil(() => closed)
        })
      )

      it.scoped("leaves its credentials behind when it is sent to another origin", () =>
        Effect.gen(function* () {
          const store = yield* rangeServer(held)
          const front = yield* rangeServer(held, (_, { url }, response) => {
            const location = url === "/builds/acme.zip" ? "/moved" : `${store.origin}/signed?signature=abc`
            response.writeHead(302, { location }).end()
          })
          const archive = Archive.url(front.url, {
            ...options,
            headers: { authorization: Redacted.make("Bearer hush"), "x-api-key": Redacted.make("hush") }
          })
          const { bytes } = yield* readAll(archive)
          same(bytes, sample)
          assert.deepStrictEqual(
            front.state.requests
              .slice(0, 2)
              .map(({ headers, method, url }) => [method, url, headers["x-api-key"]]),
            [
              ["HEAD", "/builds/acme.zip", "hush"],
              ["HEAD", "/moved", "hush"]
            ]
          )
          assert.deepStrictEqual(store.ranges(), [`bytes=0-${first - 1}`, `bytes=${first}-${size - 1}`])
          for (const { headers, url } of store.state.requests) {
            assert.strictEqual(url, "/signed?signature=abc")
            assert.isUndefined(headers.authorization)
            assert.isUndefined(headers["x-api-key"])
          }
        })
      )

      it.scoped("does not get its credentials back on the way", () =>
        Effect.gen(function* () {
          const home: { origin?: string } = {}
          const away = yield* rangeServer(held, (_, __, response) => {
            response.writeHead(307, { location: `${home.origin}/back` }).end()
          })
          const server = yield* rangeServer(held, (serve, { url }, response) => {
            if (url === "/back") serve()
            else response.writeHead(307, { location: away.url }).end()
          })
          home.origin = server.origin
          const headers = { authorization: Redacted.make("Bearer hush") }
          yield* Archive.url(server.url, { ...options, headers }).stat
          assert.deepStrictEqual(
            server.state.requests.map(({ headers, url }) => [url, headers.authorization]),
            [
              ["/builds/acme.zip", "Bearer hush"],
              ["/back", undefined]
            ]
          )
        })
      )

      it.scoped("inspects 20 MiB in few requests and few bytes", () =>
        Effect.gen(function* () {
          const large = { name: "acme.jar", data: content(20 * MiB), method: 0 }
          const server = yield* rangeServer({ bytes: zip([classic(), large, jar]), etag: '"zip"' })
          const inspection = yield* ArchiveInspection.inspect(Archive.url(server.url, options))
          assert.strictEqual(inspection.type, "plugin-classic")
          assert.strictEqual(inspection.entryCount, 3)
          assert.isAtMost(server.state.requests.length, 3)
          assert.isAtMost(server.state.sent, 2 * first)
        })
      )

      it.scoped.prop(
        "reads the same bytes however the connections are cut and the answers sliced",
        cuts,
        ({ breaks, from, length, pieceBytes }) =>
          Effect.gen(function* () {
            const bytes = sample.subarray(0, length)
            const offset = Math.floor(from * length)
            const ways = breaks.map(({ at, kind }) => ({ [kind]: at, pieceBytes }))
            const server = yield* rangeServer({ bytes, etag: '"any"' }, inTurn(...ways, { pieceBytes }))
            const archive = Archive.url(server.url, { retry: Schedule.recurs(breaks.length) })
            const read = yield* readAll(archive, offset)
            assert.deepStrictEqual(read.exit, Either.void)
            same(read.bytes, bytes.subarray(offset))
          }),
        { fastCheck: { numRuns: 40 } }
      )
    })
  })
}

/** Real time, because real sockets do it. */
const waitUntil = (condition: () => boolean) =>
  Effect.sync(condition).pipe(
    Effect.repeat({ until: (met) => met, schedule: Schedule.spaced("5 millis") }),
    Effect.timeout("5 seconds")
  )
