/** From one run to the next where the server can resume: what an interruption leaves, and who may go on with it. */
import * as FileSystem from "@effect/platform/FileSystem"
import * as NodeContext from "@effect/platform-node/NodeContext"
import { describe, expect, it } from "@effect/vitest"
import { Deferred, Effect, Either, Fiber, Layer } from "effect"
import * as Archive from "../../src/archive/Archive.ts"
import * as UploadJournal from "../../src/journal/UploadJournal.ts"
import * as Fault from "../../src/testing/Fault.ts"
import * as LocalElasticCloud from "../../src/testing/LocalElasticCloud.ts"
import * as ExtensionUpload from "../../src/upload/ExtensionUpload.ts"
import { ledger } from "../support/faults/ledger.ts"
import { fileWith, zipOf } from "../support/upload/archives.ts"
import { client, held, journaled, recordEvents, seed, sha256 } from "../support/upload/world.ts"

const MiB = 1024 * 1024

const World = Layer.mergeAll(client(), UploadJournal.layerMemory).pipe(
  Layer.provideMerge(LocalElasticCloud.layer({ resumable: {} })),
  Layer.provideMerge(NodeContext.layer),
  Layer.orDie
)

/** An upload of a file, interrupted when the server has exactly 1 MiB of it. */
const interrupted = Effect.gen(function* () {
  const cloud = yield* LocalElasticCloud.LocalElasticCloud
  const content = yield* zipOf(3 * MiB)
  const path = yield* fileWith(content)
  const extensionId = yield* seed()
  const reached = yield* Deferred.make<void>()
  const moment = { afterBodyBytes: MiB }
  yield* cloud.plan({
    method: "PUT",
    fault: [Fault.run(moment, Effect.asVoid(Deferred.succeed(reached, undefined))), Fault.hang(moment)]
  })
  const fiber = yield* Effect.fork(ExtensionUpload.upload({ extensionId, archive: Archive.file(path) }))
  yield* Deferred.await(reached)
  yield* Fiber.interrupt(fiber)
  expect(yield* journaled).toEqual(["Sending"])
  return { cloud, content, path, extensionId }
})

describe("a later run", () => {
  it.scopedLive("goes on where the first one was interrupted", () =>
    Effect.gen(function* () {
      const { content, extensionId, path } = yield* interrupted
      const { events, onEvent } = recordEvents()

      const receipt = yield* ExtensionUpload.upload({ extensionId, archive: Archive.file(path), onEvent })

      const rest = content.length - MiB
      expect(receipt).toMatchObject({ _tag: "Uploaded", bytesSent: rest, bytesResumed: MiB, proof: "hash" })
      expect((yield* ledger(content.length)).requests).toEqual([
        `PUT ${MiB}/${content.length}`,
        `PATCH ${rest}/${rest}`
      ])
      expect(events.map(({ _tag }) => _tag)).toContain("UploadContinued")
      expect((yield* held(extensionId)).sha256).toBe(sha256(content))
      expect(yield* journaled).toEqual([])
    }).pipe(Effect.provide(World))
  )

  it.scopedLive("goes on by resumePending, which finishes what a dead process left", () =>
    Effect.gen(function* () {
      const { content, extensionId } = yield* interrupted

      const results = yield* ExtensionUpload.resumePending()

      expect(results.map(({ result }) => Either.merge(result))).toMatchObject([
        { _tag: "Uploaded", extensionId, bytesResumed: MiB }
      ])
      expect((yield* held(extensionId)).sha256).toBe(sha256(content))
    }).pipe(Effect.provide(World))
  )

  it.scopedLive("with another archive starts anew, and the server is told to forget the first", () =>
    Effect.gen(function* () {
      const { cloud, extensionId, path } = yield* interrupted
      const rebuilt = yield* zipOf(2 * MiB)
      yield* Effect.flatMap(FileSystem.FileSystem, (fs) => fs.writeFile(path, rebuilt))

      const receipt = yield* ExtensionUpload.upload({ extensionId, archive: Archive.file(path) })

      expect(receipt).toMatchObject({ _tag: "Uploaded", bytesSent: rebuilt.length, bytesResumed: 0 })
      const deleted = (yield* cloud.requests).filter(({ method }) => method === "DELETE")
      expect(deleted.map(({ path, status }) => [path.startsWith("/uploads/"), status])).toEqual([[true, 204]])
      expect((yield* held(extensionId)).sha256).toBe(sha256(rebuilt))
    }).pipe(Effect.provide(World))
  )

  it.scopedLive("by resumePending refuses another archive, and gives the upload up", () =>
    Effect.gen(function* () {
      const { cloud, content, extensionId, path } = yield* interrupted
      const rebuilt = yield* zipOf(2 * MiB)
      yield* Effect.flatMap(FileSystem.FileSystem, (fs) => fs.writeFile(path, rebuilt))

      const results = yield* ExtensionUpload.resumePending()

      expect(results.map(({ result }) => Either.merge(result))).toMatchObject([
        { _tag: "ArchiveChanged", path }
      ])
      expect(yield* cloud.uploads).toEqual([])
      expect(yield* held(extensionId)).toMatchObject({ uploads: 0 })
      expect((yield* ledger(content.length)).requests).toEqual([`PUT ${MiB}/${content.length}`])
      expect(yield* journaled).toEqual([])
    }).pipe(Effect.provide(World))
  )

  it.scopedLive("that cancels leaves nothing, here or there", () =>
    Effect.gen(function* () {
      const { cloud, extensionId } = yield* interrupted
      expect((yield* cloud.uploads).length).toBe(1)

      expect(yield* ExtensionUpload.cancel(extensionId)).toBe(true)
      expect(yield* ExtensionUpload.cancel(extensionId)).toBe(false)

      expect(yield* cloud.uploads).toEqual([])
      expect(yield* journaled).toEqual([])
      expect(yield* held(extensionId)).toMatchObject({ uploads: 0 })
    }).pipe(Effect.provide(World))
  )

  it.scopedLive("that wants no resumption cancels the upload resource and sends from the start", () =>
    Effect.gen(function* () {
      const { cloud, content, extensionId, path } = yield* interrupted

      const receipt = yield* ExtensionUpload.upload({
        extensionId,
        archive: Archive.file(path),
        resumable: "never"
      })

      expect(receipt).toMatchObject({ _tag: "Uploaded", bytesSent: content.length, bytesResumed: 0 })
      expect(yield* cloud.uploads).toEqual([])
      expect((yield* held(extensionId)).sha256).toBe(sha256(content))
    }).pipe(Effect.provide(World))
  )

  it.scopedLive("finds that someone else has written meanwhile, and leaves theirs alone", () =>
    Effect.gen(function* () {
      const { cloud, extensionId, path } = yield* interrupted
      const theirs = yield* zipOf(1000)
      yield* seed({ id: extensionId, file: theirs })

      const error = yield* Effect.flip(ExtensionUpload.upload({ extensionId, archive: Archive.file(path) }))

      expect(error._tag).toBe("UploadConflict")
      expect((yield* held(extensionId)).sha256).toBe(sha256(theirs))
      expect(yield* cloud.uploads).toEqual([])
    }).pipe(Effect.provide(World))
  )
})
