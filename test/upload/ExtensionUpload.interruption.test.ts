import { describe, expect, it } from "@effect/vitest"
import { Deferred, Effect, Fiber } from "effect"
import * as Archive from "../../src/archive/Archive.ts"
import { UploadJournal } from "../../src/journal/UploadJournal.ts"
import * as Fault from "../../src/testing/Fault.ts"
import { LocalElasticCloud } from "../../src/testing/LocalElasticCloud.ts"
import * as ExtensionUpload from "../../src/upload/ExtensionUpload.ts"
import { zipOf } from "../support/upload/archives.ts"
import {
  broughtOnly,
  held,
  journaled,
  puts,
  recordEvents,
  seed,
  sha256,
  traffic,
  world
} from "../support/upload/world.ts"

/** An upload that is interrupted once the fault's moment has come. */
const interrupted = (request: ExtensionUpload.UploadRequest, fault: Fault.Fault, moment: Fault.Moment) =>
  Effect.gen(function* () {
    const cloud = yield* LocalElasticCloud
    const reached = yield* Deferred.make<void>()
    const signal = Fault.run(moment, Effect.asVoid(Deferred.succeed(reached, undefined)))
    yield* cloud.plan({ method: "PUT", fault: [signal, fault] })
    const fiber = yield* Effect.fork(ExtensionUpload.upload(request))
    yield* Deferred.await(reached)
    yield* Fiber.interrupt(fiber)
    yield* cloud.clearPlan
  })

const records = Effect.flatMap(UploadJournal, (journal) => Effect.map(journal.list, ({ records }) => records))

const request = (bytes: number) =>
  Effect.gen(function* () {
    const content = yield* zipOf(bytes)
    const extensionId = yield* seed()
    return { content, extensionId, archive: Archive.bytes({ name: "a.zip", bytes: content }) }
  })

describe("interrupting an upload", () => {
  it.live("pauses it: the record stays, and running it again ends well", () =>
    Effect.gen(function* () {
      const { content, ...upload } = yield* request(10_000_000)
      const middle = { afterBodyBytes: 500_000 }
      yield* interrupted(upload, Fault.hang(middle), middle)
      expect(yield* journaled).toEqual(["Sending"])
      expect((yield* puts).map(({ bodyBytes, complete }) => ({ bodyBytes, complete }))).toEqual([
        { bodyBytes: 500_000, complete: false }
      ])
      expect(yield* held(upload.extensionId)).toMatchObject({ uploads: 0 })

      const { events, onEvent } = recordEvents()
      const receipt = yield* ExtensionUpload.upload({ ...upload, onEvent })
      expect(receipt).toMatchObject({
        _tag: "Uploaded",
        proof: "hash",
        attempts: 1,
        bytesSent: content.length,
        resourceVersion: { before: "1", after: "2" }
      })
      expect(events).toContainEqual({ _tag: "UploadContinued", acknowledged: 0, total: content.length })
      expect(yield* broughtOnly(content)).toBe(true)
      expect(yield* held(upload.extensionId)).toMatchObject({ sha256: sha256(content), uploads: 1 })
      expect(yield* journaled).toEqual([])
    }).pipe(Effect.provide(world()))
  )

  it.live("closes the connection at once", () =>
    Effect.gen(function* () {
      const { content, ...upload } = yield* request(10_000_000)
      const middle = { afterBodyBytes: 1 }
      yield* interrupted(upload, Fault.readSlowly(20_000_000), middle)
      yield* (yield* LocalElasticCloud).settled
      expect((yield* puts)[0]?.bodyBytes).toBeLessThan(content.length)
      expect((yield* puts)[0]?.complete).toBe(false)
    }).pipe(Effect.provide(world()))
  )

  it.live("after it took effect costs no second PUT", () =>
    Effect.gen(function* () {
      const { content, ...upload } = yield* request(5000)
      yield* interrupted(upload, Fault.hang("applied"), "applied")
      expect(yield* journaled).toEqual(["Sending"])
      expect(yield* ExtensionUpload.upload(upload)).toMatchObject({
        _tag: "Uploaded",
        proof: "hash",
        attempts: 0,
        bytesSent: 0,
        resourceVersion: { before: "1", after: "2" }
      })
      expect(yield* puts).toHaveLength(1)
      expect(yield* held(upload.extensionId)).toMatchObject({ sha256: sha256(content), uploads: 1 })
      expect(yield* journaled).toEqual([])
    }).pipe(Effect.provide(world()))
  )

  it.live("while the server is still busy with it costs no second PUT either", () =>
    Effect.gen(function* () {
      const cloud = yield* LocalElasticCloud
      const { content, ...upload } = yield* request(5000)
      yield* interrupted(upload, Fault.hang("body"), "body")
      const applied = cloud.seed({
        id: upload.extensionId,
        name: "dictionary",
        extension_type: "bundle",
        version: "*",
        file: content
      })
      yield* Effect.fork(Effect.delay(applied, 300))
      expect(yield* ExtensionUpload.upload(upload)).toMatchObject({
        _tag: "Uploaded",
        proof: "hash",
        attempts: 0,
        bytesSent: 0
      })
      expect(yield* puts).toHaveLength(1)
    }).pipe(Effect.provide(world({ settings: { reconcileWindow: "10 seconds" } })))
  )

  it.live("while it waits to try again keeps what was tried on record", () =>
    Effect.gen(function* () {
      const { content, ...upload } = yield* request(5000)
      const cloud = yield* LocalElasticCloud
      yield* cloud.plan({
        method: "PUT",
        times: 2,
        fault: Fault.answer({ status: 503, headers: { "retry-after": "60" } })
      })
      const waiting = yield* Effect.makeLatch(false)
      const fiber = yield* Effect.fork(
        ExtensionUpload.upload({
          ...upload,
          onEvent: ({ _tag }) => (_tag === "RetryScheduled" ? waiting.open : Effect.void)
        })
      )
      yield* waiting.await
      yield* Fiber.interrupt(fiber)
      expect(yield* records).toMatchObject([
        { phase: "Sent", attempts: 1, bytesSent: content.length, archive: { sha256: sha256(content) } }
      ])
      yield* cloud.clearPlan
      expect(yield* ExtensionUpload.upload(upload)).toMatchObject({ _tag: "Uploaded", attempts: 1 })
      expect(yield* journaled).toEqual([])
    }).pipe(Effect.provide(world()))
  )

  it.live("before anything was sent leaves the server as it was", () =>
    Effect.gen(function* () {
      const upload = yield* request(5000)
      const digested = yield* Effect.makeLatch(false)
      const fiber = yield* Effect.fork(
        ExtensionUpload.upload({
          ...upload,
          onEvent: ({ _tag }) =>
            _tag === "DigestComputed" ? Effect.zipRight(digested.open, Effect.never) : Effect.void
        })
      )
      yield* digested.await
      yield* Fiber.interrupt(fiber)
      expect(yield* traffic).toEqual([])
      expect(yield* journaled).toEqual([])
    }).pipe(Effect.provide(world()))
  )

  it.live.each([
    ["", 4000],
    [" of the same size", 5000]
  ] as const)("gives way to another archive%s: the old record is of no use to it", ([, bytes]) =>
    Effect.gen(function* () {
      const first = yield* request(5000)
      yield* interrupted(first, Fault.hang("body"), "body")
      const content = yield* zipOf(bytes)
      expect(content.length === first.content.length).toBe(bytes === 5000)
      const { events, onEvent } = recordEvents()
      const receipt = yield* ExtensionUpload.upload({
        extensionId: first.extensionId,
        archive: Archive.bytes({ name: "b.zip", bytes: content }),
        onEvent
      })
      expect(events).toContainEqual({ _tag: "StaleUploadDiscarded", name: "a.zip" })
      expect(receipt).toMatchObject({ attempts: 1, archive: { name: "b.zip" } })
      expect(yield* held(first.extensionId)).toMatchObject({ sha256: sha256(content), uploads: 1 })
      expect(yield* journaled).toEqual([])
    }).pipe(Effect.provide(world()))
  )
})

describe("two uploads at once", () => {
  it.live("to one extension are one too many", () =>
    Effect.gen(function* () {
      const { content, ...upload } = yield* request(5000)
      const results = yield* Effect.all(
        [Effect.either(ExtensionUpload.upload(upload)), Effect.either(ExtensionUpload.upload(upload))],
        { concurrency: "unbounded" }
      )
      const errors = results.flatMap((result) => (result._tag === "Left" ? [result.left] : []))
      expect(errors).toMatchObject([{ _tag: "JournalLocked", extensionId: upload.extensionId }])
      expect(errors[0]?.message).toContain("Wait for it to finish or stop it")
      expect((yield* puts).map(({ complete }) => complete)).toEqual([true])
      expect(yield* held(upload.extensionId)).toMatchObject({ sha256: sha256(content), uploads: 1 })
      expect(yield* journaled).toEqual([])
    }).pipe(Effect.provide(world()))
  )

  it.live("to two extensions are both fine, and neither waits for the other", () =>
    Effect.gen(function* () {
      const [one, two] = [yield* request(5000), yield* request(5000)]
      const receipts = yield* Effect.all([ExtensionUpload.upload(one), ExtensionUpload.upload(two)], {
        concurrency: "unbounded"
      })
      expect(receipts).toMatchObject([{ _tag: "Uploaded" }, { _tag: "Uploaded" }])
      expect((yield* held(one.extensionId)).sha256).toBe(sha256(one.content))
      expect((yield* held(two.extensionId)).sha256).toBe(sha256(two.content))
    }).pipe(Effect.provide(world()))
  )
})

describe("ExtensionUpload.cancel", () => {
  it.live("removes the record, once", () =>
    Effect.gen(function* () {
      const upload = yield* request(5000)
      const cloud = yield* LocalElasticCloud
      yield* interrupted(upload, Fault.hang("body"), "body")
      yield* cloud.clearRequests
      expect(yield* ExtensionUpload.cancel(upload.extensionId)).toBe(true)
      expect(yield* journaled).toEqual([])
      expect(yield* ExtensionUpload.cancel(upload.extensionId)).toBe(false)
      // Nothing is kept on a server without resumption, so there is nothing to tell it.
      expect(yield* traffic).toEqual([])

      const { milestones, onEvent } = recordEvents()
      yield* ExtensionUpload.upload({ ...upload, onEvent })
      expect(milestones()).not.toContain("UploadContinued")
    }).pipe(Effect.provide(world()))
  )

  it.live("does not pull the rug from under a running upload", () =>
    Effect.gen(function* () {
      const upload = yield* request(5000)
      const sending = yield* Effect.makeLatch(false)
      const go = yield* Effect.makeLatch(false)
      const fiber = yield* Effect.fork(
        ExtensionUpload.upload({
          ...upload,
          onEvent: ({ _tag }) =>
            _tag === "AttemptStarted" ? Effect.zipRight(sending.open, go.await) : Effect.void
        })
      )
      yield* sending.await
      expect(yield* Effect.flip(ExtensionUpload.cancel(upload.extensionId))).toMatchObject({
        _tag: "JournalLocked"
      })
      yield* go.open
      expect(yield* Fiber.join(fiber)).toMatchObject({ _tag: "Uploaded" })
    }).pipe(Effect.provide(world()))
  )

  it.live("of an id that is none is refused", () =>
    Effect.gen(function* () {
      expect(yield* Effect.flip(ExtensionUpload.cancel("a/b"))).toMatchObject({ _tag: "InvalidExtensionId" })
    }).pipe(Effect.provide(world()))
  )
})
