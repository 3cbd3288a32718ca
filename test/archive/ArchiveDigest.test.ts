import { spawnSync } from "node:child_process"
import { createHash } from "node:crypto"
import * as FileSystem from "@effect/platform/FileSystem"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FastCheck from "effect/FastCheck"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as Archive from "../../src/archive/Archive.ts"
import * as ArchiveDigest from "../../src/archive/ArchiveDigest.ts"
import {
  chunked,
  content,
  drain,
  fromChunks,
  layer,
  longAgo,
  sources,
  writeTemp
} from "../support/archive/sources.ts"

const MiB = 1024 * 1024
const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex")
const ascii = (text: string): Uint8Array => new TextEncoder().encode(text)

/** FIPS 180-4 example messages, as NIST publishes them. */
const vectors: ReadonlyArray<readonly [name: string, message: Uint8Array, digest: string]> = [
  ["no bits", ascii(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"],
  ["24 bits", ascii("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"],
  [
    "448 bits",
    ascii("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
    "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
  ],
  [
    "896 bits",
    ascii(
      "abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu"
    ),
    "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1"
  ],
  [
    "a million a",
    ascii("a".repeat(1_000_000)),
    "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"
  ]
]

describe("SHA-256", () => {
  for (const [name, message, digest] of vectors) {
    it.effect(`of the NIST message of ${name}`, () =>
      Effect.gen(function* () {
        const hashed = yield* ArchiveDigest.hashStream(chunked(message, 1000))
        assert.deepStrictEqual(hashed, { sha256: digest, size: message.length })
        if (message.length === 0) return
        const computed = yield* ArchiveDigest.compute(Archive.bytes({ name: "nist.zip", bytes: message }))
        assert.strictEqual(computed.sha256, digest)
      })
    )
  }

  it.effect("starts afresh when the same effect runs again", () =>
    Effect.gen(function* () {
      const archive = fromChunks(ascii("abc"), 1)
      const [hash, compute] = [
        ArchiveDigest.hashStream(Stream.make(ascii("abc"))),
        ArchiveDigest.compute(archive)
      ]
      assert.strictEqual((yield* hash).sha256, (yield* hash).sha256)
      assert.strictEqual((yield* compute).sha256, (yield* compute).sha256)
    })
  )

  it("is written in the forms its readers want", () => {
    const abc = { sha256: sha256(ascii("abc")) }
    assert.strictEqual(
      ArchiveDigest.toHex(abc),
      "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    )
    assert.strictEqual(
      ArchiveDigest.toReprDigest(abc),
      "sha-256=:ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=:"
    )
  })
})

describe("ArchiveDigest.compute", () => {
  it.layer(layer)((it) => {
    const bytes = content(5 * MiB + 12_345)

    for (const [kind, make] of Object.entries(sources)) {
      it.scoped(`digests an archive from ${kind}`, () =>
        Effect.gen(function* () {
          const archive: Archive.Archive<FileSystem.FileSystem> = yield* make(bytes)
          const progress: Array<number> = []
          const digest = yield* ArchiveDigest.compute(archive, {
            checkpointBytes: 2 * MiB,
            onProgress: (hashed) => Effect.sync(() => progress.push(hashed))
          })
          assert.deepStrictEqual(ArchiveDigest.toRecord(digest), {
            sha256: sha256(bytes),
            size: bytes.length,
            checkpoints: [2, 4].map((n) => ({ offset: n * MiB, sha256: sha256(bytes.subarray(0, n * MiB)) }))
          })
          assert.strictEqual(progress.at(-1), bytes.length)
          assert.deepStrictEqual(
            progress,
            progress.toSorted((one, other) => one - other)
          )
        })
      )
    }

    it.scoped("says what sha256sum says", () =>
      Effect.gen(function* () {
        const path = yield* writeTemp(bytes)
        const digest = yield* ArchiveDigest.compute(Archive.file(path))
        const tool = spawnSync("sha256sum", ["--binary", path], { encoding: "utf8" })
        const expected = tool.status === 0 ? tool.stdout.slice(0, 64) : sha256(bytes)
        assert.strictEqual(digest.sha256, expected)
        assert.strictEqual(digest.stat.modifiedMillis, longAgo.getTime())
      })
    )

    it.scoped("does not overtake its own buffers when hashing is slower than reading", () =>
      Effect.gen(function* () {
        const large = content(12 * MiB)
        const archive = Archive.file(yield* writeTemp(large))
        const digest = yield* ArchiveDigest.compute(archive, {
          // The next reads get every chance to finish before the next chunk is hashed.
          onProgress: () => Effect.promise(() => new Promise((resolve) => setTimeout(resolve, 5)))
        })
        assert.strictEqual(digest.sha256, sha256(large))
      })
    )

    it.scoped("fails when the archive changes under it", () =>
      Effect.gen(function* () {
        const fs = yield* FileSystem.FileSystem
        // Longer than what is read ahead of the first chunk.
        const path = yield* writeTemp(new Uint8Array(16 * 1024 * 1024))
        const error = yield* ArchiveDigest.compute(Archive.file(path), {
          onProgress: () => Effect.orDie(fs.truncate(path, 10))
        }).pipe(Effect.flip)
        assert.strictEqual(error._tag, "ArchiveChanged")
        assert.strictEqual(error.reason, "Shrank")
      })
    )
  })

  const cases = {
    bytes: FastCheck.uint8Array({ minLength: 1, maxLength: 400 }),
    chunk: FastCheck.integer({ min: 1, max: 401 }),
    interval: FastCheck.integer({ min: 1, max: 401 }),
    offset: FastCheck.nat(1000),
    flip: FastCheck.nat(1000),
    mask: FastCheck.integer({ min: 1, max: 255 })
  }

  it.effect.prop("is the same for any chunking, and verifies from any offset", cases, (c) =>
    Effect.gen(function* () {
      const archive = fromChunks(c.bytes, c.chunk)
      const digest = yield* ArchiveDigest.compute(archive, { checkpointBytes: c.interval })
      assert.strictEqual(digest.sha256, sha256(c.bytes))
      for (const { offset, sha256: atOffset } of digest.checkpoints) {
        assert.strictEqual(atOffset, sha256(c.bytes.subarray(0, offset)))
      }
      const offset = c.offset % (c.bytes.length + 1)
      const { bytes, exit } = yield* drain(ArchiveDigest.verifying(digest, archive, { offset }))
      assert.strictEqual(exit._tag, "Right")
      assert.deepStrictEqual(bytes, c.bytes.slice(offset))
    })
  )

  it.effect.prop("knows each part, and verifies it by itself", cases, (c) =>
    Effect.gen(function* () {
      const archive = fromChunks(c.bytes, c.chunk)
      const plain = yield* ArchiveDigest.compute(archive, { checkpointBytes: c.flip + 1 })
      assert.isUndefined(plain.parts)
      const computed = yield* ArchiveDigest.compute(archive, { checkpointBytes: c.interval, parts: true })
      const added = yield* ArchiveDigest.withParts(plain, archive, c.interval)
      const starts = Array.from(
        { length: Math.ceil(c.bytes.length / c.interval) },
        (_, part) => part * c.interval
      )
      const parts = {
        partBytes: c.interval,
        sha256: starts.map((start) => sha256(c.bytes.subarray(start, start + c.interval)))
      }
      for (const digest of [computed, added]) {
        assert.deepStrictEqual(digest.parts, parts)
        assert.strictEqual(digest.sha256, plain.sha256)
        assert.deepStrictEqual(digest.checkpoints, computed.checkpoints)
      }
      // Nothing is read where the parts are known.
      const unread = { ...archive, read: () => Stream.die("read") }
      assert.strictEqual(yield* ArchiveDigest.withParts(computed, unread, c.interval), computed)

      const flip = c.flip % c.bytes.length
      const changed = c.bytes.slice()
      changed[flip] = (changed[flip] ?? 0) ^ c.mask
      const other = fromChunks(changed, c.chunk)
      assert.strictEqual(
        (yield* Effect.flip(ArchiveDigest.withParts(plain, other, c.interval))).reason,
        "Modified"
      )
      for (const offset of starts) {
        const end = Math.min(c.bytes.length, offset + c.interval)
        const { bytes, exit } = yield* drain(ArchiveDigest.verifying(added, other, { offset, end }))
        if (flip < offset || flip >= end) {
          assert.deepStrictEqual(bytes, c.bytes.slice(offset, end))
        } else {
          assert.strictEqual(exit._tag === "Left" && exit.left.reason, "Modified")
          assert.isBelow(offset + bytes.length, end)
        }
      }
    })
  )

  it.effect.prop("catches any flipped byte from any offset, before the end is emitted", cases, (c) =>
    Effect.gen(function* () {
      const digest = yield* ArchiveDigest.compute(fromChunks(c.bytes, c.chunk), {
        checkpointBytes: c.interval
      })
      const offset = c.offset % (c.bytes.length + 1)
      const nearest = offset - (offset % c.interval)
      const flip = c.flip % c.bytes.length
      const changed = c.bytes.slice()
      changed[flip] = (changed[flip] ?? 0) ^ c.mask

      const { bytes, exit } = yield* drain(
        ArchiveDigest.verifying(digest, fromChunks(changed, c.chunk), { offset })
      )
      // What lies before the checkpoint was verified when it was sent and is not sent again.
      if (flip < (nearest < c.bytes.length ? nearest : lastMultiple(c.bytes.length, c.interval))) {
        assert.deepStrictEqual(bytes, c.bytes.slice(offset))
      } else {
        assert.strictEqual(exit._tag === "Left" && exit.left.reason, "Modified")
        assert.isTrue(bytes.length === 0 || offset + bytes.length < c.bytes.length)
      }
    })
  )

  const lastMultiple = (size: number, interval: number) => Math.floor((size - 1) / interval) * interval

  it.effect.prop("verifies a recorded prefix, and nothing but the right one", cases, (c) =>
    Effect.gen(function* () {
      const archive = fromChunks(c.bytes, c.chunk)
      const digest = yield* ArchiveDigest.compute(archive, { checkpointBytes: c.interval })
      const encode = Schema.encodeSync(Schema.parseJson(ArchiveDigest.DigestRecord))
      const decode = Schema.decodeSync(Schema.parseJson(ArchiveDigest.DigestRecord))
      const recorded = decode(encode(ArchiveDigest.toRecord(digest)))
      const offset = c.offset % (c.bytes.length + 1)

      const live = yield* ArchiveDigest.verifyPrefix(archive, recorded, offset)
      const rest = yield* drain(ArchiveDigest.verifying(live, archive, { offset }))
      assert.strictEqual(rest.exit._tag, "Right")
      assert.deepStrictEqual(rest.bytes, c.bytes.slice(offset))

      const flip = c.flip % c.bytes.length
      const changed = c.bytes.slice()
      changed[flip] = (changed[flip] ?? 0) ^ c.mask
      const other = fromChunks(changed, c.chunk)
      const end = recorded.checkpoints.find((stop) => stop.offset >= offset)?.offset ?? c.bytes.length
      const verified = yield* Effect.either(ArchiveDigest.verifyPrefix(other, recorded, offset))
      if (offset > 0 && flip < end) {
        assert.strictEqual(verified._tag === "Left" && verified.left.reason, "Modified")
      } else {
        assert.isTrue(verified._tag === "Right")
        const digest = verified._tag === "Right" ? verified.right : live
        const { bytes, exit } = yield* drain(ArchiveDigest.verifying(digest, other, { offset }))
        assert.strictEqual(exit._tag === "Left" && exit.left.reason, "Modified")
        assert.isBelow(offset + bytes.length, c.bytes.length)
      }
    })
  )
})

describe("ArchiveDigest.verifying", () => {
  it.layer(layer)((it) => {
    const bytes = content(5 * MiB + 12_345)
    const checkpointBytes = 2 * MiB

    const replaceByte = (path: string, at: number) =>
      Effect.gen(function* () {
        const fs = yield* FileSystem.FileSystem
        const changed = bytes.slice()
        changed[at] = (changed[at] ?? 0) ^ 1
        yield* fs.writeFile(path, changed)
        yield* fs.utimes(path, longAgo, longAgo)
      })

    for (const offset of [0, MiB, 2 * MiB, 3 * MiB + 7, bytes.length - 1, bytes.length]) {
      it.scoped(`reads a file from byte ${offset} in three buffers`, () =>
        Effect.gen(function* () {
          const archive = Archive.file(yield* writeTemp(bytes))
          const digest = yield* ArchiveDigest.compute(archive, { checkpointBytes })
          const buffers = new Set<ArrayBufferLike>()
          const { bytes: received, exit } = yield* drain(
            ArchiveDigest.verifying(digest, archive, { offset, recycle: 2 }).pipe(
              Stream.tap((chunk) => Effect.sync(() => buffers.add(chunk.buffer)))
            )
          )
          assert.strictEqual(exit._tag, "Right")
          assert.isTrue(Buffer.from(bytes.subarray(offset)).equals(received))
          assert.isAtMost(buffers.size, 3)
        })
      )
    }

    it.scoped("reads no more of the archive than from the checkpoint before the offset", () =>
      Effect.gen(function* () {
        const opened: Array<number> = []
        const archive = Archive.make({
          name: "a.zip",
          size: bytes.length,
          open: (offset) => {
            opened.push(offset)
            return Stream.make(bytes.subarray(offset))
          }
        })
        const digest = yield* ArchiveDigest.compute(archive, { checkpointBytes })
        yield* Stream.runDrain(ArchiveDigest.verifying(digest, archive, { offset: 4 * MiB - 1 }))
        yield* Stream.runDrain(ArchiveDigest.verifying(digest, archive, { offset: 4 * MiB }))
        assert.deepStrictEqual(opened, [0, 2 * MiB, 4 * MiB])
      })
    )

    it.scoped("catches a byte changed behind an unchanged size and time, and names where", () =>
      Effect.gen(function* () {
        const path = yield* writeTemp(bytes)
        const archive = Archive.file(path)
        const digest = yield* ArchiveDigest.compute(archive, { checkpointBytes })
        yield* replaceByte(path, 3 * MiB)
        const { bytes: received, exit } = yield* drain(
          ArchiveDigest.verifying(digest, archive, { offset: 0, recycle: 2 })
        )
        assert.strictEqual(received.length, 3 * MiB)
        assert.strictEqual(
          exit._tag === "Left" && exit.left.message,
          `The archive "${path}" was modified while it was being uploaded (bytes ${2 * MiB} to ${4 * MiB} are not those that were digested). Let the build finish, then upload again.`
        )
      })
    )

    it.scoped("catches a byte changed while it is being sent", () =>
      Effect.gen(function* () {
        const path = yield* writeTemp(bytes)
        const archive = Archive.file(path)
        const digest = yield* ArchiveDigest.compute(archive, { checkpointBytes })
        const { bytes: received, exit } = yield* drain(
          ArchiveDigest.verifying(digest, archive, { offset: 0 }).pipe(
            Stream.tap(() => replaceByte(path, bytes.length - 1))
          )
        )
        assert.strictEqual(exit._tag === "Left" && exit.left._tag, "ArchiveChanged")
        assert.isBelow(received.length, bytes.length)
      })
    )

    it.scoped("refuses an archive whose length or time is no longer what was digested", () =>
      Effect.gen(function* () {
        const fs = yield* FileSystem.FileSystem
        const path = yield* writeTemp(bytes)
        const archive = Archive.file(path)
        const digest = yield* ArchiveDigest.compute(archive)
        const reason = drain(ArchiveDigest.verifying(digest, archive, { offset: 0 })).pipe(
          Effect.map(({ exit, bytes }) => [exit._tag === "Left" && exit.left.reason, bytes.length])
        )
        yield* fs.utimes(path, new Date(), new Date())
        assert.deepStrictEqual(yield* reason, ["Modified", 0])
        yield* fs.truncate(path, 100)
        assert.deepStrictEqual(yield* reason, ["Shrank", 0])
        yield* fs.truncate(path, bytes.length + 1)
        assert.deepStrictEqual(yield* reason, ["Grew", 0])
      })
    )

    describe("verifyPrefix", () => {
      it.scoped("accepts the same content under a new modification time", () =>
        Effect.gen(function* () {
          const fs = yield* FileSystem.FileSystem
          const path = yield* writeTemp(bytes)
          const archive = Archive.file(path)
          const recorded = ArchiveDigest.toRecord(yield* ArchiveDigest.compute(archive, { checkpointBytes }))
          yield* fs.utimes(path, new Date(), new Date())
          const live = yield* ArchiveDigest.verifyPrefix(archive, recorded, 3 * MiB)
          const { bytes: rest } = yield* drain(ArchiveDigest.verifying(live, archive, { offset: 3 * MiB }))
          assert.isTrue(Buffer.from(bytes.subarray(3 * MiB)).equals(rest))
        })
      )

      it.scoped("reads only as far as the next checkpoint", () =>
        Effect.gen(function* () {
          let read = 0
          const archive = Archive.make({
            name: "a.zip",
            size: bytes.length,
            open: (offset) =>
              Stream.tap(chunked(bytes.subarray(offset), 1000), (chunk) =>
                Effect.sync(() => {
                  read += chunk.length
                })
              )
          })
          const recorded = ArchiveDigest.toRecord(yield* ArchiveDigest.compute(archive, { checkpointBytes }))
          read = 0
          yield* ArchiveDigest.verifyPrefix(archive, recorded, MiB)
          assert.isAtMost(read, 2 * MiB + 5000)
        })
      )

      it.scoped("refuses another size unread, and survives a record in disorder", () =>
        Effect.gen(function* () {
          const archive = fromChunks(bytes, MiB)
          const recorded = ArchiveDigest.toRecord(yield* ArchiveDigest.compute(archive, { checkpointBytes }))
          const verify = (record: Partial<ArchiveDigest.DigestRecord>, offset: number) =>
            ArchiveDigest.verifyPrefix(archive, { ...recorded, ...record }, offset)

          const grown = yield* Effect.flip(verify({ size: 5 }, 1))
          assert.strictEqual(grown.reason, "Grew")

          const beyond = { offset: 2 ** 40, sha256: recorded.sha256 }
          const disorder = [beyond, ...recorded.checkpoints.toReversed(), ...recorded.checkpoints]
          const live = yield* verify({ checkpoints: disorder }, bytes.length)
          assert.strictEqual(live.sha256, recorded.sha256)

          const wrong = yield* Effect.flip(
            verify({ checkpoints: disorder, sha256: "0".repeat(64) }, bytes.length)
          )
          assert.strictEqual(wrong.reason, "Modified")
        })
      )
    })
  })
})
