/** A journal that cannot be written: what was not remembered must not happen. */
import * as FileSystem from "@effect/platform/FileSystem"
import * as NodeContext from "@effect/platform-node/NodeContext"
import { describe, expect, it } from "@effect/vitest"
import { Effect, Layer, Ref } from "effect"
import * as Archive from "../../src/archive/Archive.ts"
import { JournalUnavailable } from "../../src/journal/JournalError.ts"
import * as UploadJournal from "../../src/journal/UploadJournal.ts"
import * as LocalElasticCloud from "../../src/testing/LocalElasticCloud.ts"
import * as ExtensionUpload from "../../src/upload/ExtensionUpload.ts"
import { ledger } from "../support/faults/ledger.ts"
import { zipOf } from "../support/upload/archives.ts"
import { client, held, seed } from "../support/upload/world.ts"

const diskFull = new JournalUnavailable({
  location: "/full",
  operation: "write",
  reason: "DiskFull",
  detail: "no space left on device"
})

/** Only so many records can be written; then the disk is full. */
const fullAfter = (writes: number) =>
  Layer.effect(
    UploadJournal.UploadJournal,
    Effect.gen(function* () {
      const journal = yield* UploadJournal.UploadJournal
      const left = yield* Ref.make(writes)
      const takeRoom = Effect.filterOrFail(
        Ref.getAndUpdate(left, (room) => room - 1),
        (room) => room > 0,
        () => diskFull
      )
      return UploadJournal.UploadJournal.of({
        ...journal,
        open: (key) =>
          Effect.map(journal.open(key), (session) => ({
            ...session,
            save: (record) => Effect.zipRight(takeRoom, session.save(record))
          }))
      })
    })
  ).pipe(Layer.provide(UploadJournal.layerMemory))

const uploading = Effect.gen(function* () {
  const content = yield* zipOf(3 * 1024 * 1024)
  const extension = yield* seed()
  const error = yield* Effect.flip(
    ExtensionUpload.upload({
      extensionId: extension,
      archive: Archive.bytes({ name: "words.zip", bytes: content })
    })
  )
  expect(error).toMatchObject({ _tag: "JournalUnavailable" })
  expect((yield* held(extension)).uploads).toBe(0)
  return yield* ledger(content.length)
})

const withJournal = (journal: Layer.Layer<UploadJournal.UploadJournal, never, never>) =>
  Effect.provide(
    Layer.mergeAll(client({ http: { continueTimeout: "10 seconds" } }), journal).pipe(
      Layer.provideMerge(LocalElasticCloud.layer({ resumable: {} })),
      Layer.orDie
    )
  )

describe("a journal that cannot be written", () => {
  it.live("full before the intent and its attempt are written: no request with content", () =>
    Effect.gen(function* () {
      expect((yield* uploading).requests).toEqual([])
    }).pipe(withJournal(fullAfter(0)))
  )

  it.live("full when the upload resource becomes known: not one byte follows", () =>
    Effect.gen(function* () {
      expect((yield* uploading).received).toBe(0)
    }).pipe(withJournal(fullAfter(1)))
  )

  it.scopedLive("a folder that is none: no request with content", () =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const file = yield* fs.makeTempFileScoped()
      const { requests } = yield* uploading.pipe(
        withJournal(Layer.provide(UploadJournal.layerFileSystem(file), NodeContext.layer))
      )
      expect(requests).toEqual([])
    }).pipe(Effect.provide(NodeContext.layer))
  )
})
