/** An archive that the extension cannot hold already is hashed and checked in the very reading that is sent. */
import * as FileSystem from "@effect/platform/FileSystem"
import { describe, expect, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Layer, Option, Stream } from "effect"
import * as Archive from "../../src/archive/Archive.ts"
import * as UploadJournal from "../../src/journal/UploadJournal.ts"
import * as Fault from "../../src/testing/Fault.ts"
import { LocalElasticCloud } from "../../src/testing/LocalElasticCloud.ts"
import * as ExtensionUpload from "../../src/upload/ExtensionUpload.ts"
import { makeHashing } from "../../src/upload/internal/hashing.ts"
import { PieceBytes } from "../../src/upload/internal/run.ts"
import * as LocalArchive from "../../src/upload/LocalArchive.ts"
import { type UploadEvent, UploadEvents } from "../../src/upload/UploadEvent.ts"
import { type EntrySpec, zip } from "../support/archive/zip.ts"
import { archiveFor, fileWith, inSmallPieces, zipOf } from "../support/upload/archives.ts"
import {
  held,
  journaled,
  puts,
  recordEvents,
  seed,
  sha256,
  traffic,
  type WorldOptions,
  world
} from "../support/upload/world.ts"

const MiB = 1024 * 1024

const bySmallPieces = (options: WorldOptions = {}) => Layer.merge(world(options), inSmallPieces)

const wayOf = (events: ReadonlyArray<UploadEvent>) =>
  events.flatMap((event) => (event._tag === "DigestStarted" ? [event.way] : []))

const reprDigests = Effect.map(puts, (requests) =>
  requests.map(({ headers }) => headers["repr-digest"] !== undefined)
)

/** Sound as its directory tells, and broken in the middle of its only entry. */
const broken: EntrySpec = {
  name: "dictionaries/words.dic",
  data: Buffer.alloc(24 * MiB, "word "),
  method: 0,
  crc: 7,
  local: { crc: 7 }
}

describe("an archive that the extension cannot hold", () => {
  it.live("is read once, and known to the receipt by what was sent", () =>
    Effect.gen(function* () {
      const content = yield* zipOf(3 * MiB)
      let readings = 0
      const { events, onEvent } = recordEvents()
      const readingsAt = new Map<string, number>()
      const extensionId = yield* seed()
      const receipt = yield* ExtensionUpload.upload({
        extensionId,
        archive: Archive.make({
          name: "words.zip",
          size: content.length,
          modifiedMillis: 1,
          open: (offset) => {
            readings += 1
            return Stream.make(content.subarray(offset))
          }
        }),
        onEvent: (event) => {
          readingsAt.set(event._tag, readings)
          return onEvent(event)
        }
      })
      expect(receipt).toMatchObject({ proof: "hash", archive: { sha256: sha256(content) } })
      expect(readingsAt.get("Completed")).toBe((readingsAt.get("AttemptStarted") ?? 0) + 1)
      expect(wayOf(events)).toEqual(["WhileSending"])
      // What the digest is, is known before the last bytes leave.
      const order = events.map(({ _tag }) => _tag)
      const written = events.flatMap((event) => (event._tag === "BytesWritten" ? [event] : []))
      expect(order.indexOf("DigestComputed")).toBeLessThan(order.lastIndexOf("BytesWritten"))
      expect(written.at(-1)?.offset).toBe(content.length)
      expect(yield* reprDigests).toEqual([false])
      expect(yield* held(extensionId)).toMatchObject({ sha256: sha256(content), uploads: 1 })
    }).pipe(Effect.provide(world()))
  )

  it.live("is read again, and its digest told, for a second attempt", () =>
    Effect.gen(function* () {
      const cloud = yield* LocalElasticCloud
      yield* cloud.plan({ method: "PUT", fault: Fault.cut({ afterBodyBytes: 1000 }, "reset") })
      // More than two systems hold on the way: it cannot be read to its end before the connection is cut.
      const content = yield* zipOf(16 * MiB)
      const { events, onEvent } = recordEvents()
      const extensionId = yield* seed()
      yield* ExtensionUpload.upload({ extensionId, archive: archiveFor("WhileSending", content), onEvent })
      expect(wayOf(events)).toEqual(["WhileSending", "BeforeSending"])
      expect(yield* reprDigests).toEqual([false, true])
      expect((yield* held(extensionId)).sha256).toBe(sha256(content))
    }).pipe(Effect.provide(world()))
  )

  it.live.each([
    ["none", undefined, "WhileSending"],
    ["one of another size", -1, "WhileSending"],
    ["one of the same size", 0, "BeforeSending"]
  ] as const)("that is: it has %s", ([, longer, way]) =>
    Effect.gen(function* () {
      const content = yield* zipOf(4000)
      const file = longer === undefined ? undefined : Buffer.alloc(content.length + longer)
      const { events, onEvent } = recordEvents()
      const request = { extensionId: yield* seed({ file }), archive: archiveFor("WhileSending", content) }
      const plan = yield* ExtensionUpload.plan(request)
      const digest =
        way === "BeforeSending"
          ? { _tag: way, sha256: sha256(content) }
          : { _tag: way, sha256: Option.some(sha256(content)) }
      expect(plan).toMatchObject({ _tag: "Send", digest })
      yield* ExtensionUpload.upload({ ...request, onEvent })
      expect(wayOf(events)).toEqual([way])
    }).pipe(Effect.provide(bySmallPieces()))
  )

  it.live("is hashed first where only its bytes could tell that it has changed, or damage is allowed", () =>
    Effect.gen(function* () {
      const content = yield* zipOf(4000)
      const { events, onEvent } = recordEvents()
      const archive = archiveFor("BeforeSending", content)
      yield* ExtensionUpload.upload({ extensionId: yield* seed(), archive, onEvent })
      yield* ExtensionUpload.upload({
        extensionId: yield* seed(),
        archive: archiveFor("WhileSending", content),
        allow: ["damaged-entry"],
        onEvent
      })
      expect(wayOf(events)).toEqual(["BeforeSending", "BeforeSending"])
    }).pipe(Effect.provide(bySmallPieces()))
  )
})

describe("a reading that does not begin at the start", () => {
  it.live("is not the one that hashes: the whole is read before it", () =>
    Effect.gen(function* () {
      const content = yield* zipOf(4000)
      const { events, onEvent } = recordEvents()
      const rest = yield* Effect.gen(function* () {
        const hashing = yield* makeHashing(
          yield* LocalArchive.inspect(archiveFor("WhileSending", content)),
          []
        )
        yield* hashing.whileSending
        const findings = { onHashed: () => Effect.void, onDigested: () => Effect.void }
        return yield* Stream.runCollect(hashing.read({ offset: 1000 }, findings))
      }).pipe(Effect.provideService(UploadEvents, { onEvent }))
      expect(sha256(Buffer.concat([...rest]))).toBe(sha256(content.subarray(1000)))
      expect(wayOf(events)).toEqual(["BeforeSending"])
    }).pipe(Effect.provide(bySmallPieces()))
  )
})

describe("the journal", () => {
  it.live("is written no more often for a longer archive, where nobody could resume its upload", () =>
    Effect.gen(function* () {
      const journal = yield* UploadJournal.UploadJournal
      const savesFor = Effect.fnUntraced(function* (size: number) {
        const content = yield* zipOf(size)
        let saves = 0
        yield* ExtensionUpload.upload({
          extensionId: yield* seed(),
          archive: Archive.make({
            name: "words.zip",
            size: content.length,
            modifiedMillis: 1,
            open: (offset) =>
              Stream.unfold(offset, (at) =>
                at < content.length
                  ? Option.some([content.subarray(at, at + 1000), at + 1000])
                  : Option.none()
              )
          })
        }).pipe(
          Effect.provideService(UploadJournal.UploadJournal, {
            ...journal,
            open: (key) =>
              Effect.map(journal.open(key), (session) => ({
                ...session,
                save: (record) => {
                  saves += 1
                  return session.save(record)
                }
              }))
          })
        )
        return saves
      })
      expect(yield* savesFor(40_000)).toBe(yield* savesFor(4000))
    }).pipe(Effect.provide(Layer.merge(world(), Layer.succeed(PieceBytes, 3000))))
  )
})

it.effect("an archive is read in pieces of 2 MiB", () =>
  Effect.map(PieceBytes, (bytes) => expect(bytes).toBe(2 * MiB))
)

describe("an archive whose damage shows while it is sent", () => {
  it.live.each(["ordinary", "resumable"] as const)("is not sent to its end: %s", (kind) =>
    Effect.gen(function* () {
      const cloud = yield* LocalElasticCloud
      const extensionId = yield* seed()
      const archive = archiveFor("WhileSending", zip([broken]))
      expect(yield* Effect.flip(ExtensionUpload.plan({ extensionId, archive }))).toMatchObject({
        _tag: "InvalidArchive"
      })
      expect(yield* puts).toEqual([])
      const error = yield* Effect.flip(ExtensionUpload.upload({ extensionId, archive }))
      expect(error).toMatchObject({ _tag: "InvalidArchive", problems: [{ code: "damaged-entry" }] })
      expect((yield* puts).filter(({ complete }) => complete)).toEqual([])
      expect(yield* held(extensionId)).toMatchObject({ uploads: 0, sha256: undefined })
      expect(yield* journaled).toEqual([])
      expect((yield* cloud.uploads).filter(({ complete }) => !complete)).toEqual([])
    }).pipe(Effect.provide(bySmallPieces(kind === "resumable" ? { cloud: { resumable: {} } } : {})))
  )

  it.live("after the first attempt is not sent in the second", () =>
    Effect.gen(function* () {
      const cloud = yield* LocalElasticCloud
      yield* cloud.plan({ method: "PUT", fault: Fault.cut({ afterBodyBytes: 1000 }, "reset") })
      const extensionId = yield* seed()
      const archive = archiveFor("WhileSending", zip([broken]))
      const error = yield* Effect.flip(ExtensionUpload.upload({ extensionId, archive }))
      expect(error).toMatchObject({ _tag: "InvalidArchive" })
      expect(yield* puts).toHaveLength(1)
      expect(yield* journaled).toEqual([])
    }).pipe(Effect.provide(bySmallPieces()))
  )
})

/** A run that is cut off in the middle, after the server has named an upload resource. */
const cutOff = (extensionId: string, path: string) =>
  Effect.gen(function* () {
    const cloud = yield* LocalElasticCloud
    const reached = yield* Deferred.make<void>()
    const at = { afterBodyBytes: 2 * MiB }
    yield* cloud.plan({
      method: "PUT",
      fault: [Fault.run(at, Effect.asVoid(Deferred.succeed(reached, undefined))), Fault.hang(at)]
    })
    const run = yield* Effect.fork(ExtensionUpload.upload({ extensionId, archive: Archive.file(path) }))
    yield* Deferred.await(reached)
    yield* Fiber.interrupt(run)
    yield* cloud.settled
    yield* cloud.clearRequests
    const { records } = yield* (yield* UploadJournal.UploadJournal).list
    const [record] = records
    if (record === undefined) return yield* Effect.dieMessage("the journal kept nothing")
    return record
  })

describe("an upload that was cut off before its archive was hashed to the end", () => {
  const Live = Layer.merge(world({ cloud: { resumable: {} } }), Layer.succeed(PieceBytes, 256 * 1024))

  const scene = Effect.gen(function* () {
    const content = yield* zipOf(8 * MiB)
    const path = yield* fileWith(content)
    const extensionId = yield* seed()
    return { content, path, extensionId, record: yield* cutOff(extensionId, path) }
  })

  it.scopedLive("is known by what may have left: the journal covers every byte of it", () =>
    Effect.gen(function* () {
      const { content, record } = yield* scene
      const { uploads } = yield* LocalElasticCloud
      const kept = (yield* uploads)[0]?.offset ?? 0
      expect(kept).toBeGreaterThan(0)
      expect(record.archive).not.toHaveProperty("sha256")
      expect(record.checkpoints).toHaveLength(1)
      for (const { offset, sha256: noted } of record.checkpoints) {
        expect(offset).toBeGreaterThanOrEqual(kept)
        expect(noted).toBe(sha256(content.subarray(0, offset)))
      }
    }).pipe(Effect.provide(Live))
  )

  it.scopedLive("goes on where the server has left off", () =>
    Effect.gen(function* () {
      const { content, extensionId, path } = yield* scene
      const request = { extensionId, archive: Archive.file(path) }
      expect((yield* ExtensionUpload.plan(request))._tag).toBe("Continue")
      const receipt = yield* ExtensionUpload.upload(request)
      expect(receipt.bytesResumed).toBeGreaterThan(0)
      expect(receipt.bytesResumed + receipt.bytesSent).toBe(content.length)
      expect((yield* held(extensionId)).sha256).toBe(sha256(content))
    }).pipe(Effect.provide(Live))
  )

  it.scopedLive("starts over when what was sent is no longer what the archive begins with", () =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const { extensionId, path, record } = yield* scene
      const other = yield* zipOf(8 * MiB)
      expect(other.length).toBe(record.archive.size)
      yield* fs.writeFile(path, other)
      expect(
        Option.getOrThrow(yield* Effect.option(Effect.flip(ExtensionUpload.resume(extensionId))))
      ).toMatchObject({
        _tag: "ArchiveChanged"
      })
      expect(yield* journaled).toEqual([])
      expect((yield* traffic).filter((line) => line.startsWith("PUT"))).toEqual([])
      yield* ExtensionUpload.upload({ extensionId, archive: Archive.file(path) })
      expect((yield* held(extensionId)).sha256).toBe(sha256(other))
    }).pipe(Effect.provide(Live))
  )

  it.scopedLive("ends with the archive that is there now when only the rest of it is another", () =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const { content, extensionId, path } = yield* scene
      // The date of the file within the archive's directory: all before it, and the content of the entry, is the same.
      const other = Buffer.from(content)
      const directory = other.lastIndexOf(Buffer.from([0x50, 0x4b, 1, 2]))
      other.writeUInt16LE((other.readUInt16LE(directory + 12) + 1) & 0xffff, directory + 12)
      yield* fs.writeFile(path, other)
      const receipt = yield* ExtensionUpload.upload({ extensionId, archive: Archive.file(path) })
      expect(receipt).toMatchObject({ proof: "hash", archive: { sha256: sha256(other) } })
      expect((yield* held(extensionId)).sha256).toBe(sha256(other))
    }).pipe(Effect.provide(Live))
  )
})
