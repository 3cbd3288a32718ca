import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Archive from "../../src/archive/Archive.ts"
import * as Fault from "../../src/testing/Fault.ts"
import { LocalElasticCloud } from "../../src/testing/LocalElasticCloud.ts"
import * as ExtensionUpload from "../../src/upload/ExtensionUpload.ts"
import type { UploadOptions } from "../../src/upload/UploadSettings.ts"
import { zipOf } from "../support/upload/archives.ts"
import { held, journaled, puts, recordEvents, seed, sha256, traffic, world } from "../support/upload/world.ts"

/** An extension with an archive, and an upload of another one to it. */
const prepared = (options: Partial<UploadOptions> = {}) =>
  Effect.gen(function* () {
    const cloud = yield* LocalElasticCloud
    const content = yield* zipOf(5000)
    const id = yield* seed({ file: yield* zipOf(3000) })
    const { events, onEvent } = recordEvents()
    const upload = ExtensionUpload.upload({
      extensionId: id,
      archive: Archive.bytes({ name: "a.zip", bytes: content }),
      onEvent,
      ...options
    })
    const outcomes = () => events.flatMap((event) => (event._tag === "Reconciled" ? [event.outcome] : []))
    const isOnServer = Effect.map(held(id), (now) => now.sha256 === sha256(content))
    const putLines = Effect.map(traffic, (lines) =>
      lines
        .filter((line) => line.startsWith("PUT"))
        .map((line) => line.replaceAll(String(content.length), "SIZE"))
    )
    return { cloud, content, id, events, upload, outcomes, isOnServer, putLines }
  })

/** The answers to GET from the n-th on, 1 for the baseline. */
const fromGet = (n: number, fault: Fault.Fault) =>
  Effect.gen(function* () {
    const cloud = yield* LocalElasticCloud
    if (n > 1) yield* cloud.plan({ method: "GET", path: /extensions\/\d+(\?|$)/, times: n - 1, fault: [] })
    yield* cloud.plan({ method: "GET", path: /extensions\/\d+(\?|$)/, times: 99, fault })
  })

describe("NotApplied", () => {
  it.live("when the baseline is unchanged for the whole window: sent again", () =>
    Effect.gen(function* () {
      const { cloud, content, isOnServer, outcomes, putLines, upload } = yield* prepared({
        reconcileWindow: "300 millis"
      })
      yield* cloud.plan({ method: "PUT", fault: Fault.cut("body") })
      const started = Date.now()
      expect(yield* upload).toMatchObject({ attempts: 2, bytesSent: 2 * content.length, proof: "hash" })
      expect(Date.now() - started).toBeGreaterThanOrEqual(300)
      expect(outcomes()).toEqual(["NotApplied"])
      expect(yield* putLines).toEqual(["PUT SIZE/SIZE whole unanswered", "PUT SIZE/SIZE whole 200"])
      expect(yield* isOnServer).toBe(true)
    }).pipe(Effect.provide(world()))
  )

  it.live("is not concluded while the server is still busy with it", () =>
    Effect.gen(function* () {
      const { cloud, content, id, outcomes, putLines, upload } = yield* prepared({
        reconcileWindow: "1500 millis"
      })
      // The line is cut, and the archive the server has read is applied a moment later.
      const later = cloud.seed({ id, name: "n", extension_type: "bundle", version: "*", file: content })
      yield* cloud.plan({
        method: "PUT",
        fault: [
          Fault.run("body", Effect.asVoid(Effect.forkDaemon(Effect.delay(later, 200)))),
          Fault.cut("body")
        ]
      })
      expect(yield* upload).toMatchObject({ attempts: 1, bytesSent: content.length, proof: "hash" })
      expect(outcomes()).toEqual(["Applied"])
      expect(yield* putLines).toEqual(["PUT SIZE/SIZE whole unanswered"])
    }).pipe(Effect.provide(world()))
  )
})

describe("Applied", () => {
  it.live("with proof `hash` when the bytes behind the link are ours", () =>
    Effect.gen(function* () {
      const { cloud, content, outcomes, putLines, upload } = yield* prepared()
      yield* cloud.plan({ method: "PUT", fault: Fault.cut("applied") })
      expect(yield* upload).toMatchObject({
        _tag: "Uploaded",
        proof: "hash",
        attempts: 1,
        bytesSent: content.length,
        resourceVersion: { before: "1", after: "2" }
      })
      expect(outcomes()).toEqual(["Applied"])
      expect(yield* putLines).toEqual(["PUT SIZE/SIZE whole unanswered"])
      expect(yield* journaled).toEqual([])
    }).pipe(Effect.provide(world()))
  )

  it.live("with proof `size` when there is no link", () =>
    Effect.gen(function* () {
      const { cloud, events, isOnServer, outcomes, putLines, upload } = yield* prepared()
      yield* cloud.plan({ method: "PUT", fault: Fault.cut("applied") })
      expect(yield* upload).toMatchObject({ _tag: "Uploaded", proof: "size", attempts: 1 })
      expect(events).toContainEqual({ _tag: "Verified", proof: "size" })
      expect(outcomes()).toEqual(["Applied"])
      expect(yield* putLines).toEqual(["PUT SIZE/SIZE whole unanswered"])
      expect(yield* isOnServer).toBe(true)
    }).pipe(Effect.provide(world({ cloud: { verificationLinks: false } })))
  )

  it.live("with proof `size` and a warning when the link is refused", () =>
    Effect.gen(function* () {
      const { cloud, events, putLines, upload } = yield* prepared()
      yield* cloud.plan({ method: "PUT", fault: Fault.cut("applied") })
      yield* cloud.plan({ path: "/files/", fault: Fault.answer({ status: 403 }) })
      expect(yield* upload).toMatchObject({ _tag: "Uploaded", proof: "size", attempts: 1 })
      expect(events).toContainEqual(expect.objectContaining({ _tag: "Warning", code: "WeakerProof" }))
      expect(yield* putLines).toEqual(["PUT SIZE/SIZE whole unanswered"])
    }).pipe(Effect.provide(world()))
  )

  it.live("even when the answer made no sense", () =>
    Effect.gen(function* () {
      const { cloud, content, id, outcomes, upload } = yield* prepared()
      const apply = cloud.seed({ id, name: "n", extension_type: "bundle", version: "*", file: content })
      yield* cloud.plan({
        method: "PUT",
        fault: [Fault.run("arrival", Effect.asVoid(apply)), Fault.answer({ status: 200, body: "<html>" })]
      })
      expect(yield* upload).toMatchObject({ _tag: "Uploaded", proof: "hash", attempts: 1 })
      expect(outcomes()).toEqual(["Applied"])
    }).pipe(Effect.provide(world()))
  )
})

describe("Unknown", () => {
  it.live("when the server cannot be asked: the journal is kept, nothing is sent again", () =>
    Effect.gen(function* () {
      const { cloud, id, outcomes, putLines, upload } = yield* prepared()
      yield* cloud.plan({ method: "PUT", fault: Fault.cut("body") })
      yield* fromGet(2, Fault.answer({ status: 503, body: "down" }))
      const error = yield* Effect.flip(upload)
      expect(error).toMatchObject({
        _tag: "OutcomeUnknown",
        extensionId: id,
        cause: expect.stringMatching(/^ConnectionFailed: /),
        detail: expect.stringContaining("the service could not be asked (ServiceUnavailable: "),
        isRetryable: false
      })
      expect(error.message).toContain("Run the same upload again: it asks the server first")
      expect(outcomes()).toEqual(["Unknown"])
      expect(yield* putLines).toEqual(["PUT SIZE/SIZE whole unanswered"])
      expect(yield* journaled).toEqual(["Sent"])
    }).pipe(Effect.provide(world({ retry: { maxRetries: 1 } })))
  )

  const tellsNothing = (id: string) =>
    Fault.answer({
      status: 200,
      body: JSON.stringify({ id, name: "n", version: "*", extension_type: "bundle", url: "repo://1" })
    })

  it.live("when the server tells nothing", () =>
    Effect.gen(function* () {
      const { cloud, id, outcomes, putLines, upload } = yield* prepared()
      yield* cloud.plan({ method: "PUT", fault: Fault.cut("applied") })
      yield* fromGet(1, tellsNothing(id))
      const error = yield* Effect.flip(upload)
      expect(error).toMatchObject({
        _tag: "OutcomeUnknown",
        detail: expect.stringContaining("the service does not tell what it holds")
      })
      expect(outcomes()).toEqual(["Unknown"])
      expect(yield* putLines).toEqual(["PUT SIZE/SIZE whole unanswered"])
      expect(yield* journaled).toEqual(["Sent"])
    }).pipe(Effect.provide(world()))
  )

  it.live.each([
    ["body", "Unknown", { _tag: "OutcomeUnknown", detail: "the service tells neither a version nor a date" }],
    ["applied", "Applied", { _tag: "Uploaded", proof: "hash" }]
  ] as const)("when it gives nothing but a link to another archive (cut at %s)", ([moment, outcome, end]) =>
    Effect.gen(function* () {
      const { cloud, outcomes, putLines, upload } = yield* prepared()
      yield* cloud.plan({ method: "PUT", fault: Fault.cut(moment) })
      yield* fromGet(
        1,
        Fault.alterAnswer(({ body }) => {
          const {
            file_metadata: { url: link },
            extension_type,
            id,
            name,
            url,
            version
          } = JSON.parse(Buffer.from(body).toString())
          const told = { id, name, version, extension_type, url, file_metadata: { url: link } }
          return { status: 200, body: JSON.stringify(told) }
        })
      )
      expect(yield* Effect.merge(upload)).toMatchObject(end)
      expect(outcomes()).toEqual([outcome])
      expect(yield* putLines).toEqual(["PUT SIZE/SIZE whole unanswered"])
    }).pipe(Effect.provide(world()))
  )

  it.live("before a re-send, too: what cannot be asked is not overwritten", () =>
    Effect.gen(function* () {
      const { cloud, putLines, upload } = yield* prepared()
      yield* cloud.plan({ method: "PUT", fault: Fault.answer({ status: 429 }) })
      yield* fromGet(2, Fault.answer({ status: 401 }))
      expect(yield* Effect.flip(upload)).toMatchObject({
        _tag: "OutcomeUnknown",
        cause: "the attempt before it failed",
        detail: expect.stringContaining("AuthenticationFailed")
      })
      expect(yield* putLines).toEqual(["PUT SIZE/SIZE whole 429"])
    }).pipe(Effect.provide(world()))
  )

  it.live.each([
    ["applied", "Applied"],
    ["body", "NotApplied"]
  ] as const)("is settled by the next run (cut at %s)", ([moment, truth]) =>
    Effect.gen(function* () {
      const { cloud, content, events, isOnServer, upload } = yield* prepared()
      yield* cloud.plan({ method: "PUT", fault: Fault.cut(moment) })
      yield* fromGet(2, Fault.answer({ status: 503 }))
      expect(yield* Effect.flip(upload)).toMatchObject({ _tag: "OutcomeUnknown" })

      yield* cloud.clearPlan
      yield* cloud.clearRequests
      events.length = 0
      const receipt = yield* upload
      const wasApplied = truth === "Applied"
      expect(receipt).toMatchObject({
        _tag: "Uploaded",
        proof: "hash",
        attempts: wasApplied ? 0 : 1,
        bytesSent: wasApplied ? 0 : content.length,
        resourceVersion: { before: "1", after: "2" }
      })
      expect(events).toContainEqual({ _tag: "UploadContinued", acknowledged: 0, total: content.length })
      expect((yield* puts).map(({ status }) => status)).toEqual(wasApplied ? [] : [200])
      expect(yield* isOnServer).toBe(true)
      expect(yield* journaled).toEqual([])
    }).pipe(Effect.provide(world({ retry: { maxRetries: 1 } })))
  )
})
