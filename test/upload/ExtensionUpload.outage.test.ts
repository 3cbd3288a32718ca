/** In an outage many clients wait at once: none of them may add to it. */
import { describe, expect, it } from "@effect/vitest"
import { Clock, Effect, Layer } from "effect"
import * as Archive from "../../src/archive/Archive.ts"
import * as UploadJournal from "../../src/journal/UploadJournal.ts"
import * as RetryPolicy from "../../src/transfer/RetryPolicy.ts"
import * as ExtensionUpload from "../../src/upload/ExtensionUpload.ts"
import { zipOf } from "../support/upload/archives.ts"
import { extensionId, modelCloud, withoutWaiting } from "../support/upload/modelCloud.ts"

/** When each question and each upload arrived, in seconds after the first 503. */
const inOutage = (retryAfter?: number) =>
  Effect.gen(function* () {
    let outageBegan: number | undefined
    const questions: Array<number> = []
    const uploads: Array<number> = []
    const note = (list: Array<number>) =>
      Effect.map(Clock.currentTimeMillis, (now) => {
        if (outageBegan !== undefined) list.push((now - outageBegan) / 1000)
        return now
      })
    const cloud = modelCloud({
      ...(retryAfter === undefined ? {} : { retryAfter }),
      onGet: Effect.asVoid(note(questions)),
      onPut: Effect.map(note(uploads), (now) => {
        outageBegan ??= now
        return "unavailable" as const
      })
    })
    const error = yield* ExtensionUpload.upload({
      extensionId,
      archive: Archive.bytes({ name: "words.zip", bytes: yield* zipOf(500) })
    }).pipe(
      Effect.flip,
      withoutWaiting,
      Effect.provide(Layer.merge(cloud.layer, RetryPolicy.layer({ maxRetries: 1 })))
    )
    expect(error._tag).toBe("ServiceUnavailable")
    return { questions, uploads }
  }).pipe(Effect.provide(UploadJournal.layerMemory))

describe("after a 503", () => {
  it.effect("the extension is asked no more than six times in ten seconds", () =>
    Effect.gen(function* () {
      const { questions, uploads } = yield* inOutage()
      const early = questions.filter((seconds) => seconds < 10)
      expect(early.length).toBeGreaterThan(1)
      expect(early.length).toBeLessThanOrEqual(6)
      expect(uploads).toHaveLength(1)
    })
  )

  it.effect("with a Retry-After, nothing is asked before that", () =>
    Effect.gen(function* () {
      const { questions } = yield* inOutage(5)
      expect(Math.min(...questions)).toBeGreaterThanOrEqual(5)
    })
  )
})
