import { describe, expect, it } from "@effect/vitest"
import { DateTime, Effect, Layer, Option, Schema, Stream } from "effect"
import * as Archive from "../../src/archive/Archive.ts"
import { ExtensionsClient } from "../../src/cloud/ExtensionsClient.ts"
import { journalId } from "../../src/journal/JournalRecord.ts"
import * as UploadJournal from "../../src/journal/UploadJournal.ts"
import * as Fault from "../../src/testing/Fault.ts"
import { LocalElasticCloud } from "../../src/testing/LocalElasticCloud.ts"
import * as ExtensionUpload from "../../src/upload/ExtensionUpload.ts"
import { UploadReceipt } from "../../src/upload/UploadReceipt.ts"
import { fileWith, zipOf } from "../support/upload/archives.ts"
import {
  broughtOnly,
  held,
  journaled,
  otherWriter,
  puts,
  seed,
  sha256,
  traffic,
  world
} from "../support/upload/world.ts"

describe("an upload", () => {
  it.scopedLive("sends a file once, with its exact length, and proves it by the hash of what is stored", () =>
    Effect.gen(function* () {
      const content = yield* zipOf(300_000)
      const path = yield* fileWith(content)
      const id = yield* seed()
      const receipt = yield* ExtensionUpload.upload({ extensionId: id, archive: Archive.file(path) })

      const { lastModified } = Option.getOrThrow(yield* (yield* LocalElasticCloud).extension(id))
      expect({ ...receipt }).toEqual({
        _tag: "Uploaded",
        extensionId: id,
        archive: { name: "words.zip", size: content.length, sha256: sha256(content) },
        proof: "hash",
        attempts: 1,
        bytesSent: content.length,
        bytesResumed: 0,
        resourceVersion: { before: "1", after: "2" },
        lastModified: DateTime.unsafeMake(lastModified),
        durationMillis: expect.any(Number)
      })
      expect(yield* traffic).toEqual([
        "GET 200",
        `PUT ${content.length}/${content.length} whole 200`,
        "GET 200",
        "LINK 200"
      ])
      expect(yield* broughtOnly(content)).toBe(true)
      expect((yield* puts).map(({ headers }) => headers["content-type"])).toEqual(["application/zip"])
      expect(yield* held(id)).toMatchObject({ sha256: sha256(content), size: content.length, uploads: 1 })
      expect(yield* journaled).toEqual([])
    }).pipe(Effect.provide(world()))
  )

  it.live("wraps the archive in the form field `file` when asked for multipart", () =>
    Effect.gen(function* () {
      const content = yield* zipOf(50_000)
      const id = yield* seed()
      const receipt = yield* ExtensionUpload.upload({
        extensionId: id,
        archive: Archive.bytes({ name: 'odd "name".zip', bytes: content }),
        contentType: "multipart"
      })
      const [put, ...others] = yield* puts
      expect(others).toEqual([])
      expect(put).toMatchObject({
        complete: true,
        status: 200,
        headers: { "content-length": String(put?.bodyBytes) },
        contentFile: {
          size: content.length,
          sha256: sha256(content),
          filename: "odd %22name%22.zip",
          contentType: "application/zip"
        }
      })
      expect(put?.headers["content-type"]).toMatch(/^multipart\/form-data; boundary=extension-[0-9a-f]{32}$/)
      expect(receipt.bytesSent).toBe(put?.bodyBytes)
      expect(receipt.archive).toEqual({
        name: 'odd "name".zip',
        size: content.length,
        sha256: sha256(content)
      })
      expect((yield* held(id)).sha256).toBe(sha256(content))
    }).pipe(Effect.provide(world()))
  )

  it.live("takes any source that can be opened at an offset", () =>
    Effect.gen(function* () {
      const content = yield* zipOf(200_000)
      const id = yield* seed()
      const receipt = yield* ExtensionUpload.upload({
        extensionId: id,
        archive: Archive.make({
          name: "build/made.zip",
          size: content.length,
          open: (offset) => Stream.rechunk(Stream.fromIterable([content.subarray(offset)]), 1)
        })
      })
      expect(receipt).toMatchObject({ archive: { name: "made.zip", sha256: sha256(content) }, proof: "hash" })
      expect(yield* broughtOnly(content)).toBe(true)
      expect((yield* held(id)).sha256).toBe(sha256(content))
    }).pipe(Effect.provide(world()))
  )

  it.live("replaces what the extension held before", () =>
    Effect.gen(function* () {
      const content = yield* zipOf(1000)
      const id = yield* seed({ file: yield* zipOf(2000) })
      const receipt = yield* ExtensionUpload.upload({
        extensionId: id,
        archive: Archive.bytes({ name: "a.zip", bytes: content })
      })
      expect(receipt).toMatchObject({ _tag: "Uploaded", proof: "hash" })
      expect(yield* traffic).toEqual([
        "GET 200",
        `PUT ${content.length}/${content.length} whole 200`,
        "GET 200",
        "LINK 200"
      ])
      expect((yield* held(id)).sha256).toBe(sha256(content))
    }).pipe(Effect.provide(world()))
  )

  it.live("sends an archive above 1 MiB only after it was asked for", () =>
    Effect.gen(function* () {
      const content = yield* zipOf(3_000_000)
      const id = yield* seed()
      yield* ExtensionUpload.upload({
        extensionId: id,
        archive: Archive.bytes({ name: "a.zip", bytes: content })
      })
      expect((yield* puts).map(({ headers }) => headers["expect"])).toEqual(["100-continue"])
      expect(yield* broughtOnly(content)).toBe(true)
      expect((yield* held(id)).sha256).toBe(sha256(content))
    }).pipe(Effect.provide(world()))
  )

  it.live("gives a receipt that survives its own schema", () =>
    Effect.gen(function* () {
      const content = yield* zipOf(1000)
      const request = {
        extensionId: yield* seed(),
        archive: Archive.bytes({ name: "a.zip", bytes: content })
      }
      const Json = Schema.parseJson(UploadReceipt)
      const receipts = [yield* ExtensionUpload.upload(request), yield* ExtensionUpload.upload(request)]
      expect(receipts.map(({ _tag }) => _tag)).toEqual(["Uploaded", "AlreadyCurrent"])
      for (const receipt of receipts) {
        const json = yield* Schema.encode(Json)(receipt)
        expect(JSON.parse(json)).toMatchObject({
          _tag: receipt._tag,
          lastModified: expect.stringMatching(/Z$/)
        })
        expect(yield* Schema.decode(Json)(json)).toEqual(receipt)
      }
    }).pipe(Effect.provide(world()))
  )
})

describe("the same content again", () => {
  it.live("is already current, without a PUT, where the link proves it", () =>
    Effect.gen(function* () {
      const content = yield* zipOf(5000)
      const id = yield* seed({ file: content })
      const receipt = yield* ExtensionUpload.upload({
        extensionId: id,
        archive: Archive.bytes({ name: "a.zip", bytes: content })
      })
      expect(receipt).toMatchObject({
        _tag: "AlreadyCurrent",
        proof: "hash",
        attempts: 0,
        bytesSent: 0,
        bytesResumed: 0,
        resourceVersion: { before: "1", after: "1" }
      })
      expect(yield* traffic).toEqual(["GET 200", "LINK 200"])
      expect(yield* held(id)).toMatchObject({ uploads: 0, resourceVersion: 1 })
      expect(yield* journaled).toEqual([])
    }).pipe(Effect.provide(world()))
  )

  it.live.each([
    ["that ends early", Fault.cutAnswer(1000)],
    ["that says 503", Fault.refuse(503, "internal.unavailable")]
  ] as const)("is already current where the first reading of the link is one %s", ([, fault]) =>
    Effect.gen(function* () {
      const content = yield* zipOf(5000)
      const id = yield* seed({ file: content })
      const cloud = yield* LocalElasticCloud
      yield* cloud.plan({ method: "GET", fault: [] })
      yield* cloud.plan({ method: "GET", fault })
      const receipt = yield* ExtensionUpload.upload({
        extensionId: id,
        archive: Archive.bytes({ name: "a.zip", bytes: content })
      })
      expect(receipt).toMatchObject({ _tag: "AlreadyCurrent", proof: "hash", bytesSent: 0 })
      expect((yield* traffic).filter((line) => line.startsWith("PUT"))).toEqual([])
    }).pipe(Effect.provide(world()))
  )

  it.live("is sent again where the size alone would have to do", () =>
    Effect.gen(function* () {
      const content = yield* zipOf(5000)
      const id = yield* seed({ file: content })
      const receipt = yield* ExtensionUpload.upload({
        extensionId: id,
        archive: Archive.bytes({ name: "a.zip", bytes: content })
      })
      expect(receipt).toMatchObject({ _tag: "Uploaded", proof: "size", attempts: 1 })
      expect(yield* traffic).toEqual([
        "GET 200",
        `PUT ${content.length}/${content.length} whole 200`,
        "GET 200"
      ])
      expect((yield* held(id)).uploads).toBe(1)
    }).pipe(Effect.provide(world({ cloud: { verificationLinks: false } })))
  )

  describe("in a journal that keeps what was delivered", () => {
    const keeping = Layer.effect(
      UploadJournal.UploadJournal,
      Effect.map(UploadJournal.UploadJournal, UploadJournal.keepingDelivered)
    )
    const withoutLinks = world({ cloud: { verificationLinks: false } })

    it.live.each(["raw", "multipart"] as const)(
      "is not sent again, though only the size tells what is there (%s)",
      (contentType) =>
        Effect.gen(function* () {
          const content = yield* zipOf(5000)
          const extensionId = yield* seed()
          const archive = Archive.bytes({ name: "a.zip", bytes: content })
          const upload = ExtensionUpload.upload({ extensionId, archive, contentType })
          const first = yield* Effect.provide(upload, keeping)
          const again = yield* Effect.provide(upload, keeping)
          const { baseUrl: origin } = yield* ExtensionsClient
          yield* (yield* UploadJournal.UploadJournal).forgetDelivered(journalId({ origin, extensionId }))
          expect(yield* journaled).toEqual([])
          const { resourceVersion } = first
          expect(again).toMatchObject({ _tag: "Uploaded", proof: "size", bytesSent: 0, resourceVersion })
          expect((yield* held(extensionId)).uploads).toBe(1)
        }).pipe(Effect.provide(withoutLinks))
    )

    it.live("is already current, and no delivery of the other archive whose upload was unfinished", () =>
      Effect.gen(function* () {
        const content = yield* zipOf(5000)
        const id = yield* seed({ file: content })
        const cloud = yield* LocalElasticCloud
        yield* cloud.plan({ method: "PUT", times: 9, fault: Fault.refuse(503, "internal.unavailable") })
        const other = Archive.bytes({ name: "b.zip", bytes: yield* zipOf(6000) })
        yield* Effect.flip(ExtensionUpload.upload({ extensionId: id, archive: other }))
        expect(yield* journaled).toHaveLength(1)
        const archive = Archive.bytes({ name: "a.zip", bytes: content })
        const receipt = yield* Effect.provide(ExtensionUpload.upload({ extensionId: id, archive }), keeping)
        expect(receipt).toMatchObject({ _tag: "AlreadyCurrent" })
        expect(yield* journaled).toEqual([])
      }).pipe(Effect.provide(world()))
    )

    it.live("is sent again after somebody else has put something else there, and no conflict", () =>
      Effect.gen(function* () {
        const content = yield* zipOf(5000)
        const id = yield* seed()
        const archive = Archive.bytes({ name: "a.zip", bytes: content })
        const upload = ExtensionUpload.upload({ extensionId: id, archive })
        yield* Effect.provide(upload, keeping)
        yield* otherWriter(id, yield* zipOf(5000))
        expect(yield* upload).toMatchObject({ _tag: "Uploaded", bytesSent: content.length })
        expect(yield* held(id)).toMatchObject({ sha256: sha256(content) })
        expect(yield* journaled).toEqual([])
      }).pipe(Effect.provide(withoutLinks))
    )
  })

  it.live("is not taken for current when only the size is the same", () =>
    Effect.gen(function* () {
      const content = yield* zipOf(5000)
      const id = yield* seed({ file: yield* zipOf(5000) })
      const receipt = yield* ExtensionUpload.upload({
        extensionId: id,
        archive: Archive.bytes({ name: "a.zip", bytes: content })
      })
      expect(receipt).toMatchObject({ _tag: "Uploaded", proof: "hash" })
      expect((yield* held(id)).sha256).toBe(sha256(content))
    }).pipe(Effect.provide(world()))
  )
})
