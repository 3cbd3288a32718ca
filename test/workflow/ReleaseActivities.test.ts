import { describe, expect, it } from "@effect/vitest"
import * as Activity from "@effect/workflow/Activity"
import * as Workflow from "@effect/workflow/Workflow"
import { Effect, Layer, Option, Schema } from "effect"
import { ExtensionId } from "../../src/cloud/ExtensionId.ts"
import { UploadJournal } from "../../src/journal/UploadJournal.ts"
import { LocalElasticCloud } from "../../src/testing/LocalElasticCloud.ts"
import { UploadReceipt } from "../../src/upload/UploadReceipt.ts"
import * as UploadSettings from "../../src/upload/UploadSettings.ts"
import * as EngineMemory from "../../src/workflow/EngineMemory.ts"
import * as Activities from "../../src/workflow/ReleaseActivities.ts"
import { ReleaseError } from "../../src/workflow/ReleaseError.ts"
import { durably } from "../../src/workflow/ReleaseRetry.ts"
import { bundleOf, storeFor } from "../support/publish/staging.ts"
import { objectStore } from "../support/staging/objectStore.ts"
import { fileWith, zipOf } from "../support/upload/archives.ts"
import { held, journaled, puts, seed, sha256, traffic } from "../support/upload/world.ts"
import { place } from "../support/workflow/releases.ts"

const Archive = Schema.Struct({ path: Schema.String, sha256: Schema.String })

const makeArchive = Effect.gen(function* () {
  const content = yield* zipOf(1000)
  return { path: yield* fileWith(content), sha256: sha256(content) }
})

/** The same archive for two extensions at once, and then whatever happens between that and looking at them again. */
const Pair = Workflow.make({
  name: "Pair",
  payload: { extensionIds: Schema.Array(ExtensionId), archive: Archive },
  success: Schema.Array(UploadReceipt),
  error: ReleaseError,
  idempotencyKey: ({ archive }) => archive.sha256
})

const pair = (inBetween: Effect.Effect<void> = Effect.void) =>
  Pair.toLayer(({ archive: { path, sha256 }, extensionIds }) =>
    Effect.gen(function* () {
      const archive = { _tag: "Path", path } as const
      yield* durably(Activities.digest({ archive, sha256 }))
      const uploads = yield* Effect.forEach(
        extensionIds,
        (extensionId) =>
          durably(Activities.transfer({ name: `transfer/${extensionId}`, extensionId, archive, sha256 })),
        { concurrency: "unbounded" }
      )
      yield* Activity.make({ name: "in-between", execute: inBetween })
      yield* Effect.forEach(uploads, (upload) =>
        durably(Activities.verify({ name: `verify/${upload.extensionId}`, upload }))
      )
      return uploads
    })
  )

/** Transfers twice, as the next runner does where the last one has not stored its result. */
const Again = Workflow.make({
  name: "Again",
  payload: { extensionId: ExtensionId, archive: Archive },
  success: Schema.Array(UploadReceipt),
  error: ReleaseError,
  idempotencyKey: ({ archive }) => archive.sha256
})

const again = Again.toLayer(({ archive: { path, sha256 }, extensionId }) =>
  Effect.gen(function* () {
    const transfer = { extensionId, archive: { _tag: "Path", path }, sha256 } as const
    const first = yield* Activities.transfer({ ...transfer, name: "lost" })
    const upload = yield* Activities.transfer(transfer)
    yield* Activities.verify({ upload })
    return [first, upload]
  })
)

const inWorkflow = (inBetween?: Effect.Effect<void>) =>
  Effect.provide(pair(inBetween).pipe(Layer.provideMerge(EngineMemory.layer)))

const twoExtensions = Effect.map(Effect.all([seed({ name: "a" }), seed({ name: "b" })]), (ids) =>
  ids.map((id) => ExtensionId.make(id))
)

describe("the activities", () => {
  it.scopedLive("make up a workflow of one's own, each under a name of its own", () =>
    Effect.gen(function* () {
      const archive = yield* makeArchive
      const extensionIds = yield* twoExtensions
      const uploads = yield* Pair.execute({ archive, extensionIds }).pipe(inWorkflow())
      expect(uploads.map(({ extensionId }) => extensionId)).toEqual(extensionIds)
      for (const id of extensionIds) {
        expect(yield* held(id)).toMatchObject({ sha256: archive.sha256, uploads: 1 })
      }
    }).pipe(Effect.provide(place()))
  )

  it.scopedLive(
    "do not send again what was delivered, though the result was lost and no link proves it",
    () =>
      Effect.gen(function* () {
        const archive = yield* makeArchive
        const [extensionId = ExtensionId.make("0")] = yield* twoExtensions
        const [first, second] = yield* Again.execute({ archive, extensionId }).pipe(
          Effect.provide(again.pipe(Layer.provideMerge(EngineMemory.layer)))
        )
        expect([first, second]).toMatchObject([
          { proof: "size", attempts: 1 },
          { proof: "size", attempts: 0, resourceVersion: first?.resourceVersion }
        ])
        expect((yield* puts).length).toBe(1)
        expect(yield* journaled).toEqual([])
      }).pipe(Effect.provide(place({ cloud: { verificationLinks: false } })))
  )

  it.scopedLive("go by way of an object store, and on with the parts that are there", () =>
    Effect.gen(function* () {
      const store = yield* objectStore()
      const { bytes: content } = yield* bundleOf(4)
      const archive = { path: yield* fileWith(content), sha256: sha256(content) }
      const extensionIds = [ExtensionId.make(yield* seed())]
      // The first attempt ends in the middle.
      store.plan("UploadPart", { _tag: "Fail", status: 503, code: "SlowDown" }, { part: 4 })
      const [receipt] = yield* Pair.execute({ archive, extensionIds }).pipe(
        inWorkflow(),
        Effect.provide(storeFor(store, { retry: { maxRetries: 0 } })),
        UploadSettings.override({ staging: "always" })
      )
      expect(receipt).toMatchObject({ proof: "hash", staged: { isKept: false } })
      expect([...store.takenParts].sort()).toEqual([1, 2, 3, 4])
      expect(yield* held(extensionIds[0] ?? "")).toMatchObject({ sha256: archive.sha256, uploads: 0 })
      expect([store.objects.size, store.uploads.size]).toEqual([0, 0])
      expect(yield* puts).toEqual([])
    }).pipe(Effect.provide(place()))
  )

  it.scopedLive("bear being run again by an engine that has forgotten them", () =>
    Effect.gen(function* () {
      const archive = yield* makeArchive
      const extensionIds = yield* twoExtensions
      const run = Pair.execute({ archive, extensionIds })
      yield* run.pipe(inWorkflow())
      const again = yield* run.pipe(inWorkflow())
      expect(again.map(({ _tag }) => _tag)).toEqual(["AlreadyCurrent", "AlreadyCurrent"])
      expect(yield* puts).toHaveLength(2)
    }).pipe(Effect.provide(place()))
  )
})

describe("verify", () => {
  const links = Effect.map(traffic, (lines) => lines.filter((line) => line.startsWith("LINK")).length)

  it.scopedLive("asks for the version, and fetches nothing where it is that of the upload", () =>
    Effect.gen(function* () {
      const archive = yield* makeArchive
      yield* Pair.execute({ archive, extensionIds: yield* twoExtensions }).pipe(inWorkflow())
      expect(yield* links).toBe(2)
    }).pipe(Effect.provide(place()))
  )

  it.scopedLive("compares the content where something else has changed", () =>
    Effect.gen(function* () {
      const cloud = yield* LocalElasticCloud
      const archive = yield* makeArchive
      const extensionIds = yield* twoExtensions
      const [id] = extensionIds
      const describeIt = Effect.asVoid(
        cloud.seed({ id, name: "a", extension_type: "bundle", version: "*", description: "edited" })
      )
      yield* Pair.execute({ archive, extensionIds }).pipe(inWorkflow(describeIt))
      expect(yield* links).toBe(3)
    }).pipe(Effect.provide(place()))
  )

  it.scopedLive("finds another archive in its place", () =>
    Effect.gen(function* () {
      const cloud = yield* LocalElasticCloud
      const archive = yield* makeArchive
      const extensionIds = yield* twoExtensions
      const [id] = extensionIds
      const file = yield* zipOf(1000)
      const replaceIt = Effect.asVoid(
        cloud.seed({ id, name: "a", extension_type: "bundle", version: "*", file })
      )
      const error = yield* Effect.flip(Pair.execute({ archive, extensionIds }).pipe(inWorkflow(replaceIt)))
      expect(error).toMatchObject({
        _tag: "UploadConflict",
        extensionId: id,
        before: { resourceVersion: "2" },
        now: { resourceVersion: "3" }
      })
    }).pipe(Effect.provide(place()))
  )
})

describe("deleteUnfilled", () => {
  const isThere = (id: ExtensionId) =>
    Effect.flatMap(LocalElasticCloud, (cloud) => Effect.map(cloud.extension(id), Option.isSome))

  it.scopedLive("deletes an extension without an archive, and minds no second time", () =>
    Effect.gen(function* () {
      const id = ExtensionId.make(yield* seed())
      yield* Activities.deleteUnfilled(id)
      expect(yield* isThere(id)).toBe(false)
      yield* Activities.deleteUnfilled(id)
    }).pipe(Effect.provide(place()))
  )

  it.scopedLive("leaves one that holds an archive", () =>
    Effect.gen(function* () {
      const id = ExtensionId.make(yield* seed({ file: yield* zipOf(10) }))
      yield* Activities.deleteUnfilled(id)
      expect(yield* isThere(id)).toBe(true)
    }).pipe(Effect.provide(place()))
  )

  it.scopedLive("leaves one that somebody is uploading to", () =>
    Effect.gen(function* () {
      const cloud = yield* LocalElasticCloud
      const id = ExtensionId.make(yield* seed())
      const journal = yield* UploadJournal
      yield* journal.open({ origin: `${cloud.url}/api/v1`, extensionId: id })
      yield* Activities.deleteUnfilled(id)
      expect(yield* isThere(id)).toBe(true)
    }).pipe(Effect.provide(place()))
  )
})
