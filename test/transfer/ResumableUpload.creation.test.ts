/** Creating an upload with a transport that sees interim responses. */

import { describe, expect, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { ofBytes, pattern } from "../support/transfer/bytes.ts"
import {
  complete,
  content,
  del,
  done,
  head,
  incomplete,
  interop,
  offered,
  patch,
  progressed,
  put,
  spoken,
  target,
  uploadPath
} from "../support/transfer/draftScript.ts"
import {
  answer,
  cut,
  exchange,
  interim,
  meanwhile,
  received,
  resumableServer,
  wholeBody
} from "../support/transfer/resumableServer.ts"
import { attempt, doneRun, stopsHalfway, upload } from "../support/transfer/uploading.ts"

describe("the ordinary request that upgrades itself", () => {
  it.live("is what it always was to a server that knows nothing of it", () =>
    Effect.gen(function* () {
      const run = yield* upload([
        { ...put(wholeBody, answer(200, {}, "as ever")), sends: [0, content.length] }
      ])
      expect(run).toMatchObject({
        answer: { status: 200, body: "as ever" },
        resources: [],
        parts: [0],
        acknowledged: []
      })
      expect(run.written.at(-1)).toBe(content.length)
    })
  )

  it.live.each([6, 7, 8, 9, 10])("speaks interop version %i of the draft", (interopVersion) =>
    Effect.gen(function* () {
      const script = [
        exchange(
          `PUT ${target}`,
          { headers: { ...interop(interopVersion), "upload-complete": "?1", "upload-length": "1000" } },
          offered(interop(interopVersion)),
          cut
        )
      ]
      const run = yield* upload(script, { interopVersion })
      expect(run.resources).toEqual([{ path: uploadPath, offset: 0, interopVersion, limits: {} }])
    })
  )

  it.live.each([
    { digest: "sha-256=:AAAA:", sent: "sha-256=:AAAA:" },
    { digest: undefined, sent: undefined }
  ])("carries Repr-Digest $digest", ({ digest, sent }) =>
    upload([{ ...put(wholeBody, done), headers: { "repr-digest": sent } }], { reprDigest: digest })
  )

  it.live("sends an empty content as complete", () =>
    upload(
      [
        exchange(
          `PUT ${target}`,
          {
            headers: { "upload-complete": "?1", "upload-length": "0", "content-length": "0" },
            sends: [0, 0]
          },
          done
        )
      ],
      { representation: ofBytes(pattern(0)) }
    )
  )

  it.live("forgets the upload once the target has answered, whatever it answers", () =>
    Effect.forEach([200, 400, 422, 500], (status) =>
      Effect.gen(function* () {
        const run = yield* upload([put(offered(), wholeBody, answer(status, complete, "final"))])
        expect(run.answer).toEqual({ status, body: "final" })
        expect(run.resources).toMatchObject([{ path: uploadPath }, undefined])
      })
    )
  )
})

describe("a 104", () => {
  it.live.each([
    { name: "without an interop version", fields: { location: uploadPath } },
    { name: "of the version before", fields: { ...interop(spoken - 1), location: uploadPath } },
    { name: "of the version after", fields: { ...interop(spoken + 1), location: uploadPath } },
    {
      name: "with an interop version of a wrong type",
      fields: { ...interop(), "upload-draft-interop-version": `${spoken}.0`, location: uploadPath }
    },
    { name: "without Location", fields: interop() },
    { name: "whose Location is empty", fields: { ...interop(), location: "" } },
    { name: "whose Location is the target itself", fields: { ...interop(), location: target } },
    {
      name: "whose Location is the target with a query",
      fields: { ...interop(), location: `{origin}${target}?upload=1#a` }
    },
    { name: "whose Location is not a URL", fields: { ...interop(), location: "http://[" } },
    { name: "whose Location is a script", fields: { ...interop(), location: "javascript:alert(1)" } },
    { name: "whose Location is a file", fields: { ...interop(), location: "file:///etc/passwd" } },
    {
      name: "whose Location carries a password",
      fields: { ...interop(), location: "http://user:pass@{host}/uploads/1" }
    },
    { name: "whose Location is absurdly long", fields: { ...interop(), location: `/${"u".repeat(9000)}` } },
    { name: "with another status", status: 103, fields: { ...interop(), location: uploadPath } }
  ])("$name offers nothing, and the request goes on", ({ fields, status = 104 }) =>
    Effect.gen(function* () {
      const run = yield* upload([put(interim(status, fields), wholeBody, done)])
      expect(run).toMatchObject({ ...doneRun, resources: [] })
    })
  )

  it.live.each([
    "/uploads/s3cr3t-c4p4bility",
    "../../uploads/s3cr3t-c4p4bility",
    "{origin}/uploads/s3cr3t-c4p4bility"
  ])("names the upload resource by %s", (location) =>
    Effect.gen(function* () {
      const run = yield* upload([put(offered({ location }), wholeBody, cut)])
      expect(run.resources).toEqual([{ path: uploadPath, offset: 0, interopVersion: spoken, limits: {} }])
      expect(run.error).toMatchObject({ _tag: "ConnectionFailed" })
    })
  )

  it.live.each([
    (foreign: string) => `${foreign}/elsewhere`,
    (foreign: string) => `${foreign.replace("http:", "")}/elsewhere`,
    (foreign: string) => foreign.replace("127.0.0.1", "127.0.0.1.elsewhere.example"),
    (foreign: string) => foreign.replace("http:", "https:")
  ])("is not followed to another origin (%#)", (elsewhere) =>
    Effect.gen(function* () {
      const run = yield* upload((foreign) => [
        put(offered({ location: elsewhere(foreign) }), wholeBody, answer(503, incomplete, "later"))
      ])
      expect(run).toMatchObject({ answer: { status: 503 }, resources: [] })
    })
  )

  it.live("has its Location told before another byte is sent", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const big = pattern(8 * 1024 * 1024)
        const told = yield* Deferred.make<void>()
        const journaled = yield* Deferred.make<void>()
        const first = 256 * 1024
        const server = yield* resumableServer([put(received(first), offered(), wholeBody, done)])
        const arrived = () => server.requests[0]?.body().length ?? 0
        const fiber = yield* attempt(server.origin, {
          representation: ofBytes(big, first),
          on: {
            BytesWritten: ({ offset }) => (offset === first ? Deferred.await(told) : Effect.void),
            ResourceKnown: () => Effect.zipRight(Deferred.succeed(told, undefined), Deferred.await(journaled))
          }
        }).pipe(Effect.fork)
        yield* Deferred.await(told)
        yield* Effect.sleep("100 millis")
        expect(arrived()).toBe(first)
        yield* Deferred.succeed(journaled, undefined)
        expect(yield* Fiber.join(fiber)).toMatchObject(doneRun)
        expect(arrived()).toBe(big.length)
      })
    )
  )

  it.live("fails the upload when its Location cannot be kept", () =>
    Effect.gen(function* () {
      const run = yield* upload([put(offered(), wholeBody)], {
        on: {
          ResourceKnown: () => Effect.fail("the journal is full"),
          BytesWritten: () => Effect.sleep("20 millis")
        },
        representation: ofBytes(content, 10)
      })
      expect(run.error).toBe("the journal is full")
    })
  )

  it.live("tells what the server has acknowledged", () =>
    Effect.gen(function* () {
      const run = yield* upload([
        put(
          offered(),
          progressed(10),
          wholeBody,
          progressed(600),
          interim(104, interop()),
          progressed(1000),
          done
        )
      ])
      expect(run).toMatchObject({ ...doneRun, acknowledged: [10, 600, 1000] })
    })
  )

  it.live.each(["-1", "1.5", "many", "?1", "9".repeat(30)])("is not believed an offset of %s", (offset) =>
    Effect.gen(function* () {
      const run = yield* upload([
        put(offered(), interim(104, { ...interop(), "upload-offset": offset }), wholeBody, done)
      ])
      expect(run).toMatchObject({ ...doneRun, acknowledged: [] })
    })
  )

  it.live("that acknowledges more than there is ends and cancels the upload", () =>
    Effect.gen(function* () {
      const run = yield* upload([put(offered(), progressed(1001)), del(answer(204))], stopsHalfway)
      expect(run.error).toMatchObject({ _tag: "UploadProtocolViolation", rule: "OffsetBeyondLength" })
      expect(run.resources).toMatchObject([{ path: uploadPath }, undefined])
    })
  )
})

describe("a Location that changes", () => {
  const other = { location: "/uploads/s3cr3t-other" }
  it.live.each([
    { name: "in a second 104", acts: [offered(), offered(other)], options: stopsHalfway },
    {
      name: "in the final response",
      acts: [offered(), wholeBody, answer(201, { ...incomplete, ...other })],
      options: {}
    }
  ])("$name ends and cancels the upload that was known", ({ acts, options }) =>
    Effect.gen(function* () {
      const run = yield* upload([put(...acts), del(answer(204))], options)
      expect(run.error).toMatchObject({ _tag: "UploadProtocolViolation", rule: "LocationChanged" })
      expect(run.resources).toMatchObject([{ path: uploadPath }, undefined])
    })
  )

  it.live("is the target's own affair in its own answer", () =>
    Effect.gen(function* () {
      const run = yield* upload([put(offered(), wholeBody, answer(201, { ...complete, ...other }, "done"))])
      expect(run.answer).toEqual({ status: 201, body: "done" })
    })
  )

  it.live("only in its spelling is the same", () =>
    Effect.gen(function* () {
      const run = yield* upload([
        put(offered(), offered({ location: `{origin}${uploadPath}` }), offered(), wholeBody, done)
      ])
      expect(run).toMatchObject(doneRun)
      expect(run.resources).toHaveLength(2)
    })
  )

  it.live("counts even when the server refuses the cancellation", () =>
    Effect.forEach([answer(500), cut], (refusal) =>
      Effect.gen(function* () {
        const run = yield* upload([put(offered(), offered(other)), del(refusal)], stopsHalfway)
        expect(run.error).toMatchObject({ rule: "LocationChanged" })
        expect(run.resources.at(-1)).toBeUndefined()
      })
    )
  )
})

describe("a final response to the creation", () => {
  it.live("that leaves it incomplete is followed by appends", () =>
    Effect.gen(function* () {
      const run = yield* upload([
        put(received(300), answer(201, { ...incomplete, location: uploadPath })),
        head(answer(204, { ...incomplete, "upload-offset": "300", "upload-length": "1000" })),
        patch(300, 1000, wholeBody, done)
      ])
      expect(run).toMatchObject(doneRun)
    })
  )

  it.live("that is no success does not leave it incomplete, whatever it says", () =>
    Effect.gen(function* () {
      const run = yield* upload([put(offered(), wholeBody, answer(300, { ...incomplete }, "which?"))])
      expect(run.answer).toEqual({ status: 300, body: "which?" })
      expect(run.resources.at(-1)).toBeUndefined()
    })
  )

  it.live("that leaves it incomplete without an address is a violation", () =>
    Effect.gen(function* () {
      const run = yield* upload([put(wholeBody, answer(201, incomplete))])
      expect(run.error).toMatchObject({ _tag: "UploadProtocolViolation", rule: "LocationMissing" })
    })
  )

  it.live.each([
    { status: 500, kept: true },
    { status: 502, kept: true },
    { status: 503, kept: true },
    { status: 401, kept: true },
    { status: 403, kept: true },
    { status: 408, kept: true },
    { status: 429, kept: true },
    { status: 400, kept: false },
    { status: 404, kept: false },
    { status: 409, kept: false },
    { status: 422, kept: false },
    { status: 200, kept: false },
    { status: 204, kept: false }
  ])("of $status without Upload-Complete: upload kept? $kept", ({ status, kept }) =>
    Effect.gen(function* () {
      const run = yield* upload([put(offered(), wholeBody, answer(status))])
      expect(run.answer?.status).toBe(status)
      expect(run.resources.at(-1)?.path).toBe(kept ? uploadPath : undefined)
    })
  )

  it.live("ends it, whatever the server says afterwards", () =>
    Effect.gen(function* () {
      const text = "HTTP/1.1 200 OK\r\nUpload-Complete: ?1\r\nContent-Length: 4\r\n\r\ndone"
      const late = `HTTP/1.1 104 Late\r\nUpload-Draft-Interop-Version: ${spoken}\r\nLocation: ${uploadPath}\r\n\r\n`
      const run = yield* upload([
        put(wholeBody, (peer) => void peer.socket.end(`${text}${late.repeat(50)}HTTP/1.1 500 No\r\n\r\n`))
      ])
      expect(run).toMatchObject({ ...doneRun, resources: [] })
    })
  )
})

describe("an interruption in the middle", () => {
  it.live("leaves the upload as it was last told, and the connection closed", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const closed = yield* Deferred.make<void>()
        const server = yield* resumableServer([
          put(offered(), progressed(100), wholeBody, meanwhile(Deferred.succeed(closed, undefined)))
        ])
        const acknowledged = yield* Deferred.make<void>()
        const resources: Array<unknown> = []
        const fiber = yield* attempt(server.origin, {
          on: {
            ResourceKnown: ({ resource }) => Effect.sync(() => void resources.push(resource)),
            ResourceGone: (event) => Effect.sync(() => void resources.push(event)),
            BytesWritten: ({ offset }) => (offset > 500 ? Effect.never : Effect.void),
            BytesAcknowledged: () => Deferred.succeed(acknowledged, undefined)
          }
        }).pipe(Effect.fork)
        yield* Deferred.await(acknowledged)
        yield* Fiber.interrupt(fiber)
        yield* Deferred.await(closed)
        expect(resources).toMatchObject([{ offset: 0 }])
        expect(server.requests).toHaveLength(1)
      })
    )
  )
})
