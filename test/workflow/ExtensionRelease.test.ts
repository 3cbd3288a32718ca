import * as FileSystem from "@effect/platform/FileSystem"
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { UploadJournal } from "../../src/journal/UploadJournal.ts"
import * as Fault from "../../src/testing/Fault.ts"
import { LocalElasticCloud } from "../../src/testing/LocalElasticCloud.ts"
import * as Announcement from "../../src/workflow/Announcement.ts"
import * as ExtensionRelease from "../../src/workflow/ExtensionRelease.ts"
import { AnnouncementFailed } from "../../src/workflow/ReleaseError.ts"
import * as ReleaseEvents from "../../src/workflow/ReleaseEvents.ts"
import * as ReleasePayload from "../../src/workflow/ReleasePayload.ts"
import * as ReleaseRetry from "../../src/workflow/ReleaseRetry.ts"
import * as ReleaseTarget from "../../src/workflow/ReleaseTarget.ts"
import * as TransferSlots from "../../src/workflow/TransferSlots.ts"
import { zipOf } from "../support/upload/archives.ts"
import { held, journaled, otherWriter, puts, seed, sha256, traffic } from "../support/upload/world.ts"
import { bundle, inMemory, newRelease, record } from "../support/workflow/releases.ts"

const everyStep = ["inspect 1", "digest 1", "ensure 1", "transfer 1", "verify 1", "announce 1"]

const extensionNamed = (name: string) =>
  Effect.map(
    Effect.flatMap(LocalElasticCloud, (cloud) => cloud.extensions),
    (extensions) => extensions.filter((extension) => extension.name === name)
  )

describe("a release", () => {
  it.scopedLive("creates the extension, puts the archive in place and tells once", () => {
    const seen = record()
    return Effect.gen(function* () {
      const { content, executionId, payload } = yield* newRelease()
      const receipt = yield* ExtensionRelease.execute(payload)
      expect(receipt).toMatchObject({
        executionId,
        releaseId: "words-1",
        attempt: 1,
        created: true,
        upload: { _tag: "Uploaded", archive: { sha256: sha256(content) } },
        proof: "hash",
        decision: null
      })
      expect(yield* held(receipt.extensionId)).toMatchObject({ sha256: sha256(content), uploads: 1 })
      expect(seen.steps()).toEqual(everyStep)
      expect(seen.released).toMatchObject([{ receipt }])
      expect(seen.requested).toEqual([])
    }).pipe(Effect.provide(inMemory(seen.layer)))
  })

  it.scopedLive("brings the extension's version and description up to date before the archive", () =>
    Effect.gen(function* () {
      const id = yield* seed({ name: "words", version: "8.*" })
      const extension = ReleaseTarget.named({ ...bundle, version: "9.*", description: "dictionaries" })
      const { payload } = yield* newRelease({ extension })
      const receipt = yield* ExtensionRelease.execute(payload)
      expect(receipt).toMatchObject({ extensionId: id, created: false })
      expect(yield* extensionNamed("words")).toMatchObject([{ version: "9.*", description: "dictionaries" }])
      expect((yield* traffic).indexOf("POST 200")).toBeLessThan(
        (yield* traffic).findIndex((line) => line.startsWith("PUT"))
      )
    }).pipe(Effect.provide(inMemory()))
  )

  it.scopedLive("goes by the journal of its runner, whatever surrounds whoever runs it", () =>
    Effect.gen(function* () {
      const { payload } = yield* newRelease()
      const journal = yield* UploadJournal
      const forbidden = { ...journal, open: () => Effect.dieMessage("another journal") }
      const receipt = yield* Effect.provideService(
        ExtensionRelease.execute(payload),
        UploadJournal,
        forbidden
      )
      expect(receipt).toMatchObject({ proof: "hash" })
    }).pipe(Effect.provide(inMemory()))
  )

  it.scopedLive("is given its result again without doing anything again", () => {
    const seen = record()
    return Effect.gen(function* () {
      const { payload } = yield* newRelease()
      const receipt = yield* ExtensionRelease.execute(payload)
      const requests = yield* traffic
      expect(yield* ExtensionRelease.execute(payload)).toEqual(receipt)
      expect(yield* traffic).toEqual(requests)
      expect(seen.released).toHaveLength(1)
    }).pipe(Effect.provide(inMemory(seen.layer)))
  })

  it.scopedLive("that is released under another name sends nothing again, and tells again", () => {
    const seen = record()
    return Effect.gen(function* () {
      const { path, payload } = yield* newRelease()
      yield* ExtensionRelease.execute(payload)
      const again = yield* newRelease({ releaseId: "words-1b", archive: { _tag: "Path", path } })
      expect(yield* ExtensionRelease.execute(again.payload)).toMatchObject({
        created: false,
        upload: { _tag: "AlreadyCurrent" }
      })
      expect(yield* puts).toHaveLength(1)
      expect(new Set(seen.released.map(({ idempotencyKey }) => idempotencyKey)).size).toBe(2)
    }).pipe(Effect.provide(inMemory(seen.layer)))
  })
})

describe("an archive that is not what was released", () => {
  it.scopedLive("changed since: refused, and released as what it is now by another payload", () =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const { path, payload } = yield* newRelease()
      const fixed = yield* zipOf(2000)
      yield* fs.writeFile(path, fixed)
      const error = yield* Effect.flip(ExtensionRelease.execute(payload))
      expect(error).toMatchObject({ _tag: "ArchiveChanged", path, reason: "Modified" })
      expect(error.message).toContain(payload.sha256)
      expect(yield* traffic).toEqual([])

      const { payload: next } = yield* newRelease({ archive: { _tag: "Path", path } })
      const { extensionId } = yield* ExtensionRelease.execute(next)
      expect(yield* held(extensionId)).toMatchObject({ sha256: sha256(fixed) })
    }).pipe(Effect.provide(inMemory()))
  )

  it.scopedLive("replaced between its digest and its transfer: stopped before a byte leaves", () => {
    let onTransfer = Effect.void
    const hooks = ReleaseEvents.layer((event) =>
      event._tag === "StepStarted" && event.step === "transfer" ? onTransfer : Effect.void
    )
    return Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const { path, payload } = yield* newRelease()
      onTransfer = Effect.orDie(fs.writeFile(path, yield* zipOf(2000)))
      const id = yield* seed({ name: "words" })
      const error = yield* Effect.flip(ExtensionRelease.execute(payload))
      expect(error).toMatchObject({ _tag: "ArchiveChanged", path })
      expect(yield* puts).toEqual([])
      expect((yield* held(id)).uploads).toBe(0)
      expect(yield* journaled).toEqual([])
    }).pipe(Effect.provide(inMemory(hooks)))
  })

  it.scopedLive("gone: a typed error that names it", () =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const { path, payload } = yield* newRelease()
      yield* fs.remove(path)
      const error = yield* Effect.flip(ExtensionRelease.execute(payload))
      expect(error).toMatchObject({ _tag: "ArchiveUnreadable", reason: "NotFound", path })
    }).pipe(Effect.provide(inMemory()))
  )
})

describe("a release that fails", () => {
  it.scopedLive("for good: keeps its error until its next attempt", () => {
    const seen = record()
    return Effect.gen(function* () {
      const { payload } = yield* newRelease({ extension: ReleaseTarget.id("404404") })
      const error = yield* Effect.flip(ExtensionRelease.execute(payload))
      expect(error).toMatchObject({ _tag: "ExtensionNotFound", extensionId: "404404" })
      yield* seed({ id: "404404", name: "words" })
      expect(yield* Effect.flip(ExtensionRelease.execute(payload))).toEqual(error)
      expect(seen.steps()).toEqual(["inspect 1", "digest 1", "ensure 1 ExtensionNotFound"])
      const receipt = yield* ExtensionRelease.execute(ReleasePayload.nextAttempt(payload))
      expect(receipt).toMatchObject({ attempt: 2, extensionId: "404404", upload: { _tag: "Uploaded" } })
    }).pipe(Effect.provide(inMemory(seen.layer)))
  })

  it.scopedLive("for a while: waits and tries the step again, and only that step", () => {
    const seen = record()
    return Effect.gen(function* () {
      const cloud = yield* LocalElasticCloud
      yield* cloud.plan({ method: "PUT", times: 2, fault: Fault.answer({ status: 503 }) })
      const { content, payload } = yield* newRelease()
      const { extensionId } = yield* ExtensionRelease.execute(payload)
      expect(yield* held(extensionId)).toMatchObject({ sha256: sha256(content), uploads: 1 })
      expect(seen.steps()).toEqual([
        "inspect 1",
        "digest 1",
        "ensure 1",
        "transfer 1 ServiceUnavailable",
        "transfer 2 ServiceUnavailable",
        "transfer 3",
        "verify 1",
        "announce 1"
      ])
    }).pipe(Effect.provide(inMemory(seen.layer)))
  })

  it.scopedLive(
    "for too long: gives up with the last error, and leaves what it sent to the next attempt",
    () =>
      Effect.gen(function* () {
        const cloud = yield* LocalElasticCloud
        yield* cloud.plan({ method: "PUT", times: 3, fault: Fault.cut({ afterBodyBytes: 100_000 }) })
        const { content, payload } = yield* newRelease({}, 300_000)
        const error = yield* Effect.flip(ExtensionRelease.execute(payload))
        expect(error).toMatchObject({ _tag: "ConnectionFailed" })
        expect(yield* journaled).toHaveLength(1)
        const { extensionId } = yield* ExtensionRelease.execute(ReleasePayload.nextAttempt(payload))
        expect(yield* held(extensionId)).toMatchObject({ sha256: sha256(content), uploads: 1 })
        expect(yield* extensionNamed("words")).toHaveLength(1)
      }).pipe(Effect.provide(inMemory()))
  )

  it.scopedLive("is not told of", () => {
    const seen = record()
    return Effect.gen(function* () {
      const cloud = yield* LocalElasticCloud
      const { payload } = yield* newRelease()
      yield* cloud.plan({ method: "PUT", fault: Fault.refuse(401, "extensions.unauthorised") })
      expect(yield* Effect.flip(ExtensionRelease.execute(payload))).toMatchObject({ _tag: "Unauthorised" })
      expect(seen.released).toEqual([])
    }).pipe(Effect.provide(inMemory(seen.layer)))
  })

  it.scopedLive("when somebody replaces the archive before it is verified", () => {
    let onVerify = Effect.void
    const hooks = ReleaseEvents.layer((event) =>
      event._tag === "StepStarted" && event.step === "verify" ? onVerify : Effect.void
    )
    return Effect.gen(function* () {
      const cloud = yield* LocalElasticCloud
      const id = yield* seed({ name: "words" })
      onVerify = otherWriter(id, yield* zipOf(10)).pipe(Effect.provideService(LocalElasticCloud, cloud))
      const { payload } = yield* newRelease()
      expect(yield* Effect.flip(ExtensionRelease.execute(payload))).toMatchObject({
        _tag: "UploadConflict",
        extensionId: id
      })
    }).pipe(Effect.provide(inMemory(hooks)))
  })
})

describe("the announcement", () => {
  const failing = (isRetryable: boolean, times: number) => {
    const keys: Array<string> = []
    const layer = Announcement.layer({
      released: ({ idempotencyKey }) =>
        Effect.suspend(() => {
          keys.push(idempotencyKey)
          return keys.length <= times
            ? new AnnouncementFailed({ detail: "the channel is closed", isRetryable })
            : Effect.void
        })
    })
    return { keys, layer }
  }

  it.scopedLive("is tried again, under the same key", () => {
    const { keys, layer } = failing(true, 2)
    return Effect.gen(function* () {
      const { payload } = yield* newRelease()
      yield* ExtensionRelease.execute(payload)
      expect(keys).toHaveLength(3)
      expect(new Set(keys).size).toBe(1)
      expect(yield* puts).toHaveLength(1)
    }).pipe(Effect.provide(inMemory(layer)))
  })

  it.scopedLive("that fails for good fails the release, whose archive is in place", () => {
    const { layer } = failing(false, 1)
    return Effect.gen(function* () {
      const { content, payload } = yield* newRelease()
      const error = yield* Effect.flip(ExtensionRelease.execute(payload))
      expect(error).toMatchObject({ _tag: "AnnouncementFailed", detail: "the channel is closed" })
      expect(yield* extensionNamed("words")).toMatchObject([{ file: { sha256: sha256(content) } }])
      const receipt = yield* ExtensionRelease.execute(ReleasePayload.nextAttempt(payload))
      expect(receipt).toMatchObject({ upload: { _tag: "AlreadyCurrent" } })
    }).pipe(Effect.provide(inMemory(layer)))
  })
})

describe("several releases at once", () => {
  it.scopedLive("of one new extension create it once, and end with one of their archives", () =>
    Effect.gen(function* () {
      const releases = yield* Effect.all([newRelease({ releaseId: "a" }), newRelease({ releaseId: "b" })])
      const receipts = yield* Effect.forEach(releases, ({ payload }) => ExtensionRelease.execute(payload), {
        concurrency: "unbounded"
      })
      expect(receipts.filter(({ created }) => created)).toHaveLength(1)
      expect(yield* extensionNamed("words")).toMatchObject([{ uploads: 2 }])
    }).pipe(Effect.provide(inMemory(ReleaseRetry.layer({ firstDelay: "200 millis" }))))
  )

  /** The most uploads that were in transfer at one time. */
  const busiest = (slots: number) => {
    let now = 0
    let most = 0
    // As the server sees it: a slot is let go when the answer is there, before the archive is verified.
    const begins = Effect.sync(() => {
      now += 1
      most = Math.max(most, now)
    })
    const ends = Effect.sync(() => {
      now -= 1
    })
    return Effect.gen(function* () {
      const cloud = yield* LocalElasticCloud
      yield* cloud.plan({
        method: "PUT",
        times: 5,
        fault: [Fault.run("arrival", begins), Fault.delay(50, "body"), Fault.run("applied", ends)]
      })
      yield* Effect.forEach(
        ["a", "b", "c", "d", "e"],
        (name) =>
          Effect.flatMap(newRelease({ extension: ReleaseTarget.named({ ...bundle, name }) }), ({ payload }) =>
            ExtensionRelease.execute(payload)
          ),
        { concurrency: "unbounded" }
      )
      return most
    }).pipe(Effect.provide(inMemory(TransferSlots.layer(slots))))
  }

  it.scopedLive("send as many archives at a time as there are slots", () =>
    Effect.gen(function* () {
      expect(yield* busiest(1)).toBe(1)
      expect(yield* busiest(5)).toBeGreaterThan(1)
    })
  )
})
