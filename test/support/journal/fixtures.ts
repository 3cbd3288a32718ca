import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import {
  type JournalKey,
  type JournalRecord,
  type JournalUpload,
  prepare
} from "../../../src/journal/JournalRecord.ts"

export const secretUrl = "https://uploads.example.com/resource/very-secret-capability"

export const key: JournalKey = { origin: "https://api.elastic-cloud.com/api/v1", extensionId: "882519870" }

export const otherKey: JournalKey = { ...key, extensionId: "another" }

export const prepared = (of: JournalKey = key): Effect.Effect<JournalRecord> =>
  prepare({
    ...of,
    archive: { path: "dist/a.zip", name: "a.zip", size: 10, modifiedMillis: 1.5, sha256: "ab".repeat(32) },
    contentType: "application/zip",
    representationSize: 10,
    baseline: { resourceVersion: "7" }
  })

export const withUpload = (record: JournalRecord, upload?: Partial<JournalUpload>): JournalRecord => ({
  ...record,
  phase: "Sending",
  upload: { url: Redacted.make(secretUrl), offset: 4, interopVersion: 8, ...upload }
})

/** Asks again every few real milliseconds, for what real files take. */
export const eventually = <E, R>(condition: Effect.Effect<boolean, E, R>): Effect.Effect<void, E, R> =>
  condition.pipe(
    Effect.zipLeft(Effect.promise(() => new Promise((resolve) => setTimeout(resolve, 5)))),
    Effect.repeat({ until: (holds) => holds }),
    Effect.asVoid
  )
