/** An archive gets into the store whole, and nothing that is there is sent again. Judged by what the store received. */
import type { PlatformError } from "@effect/platform/Error"
import * as FileSystem from "@effect/platform/FileSystem"
import { describe, expect, it } from "@effect/vitest"
import { Array as Arr, Deferred, Effect, Exit, Option, Order, Redacted, Runtime, Stream } from "effect"
import * as Archive from "../../src/archive/Archive.ts"
import * as ArchiveDigest from "../../src/archive/ArchiveDigest.ts"
import type { ArchiveChanged } from "../../src/archive/ArchiveError.ts"
import * as ArchiveStaging from "../../src/staging/ArchiveStaging.ts"
import { planOf, sizeOfPart } from "../../src/staging/internal/archiveStaging/parts.ts"
import * as UploadHttpClient from "../../src/transfer/UploadHttpClient.ts"
import { rangeServer } from "../support/archive/rangeServer.ts"
import { content, layer as Files, longAgo, readingBy, writeTemp } from "../support/archive/sources.ts"
import { archiveOf, fileOf, kinds, machine, partBytes, watched } from "../support/staging/machine.ts"
import { type ObjectStoreServer, objectStore } from "../support/staging/objectStore.ts"
import { recordingTracer, traceHeaders } from "../support/upload/tracer.ts"
import { sha256 } from "../support/upload/world.ts"

const mebibyte = 1024 * 1024
const small = { partBytes }

type Read<R> = Archive.Archive<R>["read"]

/** The archive with something else in place of a reading of it, each time that one begins; 1 is the first. */
const reading = <R>(
  archive: Archive.Archive<R>,
  readInstead: (count: number, options: Parameters<Read<R>>[0]) => ReturnType<Read<R>>
): Archive.Archive<R> => {
  let count = 0
  return {
    ...archive,
    read: (options) =>
      Stream.suspend(() => {
        count += 1
        return readInstead(count, options)
      })
  }
}

const byStart = Order.mapInput(Order.number, ([from]: readonly [number, unknown]) => from)

const keyOf = (bytes: Uint8Array, name = "dictionaries.zip") => `elastic/${sha256(bytes)}/${name}`

const heldBy = (store: ObjectStoreServer, key: string) => {
  const object = store.objects.get(key)
  return object === undefined ? undefined : sha256(object.bytes)
}

/** Stages, on a machine of its own. */
const stageOn = <R>(
  store: ObjectStoreServer,
  archive: Archive.Archive<R>,
  options: ArchiveStaging.StageOptions & Parameters<typeof machine>[1] = {}
) =>
  ArchiveStaging.stage(archive, { ...small, ...options }).pipe(
    Effect.provide(machine(store, options)),
    Effect.provide(Files)
  )

/** Digested as it is going to be sent. */
const inParts = <R>(archive: Archive.Archive<R>, bytes = partBytes) =>
  ArchiveDigest.compute(archive, { checkpointBytes: bytes, parts: true })

/** An upload that an earlier run left, with these parts of the content. */
const leave = (
  store: ObjectStoreServer,
  bytes: Uint8Array,
  parts: ReadonlyArray<number>,
  size = partBytes
) => {
  const upload = store.begin(keyOf(bytes))
  for (const number of parts) {
    store.put(upload, number, Buffer.from(bytes.subarray((number - 1) * size, number * size)))
  }
  return upload
}

describe("stage", () => {
  it.scopedLive("takes no trace along to the store", () =>
    Effect.gen(function* () {
      const store = yield* objectStore()
      const { spans, tracer } = recordingTracer()
      yield* stageOn(store, archiveOf(2).archive).pipe(Effect.withSpan("release"), Effect.withTracer(tracer))
      expect(spans.length).toBeGreaterThan(1)
      expect(store.received.map(({ action }) => action)).toEqual(
        expect.arrayContaining(["CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload"])
      )
      expect(store.received.flatMap(({ headers }) => traceHeaders(headers))).toEqual([])
    })
  )

  it.scopedLive("brings the archive into the store, in parts, under its digest", () =>
    Effect.gen(function* () {
      const store = yield* objectStore()
      const { archive, bytes } = archiveOf(6)
      const staged = yield* stageOn(store, archive)
      expect(heldBy(store, keyOf(bytes))).toBe(sha256(bytes))
      expect(store.objects.get(keyOf(bytes))?.contentType).toBe("application/zip")
      expect([...store.takenParts].sort()).toEqual([1, 2, 3, 4, 5, 6])
      expect(store.received.map(({ action }) => action)).toEqual([
        "GetObject",
        "ListMultipartUploads",
        "CreateMultipartUpload",
        ...Array.from({ length: 6 }, () => "UploadPart"),
        "CompleteMultipartUpload",
        "GetObject"
      ])
      expect(store.uploads.size).toBe(0)
      expect(staged).toEqual({
        location: `s3://builds/${keyOf(bytes)}`,
        key: `${sha256(bytes)}/dictionaries.zip`,
        size: bytes.length,
        sha256: sha256(bytes),
        bytesSent: bytes.length,
        bytesKept: 0,
        partsSent: 6,
        partsKept: 0
      })
    })
  )

  it.scopedLive("tells how far it has come, with what was there already", () =>
    Effect.gen(function* () {
      const store = yield* objectStore()
      const { archive, bytes } = archiveOf(4)
      leave(store, bytes, [1])
      const { events } = yield* watched(stageOn(store, archive))
      const steps = events.flatMap((event) => (event._tag === "StagingProgress" ? [event] : []))
      const told = steps.map((event) => event.bytes)
      expect(told).toEqual([...told].sort((one, other) => one - other))
      expect(told.at(-1)).toBe(bytes.length)
      expect(told.every((now) => now >= partBytes)).toBe(true)
      expect(new Set(steps.map(({ total }) => total))).toEqual(new Set([bytes.length]))
    })
  )

  it.scopedLive("counts each byte of a part once, in however many writes it leaves", () =>
    Effect.gen(function* () {
      const store = yield* objectStore()
      const { archive, bytes } = archiveOf(12)
      const { events, exit } = yield* watched(stageOn(store, archive, { partBytes: 12 * partBytes }))
      expect(exit).toMatchObject({ value: { bytesSent: bytes.length, partsSent: 1 } })
      const told = events.flatMap((event) => (event._tag === "StagingProgress" ? [event.bytes] : []))
      expect(told.length).toBeGreaterThan(1)
      expect(told.at(-1)).toBe(bytes.length)
    })
  )

  it.scopedLive("asks only for a byte where the archive is there", () =>
    Effect.gen(function* () {
      const store = yield* objectStore()
      const { archive, bytes } = archiveOf(3)
      yield* stageOn(store, archive)
      store.received.length = 0
      const { events, exit } = yield* watched(stageOn(store, archive))
      expect(exit).toMatchObject({
        value: { bytesSent: 0, bytesKept: bytes.length, partsSent: 0, partsKept: 3 }
      })
      expect(store.received.map(({ action }) => action)).toEqual(["GetObject"])
      expect(events.at(-1)).toMatchObject({ _tag: "StagingCompleted", wasThere: true })
    })
  )

  it.scopedLive("writes over something else of another size", () =>
    Effect.gen(function* () {
      const store = yield* objectStore()
      const { archive, bytes } = archiveOf(2)
      store.objects.set(keyOf(bytes), { bytes: Buffer.from("half"), contentType: "text/plain", etag: "x" })
      yield* stageOn(store, archive)
      expect(heldBy(store, keyOf(bytes))).toBe(sha256(bytes))
    })
  )

  describe.each(kinds)("of an archive %s", (_, archiveOf) => {
    /** Where readings begin and end, when the archive is staged. */
    const readingsOf = <E>(
      options: (
        archive: Archive.Archive<FileSystem.FileSystem>
      ) => Effect.Effect<ArchiveStaging.StageOptions, E, FileSystem.FileSystem>
    ) =>
      Effect.gen(function* () {
        const store = yield* objectStore()
        const { archive, bytes } = yield* archiveOf(6)
        const ranges: Array<readonly [from: number, to: number | undefined]> = []
        const noted = reading(archive, (_, { end, offset, ...others }) => {
          ranges.push([offset, end])
          return archive.read({ end, offset, ...others })
        })
        yield* stageOn(store, noted, yield* Effect.provide(options(archive), Files))
        expect(heldBy(store, keyOf(bytes))).toBe(sha256(bytes))
        const parts = Arr.range(0, 5).map((part) => [
          part * partBytes,
          Math.min(bytes.length, (part + 1) * partBytes)
        ])
        return { parts, ranges: Arr.sort(ranges, byStart) }
      })

    it.scopedLive("reads each part once, where the digest knows the parts", () =>
      Effect.gen(function* () {
        const { parts, ranges } = yield* readingsOf((archive) =>
          Effect.map(inParts(archive), (digest) => ({ digest }))
        )
        expect(ranges).toEqual(parts)
      })
    )

    it.scopedLive("reads all of it once before, where there is no digest", () =>
      Effect.gen(function* () {
        const { parts, ranges } = yield* readingsOf(() => Effect.succeed({}))
        expect(ranges).toEqual([[0, undefined], ...parts])
      })
    )

    it.scopedLive("reads all of it once before, where the digest knows none, or others", () =>
      Effect.gen(function* () {
        for (const bytes of [undefined, 2 * partBytes]) {
          const { parts, ranges } = yield* readingsOf((archive) =>
            Effect.map(
              bytes === undefined ? ArchiveDigest.compute(archive) : inParts(archive, bytes),
              (digest) => ({ digest })
            )
          )
          expect(ranges).toEqual([[0, undefined], ...parts])
        }
      })
    )
  })

  it.scopedLive("asks an address for the bytes of each part, and for no more", () =>
    Effect.gen(function* () {
      const store = yield* objectStore()
      const { bytes } = archiveOf(6)
      const builds = yield* rangeServer({ bytes, etag: '"1"' })
      const staged = yield* ArchiveStaging.stage(Archive.url(builds.url), { ...small, concurrency: 2 }).pipe(
        Effect.provide(machine(store)),
        Effect.provide(UploadHttpClient.layer())
      )
      expect(staged).toMatchObject({ partsSent: 6, bytesSent: bytes.length })
      expect(heldBy(store, keyOf(bytes, "acme.zip"))).toBe(sha256(bytes))
      const [first, ...parts] = builds.ranges()
      expect(first).toBe("bytes=0-131071")
      expect(parts.slice(1).sort()).toEqual(
        Arr.range(0, 5)
          .map((part) => `bytes=${part * partBytes}-${Math.min(bytes.length, (part + 1) * partBytes) - 1}`)
          .sort()
      )
      expect(builds.state.sent).toBe(2 * bytes.length)
    })
  )

  it.scopedLive("reads a file into the same few buffers, however many parts it has", () =>
    Effect.gen(function* () {
      const store = yield* objectStore()
      const bytes = content(24 * mebibyte)
      const archive = Archive.file(yield* writeTemp(bytes))
      const digest = yield* inParts(archive, mebibyte)
      const buffers = new Set<ArrayBufferLike>()
      const observed = yield* readingBy((file, buffer) => {
        buffers.add(buffer.buffer)
        return file.read(buffer)
      })
      yield* ArchiveStaging.stage(archive, { digest, partBytes: mebibyte }).pipe(
        Effect.provide(machine(store)),
        Effect.provideService(FileSystem.FileSystem, observed)
      )
      expect(heldBy(store, keyOf(bytes))).toBe(sha256(bytes))
      const lengths = [...buffers].map(({ byteLength }) => byteLength)
      expect(lengths.length).toBeGreaterThan(0)
      expect(lengths.reduce((sum, length) => sum + length, 0)).toBeLessThan(4 * mebibyte)
    }).pipe(Effect.provide(Files))
  )

  it.scopedLive("has as many parts under way as was asked for, and no more", () =>
    Effect.gen(function* () {
      const store = yield* objectStore()
      const { archive } = archiveOf(8)
      const runtime = yield* Effect.runtime()
      const full = yield* Deferred.make<void>()
      let under = 0
      let most = 0
      const meet = () => {
        under += 1
        most = Math.max(most, under)
        if (under === 3) Deferred.unsafeDone(full, Exit.void)
        return Runtime.runPromise(runtime)(Deferred.await(full)).then(() => {
          under -= 1
        })
      }
      store.plan("UploadPart", { _tag: "Run", effect: meet }, { times: 8 })
      yield* stageOn(store, archive, { concurrency: 3 })
      expect(most).toBe(3)
    })
  )

  it.scopedLive.each([
    "with spaces and + signs & 100%.zip",
    "Wörter-辞書-🔍.zip",
    "it's (a) *star* ~tilde!.zip",
    "a#b?c=d&e;f,g:h@i$j.zip",
    "%2B%2e%2e.zip",
    "<quot\"es'>.zip"
  ])("takes the name %s as it is", (name) =>
    Effect.gen(function* () {
      const store = yield* objectStore()
      const { archive, bytes } = archiveOf(2, name)
      store.plan("CompleteMultipartUpload", { _tag: "Fail", status: 503, code: "SlowDown" })
      leave(store, bytes, [1]).parts.clear()
      const staged = yield* stageOn(store, archive)
      expect(heldBy(store, keyOf(bytes, name))).toBe(sha256(bytes))
      const { url } = yield* ArchiveStaging.link(staged, { lifetime: "1 minute" }).pipe(
        Effect.provide(machine(store))
      )
      const fetched = yield* Effect.promise(() => fetch(Redacted.value(url)).then((r) => r.arrayBuffer()))
      expect(sha256(new Uint8Array(fetched))).toBe(sha256(bytes))
    })
  )

  it.scopedLive("makes a key that any store can list of names that none can", () =>
    Effect.gen(function* () {
      const digest = "0".repeat(64)
      const key = (name: string) => ArchiveStaging.keyOf({ sha256: digest, name }).slice(65)
      expect(key("a\u0000b\nc\u007f.zip")).toBe("a_b_c_.zip")
      expect(key("..")).toBe("__")
      expect(key(".")).toBe("__")
      expect(key("half \ud800 pair.zip")).toBe("half \ufffd pair.zip")
      const store = yield* objectStore()
      const { archive, bytes } = archiveOf(1, "line\nbreak.zip")
      yield* stageOn(store, archive)
      expect(heldBy(store, keyOf(bytes, "line_break.zip"))).toBe(sha256(bytes))
    })
  )

  it.scopedLive("makes no object of an archive that changed since it was digested", () =>
    Effect.gen(function* () {
      const store = yield* objectStore()
      const { archive, bytes } = archiveOf(6)
      const digest = yield* inParts(archive)
      const other = Uint8Array.from(bytes)
      other[3 * partBytes] = (other[3 * partBytes] ?? 0) ^ 1
      const changed = Archive.bytes({ name: "dictionaries.zip", bytes: other })
      const failure = yield* Effect.flip(stageOn(store, changed, { digest }))
      expect(failure).toMatchObject({ _tag: "ArchiveChanged", reason: "Modified" })
      expect(store.objects.size).toBe(0)
      // The right one goes on with what is right of it.
      const staged = yield* stageOn(store, archive, { digest })
      expect(heldBy(store, keyOf(bytes))).toBe(sha256(bytes))
      expect(staged.partsKept).toBeLessThan(6)
    })
  )
})

/** What befalls a file before its second part is read to be sent. */
const changes: ReadonlyArray<{
  readonly what: string
  readonly reason: ArchiveChanged["reason"]
  readonly detail: RegExp
  readonly act: (
    fs: FileSystem.FileSystem,
    path: string,
    other: Uint8Array
  ) => Effect.Effect<void, PlatformError>
}> = [
  {
    what: "is written over",
    reason: "Modified",
    detail: /^last modified/,
    act: (fs, path, other) => fs.writeFile(path, other, { flag: "r+" })
  },
  { what: "shrinks", reason: "Shrank", detail: /^from/, act: (fs, path) => fs.truncate(path, partBytes) },
  {
    what: "grows",
    reason: "Grew",
    detail: /^from/,
    act: (fs, path) => fs.writeFile(path, content(10), { flag: "a" })
  },
  {
    what: "makes room for another one of the same date",
    reason: "Modified",
    detail: /another file/,
    act: (fs, path, other) =>
      Effect.gen(function* () {
        yield* fs.writeFile(`${path}.new`, other)
        yield* fs.utimes(`${path}.new`, longAgo, longAgo)
        yield* fs.rename(`${path}.new`, path)
      })
  },
  {
    what: "is written over, and has its date set back",
    reason: "Modified",
    detail: new RegExp(`^bytes ${partBytes} to ${2 * partBytes} are not those that were digested$`),
    act: (fs, path, other) =>
      Effect.zipRight(fs.writeFile(path, other, { flag: "r+" }), fs.utimes(path, longAgo, longAgo))
  }
]

describe("a file that changes between the moments at which it is hashed and sent", () => {
  it.scopedLive.each(changes)("is told, and makes no object: it $what", ({ act, detail, reason }) =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const store = yield* objectStore()
      const { archive, bytes, path } = yield* fileOf(4)
      const digest = yield* inParts(archive)
      const other = Uint8Array.from(bytes)
      other[partBytes] = (bytes[partBytes] ?? 0) ^ 1
      const changing = reading(archive, (count, options) =>
        count === 2
          ? Stream.unwrap(Effect.as(Effect.orDie(act(fs, path, other)), archive.read(options)))
          : archive.read(options)
      )
      const failure = yield* Effect.flip(stageOn(store, changing, { digest, concurrency: 1 }))
      expect(failure).toMatchObject({ _tag: "ArchiveChanged", reason, detail: expect.stringMatching(detail) })
      expect(store.takenParts).toEqual([1])
      const attempts = store.of("UploadPart").filter(({ part }) => part === 2)
      for (const { bodyBytes, status } of attempts) {
        expect(status).toBe(0)
        expect(bodyBytes).toBeLessThan(partBytes)
      }
      expect(store.objects.size).toBe(0)
      // Once it is what it was, the parts that arrived are good.
      yield* fs.writeFile(path, bytes)
      const staged = yield* stageOn(store, archive)
      expect(staged).toMatchObject({ partsKept: 1, partsSent: 3 })
      expect(heldBy(store, keyOf(bytes))).toBe(sha256(bytes))
    }).pipe(Effect.provide(Files))
  )

  it.scopedLive.each([
    { what: "and becomes what the store has of another content", fault: undefined, atReading: 2 },
    {
      what: "and becomes what the store has in place of the part that was lost on the way",
      fault: { _tag: "Cut", afterBytes: partBytes },
      atReading: 4
    }
  ] as const)("is told when nothing but its bytes tells: it is written over $what", ({ atReading, fault }) =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const store = yield* objectStore()
      const { archive, bytes, path } = yield* fileOf(4)
      const digest = yield* inParts(archive)
      const old = Buffer.alloc(partBytes, 1)
      store.put(leave(store, bytes, [1]), 2, old)
      if (fault !== undefined) store.plan("UploadPart", fault, { part: 2 })
      const other = Uint8Array.from(bytes)
      other.set(old, partBytes)
      const act = Effect.zipRight(
        fs.writeFile(path, other, { flag: "r+" }),
        fs.utimes(path, longAgo, longAgo)
      )
      // The first compares the first part with the store's. The next ones are of the second: compared, sent, and compared again.
      const changing = reading(archive, (count, options) =>
        count === atReading
          ? Stream.unwrap(Effect.as(Effect.orDie(act), archive.read(options)))
          : archive.read(options)
      )
      const failure = yield* Effect.flip(stageOn(store, changing, { digest, concurrency: 1 }))
      expect(failure).toMatchObject({
        _tag: "ArchiveChanged",
        detail: `bytes ${partBytes} to ${2 * partBytes} are not those that were digested`
      })
      expect(store.takenParts).toEqual([])
      expect(store.objects.size).toBe(0)
    }).pipe(Effect.provide(Files))
  )

  it.scopedLive("is told in the middle of a part, of which the store takes nothing", () =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const store = yield* objectStore()
      const bytes = content(3 * mebibyte)
      const path = yield* writeTemp(bytes)
      const archive = Archive.file(path)
      const digest = yield* inParts(archive, mebibyte)
      let isWhole = true
      const changing = reading(archive, (count, options) => {
        if (count !== 2) return archive.read(options)
        return Stream.tap(archive.read(options), () =>
          Effect.orDie(
            Effect.suspend(() => {
              if (!isWhole) return Effect.void
              isWhole = false
              return fs.truncate(path, mebibyte + 1)
            })
          )
        )
      })
      const failure = yield* Effect.flip(
        stageOn(store, changing, { digest, partBytes: mebibyte, concurrency: 1 })
      )
      expect(failure).toMatchObject({ _tag: "ArchiveChanged", reason: "Shrank" })
      expect(store.of("UploadPart").map(({ part, status }) => [part, status])).toEqual([
        [1, 200],
        [2, 0]
      ])
      expect(store.of("UploadPart")[1]?.bodyBytes).toBeLessThan(mebibyte)
      expect(store.objects.size).toBe(0)
    }).pipe(Effect.provide(Files))
  )
})

describe.skipIf(process.platform !== "linux")("an application whose scope lives on", () => {
  it.scopedLive("is left without an open file, however the staging of one ends", () =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const store = yield* objectStore()
      const paths: Array<string> = []
      const next = (parts: number) =>
        Effect.tap(fileOf(parts), ({ path }) => Effect.sync(() => paths.push(path)))
      yield* stageOn(store, (yield* next(4)).archive)

      store.plan("UploadPart", { _tag: "Cut", afterBytes: 1000 }, { part: 2, times: 2 })
      yield* stageOn(store, (yield* next(5)).archive)

      store.plan("UploadPart", { _tag: "Fail", status: 403, code: "AccessDenied" }, { part: 3 })
      const refused = yield* Effect.flip(stageOn(store, (yield* next(6)).archive))
      expect(refused._tag).toBe("StoreAccessDenied")

      const reached = yield* Deferred.make<void>()
      const hang = () => {
        Deferred.unsafeDone(reached, Exit.void)
        return new Promise<void>(() => {})
      }
      store.plan("UploadPart", { _tag: "Run", effect: hang }, { part: 4 })
      yield* Effect.raceFirst(stageOn(store, (yield* next(7)).archive), Deferred.await(reached))

      // A descriptor that is closed in between has no target any more.
      const target = (descriptor: string) => Effect.option(fs.readLink(`/proc/self/fd/${descriptor}`))
      const open = yield* Effect.forEach(yield* fs.readDirectory("/proc/self/fd"), target)
      expect(open.filter(Option.exists((path) => paths.includes(path)))).toEqual([])
      expect(open.filter(Option.isSome)).not.toEqual([])
    }).pipe(Effect.provide(Files))
  )
})

describe("how an archive is cut", () => {
  const limits = { minPartBytes: 5 * mebibyte, maxPartBytes: 5 * 1024 * mebibyte, maxParts: 10_000 }

  it.each([
    ["by default", 100 * mebibyte, {}, { partBytes: 8 * mebibyte, count: 13, concurrency: 4 }],
    [
      "smaller than the store takes",
      100 * mebibyte,
      { partBytes: mebibyte, concurrency: 2 },
      { partBytes: 5 * mebibyte, count: 20, concurrency: 2 }
    ],
    [
      "into as many parts as may be, and no more",
      80_000 * mebibyte,
      { partBytes: 8 * mebibyte },
      { partBytes: 8 * mebibyte, count: 10_000, concurrency: 4 }
    ],
    [
      "into larger parts where there would be too many, and fewer of them at once",
      160_000 * mebibyte,
      { concurrency: 5 },
      { partBytes: 16 * mebibyte, count: 10_000, concurrency: 2 }
    ],
    [
      "one at a time at least",
      900_000 * mebibyte,
      { concurrency: 0 },
      { partBytes: 90 * mebibyte, count: 10_000, concurrency: 1 }
    ]
  ] as const)("%s", (_, size, options, expected) => {
    expect(planOf(size, limits, options)).toEqual({ size, ...expected })
  })

  it("gives each part its size, and none to parts that there are not", () => {
    const plan = planOf(12 * mebibyte, limits, {})
    expect([0, 1, 2, 3].map((number) => sizeOfPart(plan, number))).toEqual([0, 8 * mebibyte, 4 * mebibyte, 0])
  })
})

describe.each(kinds)("resumption of an archive %s", (_, archiveOf) => {
  it.scopedLive("goes on with the parts that arrived, from another machine", () =>
    Effect.gen(function* () {
      const store = yield* objectStore()
      const { archive, bytes } = yield* archiveOf(8)
      store.plan("UploadPart", { _tag: "Cut", afterBytes: 1 }, { part: 5, times: 100 })
      const first = yield* Effect.exit(stageOn(store, archive, { concurrency: 1, retry: { maxRetries: 0 } }))
      expect(first).toMatchObject({ cause: { error: { _tag: "ConnectionFailed" } } })
      expect(store.takenParts).toEqual([1, 2, 3, 4])

      const other = yield* objectStore()
      for (const upload of store.uploads.values()) other.uploads.set(upload.id, upload)
      const { events, exit } = yield* watched(stageOn(other, archive))
      expect(exit).toMatchObject({
        value: {
          partsKept: 4,
          partsSent: 4,
          bytesKept: 4 * partBytes,
          bytesSent: bytes.length - 4 * partBytes
        }
      })
      expect([...other.takenParts].sort()).toEqual([5, 6, 7, 8])
      expect(other.of("CreateMultipartUpload")).toEqual([])
      expect(heldBy(other, keyOf(bytes))).toBe(sha256(bytes))
      expect(events[1]).toEqual({ _tag: "StagingContinued", parts: 4, bytes: 4 * partBytes })
      expect(events.filter(({ _tag }) => _tag === "PartKept")).toHaveLength(4)
    })
  )

  it.scopedLive("goes on after it was interrupted", () =>
    Effect.gen(function* () {
      const store = yield* objectStore()
      const { archive, bytes } = yield* archiveOf(4)
      const reached = yield* Deferred.make<void>()
      const hang = () => {
        Deferred.unsafeDone(reached, Exit.void)
        return new Promise<void>(() => {})
      }
      store.plan("UploadPart", { _tag: "Run", effect: hang }, { part: 3 })
      yield* Effect.raceFirst(stageOn(store, archive, { concurrency: 1 }), Deferred.await(reached))
      expect(store.takenParts).toEqual([1, 2])
      yield* stageOn(store, archive)
      expect([...store.takenParts].sort()).toEqual([1, 2, 3, 4])
      expect(heldBy(store, keyOf(bytes))).toBe(sha256(bytes))
    })
  )

  const leftovers: ReadonlyArray<{
    readonly what: string
    readonly leave: (store: ObjectStoreServer, bytes: Uint8Array) => void
    readonly sent: ReadonlyArray<number>
  }> = [
    {
      what: "parts of an older archive",
      leave: (store, bytes) => {
        const upload = leave(store, bytes, [2, 4])
        store.put(upload, 1, Buffer.alloc(partBytes, 1))
        store.put(upload, 3, Buffer.alloc(partBytes, 3))
      },
      sent: [1, 3, 5]
    },
    {
      what: "parts of another size, and more of them",
      leave: (store, bytes) => void leave(store, bytes, [1, 2, 3, 4, 5, 6, 7, 8, 9], partBytes / 2),
      sent: [1, 2, 3, 4, 5]
    },
    {
      what: "half of the parts, because a rule removed the others",
      leave: (store, bytes) => void leave(store, bytes, [1, 3, 5]),
      sent: [2, 4]
    },
    {
      what: "several uploads, of which one has more",
      leave: (store, bytes) => {
        leave(store, bytes, [1])
        leave(store, bytes, [1, 2, 3, 4])
        leave(store, bytes, [])
      },
      sent: [5]
    },
    {
      what: "all parts",
      leave: (store, bytes) => void leave(store, bytes, [1, 2, 3, 4, 5]),
      sent: []
    }
  ]

  it.scopedLive.each(leftovers)("keeps what is right of $what", ({ leave, sent }) =>
    Effect.gen(function* () {
      const store = yield* objectStore()
      const { archive, bytes } = yield* archiveOf(5)
      leave(store, bytes)
      yield* stageOn(store, archive)
      expect([...store.takenParts].sort()).toEqual(sent)
      expect(store.of("CreateMultipartUpload")).toEqual([])
      expect(heldBy(store, keyOf(bytes))).toBe(sha256(bytes))
      expect(store.uploads.size).toBe(0)
    })
  )

  it.scopedLive("sends parts again whose entity tag is no MD5", () =>
    Effect.gen(function* () {
      const store = yield* objectStore({ md5Etags: false })
      const { archive, bytes } = yield* archiveOf(3)
      leave(store, bytes, [1, 2])
      yield* stageOn(store, archive)
      expect([...store.takenParts].sort()).toEqual([1, 2, 3])
      expect(heldBy(store, keyOf(bytes))).toBe(sha256(bytes))
    })
  )

  it.scopedLive("leaves uploads of other keys alone, also of longer ones", () =>
    Effect.gen(function* () {
      const store = yield* objectStore()
      const { archive, bytes } = yield* archiveOf(2)
      store.begin(`${keyOf(bytes)}.sig`)
      store.begin(`elastic/${sha256(bytes)}/dictionaries.zi`)
      yield* stageOn(store, archive)
      expect(store.uploads.size).toBe(2)
    })
  )

  it.scopedLive("reads lists of many pages", () =>
    Effect.gen(function* () {
      const store = yield* objectStore({ maxPage: 2 })
      const { archive, bytes } = yield* archiveOf(7)
      for (const _ of [1, 2, 3, 4]) leave(store, bytes, [])
      leave(store, bytes, [1, 2, 3, 4, 5, 6])
      yield* stageOn(store, archive)
      expect(store.takenParts).toEqual([7])
      expect(heldBy(store, keyOf(bytes))).toBe(sha256(bytes))
      expect(store.uploads.size).toBe(0)
    })
  )

  it.scopedLive("works with a store that lists the uploads of a key alone", () =>
    Effect.gen(function* () {
      const store = yield* objectStore({ exactKeysOnly: true })
      const { archive, bytes } = yield* archiveOf(3)
      leave(store, bytes, [1, 2])
      yield* stageOn(store, archive)
      expect(store.takenParts).toEqual([3])
    })
  )

  it.scopedLive("begins where those who may not list are told that what is absent is not allowed", () =>
    Effect.gen(function* () {
      const store = yield* objectStore({ hidesAbsence: true })
      const { archive, bytes } = yield* archiveOf(2)
      yield* stageOn(store, archive)
      expect(heldBy(store, keyOf(bytes))).toBe(sha256(bytes))
    })
  )

  it.scopedLive("keeps the archive when a leftover can not be dropped, and says so", () =>
    Effect.gen(function* () {
      const store = yield* objectStore()
      const { archive, bytes } = yield* archiveOf(2)
      leave(store, bytes, [1])
      leave(store, bytes, [])
      store.plan("AbortMultipartUpload", { _tag: "Fail", status: 403, code: "AccessDenied" })
      const { events, exit } = yield* watched(stageOn(store, archive))
      expect(Exit.isSuccess(exit)).toBe(true)
      expect(events).toContainEqual(
        expect.objectContaining({
          _tag: "StagingWarning",
          message: expect.stringContaining("s3:AbortMultipartUpload")
        })
      )
    })
  )
})

describe.each(kinds)("two machines at once with an archive %s", (_, archiveOf) => {
  it.scopedLive("both end well, and the store holds the archive", () =>
    Effect.gen(function* () {
      const store = yield* objectStore()
      const { archive, bytes } = yield* archiveOf(10)
      const both = yield* Effect.all([stageOn(store, archive), stageOn(store, archive)], { concurrency: 2 })
      expect(both.map(({ key }) => key)).toEqual([both[0].key, both[0].key])
      expect(heldBy(store, keyOf(bytes))).toBe(sha256(bytes))
    })
  )

  it.scopedLive.each(["UploadPart", "CompleteMultipartUpload", "ListParts"] as const)(
    "and one was faster, as the other sees at %s",
    (action) =>
      Effect.gen(function* () {
        const store = yield* objectStore()
        const { archive, bytes } = yield* archiveOf(4)
        leave(store, bytes, [1])
        store.plan(action, {
          _tag: "Run",
          effect: () => {
            store.uploads.clear()
            store.objects.set(keyOf(bytes), {
              bytes: Buffer.from(bytes),
              contentType: "application/zip",
              etag: "other"
            })
          }
        })
        const staged = yield* stageOn(store, archive)
        expect(staged).toMatchObject({ size: bytes.length, sha256: sha256(bytes) })
        expect(store.of("CreateMultipartUpload")).toEqual([])
      })
  )
})

describe.each(kinds)("an upload of an archive %s that is lost on the way", (_, archiveOf) => {
  it.scopedLive("is begun again", () =>
    Effect.gen(function* () {
      const store = yield* objectStore()
      const { archive, bytes } = yield* archiveOf(4)
      store.plan("UploadPart", { _tag: "Run", effect: () => store.uploads.clear() }, { part: 3 })
      const { events, exit } = yield* watched(stageOn(store, archive, { concurrency: 1 }))
      expect(exit).toMatchObject({ value: { partsSent: 4, partsKept: 0, bytesKept: 0 } })
      expect(heldBy(store, keyOf(bytes))).toBe(sha256(bytes))
      expect(events).toContainEqual(expect.objectContaining({ _tag: "StagingRestarted" }))
      expect(store.takenParts).toEqual([1, 2, 1, 2, 3, 4])
    })
  )

  it.scopedLive("costs only the parts that are gone, where those are some", () =>
    Effect.gen(function* () {
      const store = yield* objectStore()
      const { archive, bytes } = yield* archiveOf(4)
      const forget = () => {
        for (const { parts } of store.uploads.values()) parts.delete(2)
      }
      store.plan("CompleteMultipartUpload", { _tag: "Run", effect: forget })
      const staged = yield* stageOn(store, archive, { concurrency: 1 })
      expect(store.takenParts).toEqual([1, 2, 3, 4, 2])
      expect(staged).toMatchObject({ partsSent: 4, partsKept: 0 })
      expect(heldBy(store, keyOf(bytes))).toBe(sha256(bytes))
    })
  )

  it.scopedLive("again and again, is told", () =>
    Effect.gen(function* () {
      const store = yield* objectStore()
      const { archive } = yield* archiveOf(2)
      store.plan("UploadPart", { _tag: "Run", effect: () => store.uploads.clear() }, { times: 100 })
      const failure = yield* Effect.flip(stageOn(store, archive))
      expect(failure).toMatchObject({ _tag: "StoreUploadLost", reason: "Upload" })
      expect(failure.message).toMatch(/lifecycle rule .* run it again\.$/)
      expect(store.of("CreateMultipartUpload")).toHaveLength(5)
    })
  )
})

describe.each(kinds)("faults, with an archive %s,", (_, archiveOf) => {
  it.scopedLive.each([
    { what: "a 500", fault: { _tag: "Fail", status: 500, code: "InternalError" } },
    { what: "a 503", fault: { _tag: "Fail", status: 503, code: "SlowDown" } },
    { what: "a time-out of the store", fault: { _tag: "Fail", status: 400, code: "RequestTimeout" } },
    {
      what: "a gateway's page",
      fault: { _tag: "Answer", status: 502, contentType: "text/html", body: "<html>" }
    },
    { what: "a cut line", fault: { _tag: "Cut", afterBytes: 1000 } },
    { what: "bytes that a line has changed", fault: { _tag: "Corrupt" } }
  ] as const)("send a part again after $what, and no other one", ({ fault }) =>
    Effect.gen(function* () {
      const store = yield* objectStore()
      const { archive, bytes } = yield* archiveOf(4)
      store.plan("UploadPart", fault, { part: 2 })
      const staged = yield* stageOn(store, archive)
      expect([...store.takenParts].sort()).toEqual([1, 2, 3, 4])
      expect(store.of("UploadPart")).toHaveLength(5)
      expect(heldBy(store, keyOf(bytes))).toBe(sha256(bytes))
      expect(staged.bytesSent).toBeGreaterThanOrEqual(bytes.length)
    })
  )

  it.scopedLive("ask for a part whose answer was lost, and do not send it again", () =>
    Effect.gen(function* () {
      const store = yield* objectStore()
      const { archive, bytes } = yield* archiveOf(4)
      store.plan("UploadPart", { _tag: "LoseAnswer" }, { part: 2 })
      yield* stageOn(store, archive)
      expect(store.of("UploadPart")).toHaveLength(4)
      expect(store.partBytes).toBe(bytes.length)
      expect(heldBy(store, keyOf(bytes))).toBe(sha256(bytes))
    })
  )

  it.scopedLive(
    "send a part again that left and did not arrive, where the store has another one of its size",
    () =>
      Effect.gen(function* () {
        const store = yield* objectStore()
        const { archive, bytes } = yield* archiveOf(4)
        store.put(leave(store, bytes, [1]), 2, Buffer.alloc(partBytes, 1))
        store.plan("UploadPart", { _tag: "Cut", afterBytes: partBytes }, { part: 2 })
        yield* stageOn(store, archive)
        expect(store.of("UploadPart").filter(({ part }) => part === 2)).toMatchObject([
          { status: 0, bodyBytes: partBytes },
          { status: 200, bodyBytes: partBytes }
        ])
        expect(heldBy(store, keyOf(bytes))).toBe(sha256(bytes))
      })
  )

  it.scopedLive("tell no more progress than there is when a part is sent again", () =>
    Effect.gen(function* () {
      const store = yield* objectStore()
      const { archive, bytes } = yield* archiveOf(3)
      store.plan("UploadPart", { _tag: "Fail", status: 503, code: "SlowDown" }, { part: 2 })
      const { events } = yield* watched(stageOn(store, archive))
      const told = events.flatMap((event) => (event._tag === "StagingProgress" ? [event.bytes] : []))
      expect(store.of("UploadPart")).toHaveLength(4)
      expect(Math.max(...told)).toBe(bytes.length)
      expect(told.at(-1)).toBe(bytes.length)
    })
  )

  it.scopedLive("begin an upload that was not begun at first", () =>
    Effect.gen(function* () {
      const store = yield* objectStore()
      const { archive, bytes } = yield* archiveOf(2)
      store.plan("CreateMultipartUpload", { _tag: "Fail", status: 503, code: "SlowDown" })
      yield* stageOn(store, archive)
      expect(store.of("CreateMultipartUpload")).toHaveLength(2)
      expect(heldBy(store, keyOf(bytes))).toBe(sha256(bytes))
    })
  )

  it.scopedLive("find the upload whose beginning was not answered", () =>
    Effect.gen(function* () {
      const store = yield* objectStore()
      const { archive } = yield* archiveOf(2)
      store.plan("CreateMultipartUpload", { _tag: "LoseAnswer" })
      yield* stageOn(store, archive)
      expect(store.of("CreateMultipartUpload")).toHaveLength(1)
      expect(store.uploads.size).toBe(0)
    })
  )

  it.scopedLive.each([
    {
      what: "200 with an error that passes",
      fault: {
        _tag: "Answer",
        status: 200,
        contentType: "application/xml",
        body: "<?xml version='1.0'?>\n   <Error><Code>InternalError</Code><Message>We encountered an internal error.</Message></Error>"
      }
    },
    { what: "nothing, and was done", fault: { _tag: "LoseAnswer" } },
    { what: "nonsense, and was done", fault: { _tag: "GarbleAnswer", body: "OK" } },
    { what: "503, and was not done", fault: { _tag: "Fail", status: 503, code: "SlowDown" } }
  ] as const)("of the completion that answers $what end well", ({ fault }) =>
    Effect.gen(function* () {
      const store = yield* objectStore()
      const { archive, bytes } = yield* archiveOf(3)
      store.plan("CompleteMultipartUpload", fault)
      yield* stageOn(store, archive)
      expect(store.of("UploadPart")).toHaveLength(3)
      expect(heldBy(store, keyOf(bytes))).toBe(sha256(bytes))
    })
  )

  it.scopedLive("of the completion that does not pass are told, and what was sent stays", () =>
    Effect.gen(function* () {
      const store = yield* objectStore()
      const { archive } = yield* archiveOf(3)
      const body =
        "<Error><Code>InternalError</Code><Message>We encountered an internal error.</Message></Error>"
      store.plan(
        "CompleteMultipartUpload",
        { _tag: "Answer", status: 200, contentType: "application/xml", body },
        { times: 100 }
      )
      const failure = yield* Effect.flip(stageOn(store, archive))
      expect(failure).toMatchObject({ _tag: "StoreUnavailable", operation: "complete", status: 200 })
      expect(store.of("CompleteMultipartUpload")).toHaveLength(4)
      expect([...store.uploads.values()][0]?.parts.size).toBe(3)
    })
  )

  it.scopedLive("wait as long as the store asks for", () =>
    Effect.gen(function* () {
      const store = yield* objectStore()
      const { archive } = yield* archiveOf(1)
      const headers = { "retry-after": "0" }
      store.plan("CreateMultipartUpload", { _tag: "Fail", status: 503, code: "SlowDown", headers })
      const { events } = yield* watched(stageOn(store, archive))
      expect(events).toContainEqual(
        expect.objectContaining({ _tag: "StagingRetryScheduled", reason: "StoreUnavailable" })
      )
    })
  )

  it.scopedLive("that change bytes again and again are told", () =>
    Effect.gen(function* () {
      const store = yield* objectStore()
      const { archive } = yield* archiveOf(2)
      store.plan("UploadPart", { _tag: "Corrupt" }, { part: 2, times: 100 })
      const failure = yield* Effect.flip(stageOn(store, archive))
      expect(failure).toMatchObject({ _tag: "StorePartRefused", reason: "WrongBytes", partNumber: 2 })
      expect(store.objects.size).toBe(0)
    })
  )

  it.scopedLive("stop a part that gets nowhere", () =>
    Effect.gen(function* () {
      const store = yield* objectStore()
      const { archive } = yield* archiveOf(1)
      store.plan("UploadPart", { _tag: "Run", effect: () => new Promise(() => {}) }, { times: 100 })
      const failure = yield* Effect.flip(
        stageOn(store, archive, { retry: { maxRetries: 1 }, http: { responseTimeout: "1 second" } })
      )
      expect(failure._tag).toBe("UploadStalled")
      expect(store.of("UploadPart")).toHaveLength(2)
    })
  )

  it.scopedLive("end with an object of another size, if somebody makes one", () =>
    Effect.gen(function* () {
      const store = yield* objectStore()
      const { archive, bytes } = yield* archiveOf(1)
      let looks = 0
      store.plan(
        "GetObject",
        {
          _tag: "Run",
          effect: () => {
            looks += 1
            if (looks === 2) {
              store.objects.set(keyOf(bytes), {
                bytes: Buffer.from("no"),
                contentType: "text/plain",
                etag: "x"
              })
            }
          }
        },
        { times: 2 }
      )
      const failure = yield* Effect.flip(stageOn(store, archive))
      expect(failure).toMatchObject({ _tag: "StagedArchiveDiffers", actual: 2, expected: bytes.length })
    })
  )
})

describe.each(kinds)("credentials that expire in the middle of an archive %s", (_, archiveOf) => {
  const expiring = { accessKeyId: "ASIAEXPIRING00000001", secret: "first/secret+1", token: "tok/en+1==" }
  const fresh = { accessKeyId: "ASIAFRESH00000000002", secret: "second/secret+2", token: "tok/en+2==" }

  it.scopedLive("are renewed once, and the upload goes on", () =>
    Effect.gen(function* () {
      const first = { ...expiring, expires: Number.POSITIVE_INFINITY }
      const keys = [first, fresh]
      const store = yield* objectStore({ keys })
      const { archive, bytes } = yield* archiveOf(5)
      const expire = () => {
        first.expires = 0
      }
      store.plan("UploadPart", { _tag: "Run", effect: expire }, { part: 3 })
      let asked = 0
      const credentials = Effect.sync(() => {
        asked += 1
        const { accessKeyId, secret, token } = asked === 1 ? expiring : fresh
        return { accessKeyId, secretAccessKey: Redacted.make(secret), sessionToken: token }
      })
      const staged = yield* stageOn(store, archive, { s3: { credentials }, retry: { maxRetries: 0 } })
      expect(asked).toBe(2)
      expect(staged.bytesSent).toBeGreaterThanOrEqual(bytes.length)
      expect([...store.takenParts].sort()).toEqual([1, 2, 3, 4, 5])
      expect(heldBy(store, keyOf(bytes))).toBe(sha256(bytes))
    })
  )

  it.scopedLive.each([
    { what: "fixed", isRenewable: false, requests: 1 },
    { what: "renewed and expired as well", isRenewable: true, requests: 2 }
  ])("end the upload where they are $what", ({ isRenewable, requests }) =>
    Effect.gen(function* () {
      const store = yield* objectStore({ keys: [{ ...expiring, expires: 0 }] })
      const { archive } = yield* archiveOf(2)
      const held = {
        accessKeyId: expiring.accessKeyId,
        secretAccessKey: Redacted.make(expiring.secret),
        sessionToken: expiring.token
      }
      const failure = yield* Effect.flip(
        stageOn(store, archive, { s3: { credentials: isRenewable ? Effect.succeed(held) : held } })
      )
      expect(failure).toMatchObject({ _tag: "StoreCredentialsExpired", isRenewable })
      expect(store.received).toHaveLength(requests)
    })
  )
})

describe("what is known of an archive", () => {
  it.scopedLive("look tells how far it is, and changes nothing", () =>
    Effect.gen(function* () {
      const store = yield* objectStore()
      const { archive, bytes } = archiveOf(4)
      const look = Effect.provide(
        ArchiveStaging.look(
          { sha256: sha256(bytes), name: "dictionaries.zip", size: bytes.length },
          { partBytes }
        ),
        machine(store)
      )
      expect(yield* look).toMatchObject({ _tag: "Absent" })
      leave(store, bytes, [1, 2])
      expect(yield* look).toMatchObject({ _tag: "Unfinished", parts: 2, bytes: 2 * partBytes })
      yield* stageOn(store, archive)
      expect(yield* look).toMatchObject({ _tag: "Staged", key: `${sha256(bytes)}/dictionaries.zip` })
    })
  )

  it.scopedLive("pending tells what the store keeps below the prefix", () =>
    Effect.gen(function* () {
      const store = yield* objectStore({ maxPage: 1 })
      const { bytes } = archiveOf(3)
      leave(store, bytes, [1, 2])
      store.begin("elastic/notes/to-self.txt")
      store.begin(`other/${sha256(bytes)}/dictionaries.zip`)
      const found = yield* Effect.provide(ArchiveStaging.pending, machine(store))
      expect(found).toEqual([
        {
          sha256: sha256(bytes),
          name: "dictionaries.zip",
          key: `${sha256(bytes)}/dictionaries.zip`,
          location: `s3://builds/${keyOf(bytes)}`,
          initiated: expect.objectContaining({ _tag: "Some" }),
          parts: 2,
          bytes: 2 * partBytes
        }
      ])
    })
  )

  it.scopedLive("abandon gives up the uploads of the archive, and no other", () =>
    Effect.gen(function* () {
      const store = yield* objectStore()
      const { bytes } = archiveOf(3)
      leave(store, bytes, [1, 2])
      leave(store, bytes, [])
      const other = store.begin("elastic/other")
      const dropped = yield* Effect.provide(
        ArchiveStaging.abandon({ sha256: sha256(bytes), name: "dictionaries.zip" }),
        machine(store)
      )
      expect(dropped).toBe(2)
      expect([...store.uploads.keys()]).toEqual([other.id])
    })
  )

  it.scopedLive("remove takes the archive away, also when it is gone", () =>
    Effect.gen(function* () {
      const store = yield* objectStore()
      const { archive, bytes } = archiveOf(1)
      const staged = yield* stageOn(store, archive)
      yield* Effect.provide(ArchiveStaging.remove(staged), machine(store))
      expect(heldBy(store, keyOf(bytes))).toBeUndefined()
      yield* Effect.provide(ArchiveStaging.remove(staged), machine(store))
    })
  )
})

describe("probe", () => {
  it.scopedLive("tries everything, and leaves nothing behind", () =>
    Effect.gen(function* () {
      const store = yield* objectStore()
      const steps = yield* Effect.provide(ArchiveStaging.probe, machine(store))
      expect(steps.map(({ operation, result }) => [operation, result._tag])).toEqual(
        ["create", "putPart", "unfinished", "parts", "complete", "abort", "head", "remove"].map(
          (operation) => [operation, "Right"]
        )
      )
      expect([store.objects.size, store.uploads.size]).toEqual([0, 0])
    })
  )

  it.scopedLive.each([
    { permission: "s3:PutObject", operation: "create" },
    { permission: "s3:ListBucketMultipartUploads", operation: "unfinished" },
    { permission: "s3:ListMultipartUploadParts", operation: "parts" },
    { permission: "s3:AbortMultipartUpload", operation: "abort" },
    { permission: "s3:GetObject", operation: "head" },
    { permission: "s3:DeleteObject", operation: "remove" }
  ])("names $permission where it is missing", ({ operation, permission }) =>
    Effect.gen(function* () {
      const key = { accessKeyId: "AKIDLIMITED000000001", secret: "limited", denied: new Set([permission]) }
      const store = yield* objectStore({ keys: [key] })
      const steps = yield* Effect.provide(ArchiveStaging.probe, machine(store))
      const failed = steps.filter(({ result }) => result._tag === "Left")
      expect(failed).toMatchObject([
        { operation, result: { left: { _tag: "StoreAccessDenied", permission } } }
      ])
    })
  )
})
