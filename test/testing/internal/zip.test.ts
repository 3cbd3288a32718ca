import * as Fs from "node:fs/promises"
import * as Os from "node:os"
import * as Path from "node:path"
import { describe, expect, it } from "@effect/vitest"
import { Effect, Either } from "effect"
import { check } from "../../../src/testing/internal/zip.ts"
import { zip } from "../../support/testing/server.ts"

const checkBytes = (bytes: Buffer) =>
  Effect.gen(function* () {
    const folder = yield* Effect.acquireRelease(
      Effect.promise(() => Fs.mkdtemp(Path.join(Os.tmpdir(), "zip-"))),
      (path) => Effect.promise(() => Fs.rm(path, { recursive: true }))
    )
    const path = Path.join(folder, "a.zip")
    yield* Effect.promise(() => Fs.writeFile(path, bytes))
    return yield* Effect.either(check(path, bytes.length))
  }).pipe(Effect.scoped)

const files = { "dictionaries/a.dic": "1\na", "dictionaries/b.aff": "SET UTF-8" }

describe("check", () => {
  it.effect("accepts archives, compressed or stored, Zip64 or not, one entry or thousands", () =>
    Effect.gen(function* () {
      const many = Object.fromEntries(Array.from({ length: 3000 }, (_, index) => [`d/${index}.txt`, "x"]))
      for (const archive of [
        yield* zip(files),
        yield* zip(files, { compress: false }),
        yield* zip(files, { forceZip64Format: true, zip64: true }),
        yield* zip(many, { compress: false })
      ]) {
        expect(yield* checkBytes(archive)).toStrictEqual(Either.void)
      }
    })
  )

  it.effect("refuses an archive cut at any byte, and one with a byte more", () =>
    Effect.gen(function* () {
      const archive = yield* zip(files)
      const zip64 = yield* zip(files, { zip64: true })
      expect(Either.isLeft(yield* checkBytes(zip64.subarray(20)))).toBe(true)
      for (let length = 0; length < archive.length; length += 7) {
        expect(Either.isLeft(yield* checkBytes(archive.subarray(0, length)))).toBe(true)
      }
      expect(Either.isLeft(yield* checkBytes(archive.subarray(0, archive.length - 1)))).toBe(true)
      expect(Either.isLeft(yield* checkBytes(Buffer.concat([archive, Buffer.from([0])])))).toBe(true)
      expect(Either.isLeft(yield* checkBytes(archive.subarray(1)))).toBe(true)
    })
  )

  const refusal = (bytes: Buffer) =>
    Effect.map(Effect.flatMap(checkBytes(bytes), Either.flip), ({ detail }) => detail)

  const endOf = (archive: Buffer) => archive.length - 22

  it.effect("says what is wrong", () =>
    Effect.gen(function* () {
      const archive = yield* zip(files)
      const damaged = (offset: number, value: number, width: 2 | 4) => {
        const copy = Buffer.from(archive)
        if (width === 2) copy.writeUInt16LE(value, offset)
        else copy.writeUInt32LE(value, offset)
        return copy
      }
      const end = endOf(archive)
      const directory = archive.readUInt32LE(end + 16)
      expect(yield* refusal(Buffer.from("PK"))).toBe("it is too short")
      expect(yield* refusal(Buffer.alloc(100, "<html>"))).toBe("it does not begin with an entry")
      expect(yield* refusal(damaged(end, 0, 4))).toBe("it has no end of central directory")
      expect(yield* refusal(damaged(end + 10, 0, 2))).toBe("it holds no entries")
      expect(yield* refusal(damaged(end + 10, 1, 2))).toBe("its central directory is damaged")
      expect(yield* refusal(damaged(directory, 0, 4))).toBe("its central directory is damaged")
      expect(yield* refusal(damaged(end + 16, archive.length, 4))).toBe(
        "its central directory does not lie where it says"
      )
      expect(yield* refusal(damaged(directory + 42, 1, 4))).toBe("an entry is not where the directory says")
      expect(yield* refusal(damaged(end + 10, 0xffff, 2))).toBe("its Zip64 locator is missing")
    })
  )
})
