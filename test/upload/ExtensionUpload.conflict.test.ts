import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Archive from "../../src/archive/Archive.ts"
import * as Fault from "../../src/testing/Fault.ts"
import { LocalElasticCloud, type LocalElasticCloudOptions } from "../../src/testing/LocalElasticCloud.ts"
import * as ExtensionUpload from "../../src/upload/ExtensionUpload.ts"
import type { UploadOptions } from "../../src/upload/UploadSettings.ts"
import { zipOf } from "../support/upload/archives.ts"
import { held, journaled, recordEvents, seed, sha256, traffic, world } from "../support/upload/world.ts"

const sizes = { longer: 9000, same: 5000 }

/** An upload, and another writer that a fault can let in between. */
const rivals = (
  options: Partial<UploadOptions> & { readonly theirSize?: keyof typeof sizes; readonly before?: number } = {}
) =>
  Effect.gen(function* () {
    const { before = 3000, theirSize = "longer", ...settings } = options
    const cloud = yield* LocalElasticCloud
    const ours = yield* zipOf(5000)
    const theirs = yield* zipOf(sizes[theirSize])
    const id = yield* seed({ file: yield* zipOf(before) })
    const { events, onEvent } = recordEvents()
    const other = Fault.run(
      "arrival",
      Effect.asVoid(cloud.seed({ id, name: "n", extension_type: "bundle", version: "*", file: theirs }))
    )
    const upload = ExtensionUpload.upload({
      extensionId: id,
      archive: Archive.bytes({ name: "a.zip", bytes: ours }),
      onEvent,
      ...settings
    })
    const holder = Effect.map(held(id), (now) =>
      now.sha256 === sha256(ours) ? "ours" : now.sha256 === sha256(theirs) ? "theirs" : "neither"
    )
    const putLines = Effect.map(traffic, (lines) => lines.filter((line) => line.startsWith("PUT")))
    return { cloud, events, holder, id, ours, other, putLines, theirs, upload }
  })

const expectConflict = (theirSize: keyof typeof sizes) =>
  Effect.gen(function* () {
    const { cloud, holder, id, other, putLines, theirs, upload } = yield* rivals({ theirSize })
    yield* cloud.plan({ method: "PUT", fault: [other, Fault.cut("body")] })
    const error = yield* Effect.flip(upload)
    expect(error).toMatchObject({
      _tag: "UploadConflict",
      extensionId: id,
      before: { resourceVersion: "1" },
      now: { resourceVersion: "2", size: theirs.length },
      isRetryable: false
    })
    expect(error.message).toContain(
      `was written by someone else during this upload (now: version 2, modified `
    )
    expect(error.message).toContain("Their archive was left alone.")
    expect(yield* holder).toBe("theirs")
    expect(yield* putLines).toHaveLength(1)
    expect(yield* journaled).toEqual([])
  })

describe("a writer in between", () => {
  it.live("is left alone when the answer was lost: a different size", () =>
    expectConflict("longer").pipe(Effect.provide(world()))
  )

  it.live("is left alone when the answer was lost: the same size, another hash", () =>
    expectConflict("same").pipe(Effect.provide(world()))
  )

  it.live(
    "of the same size is taken for ours where there is no link, and the receipt says how it is known",
    () =>
      Effect.gen(function* () {
        const { cloud, holder, other, upload } = yield* rivals({ theirSize: "same" })
        yield* cloud.plan({ method: "PUT", fault: [other, Fault.cut("body")] })
        expect(yield* upload).toMatchObject({ _tag: "Uploaded", proof: "size" })
        expect(yield* holder).toBe("theirs")
      }).pipe(
        Effect.provide(world({ cloud: { verificationLinks: false } satisfies LocalElasticCloudOptions }))
      )
  )

  it.live.each([
    ["of a queue", Fault.answer({ status: 429 })],
    ["of an upload that was cut short", Fault.cut("arrival", "reset")]
  ] as const)("is noticed before the next attempt, during the backoff %s", ([, fault]) =>
    Effect.gen(function* () {
      const { cloud, events, holder, other, putLines, upload } = yield* rivals()
      yield* cloud.plan({ method: "PUT", fault })
      // The baseline, then the question before the next attempt.
      yield* cloud.plan({ method: "GET", fault: [] })
      yield* cloud.plan({ method: "GET", fault: other })
      expect(yield* Effect.flip(upload)).toMatchObject({ _tag: "UploadConflict" })
      expect(events.filter(({ _tag }) => _tag === "AttemptStarted")).toHaveLength(1)
      expect(yield* putLines).toHaveLength(1)
      expect(yield* holder).toBe("theirs")
      expect(yield* journaled).toEqual([])
    }).pipe(Effect.provide(world()))
  )

  it.live("is overwritten only when asked for", () =>
    Effect.gen(function* () {
      const { cloud, events, holder, id, ours, other, putLines, upload } = yield* rivals({
        onConflict: "overwrite"
      })
      yield* cloud.plan({ method: "PUT", fault: [other, Fault.cut("body")] })
      expect(yield* upload).toMatchObject({
        _tag: "Uploaded",
        proof: "hash",
        attempts: 2,
        bytesSent: 2 * ours.length,
        resourceVersion: { before: "2", after: "3" }
      })
      expect(events).toContainEqual({
        _tag: "Warning",
        code: "OverwritingConflict",
        message: expect.stringContaining(`Extension ${id} was written by someone else`)
      })
      expect(yield* putLines).toHaveLength(2)
      expect(yield* holder).toBe("ours")
    }).pipe(Effect.provide(world()))
  )

  it.live("that comes once more while being overwritten is overwritten once more", () =>
    Effect.gen(function* () {
      const { cloud, holder, other, upload } = yield* rivals({ onConflict: "overwrite" })
      yield* cloud.plan({ method: "PUT", times: 2, fault: [other, Fault.cut("body")] })
      expect(yield* upload).toMatchObject({ attempts: 3, resourceVersion: { before: "3", after: "4" } })
      expect(yield* holder).toBe("ours")
    }).pipe(Effect.provide(world()))
  )

  it.live.each([
    ["", 3000, true],
    [", also where the archive of before has our size, which proves nothing", 5000, false]
  ] as const)("who only changed the name is a writer as well%s", ([, before, verificationLinks]) =>
    Effect.gen(function* () {
      const { cloud, id, putLines, upload } = yield* rivals({ before })
      const rename = cloud.seed({ id, name: "renamed", extension_type: "bundle", version: "*" })
      yield* cloud.plan({
        method: "PUT",
        fault: [Fault.run("body", Effect.asVoid(rename)), Fault.cut("body")]
      })
      expect(yield* Effect.flip(upload)).toMatchObject({
        _tag: "UploadConflict",
        now: { resourceVersion: "2" }
      })
      expect(yield* putLines).toHaveLength(1)
    }).pipe(Effect.provide(world({ cloud: { verificationLinks } })))
  )
})

describe("a writer between two runs", () => {
  it.live("is left alone by the run that goes on", () =>
    Effect.gen(function* () {
      const { cloud, holder, other, putLines, upload } = yield* rivals()
      yield* cloud.plan({ method: "PUT", fault: Fault.cut("body") })
      yield* cloud.plan({ method: "GET", fault: [] })
      yield* cloud.plan({ method: "GET", times: 99, fault: Fault.answer({ status: 503 }) })
      expect(yield* Effect.flip(upload)).toMatchObject({ _tag: "OutcomeUnknown" })

      yield* cloud.clearPlan
      yield* cloud.plan({ method: "GET", fault: other })
      expect(yield* Effect.flip(upload)).toMatchObject({
        _tag: "UploadConflict",
        before: { resourceVersion: "1" },
        now: { resourceVersion: "2" }
      })
      expect(yield* putLines).toHaveLength(1)
      expect(yield* holder).toBe("theirs")
      expect(yield* journaled).toEqual([])
    }).pipe(Effect.provide(world({ retry: { maxRetries: 1 } })))
  )

  it.live("who was there before a fresh run is simply the baseline", () =>
    Effect.gen(function* () {
      const { cloud, holder, id, theirs, upload } = yield* rivals()
      yield* cloud.seed({ id, name: "n", extension_type: "bundle", version: "*", file: theirs })
      expect(yield* upload).toMatchObject({ resourceVersion: { before: "2", after: "3" } })
      expect(yield* holder).toBe("ours")
    }).pipe(Effect.provide(world()))
  )
})
