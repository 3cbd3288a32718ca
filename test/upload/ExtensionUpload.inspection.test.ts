import * as FileSystem from "@effect/platform/FileSystem"
import { describe, expect, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Option, Stream } from "effect"
import * as Archive from "../../src/archive/Archive.ts"
import type { ProblemCode } from "../../src/archive/ArchiveProblem.ts"
import { UploadJournal } from "../../src/journal/UploadJournal.ts"
import * as Fault from "../../src/testing/Fault.ts"
import { LocalElasticCloud } from "../../src/testing/LocalElasticCloud.ts"
import * as ExtensionUpload from "../../src/upload/ExtensionUpload.ts"
import { classic, dictionary, type EntrySpec, jar, stable, zip } from "../support/archive/zip.ts"
import { fileWith, zipOf } from "../support/upload/archives.ts"
import { held, journaled, puts, recordEvents, seed, sha256, traffic, world } from "../support/upload/world.ts"

const of = (...entries: ReadonlyArray<EntrySpec>) => Archive.bytes({ name: "acme.zip", bytes: zip(entries) })
const plugin = of(classic(), jar)
const evil: EntrySpec = { name: "dictionaries/../../evil.sh", data: "rm" }

const warningsOf = (events: ReturnType<typeof recordEvents>["events"]) =>
  events.flatMap((event) => (event._tag === "Warning" ? [event] : []))

describe("an archive that cannot be used", () => {
  const rows: ReadonlyArray<readonly [ProblemCode, string, Archive.Archive]> = [
    [
      "not-a-zip",
      "not a ZIP",
      Archive.bytes({ name: "acme.zip", bytes: Buffer.from("<html>404</html>".repeat(9)) })
    ],
    ["truncated", "cut off", Archive.bytes({ name: "acme.zip", bytes: zip([dictionary]).subarray(0, -1) })],
    ["no-entries", "no files", of()],
    ["unsafe-path", '"dictionaries/../../evil.sh"', of(dictionary, evil)],
    ["encrypted-entry", '"dictionaries/en.dic"', of({ ...dictionary, flags: 1 })],
    ["symbolic-link", '"scripts/link"', of({ name: "scripts/link", mode: 0o120777, data: "x" })],
    ["two-descriptors", "stable-plugin-descriptor", of(classic(), stable(), jar)],
    ["descriptor-missing", '"acme.jar"', of(jar)],
    ["plugin-without-jar", ".jar", of(classic())],
    [
      "descriptor-not-at-root",
      '"acme/plugin-descriptor.properties"',
      of({ ...classic(), name: "acme/plugin-descriptor.properties" })
    ]
  ]

  it.live.each(rows)("costs no request at all, not even its digest: %s", ([code, says, archive]) =>
    Effect.gen(function* () {
      const { milestones, onEvent } = recordEvents()
      const error = yield* Effect.flip(
        ExtensionUpload.upload({ extensionId: yield* seed(), archive, onEvent })
      )
      expect(error).toMatchObject({ _tag: "InvalidArchive", path: "acme.zip", isRetryable: false })
      expect(error.message).toContain(says)
      expect(error.message).toContain(`allow by name: ${code}`)
      expect(milestones()).toEqual(["ArchiveInspected"])
      expect(yield* traffic).toEqual([])
      expect(yield* journaled).toEqual([])
    }).pipe(Effect.provide(world()))
  )

  it.live("is sent where its errors are allowed by name, each of them with a warning", () =>
    Effect.gen(function* () {
      const bytes = zip([dictionary, evil])
      const id = yield* seed()
      const { events, onEvent } = recordEvents()
      const receipt = yield* ExtensionUpload.upload({
        extensionId: id,
        archive: Archive.bytes({ name: "acme.zip", bytes }),
        allow: ["unsafe-path"],
        onEvent
      })
      expect(receipt).toMatchObject({ _tag: "Uploaded", proof: "hash" })
      expect(warningsOf(events)).toEqual([
        {
          _tag: "Warning",
          code: "ArchiveProblem",
          problem: "unsafe-path",
          message: expect.stringContaining('"dictionaries/../../evil.sh"')
        }
      ])
      expect((yield* held(id)).sha256).toBe(sha256(bytes))
    }).pipe(Effect.provide(world()))
  )

  it.live("is not sent for the sake of another error that is allowed", () =>
    Effect.gen(function* () {
      const archive = of(dictionary, evil, { name: "scripts/link", mode: 0o120777, data: "x" })
      const error = yield* Effect.flip(ExtensionUpload.upload({ extensionId: yield* seed(), archive }))
      expect(error).toMatchObject({ _tag: "InvalidArchive", problems: [{ code: "symbolic-link" }] })
      expect(yield* traffic).toEqual([])
    }).pipe(Effect.provide(world({ settings: { allow: ["unsafe-path"] } })))
  )

  it.scopedLive("leaves alone what an earlier archive has begun", () =>
    Effect.gen(function* () {
      const { content, extensionId, path } = yield* interrupted(yield* zipOf(300_000))
      const fs = yield* FileSystem.FileSystem
      const upload = ExtensionUpload.upload({ extensionId, archive: Archive.file(path) })
      yield* fs.writeFile(path, zip([dictionary, evil]))
      expect(yield* Effect.flip(upload)).toMatchObject({ _tag: "InvalidArchive" })
      expect(yield* traffic).toEqual([])
      expect(yield* journaled).toEqual(["Sending"])

      yield* fs.writeFile(path, content)
      const { milestones, onEvent } = recordEvents()
      yield* ExtensionUpload.upload({ extensionId, archive: Archive.file(path), onEvent })
      expect(milestones()).toContain("UploadContinued")
      expect((yield* held(extensionId)).sha256).toBe(sha256(content))
    }).pipe(Effect.provide(world()))
  )
})

describe("an archive that can be used", () => {
  it.live("is described before anything else", () =>
    Effect.gen(function* () {
      const { events, onEvent } = recordEvents()
      const extensionId = yield* seed({ extension_type: "plugin", version: "8.17.0" })
      yield* ExtensionUpload.upload({ extensionId, archive: plugin, onEvent })
      expect(events[0]).toEqual({
        _tag: "ArchiveInspected",
        type: "plugin-classic",
        elasticsearchVersion: "8.17.0",
        entryCount: 2,
        compressedBytes: expect.any(Number),
        uncompressedBytes: expect.any(Number),
        errors: 0,
        warnings: 0
      })
      expect(warningsOf(events)).toEqual([])
      expect(yield* held(extensionId)).toMatchObject({ uploads: 1 })
    }).pipe(Effect.provide(world()))
  )

  it.live("is sent in spite of warnings, which name the entry", () =>
    Effect.gen(function* () {
      const { events, onEvent } = recordEvents()
      const extensionId = yield* seed({ extension_type: "plugin", version: "8.17.0" })
      const archive = of(classic(), jar, { name: "src/Acme.java", data: "class Acme {}" })
      yield* ExtensionUpload.upload({ extensionId, archive, onEvent })
      expect(events[0]).toMatchObject({ errors: 0, warnings: 1 })
      expect(warningsOf(events)).toMatchObject([
        {
          code: "ArchiveProblem",
          problem: "source-file",
          message: expect.stringContaining('"src/Acme.java"')
        }
      ])
      expect(yield* held(extensionId)).toMatchObject({ uploads: 1 })
    }).pipe(Effect.provide(world()))
  )

  it.live("has its directory read once, whatever it is compared with", () =>
    Effect.gen(function* () {
      const bytes = zip([classic(), jar])
      let readings = 0
      const readingsAt = new Map<string, number>()
      yield* ExtensionUpload.upload({
        extensionId: yield* seed({ extension_type: "plugin", version: "8.17.0" }),
        archive: Archive.make({
          name: "acme.zip",
          size: bytes.length,
          open: (offset) => {
            readings += 1
            return Stream.make(bytes.subarray(offset))
          }
        }),
        onEvent: ({ _tag }) => Effect.sync(() => void readingsAt.set(_tag, readingsAt.get(_tag) ?? readings))
      })
      const inspected = readingsAt.get("ArchiveInspected") ?? 0
      expect(inspected).toBeGreaterThan(0)
      expect(readingsAt.get("DigestComputed")).toBe(inspected + 1)
      expect(readingsAt.get("AttemptStarted")).toBe(inspected + 1)
    }).pipe(Effect.provide(world()))
  )

  it.scopedLive("is not the one that is sent when it changes before it is digested", () =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const path = yield* fileWith(zip([dictionary]))
      const onEvent = ({ _tag }: { readonly _tag: string }) =>
        _tag === "ArchiveInspected" ? Effect.orDie(fs.writeFile(path, zip([dictionary, evil]))) : Effect.void
      const error = yield* Effect.flip(
        ExtensionUpload.upload({ extensionId: yield* seed(), archive: Archive.file(path), onEvent })
      )
      expect(error).toMatchObject({ _tag: "ArchiveChanged", path })
      expect(yield* traffic).toEqual([])
      expect(yield* journaled).toEqual([])
    }).pipe(Effect.provide(world()))
  )
})

describe("an archive that the extension is not meant for", () => {
  const rows: ReadonlyArray<
    readonly [ProblemCode, string, Archive.Archive, { extension_type: "plugin" | "bundle"; version: string }]
  > = [
    ["type-mismatch", "is a plugin, but", plugin, { extension_type: "bundle", version: "*" }],
    ["type-mismatch", "is a bundle, but", of(dictionary), { extension_type: "plugin", version: "8.17.0" }],
    ["version-mismatch", '"8.18.0"', plugin, { extension_type: "plugin", version: "8.18.0" }],
    ["version-not-exact", '"8.*"', plugin, { extension_type: "plugin", version: "8.*" }]
  ]

  it.live.each(rows)(
    "costs the one question what the extension is, and not one PUT: %s, %s",
    ([code, says, archive, extension]) =>
      Effect.gen(function* () {
        const before = yield* zipOf(1000)
        const id = yield* seed({ ...extension, file: before })
        const error = yield* Effect.flip(ExtensionUpload.upload({ extensionId: id, archive }))
        expect(error).toMatchObject({ _tag: "InvalidArchive", problems: [{ code }] })
        expect(error.message).toContain(says)
        expect(yield* traffic).toEqual(["GET 200"])
        expect(yield* held(id)).toMatchObject({ uploads: 0, sha256: sha256(before) })
        expect(yield* journaled).toEqual([])
      }).pipe(Effect.provide(world()))
  )

  it.live.each(rows)("is sent where that is allowed by name: %s, %s", ([code, says, archive, extension]) =>
    Effect.gen(function* () {
      const id = yield* seed(extension)
      const { events, onEvent } = recordEvents()
      yield* ExtensionUpload.upload({ extensionId: id, archive, onEvent, allow: [code] })
      expect(warningsOf(events)).toEqual([
        {
          _tag: "Warning",
          code: "ArchiveProblem",
          problem: code,
          message: expect.stringContaining(says)
        }
      ])
      expect(yield* held(id)).toMatchObject({ uploads: 1 })
    }).pipe(Effect.provide(world()))
  )

  it.live("is left in peace where the extension holds it already", () =>
    Effect.gen(function* () {
      const extensionId = yield* seed({ file: zip([classic(), jar]) })
      expect(yield* ExtensionUpload.upload({ extensionId, archive: plugin })).toMatchObject({
        _tag: "AlreadyCurrent"
      })
      expect(yield* puts).toEqual([])
    }).pipe(Effect.provide(world()))
  )
})

/** An upload of a file that was paused when the server had half of it; what it asked so far is forgotten. */
const interrupted = (content: Uint8Array, allow: ReadonlyArray<ProblemCode> = []) =>
  Effect.gen(function* () {
    const cloud = yield* LocalElasticCloud
    const extensionId = yield* seed()
    const path = yield* fileWith(content)
    const half = { afterBodyBytes: Math.floor(content.length / 2) }
    const reached = yield* Deferred.make<void>()
    yield* cloud.plan({
      method: "PUT",
      fault: [Fault.run(half, Effect.asVoid(Deferred.succeed(reached, undefined))), Fault.hang(half)]
    })
    const fiber = yield* Effect.fork(
      ExtensionUpload.upload({ extensionId, archive: Archive.file(path), allow })
    )
    yield* Deferred.await(reached)
    yield* Fiber.interrupt(fiber)
    yield* cloud.settled
    yield* cloud.clearRequests
    return { content, extensionId, path }
  })

describe("an archive whose errors were allowed when its upload began", () => {
  const questionable = zip([dictionary, { ...evil, data: "x".repeat(20_000), method: 0 }])
  const begun = interrupted(questionable, ["unsafe-path"])

  it.scopedLive("goes on when it is allowed again: a record, whoever wrote it, excuses nothing", () =>
    Effect.gen(function* () {
      const { extensionId, path } = yield* begun
      const { milestones, onEvent } = recordEvents()
      const archive = Archive.file(path)
      for (const refused of [
        Effect.asVoid(ExtensionUpload.upload({ extensionId, archive })),
        Effect.asVoid(ExtensionUpload.plan({ extensionId, archive })),
        Effect.asVoid(ExtensionUpload.resume(extensionId))
      ]) {
        expect(yield* Effect.flip(refused)).toMatchObject({ _tag: "InvalidArchive" })
      }
      expect(yield* traffic).toEqual([])
      const receipt = yield* ExtensionUpload.upload({
        extensionId,
        archive,
        allow: ["unsafe-path"],
        onEvent
      })
      expect(receipt).toMatchObject({ _tag: "Uploaded", proof: "hash" })
      expect(milestones()).toContain("UploadContinued")
      expect((yield* held(extensionId)).sha256).toBe(sha256(questionable))
    }).pipe(Effect.provide(world()))
  )

  it.scopedLive("is finished by resumePending, which is told the same", () =>
    Effect.gen(function* () {
      const { extensionId } = yield* begun
      expect(yield* ExtensionUpload.resumePending({ allow: ["unsafe-path"] })).toMatchObject([
        { result: { _tag: "Right", right: { _tag: "Uploaded", extensionId } } }
      ])
      expect((yield* held(extensionId)).sha256).toBe(sha256(questionable))
    }).pipe(Effect.provide(world()))
  )

  it.scopedLive("and of which nothing was sent is begun anew: it needs what resumePending is given", () =>
    Effect.gen(function* () {
      const { extensionId } = yield* begun
      yield* asIfNothingWasSent(extensionId)
      expect(yield* ExtensionUpload.resumePending()).toMatchObject([
        { result: { _tag: "Left", left: { _tag: "InvalidArchive" } } }
      ])
      expect(yield* traffic).toEqual([])
      expect(yield* journaled).toEqual(["Prepared"])
      expect(yield* ExtensionUpload.resumePending({ allow: ["unsafe-path"] })).toMatchObject([
        { result: { _tag: "Right", right: { _tag: "Uploaded", extensionId } } }
      ])
      expect(yield* held(extensionId)).toMatchObject({ uploads: 1 })
    }).pipe(Effect.provide(world()))
  )

  const asIfNothingWasSent = (extensionId: string) =>
    Effect.gen(function* () {
      const { url } = yield* LocalElasticCloud
      const journal = yield* UploadJournal
      const session = yield* journal.open({ origin: `${url}/api/v1`, extensionId })
      yield* session.save({ ...Option.getOrThrow(yield* session.record), phase: "Prepared" })
    }).pipe(Effect.scoped)
})
