import { describe, expect, it } from "@effect/vitest"
import { Chunk, Effect, Exit, Fiber, Option, Schema, Stream } from "effect"
import * as Archive from "../../src/archive/Archive.ts"
import * as ArchiveInspection from "../../src/archive/ArchiveInspection.ts"
import * as Fault from "../../src/testing/Fault.ts"
import { LocalElasticCloud } from "../../src/testing/LocalElasticCloud.ts"
import * as ExtensionUpload from "../../src/upload/ExtensionUpload.ts"
import { UploadEvent } from "../../src/upload/UploadEvent.ts"
import { zipOf } from "../support/upload/archives.ts"
import { held, journaled, recordEvents, seed, sha256, traffic, world } from "../support/upload/world.ts"

const isGrowing = (numbers: ReadonlyArray<number>) =>
  numbers.every((number, index) => index === 0 || number >= (numbers[index - 1] ?? 0))

const last = <A>(items: ReadonlyArray<A>) => items[items.length - 1]

describe("the events of an upload", () => {
  it.live("tell its story in order, and end with the receipt", () =>
    Effect.gen(function* () {
      const content = yield* zipOf(5_000_000)
      const { events, milestones, onEvent } = recordEvents()
      const receipt = yield* ExtensionUpload.upload({
        extensionId: yield* seed(),
        archive: Archive.bytes({ name: "a.zip", bytes: content }),
        onEvent
      })
      expect(milestones()).toEqual([
        "ArchiveInspected",
        "DigestStarted",
        "DigestComputed",
        "AttemptStarted",
        "SendingStarted",
        "VerificationStarted",
        "Verified",
        "Completed"
      ])
      expect(last(events)).toEqual({ _tag: "Completed", receipt })
      expect(events).toContainEqual({
        _tag: "DigestComputed",
        sha256: sha256(content),
        size: content.length
      })
      expect(events).toContainEqual({ _tag: "AttemptStarted", attempt: 1, total: content.length })
      expect(events).toContainEqual({ _tag: "SendingStarted", offset: 0, total: content.length })
      expect(events).toContainEqual({ _tag: "Verified", proof: "hash" })
    }).pipe(Effect.provide(world()))
  )

  it.live("count bytes upwards, to the end", () =>
    Effect.gen(function* () {
      const content = yield* zipOf(5_000_000)
      const { events, onEvent } = recordEvents()
      yield* ExtensionUpload.upload({
        extensionId: yield* seed(),
        archive: Archive.bytes({ name: "a.zip", bytes: content }),
        onEvent
      })
      const written = events.flatMap((event) => (event._tag === "BytesWritten" ? [event.offset] : []))
      const digested = events.flatMap((event) => (event._tag === "DigestProgress" ? [event.bytes] : []))
      const verified = events.flatMap((event) => (event._tag === "VerificationProgress" ? [event.bytes] : []))
      for (const numbers of [written, digested, verified]) {
        expect(isGrowing(numbers)).toBe(true)
        expect(last(numbers)).toBe(content.length)
      }
      const totals = events.flatMap((event) => ("total" in event ? [event.total] : []))
      expect(new Set(totals)).toEqual(new Set([content.length]))
    }).pipe(Effect.provide(world()))
  )

  it.live("start again at the beginning after a retry, whose reason they tell", () =>
    Effect.gen(function* () {
      const cloud = yield* LocalElasticCloud
      yield* cloud.plan({ method: "PUT", fault: Fault.cut({ afterBodyBytes: 1_000_000 }, "reset") })
      const content = yield* zipOf(16_000_000)
      const { events, milestones, onEvent } = recordEvents()
      const archive = Archive.bytes({ name: "a.zip", bytes: content })
      yield* ExtensionUpload.upload({ extensionId: yield* seed(), archive, onEvent })
      expect(milestones()).toEqual([
        "ArchiveInspected",
        "DigestStarted",
        "DigestComputed",
        "AttemptStarted",
        "SendingStarted",
        "RetryScheduled",
        "AttemptStarted",
        "SendingStarted",
        "VerificationStarted",
        "Verified",
        "Completed"
      ])
      expect(events).toContainEqual({
        _tag: "RetryScheduled",
        attempt: 1,
        retry: 1,
        delayMillis: expect.any(Number),
        reason: "ConnectionFailed",
        message: expect.stringMatching(/failed while sending, at byte \d+ of \d+/)
      })
    }).pipe(Effect.provide(world()))
  )

  it.live("offer resumption once, though the server tells its limits again", () =>
    Effect.gen(function* () {
      const cloud = yield* LocalElasticCloud
      yield* cloud.plan({ method: "PUT", fault: Fault.cut({ afterBodyBytes: 1_000_000 }, "reset") })
      const content = yield* zipOf(3_000_000)
      const { events, onEvent } = recordEvents()
      const archive = Archive.bytes({ name: "a.zip", bytes: content })
      yield* ExtensionUpload.upload({ extensionId: yield* seed(), archive, onEvent })
      const offers = events.filter(({ _tag }) => _tag === "ResumptionOffered")
      expect(offers).toHaveLength(1)
      expect(events.filter(({ _tag }) => _tag === "AttemptStarted")).toHaveLength(2)
    }).pipe(Effect.provide(world({ cloud: { resumable: { limits: { maxAgeSeconds: 3600 } } } })))
  )

  it.live("tell of no reconciliation where an upload resource knows what has become of the upload", () =>
    Effect.gen(function* () {
      const cloud = yield* LocalElasticCloud
      yield* cloud.plan({ method: "PUT", fault: Fault.cut("body") })
      const content = yield* zipOf(3_000_000)
      const { onEvent, milestones } = recordEvents()
      const archive = Archive.bytes({ name: "a.zip", bytes: content })
      const receipt = yield* ExtensionUpload.upload({ extensionId: yield* seed(), archive, onEvent })
      expect(receipt).toMatchObject({ _tag: "Uploaded", attempts: 2 })
      expect(milestones()).toContain("ResumptionOffered")
      expect(milestones()).not.toContain("ReconciliationStarted")
    }).pipe(Effect.provide(world({ cloud: { resumable: {} } })))
  )

  it.live("can all be encoded as JSON and read again", () =>
    Effect.gen(function* () {
      const cloud = yield* LocalElasticCloud
      yield* cloud.plan({ method: "PUT", fault: Fault.cut("body") })
      const { events, onEvent } = recordEvents()
      const archive = Archive.bytes({ name: "a.zip", bytes: yield* zipOf(1000) })
      yield* ExtensionUpload.upload({
        extensionId: yield* seed(),
        archive,
        onEvent,
        directUploadLimitBytes: 1
      })
      const Json = Schema.parseJson(UploadEvent)
      const read = yield* Effect.forEach(events, (event) =>
        Effect.flatMap(Schema.encode(Json)(event), Schema.decode(Json))
      )
      expect(read).toEqual(events)
      expect(new Set(events.map(({ _tag }) => _tag))).toEqual(
        new Set([
          "ArchiveInspected",
          "Warning",
          "DigestStarted",
          "DigestProgress",
          "DigestComputed",
          "AttemptStarted",
          "SendingStarted",
          "BytesWritten",
          "ReconciliationStarted",
          "Reconciled",
          "RetryScheduled",
          "VerificationStarted",
          "VerificationProgress",
          "Verified",
          "Completed"
        ])
      )
    }).pipe(Effect.provide(world()))
  )

  it.live("are waited for: a slow consumer holds the upload", () =>
    Effect.gen(function* () {
      const archive = Archive.bytes({ name: "a.zip", bytes: yield* zipOf(1000) })
      const held = yield* Effect.makeLatch(false)
      const reached = yield* Effect.makeLatch(false)
      const upload = yield* Effect.fork(
        ExtensionUpload.upload({
          extensionId: yield* seed(),
          archive,
          onEvent: ({ _tag }) =>
            _tag === "AttemptStarted" ? Effect.zipRight(reached.open, held.await) : Effect.void
        })
      )
      yield* reached.await
      expect(yield* traffic).toEqual(["GET 200"])
      yield* held.open
      expect(yield* Fiber.join(upload)).toMatchObject({ _tag: "Uploaded" })
    }).pipe(Effect.provide(world()))
  )
})

describe("ExtensionUpload.events", () => {
  it.live("is the same upload as a stream, whose last event is the receipt", () =>
    Effect.gen(function* () {
      const content = yield* zipOf(100_000)
      const id = yield* seed()
      const archive = Archive.bytes({ name: "a.zip", bytes: content })
      const events = Chunk.toReadonlyArray(
        yield* Stream.runCollect(ExtensionUpload.events({ extensionId: id, archive }))
      )
      expect(last(events)).toMatchObject({ _tag: "Completed", receipt: { _tag: "Uploaded", proof: "hash" } })
      expect(events.filter(({ _tag }) => _tag === "Completed")).toHaveLength(1)
      expect(yield* held(id)).toMatchObject({ sha256: sha256(content), uploads: 1 })
    }).pipe(Effect.provide(world()))
  )

  it.live("waits for whoever reads it: a few events are made ahead, and no more", () =>
    Effect.gen(function* () {
      const bytes = yield* zipOf(100_000)
      let pieces = 0
      const archive: Archive.Archive = {
        ...Archive.bytes({ name: "a.zip", bytes }),
        read: ({ offset }) =>
          Stream.range(Math.floor(offset / 1000), Math.ceil(bytes.length / 1000) - 1).pipe(
            Stream.rechunk(1),
            Stream.map((piece) => {
              pieces += 1
              return bytes.subarray(Math.max(offset, piece * 1000), (piece + 1) * 1000)
            })
          )
      }
      const inspection = yield* ArchiveInspection.inspect(archive, { content: false })
      expect(inspection.problems).toEqual([])
      const piecesToInspect = pieces
      pieces = 0
      const events = ExtensionUpload.events({ extensionId: yield* seed(), archive })
      const reader = yield* Effect.fork(
        Stream.runForEach(events, ({ _tag }) => (_tag === "DigestProgress" ? Effect.never : Effect.void))
      )
      yield* Effect.sleep("5 millis").pipe(Effect.repeat({ until: () => pieces > piecesToInspect + 16 }))
      yield* Effect.yieldNow().pipe(Effect.repeatN(1000))
      expect(pieces).toBeLessThan(piecesToInspect + 50)
      expect(yield* traffic).toEqual([])
      yield* Fiber.interrupt(reader)
    }).pipe(Effect.provide(world()))
  )

  it.live("fails as the upload does, after the events until then", () =>
    Effect.gen(function* () {
      const archive = Archive.bytes({ name: "a.zip", bytes: yield* zipOf(1000) })
      const seen: Array<string> = []
      const exit = yield* ExtensionUpload.events({ extensionId: "unknown", archive }).pipe(
        Stream.runForEach(({ _tag }) => Effect.sync(() => void seen.push(_tag))),
        Effect.exit
      )
      expect(Option.getOrThrow(Exit.causeOption(exit))).toMatchObject({
        _tag: "Fail",
        error: { _tag: "ExtensionNotFound" }
      })
      expect(seen).toContain("DigestComputed")
      expect(yield* traffic).toEqual(["GET 404"])
    }).pipe(Effect.provide(world()))
  )

  it.live("pauses the upload when nobody listens any more", () =>
    Effect.gen(function* () {
      const cloud = yield* LocalElasticCloud
      yield* cloud.plan({ method: "PUT", fault: Fault.readSlowly(200_000) })
      const archive = Archive.bytes({ name: "a.zip", bytes: yield* zipOf(5_000_000) })
      const id = yield* seed()
      yield* ExtensionUpload.events({ extensionId: id, archive }).pipe(
        Stream.takeUntil(({ _tag }) => _tag === "BytesWritten"),
        Stream.runDrain
      )
      expect(yield* journaled).toEqual(["Sending"])
      expect(yield* held(id)).toMatchObject({ uploads: 0, sha256: undefined })
      expect(yield* traffic).toEqual(["GET 200", expect.stringMatching(/^PUT \d+\/\d+ cut unanswered$/)])
    }).pipe(Effect.provide(world()))
  )
})
