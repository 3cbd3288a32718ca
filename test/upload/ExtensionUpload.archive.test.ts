import * as FileSystem from "@effect/platform/FileSystem"
import { describe, expect, it } from "@effect/vitest"
import { Effect, Option, Stream } from "effect"
import * as Archive from "../../src/archive/Archive.ts"
import * as Fault from "../../src/testing/Fault.ts"
import { LocalElasticCloud } from "../../src/testing/LocalElasticCloud.ts"
import * as ExtensionUpload from "../../src/upload/ExtensionUpload.ts"
import type { UploadEvent } from "../../src/upload/UploadEvent.ts"
import { fileWith, zipOf } from "../support/upload/archives.ts"
import { held, journaled, puts, recordEvents, seed, sha256, traffic, world } from "../support/upload/world.ts"

describe("an id that is none", () => {
  it.live.each([
    ["is empty", ""],
    ["is a path", "882519870/deployments"],
    ["is a way up", ".."],
    ["has a control character", "8825\n19870"],
    ["is longer than any id", "8".repeat(256)]
  ] as const)("reaches nobody: %s", ([, extensionId]) =>
    Effect.gen(function* () {
      const archive = Archive.bytes({ name: "a.zip", bytes: yield* zipOf(1000) })
      const error = yield* Effect.flip(ExtensionUpload.upload({ extensionId, archive }))
      expect(error).toMatchObject({ _tag: "InvalidExtensionId", extensionId, isRetryable: false })
      expect(error.message.split("\n")).toHaveLength(1)
      expect(error.message).toContain(
        `${JSON.stringify(extensionId)} cannot be uploaded to. This is not an extension id: `
      )
      expect(yield* traffic).toEqual([])
      expect(yield* journaled).toEqual([])
    }).pipe(Effect.provide(world()))
  )

  it.live.each([
    ["%2e%2e", "%252e%252e"],
    ["1?force=true#x", "1%3Fforce%3Dtrue%23x"],
    ["ünïcode id", "%C3%BCn%C3%AFcode%20id"]
  ] as const)(
    "is told from one that is merely odd, and stays one segment of the path: %s",
    ([extensionId, segment]) =>
      Effect.gen(function* () {
        const archive = Archive.bytes({ name: "a.zip", bytes: yield* zipOf(1000) })
        const error = yield* Effect.flip(ExtensionUpload.upload({ extensionId, archive }))
        expect(error).toMatchObject({ _tag: "ExtensionNotFound", extensionId })
        const requests = yield* (yield* LocalElasticCloud).requests
        expect(requests.map(({ method, path }) => `${method} ${path}`)).toEqual([
          `GET /api/v1/deployments/extensions/${segment}?include_deployments=true`
        ])
      }).pipe(Effect.provide(world()))
  )

  it.live("is refused before the archive is looked at", () =>
    Effect.gen(function* () {
      const archive = Archive.file("no/such/file.zip")
      const error = yield* Effect.flip(ExtensionUpload.upload({ extensionId: "a/b", archive }))
      expect(error._tag).toBe("InvalidExtensionId")
    }).pipe(Effect.provide(world()))
  )
})

describe("an archive that cannot be read", () => {
  const expectUnreadable = <R>(archive: Archive.Archive<R>, reason: string) =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(ExtensionUpload.upload({ extensionId: yield* seed(), archive }))
      expect(error).toMatchObject({ _tag: "ArchiveUnreadable", reason, path: archive.path })
      expect(error.message).toContain(archive.path)
      expect(yield* traffic).toEqual([])
      expect(yield* journaled).toEqual([])
    })

  it.scopedLive("is reported before anything is asked: missing", () =>
    expectUnreadable(Archive.file("no/such/file.zip"), "NotFound").pipe(Effect.provide(world()))
  )

  it.scopedLive("is reported before anything is asked: empty", () =>
    Effect.gen(function* () {
      yield* expectUnreadable(Archive.file(yield* fileWith(new Uint8Array())), "Empty")
    }).pipe(Effect.provide(world()))
  )

  it.scopedLive("is reported before anything is asked: a directory", () =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      yield* expectUnreadable(Archive.file(yield* fs.makeTempDirectoryScoped()), "IsDirectory")
    }).pipe(Effect.provide(world()))
  )

  it.live("is reported before anything is asked: a source that fails", () =>
    expectUnreadable(
      Archive.make({ name: "a.zip", size: 10, open: () => Stream.fail(new Error("the store is down")) }),
      "ReadFailed"
    ).pipe(Effect.provide(world()))
  )
})

describe("an archive that changes", () => {
  const changes = {
    "is rewritten": (content: Uint8Array) => Buffer.concat([content.subarray(0, -100), new Uint8Array(100)]),
    "is rewritten at its beginning": (content: Uint8Array) =>
      Buffer.concat([new Uint8Array(100), content.subarray(100)]),
    shrinks: (content: Uint8Array) => content.subarray(0, -100),
    grows: (content: Uint8Array) => Buffer.concat([content, new Uint8Array(100)])
  }
  const reasons = {
    "is rewritten": "Modified",
    "is rewritten at its beginning": "Modified",
    shrinks: "Shrank",
    grows: "Grew"
  }

  /** Changes the file at the first event of a kind, and returns what became of the upload. */
  const changingAt = (tag: UploadEvent["_tag"], change: keyof typeof changes, bytes: number) =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const content = yield* zipOf(bytes)
      const path = yield* fileWith(content)
      const id = yield* seed()
      let isChanged = false
      const onEvent = (event: UploadEvent) =>
        Effect.suspend(() => {
          if (event._tag !== tag || isChanged) return Effect.void
          isChanged = true
          return Effect.orDie(fs.writeFile(path, changes[change](content)))
        })
      const error = yield* Effect.flip(
        ExtensionUpload.upload({ extensionId: id, archive: Archive.file(path), onEvent })
      )
      expect(error).toMatchObject({ _tag: "ArchiveChanged", path, isRetryable: false })
      expect(error.message).toContain(`The archive "${path}" `)
      // Nothing counts as uploaded: the server never had a whole body, neither of the old content nor of the new.
      expect((yield* puts).filter(({ complete }) => complete)).toEqual([])
      expect(yield* held(id)).toMatchObject({ uploads: 0, sha256: undefined })
      expect(yield* journaled).toEqual([])
      return error
    })

  const kinds = ["is rewritten", "is rewritten at its beginning", "shrinks", "grows"] as const

  it.scopedLive.each(kinds)("before it is sent is not sent to its end: %s", (change) =>
    Effect.gen(function* () {
      const error = yield* changingAt("AttemptStarted", change, 100_000)
      expect(error).toMatchObject({ reason: reasons[change] })
    }).pipe(Effect.provide(world()))
  )

  it.scopedLive.each(kinds)("between two attempts is not sent to its end: %s", (change) =>
    Effect.gen(function* () {
      const cloud = yield* LocalElasticCloud
      yield* cloud.plan({ method: "PUT", fault: Fault.cut({ afterBodyBytes: 100_000 }, "reset") })
      const error = yield* changingAt("RetryScheduled", change, 10_000_000)
      expect(error).toMatchObject({ reason: reasons[change] })
      expect((yield* puts).length).toBeLessThanOrEqual(2)
    }).pipe(Effect.provide(world()))
  )

  it.scopedLive.each(["is rewritten", "shrinks", "grows"] as const)(
    "while it is sent is not sent to its end: %s",
    (change) =>
      Effect.gen(function* () {
        const cloud = yield* LocalElasticCloud
        yield* cloud.plan({ method: "PUT", fault: Fault.readSlowly(50_000_000) })
        yield* changingAt("BytesWritten", change, 20_000_000)
        expect(yield* puts).toHaveLength(1)
      }).pipe(Effect.provide(world()))
  )

  it.scopedLive("only in its date is still the same archive", () =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const content = yield* zipOf(1000)
      const path = yield* fileWith(content)
      const id = yield* seed()
      const first = ExtensionUpload.upload({ extensionId: id, archive: Archive.file(path) })
      expect(yield* first).toMatchObject({ _tag: "Uploaded" })
      yield* fs.utimes(path, new Date(0), new Date(0))
      expect(yield* first).toMatchObject({ _tag: "AlreadyCurrent", archive: { sha256: sha256(content) } })
    }).pipe(Effect.provide(world()))
  )

  it.live.each([
    ["ends early", "Shrank", (content: Buffer) => content.subarray(0, -1)],
    ["runs long", "Grew", (content: Buffer) => Buffer.concat([content, Buffer.from("x")])]
  ] as const)(
    "as a source of one's own that %s when it is read again is not sent to its end",
    ([, reason, other]) =>
      Effect.gen(function* () {
        const content = yield* zipOf(3_000_000)
        const id = yield* seed()
        let current = content
        const archive = Archive.make({
          name: "made.zip",
          size: content.length,
          open: (offset) => Stream.suspend(() => Stream.make(current.subarray(offset)))
        })
        const onEvent = ({ _tag }: UploadEvent) =>
          Effect.sync(() => {
            if (_tag === "DigestComputed") current = other(content)
          })
        const error = yield* Effect.flip(ExtensionUpload.upload({ extensionId: id, archive, onEvent }))
        expect(error).toMatchObject({ _tag: "ArchiveChanged", reason, path: "made.zip" })
        expect((yield* puts).map(({ complete }) => complete)).toEqual([false])
        expect(yield* held(id)).toMatchObject({ uploads: 0 })
      }).pipe(Effect.provide(world()))
  )
})

describe("a large archive", () => {
  it.live("above 8 GB is refused before one byte of it is read", () =>
    Effect.gen(function* () {
      let readings = 0
      const archive = Archive.make({
        name: "huge.zip",
        size: 8_000_000_001,
        open: () => {
          readings += 1
          return Stream.never
        }
      })
      const error = yield* Effect.flip(ExtensionUpload.upload({ extensionId: yield* seed(), archive }))
      expect(error).toMatchObject({ _tag: "ArchiveTooLarge", size: 8_000_000_001, limit: 8_000_000_000 })
      expect(error.message).toContain('"huge.zip" is 8000000001 bytes')
      expect(readings).toBe(0)
      expect(yield* traffic).toEqual([])
      expect(yield* journaled).toEqual([])
    }).pipe(Effect.provide(world()))
  )

  it.live("above the limit of direct uploads brings a warning, and is sent", () =>
    Effect.gen(function* () {
      const content = yield* zipOf(2000)
      const id = yield* seed()
      const { events, onEvent } = recordEvents()
      const archive = Archive.bytes({ name: "a.zip", bytes: content })
      yield* ExtensionUpload.upload({ extensionId: id, archive, onEvent })
      expect(events.filter(({ _tag }) => _tag === "Warning")).toEqual([
        {
          _tag: "Warning",
          code: "ArchiveProblem",
          problem: "over-direct-upload-limit",
          message: expect.stringContaining(
            `is ${content.length} bytes, over the 1000 bytes of a direct upload`
          )
        }
      ])
      expect((yield* held(id)).sha256).toBe(sha256(content))
    }).pipe(Effect.provide(world({ settings: { directUploadLimitBytes: 1000 } })))
  )

  it.live("at that limit brings none", () =>
    Effect.gen(function* () {
      const content = yield* zipOf(2000)
      const { events, onEvent } = recordEvents()
      const archive = Archive.bytes({ name: "a.zip", bytes: content })
      const directUploadLimitBytes = content.length
      yield* ExtensionUpload.upload({ extensionId: yield* seed(), archive, onEvent, directUploadLimitBytes })
      expect(events.filter(({ _tag }) => _tag === "Warning")).toEqual([])
    }).pipe(Effect.provide(world()))
  )
})

describe.skipIf(process.platform !== "linux")("an application whose scope lives on", () => {
  it.scopedLive.each([
    ["in one piece", 300_000],
    ["in many", 5_000_000]
  ] as const)("is left without an open file, whether the archive comes %s", ([, bytes]) =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const path = yield* fileWith(yield* zipOf(bytes))
      const archive = Archive.file(path)
      for (const extensionId of [yield* seed(), yield* seed()]) {
        yield* ExtensionUpload.plan({ extensionId, archive })
        yield* ExtensionUpload.upload({ extensionId, archive })
      }
      // A descriptor that is closed in between has no target any more.
      const target = (descriptor: string) => Effect.option(fs.readLink(`/proc/self/fd/${descriptor}`))
      const open = yield* Effect.forEach(yield* fs.readDirectory("/proc/self/fd"), target)
      expect(open.filter(Option.contains(path))).toEqual([])
      expect(open.filter(Option.isSome)).not.toEqual([])
    }).pipe(Effect.provide(world()))
  )
})
