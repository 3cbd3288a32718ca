/** An archive goes by way of an object store, and nothing of it is left there. Judged by what store and service received. */
import { describe, expect, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Option, Runtime, Schema } from "effect"
import * as Archive from "../../src/archive/Archive.ts"
import * as UploadJournal from "../../src/journal/UploadJournal.ts"
import * as ArchiveDelivery from "../../src/publish/ArchiveDelivery.ts"
import * as ExtensionPublish from "../../src/publish/ExtensionPublish.ts"
import { PublishEvent } from "../../src/publish/PublishEvent.ts"
import * as Fault from "../../src/testing/Fault.ts"
import { LocalElasticCloud } from "../../src/testing/LocalElasticCloud.ts"
import { UploadReceipt } from "../../src/upload/UploadReceipt.ts"
import { isUpdate, only, recordPublishing } from "../support/publish/publishing.ts"
import { bundleOf, machineFor, storeFor } from "../support/publish/staging.ts"
import { type ObjectStoreServer, objectStore, rootKey } from "../support/staging/objectStore.ts"
import { fileWith } from "../support/upload/archives.ts"
import {
  held,
  journaled,
  otherWriter,
  puts,
  seed,
  sha256,
  traffic,
  type WorldOptions,
  world
} from "../support/upload/world.ts"

/** A store, and a world in which every archive of these tests is over the limit. */
const withStore = <A, E, R>(
  use: (store: ObjectStoreServer) => Effect.Effect<A, E, R>,
  options: WorldOptions = {}
) =>
  Effect.gen(function* () {
    const store = yield* objectStore()
    return yield* use(store).pipe(
      Effect.provide(
        Layer.merge(
          world({ ...options, settings: { directUploadLimitBytes: 1000, ...options.settings } }),
          storeFor(store)
        )
      )
    )
  })

const dictionary = { name: "dictionary", extension_type: "bundle", version: "*" } as const

/** The links that the service notes. */
const links = Effect.gen(function* () {
  const cloud = yield* LocalElasticCloud
  yield* cloud.settled
  return (yield* cloud.extensions).map(({ downloadUrl }) => downloadUrl)
})

describe("which way an archive goes", () => {
  it.scopedLive("over the limit: by the store, and neither link nor archive is left", () =>
    withStore((store) =>
      Effect.gen(function* () {
        const { archive, bytes, key } = yield* bundleOf(3)
        const extensionId = yield* seed()
        const { events, onEvent } = recordPublishing()
        const receipt = yield* ArchiveDelivery.deliver({ extensionId, archive, onEvent })
        expect(receipt).toMatchObject({
          _tag: "Uploaded",
          proof: "hash",
          attempts: 1,
          bytesSent: bytes.length,
          bytesResumed: 0,
          staged: { location: `s3://builds/${key}`, isKept: false, answered: true, polls: 1 }
        })
        expect(yield* held(extensionId)).toMatchObject({ sha256: sha256(bytes), uploads: 0 })
        expect(receipt.resourceVersion.after).toBe(String((yield* held(extensionId)).resourceVersion))
        expect(yield* links).toEqual([undefined])
        expect([...store.takenParts].sort()).toEqual([1, 2, 3])
        expect([store.objects.size, store.uploads.size]).toEqual([0, 0])
        expect(yield* puts).toEqual([])
        expect(yield* journaled).toEqual([])

        // One look from here, one fetch by the service, both by a link that lives for an hour.
        const fetched = store
          .of("GetObject")
          .filter(({ method, target }) => method === "GET" && target.includes("X-Amz-Signature"))
        expect(fetched.map(({ headers }) => headers.range)).toEqual(["bytes=0-1023", undefined])
        expect(fetched.every(({ target }) => target.includes("X-Amz-Expires=3600"))).toBe(true)

        const text = yield* Schema.encode(Schema.parseJson(Schema.Array(PublishEvent)))(events)
        const told = yield* Schema.encode(Schema.parseJson(UploadReceipt))(receipt)
        expect(text + told).not.toMatch(/X-Amz|Signature/)
        expect(text + told).not.toContain(rootKey.secret)
      })
    )
  )

  it.scopedLive("up to the limit, or where staging is not wanted: to the service itself", () =>
    withStore((store) =>
      Effect.gen(function* () {
        const { archive, bytes } = yield* bundleOf(1)
        const extensionId = yield* seed()
        const direct = yield* ArchiveDelivery.deliver({
          extensionId,
          archive,
          directUploadLimitBytes: bytes.length
        })
        expect(direct.staged).toBeUndefined()
        const other = yield* seed()
        yield* ArchiveDelivery.deliver({ extensionId: other, archive, staging: "never" })
        expect(store.received).toEqual([])
        expect(yield* puts).toHaveLength(2)
      })
    )
  )

  it.scopedLive("where it was asked for: by the store at any size", () =>
    withStore((store) =>
      Effect.gen(function* () {
        const { archive, bytes } = yield* bundleOf(1)
        const extensionId = yield* seed()
        const request = { extensionId, archive, staging: "always", directUploadLimitBytes: 1e9 } as const
        expect(yield* ArchiveDelivery.plan(request)).toMatchObject({
          _tag: "Stage",
          location: "s3://builds/elastic",
          stage: { _tag: "Stage", standing: { _tag: "Absent" } }
        })
        expect(store.of("UploadPart")).toEqual([])
        yield* ArchiveDelivery.deliver(request)
        expect(yield* held(extensionId)).toMatchObject({ sha256: sha256(bytes), uploads: 0 })
      })
    )
  )

  it.scopedLive("asked for without a store: refused before anything is sent", () =>
    Effect.gen(function* () {
      const cloud = yield* LocalElasticCloud
      const { archive } = yield* bundleOf(1)
      const extensionId = yield* seed()
      const error = yield* Effect.flip(ArchiveDelivery.deliver({ extensionId, archive, staging: "always" }))
      expect(error).toMatchObject({ _tag: "StagingNotConfigured" })
      expect(error.message).toContain("EC_UPLOAD_STAGE=s3://bucket/prefix")
      expect(yield* cloud.requests).toEqual([])
    }).pipe(Effect.provide(world()))
  )

  it.scopedLive("published under a name: the receipt says which way", () =>
    withStore((store) =>
      Effect.gen(function* () {
        const { archive, bytes } = yield* bundleOf(2)
        const request = { name: "dictionary", type: "bundle", version: "8.*", archive } as const
        expect((yield* ExtensionPublish.plan(request)).delivery).toMatchObject({ _tag: "Stage" })
        expect(yield* ExtensionPublish.publish(request)).toMatchObject({
          _tag: "Published",
          created: true,
          way: "stage",
          proof: "hash",
          upload: { bytesSent: bytes.length, staged: { isKept: false } }
        })
        expect(yield* only).toMatchObject({
          downloadUrl: undefined,
          file: { sha256: sha256(bytes) },
          uploads: 0
        })
        const seen = store.received.length
        expect(yield* ExtensionPublish.publish(request)).toMatchObject({
          _tag: "AlreadyPublished",
          way: "stage"
        })
        expect(store.received).toHaveLength(seen)
      })
    )
  )
})

describe("what is there already", () => {
  it.scopedLive("in the extension: costs no byte, and the store is not asked", () =>
    withStore((store) =>
      Effect.gen(function* () {
        const { archive, bytes } = yield* bundleOf(2)
        const extensionId = yield* seed({ file: bytes })
        expect(yield* ArchiveDelivery.deliver({ extensionId, archive })).toMatchObject({
          _tag: "AlreadyCurrent",
          proof: "hash",
          bytesSent: 0
        })
        expect(store.received).toEqual([])
      })
    )
  )

  it.scopedLive("in the store: costs no part, and stays where that is wished", () =>
    withStore((store) =>
      Effect.gen(function* () {
        const { archive, bytes, key } = yield* bundleOf(2)
        const [one, two] = [yield* seed(), yield* seed()]
        const kept = yield* ArchiveDelivery.deliver({ extensionId: one, archive, keepStaged: true })
        expect(kept).toMatchObject({ staged: { isKept: true } })
        expect([...store.objects.keys()]).toEqual([key])
        const again = yield* ArchiveDelivery.deliver({ extensionId: two, archive })
        expect(again).toMatchObject({ bytesSent: 0, bytesResumed: bytes.length, staged: { isKept: false } })
        expect(store.takenParts).toHaveLength(2)
        expect(store.objects.size).toBe(0)
        expect(yield* links).toEqual([undefined, undefined])
      })
    )
  )

  it.scopedLive(
    "put there by a run whose end was not noted yet: costs no part, though only its size can be read",
    () =>
      withStore(
        (store) =>
          Effect.gen(function* () {
            const { archive, bytes } = yield* bundleOf(2)
            const extensionId = yield* seed()
            const deliver = ArchiveDelivery.deliver({ extensionId, archive }).pipe(
              Effect.updateService(UploadJournal.UploadJournal, UploadJournal.keepingDelivered)
            )
            expect(yield* deliver).toMatchObject({ _tag: "Uploaded", proof: "size" })
            expect(yield* deliver).toMatchObject({ _tag: "AlreadyCurrent", proof: "size", bytesSent: 0 })
            expect(store.takenParts).toHaveLength(2)

            yield* otherWriter(extensionId, bytes)
            expect(yield* deliver).toMatchObject({ _tag: "Uploaded", bytesSent: bytes.length })
          }),
        { cloud: { verificationLinks: false } }
      )
  )

  const names = ["my words.zip", "a+b&c=d.zip", "Wörter 日本 (1).zip", "50%2B.zip"]
  it.scopedLive.each(names)("under the name %s", (name) =>
    withStore((store) =>
      Effect.gen(function* () {
        const { archive, bytes, key } = yield* bundleOf(2, name)
        const extensionId = yield* seed()
        yield* ArchiveDelivery.deliver({ extensionId, archive, keepStaged: true })
        expect([...store.objects.keys()]).toEqual([key])
        expect(yield* held(extensionId)).toMatchObject({ sha256: sha256(bytes) })
      })
    )
  )
})

describe("cut off", () => {
  it.scopedLive("among the parts: another machine goes on with those that are there", () =>
    withStore((store) =>
      Effect.gen(function* () {
        const { archive, bytes } = yield* bundleOf(6)
        const extensionId = yield* seed()
        const isHalfWay = yield* Effect.makeLatch(false)
        let sent = 0
        const fiber = yield* Effect.fork(
          ArchiveDelivery.deliver({
            extensionId,
            archive,
            onEvent: (event) => {
              if (event._tag !== "PartSent") return Effect.void
              sent += 1
              return sent < 2 ? Effect.void : Effect.zipRight(isHalfWay.open, Effect.never)
            }
          })
        )
        yield* isHalfWay.await
        yield* Fiber.interrupt(fiber)
        expect(yield* journaled).toEqual(["Prepared"])
        const before = store.takenParts.length
        const receipt = yield* ArchiveDelivery.deliver({ extensionId, archive }).pipe(
          Effect.provide(machineFor(store, { settings: { directUploadLimitBytes: 1000 } }))
        )
        expect(receipt.bytesResumed).toBeGreaterThan(0)
        expect(receipt.bytesSent + receipt.bytesResumed).toBe(bytes.length)
        expect(new Set(store.takenParts).size).toBe(6)
        expect(store.takenParts.length - before).toBeLessThan(6)
        expect(yield* held(extensionId)).toMatchObject({ sha256: sha256(bytes) })
      })
    )
  )

  const moments = [
    "StagingCompleted",
    "DownloadStarted",
    "DownloadPolled",
    "Verified",
    "MetadataUpdated"
  ] as const
  const services = [
    ["that links to what it holds", true],
    ["that tells its size alone", false]
  ] as const
  const cuts = services.flatMap(([service, verificationLinks]) =>
    moments.map((tag) => [tag, service, verificationLinks] as const)
  )
  it.scopedLive.each(cuts)(
    "at %s, by a service %s: the next run puts everything away",
    ([tag, , verificationLinks]) =>
      withStore(
        (store) =>
          Effect.gen(function* () {
            const { bytes } = yield* bundleOf(2)
            const archive = Archive.file(yield* fileWith(bytes, "my words+.zip"))
            const extensionId = yield* seed()
            const isThere = yield* Effect.makeLatch(false)
            const fiber = yield* Effect.fork(
              ArchiveDelivery.deliver({
                extensionId,
                archive,
                onEvent: (event) =>
                  event._tag === tag ? Effect.zipRight(isThere.open, Effect.never) : Effect.void
              })
            )
            yield* isThere.await
            yield* Fiber.interrupt(fiber)
            const again = yield* ArchiveDelivery.resume(extensionId)
            expect(Option.isSome(again) || tag === "StagingCompleted").toBe(true)
            const proofs = Option.toArray(again).map(({ proof }) => proof)
            expect(proofs.every((proof) => proof === (verificationLinks ? "hash" : "size"))).toBe(true)
            expect(store.takenParts).toHaveLength(2)
            expect(yield* held(extensionId)).toMatchObject({ sha256: sha256(bytes), uploads: 0 })
            expect(yield* links).toEqual([undefined])
            expect([store.objects.size, store.uploads.size]).toEqual([0, 0])
            expect(yield* journaled).toEqual([])
          }),
        { cloud: { verificationLinks } }
      )
  )
})

describe("two who stage the same archive at once", () => {
  it.scopedLive("for one extension: both end with the archive in place, and nothing is left", () =>
    withStore((store) =>
      Effect.gen(function* () {
        const { archive, bytes } = yield* bundleOf(4)
        const extensionId = yield* seed()
        const machine = Effect.provide(
          ArchiveDelivery.deliver({ extensionId, archive }),
          machineFor(store, { settings: { directUploadLimitBytes: 1000 } })
        )
        const receipts = yield* Effect.all([machine, machine], { concurrency: 2 })
        expect(receipts.map(({ proof }) => proof)).toEqual(["hash", "hash"])
        expect(yield* held(extensionId)).toMatchObject({ sha256: sha256(bytes), uploads: 0 })
        expect(yield* links).toEqual([undefined])
        expect(store.objects.size).toBe(0)
      })
    )
  )

  it.scopedLive("where the other's replaces the file that one is about to look at: proved by its hash", () =>
    withStore(() =>
      Effect.gen(function* () {
        const cloud = yield* LocalElasticCloud
        const { archive, bytes } = yield* bundleOf(1)
        const extensionId = yield* seed()
        const { find, onEvent } = recordPublishing()
        const receipt = yield* ArchiveDelivery.deliver({
          extensionId,
          archive,
          onEvent: (event) =>
            Effect.zipRight(
              onEvent(event),
              event._tag === "DownloadPolled"
                ? Effect.asVoid(cloud.seed({ ...dictionary, id: extensionId, file: bytes }))
                : Effect.void
            )
        })
        expect(receipt).toMatchObject({ _tag: "Uploaded", proof: "hash" })
        expect(find("Warning")).toEqual(Option.none())
        const links = (yield* traffic).filter((line) => line.startsWith("LINK"))
        expect(links).toEqual(["LINK 403", "LINK 200"])
      })
    )
  )

  it.scopedLive("where one takes the object away too early: the other stages it once more", () =>
    withStore((store) =>
      Effect.gen(function* () {
        const { archive, bytes, key } = yield* bundleOf(2)
        const extensionId = yield* seed()
        const receipt = yield* ArchiveDelivery.deliver({
          extensionId,
          archive,
          onEvent: (event) =>
            Effect.sync(() => {
              if (event._tag === "DownloadStarted" && store.takenParts.length === 2) store.objects.delete(key)
            })
        })
        expect(receipt).toMatchObject({ _tag: "Uploaded", proof: "hash" })
        expect([...store.takenParts].sort()).toEqual([1, 1, 2, 2])
        expect(yield* held(extensionId)).toMatchObject({ sha256: sha256(bytes) })
        expect([store.objects.size, store.uploads.size]).toEqual([0, 0])
      })
    )
  )
})

describe("an archive that somebody else has brought meanwhile", () => {
  const bringing = (when: "StagingCompleted" | "DownloadStarted", options: { readonly takenAway: boolean }) =>
    withStore((store) =>
      Effect.gen(function* () {
        const cloud = yield* LocalElasticCloud
        const { archive, bytes, key } = yield* bundleOf(2)
        const extensionId = yield* seed()
        const receipt = yield* ArchiveDelivery.deliver({
          extensionId,
          archive,
          onEvent: (event) =>
            Effect.when(
              Effect.sync(() => options.takenAway && store.objects.delete(key)).pipe(
                Effect.zipRight(cloud.seed({ ...dictionary, id: extensionId, file: bytes }))
              ),
              () => event._tag === when
            )
        })
        expect(receipt).toMatchObject({ _tag: "AlreadyCurrent", proof: "hash", bytesSent: 0 })
        expect(yield* held(extensionId)).toMatchObject({ sha256: sha256(bytes) })
        expect([...store.takenParts].sort()).toEqual([1, 2])
        expect([store.objects.size, store.uploads.size]).toEqual([0, 0])
        return yield* cloud.requests
      })
    )

  it.scopedLive("while it was staged is not fetched, and what was staged is put away", () =>
    Effect.map(bringing("StagingCompleted", { takenAway: false }), (requests) =>
      expect(requests.filter(({ method }) => method === "POST")).toEqual([])
    )
  )

  it.scopedLive("and taken from the store before the service fetched it is not staged once more", () =>
    bringing("DownloadStarted", { takenAway: true })
  )
})

describe("what the journal knows of a staging", () => {
  it.scopedLive("is all there is to know of its file", () =>
    withStore((store) =>
      Effect.gen(function* () {
        const { bytes } = yield* bundleOf(2)
        const path = yield* fileWith(bytes)
        const extensionId = yield* seed()
        store.plan("UploadPart", { _tag: "Fail", status: 403, code: "AccessDenied" })
        yield* Effect.flip(ArchiveDelivery.deliver({ extensionId, archive: Archive.file(path) }))
        const { records } = yield* (yield* UploadJournal.UploadJournal).list
        expect(records.map(({ archive }) => archive)).toEqual([
          {
            path,
            name: "words.zip",
            size: bytes.length,
            sha256: sha256(bytes),
            modifiedMillis: expect.any(Number)
          }
        ])
      })
    )
  )

  it.scopedLive("is no plan for anybody else as long as it is worked on", () =>
    withStore(() =>
      Effect.gen(function* () {
        const { archive } = yield* bundleOf(2)
        const extensionId = yield* seed()
        const isUnderWay = yield* Effect.makeLatch(false)
        yield* Effect.forkScoped(
          ArchiveDelivery.deliver({
            extensionId,
            archive,
            onEvent: ({ _tag }) =>
              _tag === "StagingCompleted" ? Effect.zipRight(isUnderWay.open, Effect.never) : Effect.void
          })
        )
        yield* isUnderWay.await
        const plan = Effect.asVoid(ArchiveDelivery.plan({ extensionId, archive }))
        expect(yield* Effect.flip(plan)).toMatchObject({
          _tag: "JournalLocked",
          extensionId
        })
      })
    )
  )
})

describe("what goes wrong on the side of the service", () => {
  it.scopedLive("a download that it does not begin: is waited for, and not staged once more", () =>
    withStore(
      (store) =>
        Effect.gen(function* () {
          const { archive, key } = yield* bundleOf(2)
          const extensionId = yield* seed()
          const error = yield* Effect.flip(
            ArchiveDelivery.deliver({
              extensionId,
              archive,
              preflight: false,
              downloadTimeout: "300 millis",
              onEvent: ({ _tag }) =>
                Effect.sync(() => {
                  if (_tag === "DownloadStarted") {
                    store.plan("GetObject", { _tag: "Run", effect: () => new Promise(() => {}) })
                  }
                  if (_tag === "DownloadPolled") store.objects.delete(key)
                })
            })
          )
          expect(error).toMatchObject({ _tag: "DownloadFailed", reason: "TimedOut" })
          expect(store.takenParts).toHaveLength(2)
        }),
      { cloud: { downloadPatience: 50 } }
    )
  )

  it.scopedLive("a download that it refuses: what was staged stays, and costs no part again", () =>
    withStore((store) =>
      Effect.gen(function* () {
        const cloud = yield* LocalElasticCloud
        const { archive, bytes, key } = yield* bundleOf(2)
        const extensionId = yield* seed()
        yield* cloud.plan({ method: "POST", path: isUpdate, fault: Fault.headFirst })
        const error = yield* Effect.flip(ArchiveDelivery.deliver({ extensionId, archive }))
        expect(error).toMatchObject({ _tag: "DownloadFailed", reason: "NotFetched", origin: store.url })
        expect(error.message).toContain("works for GET and not for HEAD")
        expect(error.message).not.toContain("X-Amz")
        expect([...store.objects.keys()]).toEqual([key])
        expect(yield* links).toEqual([undefined])
        expect(yield* ArchiveDelivery.deliver({ extensionId, archive })).toMatchObject({
          bytesSent: 0,
          bytesResumed: bytes.length
        })
        expect(store.takenParts).toHaveLength(2)
      })
    )
  )

  it.scopedLive("a gateway that answers 504: the download is watched to its end", () =>
    withStore(
      (store) =>
        Effect.gen(function* () {
          const { archive, bytes } = yield* bundleOf(2)
          const extensionId = yield* seed()
          const isSeen = yield* Effect.makeLatch(false)
          const runtime = yield* Effect.runtime<never>()
          const receipt = yield* ArchiveDelivery.deliver({
            extensionId,
            archive,
            preflight: false,
            onEvent: (event) => {
              if (event._tag === "DownloadPolled") return isSeen.open
              return Effect.sync(() => {
                if (event._tag !== "DownloadStarted") return
                store.plan("GetObject", {
                  _tag: "Run",
                  effect: () => Runtime.runPromise(runtime)(isSeen.await)
                })
              })
            }
          })
          expect(receipt).toMatchObject({ proof: "hash", staged: { answered: false } })
          expect(receipt.staged?.polls).toBeGreaterThan(1)
          expect(yield* held(extensionId)).toMatchObject({ sha256: sha256(bytes) })
          expect(store.objects.size).toBe(0)
        }),
      { cloud: { downloadPatience: 50 } }
    )
  )

  it.scopedLive("somebody who wrote meanwhile: their archive is left alone, unless asked for", () =>
    withStore((store) =>
      Effect.gen(function* () {
        const { archive, bytes } = yield* bundleOf(2)
        const cloud = yield* LocalElasticCloud
        const theirs = yield* bundleOf(1)
        const extensionId = yield* seed()
        const error = yield* Effect.flip(
          ArchiveDelivery.deliver({
            extensionId,
            archive,
            onEvent: (event) =>
              event._tag === "StagingCompleted"
                ? Effect.asVoid(cloud.seed({ ...dictionary, id: extensionId, file: theirs.bytes }))
                : Effect.void
          })
        )
        expect(error).toMatchObject({ _tag: "UploadConflict" })
        expect(yield* held(extensionId)).toMatchObject({ sha256: sha256(theirs.bytes) })
        const forced = yield* ArchiveDelivery.deliver({ extensionId, archive, onConflict: "overwrite" })
        expect(forced).toMatchObject({ bytesSent: 0, proof: "hash" })
        expect(yield* held(extensionId)).toMatchObject({ sha256: sha256(bytes) })
        expect(store.objects.size).toBe(0)
      })
    )
  )
})

describe("what goes wrong on the side of the store", () => {
  it.scopedLive("its errors come out as they are, and the record stays", () =>
    withStore((store) =>
      Effect.gen(function* () {
        const { archive } = yield* bundleOf(2)
        const extensionId = yield* seed()
        store.plan("CreateMultipartUpload", { _tag: "Fail", status: 403, code: "AccessDenied" })
        const error = yield* Effect.flip(ArchiveDelivery.deliver({ extensionId, archive }))
        expect(error).toMatchObject({ _tag: "StoreAccessDenied", permission: "s3:PutObject" })
        expect(yield* journaled).toEqual(["Prepared"])
        expect(yield* held(extensionId)).toMatchObject({ resourceVersion: 1 })
      })
    )
  )

  it.scopedLive("an archive that cannot be removed is told of, and no failure", () =>
    withStore((store) =>
      Effect.gen(function* () {
        const { archive, key } = yield* bundleOf(1)
        const extensionId = yield* seed()
        const { find, onEvent } = recordPublishing()
        store.plan("DeleteObject", { _tag: "Fail", status: 403, code: "AccessDenied" })
        const receipt = yield* ArchiveDelivery.deliver({ extensionId, archive, onEvent })
        expect(receipt).toMatchObject({ proof: "hash", staged: { isKept: true } })
        expect(find("Warning")).toMatchObject({ value: { code: "StagedArchiveKept" } })
        expect([...store.objects.keys()]).toEqual([key])
      })
    )
  )
})

describe("cancel", () => {
  it.scopedLive("drops the parts and forgets the upload", () =>
    withStore((store) =>
      Effect.gen(function* () {
        const { archive } = yield* bundleOf(3)
        const extensionId = yield* seed()
        store.plan("UploadPart", { _tag: "Fail", status: 403, code: "AccessDenied" }, { part: 3 })
        yield* Effect.flip(ArchiveDelivery.deliver({ extensionId, archive }))
        expect(store.uploads.size).toBe(1)
        expect(yield* ArchiveDelivery.cancel(extensionId)).toBe(true)
        expect(store.uploads.size).toBe(0)
        expect(yield* journaled).toEqual([])
        expect(yield* ArchiveDelivery.cancel(extensionId)).toBe(false)
        expect(yield* ArchiveDelivery.resume(extensionId).pipe(Effect.map(Option.isNone))).toBe(true)
      })
    )
  )

  it.scopedLive("without the store: says which one is meant, and forgets nothing", () =>
    withStore((store) =>
      Effect.gen(function* () {
        const { archive } = yield* bundleOf(3)
        const extensionId = yield* seed()
        const journal = yield* UploadJournal.UploadJournal
        store.plan("UploadPart", { _tag: "Fail", status: 403, code: "AccessDenied" }, { part: 3 })
        yield* Effect.flip(ArchiveDelivery.deliver({ extensionId, archive }))
        const elsewhere = storeFor(store, { s3: { location: "s3://builds/elsewhere" } })
        const error = yield* Effect.flip(Effect.provide(ArchiveDelivery.cancel(extensionId), elsewhere))
        expect(error).toMatchObject({ _tag: "StagingNotConfigured", location: "s3://builds/elastic" })
        expect((yield* journal.list).records).toHaveLength(1)
      })
    )
  )
})
