import * as FileSystem from "@effect/platform/FileSystem"
import * as NodeContext from "@effect/platform-node/NodeContext"
import { describe, expect, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Layer } from "effect"
import * as Archive from "../../src/archive/Archive.ts"
import * as UploadJournal from "../../src/journal/UploadJournal.ts"
import * as Fault from "../../src/testing/Fault.ts"
import * as LocalElasticCloud from "../../src/testing/LocalElasticCloud.ts"
import * as ExtensionUpload from "../../src/upload/ExtensionUpload.ts"
import type { UploadOptions } from "../../src/upload/UploadSettings.ts"
import { fileWith, zipOf } from "../support/upload/archives.ts"
import { client, held, journaled, puts, recordEvents, seed, sha256 } from "../support/upload/world.ts"

const Server = LocalElasticCloud.layer().pipe(Layer.provideMerge(NodeContext.layer))

/** Layers of its own over one journal folder and one server: what one process is to the next. */
const inProcess = (folder: string) =>
  Effect.provide(
    Layer.mergeAll(client(), UploadJournal.layerFileSystem(folder)).pipe(Layer.provide(NodeContext.layer))
  )

const journalFolder = Effect.flatMap(FileSystem.FileSystem, (fs) =>
  fs.makeTempDirectoryScoped({ prefix: "journal-" })
)

/** A process that ends in the middle of an upload, at a moment of its PUT. */
const leavesUnfinished = (
  folder: string,
  moment: "applied" | { readonly afterBodyBytes: number },
  options: Partial<UploadOptions> & { readonly bytes?: number } = {}
) =>
  Effect.gen(function* () {
    const { bytes = 300_000, ...settings } = options
    const cloud = yield* LocalElasticCloud.LocalElasticCloud
    const content = yield* zipOf(bytes)
    const path = yield* fileWith(content)
    const id = yield* seed()
    const reached = yield* Deferred.make<void>()
    yield* cloud.plan({
      method: "PUT",
      fault: [Fault.run(moment, Effect.asVoid(Deferred.succeed(reached, undefined))), Fault.hang(moment)]
    })
    const process = yield* Effect.fork(
      ExtensionUpload.upload({ extensionId: id, archive: Archive.file(path), ...settings }).pipe(
        inProcess(folder)
      )
    )
    yield* Deferred.await(reached)
    yield* Fiber.interrupt(process)
    yield* cloud.clearRequests
    return { content, id, path }
  })

const middle = { afterBodyBytes: 100_000 }

describe("ExtensionUpload.resumePending", () => {
  it.scopedLive("finishes what an earlier process left", () =>
    Effect.gen(function* () {
      const folder = yield* journalFolder
      const one = yield* leavesUnfinished(folder, middle)
      const two = yield* leavesUnfinished(folder, "applied")
      const { events, onEvent } = recordEvents()
      const results = yield* ExtensionUpload.resumePending({ onEvent }).pipe(inProcess(folder))
      expect(results).toMatchObject([
        {
          record: { extensionId: one.id, phase: "Sending" },
          result: { _tag: "Right", right: { _tag: "Uploaded", proof: "hash", attempts: 1 } }
        },
        {
          record: { extensionId: two.id },
          result: { _tag: "Right", right: { _tag: "Uploaded", proof: "hash", attempts: 0 } }
        }
      ])
      expect(events.filter(({ _tag }) => _tag === "Completed")).toHaveLength(2)
      expect((yield* puts).map(({ bodyBytes, status }) => [bodyBytes, status])).toEqual([
        [one.content.length, 200]
      ])
      expect(yield* held(one.id)).toMatchObject({ sha256: sha256(one.content), uploads: 1 })
      expect(yield* held(two.id)).toMatchObject({ sha256: sha256(two.content), uploads: 1 })
      expect(yield* journaled.pipe(inProcess(folder))).toEqual([])
    }).pipe(Effect.provide(Server))
  )

  it.scopedLive("does nothing where nothing is left", () =>
    Effect.gen(function* () {
      const folder = yield* journalFolder
      expect(yield* ExtensionUpload.resumePending().pipe(inProcess(folder))).toEqual([])
      expect(yield* (yield* LocalElasticCloud.LocalElasticCloud).requests).toEqual([])
    }).pipe(Effect.provide(Server))
  )

  it.scopedLive("keeps the framing that the upload was begun with", () =>
    Effect.gen(function* () {
      const folder = yield* journalFolder
      const { content, id } = yield* leavesUnfinished(folder, middle, { contentType: "multipart" })
      yield* ExtensionUpload.resumePending({ contentType: "raw" }).pipe(inProcess(folder))
      expect(yield* puts).toMatchObject([
        { complete: true, contentFile: { filename: "words.zip", sha256: sha256(content) } }
      ])
      expect((yield* held(id)).sha256).toBe(sha256(content))
    }).pipe(Effect.provide(Server))
  )

  it.scopedLive("gives up an upload whose archive is another one by now", () =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const folder = yield* journalFolder
      const { id, path } = yield* leavesUnfinished(folder, middle)
      yield* fs.writeFile(path, yield* zipOf(300_000))
      const { milestones, onEvent } = recordEvents()
      const results = yield* ExtensionUpload.resumePending({ onEvent }).pipe(inProcess(folder))
      expect(results).toMatchObject([
        { record: { extensionId: id }, result: { _tag: "Left", left: { _tag: "ArchiveChanged", path } } }
      ])
      expect(milestones()).toContain("StaleUploadDiscarded")
      expect(yield* puts).toEqual([])
      expect(yield* held(id)).toMatchObject({ uploads: 0, sha256: undefined })
      expect(yield* journaled.pipe(inProcess(folder))).toEqual([])
    }).pipe(Effect.provide(Server))
  )

  it.scopedLive("keeps an upload whose archive is gone, and goes on with the others", () =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const folder = yield* journalFolder
      const one = yield* leavesUnfinished(folder, middle)
      const two = yield* leavesUnfinished(folder, middle)
      yield* fs.remove(one.path)
      const results = yield* ExtensionUpload.resumePending().pipe(inProcess(folder))
      expect(results).toMatchObject([
        { result: { _tag: "Left", left: { _tag: "ArchiveUnreadable", reason: "NotFound" } } },
        { result: { _tag: "Right", right: { extensionId: two.id } } }
      ])
      expect(yield* journaled.pipe(inProcess(folder))).toEqual(["Sending"])
    }).pipe(Effect.provide(Server))
  )

  it.scopedLive("leaves uploads to other endpoints alone", () =>
    Effect.gen(function* () {
      const folder = yield* journalFolder
      const { id } = yield* leavesUnfinished(folder, middle)
      const elsewhere = yield* ExtensionUpload.resumePending().pipe(
        inProcess(folder),
        Effect.provide(LocalElasticCloud.layer())
      )
      expect(elsewhere).toEqual([])
      expect(yield* journaled.pipe(inProcess(folder))).toEqual(["Sending"])
      expect(yield* ExtensionUpload.resumePending().pipe(inProcess(folder))).toMatchObject([
        { record: { extensionId: id }, result: { _tag: "Right" } }
      ])
    }).pipe(Effect.provide(Server))
  )

  it.scopedLive("reports an upload that somebody is busy with", () =>
    Effect.gen(function* () {
      const folder = yield* journalFolder
      const { id, path } = yield* leavesUnfinished(folder, middle)
      const sending = yield* Effect.makeLatch(false)
      const go = yield* Effect.makeLatch(false)
      const busy = yield* ExtensionUpload.upload({
        extensionId: id,
        archive: Archive.file(path),
        onEvent: ({ _tag }) =>
          _tag === "AttemptStarted" ? Effect.zipRight(sending.open, go.await) : Effect.void
      }).pipe(inProcess(folder), Effect.fork)
      yield* sending.await
      expect(yield* ExtensionUpload.resumePending().pipe(inProcess(folder))).toMatchObject([
        { result: { _tag: "Left", left: { _tag: "JournalLocked", extensionId: id } } }
      ])
      yield* go.open
      expect(yield* Fiber.join(busy)).toMatchObject({ _tag: "Uploaded" })
      expect(yield* puts).toHaveLength(1)
    }).pipe(Effect.provide(Server))
  )
})
