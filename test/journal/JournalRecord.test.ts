import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import { decode, encode } from "../../src/journal/internal/codec.ts"
import {
  JournalCorrupt,
  JournalError,
  JournalLocked,
  JournalUnavailable
} from "../../src/journal/JournalError.ts"
import {
  JournalKey,
  JournalRecord,
  journalId,
  withoutExpiredUpload
} from "../../src/journal/JournalRecord.ts"
import { key, otherKey, prepared, secretUrl, withUpload } from "../support/journal/fixtures.ts"

const sameRecord = Schema.equivalence(JournalRecord)

describe("JournalRecord", () => {
  it.effect.prop("any record survives its JSON", [JournalRecord], ([{ multipartBoundary: _, ...any }]) =>
    Effect.gen(function* () {
      // Of an upload that a run can have made: its id is its key's, and its sizes go together.
      const size = Math.max(any.representationSize, any.upload?.offset ?? 0)
      const record: JournalRecord = {
        ...any,
        id: journalId(any),
        archive: { ...any.archive, size },
        representationSize: size
      }
      const back = yield* decode(record.id, yield* encode(record))
      assert.isTrue(sameRecord(back, record))
      const url = (of: JournalRecord) => of.upload && Redacted.value(of.upload.url)
      assert.strictEqual(url(back), url(record))
    })
  )

  it.effect("of version 1 is migrated", () =>
    Effect.gen(function* () {
      const record = withUpload(yield* prepared())
      const stored = JSON.parse(
        yield* encode({ ...record, checkpoints: [{ offset: 4, sha256: "cd".repeat(32) }] })
      )
      const {
        checkpoints: _checkpoints,
        archive: { sha256: digest, ...archive },
        ...rest
      } = stored
      const version1 = { ...rest, schemaVersion: 1, archive: { ...archive, digest } }
      const migrated = yield* decode(record.id, JSON.stringify(version1))
      assert.isTrue(sameRecord(migrated, record))
    })
  )

  it.effect("of version 1 without its digest is refused by name", () =>
    Effect.gen(function* () {
      const stored = JSON.parse(yield* encode(yield* prepared()))
      const error = yield* Effect.flip(
        decode(journalId(key), JSON.stringify({ ...stored, schemaVersion: 1, archive: 7 }))
      )
      assert.deepStrictEqual(error, { reason: "InvalidRecord", detail: "missing or invalid: archive" })
    })
  )

  it("has an id that is stable, and another for another origin or extension", () => {
    // printf 'https://api.elastic-cloud.com/api/v1\n882519870' | sha256sum
    assert.strictEqual(journalId(key), "9d5ff98311af383b79738c5fa231b64d")
    assert.notStrictEqual(journalId(otherKey), journalId(key))
    assert.notStrictEqual(journalId({ ...key, origin: "https://api.example.com" }), journalId(key))
  })

  it("has an origin that can hold no secret", () => {
    const accepts = (origin: string) => Schema.is(JournalKey)({ ...key, origin })
    assert.isTrue(accepts("http://127.0.0.1:8080"))
    assert.isTrue(accepts("https://api.elastic-cloud.com/api/v1"))
    assert.isFalse(accepts("https://user:password@example.com"))
    assert.isFalse(accepts("https://example.com/?key=secret"))
  })

  it.effect("loses its upload at the moment that expires, and without a moment never", () =>
    Effect.gen(function* () {
      const record = yield* prepared()
      const expiring = withUpload(record, { expiresAtMillis: 100 })
      assert.isDefined(withoutExpiredUpload(expiring, 99).upload)
      assert.notProperty(withoutExpiredUpload(expiring, 100), "upload")
      assert.isDefined(withoutExpiredUpload(withUpload(record), Number.MAX_SAFE_INTEGER).upload)
    })
  )

  it.effect("shows its upload URL to nobody who prints it", () =>
    Effect.gen(function* () {
      const record = withUpload(yield* prepared())
      assert.notInclude(`${JSON.stringify(record)} ${String(record.upload?.url)}`, secretUrl)
    })
  )
})

describe("JournalError", () => {
  const id = journalId(key)
  const errors = [
    new JournalLocked({ id, sinceMillis: 0 }),
    new JournalCorrupt({ id, keptAt: "/x.json", reason: "NewerVersion", detail: "version 3" }),
    new JournalUnavailable({ location: "/j", operation: "write", reason: "DiskFull", detail: "ENOSPC" })
  ]

  it("says what happened and what to do, and when trying again helps", () => {
    assert.deepStrictEqual(
      errors.map((error) => [error.message, error.isRetryable]),
      [
        [
          `Upload ${id} is in use by another process since 1970-01-01T00:00:00.000Z. Wait for it to finish or stop it, then run again; a process that died is noticed within 30 seconds.`,
          true
        ],
        [
          `The journal record of upload ${id} cannot be used (version 3). It is kept at "/x.json". Run the newer release again to resume it, or run the upload again to start from the beginning.`,
          false
        ],
        [
          `The upload journal in "/j" failed to write: ENOSPC. Free some space, or set EC_UPLOAD_JOURNAL to a folder on another disk.`,
          false
        ]
      ]
    )
  })

  it("ends with its remedy", () => {
    for (const error of errors) assert.isTrue(error.message.endsWith(` ${error.remedy}`))
  })

  it("crosses a wire", () => {
    for (const error of errors) {
      const back = Schema.decodeUnknownSync(JournalError)(Schema.encodeSync(JournalError)(error))
      assert.strictEqual(back.message, error.message)
    }
  })
})
