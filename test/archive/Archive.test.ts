import { SystemError } from "@effect/platform/Error"
import * as FileSystem from "@effect/platform/FileSystem"
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import * as Archive from "../../src/archive/Archive.ts"
import type { ArchiveChanged, ArchiveError } from "../../src/archive/ArchiveError.ts"
import {
  concat,
  content,
  drain,
  fromChunks,
  layer,
  longAgo,
  readingBy,
  sources,
  writeTemp
} from "../support/archive/sources.ts"

const MiB = 1024 * 1024

type Change = (fs: FileSystem.FileSystem, path: string) => Effect.Effect<void, unknown>
const sample = content(2.5 * MiB)

for (const [kind, make] of Object.entries(sources)) {
  describe(`an archive from ${kind}`, () => {
    it.layer(layer)((it) => {
      it.scoped("has a name without folders, and a size", () =>
        Effect.gen(function* () {
          const archive: Archive.Archive<FileSystem.FileSystem> = yield* make(sample)
          assert.isTrue(Archive.isArchive(archive))
          assert.strictEqual(archive.name, "dictionaries.zip")
          assert.strictEqual((yield* archive.stat).size, sample.length)
        })
      )

      for (const offset of [0, 1, MiB - 1, MiB, MiB + 1, sample.length - 1, sample.length]) {
        it.scoped(`reads from byte ${offset}, twice the same`, () =>
          Effect.gen(function* () {
            const archive: Archive.Archive<FileSystem.FileSystem> = yield* make(sample)
            const expected = yield* archive.stat
            const first = yield* drain(archive.read({ offset, expected }))
            const second = yield* drain(archive.read({ offset, expected, recycle: 2 }))
            assert.isTrue(Buffer.from(sample.subarray(offset)).equals(first.bytes))
            assert.isTrue(Buffer.from(sample.subarray(offset)).equals(second.bytes))
            for (const chunk of first.chunks) assert.isTrue(chunk.length > 0 && chunk.length <= MiB)
          })
        )
      }

      for (const [offset, end] of [
        [0, 1],
        [1, MiB + 1],
        [MiB, 2 * MiB],
        [7, 7],
        [2 * MiB, sample.length]
      ] as const) {
        it.scoped(`reads from byte ${offset} to byte ${end}, into any buffers`, () =>
          Effect.gen(function* () {
            const archive: Archive.Archive<FileSystem.FileSystem> = yield* make(sample)
            const expected = yield* archive.stat
            const wanted = Buffer.from(sample.subarray(offset, end))
            const read = yield* drain(archive.read({ offset, end, expected }))
            assert.isTrue(wanted.equals(read.bytes))
            for (const chunk of read.chunks) assert.isTrue(chunk.length > 0 && chunk.length <= MiB)

            const into = Effect.sync(() => new Uint8Array(300_000))
            const filled = yield* drain(archive.read({ offset, end, expected, into }))
            assert.isTrue(wanted.equals(filled.bytes))
            const lengths = filled.chunks.map(({ length }) => length)
            assert.isTrue(lengths.slice(0, -1).every((length) => length === 300_000))
          })
        )
      }

      for (const end of [-1, 9, sample.length + 1, 20.5]) {
        it.scoped(`dies when asked to stop at byte ${end}`, () =>
          Effect.gen(function* () {
            const archive: Archive.Archive<FileSystem.FileSystem> = yield* make(sample)
            const expected = yield* archive.stat
            const defect = yield* Stream.runDrain(archive.read({ offset: 10, end, expected })).pipe(
              Effect.catchAllDefect(Effect.succeed)
            )
            assert.include(String(defect), `RangeError: end ${end} is `)
          })
        )
      }

      for (const offset of [-1, sample.length + 1, 0.5, Number.NaN]) {
        it.scoped(`dies when asked for byte ${offset}`, () =>
          Effect.gen(function* () {
            const archive: Archive.Archive<FileSystem.FileSystem> = yield* make(sample)
            const expected = yield* archive.stat
            const defect = yield* Stream.runDrain(archive.read({ offset, expected })).pipe(
              Effect.catchAllDefect(Effect.succeed)
            )
            assert.include(String(defect), `RangeError: offset ${offset} is outside`)
          })
        )
      }

      it.scoped("fails when it is not what was expected", () =>
        Effect.gen(function* () {
          const archive: Archive.Archive<FileSystem.FileSystem> = yield* make(sample)
          const reasonFor = (size: number) =>
            Stream.runDrain(archive.read({ offset: 0, expected: { size, modifiedMillis: undefined } })).pipe(
              Effect.flip,
              Effect.map((error) => error.reason)
            )
          assert.strictEqual(yield* reasonFor(sample.length + 1), "Shrank")
          assert.strictEqual(yield* reasonFor(sample.length - 1), "Grew")
        })
      )

      it.scoped("is refused when it is empty", () =>
        Effect.gen(function* () {
          const archive: Archive.Archive<FileSystem.FileSystem> = yield* make(new Uint8Array(0))
          const error = yield* Effect.flip(archive.stat)
          assert.strictEqual(error._tag, "ArchiveUnreadable")
          assert.strictEqual(error.reason, "Empty")
          assert.include(error.message, "dictionaries.zip")
          assert.include(error.message, "empty (0 bytes)")
        })
      )
    })
  })
}

describe("Archive.file", () => {
  it.layer(layer)((it) => {
    const statError = (path: string) => Effect.flip(Archive.file(path).stat)

    it.scoped("knows when it was modified", () =>
      Effect.gen(function* () {
        const path = yield* writeTemp(sample)
        const { file, ...stat } = yield* Archive.file(path).stat
        assert.deepStrictEqual(stat, { size: sample.length, modifiedMillis: longAgo.getTime() })
        assert.strictEqual((yield* Archive.file(path).stat).file, file)
      })
    )

    it.scoped("knows another file that was put in its place, however alike they are", () =>
      Effect.gen(function* () {
        const fs = yield* FileSystem.FileSystem
        const [path, other] = [yield* writeTemp(sample), yield* writeTemp(sample)]
        const archive = Archive.file(path)
        const expected = yield* archive.stat
        yield* fs.rename(other, path)
        const { exit } = yield* drain(archive.read({ offset: 0, expected }))
        assert.strictEqual(exit._tag === "Left" && exit.left._tag, "ArchiveChanged")
      })
    )

    it("takes the name from a path of either kind", () => {
      assert.strictEqual(Archive.file("dist/a b.zip").name, "a b.zip")
      assert.strictEqual(Archive.file("C:\\build\\a.zip").name, "a.zip")
      assert.strictEqual(Archive.file("dist/a.zip/").name, "a.zip")
      assert.strictEqual(Archive.file("dist/a.zip").path, "dist/a.zip")
    })

    it.effect("is missing", () =>
      Effect.gen(function* () {
        const error = yield* statError("/nowhere/at/all.zip")
        assert.strictEqual(error.reason, "NotFound")
        assert.strictEqual(
          error.message,
          'The archive "/nowhere/at/all.zip" does not exist. Check the path, relative to the working directory.'
        )
        const expected = { size: 1, modifiedMillis: undefined }
        const gone = yield* drain(Archive.file("/nowhere/at/all.zip").read({ offset: 0, expected }))
        assert.strictEqual(gone.exit._tag === "Left" && gone.exit.left.reason, "NotFound")
      })
    )

    it.scoped("is a directory", () =>
      Effect.gen(function* () {
        const folder = yield* (yield* FileSystem.FileSystem).makeTempDirectoryScoped()
        const error = yield* statError(folder)
        assert.strictEqual(error.reason, "IsDirectory")
        assert.include(error.message, `"${folder}" is a directory`)
      })
    )

    it.scoped("is something else that cannot be an archive", () =>
      Effect.gen(function* () {
        const device = yield* statError("/dev/null")
        assert.strictEqual(device.reason, "ReadFailed")
        assert.include(device.message, "it is a CharacterDevice, not a regular file")

        const nul = yield* statError("a\0b.zip")
        assert.strictEqual(nul.reason, "ReadFailed")
        assert.include(nul.message, "null bytes")

        const below = yield* statError(`${yield* writeTemp(sample)}/inner.zip`)
        assert.strictEqual(below.reason, "ReadFailed")
        assert.include(below.message, "ENOTDIR")
      })
    )

    const denied = new SystemError({
      module: "FileSystem",
      method: "open",
      reason: "PermissionDenied",
      description: "EACCES: permission denied, open 'a.zip'"
    })

    it.effect("may not be read", () =>
      Effect.gen(function* () {
        const error = yield* statError("a.zip")
        assert.strictEqual(error.reason, "PermissionDenied")
        assert.strictEqual(
          error.message,
          'The archive "a.zip" may not be read by this user. Check its permissions.'
        )
        const expected = { size: 1, modifiedMillis: undefined }
        const read = yield* drain(Archive.file("a.zip").read({ offset: 0, expected }))
        assert.strictEqual(read.exit._tag === "Left" && read.exit.left.reason, "PermissionDenied")
      }).pipe(
        Effect.provide(
          FileSystem.layerNoop({ stat: () => Effect.fail(denied), open: () => Effect.fail(denied) })
        )
      )
    )

    it.scoped("uses one buffer more than it lends, to read ahead", () =>
      Effect.gen(function* () {
        const archive = Archive.file(yield* writeTemp(content(8 * MiB)))
        const expected = yield* archive.stat
        const buffersOf = (recycle: number | undefined) =>
          Stream.runFold(
            Stream.map(archive.read({ offset: 0, expected, recycle }), (chunk) => chunk.buffer),
            new Set(),
            (buffers, buffer) => buffers.add(buffer)
          )
        assert.strictEqual((yield* buffersOf(1)).size, 2)
        assert.strictEqual((yield* buffersOf(3)).size, 4)
        assert.strictEqual((yield* buffersOf(20)).size, 8)
        assert.strictEqual((yield* buffersOf(undefined)).size, 8)
      })
    )

    it.scoped("keeps a recycled chunk whole until its buffer's turn comes again", () =>
      Effect.gen(function* () {
        const bytes = content(6 * MiB)
        const archive = Archive.file(yield* writeTemp(bytes))
        const expected = yield* archive.stat
        const held: Array<Uint8Array> = []
        yield* Stream.runForEach(archive.read({ offset: 0, expected, recycle: 3 }), (chunk) =>
          Effect.sync(() => {
            held.push(chunk)
            const from = Math.max(0, held.length - 3)
            const window = concat(held.slice(from))
            assert.isTrue(Buffer.from(bytes.subarray(from * MiB, held.length * MiB)).equals(window))
          })
        )
        assert.strictEqual(held.length, 6)
      })
    )

    it.scoped("fills the buffers that it is given, though the system gives less at a time", () =>
      Effect.gen(function* () {
        const bytes = content(2.5 * MiB)
        const archive = Archive.file(yield* writeTemp(bytes))
        const expected = yield* archive.stat
        const slowly = yield* readingBy((file, buffer) => file.read(buffer.subarray(0, 300_000)))
        const buffers = [new Uint8Array(MiB), new Uint8Array(MiB), new Uint8Array(MiB)]
        let given = 0
        const into = Effect.sync(() => buffers[given++] ?? new Uint8Array(0))
        const { chunks } = yield* Effect.provideService(
          drain(archive.read({ offset: MiB / 2, expected, into })),
          FileSystem.FileSystem,
          slowly
        )
        assert.deepStrictEqual(
          chunks.map(({ length }) => length),
          [MiB, MiB]
        )
        assert.isTrue(Buffer.from(bytes.subarray(MiB / 2)).equals(concat(buffers.slice(0, 2))))
        assert.strictEqual(given, 2)
      })
    )

    const changes: Record<string, readonly [ArchiveChanged["reason"], Change]> = {
      "shrinks below what is still to be read": ["Shrank", (fs, path) => fs.truncate(path, 1.5 * MiB)],
      "shrinks to nothing": ["Shrank", (fs, path) => fs.truncate(path, 0)],
      grows: ["Grew", (fs, path) => fs.writeFile(path, content(10), { flag: "a" })],
      "is modified in place": ["Modified", (fs, path) => fs.writeFile(path, sample, { flag: "r+" })]
    }

    for (const [what, [reason, act]] of Object.entries(changes)) {
      for (const moment of ["before it is opened", "while it is read"] as const) {
        it.scoped(`${what} ${moment}`, () =>
          Effect.gen(function* () {
            const fs = yield* FileSystem.FileSystem
            const path = yield* writeTemp(sample)
            const archive = Archive.file(path)
            const expected = yield* archive.stat
            if (moment === "before it is opened") yield* act(fs, path)
            let chunks = 0
            const { bytes, exit } = yield* drain(
              Stream.tap(archive.read({ offset: 0, expected }), () =>
                moment === "while it is read" && chunks++ === 0 ? act(fs, path) : Effect.void
              )
            )
            assert.strictEqual(exit._tag, "Left")
            const error = (exit._tag === "Left" && exit.left) as ArchiveError
            assert.strictEqual(error._tag, "ArchiveChanged")
            assert.strictEqual(error.reason, reason)
            assert.include(error.message, path)
            assert.isBelow(bytes.length, sample.length)
          })
        )
      }
    }

    it.scoped("is read to its end when another file takes its name meanwhile", () =>
      Effect.gen(function* () {
        const fs = yield* FileSystem.FileSystem
        const path = yield* writeTemp(sample)
        const archive = Archive.file(path)
        const expected = yield* archive.stat
        const { bytes } = yield* drain(
          Stream.tap(archive.read({ offset: 0, expected }), () => fs.remove(path, { force: true }))
        )
        assert.isTrue(Buffer.from(sample).equals(bytes))
      })
    )
  })

  it.scopedLive("closes the file only after the read under way, when interrupted", () =>
    Effect.gen(function* () {
      const events: Array<string> = []
      const reading = yield* Deferred.make<void>()
      const mayRead = yield* Deferred.make<void>()
      const slow = Layer.effect(
        FileSystem.FileSystem,
        Effect.map(FileSystem.FileSystem, (fs) => ({
          ...fs,
          open: (path: string) =>
            Effect.acquireRelease(fs.open(path), () => Effect.sync(() => events.push("closed"))).pipe(
              Effect.map((file) =>
                Object.assign(Object.create(file) as FileSystem.File, {
                  read: (buffer: Uint8Array) =>
                    Deferred.succeed(reading, undefined).pipe(
                      Effect.zipRight(Deferred.await(mayRead)),
                      Effect.zipRight(file.read(buffer)),
                      Effect.tap(() => Effect.sync(() => events.push("read")))
                    )
                })
              )
            )
        }))
      )
      const archive = Archive.file(yield* writeTemp(sample))
      const expected = yield* archive.stat
      const fiber = yield* Stream.runDrain(archive.read({ offset: 0, expected })).pipe(
        Effect.provide(slow),
        Effect.fork
      )
      yield* Deferred.await(reading)
      const interrupted = yield* Effect.fork(Fiber.interrupt(fiber))
      yield* Effect.sleep(20)
      yield* Deferred.succeed(mayRead, undefined)
      yield* Fiber.join(interrupted)
      assert.deepStrictEqual(events, ["read", "closed"])
    }).pipe(Effect.provide(layer))
  )
})

describe("Archive.make", () => {
  const read = (archive: Archive.Archive) =>
    Effect.flatMap(archive.stat, (expected) => drain(archive.read({ offset: 0, expected })))

  it.effect("turns any failure of its source into ArchiveUnreadable", () =>
    Effect.gen(function* () {
      for (const failure of [
        new Error("the bucket is gone"),
        { message: "the bucket is gone" },
        "the bucket is gone"
      ]) {
        const archive = Archive.make({ name: "a.zip", size: 10, open: () => Stream.fail(failure) })
        const { exit } = yield* read(archive)
        assert.isTrue(exit._tag === "Left")
        const error = (exit._tag === "Left" && exit.left) as ArchiveError
        assert.strictEqual(error._tag, "ArchiveUnreadable")
        assert.strictEqual(
          error.message,
          'The archive "a.zip" could not be read: the bucket is gone. Check the disk or source it comes from.'
        )
      }
    })
  )

  it.effect("does not pass on the last chunk of a source that runs long", () =>
    Effect.gen(function* () {
      for (const chunkBytes of [100, 60, 33, 7, 1]) {
        const archive = Archive.make({
          ...fromChunks(sample.subarray(0, 100), chunkBytes),
          size: 99,
          open: () => fromChunksStream(chunkBytes)
        })
        const { bytes, exit } = yield* read(archive)
        assert.strictEqual(exit._tag === "Left" && exit.left.reason, "Grew")
        assert.isBelow(bytes.length, 99)
      }
    })
  )

  const fromChunksStream = (chunkBytes: number) =>
    fromChunks(sample.subarray(0, 100), chunkBytes)
      .read({ offset: 0, expected: { size: 100, modifiedMillis: undefined } })
      .pipe(Stream.orDie)

  it.effect("fails when its source ends early", () =>
    Effect.gen(function* () {
      const archive = Archive.make({ name: "a.zip", size: 101, open: () => fromChunksStream(30) })
      const { bytes, exit } = yield* read(archive)
      assert.strictEqual(bytes.length, 100)
      assert.strictEqual(
        exit._tag === "Left" && exit.left.message,
        'The archive "a.zip" shrank while it was being uploaded (it ended at byte 100 of 101). Let the build finish, then upload again.'
      )
    })
  )

  it.effect("stops an endless source at once", () =>
    Effect.gen(function* () {
      const archive = Archive.make({
        name: "a.zip",
        size: 10,
        open: () => Stream.repeatValue(new Uint8Array(4))
      })
      const { bytes, exit } = yield* read(archive)
      assert.strictEqual(exit._tag === "Left" && exit.left.reason, "Grew")
      assert.isBelow(bytes.length, 10)
    })
  )

  it.effect("refuses a size that is none", () =>
    Effect.gen(function* () {
      for (const size of [-1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53]) {
        const error = yield* Effect.flip(Archive.make({ name: "a.zip", size, open: () => Stream.empty }).stat)
        assert.strictEqual(error.reason, "ReadFailed")
        assert.include(error.message, "is not a size in bytes")
      }
    })
  )

  it.effect("notices a new modification time", () =>
    Effect.gen(function* () {
      const archive = Archive.make({
        name: "a.zip",
        size: 1,
        open: () => Stream.make(new Uint8Array(1)),
        modifiedMillis: 5
      })
      const { exit } = yield* drain(archive.read({ offset: 0, expected: { size: 1, modifiedMillis: 4 } }))
      assert.strictEqual(exit._tag === "Left" && exit.left.reason, "Modified")
      assert.include(exit._tag === "Left" ? exit.left.message : "", "1970-01-01T00:00:00.004Z")
      const unknown = yield* drain(
        archive.read({ offset: 0, expected: { size: 1, modifiedMillis: undefined } })
      )
      assert.strictEqual(unknown.bytes.length, 1)
    })
  )
})
