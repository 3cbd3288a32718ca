import { assert, describe, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import * as Archive from "../../src/archive/Archive.ts"
import * as ArchiveDigest from "../../src/archive/ArchiveDigest.ts"
import * as UploadHttpClient from "../../src/transfer/UploadHttpClient.ts"
import { type Held, rangeServer, type Script } from "../support/archive/rangeServer.ts"
import { content, drain } from "../support/archive/sources.ts"
import {
  failure,
  first,
  held,
  inTurn,
  MiB,
  modified,
  options,
  readAll,
  realTime,
  same,
  sample,
  size
} from "../support/archive/urls.ts"

/** What reading from `offset` fails with, and what the server saw. */
const failing = (script: Script, offset = 0, archiveHeld = held) =>
  Effect.gen(function* () {
    const server = yield* rangeServer(archiveHeld, script)
    const { bytes, exit } = yield* readAll(Archive.url(server.url, options), offset)
    return { server, bytes, error: failure(exit) }
  })

describe("Archive.url, read", () => {
  layer(
    UploadHttpClient.layer(),
    realTime
  )((it) => {
    it.scoped("notices another archive when it goes on after a lost connection", () =>
      Effect.gen(function* () {
        for (const ignoreConditions of [false, true]) {
          const server = yield* rangeServer(held, inTurn({}, { cutAfter: MiB }, { ignoreConditions }))
          const archive = Archive.url(server.url, options)
          const expected = yield* archive.stat
          const { bytes, exit } = yield* archive.read({ offset: 0, expected }).pipe(
            Stream.tap(() =>
              Effect.sync(() => {
                if (server.ranges().length === 2) server.state.held = { ...held, etag: '"two"' }
              })
            ),
            drain
          )
          const error = failure(exit)
          assert.strictEqual(error._tag, "ArchiveChanged")
          assert.strictEqual(error.reason, "Modified")
          assert.include(error.message, ignoreConditions ? '"one", now "two"' : "another one in its place")
          assert.isBelow(bytes.length, size)
          assert.strictEqual(server.ranges().length, 3)
        }
      })
    )

    it.scoped("notices a change of length or date between stat and read", () =>
      Effect.gen(function* () {
        const reasonWhen = (change: Partial<Held>) =>
          Effect.gen(function* () {
            const server = yield* rangeServer({ bytes: sample, modified })
            const archive = Archive.url(server.url, options)
            const expected = yield* archive.stat
            server.state.held = { ...server.state.held, ...change }
            const reasons = yield* Effect.forEach([0, size - 1, size], (offset) =>
              Effect.map(drain(archive.read({ offset, expected })), ({ exit }) => failure(exit).reason)
            )
            return [...new Set(reasons)]
          })
        assert.deepStrictEqual(yield* reasonWhen({ bytes: content(size + 1) }), ["Grew"])
        assert.deepStrictEqual(yield* reasonWhen({ bytes: sample.subarray(0, size - 1) }), ["Shrank"])
        assert.deepStrictEqual(yield* reasonWhen({ modified: new Date() }), ["Modified"])
      })
    )

    it.scoped("reads on in the middle without any identity but the length", () =>
      Effect.gen(function* () {
        const server = yield* rangeServer({ bytes: sample }, inTurn({}, { cutAfter: MiB }, {}))
        same((yield* readAll(Archive.url(server.url, options))).bytes, sample)
      })
    )

    it.scoped("gives up after so many losses in a row, and counts anew after every byte", () =>
      Effect.gen(function* () {
        const lossy = yield* rangeServer(held, inTurn({ cutAfter: 200_000 }))
        same((yield* readAll(Archive.url(lossy.url, options))).bytes, sample)
        assert.isAbove(lossy.ranges().length, 12)

        const { error, server } = yield* failing(inTurn({}, { cutAfter: MiB }, { cutAfter: 0 }))
        assert.strictEqual(error.reason, "ReadFailed")
        assert.strictEqual(server.ranges().length, 2 + 3)
      })
    )

    it.scoped("waits between losses, longer each time, by default", () =>
      Effect.gen(function* () {
        const times: Array<number> = []
        let answers = 0
        const server = yield* rangeServer(held, (serve) => {
          times.push(performance.now())
          serve(answers++ < 2 ? { status: 503 } : {})
        })
        yield* Archive.url(server.url).stat
        const [one = 0, two = 0, three = 0] = times
        assert.isAtLeast(two - one, 390)
        assert.isAtLeast(three - two, 790)
      })
    )

    for (const [what, how] of [
      ["another start", { headers: { "content-range": `bytes 0-${size - 1}/${size}` } }],
      ["another end", { headers: { "content-range": `bytes ${MiB}-${size - 2}/${size}` } }],
      ["no length", { headers: { "content-range": `bytes ${MiB}-${size - 1}/*` } }],
      ["no range", { headers: { "content-range": undefined } }]
    ] as const) {
      it.scoped(`refuses a Content-Range with ${what}`, () =>
        Effect.gen(function* () {
          const { bytes, error, server } = yield* failing(inTurn(how), MiB)
          assert.strictEqual(error.reason, "ReadFailed")
          assert.include(error.message, `to a request for bytes ${MiB} to ${MiB + first - 1}`)
          assert.strictEqual(bytes.length, 0)
          assert.strictEqual(server.ranges().length, 1)
        })
      )
    }

    it.scoped("refuses a content coding, rather than call the archive changed", () =>
      Effect.gen(function* () {
        const body = sample.subarray(0, 1000)
        for (const ignoreRange of [false, true]) {
          const { error } = yield* failing(
            inTurn({ headers: { "content-encoding": "gzip" }, body, ignoreRange })
          )
          assert.strictEqual(error.reason, "ReadFailed")
          assert.include(error.message, 'content coding "gzip"')
        }
      })
    )

    it.scoped("refuses more bytes than the range that was announced", () =>
      Effect.gen(function* () {
        const { error } = yield* failing(inTurn({ body: sample.subarray(0, first + 1) }))
        assert.strictEqual(error.reason, "ReadFailed")
        assert.include(error.message, "sent more than the bytes")

        const longer = { body: content(size + 1), endAfter: size + 1 }
        const { bytes, error: grew } = yield* failing(inTurn({}, longer))
        assert.strictEqual(grew.reason, "Grew")
        assert.isBelow(bytes.length, size)
      })
    )

    it.scoped("takes the whole from a server without ranges, once, and nothing from its middle", () =>
      Effect.gen(function* () {
        const server = yield* rangeServer(held, inTurn({ ignoreRange: true }))
        const archive = Archive.url(server.url, options)
        same((yield* readAll(archive)).bytes, sample)
        assert.strictEqual(server.ranges().length, 1)

        const { bytes, exit } = yield* readAll(archive, 1)
        assert.strictEqual(bytes.length, 0)
        assert.include(failure(exit).message, "does not support ranges, so byte 1 cannot be reached")
      })
    )

    it.scoped("cannot go on where a server without ranges broke off", () =>
      Effect.gen(function* () {
        const { error, server } = yield* failing(inTurn({ ignoreRange: true, cutAfter: MiB }))
        assert.strictEqual(error.reason, "ReadFailed")
        assert.include(error.message, "does not support ranges")
        assert.strictEqual(server.ranges().length, 2)
      })
    )

    it.scoped("tells a range that cannot be satisfied from a change", () =>
      Effect.gen(function* () {
        const answer = (headers: Record<string, string>) => failing(inTurn({ status: 416, headers }), 5)
        const shrank = yield* answer({ "content-range": "bytes */3" })
        assert.strictEqual(shrank.error.reason, "Shrank")
        const odd = yield* answer({ "content-range": `bytes */${size}` })
        assert.strictEqual(odd.error.reason, "ReadFailed")
        assert.include(odd.error.message, "answered 416")
      })
    )

    it.scoped("refuses an archive that vanished, or is no longer allowed, between two requests", () =>
      Effect.gen(function* () {
        const gone = yield* failing(inTurn({}, { status: 404 }))
        assert.strictEqual(gone.error.reason, "NotFound")
        const expired = yield* failing(inTurn({}, { status: 403 }))
        assert.strictEqual(expired.error.reason, "PermissionDenied")
      })
    )

    it.scoped("is digested, and verified from the middle", () =>
      Effect.gen(function* () {
        const server = yield* rangeServer(held, inTurn({ cutAfter: 300_000 }))
        const archive = Archive.url(server.url, options)
        const digest = yield* ArchiveDigest.compute(archive, { checkpointBytes: MiB })
        const local = yield* ArchiveDigest.compute(Archive.bytes({ name: "a.zip", bytes: sample }))
        assert.strictEqual(digest.sha256, local.sha256)
        const { bytes } = yield* drain(ArchiveDigest.verifying(digest, archive, { offset: MiB + 5 }))
        same(bytes, sample.subarray(MiB + 5))
      })
    )
  })
})
